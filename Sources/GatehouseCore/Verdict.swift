/// What policy says of one action.
public struct Verdict: Sendable, Hashable, Codable {
    public enum Decision: String, Sendable, Hashable, Codable {
        case allow
        /// A person must approve first.
        case hold
        case deny

        public func isStricter(than other: Decision) -> Bool { strictness > other.strictness }

        private var strictness: Int {
            switch self {
            case .allow: 0
            case .hold: 1
            case .deny: 2
            }
        }
    }

    /// What kind of thing stood in the way, for programs that decide what to do next (docs/denials.md).
    public enum Category: String, Sendable, Hashable, Codable, CaseIterable {
        /// A rule of the policy says so.
        case rule
        /// No rule allows it.
        case notGranted = "not_granted"
        /// What it does cannot be known: it was not understood, or runs code that is not seen.
        case unknown
        /// The gateway keeps to itself what it asks for (session role, encoding, replication).
        case reserved
        /// Its answer cannot be masked, or it would carry masked values elsewhere.
        case masking
        /// A budget is spent.
        case budget
        /// It was held, and not approved (yet).
        case approval
        /// A limit of the gateway's own.
        case limit
    }

    public var decision: Decision
    /// The id of the rule that decided; ids that begin with `gatehouse.` are built in.
    public var rule: String
    /// Why, for the person or agent that is denied.
    public var reason: String
    /// What is allowed instead, or whom to ask.
    public var hint: String
    public var category: Category
    /// How the action may yet run; of a hold only.
    public var hold: HoldTerms?
    /// The approval that let a held action through, or that is still waited for.
    public var approval: String?

    public init(
        decision: Decision, rule: String, reason: String = "", hint: String = "", category: Category = .rule, hold: HoldTerms? = nil,
        approval: String? = nil
    ) {
        self.decision = decision
        self.rule = rule
        self.reason = reason
        self.hint = hint
        self.category = category
        self.hold = hold
        self.approval = approval
    }
}
