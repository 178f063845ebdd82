extension Lexer {
    /// A word or number's worth of name bytes behind a dot.
    mutating func nameAfterDot() throws(Unparsed) -> Token {
        let start = at
        try skipNameBytes()
        dotNext = dotBeforeName
        return Token(.name, start, at)
    }

    private var dotBeforeName: Bool { peek() == UInt8(ascii: ".") && isNameByte(peek(1)) }

    /// Bytes from 0x80 on have to be well-formed UTF-8: what else they are is the character set's to say, which differs.
    mutating func skipNameBytes() throws(Unparsed) {
        while at < bytes.count, isNameByte(bytes[at]) {
            if bytes[at] < 0x80 {
                at += 1
                continue
            }
            guard let length = utf8Length(at: at) else { throw fail("a name that is not UTF-8") }
            at += length
        }
    }

    /// Up to three bytes: in names the servers know the basic plane only.
    private func utf8Length(at index: Int) -> Int? {
        let lead = bytes[index]
        let length = lead >= 0xC2 && lead <= 0xDF ? 2 : lead >= 0xE0 && lead <= 0xEF ? 3 : 0
        guard length > 0, index + length <= bytes.count, bytes[(index + 1)..<(index + length)].allSatisfy({ $0 & 0xC0 == 0x80 }) else {
            return nil
        }
        if lead == 0xE0, bytes[index + 1] < 0xA0 { return nil }
        if lead == 0xED, bytes[index + 1] > 0x9F { return nil }
        return length
    }

    mutating func word() throws(Unparsed) -> Token {
        let start = at
        try skipNameBytes()
        if bytes[start] == UInt8(ascii: "$"), !server.isMariaDB { throw fail("a name that begins with $ may be a quote", at: start) }
        dotNext = dotBeforeName
        if dotNext { return Token(.name, start, at) }
        return Token(.word, start, at, keyword: Keyword.find(bytes[start..<at]))
    }

    mutating func number() throws(Unparsed) -> Token {
        let start = at
        if bytes[at] == UInt8(ascii: "0"), peek(1) == UInt8(ascii: "x") || peek(1) == UInt8(ascii: "b") {
            let isHex = peek(1) == UInt8(ascii: "x")
            at += 2
            while isHex ? isHexDigit(peek()) : (peek() == UInt8(ascii: "0") || peek() == UInt8(ascii: "1")) { at += 1 }
            if at >= start + 3, !isNameByte(peek()) { return Token(isHex ? .hex : .bits, start, at) }
            return try nameFromDigits(start)
        }
        while isDigit(peek()) { at += 1 }
        if !isNameByte(peek()) {
            guard peek() == UInt8(ascii: ".") else { return Token(.integer, start, at) }
            return try real(from: start)
        }
        if peek() | 0x20 == UInt8(ascii: "e") {
            let sign = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-") ? 1 : 0
            if isDigit(peek(1 + sign)) {
                at += 1 + sign
                while isDigit(peek()) { at += 1 }
                return Token(.float, start, at)
            }
        }
        return try nameFromDigits(start)
    }

    /// Not a keyword, since none begins with a digit.
    private mutating func nameFromDigits(_ start: Int) throws(Unparsed) -> Token {
        try skipNameBytes()
        dotNext = dotBeforeName
        return Token(.name, start, at)
    }

    /// From its dot on.
    mutating func real(from start: Int) throws(Unparsed) -> Token {
        at += 1
        while isDigit(peek()) { at += 1 }
        guard peek() | 0x20 == UInt8(ascii: "e") else { return Token(.decimal, start, at) }
        let sign = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-") ? 1 : 0
        // Some servers drop such a number and go on behind it.
        guard isDigit(peek(1 + sign)) else { throw fail("a number whose exponent has no digits", at: start) }
        at += 1 + sign
        while isDigit(peek()) { at += 1 }
        return Token(.float, start, at)
    }

    /// A string, its quotes included.
    mutating func quoted(_ quote: UInt8, kind: Token.Kind) throws(Unparsed) -> Token {
        let start = at
        let escapes = !server.mode.contains(.noBackslashEscapes)
        at += 1
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\\"), escapes {
                at += 1
            } else if byte == quote {
                guard peek() == quote, at < bytes.count else { return Token(kind, start, at) }
                at += 1
            }
        }
        throw fail("string without an end", at: start)
    }

    mutating func quotedName(_ quote: UInt8) throws(Unparsed) -> Token {
        let start = at
        at += 1
        while at < bytes.count {
            let byte = bytes[at]
            guard byte != 0 else { throw fail("zero byte") }
            at += 1
            if byte == quote {
                guard peek() == quote else {
                    guard at > start + 2 else { throw fail("an empty name", at: start) }
                    return Token(.quotedName, start, at)
                }
                at += 1
            }
        }
        throw fail("quoted name without an end", at: start)
    }

    /// `x'..'` and `b'..'`.
    mutating func digits(_ kind: Token.Kind) throws(Unparsed) -> Token {
        let start = at
        at += 2
        while kind == .hex ? isHexDigit(peek()) : (peek() == UInt8(ascii: "0") || peek() == UInt8(ascii: "1")) { at += 1 }
        guard peek() == UInt8(ascii: "'"), kind == .bits || (at - start).isMultiple(of: 2) else {
            throw fail("a constant with a digit that is none", at: start)
        }
        at += 1
        return Token(kind, start, at)
    }

    /// `@name`, `@'name'`, `@@`.
    mutating func variable() throws(Unparsed) -> Token {
        let start = at
        at += 1
        switch peek() {
        case UInt8(ascii: "@"):
            at += 1
            guard isNameByte(peek()) || peek() == UInt8(ascii: "`") else { throw fail("@@ without a name", at: start) }
            return Token(.doubleAt, start, at)
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
            // A name in double quotes is cut in the same way but for backslashes.
            if peek() == UInt8(ascii: "\""), server.mode.contains(.ansiQuotes) {
                _ = try quotedName(peek())
            } else {
                _ = try quoted(peek(), kind: .string)
            }
        case UInt8(ascii: "`"): _ = try quotedName(peek())
        default:
            while isNameByte(peek()) || peek() == UInt8(ascii: ".") {
                guard peek() < 0x80 else { throw fail("a letter that a variable's name cannot have") }
                at += 1
            }
            guard at > start + 1 else { throw fail("@ without a name", at: start) }
        }
        return Token(.userVariable, start, at)
    }

    private func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f") && byte >= UInt8(ascii: "A"))
    }
}
