import GatehouseCore
import Policy

extension PolicyEngine {
    /// What the startup packet asks for is judged as the statements would be that ask for the same. Plain settings need no rule:
    /// every driver sends some. nil lets the session begin; what is held lets it wait before its first request.
    func verdict(on startup: ClientStartup, under permit: Permit, at now: WallTime) -> Verdict? {
        var strictest: Verdict?
        func consider(_ verdict: Verdict) {
            guard verdict.decision != .allow, verdict.decision.isStricter(than: strictest?.decision ?? .allow) else { return }
            strictest = verdict
        }
        if let opening = judgeOpening(under: permit, at: now) { consider(opening) }
        var actions = startup.settings.map { Action(kinds: ["set"], settings: [$0]) }
        if startup.replication != .none { actions.append(Action(kinds: ["replication"])) }
        for action in actions {
            let verdict = judge(action, under: permit, resolver: UnknownNames(), at: now)
            if verdict.rule != "gatehouse.default" || action.kinds.contains("replication") { consider(verdict) }
        }
        return strictest
    }
}
