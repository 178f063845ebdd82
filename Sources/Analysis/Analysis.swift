public import GatehouseCore

/// What a whole statement text does: one `Action` for each statement in it.
///
/// The same text gives the same object as long as it is cached, so callers may key what they derive by `ObjectIdentifier`
/// (and keep the analysis alive as long as the key).
public final class Analysis: Sendable {
    /// One for each statement; none for an empty text. A text that could not be analysed has exactly one, `unparsed`.
    public let actions: [Action]
    /// A plain `'..'` literal holds a backslash: with standard_conforming_strings=off the server would read another text.
    public let dependsOnStringSetting: Bool
    /// Why the text could not be analysed, without any of its words; nil when it was.
    public let failure: String?
    /// The same facts hold for every text that differs only in its literals.
    let isSharable: Bool
    /// Where the constants and comments of a long text are, which was analysed by itself; nil for others.
    public let literals: [LiteralToken]?
    /// About what it weighs in memory, bytes.
    let weight: Int

    init(actions: [Action], dependsOnStringSetting: Bool, isSharable: Bool, literals: [LiteralToken]? = nil) {
        self.actions = actions
        self.dependsOnStringSetting = dependsOnStringSetting
        self.isSharable = isSharable
        self.literals = literals
        failure = nil
        weight = actions.reduce(64 + (literals?.count ?? 0) * MemoryLayout<LiteralToken>.stride) { $0 + Self.weight(of: $1) }
    }

    init(failure: String) {
        actions = [.unparsed(because: failure)]
        dependsOnStringSetting = false
        isSharable = false
        self.failure = failure
        literals = nil
        weight = 512
    }

    /// Set elements and strings take about 64 bytes beyond what does not fit a small string.
    private static func weight(of action: Action) -> Int {
        let names = action.kinds.count + action.columns.count + 2 * action.objects.count + 2 * action.functions.count
        return 256 + (action.source?.text.count ?? 0) + action.normalized.utf8.count + 64 * names + 96 * action.settings.count
    }
}
