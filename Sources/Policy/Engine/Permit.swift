public import GatehouseCore

/// Leave to use one target as one role: what must be held to open a session and to have its actions judged. Only
/// ``PolicyEngine/admit(_:to:role:at:)`` and ``PolicyEngine/readmit(_:)`` make one.
public struct Permit: Sendable {
    public let principal: Principal
    public let target: Target
    public let role: Target.Role
    /// The access rule that let the caller in.
    public let grantedBy: Grant
    /// Of the policy that admitted the caller.
    public let policyVersion: String

    let applicable: ApplicableRules

    init(principal: Principal, target: Target, role: Target.Role, grantedBy: Grant, applicable: ApplicableRules) {
        self.principal = principal
        self.target = target
        self.role = role
        self.grantedBy = grantedBy
        self.applicable = applicable
        policyVersion = applicable.version
    }

    /// Which rule let a caller in, and by which of his groups.
    public struct Grant: Sendable, Hashable, Codable, CustomStringConvertible {
        /// For people: the rule's place in the configuration.
        public let rule: String
        /// nil when the rule names no groups.
        public let group: String?

        public var description: String { group.map { "\(rule), group \($0)" } ?? rule }
    }
}

/// Why a caller may not open a session.
public struct Refusal: Error, Sendable, Hashable, Codable {
    public let rule: String
    public let reason: String
    public let hint: String

    public init(rule: String, reason: String, hint: String) {
        self.rule = rule
        self.reason = reason
        self.hint = hint
    }

    /// For a target that the caller may not use, and in the same words for one that does not exist, so that names cannot be
    /// found out by trying.
    public static func noAccess(to target: String) -> Refusal {
        Refusal(
            rule: "gatehouse.no-access", reason: "You may not use target \(target), or it does not exist.",
            hint: "List the targets that you may use with `gatehouse targets list`, or ask for access.")
    }
}
