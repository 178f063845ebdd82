/// What policy says of one action.
public struct Verdict: Sendable, Hashable, Codable {
    public enum Decision: String, Sendable, Hashable, Codable {
        case allow, deny
    }

    public var decision: Decision
    /// The id of the rule that decided; ids that begin with `gatehouse.` are built in.
    public var rule: String
    /// Why, for the person or agent that is denied.
    public var reason: String
    /// What is allowed instead, or whom to ask.
    public var hint: String

    public init(decision: Decision, rule: String, reason: String = "", hint: String = "") {
        self.decision = decision
        self.rule = rule
        self.reason = reason
        self.hint = hint
    }
}
