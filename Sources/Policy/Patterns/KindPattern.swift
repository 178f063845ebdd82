/// A word for what is done, as a rule names it: `drop` stands for `drop` and everything below it (`drop.table`), `*` for
/// every kind. A `*` inside stands for any run of characters: `alter.*.change_owner`.
public struct KindPattern: Sendable, Hashable, Codable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The word, lower case.
    public let description: String
    private let below: String
    private let isAny: Bool
    /// Of a word with a star or question mark inside: itself, and everything below it.
    private let globs: [Glob]

    public init(_ word: String) {
        description = word.lowercased()
        below = description + "."
        isAny = description == "*"
        globs = !isAny && description.contains { $0 == "*" || $0 == "?" } ? [Glob(description), Glob(below + "*")] : []
    }

    /// Whether the word stands for itself and what is below it, and nothing else.
    var isLiteral: Bool { !isAny && globs.isEmpty }

    public init(stringLiteral value: String) {
        self.init(value)
    }

    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public func matches(_ kind: String) -> Bool {
        // The length is compared first because looking for a prefix costs ten times as much.
        if !globs.isEmpty { return globs.contains { $0.matches(kind) } }
        return isAny || kind == description || (kind.utf8.count > below.utf8.count && kind.hasPrefix(below))
    }

    /// Whether the word says `kind` itself or something below it, not merely something above.
    func names(_ kind: String) -> Bool {
        isLiteral && (description == kind || description.hasPrefix(kind + "."))
    }
}
