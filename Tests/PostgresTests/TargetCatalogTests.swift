import Foundation
import GatehouseCore
import Logging
import Masking
import Synchronization
import Testing

@testable import Postgres

/// A clock that stands still until it is moved.
final class HandClock: GatewayClock {
    private let nanoseconds = Mutex<UInt64>(1_000_000_000)
    func wallTime() -> WallTime { WallTime(seconds: 1_700_000_000) }
    func monotonicNanoseconds() -> UInt64 { nanoseconds.withLock { $0 } }
    func move(_ seconds: UInt64) { nanoseconds.withLock { $0 += seconds * 1_000_000_000 } }
}

@Suite struct TargetCatalogTests {
    private static let prepared = Result {
        let server = try CatalogServer.shared.get()
        try server.database("kept", "CREATE TABLE first(id int, ssn text)").run("SELECT 1")
        return server
    }

    private let clock = HandClock()

    private func catalog(_ role: Target.Role? = nil, port: Int? = nil, database: String = "kept") throws -> TargetCatalog {
        let server = try Self.prepared.get()
        var target = server.target(database: database)
        if let port { target.port = port }
        return TargetCatalog(
            target: target, role: role ?? server.role(), database: database, timeout: .seconds(20), clock: clock,
            logger: Logger(label: "test"))
    }

    private func knows(_ snapshot: CatalogSnapshot?, _ name: String) -> Bool {
        snapshot?.candidates(for: QualifiedName(schema: "public", name: name), searchPath: nil).isEmpty == false
    }

    @Test func thereIsNothingBeforeTheFirstReading() async throws {
        let catalog = try catalog()
        defer { catalog.close() }
        #expect(catalog.snapshot == nil && catalog.planner(for: []) == nil)
        let snapshot = try await catalog.refresh(reason: "first")
        #expect(knows(snapshot, "first"))
        #expect(catalog.snapshot?.identity == snapshot.identity)
    }

    @Test func aRefreshSeesWhatWasCommittedBeforeIt() async throws {
        let catalog = try catalog()
        defer { catalog.close() }
        try await catalog.refresh(reason: "first")
        let session = try Self.prepared.get().connect(database: "kept")
        for round in 0..<5 {
            try session.run("CREATE TABLE round_\(round)(id int)")
            #expect(!knows(catalog.snapshot, "round_\(round)"))
            #expect(knows(try await catalog.refresh(reason: "test"), "round_\(round)"))
            try session.run("DROP TABLE round_\(round)")
        }
    }

    @Test func refreshesThatComeTogetherAreAllAnswered() async throws {
        let catalog = try catalog()
        defer { catalog.close() }
        try await withThrowingTaskGroup(of: CatalogSnapshot.self) { group in
            for _ in 0..<50 { group.addTask { try await catalog.refresh(reason: "crowd") } }
            var identities: Set<ObjectIdentifier> = []
            var count = 0
            for try await snapshot in group {
                count += 1
                identities.insert(snapshot.identity)
            }
            #expect(count == 50)
        }
        #expect(catalog.snapshot != nil)
    }

    @Test func afterInvalidationNothingIsReliedOn() async throws {
        let catalog = try catalog()
        defer { catalog.close() }
        try await catalog.refresh(reason: "first")
        catalog.invalidate()
        #expect(catalog.snapshot == nil)
        try await catalog.refresh(reason: "again")
        #expect(catalog.snapshot != nil)
    }

    @Test func anOldSnapshotIsReadAnewAndAVeryOldOneIsNotGiven() async throws {
        let catalog = try catalog()
        defer { catalog.close() }
        let first = try await catalog.refresh(reason: "first")
        clock.move(5)
        #expect(catalog.snapshot?.identity == first.identity)
        clock.move(100)
        #expect(catalog.snapshot == nil)
        // That asked for a reading; this one waits behind it.
        let second = try await catalog.refresh(reason: "wait")
        #expect(second.identity != first.identity)
        #expect(catalog.snapshot != nil)
    }

    @Test func aBrokenConnectionIsOpenedAgain() async throws {
        // A database of its own: no other test's connection is to be cut.
        let session = try Self.prepared.get().database("broken", "CREATE TABLE here(id int)")
        let catalog = try catalog(database: "broken")
        defer { catalog.close() }
        try await catalog.refresh(reason: "first")
        try session.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gatehouse-catalog' AND datname = 'broken'")
        #expect(knows(try await catalog.refresh(reason: "again"), "here"))
    }

    @Test func failuresSayWhyAndHoldNoPassword() async throws {
        let wrong = try catalog(Self.prepared.get().role(password: "not-the-password"))
        defer { wrong.close() }
        let error = await #expect(throws: CatalogError.self) { try await wrong.refresh(reason: "first") }
        #expect(error?.description.contains("authentication failed") == true)
        #expect(error?.description.contains("not-the-password") == false)
        #expect(wrong.snapshot == nil)
        let nowhere = try catalog(port: 1)
        defer { nowhere.close() }
        await #expect(throws: CatalogError.self) { try await nowhere.refresh(reason: "first") }
        #expect(nowhere.snapshot == nil)
    }

    @Test func aNulByteInASettingIsRefused() async throws {
        let odd = try catalog(Target.Role(name: "r", user: "owner\u{0}x", password: nil))
        defer { odd.close() }
        await #expect(throws: CatalogError.self) { try await odd.refresh(reason: "first") }
    }

    @Test func afterClosingEveryRefreshFails() async throws {
        let catalog = try catalog()
        try await catalog.refresh(reason: "first")
        catalog.close()
        catalog.close()
        #expect(catalog.snapshot == nil)
        await #expect(throws: CatalogError.self) { try await catalog.refresh(reason: "late") }
    }

    @Test func plannersAreKeptAsLongAsTheirSnapshot() async throws {
        let catalog = try catalog()
        defer { catalog.close() }
        try await catalog.refresh(reason: "first")
        let rules = [ColumnMaskRule(id: "ssn", columns: [.init(schema: "*", table: "*", column: "ssn")], strategy: .redact)]
        let planner = try #require(catalog.planner(for: rules))
        #expect(catalog.planner(for: rules) === planner)
        #expect(catalog.planner(for: []) !== planner)
        try await catalog.refresh(reason: "again")
        #expect(catalog.planner(for: rules) !== planner)
    }

    @Test func theSideConnectionOnlyReads() async throws {
        let address = CatalogAddress(
            host: "127.0.0.1", port: try Self.prepared.get().port, database: "kept", user: "owner", password: CatalogServer.password,
            tls: UpstreamTLS(mode: .disable), timeout: .seconds(20))
        let connection = try CatalogConnection(to: address)
        #expect(throws: CatalogError.self) {
            try connection.run("CREATE TABLE written(id int)", deadline: Deadline(after: .seconds(20))) { _, _ in }
        }
    }
}
