import Catalog
import Console
import Foundation
import GatehouseCore
import Identity
import NIOSSL
import Policy
import Postgres
import Recording
import Relay
import Review
import Settings

/// The admin listener as configured.
func consoleSettings(_ admin: AdminSettings) throws -> ConsoleSettings {
    var tls: TLSConfiguration?
    if let files = admin.tls {
        tls = .makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificateFile).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.privateKeyFile, format: .pem)))
    }
    return ConsoleSettings(host: admin.listen.host, port: admin.listen.port, tls: tls, roles: roleSettings(admin))
}

func roleSettings(_ admin: AdminSettings) -> RoleSettings {
    var groups: [GatehouseRole: [String]] = [:]
    for (role, names) in admin.roles {
        if let role = GatehouseRole(rawValue: role.rawValue) { groups[role] = names }
    }
    return RoleSettings(groups: groups)
}

/// What the admin API asks of the rest of the gateway.
func consoleBackend(
    _ settings: GatehouseSettings, _ gateway: Gateway, _ catalog: SQLiteCatalog, _ audit: any AuditLog, _ authenticator: any Authenticator,
    _ tickets: TicketOffice, _ vault: Vault, _ recordings: Recordings, _ retention: Retention, _ log: EvidenceLog
) -> ConsoleBackend {
    ConsoleBackend(
        node: settings.node, version: gatewayVersion, clock: gateway.clock, authenticator: authenticator, sessions: catalog,
        audit: audit, tickets: catalog, ticketOffice: tickets,
        retention: retention, approvals: gateway.approvals,
        readiness: [
            .init(name: "recorder") { recorderCondition(vault) },
            .init(name: "catalog") { catalog.problem.map { .failed($0) } ?? .good },
        ],
        evidence: { try log.note($0, by: $1, detail: $2) },
        targets: { principal in targets(for: principal, settings, gateway) },
        events: { session, follow in recordings.evidence(of: session.id, follow: follow) },
        verify: { session in
            vault.flush()
            let signer = try ManifestSigner(directory: recordings.keys)
            let report = Verifier(store: recordings.store, keys: [signer.publicKey]).verify(session.id, isLive: session.state == .live)
            return try verificationReport([report])
        },
        settle: { vault.flush() },
        end: { session, reason in
            guard let live = gateway.sessions.find(session) else { return false }
            live.end(reason: reason)
            return true
        },
        endAll: { choice, reason in
            gateway.sessions.end(reason: reason) { choice.matches($0.principal, target: $0.targetName) }
        },
        ticketRevoked: { id in
            gateway.sessions.end(reason: "the ticket of this session was revoked") { $0.principal.credential == .ticket(id: id) }
        })
}

/// How recording does, in words for who is on call.
private func recorderCondition(_ vault: Vault) -> ConsoleBackend.Condition {
    let waiting = "\(vault.backlogBytes >> 20) MiB of recordings wait in the journal"
    let reason: String? =
        switch vault.state {
        case .failing(let reason): "the store does not take recordings (\(reason)); \(waiting)"
        case .behind: "the store is behind; \(waiting)"
        case .healthy: nil
        }
    guard vault.isFull else { return reason.map { .degraded("\($0)") } ?? .good }
    return .failed("new sessions are refused: \(reason ?? "the disk of the journal is nearly full; \(waiting)")")
}

/// The targets that a caller may open, with the client line for each.
private func targets(for principal: Principal, _ settings: GatehouseSettings, _ gateway: Gateway) -> [ConsoleBackend.TargetSummary] {
    let configuration = gateway.configuration
    let now = gateway.clock.wallTime()
    return configuration.targets.values.sorted { $0.name < $1.name }.compactMap { target in
        let roles = target.roles.map(\.name).filter { role in
            if case .success = configuration.policy.admit(principal, to: target, role: role, at: now) { true } else { false }
        }
        guard let first = roles.first else { return nil }
        let login = first == target.roles.first?.name ? target.name : "\(first)@\(target.name)"
        return .init(
            name: target.name, protocol: target.protocolName.rawValue, roles: roles, labels: target.labels,
            connect: clientLine(for: target, login, settings.listeners.first { $0.protocolName == target.protocolName }))
    }
}

/// - Parameter listener: the first of the target's protocol; nil where there is none.
private func clientLine(for target: Target, _ login: String, _ listener: ListenerSettings?) -> String {
    let host = listener.map { $0.listen.host == "0.0.0.0" || $0.listen.host == "::" ? "GATEWAY" : $0.listen.host } ?? "GATEWAY"
    switch target.protocolName {
    case .mysql:
        let port = listener?.listen.port ?? 3306
        return listener?.family == .mariadb
            ? "mariadb -h \(host) -P \(port) -u \(login) --ssl -p" : "mysql -h \(host) -P \(port) -u \(login) --ssl-mode=REQUIRED -p"
    case .postgres, .ssh, .http:
        return "psql \"host=\(host) port=\(listener?.listen.port ?? 5432) user=\(login) dbname=\(target.database) sslmode=require\""
    }
}
