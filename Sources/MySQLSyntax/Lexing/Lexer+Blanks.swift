extension Lexer {
    /// Blanks, comments, and the marks around those that are code.
    mutating func skipBlanks() throws(Unparsed) {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09...0x0D: at += 1
            case UInt8(ascii: "#"): try skipLine()
            case UInt8(ascii: "-"):
                guard peek(1) == UInt8(ascii: "-"), isBlankOrControl(peek(2)) else { return }
                try skipLine()
            case UInt8(ascii: "/"):
                guard peek(1) == UInt8(ascii: "*") else { return }
                try comment()
            case UInt8(ascii: "*"):
                guard inComment, peek(1) == UInt8(ascii: "/") else { return }
                at += 2
                inComment = false
            default: return
            }
        }
    }

    /// The byte behind the end is a zero, so `--` at the end is a comment.
    private func isBlankOrControl(_ byte: UInt8) -> Bool { byte <= 0x20 || byte == 0x7F }

    /// To the end of the line, which is a line feed and nothing else.
    private mutating func skipLine() throws(Unparsed) {
        while at < bytes.count, bytes[at] != 0x0A {
            guard bytes[at] != 0 else { throw fail("zero byte") }
            at += 1
        }
    }

    private mutating func comment() throws(Unparsed) {
        let start = at
        let marked = peek(2) == UInt8(ascii: "!")
        let marked2 = server.isMariaDB && peek(2) == UInt8(ascii: "M") && peek(3) == UInt8(ascii: "!")
        guard marked || marked2 else {
            let hint = peek(2) == UInt8(ascii: "+") && acceptsHints
            at += 2
            try skipComment(from: start, nested: false)
            if hint { try keepHint(start..<at) }
            return
        }
        at += marked ? 3 : 4
        switch try isCode(onlyMariaDB: marked2) {
        case .code(let digits):
            at += digits
            inComment = true
        case .comment:
            try skipComment(from: start, nested: true)
        }
    }

    private enum Verdict {
        /// How many digits come before the code.
        case code(Int)
        case comment
    }

    /// Whether the server runs what is in a versioned comment.
    private func isCode(onlyMariaDB: Bool) throws(Unparsed) -> Verdict {
        var digits: [Int] = []
        while digits.count < 7, isDigit(peek(digits.count)) { digits.append(Int(peek(digits.count)) - 0x30) }
        guard digits.count >= 5 else { return .code(0) }
        guard let version = server.version else { throw fail("a versioned comment, and the server's version is not known") }
        let five = digits.prefix(5).reduce(0) { $0 * 10 + $1 }
        let six = digits.count >= 6 ? five * 10 + digits[5] : five
        if server.isMariaDB {
            // Served from MariaDB's lexer: five or six digits; MySQL's 5.7 to 9.99 are never run.
            if six == 99_997 { throw fail("a comment for a cluster's node") }
            let runs = six <= version && (six < 50_700 || six > 99_999 || onlyMariaDB)
            return runs ? .code(min(digits.count, 6)) : .comment
        }
        // MySQL reads five digits or, in later releases, six.
        switch (digits.count >= 6, five <= version, six <= version) {
        case (false, true, _): return .code(5)
        case (_, false, false): return .comment
        default: throw fail("a versioned comment whose version can be read in two ways")
        }
    }

    /// Behind the next `*/`. In a versioned comment that does not run, one comment more may stand inside.
    private mutating func skipComment(from start: Int, nested: Bool) throws(Unparsed) {
        while at < bytes.count {
            let byte = bytes[at]
            guard byte != 0 else { throw fail("zero byte") }
            at += 1
            if nested, byte == UInt8(ascii: "/"), peek() == UInt8(ascii: "*") {
                at += 1
                try skipComment(from: start, nested: false)
            } else if byte == UInt8(ascii: "*"), peek() == UInt8(ascii: "/") {
                at += 1
                return
            }
        }
        throw fail("comment without an end", at: start)
    }

    /// A hint's quotes might hide its end from the server's reader of hints: then it has none that is certain.
    private mutating func keepHint(_ range: Range<Int>) throws(Unparsed) {
        for quote in [UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`")] {
            guard bytes[range].count(where: { $0 == quote }).isMultiple(of: 2) else {
                throw fail("an optimizer hint with an odd number of quotes", at: range.lowerBound)
            }
        }
        hints.append(range)
    }
}
