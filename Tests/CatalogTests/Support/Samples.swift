import Catalog
import Foundation
import GatehouseCore
import Identity

/// A directory that is removed with this value.
final class Scratch: Sendable {
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "gatehouse-catalog-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func path(_ name: String = "catalog.sqlite") -> String { directory.appending(path: name).path }
}

let start = 1_767_225_600

func principal(_ user: String, groups: [String] = ["dba"], ticket: String? = nil) -> Principal {
    Principal(
        issuer: "https://login.example.com", subject: "sub-\(user)", user: user, groups: groups, workload: ["ref": "main"],
        delegation: [.init(issuer: nil, subject: "scheduler")], credential: ticket.map { .ticket(id: $0) } ?? .token(id: "t1"),
        expires: WallTime(seconds: start + 300))
}

/// The `number`-th session: its start, and so its place in lists, follows the number.
func session(_ number: Int, user: String = "alice", target: String = "orders", node: String = "n1", ticket: String? = nil) -> SessionRecord
{
    let started = WallTime(seconds: start + number)
    return SessionRecord(
        id: SessionID(at: started), node: node, started: started, protocolName: .postgres, target: target, role: "reader",
        database: "shop", principal: principal(user, ticket: ticket), grant: "access 1: dba", clientAddress: "192.0.2.1",
        application: "psql '\"\u{1F600}")
}

func ticket(_ number: Int, user: String = "alice", target: String? = nil) -> TicketRecord {
    let created = WallTime(seconds: start + number)
    return TicketRecord(
        id: SessionID(at: created).description, hash: (0..<32).map { _ in UInt8.random(in: .min ... .max) }, owner: principal(user),
        target: target, label: "ci", created: created, expires: created.advanced(by: .seconds(3_600)))
}
