internal import CPgQuery

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// The tokens of a text as PostgreSQL's own scanner cuts them.
struct ScannedText {
    struct Token {
        var start: Int32
        var end: Int32
        /// pg_query.proto, enum Token.
        var kind: Int32
        var isKeyword: Bool
    }

    /// Where the scanner stopped is not told: its message may quote the text.
    struct Failure: Error {
        /// Characters from 1; 0 if not known.
        var position: Int
    }

    private(set) var tokens: [Token] = []
    private(set) var dependsOnStringSetting = false

    /// - Parameters:
    ///   - text: Zero-terminated.
    ///   - limit: Reading stops one token above it.
    init(_ text: UnsafePointer<CChar>, count: Int, limit: Int = .max) throws {
        let result = pg_query_scan(text)
        defer { pg_query_free_scan_result(result) }
        if let error = result.error { throw Failure(position: Int(error.pointee.cursorpos)) }
        let bytes = UnsafeRawBufferPointer(start: result.pbuf.data, count: result.pbuf.len)
        tokens.reserveCapacity(min(bytes.count / 8, limit))
        var reader = WireReader(bytes)
        let tokensField = Fields.tokens
        let (startField, endField) = (Fields.Token.start, Fields.Token.end)
        let (kindField, keywordField) = (Fields.Token.token, Fields.Token.keyword)
        let string = TokenKind.string
        while let field = try reader.next() {
            guard field.number == tokensField else { continue }
            guard tokens.count <= limit else { return }
            var token = Token(start: 0, end: 0, kind: 0, isKeyword: false)
            var inner = WireReader(field.bytes)
            while let part = try inner.next() {
                let value = Int32(truncatingIfNeeded: part.value)
                if part.number == startField { token.start = value }
                if part.number == endField { token.end = value }
                if part.number == kindField { token.kind = value }
                if part.number == keywordField { token.isKeyword = value != 0 }
            }
            guard token.start >= 0, token.start <= token.end, Int(token.end) <= count else { throw MalformedTree() }
            if token.kind == string, text[Int(token.start)] == 0x27, !dependsOnStringSetting {
                dependsOnStringSetting = memchr(text + Int(token.start), 0x5c, Int(token.end - token.start)) != nil
            }
            tokens.append(token)
        }
    }
}

/// The tokens that mean something here, as the linked library numbers them.
enum TokenKind {
    private static let numbers: [String: Int32] = Dictionary(
        uniqueKeysWithValues: (Schema.shared.enums["Token"] ?? [:]).map { ($1, Int32($0)) })

    private static func number(_ name: String) -> Int32 {
        guard let number = numbers[name] else { preconditionFailure("libpg_query has no token \(name)") }
        return number
    }

    static let string = number("SCONST")
    static let unicodeString = number("USCONST")
    static let bits = number("BCONST")
    static let hex = number("XCONST")
    static let integer = number("ICONST")
    static let float = number("FCONST")
    static let parameter = number("PARAM")
    static let identifier = number("IDENT")
    static let unicodeIdentifier = number("UIDENT")
    static let lineComment = number("SQL_COMMENT")
    static let blockComment = number("C_COMMENT")
    static let isTrue = number("TRUE_P")
    static let isFalse = number("FALSE_P")
    static let and = number("AND")
    static let or = number("OR")
    static let union = number("UNION")
    static let intersect = number("INTERSECT")
    static let except = number("EXCEPT")

    static func isLiteral(_ kind: Int32) -> Bool {
        kind == string || kind == integer || kind == float || kind == bits || kind == hex || kind == unicodeString
    }
}
