public import GatehouseCore

/// Why an action got its verdict: what became of each rule, in the order in which they are asked.
public struct Explanation: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        /// `where` names other targets.
        case elsewhere
        /// `who` names other callers.
        case someoneElse
        /// `when` names other times.
        case outOfTime
        /// This key of `what` does not hold.
        case what(String)
        /// Only a rule that names this kind can let the action through.
        case mustName(String)
        /// What the rule asks for is hidden: of a rule that denies or holds, the action is denied as the built-in rule named
        /// here; one that allows is passed over.
        case hidden(String)
        case decided

        /// For people, after the rule's name.
        public var description: String {
            switch self {
            case .elsewhere: "is about other targets (where)"
            case .someoneElse: "is about other callers (who)"
            case .outOfTime: "is not in force now (when)"
            case .what(let part): "does not hold (what: \(part))"
            case .mustName(let kind): "would let it through, but does not name the kind \(kind)"
            case .hidden(let verdict): "cannot tell, since what it asks for is hidden (\(verdict))"
            case .decided: "holds"
            }
        }
    }

    public struct Step: Sendable, Hashable {
        public let rule: String
        public let effect: Rule.Effect
        /// Of the configuration; nil where the rule did not come from one.
        public let line: Int?
        public let outcome: Outcome
    }

    public let verdict: Verdict
    /// Up to the rule that decided. Empty where something built in decided before any rule was asked.
    public let steps: [Step]
}
