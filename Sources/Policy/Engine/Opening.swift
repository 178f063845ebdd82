public import GatehouseCore

extension PolicyEngine {
    /// What the rules say of opening a session at all: the first that names the kind `session` decides. nil where none does.
    public func judgeOpening(under permit: Permit) -> Verdict? {
        var facts = Facts(Action(kinds: ["session"]), NoNames())
        return permit.applicable.rules.first { rule in
            rule.rule.what.kinds.contains { $0.names("session") } && rule.holds(&facts) == .yes
        }?.verdict
    }
}

/// Opening a session names nothing.
private struct NoNames: NameResolver {
    func relations(reachedBy name: QualifiedName) -> Set<Relation>? { [] }
}
