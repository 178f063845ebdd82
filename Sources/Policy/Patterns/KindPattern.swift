/// A word for what is done, as a rule names it: `drop` stands for `drop` and everything below it (`drop.table`), `*` for
/// every kind.
public struct KindPattern: Sendable, Hashable, Codable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The word, lower case.
    public let description: String
    private let below: String
    private let isAny: Bool

    public init(_ word: String) {
        description = word.lowercased()
        below = description + "."
        isAny = description == "*"
    }

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
        isAny || kind == description || (kind.utf8.count > below.utf8.count && kind.hasPrefix(below))
    }

    /// Whether the word says `kind` itself or something below it, not merely something above.
    func names(_ kind: String) -> Bool {
        description == kind || description.hasPrefix(kind + ".")
    }
}
