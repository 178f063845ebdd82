import Catalog
import Foundation
import GatehouseCore
import Hummingbird
import HummingbirdTesting
import Identity
import Logging
import Policy
import ProviderSupport
import Recording
import Review
import Synchronization
import Testing

@testable import Console

/// A console over a real catalog and a real issuer, and what it did to the gateway.
final class Bench: Sendable {
    /// alice (dba, sre) administrates, carol (managers) audits, bob (deploy-bots) has no more than everybody.
    static let roles = RoleSettings(groups: [.administrator: ["dba"], .auditor: ["managers"], .approver: ["nobody"]])

    let catalog: SQLiteCatalog
    let office: TicketOffice
    let provider: Provider.Description
    let server: ConsoleServer
    let metrics = PrometheusRegistry()
    let retention: Retention
    let approvals: ApprovalDesk
    let log: EvidenceLog
    let clock: any GatewayClock
    let deeds = Mutex(Deeds())
    private let directory: URL

    struct Deeds: Sendable {
        var ended: [SessionID: String] = [:]
        var endedMany: [(ConsoleBackend.SessionChoice, String)] = []
        var revoked: [String] = []
        var followersLeft = 0
        /// What the recordings hold; nil: they cannot be opened.
        var lines: [String]? = ["{\"type\":\"start\"}", "{\"type\":\"end\"}"]
        var failsAfterLines = false
        var condition = ConsoleBackend.Condition.good
    }

    /// The deeds, reachable from the backend's closures before the bench is whole.
    private final class Link: Sendable {
        private let bench = Mutex<Weak>(Weak())
        struct Weak { weak var value: Bench? }
        func set(_ value: Bench) { bench.withLock { $0.value = value } }
        func change<Value: Sendable>(_ body: (inout sending Deeds) -> sending Value, else other: Value) -> Value {
            guard let bench = bench.withLock({ $0.value }) else { return other }
            return bench.deeds.withLock(body)
        }
    }

