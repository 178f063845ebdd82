import Foundation

/// A denial as programs read it (docs/denials.md): compact JSON with the members in alphabetical order, the same in every
/// protocol. Members are added over time, never taken away or given another meaning.
public struct Denial: Sendable, Hashable, Codable {
    /// The id of the rule that decided.
    public var rule: String
    public var reason: String
    public var category: Verdict.Category
    /// What is allowed instead, or whom to ask; left out where nothing is known.
    public var allowed: String?
    /// The approval that was, or still is, waited for.
    public var approval: String?
    /// Whether the same action may be let through later: somebody may yet approve it, or a budget fill up again.
    public var retry: Bool

    public init(_ verdict: Verdict) {
        rule = verdict.rule
        reason = verdict.reason
        category = verdict.category
        allowed = verdict.hint.isEmpty ? nil : verdict.hint
        approval = verdict.approval
        retry = verdict.category == .approval || verdict.category == .budget
    }

    /// `{"gatehouse":{...}}`, on one line.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and a truth value: there is nothing here that JSON cannot hold.
        guard let data = try? encoder.encode(["gatehouse": self]) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
