/// A piece of a text.
public struct Token: Sendable, Hashable {
    public enum Kind: UInt8, Sendable, Hashable {
        /// A name or keyword without quotes.
        case word
        /// A name that cannot be a keyword: right after a dot, or right before one (`t.select`, `select.a`, `t.1a`).
        case name
        /// In backticks, or in double quotes under ANSI_QUOTES.
        case quotedName
        case string
        /// `N'..'`.
        case nationalString
        /// `x'..'` or `0x..`.
        case hex
        /// `b'..'` or `0b..`.
        case bits
        case integer
        case decimal
        case float
        /// `@name`, also the host of an account (`u@h`).
        case userVariable
        /// `@@`.
        case doubleAt
        /// `?`.
        case parameter
        /// `\N`.
        case null
        case symbol
        case end
    }

    public var kind: Kind
    public var start: Int
    /// Behind its last byte.
    public var end: Int
    public var symbol: Symbol
    /// Only of a ``Kind/word``; nil: no word that the grammar knows.
    public var keyword: Keyword?

    init(_ kind: Kind, _ start: Int, _ end: Int, symbol: Symbol = .none, keyword: Keyword? = nil) {
        self.kind = kind
        self.start = start
        self.end = end
        self.symbol = symbol
        self.keyword = keyword
    }

    public var range: Range<Int> { start..<end }

    /// Whether it is a constant that masks and normal forms replace.
    public var isLiteral: Bool {
        switch kind {
        case .string, .nationalString, .hex, .bits, .integer, .decimal, .float: true
        default: false
        }
    }
}

public enum Symbol: UInt8, Sendable, Hashable {
    case none, leftParen, rightParen, leftBrace, rightBrace, comma, dot, semicolon, plus, minus, star, slash, percent, caret, tilde
    case bang, ampersand, pipe, doubleAmpersand, doublePipe, equal, notEqual, less, lessEqual, greater, greaterEqual, nullSafeEqual
    case shiftLeft, shiftRight, assign, arrow, doubleArrow, colon
}
