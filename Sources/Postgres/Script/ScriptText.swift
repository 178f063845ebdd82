/// A statement's text as it can stand in a script for psql. Read by the rules of PostgreSQL's lexical structure (documentation, chapter
/// 4.1) and of psql ("Meta-Commands", "SQL Interpolation"), so that nothing in it ends the statement, starts a command of psql's or
/// names a variable of psql's.
struct ScriptText: Equatable {
    /// The text with its parameters in place, and nothing else changed.
    var text: String
    /// The text as psql must be given it, without an end; nil when psql could read it as something else.
    var script: String?
    /// What ends the statement in a script: `;`, or `\g` where psql might think that it goes on.
    var end = ";"

    /// - Parameters:
    ///   - isStandard: the session's `standard_conforming_strings`.
    ///   - parameter: the literal for a `$n`; nil when it cannot be said.
    /// - Returns: nil when the text's parts cannot be told apart with certainty, or a parameter cannot be said.
    init?(_ source: String, isStandard: Bool = true, parameter: ((Int) -> String?)? = nil) {
        var lexer = ScriptLexer(Array(source.utf8), isStandard: isStandard, parameter: parameter)
        guard lexer.run() else { return nil }
        text = String(decoding: lexer.plain, as: UTF8.self)
        if lexer.isPlainForPsql, !text.unicodeScalars.contains(where: { $0 != "\n" && $0 != "\t" && isUnfit($0) }) {
            var script = lexer.script
            if let last = lexer.lastSemicolon, script[last...].dropFirst(2).allSatisfy({ $0 == 0x20 || $0 == 0x0A || $0 == 0x09 }) {
                script.removeSubrange(last...)
            }
            if lexer.endsInComment { script.append(0x0A) }
            self.script = String(decoding: script, as: UTF8.self)
            if lexer.mayGoOn { end = "\n\\g" }
        }
    }

    /// The statement whole: as it is, or where psql would misread it, as a string that psql hands to the server untouched.
    var statement: String {
        guard let script else { return "SELECT \(quoted(text)) \\gexec" }
        return script + end
    }
}

/// A scalar that must not reach a reader's terminal: control characters, and those that turn or break lines.
func isUnfit(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x2028, 0x2029, 0xFEFF: true
    default: false
    }
}

/// A string constant that means the same under either `standard_conforming_strings`, and is fit to be looked at.
func quoted(_ text: String) -> String {
    var body = ""
    var hasEscape = false
    for scalar in text.unicodeScalars {
        switch scalar {
        case "'": body += "''"
        case "\\":
            body += "\\\\"
            hasEscape = true
        case _ where isUnfit(scalar):
            let digits = String(scalar.value, radix: 16)
            let width = scalar.value < 0x80 ? 2 : 4
            body += (width == 2 ? "\\x" : "\\u") + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
            hasEscape = true
        default: body.unicodeScalars.append(scalar)
        }
    }
    return (hasEscape ? "E'" : "'") + body + "'"
}

/// Comment lines of a script: whatever the text is, it stays in them.
func commented(_ text: String, _ prefix: String = "") -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        var shown = "-- " + prefix
        for scalar in line.unicodeScalars {
            if isUnfit(scalar), scalar != "\t" {
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown + "\n"
    }.joined()
}

/// Goes through a text once, copying it.
private struct ScriptLexer {
    private let source: [UInt8]
    private let isStandard: Bool
    private let parameter: ((Int) -> String?)?
    private var index = 0
    private var depth = 0
    private var isCreate = false
    private var words = 0
    private var hasBegin = false

    private(set) var plain: [UInt8] = []
    private(set) var script: [UInt8] = []
    private(set) var isPlainForPsql = true
    private(set) var endsInComment = false
    /// Where the last `\;` is in `script`.
    private(set) var lastSemicolon: Int?

    init(_ source: [UInt8], isStandard: Bool, parameter: ((Int) -> String?)?) {
        self.source = source
        self.isStandard = isStandard
        self.parameter = parameter
    }

    /// psql counts parentheses, and BEGIN and END in a CREATE, before it takes a semicolon for an end.
    var mayGoOn: Bool { depth != 0 || (isCreate && hasBegin) }

    private func peek(_ offset: Int = 0) -> UInt8? {
        index + offset < source.count ? source[index + offset] : nil
    }

    private mutating func copy(to end: Int) {
        let upper = min(end, source.count)
        guard upper > index else { return }
        plain += source[index..<upper]
        script += source[index..<upper]
        index = upper
    }

