import Foundation
import GRDB
public import GatehouseCore
import Identity

extension SQLiteCatalog: SessionIndex {
    public var problem: String? { writer.problem }

    public func flush() async throws { try await writer.flush() }

    public func sessionStarted(_ session: SessionRecord) throws(CatalogFailure) {
        try writer.note(refusable: true) { db in
            let principal = String(decoding: try JSONEncoder().encode(session.principal), as: UTF8.self)
            try db.execute(
                sql: """
                    INSERT INTO sessions (id, node, started, ended, state, protocol, target, role, database, issuer, subject, user, ticket,
                        principal, granted_by, client_address, application, statements, denied, rows, bytes_in, bytes_out, end_reason)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    session.id.description, session.node, session.started.stored, session.ended?.stored, session.state.rawValue,
                    session.protocolName.rawValue, session.target, session.role, session.database, session.principal.issuer,
                    session.principal.subject, session.principal.user, session.ticket, principal, session.grant, session.clientAddress,
                    session.application,
                ] + Self.stored(session.counts) + [session.endReason])
        }
    }

    public func sessionProgressed(_ id: SessionID, counts: SessionCounts) {
        try? writer.note(refusable: false) { db in
            try db.execute(
                sql: """
                    UPDATE sessions SET statements = ?, denied = ?, rows = ?, bytes_in = ?, bytes_out = ? WHERE id = ? AND state = 'live'
                    """,
                arguments: Self.stored(counts) + [id.description])
        }
    }

    public func sessionEnded(_ end: SessionEnd) {
        try? writer.note(refusable: false) { db in
            try db.execute(
                sql: """
                    UPDATE sessions SET statements = ?, denied = ?, rows = ?, bytes_in = ?, bytes_out = ?, ended = ?, state = ?, end_reason = ?
                    WHERE id = ? AND state = 'live'
                    """,
                arguments: Self.stored(end.counts) + [end.at.stored, end.state.rawValue, end.reason, end.id.description])
        }
    }

    public func recordingDeleted(_ id: SessionID, at time: WallTime) {
        try? writer.note(refusable: false) { db in
            try db.execute(
                sql: "UPDATE sessions SET deleted = ? WHERE id = ? AND deleted IS NULL", arguments: [time.stored, id.description])
        }
    }

    public func interruptSessions(ofNode node: String, at now: WallTime) async throws -> Int {
        try await writer.flush()
        return try await pool.write { db in
            try db.execute(
                sql: """
                    UPDATE sessions SET state = 'interrupted', ended = ?, end_reason = 'the gateway stopped' WHERE node = ? AND state = 'live'
                    """,
                arguments: [now.stored, node])
            return db.changesCount
        }
    }

    public func session(_ id: SessionID) async throws -> SessionRecord? {
        try await read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM sessions WHERE id = ?", arguments: [id.description]).map(Self.session)
        }
    }

    public func sessions(_ filter: SessionFilter, before: SessionID?, limit: Int) async throws -> [SessionRecord] {
        let limit = Self.page(limit)
        return try await read { db in
            var conditions = Conditions()
            conditions.add("target = ?", filter.target)
            conditions.add("user = ?", filter.user)
            conditions.add("issuer = ?", filter.owner?.issuer)
            conditions.add("subject = ?", filter.owner?.subject)
            conditions.add("state = ?", filter.state?.rawValue)
            conditions.add("node = ?", filter.node)
            conditions.add("ticket = ?", filter.ticket)
            conditions.add("started >= ?", filter.since?.stored)
            conditions.add("started < ?", filter.until?.stored)
            conditions.add("id < ?", before?.description)
            let sql = "SELECT * FROM sessions \(conditions.clause) ORDER BY id DESC LIMIT \(limit)"
            return try Row.fetchAll(db, sql: sql, arguments: conditions.arguments).map(Self.session)
        }
    }

    private static func stored(_ counts: SessionCounts) -> StatementArguments {
        [
            Int64(clamping: counts.statements), Int64(clamping: counts.denied), Int64(clamping: counts.rows),
            Int64(clamping: counts.bytesIn), Int64(clamping: counts.bytesOut),
        ]
    }

    private static func session(_ row: Row) throws -> SessionRecord {
        guard let id = SessionID(try row.decode(String.self, forColumn: "id")),
            let state = SessionRecord.State(rawValue: try row.decode(String.self, forColumn: "state")),
            let protocolName = Target.ProtocolName(rawValue: try row.decode(String.self, forColumn: "protocol"))
        else { throw FileFailure(description: "the catalog holds a session that cannot be read") }
        let principal = try JSONDecoder().decode(Principal.self, from: Data(try row.decode(String.self, forColumn: "principal").utf8))
        func count(_ column: String) throws -> UInt64 { UInt64(clamping: try row.decode(Int64.self, forColumn: column)) }
        var session = SessionRecord(
            id: id, node: try row.decode(forColumn: "node"), started: WallTime(stored: try row.decode(forColumn: "started")),
            ended: try row.decode(Int64?.self, forColumn: "ended").map(WallTime.init(stored:)), state: state, protocolName: protocolName,
            target: try row.decode(forColumn: "target"), role: try row.decode(forColumn: "role"),
            database: try row.decode(forColumn: "database"), principal: principal, grant: try row.decode(forColumn: "granted_by"),
            clientAddress: try row.decode(forColumn: "client_address"), application: try row.decode(forColumn: "application"),
            counts: SessionCounts(
                statements: try count("statements"), denied: try count("denied"), rows: try count("rows"), bytesIn: try count("bytes_in"),
                bytesOut: try count("bytes_out")), endReason: try row.decode(forColumn: "end_reason"))
        session.recordingDeleted = try row.decode(Int64?.self, forColumn: "deleted").map(WallTime.init(stored:))
        return session
    }
}

/// A WHERE clause put together from those conditions that are asked for.
struct Conditions {
    private var terms: [String] = []
    private(set) var arguments = StatementArguments()

    mutating func add(_ term: String, _ value: (any DatabaseValueConvertible)?) {
        guard let value else { return }
        terms.append(term)
        arguments += [value]
    }

    var clause: String { terms.isEmpty ? "" : "WHERE " + terms.joined(separator: " AND ") }
}
