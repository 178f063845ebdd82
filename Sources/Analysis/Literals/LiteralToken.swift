/// A constant or a comment of a text, as PostgreSQL's own scanner cuts it.
public struct LiteralToken: Sendable, Hashable {
    enum Sort: UInt8, Sendable {
        case constant
        /// TRUE or FALSE: a constant, or a part of the syntax (`IS TRUE`).
        case boolean
        case lineComment
        case blockComment
        /// A name, or what looks like one in a text that cannot be parsed.
        case word

        /// What stands for it.
        var replacement: StaticString {
            switch self {
            case .constant, .boolean: "'****'"
            case .lineComment: "-- ****"
            case .blockComment: "/* **** */"
            case .word: "****"
            }
        }
    }

    var start: Int32
    var end: Int32
    var sort: Sort

    init?(_ token: ScannedText.Token, orWord: Bool = false) {
        switch token.kind {
        case TokenKind.identifier where orWord, TokenKind.unicodeIdentifier where orWord: sort = .word
        case TokenKind.lineComment: sort = .lineComment
        case TokenKind.blockComment: sort = .blockComment
        case TokenKind.isTrue, TokenKind.isFalse: sort = .boolean
        default:
            guard TokenKind.isLiteral(token.kind) else { return nil }
            sort = .constant
        }
        start = token.start
        end = token.end
    }

    static func all(of scanned: ScannedText, andWords: Bool = false) -> [LiteralToken] {
        scanned.tokens.compactMap { LiteralToken($0, orWord: andWords) }
    }
}

extension Analyze {
    /// The tokens of a text that was perhaps never analysed; nil where it cannot be cut, or would cost too much.
    ///
    /// - Parameter body: The text with a zero behind it, and its tokens. What it throws is nil, too.
    static func withTokens<Result>(
        of text: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>, ScannedText) throws -> Result?
    ) -> Result? {
        guard !text.contains(0), isValidUTF8(text), (try? Prescan.check(text, tokenLimit: tokenLimit)) != nil else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: text.count + 1) { buffer in
            guard let base = buffer.baseAddress else { return nil }
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: text)
            buffer[text.count] = 0
            guard let scanned = try? ScannedText(base, count: text.count, limit: tokenLimit), scanned.tokens.count <= tokenLimit else {
                return nil
            }
            return try? body(base, scanned)
        }
    }
}