    /// False when the text is not understood.
    mutating func run() -> Bool {
        while let byte = peek() {
            endsInComment = false
            let isUnderstood: Bool
            switch byte {
            case UInt8(ascii: "'"): isUnderstood = string(hasEscapes: !isStandard)
            case UInt8(ascii: "\""): isUnderstood = quotedName()
            case UInt8(ascii: "-") where peek(1) == byte:
                copy(to: source[index...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? source.count)
                endsInComment = true
                isUnderstood = true
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"): isUnderstood = blockComment()
            case UInt8(ascii: "$"): isUnderstood = dollar()
            case UInt8(ascii: "0")...UInt8(ascii: "9"): isUnderstood = number()
            case _ where isNameStart(byte): isUnderstood = name()
            default:
                other(byte)
                isUnderstood = true
            }
            guard isUnderstood else { return false }
        }
        return true
    }

    private mutating func other(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: ";"):
            lastSemicolon = script.count
            emitEscaped(byte)
        case UInt8(ascii: ":"):
            if peek(1) == byte || peek(1) == UInt8(ascii: "=") { copy(to: index + 2) } else { emitEscaped(byte) }
        case UInt8(ascii: "\\"):
            isPlainForPsql = false
            copy(to: index + 1)
        default:
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            copy(to: index + 1)
        }
    }

    private mutating func emitEscaped(_ byte: UInt8) {
        plain.append(byte)
        script += [UInt8(ascii: "\\"), byte]
        index += 1
    }

    private mutating func string(hasEscapes: Bool) -> Bool {
        var end = index + 1
        while true {
            guard end < source.count else { return false }
            if source[end] == UInt8(ascii: "\\"), hasEscapes {
                end += 2
            } else if source[end] == UInt8(ascii: "'") {
                guard end + 1 < source.count, source[end + 1] == UInt8(ascii: "'") else { break }
                end += 2
            } else {
                end += 1
            }
        }
        copy(to: end + 1)
        // A constant goes on behind a line's end, escapes and all: too subtle to be sure that everybody reads it alike.
        guard hasEscapes else { return true }
        let next = source[index...].first { $0 > 0x20 }
        return next != UInt8(ascii: "'") && !(next == UInt8(ascii: "-") && source[index...].contains(UInt8(ascii: "'")))
    }

    private mutating func quotedName() -> Bool {
        guard let end = source[(index + 1)...].firstIndex(of: UInt8(ascii: "\"")) else { return false }
        copy(to: end + 1)
        return true
    }

    private mutating func blockComment() -> Bool {
        var end = index + 2
        var level = 1
        while level > 0 {
            guard end + 1 < source.count else { return false }
            switch (source[end], source[end + 1]) {
            case (UInt8(ascii: "/"), UInt8(ascii: "*")):
                level += 1
                end += 2
            case (UInt8(ascii: "*"), UInt8(ascii: "/")):
                level -= 1
                end += 2
            default: end += 1
            }
        }
        copy(to: end)
        return true
    }

    private mutating func dollar() -> Bool {
        var end = index + 1
        while end < source.count, isDigit(source[end]) { end += 1 }
        if end > index + 1 {
            guard let parameter else {
                copy(to: end)
                return true
            }
            guard end - index < 8, let number = Int(String(decoding: source[(index + 1)..<end], as: UTF8.self)),
                let literal = parameter(number), !(end < source.count && isNamePart(source[end]))
            else { return false }
            put(literal, next: end < source.count ? source[end] : nil)
            index = end
            return true
        }
        while end < source.count, isNamePart(source[end]), source[end] != UInt8(ascii: "$") { end += 1 }
        guard end < source.count, source[end] == UInt8(ascii: "$") else {
            copy(to: index + 1)
            return true
        }
        let tag = source[index...end]
        var close = end + 1
        while close + tag.count <= source.count {
            if source[close] == UInt8(ascii: "$"), source[close..<(close + tag.count)].elementsEqual(tag) {
                copy(to: close + tag.count)
                return true
            }
            close += 1
        }
        return false
    }

    /// A literal stands apart from what is before it (`U&` would make another constant of it), and in parentheses where it is gone into.
    private mutating func put(_ literal: String, next: UInt8?) {
        var text = literal
        if next == UInt8(ascii: "[") || next == UInt8(ascii: ".") { text = "(\(text))" }
        if let last = plain.last, ![0x20, 0x0A, 0x09, UInt8(ascii: "("), UInt8(ascii: ","), UInt8(ascii: "=")].contains(last) {
            text = " " + text
        }
        plain += Array(text.utf8)
        script += Array(text.utf8)
    }

    private mutating func number() -> Bool {
        var end = index
        var hasLetters = false
        while end < source.count, isNamePart(source[end]) || source[end] == UInt8(ascii: "."), source[end] != UInt8(ascii: "$") {
            hasLetters = hasLetters || !(isDigit(source[end]) || source[end] == UInt8(ascii: "."))
            end += 1
        }
        copy(to: end)
        return !(hasLetters && (peek() == UInt8(ascii: "'") || peek() == UInt8(ascii: "$")))
    }

    private mutating func name() -> Bool {
        var end = index
        while end < source.count, isNamePart(source[end]) { end += 1 }
        let word = String(decoding: source[index..<end], as: UTF8.self).lowercased()
        if words == 0 { isCreate = word == "create" }
        words += 1
        if word == "begin" { hasBegin = true }
        copy(to: end)
        let isString = peek() == UInt8(ascii: "'") || (word == "u" && peek() == UInt8(ascii: "&") && peek(1) == UInt8(ascii: "'"))
        guard isString else { return true }
        if word == "e" { return string(hasEscapes: true) }
        guard isStandard else { return false }
        return true
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private func isNameStart(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    private func isNamePart(_ byte: UInt8) -> Bool { isNameStart(byte) || isDigit(byte) || byte == UInt8(ascii: "$") }
}
