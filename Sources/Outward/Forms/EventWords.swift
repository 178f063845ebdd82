import GatehouseCore

/// Limits on what a client or a person wrote, in characters.
enum TextLimit {
    static let name = 256
    static let reason = 1_024
    /// Even in the smallest syslog datagram that receivers should take (2,048 bytes, RFC 5424 section 6.1) there is room for the rest.
    static let statement = 2_048
    static let list = 64
}

extension OutwardEvent {
    /// One line for people.
    var headline: String {
        let who = (actor?.user).map { $0.clipped(TextLimit.name) } ?? "somebody"
        let target = place.target ?? "the gateway"
        switch kind {
        case .sessionStarted: return "\(who) opened a session on \(target)\(place.role.map { " as \($0)" } ?? "")"
        case .sessionEnded(let ending):
            return "the session of \(who) on \(target) \(ending.isFailure ? "failed" : "ended"): \(ending.reason.clipped(TextLimit.reason))"
        case .verdict(let ruling):
            let rule = ruling.verdict.rule
            switch ruling.verdict.decision {
            case .deny: return "\(who) was denied on \(target) by rule \(rule)" + because(ruling.verdict.reason)
            case .hold: return "an action of \(who) on \(target) is held by rule \(rule)" + because(ruling.verdict.reason)
            case .allow: return "an action of \(who) on \(target) ran with approval \(ruling.verdict.approval ?? "")"
            }
        case .approval(let approval): return headline(of: approval, who, target)
        case .finding(let finding): return finding.title.clipped(TextLimit.reason)
        case .administration(let action, _): return "\(who) did \(action)"
        case .authenticationFailed(let login, let code, _): return "no session for \(login.clipped(TextLimit.name)): \(code)"
        }
    }

    private func headline(of approval: Approval, _ who: String, _ target: String) -> String {
        let asked = approval.requester.user.clipped(TextLimit.name)
        let what = "approval \(approval.id) for \(asked) on \(target) (rule \(approval.rule))"
        switch approval.step {
        case .requested: return "\(asked) asks for approval \(approval.id) on \(target) (rule \(approval.rule))" + because(approval.reason)
        case .explained: return "\(asked) says why: \(what)" + because(approval.reason)
        case .seconded: return "\(who) approved, and more must: \(what)" + because(approval.reason)
        case .approved: return "\(who) approved: \(what)" + because(approval.reason)
        case .denied: return "\(who) denied: \(what)" + because(approval.reason)
        case .expired: return "nobody decided in time: \(what)"
        case .withdrawn: return "withdrawn: \(what)" + because(approval.reason)
        case .used: return "used: \(what)"
        case .breakGlass: return "BREAK GLASS: \(who) let their own action through: \(what)" + because(approval.reason)
        }
    }

    private func because(_ reason: String) -> String { reason.isEmpty ? "" : ": " + reason.clipped(TextLimit.reason) }

    /// As OCSF numbers them: 1 informational to 5 critical.
    var severity: Finding.Severity {
        switch kind {
        case .sessionStarted, .administration: .informational
        case .sessionEnded(let ending): ending.isFailure ? .low : .informational
        case .verdict(let ruling):
            switch ruling.verdict.decision {
            case .deny: .medium
            case .hold: .low
            case .allow: .informational
            }
        case .approval(let approval):
            switch approval.step {
            case .breakGlass: .high
            case .requested: .low
            case .explained, .seconded, .approved, .denied, .expired, .withdrawn, .used: .informational
            }
        case .finding(let finding): finding.severity
        case .authenticationFailed: .low
        }
    }
}
