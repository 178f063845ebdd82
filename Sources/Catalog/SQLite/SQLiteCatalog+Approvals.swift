import Foundation
import GRDB
public import GatehouseCore
public import Policy
import Synchronization

/// The whole approval is kept as JSON; what is searched by stands beside it, written with it.
extension SQLiteCatalog: ApprovalStore {
    public func insert(_ approval: Approval) async throws {
        let json = try Self.json(approval)
        try await writer.perform { db in
            try db.execute(
                sql: """
                    INSERT INTO approvals (id, created, expires, state, usable, digest, issuer, subject, target, session, approval)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    approval.id, approval.created.stored, approval.expires.stored, approval.state.rawValue,
                    approval.isUsable(at: approval.created), approval.request.digest, approval.request.requester.issuer,
                    approval.request.requester.subject, approval.request.target, approval.request.session.description, json,
                ])
        }
    }

    public func approval(id: String) async throws -> Approval? {
        try await read { db in
            try Row.fetchOne(db, sql: "SELECT approval FROM approvals WHERE id = ?", arguments: [id]).map(Self.approval)
        }
    }

    public func changeApproval(id: String, _ change: @escaping @Sendable (inout Approval) throws -> Void) async throws -> Approval {
        let outcome = Outcome()
        try await writer.perform { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT approval FROM approvals WHERE id = ?", arguments: [id]) else {
                return outcome.set(.failure(ApprovalRefusal.notFound))
            }
            var approval: Approval
            do {
                approval = try Self.approval(row)
                try change(&approval)
            } catch {
                // Nothing is written; the others of this transaction are.
                return outcome.set(.failure(error))
            }
            try db.execute(
                sql: "UPDATE approvals SET state = ?, usable = ?, approval = ? WHERE id = ?",
                arguments: [
                    approval.state.rawValue, approval.isUsable(at: approval.created), try Self.json(approval), id,
                ])
            outcome.set(.success(approval))
        }
        return try outcome.get()
    }

    public func openApproval(digest: String, at now: WallTime) async throws -> Approval? {
        try await read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT approval FROM approvals WHERE digest = ? AND expires > ? AND (usable OR state = 'pending')
                    ORDER BY usable DESC, created DESC, id DESC LIMIT 1
                    """, arguments: [digest, now.stored]
            ).map(Self.approval)
        }
    }

    public func approvals(_ filter: ApprovalFilter, before: String?, limit: Int) async throws -> [Approval] {
        let limit = Self.page(limit)
        return try await read { db in
            var conditions = Conditions()
            conditions.add("state = ?", filter.state?.rawValue)
            conditions.add("target = ?", filter.target)
            conditions.add("session = ?", filter.session?.description)
            conditions.add("issuer = ?", filter.issuer)
            conditions.add("subject = ?", filter.subject)
            conditions.add("(created, id) < (SELECT created, id FROM approvals WHERE id = ?)", before)
            let sql = "SELECT approval FROM approvals \(conditions.clause) ORDER BY created DESC, id DESC LIMIT \(limit)"
            return try Row.fetchAll(db, sql: sql, arguments: conditions.arguments).map(Self.approval)
        }
    }

    public func pendingApprovals(ofIssuer issuer: String, subject: String, at now: WallTime) async throws -> (own: Int, all: Int) {
        try await read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT count(*) AS everybody, coalesce(sum(issuer = ? AND subject = ?), 0) AS own
                    FROM approvals WHERE state = 'pending' AND expires > ?
                    """, arguments: [issuer, subject, now.stored])
            return (try row?.decode(forColumn: "own") ?? 0, try row?.decode(forColumn: "everybody") ?? 0)
        }
    }

    public func overdueApprovals(at now: WallTime) async throws -> [Approval] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql:
                    "SELECT approval FROM approvals WHERE state = 'pending' AND expires <= ? ORDER BY created, id LIMIT \(Self.maximumPage)",
                arguments: [now.stored]
            ).map(Self.approval)
        }
    }

    public func forgetApprovals(endedBefore time: WallTime) async throws {
        try await writer.perform { db in
            try db.execute(sql: "DELETE FROM approvals WHERE state != 'pending' AND expires < ?", arguments: [time.stored])
        }
    }

    private static func json(_ approval: Approval) throws -> String {
        String(decoding: try JSONEncoder().encode(approval), as: UTF8.self)
    }

    private static func approval(_ row: Row) throws -> Approval {
        try JSONDecoder().decode(Approval.self, from: Data(try row.decode(String.self, forColumn: "approval").utf8))
    }

    /// What a transaction on the writer's queue found, read once that has answered.
    private final class Outcome: Sendable {
        private let result = Mutex<Result<Approval, any Error>>(.failure(ApprovalRefusal.notFound))
        func set(_ value: Result<Approval, any Error>) { result.withLock { $0 = value } }
        func get() throws -> Approval { try result.withLock { $0 }.get() }
    }
}
