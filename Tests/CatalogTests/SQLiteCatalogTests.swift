import Foundation
import GRDB
import GatehouseCore
import Identity
import Policy
import Synchronization
import Testing

@testable import Catalog

@Suite struct SQLiteCatalogTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func open() throws -> SQLiteCatalog { try SQLiteCatalog(path: scratch.path()) }

    @Test func isASessionIndex() async throws { try await SessionIndexConformance.check(try open()) }
    @Test func isATicketStore() async throws { try await TicketStoreConformance.check(try open()) }
    @Test func isAnApprovalStore() async throws { try await ApprovalStoreConformance.check(try open()) }
    @Test func isAnAuditLog() async throws { try await AuditLogConformance.check(try open()) }

    @Test func filesAreClosedToOthers() async throws {
        // Also one that somebody made readable before.
        _ = FileManager.default.createFile(atPath: scratch.path(), contents: nil, attributes: [.posixPermissions: 0o644])
        let catalog = try open()
        try await catalog.append(AuditEntry(time: WallTime(seconds: start), principal: nil, kind: .gatewayStarted))
        let names = try FileManager.default.contentsOfDirectory(atPath: scratch.directory.path)
        #expect(names.contains("catalog.sqlite-wal"))
        for name in names {
            let mode = try FileManager.default.attributesOfItem(atPath: scratch.path(name))[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(name)")
        }
    }

    @Test func aLinkIsNotFollowed() throws {
        try FileManager.default.createSymbolicLink(atPath: scratch.path(), withDestinationPath: scratch.path("elsewhere"))
        #expect(throws: SQLiteCatalog.FileFailure.self) { try open() }
        #expect(!FileManager.default.fileExists(atPath: scratch.path("elsewhere")))
    }

    @Test func whatIsWrittenOutlivesTheProcess() async throws {
        let one = session(1)
        var catalog = try open()
        try catalog.sessionStarted(one)
        try await catalog.append(AuditEntry(time: WallTime(seconds: start), principal: nil, kind: .gatewayStarted))
        try await catalog.close()
        #expect(throws: CatalogFailure.closed) { try catalog.sessionStarted(session(2)) }
        await #expect(throws: (any Error).self) { try await catalog.session(one.id) }
        catalog = try open()
        #expect(try await catalog.session(one.id) == one)
        #expect(try await catalog.entries(AuditFilter(), before: nil, limit: 10).count == 1)
    }

    @Test func theAuditLogIsNotRewritten() async throws {
        let catalog = try open()
        try await catalog.append(AuditEntry(time: WallTime(seconds: start), principal: nil, kind: .gatewayStarted))
        for sql in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
            await #expect(throws: DatabaseError.self) { try await catalog.pool.write { try $0.execute(sql: sql) } }
        }
        #expect(try await catalog.entries(AuditFilter(), before: nil, limit: 10).count == 1)
    }

    @Test func aFileOfANewerVersionIsLeftAlone() async throws {
        try await open().close()
        let queue = try DatabaseQueue(path: scratch.path())
        try await queue.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('v999')") }
        try queue.close()
        #expect(throws: CatalogFailure.newerSchema(path: scratch.path())) { try open() }
    }

    @Test func aFileThatIsNoDatabaseIsRefused() throws {
        try Data(repeating: 0x41, count: 8_192).write(to: URL(filePath: scratch.path()))
        #expect(throws: DatabaseError.self) { try open() }
    }

    /// Every version that was released, with rows in it, becomes the newest and loses nothing.
    @Test(arguments: Schema.versions)
    func migratesFromEveryVersion(_ version: String) async throws {
        #expect(Schema.versions == Schema.migrator.migrations)
        let path = scratch.path()
        let old = try DatabaseQueue(path: path)
        try Schema.migrator.migrate(old, upTo: version)
        let fixture = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(version).sql")
        let sql = try String(contentsOf: fixture, encoding: .utf8)
        try await old.write { try $0.execute(sql: sql) }
        try old.close()
        let catalog = try open()
        let sessions = try await catalog.sessions(SessionFilter(), before: nil, limit: 10)
        #expect(sessions.map(\.target) == ["stock", "orders"])
        #expect(sessions[1].principal.groups == ["dba", "sre"])
        #expect(sessions[1].recordingDeleted == (version == "v1" ? nil : WallTime(seconds: 1_767_225_700)))
        #expect(sessions[1].counts == SessionCounts(statements: 12, denied: 1, rows: 340, bytesIn: 900, bytesOut: 120_000))
        #expect(try await catalog.tickets(of: nil, before: nil, limit: 10).map(\.label) == ["nightly job"])
        #expect(try await catalog.entries(AuditFilter(), before: nil, limit: 10).map(\.kind) == [.ticketCreated])
        let approvals = try await catalog.approvals(ApprovalFilter(), before: nil, limit: 10)
        guard version >= "v3" else { return #expect(approvals.isEmpty) }
        #expect(approvals.map(\.state) == [.pending, .approved])
        #expect(approvals[1].votes.map(\.user) == ["alice"] && approvals[1].request.terms.approvers == ["sre"])
        #expect(try await catalog.openApproval(digest: approvals[1].request.digest, at: approvals[1].created)?.id == approvals[1].id)
    }
}

