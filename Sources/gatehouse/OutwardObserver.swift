import Catalog
import GatehouseCore
import Relay
import Synchronization

/// The relay's reports, told to others.
final class OutwardObserver: SessionObserver {
    private let notifier: any Notifier
    private let clock: any GatewayClock
    /// What is known of sessions that live, for when they end.
    private let live = Mutex<[SessionID: SessionSummary]>([:])

    init(_ notifier: any Notifier, _ clock: any GatewayClock) {
        self.notifier = notifier
        self.clock = clock
    }

    func sessionStarted(_ summary: SessionSummary) {
        live.withLock { $0[summary.id] = summary }
        notifier.notify(event(of: summary, at: summary.started, .sessionStarted(application: summary.application)))
    }

    func sessionEnded(_ id: SessionID, _ totals: SessionTotals) {
        guard let summary = live.withLock({ $0.removeValue(forKey: id) }) else { return }
        let ending = OutwardEvent.Ending(
            isFailure: totals.outcome == .failed, reason: totals.reason, started: summary.started, statements: totals.statements,
            denied: totals.denied, rows: totals.rows, bytesIn: totals.bytesIn, bytesOut: totals.bytesOut)
        notifier.notify(event(of: summary, at: totals.ended, .sessionEnded(ending)))
    }

    private func event(of summary: SessionSummary, at time: WallTime, _ kind: OutwardEvent.Kind) -> OutwardEvent {
        OutwardEvent(
            time: time, kind, actor: .init(summary.principal), address: summary.address,
            place: .init(session: summary.id, target: summary.target, role: summary.role, protocolName: summary.protocolName))
    }

    func verdict(_ report: VerdictReport) {
        let ruling = OutwardEvent.Ruling(
            verdict: report.verdict, kinds: Set(report.actions.flatMap(\.kinds)).sorted(),
            statement: report.actions.map(\.normalized).filter { !$0.isEmpty }.joined(separator: "; "),
            policyVersion: report.policyVersion)
        notifier.notify(
            OutwardEvent(
                time: report.time, .verdict(ruling), actor: .init(report.principal), address: report.address,
                place: .init(
                    session: report.session, target: report.target, role: report.role, protocolName: report.protocolName)))
    }

    func audit(_ event: AuditEvent) {
        let detail = event.detail
        let kind: OutwardEvent.Kind
        var actor: OutwardEvent.Actor?
        switch event.kind {
        case "login.refused":
            // What follows a failed login or a refused access was told with that, and a target that is down is nobody's failed proof.
            let code = detail["code"] ?? ""
            guard code.hasPrefix("28"), code != "28P01", detail["reason"]?.contains("(rule ") != true else { return }
            kind = .authenticationFailed(login: detail["login"] ?? "", code: event.kind, reason: detail["reason"] ?? "")
        case "login.failed", "handshake.timeout", "cancel.unknown", "cancel.throttled":
            kind = .authenticationFailed(
                login: detail["login"] ?? "", code: detail["code"] ?? event.kind, reason: detail["reason"] ?? event.kind)
        case "access.refused":
            kind = .authenticationFailed(login: detail["login"] ?? "", code: event.kind, reason: "rule \(detail["rule"] ?? "")")
            if let subject = detail["subject"] { actor = .init(user: subject, subject: subject, issuer: detail["issuer"] ?? "") }
        default: kind = .administration(action: event.kind, detail: detail)
        }
        let target = detail["login"].flatMap { LoginName($0)?.target }
        notifier.notify(OutwardEvent(time: event.time, kind, actor: actor, address: event.address, place: .init(target: target)))
    }
}

/// The audit log of the admin interface; others are told of what it keeps, once it is kept.
struct NotifyingAuditLog: AuditLog {
    private let log: any AuditLog
    private let notifier: any Notifier

    init(_ log: any AuditLog, _ notifier: any Notifier) {
        self.log = log
        self.notifier = notifier
    }

    func append(_ entry: AuditEntry) async throws {
        try await log.append(entry)
        tell(entry)
    }

    func note(_ entry: AuditEntry) throws(CatalogFailure) {
        try log.note(entry)
        tell(entry)
    }

    func entries(_ filter: AuditFilter, before: Int64?, limit: Int) async throws -> [AuditEntry] {
        try await log.entries(filter, before: before, limit: limit)
    }

    private func tell(_ entry: AuditEntry) {
        let actor =
            entry.actor.isEmpty && entry.subject.isEmpty
            ? nil : OutwardEvent.Actor(user: entry.actor, subject: entry.subject, issuer: entry.issuer)
        let kind: OutwardEvent.Kind =
            entry.kind == .authenticationFailed
            ? .authenticationFailed(
                login: entry.detail["login"] ?? "", code: entry.detail["code"] ?? "administration", reason: entry.detail["reason"] ?? "")
            : .administration(action: entry.kind.rawValue, detail: entry.detail)
        notifier.notify(OutwardEvent(time: entry.time, kind, actor: actor, address: entry.address))
    }
}