    init(
        roles: RoleSettings = Bench.roles, audit: (any AuditLog)? = nil, tls: Bool = false, authorizedParties: [String] = [],
        clock: any GatewayClock = SystemClock(),
        evidence: (@Sendable (String, String, [String: String]) throws -> Void)? = nil
    ) async throws {
        self.clock = clock
        provider = try await Provider.shared("glewlwyd.py")
        directory = FileManager.default.temporaryDirectory.appending(path: "gatehouse-console-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        catalog = try SQLiteCatalog(path: directory.appending(path: "catalog.sqlite").path)
        office = TicketOffice(store: catalog)
        let tokens = try OIDCAuthenticator([
            IssuerSettings(issuer: provider.issuer, audiences: ["gw"], authorizedParties: authorizedParties, userClaim: "email")
        ])
        let link = Link()
        let store = LocalStore(root: directory.appending(path: "store").path)
        log = try EvidenceLog(
            directory: directory.appending(path: "log").path, node: "n1",
            signer: try ManifestSigner(directory: directory.appending(path: "keys").path, name: "log"), store: store, clock: SystemClock())
        retention = Retention(policy: RetentionPolicy(keep: .seconds(86_400)), store: store, log: log, clock: SystemClock())
        approvals = ApprovalDesk(
            store: catalog, clock: clock,
            record: { [log, catalog] event in
                try log.note("approval.\(event.kind.rawValue)", by: event.by?.user ?? "", detail: ["approval": event.approval.id])
                try catalog.note(
                    AuditEntry(
                        time: event.approval.created, principal: event.by, kind: .init(rawValue: "approval.\(event.kind.rawValue)"),
                        detail: ["approval": event.approval.id]))
            })
        let backend = ConsoleBackend(
            node: "n1", version: "1.2.3", clock: clock,
            authenticator: GatewayAuthenticator(tokens: tokens, tickets: office, throttle: Throttle()),
            sessions: catalog, audit: audit ?? catalog, tickets: catalog, ticketOffice: office,
            retention: retention, approvals: approvals,
            readiness: [
                .init(name: "catalog") { [catalog] in catalog.problem.map { .failed($0) } ?? .good },
                .init(name: "store") { link.change({ $0.condition }, else: .good) },
            ],
            evidence: evidence ?? { [log] in try log.note($0, by: $1, detail: $2) },
            targets: { principal in
                principal.groups.isEmpty
                    ? []
                    : [.init(name: "orders", protocol: "postgres", roles: ["reader"], labels: ["env": "test"], connect: "psql -U orders")]
            },
            events: { _, follow in try Self.lines(link, follow: follow) },
            verify: { session in Array("{\"verified\":true,\"session\":\"\(session.id)\"}".utf8) },
            settle: {},
            end: { id, reason in
                link.change({ $0.ended[id] = reason }, else: ())
                return true
            },
            endAll: { choice, reason in
                link.change({ $0.endedMany.append((choice, reason)) }, else: ())
                return []
            },
            ticketRevoked: { id in link.change({ $0.revoked.append(id) }, else: ()) })
        server = try ConsoleServer(
            ConsoleSettings(host: "127.0.0.1", port: 0, tls: tls ? try TestCertificate.serverConfiguration() : nil, roles: roles),
            backend: backend, metrics: metrics, logger: Logger(label: "console", factory: { _ in SwiftLogNoOpLogHandler() }))
        link.set(self)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    struct Unreadable: Error, CustomStringConvertible { var description: String }

    private static func lines(_ link: Link, follow: Bool) throws -> ConsoleBackend.EventLines {
        guard let lines = link.change({ $0.lines }, else: nil) else { throw Unreadable(description: "no such recording") }
        let fails = link.change({ $0.failsAfterLines }, else: false)
        let position = Mutex(0)
        return {
            let index = position.withLock { index in
                defer { index += 1 }
                return index
            }
            if index < lines.count { return Array(lines[index].utf8) }
            if fails { throw Unreadable(description: "checksum of frame 7 is wrong") }
            guard follow else { return nil }
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                link.change({ $0.followersLeft += 1 }, else: ())
                throw error
            }
            return nil
        }
    }

    func token(_ user: String) throws -> String { try #require(provider.users[user]?["id_token"]) }

    func principal(_ user: String) async throws -> Principal {
        let tokens = try OIDCAuthenticator([IssuerSettings(issuer: provider.issuer, audiences: ["gw"], userClaim: "email")])
        return try await tokens.authenticate(Secret(try token(user)), from: "127.0.0.1", asking: "")
    }

    @discardableResult
    func session(of user: String, number: Int = 0, target: String = "orders", node: String = "n1") async throws -> SessionRecord {
        let started = WallTime(seconds: 1_767_225_600 + number)
        let session = SessionRecord(
            id: SessionID(at: started), node: node, started: started, protocolName: .postgres, target: target, role: "reader",
            principal: try await principal(user), grant: "access 1", clientAddress: "192.0.2.1", application: "psql")
        try catalog.sessionStarted(session)
        return session
    }

    func test(_ body: @Sendable (Client) async throws -> Void) async throws {
        try await server.application().test(.live) { client in try await body(Client(client: client, bench: self)) }
    }

    func audited(_ kind: String) async throws -> [AuditEntry] {
        try await catalog.entries(AuditFilter(kind: kind), before: nil, limit: 100)
    }
}

/// Asks as one of the people.
struct Client: Sendable {
    let client: any TestClientProtocol
    let bench: Bench

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPFields
        var text: String

        var json: [String: any Sendable] {
            get throws {
                let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
                return try #require(value as? [String: any Sendable])
            }
        }
        /// The ids under `name`.
        func ids(_ name: String) throws -> [String] {
            try #require(try json[name] as? [[String: any Sendable]]).compactMap { $0["id"] as? String }
        }
    }

    func ask(
        _ path: String, _ method: HTTPRequest.Method = .get, as user: String? = nil, secret: String? = nil, body: String? = nil,
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        var headers = headers
        if let secret = try secret ?? user.map(bench.token) { headers[.authorization] = "Bearer \(secret)" }
        return try await client.execute(uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) }) { answer in
            Answer(status: answer.status.code, headers: answer.headers, text: String(buffer: answer.body))
        }
    }

    func status(_ path: String, _ method: HTTPRequest.Method = .get, as user: String? = nil) async throws -> Int {
        try await ask(path, method, as: user).status
    }
}
