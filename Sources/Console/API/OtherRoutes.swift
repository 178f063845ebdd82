import Catalog
import Foundation
import GatehouseCore
import Hummingbird
import Identity

/// Writes down who did what to the gateway, and who was refused.
struct Auditor: Sendable {
    let backend: ConsoleBackend

    /// Before the act takes effect, in the node's log of evidence and in the audit log: when it cannot be written down it is
    /// not done. In the former under `admin.`, so that it is not taken for what the part that does it writes itself.
    func did(_ caller: Caller, _ kind: AuditEntry.Kind, _ detail: [String: String]) async throws {
        do {
            try backend.evidence(
                "admin.\(kind.rawValue)", caller.principal.user,
                detail.merging(
                    ["actor_issuer": caller.principal.issuer, "actor_subject": caller.principal.subject, "actor_address": caller.address]
                ) { $1 })
        } catch {
            throw Problem(.serviceUnavailable, "the log of evidence cannot be written, so this was not done", code: "audit_unavailable")
        }
        do {
            try await backend.audit.append(
                AuditEntry(
                    time: backend.clock.wallTime(), principal: caller.principal, address: caller.address, kind: kind, detail: detail))
        } catch {
            throw Problem(.serviceUnavailable, "the audit log cannot be written, so this was not done", code: "audit_unavailable")
        }
    }

    func refused(_ caller: Caller, act: String, _ detail: [String: String]) {
        try? backend.audit.note(
            AuditEntry(
                time: backend.clock.wallTime(), principal: caller.principal, address: caller.address, kind: .administrationRefused,
                detail: detail.merging(["act": act]) { $1 }))
    }
}

/// `/api/v1/whoami`, `/targets`, `/audit`.
struct OtherRoutes: Sendable {
    let backend: ConsoleBackend
    let auditor: Auditor

    func add(to group: RouterGroup<ConsoleContext>) {
        group.get("whoami", use: whoami)
        group.get("targets", use: targets)
        group.get("audit", use: audit)
    }

    private struct WhoAmI: Encodable {
        var user: String
        var issuer: String
        var subject: String
        var groups: [String]
        var workload: [String: String]
        var roles: [String]
        /// The ticket's id, when the caller came with one.
        var ticket: String?
        var expires: String
        var node: String
        var version: String
    }

    @Sendable private func whoami(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        let principal = caller.principal
        var ticket: String?
        if case .ticket(let id) = principal.credential { ticket = id }
        return try API.json(
            WhoAmI(
                user: principal.user, issuer: principal.issuer, subject: principal.subject, groups: principal.groups,
                workload: principal.workload, roles: GatehouseRole.allCases.filter(caller.has).map(\.rawValue), ticket: ticket,
                expires: API.time(principal.expires), node: backend.node, version: backend.version))
    }

    @Sendable private func targets(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        return try API.json(["targets": await backend.targets(caller.principal)])
    }

    private struct AuditList: Encodable {
        var entries: [AuditView]
        var next: String?
    }

    @Sendable private func audit(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        guard caller.readsAuditLog else {
            auditor.refused(caller, act: "audit.read", [:])
            throw Problem(.forbidden, "to read the audit log you need the auditor's or the administrator's role", code: "role")
        }
        let query = try Query(request, known: ["kind", "actor", "since", "cursor", "limit"])
        let limit = try query.limit()
        let filter = AuditFilter(
            kind: query.text("kind"), actor: query.text("actor"),
            since: try query.value("since", "a time as in 2026-05-01T12:00:00Z", API.parseTime))
        let before = try query.value("cursor", "a cursor of an earlier answer") { Int64($0) }
        let page = Page(try await backend.audit.entries(filter, before: before, limit: limit + 1), limit: limit)
        return try API.json(
            AuditList(entries: page.items.map(AuditView.init), next: page.hasMore ? page.items.last.map { String($0.id) } : nil))
    }
}
