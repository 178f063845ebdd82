/// Which constants and parameters of a statement text may be kept in what people read, where the statement touches columns that are
/// masked: found once for all texts that differ in the values of their literals alone.
///
/// A constant is replaced unless it is known to say nothing of a masked column. Known are: LIMIT and OFFSET; what is compared with
/// a plain column that is not masked (`=`, `<>`, `<` .., IN, BETWEEN, LIKE, IS DISTINCT FROM, `= ANY`); the value that such a column
/// is given by UPDATE, INSERT .. VALUES, ON CONFLICT or MERGE; modifiers of types; places of columns in ORDER BY and GROUP BY. A
/// column that meets a masked one in the same statement (`name = ssn`) counts as masked. Comments are replaced.
public struct LiteralPlan: Sendable, Hashable {
    /// One for each token of the text (`LiteralToken`); nil: nothing is kept.
    private let kept: [Bool]?
    /// The parameters (from 1) that stand in nothing but such places.
    public let keptParameters: Set<Int>

    /// Nothing is kept.
    public static let keepingNothing = LiteralPlan(kept: nil, keptParameters: [])
    /// Longer texts keep nothing: they are not parsed again.
    public static let byteLimit = 32_768

    init(kept: [Bool]?, keptParameters: Set<Int>) {
        self.kept = kept
        self.keptParameters = keptParameters
    }

    /// The text says nothing that must be replaced.
    public var keepsAll: Bool { kept?.allSatisfy(\.self) ?? false }

    /// Finds what may be kept.
    ///
    /// - Parameters:
    ///   - text: at most `byteLimit` bytes; a longer one, and one that cannot be parsed, keeps nothing.
    ///   - hidden: one for each statement of the text: it touches what is masked. The others keep everything. Where there are not as
    ///     many as the text has statements, all are.
    ///   - isMasked: whether a column's values must not be shown.
    public static func find(
        in text: UnsafeRawBufferPointer, hidden: [Bool], catalog: some LineageCatalog, isMasked: @escaping (LineageColumn) -> Bool
    ) -> LiteralPlan {
        guard text.count <= byteLimit else { return .keepingNothing }
        return LiteralFinder.plan(of: text, hidden: hidden, catalog: catalog, isMasked: isMasked) ?? .keepingNothing
    }

    /// A text with its constants replaced.
    public struct Masked: Sendable {
        public var bytes: [UInt8]
        public var replaced: Int
    }

    /// The text with the constants replaced that are not kept; nil where it cannot be cut into tokens, so that nothing of it may be
    /// shown.
    ///
    /// - Parameter tokens: the text's own, where they are known already (`Analysis.literals`).
    public func masked(_ text: UnsafeRawBufferPointer, tokens: [LiteralToken]? = nil) -> Masked? {
        guard let tokens = tokens ?? Analyze.withTokens(of: text, { _, scanned in LiteralToken.all(of: scanned) }) else { return nil }
        // Another number of tokens is another text.
        return Self.masked(text, tokens, keeping: kept.flatMap { $0.count == tokens.count ? $0 : nil })
    }

    /// A text of which nobody knows what is a name in it and what a value, as of one that cannot be parsed: the rows of a COPY that
    /// failed come as a statement, where a script goes on. Keywords and punctuation are left; nil as above.
    public static func keywords(of text: UnsafeRawBufferPointer) -> Masked? {
        Analyze.withTokens(of: text) { _, scanned in LiteralToken.all(of: scanned, andWords: true) }.flatMap {
            masked(text, $0, keeping: nil)
        }
    }

    private static func masked(_ text: UnsafeRawBufferPointer, _ tokens: [LiteralToken], keeping kept: [Bool]?) -> Masked? {
        var masked = Masked(bytes: [], replaced: 0)
        masked.bytes.reserveCapacity(text.count + 16)
        var copied = 0
        for (index, token) in tokens.enumerated() where kept?[index] != true {
            let (start, end) = (Int(token.start), Int(token.end))
            guard start >= copied, start <= end, end <= text.count else { return nil }
            masked.bytes += text[copied..<start]
            masked.bytes += token.sort.replacement.withUTF8Buffer { Array($0) }
            copied = end
            masked.replaced += 1
        }
        masked.bytes += text[copied...]
        return masked
    }
}
