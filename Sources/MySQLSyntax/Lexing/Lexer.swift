/// Cuts a text as the servers' own lexers do, which is by state: what follows a dot, a word or `@` is read in its own way.
///
/// It goes statement by statement, since a `;` ends what a versioned comment began (``startStatement()``). A zero byte is
/// refused everywhere but in a string: the servers take it as an end in some places and as a character in others.
struct Lexer {
    let bytes: [UInt8]
    var server: Server
    var at = 0
    /// Inside of a versioned comment whose text is code.
    var inComment = false
    /// The next piece is a name whatever it looks like: it follows a dot.
    var nameNext = false
    /// The next piece is a dot even before a digit: it follows a name directly.
    var dotNext = false
    /// Where optimizer hints are, `/*+` and `*/` included.
    var hints: [Range<Int>] = []
    /// The last piece is a word behind which a `/*+` is a hint.
    private var hintNext = false

    init(_ bytes: [UInt8], server: Server) {
        self.bytes = bytes
        self.server = server
    }

    /// Forgets the comment that code stands in: the server reads what follows a `;` afresh.
    mutating func startStatement() {
        inComment = false
        nameNext = false
        dotNext = false
        hintNext = false
    }

    /// Zero behind the end, as the servers' buffers have it.
    func peek(_ ahead: Int = 0) -> UInt8 {
        let index = at + ahead
        return index < bytes.count ? bytes[index] : 0
    }

    func fail(_ reason: String, at offset: Int? = nil) -> Unparsed { Unparsed(reason: reason, offset: offset ?? at) }

    mutating func next() throws(Unparsed) -> Token {
        if nameNext {
            nameNext = false
            return try nameAfterDot()
        }
        if dotNext {
            dotNext = false
            return dot()
        }
        try skipBlanks()
        guard at < bytes.count else {
            if inComment { throw fail("comment without an end") }
            return Token(.end, at, at)
        }
        let token = try piece(bytes[at])
        hintNext = token.keyword.map { Self.hinted.contains($0) } ?? false
        return token
    }

    private static let hinted: Set<Keyword> = [.select, .insert, .replace, .update, .delete]

    private mutating func piece(_ byte: UInt8) throws(Unparsed) -> Token {
        let start = at
        switch byte {
        case UInt8(ascii: "'"): return try quoted(byte, kind: .string)
        case UInt8(ascii: "\""):
            return server.mode.contains(.ansiQuotes) ? try quotedName(byte) : try quoted(byte, kind: .string)
        case UInt8(ascii: "`"): return try quotedName(byte)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "."):
            if isDigit(peek(1)) { return try real(from: start) }
            return dot()
        case UInt8(ascii: "@"): return try variable()
        case UInt8(ascii: "\\"):
            guard peek(1) == UInt8(ascii: "N"), server.isMariaDB || (server.version ?? 99_999) < 80_000 else {
                throw fail("stray backslash")
            }
            at += 2
            return Token(.null, start, at)
        case UInt8(ascii: "n"), UInt8(ascii: "N"):
            if peek(1) == UInt8(ascii: "'") {
                at += 1
                var token = try quoted(UInt8(ascii: "'"), kind: .nationalString)
                token.start = start
                return token
            }
            return try word()
        case UInt8(ascii: "x"), UInt8(ascii: "X"): return peek(1) == UInt8(ascii: "'") ? try digits(.hex) : try word()
        case UInt8(ascii: "b"), UInt8(ascii: "B"): return peek(1) == UInt8(ascii: "'") ? try digits(.bits) : try word()
        default:
            if isNameByte(byte) { return try word() }
            return try symbolToken(byte)
        }
    }

    mutating func dot() -> Token {
        let token = Token(.symbol, at, at + 1, symbol: .dot)
        at += 1
        nameNext = isNameByte(peek())
        return token
    }

    private mutating func symbolToken(_ byte: UInt8) throws(Unparsed) -> Token {
        let start = at
        let (symbol, length): (Symbol, Int) =
            switch byte {
            case UInt8(ascii: "("): (.leftParen, 1)
            case UInt8(ascii: ")"): (.rightParen, 1)
            case UInt8(ascii: "{"): (.leftBrace, 1)
            case UInt8(ascii: "}"): (.rightBrace, 1)
            case UInt8(ascii: ","): (.comma, 1)
            case UInt8(ascii: ";"): (.semicolon, 1)
            case UInt8(ascii: "+"): (.plus, 1)
            case UInt8(ascii: "*"): (.star, 1)
            case UInt8(ascii: "/"): (.slash, 1)
            case UInt8(ascii: "%"): (.percent, 1)
            case UInt8(ascii: "^"): (.caret, 1)
            case UInt8(ascii: "~"): (.tilde, 1)
            case UInt8(ascii: ":"): peek(1) == UInt8(ascii: "=") ? (.assign, 2) : (.colon, 1)
            case UInt8(ascii: "&"): peek(1) == byte ? (.doubleAmpersand, 2) : (.ampersand, 1)
            case UInt8(ascii: "|"): peek(1) == byte ? (.doublePipe, 2) : (.pipe, 1)
            case UInt8(ascii: "-"): minus()
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "="), UInt8(ascii: "!"): comparison(byte)
            default: (.none, 0)
            }
        if byte == UInt8(ascii: "?") {
            at += 1
            return Token(.parameter, start, at)
        }
        guard length > 0 else { throw fail(byte == 0 ? "zero byte" : "a byte that begins no token") }
        at += length
        return Token(.symbol, start, at, symbol: symbol)
    }

    private func minus() -> (Symbol, Int) {
        guard !server.isMariaDB, peek(1) == UInt8(ascii: ">") else { return (.minus, 1) }
        return peek(2) == UInt8(ascii: ">") ? (.doubleArrow, 3) : (.arrow, 2)
    }

    /// The servers take as many of `< > = !` as they can, up to two (three after `<`), and know no others than these.
    private func comparison(_ byte: UInt8) -> (Symbol, Int) {
        let isComparing: (UInt8) -> Bool = { [UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "="), UInt8(ascii: "!")].contains($0) }
        let second = peek(1)
        guard isComparing(second) else {
            switch byte {
            case UInt8(ascii: "<"): return (.less, 1)
            case UInt8(ascii: ">"): return (.greater, 1)
            case UInt8(ascii: "="): return (.equal, 1)
            default: return (.bang, 1)
            }
        }
        if byte == UInt8(ascii: "<"), second == UInt8(ascii: "="), peek(2) == UInt8(ascii: ">") { return (.nullSafeEqual, 3) }
        if byte == UInt8(ascii: "<"), isComparing(peek(2)), peek(2) != UInt8(ascii: "<") { return (.none, 0) }
        switch (byte, second) {
        case (UInt8(ascii: "<"), UInt8(ascii: "=")): return (.lessEqual, 2)
        case (UInt8(ascii: "<"), UInt8(ascii: ">")), (UInt8(ascii: "!"), UInt8(ascii: "=")): return (.notEqual, 2)
        case (UInt8(ascii: "<"), UInt8(ascii: "<")): return (.shiftLeft, 2)
        case (UInt8(ascii: ">"), UInt8(ascii: "=")): return (.greaterEqual, 2)
        case (UInt8(ascii: ">"), UInt8(ascii: ">")): return (.shiftRight, 2)
        default: return (.none, 0)
        }
    }

    var acceptsHints: Bool { hintNext && !server.isMariaDB }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

/// Of names without quotes, in every character set where bytes from 0x80 on are letters.
func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...0xFF:
        true
    default: false
    }
}
