public import GatehouseCore

extension PolicyEngine {
    /// What the rules say of opening a session at all: the first in force that names the kind `session` decides. nil where
    /// none does.
    public func judgeOpening(under permit: Permit, at time: WallTime) -> Verdict? {
        let verdict = judge(Action(kinds: ["session"]), under: permit, resolver: NoNames(), at: time)
        return verdict.rule == "gatehouse.default" ? nil : verdict
    }
}

/// Opening a session names nothing.
private struct NoNames: NameResolver {
    func relations(reachedBy name: QualifiedName) -> Set<Relation>? { [] }
}
