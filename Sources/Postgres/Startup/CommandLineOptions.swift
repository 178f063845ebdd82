import GatehouseCore

/// The `options` startup parameter: the server's command line, as far as it changes settings ("Start-up", and
/// "Options" of the `postgres` reference page).
///
/// Understood are `-c name=value`, `-cname=value` and `--name=value`. The server knows more switches (`-S`, `-e`, `-f`
/// and others, alone or in clusters); clients do not send them, and what is not understood is refused.
enum CommandLineOptions {
    /// The settings in the order given; a later one of the same name wins.
    static func parse(_ text: String) throws(HandshakeError) -> [SettingChange] {
        var settings: [SettingChange] = []
        var words = split(text).makeIterator()
        while let word = words.next() {
            if word == "-c" {
                guard let assignment = words.next() else {
                    throw .invalidParameter("startup parameter \"options\": -c requires a value, as in -c name=value")
                }
                settings.append(try setting(assignment, switch: "-c"))
            } else if word.hasPrefix("--"), word != "--" {
                settings.append(try setting(String(word.dropFirst(2)), switch: "--"))
            } else if word.hasPrefix("-c") {
                settings.append(try setting(String(word.dropFirst(2)), switch: "-c"))
            } else {
                throw .invalidParameter(
                    "startup parameter \"options\": \(word.quotedForMessage) is not understood",
                    hint: "Use -c name=value or --name=value.")
            }
        }
        return settings
    }

    /// Words between white space; a backslash takes the next character as it is.
    static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word: [UInt8] = []
        var isInWord = false
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                word.append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isInWord = true
                isEscaped = true
            } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
                if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
                word.removeAll(keepingCapacity: true)
                isInWord = false
            } else {
                word.append(byte)
                isInWord = true
            }
        }
        if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
        return words
    }

    private static func setting(_ assignment: String, switch prefix: String) throws(HandshakeError) -> SettingChange {
        guard let equals = assignment.firstIndex(of: "=") else {
            throw .invalidParameter("startup parameter \"options\": \(prefix) \(assignment.quotedForMessage) requires a value")
        }
        let name = String(assignment[..<equals].map { $0 == "-" ? "_" : $0 })
        return try SettingChange(startupName: name, value: String(assignment[assignment.index(after: equals)...]))
    }
}

extension SettingChange {
    /// A setting for the whole session, its name folded.
    /// - Throws: when the name cannot be one of a setting.
    init(startupName name: String, value: String) throws(HandshakeError) {
        let folded = name.asciiLowercased()
        let isName =
            folded.utf8.count <= 128
            && folded.utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "$"): index > 0
                default: false
                }
            }
        guard isName, !folded.isEmpty else {
            throw .invalidParameter("startup parameter \(name.quotedForMessage) is not the name of a setting")
        }
        self.init(name: folded, value: value, isLocal: false)
    }
}
