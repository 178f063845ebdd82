/// What quoted pieces stand for.
enum Decoded {
    static func quotedName(_ bytes: ArraySlice<UInt8>) -> String {
        guard let quote = bytes.first else { return "" }
        return String(decoding: undoubled(bytes.dropFirst().dropLast(), quote), as: UTF8.self)
    }

    private static func undoubled(_ bytes: ArraySlice<UInt8>, _ quote: UInt8) -> [UInt8] {
        var result: [UInt8] = []
        var skip = false
        for byte in bytes {
            if byte == quote {
                skip.toggle()
                if skip { result.append(byte) }
            } else {
                result.append(byte)
                skip = false
            }
        }
        return result
    }

    /// - Parameter bytes: With quotes, and the N of a national string.
    static func string(_ bytes: ArraySlice<UInt8>, mode: SQLMode) -> (bytes: [UInt8], text: String) {
        var body = bytes
        if body.first == UInt8(ascii: "N") || body.first == UInt8(ascii: "n") { body = body.dropFirst() }
        guard let quote = body.first else { return ([], "") }
        body = body.dropFirst().dropLast()
        guard !mode.contains(.noBackslashEscapes) else {
            let result = undoubled(body, quote)
            return (result, String(decoding: result, as: UTF8.self))
        }
        var result: [UInt8] = []
        var at = body.startIndex
        while at < body.endIndex {
            let byte = body[at]
            at += 1
            if byte == UInt8(ascii: "\\"), at < body.endIndex {
                escape(body[at], into: &result)
                at += 1
            } else {
                result.append(byte)
                if byte == quote { at += 1 }
            }
        }
        return (result, String(decoding: result, as: UTF8.self))
    }

    private static func escape(_ byte: UInt8, into result: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "0"): result.append(0)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "Z"): result.append(0x1A)
        // Kept for LIKE, where they mean the characters themselves.
        case UInt8(ascii: "%"), UInt8(ascii: "_"): result += [UInt8(ascii: "\\"), byte]
        default: result.append(byte)
        }
    }

    /// Without `@`, in lower case: names of user variables know no case.
    static func variable(_ bytes: ArraySlice<UInt8>, mode: SQLMode) -> String {
        let name = bytes.dropFirst()
        switch name.first {
        case UInt8(ascii: "`"): return quotedName(name).lowercased()
        case UInt8(ascii: "\"") where mode.contains(.ansiQuotes): return quotedName(name).lowercased()
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return string(name, mode: mode).text.lowercased()
        default: return String(decoding: name, as: UTF8.self).lowercased()
        }
    }
}

/// A statement without its constants, comments and the width of its blanks.
enum Normal {
    static func form(of tokens: ArraySlice<Token>, in bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        var end: Int?
        for token in tokens {
            if let end, end != token.start { result.append(0x20) }
            if token.isLiteral { result.append(UInt8(ascii: "?")) } else { result += bytes[token.range] }
            end = token.end
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension ParsedText {
    /// What a text holds, as the server would read it; never traps, and takes time in proportion to the text's length.
    ///
    /// - Parameter bytes: In an ASCII-compatible character set; see ``Server``.
    public static func parse(_ bytes: [UInt8], server: Server, limits: ParseLimits = ParseLimits()) -> ParsedText {
        var parser = Parser(bytes, server: server, limits: limits)
        return parser.text()
    }
}
