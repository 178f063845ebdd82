import Foundation
import GRDB
public import GatehouseCore
public import Identity

extension SQLiteCatalog: TicketStore {
    public func insert(_ ticket: TicketRecord) async throws {
        let owner = String(decoding: try JSONEncoder().encode(ticket.owner), as: UTF8.self)
        try await writer.perform { db in
            try db.execute(
                sql: """
                    INSERT INTO tickets (id, hash, issuer, subject, owner, target, label, created, expires, revoked, last_used)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    ticket.id, Data(ticket.hash), ticket.owner.issuer, ticket.owner.subject, owner, ticket.target, ticket.label,
                    ticket.created.stored, ticket.expires.stored, ticket.revoked?.stored, ticket.lastUsed?.stored,
                ])
        }
    }

    /// Does not wait for notes: no note makes or revokes a ticket, and every login asks.
    public func ticket(withHash hash: [UInt8]) async throws -> TicketRecord? {
        try await pool.read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM tickets WHERE hash = ?", arguments: [Data(hash)]).map(Self.ticket)
        }
    }

    public func ticket(id: String) async throws -> TicketRecord? {
        try await read { db in try Row.fetchOne(db, sql: "SELECT * FROM tickets WHERE id = ?", arguments: [id]).map(Self.ticket) }
    }

    public func tickets(of owner: TicketOwner?, before: String?, limit: Int) async throws -> [TicketRecord] {
        let limit = Self.page(limit)
        return try await read { db in
            var conditions = Conditions()
            conditions.add("issuer = ?", owner?.issuer)
            conditions.add("subject = ?", owner?.subject)
            conditions.add("id < ?", before)
            let sql = "SELECT * FROM tickets \(conditions.clause) ORDER BY id DESC LIMIT \(limit)"
            return try Row.fetchAll(db, sql: sql, arguments: conditions.arguments).map(Self.ticket)
        }
    }

    public func usableTickets(of owner: TicketOwner, at now: WallTime) async throws -> Int {
        try await pool.read { db in
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM tickets WHERE issuer = ? AND subject = ? AND revoked IS NULL AND expires > ?",
                arguments: [owner.issuer, owner.subject, now.stored]) ?? 0
        }
    }

    public func revokeTicket(id: String, at now: WallTime) async throws -> TicketRecord? {
        try await writer.perform { db in
            try db.execute(sql: "UPDATE tickets SET revoked = ? WHERE id = ? AND revoked IS NULL", arguments: [now.stored, id])
        }
        return try await ticket(id: id)
    }

    public func ticketUsed(id: String, at now: WallTime) async throws {
        try writer.note(refusable: false) { db in
            try db.execute(
                sql: "UPDATE tickets SET last_used = ? WHERE id = ? AND (last_used IS NULL OR last_used < ?)",
                arguments: [now.stored, id, now.stored])
        }
    }

    private static func ticket(_ row: Row) throws -> TicketRecord {
        func time(_ column: String) throws -> WallTime? {
            try row.decode(Int64?.self, forColumn: column).map(WallTime.init(stored:))
        }
        return TicketRecord(
            id: try row.decode(forColumn: "id"), hash: Array(try row.decode(Data.self, forColumn: "hash")),
            owner: try JSONDecoder().decode(Principal.self, from: Data(try row.decode(String.self, forColumn: "owner").utf8)),
            target: try row.decode(forColumn: "target"), label: try row.decode(forColumn: "label"),
            created: WallTime(stored: try row.decode(forColumn: "created")),
            expires: WallTime(stored: try row.decode(forColumn: "expires")), revoked: try time("revoked"),
            lastUsed: try time("last_used"))
    }
}
