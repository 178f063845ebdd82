import Catalog
import Console
import GatehouseCore
import Identity
import Logging
import Metrics
import Policy
import Recording
import Relay
import Settings

/// The desk at which held actions wait, with its evidence: what happens to an approval is in the log of this node before it
/// takes effect, and in the audit log.
func approvalDesk(
    _ catalog: SQLiteCatalog, _ log: EvidenceLog, _ clock: any GatewayClock, _ logger: Logger
) -> ApprovalDesk {
    ApprovalDesk(
        store: catalog, clock: clock,
        record: { event in
            let approval = event.approval
            let by = event.by?.user ?? (event.kind == .requested ? approval.request.requester.user : "gatehouse")
            try log.note("approval.\(event.kind.rawValue)", by: by, detail: detail(of: event))
            try catalog.note(
                AuditEntry(
                    time: clock.wallTime(), principal: event.by ?? (event.kind == .requested ? approval.request.requester : nil),
                    kind: .init(rawValue: "approval.\(event.kind.rawValue)"), detail: detail(of: event)))
        },
        notify: { event in
            Counter(label: "gatehouse_approvals_total", dimensions: [("event", event.kind.rawValue)]).increment()
            guard event.kind == .brokeGlass else { return }
            logger.critical(
                "somebody let a held action of his own through",
                metadata: [
                    "approval": "\(event.approval.id)", "user": "\(event.by?.user ?? "")", "target": "\(event.approval.request.target)",
                    "rule": "\(event.approval.request.rule)", "reason": "\(event.approval.reason)",
                ])
        })
}

private func detail(of event: ApprovalEvent) -> [String: String] {
    let approval = event.approval
    var detail = [
        "approval": approval.id, "state": approval.state.rawValue, "target": approval.request.target, "role": approval.request.role,
        "session": approval.request.session.description, "rule": approval.request.rule, "requester": approval.request.requester.user,
        "digest": approval.request.digest, "policy": approval.request.policyVersion,
    ]
    if !approval.reason.isEmpty { detail["reason"] = approval.reason }
    if let vote = approval.votes.last, event.by != nil {
        detail["choice"] = vote.choice.rawValue
        if !vote.comment.isEmpty { detail["comment"] = vote.comment }
    }
    return detail
}

/// Where people open an approval: the address that the configuration gives to the outside, or the admin listener's own.
func approvalLink(_ admin: AdminSettings) -> @Sendable (String) -> String {
    let base = admin.publicURL ?? "\(admin.tls == nil ? "http" : "https")://\(admin.listen)"
    return { "\(base)/approvals/\($0)" }
}

/// Closes what nobody decided in time, until the task is cancelled.
func sweep(_ approvals: ApprovalDesk, _ logger: Logger) async {
    while !Task.isCancelled {
        do {
            try await approvals.sweep()
        } catch {
            logger.error("approvals that are over could not be closed", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: .seconds(10))
    }
}