@Suite struct BatchWriterTests {
    /// A burst from many threads while the disk is busy: all are there, in a handful of transactions.
    @Test func manySessionsShareFewCommits() async throws {
        let scratch = try Scratch()
        let catalog = try SQLiteCatalog(path: scratch.path())
        let commits = CommitCounter()
        catalog.pool.add(transactionObserver: commits)
        burst(catalog)
        try await catalog.flush()
        let total = try await catalog.pool.read {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM sessions WHERE state = 'ended' AND statements = 1") ?? 0
        }
        #expect(total == 4_000)
        // The first that came, 8,000 notes in batches, the flush.
        #expect(commits.count.load(ordering: .relaxed) <= 2 + 8_000 / BatchWriter.batch + 1)
    }

    private func burst(_ catalog: SQLiteCatalog) {
        catalog.pool.writeWithoutTransaction { _ in
            DispatchQueue.concurrentPerform(iterations: 8) { lane in
                for number in 0..<500 {
                    let one = session(number, user: "lane\(lane)")
                    try? catalog.sessionStarted(one)
                    catalog.sessionEnded(
                        SessionEnd(id: one.id, at: one.started, state: .ended, counts: SessionCounts(statements: 1), reason: "bye"))
                }
            }
        }
    }

    private final class CommitCounter: TransactionObserver, Sendable {
        let count = Atomic<Int>(0)
        func observes(eventsOfKind kind: DatabaseEventKind) -> Bool { false }
        func databaseDidChange(with event: DatabaseEvent) {}
        func databaseDidCommit(_ db: Database) { count.wrappingAdd(1, ordering: .relaxed) }
        func databaseDidRollback(_ db: Database) {}
    }

    @Test func aNoteThatTheDatabaseRefusesDoesNotTakeOthersWithIt() async throws {
        let scratch = try Scratch()
        let catalog = try SQLiteCatalog(path: scratch.path())
        let one = session(1)
        try catalog.sessionStarted(one)
        try catalog.sessionStarted(one)
        let two = session(2)
        try catalog.sessionStarted(two)
        #expect(try await catalog.sessions(SessionFilter(), before: nil, limit: 10).map(\.id) == [two.id, one.id])
        #expect(catalog.problem == nil)
    }

    /// The table is gone, as a disk can be: notes wait, the problem is named, and nothing is lost when it is back.
    @Test func notesWaitOutAFailure() async throws {
        let scratch = try Scratch()
        let catalog = try SQLiteCatalog(path: scratch.path())
        try await catalog.pool.write { try $0.execute(sql: "ALTER TABLE sessions RENAME TO hidden") }
        let one = session(1)
        try catalog.sessionStarted(one)
        await #expect(throws: DatabaseError.self) { try await catalog.flush() }
        #expect(catalog.problem?.contains("sessions") == true)
        try await catalog.pool.write { try $0.execute(sql: "ALTER TABLE hidden RENAME TO sessions") }
        #expect(try await catalog.session(one.id) == one)
        #expect(catalog.problem == nil)
    }

    @Test func aFullBacklogRefusesNewSessionsAndKeepsEnds() async throws {
        let scratch = try Scratch()
        let catalog = try SQLiteCatalog(path: scratch.path())
        let lane = session(0)
        try catalog.sessionStarted(lane)
        try await catalog.flush()
        try await catalog.pool.write { try $0.execute(sql: "ALTER TABLE sessions RENAME TO hidden") }
        var refused = 0
        for _ in 0..<(BatchWriter.maximumWaiting + 5_000) {
            do { try catalog.writer.note(refusable: true) { try $0.execute(sql: "SELECT 1 FROM sessions") } } catch { refused += 1 }
        }
        #expect(refused > 0)
        catalog.sessionEnded(SessionEnd(id: lane.id, at: lane.started, state: .ended, counts: SessionCounts(), reason: "bye"))
        try await catalog.pool.write { try $0.execute(sql: "ALTER TABLE hidden RENAME TO sessions") }
        #expect(try await catalog.session(lane.id)?.state == .ended)
    }
}
