import Foundation
import GRDB
import GatehouseCore

extension SQLiteCatalog: AuditLog {
    public func append(_ entry: AuditEntry) async throws {
        try await writer.perform { db in try Self.write(entry, to: db) }
    }

    public func note(_ entry: AuditEntry) throws(CatalogFailure) {
        try writer.note(refusable: true) { db in try Self.write(entry, to: db) }
    }

    public func entries(_ filter: AuditFilter, before: Int64?, limit: Int) async throws -> [AuditEntry] {
        let limit = Self.page(limit)
        return try await read { db in
            var conditions = Conditions()
            // '/' is the character after '.': the end of everything below a word.
            if let kind = filter.kind { conditions.add("(kind = ?1 OR (kind > ?1 || '.' AND kind < ?1 || '/'))", kind) }
            conditions.add("actor = ?", filter.actor)
            conditions.add("time >= ?", filter.since?.stored)
            conditions.add("id < ?", before)
            let sql = "SELECT * FROM audit \(conditions.clause) ORDER BY id DESC LIMIT \(limit)"
            return try Row.fetchAll(db, sql: sql, arguments: conditions.arguments).map(Self.entry)
        }
    }

    private static func write(_ entry: AuditEntry, to db: Database) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try db.execute(
            sql: "INSERT INTO audit (time, actor, issuer, subject, address, kind, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                entry.time.stored, entry.actor, entry.issuer, entry.subject, entry.address, entry.kind.rawValue,
                String(decoding: try encoder.encode(entry.detail), as: UTF8.self),
            ])
    }

    private static func entry(_ row: Row) throws -> AuditEntry {
        var entry = AuditEntry(
            time: WallTime(stored: try row.decode(forColumn: "time")), principal: nil, address: try row.decode(forColumn: "address"),
            kind: AuditEntry.Kind(rawValue: try row.decode(forColumn: "kind")),
            detail: try JSONDecoder().decode(
                [String: String].self, from: Data(try row.decode(String.self, forColumn: "detail").utf8)))
        entry.id = try row.decode(forColumn: "id")
        entry.actor = try row.decode(forColumn: "actor")
        entry.issuer = try row.decode(forColumn: "issuer")
        entry.subject = try row.decode(forColumn: "subject")
        return entry
    }
}
