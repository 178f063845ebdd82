import Foundation
import GatehouseCore
import Policy
import Recording
import Testing

@testable import Review

private let day: Duration = .seconds(86_400)

@Suite struct RetentionTests {
    private let rig: Rig

    init() throws { rig = try Rig() }

    private func retention(_ policy: RetentionPolicy = RetentionPolicy(keep: day * 10)) -> Retention {
        Retention(policy: policy, store: rig.store, log: rig.log, clock: rig.clock, logger: quiet)
    }

    private func faults() throws -> [Finding.Kind] {
        let report = try rig.verify()
        return (report.log + report.sessions.flatMap(\.findings)).map(\.kind).filter(\.isFault)
    }

    // MARK: Rules

    @Test func theFirstRuleThatHasTheTargetDecides() {
        let policy = RetentionPolicy(
            rules: [
                .init(name: "cards", targets: ["pay-*"], keep: day * 2_000),
                .init(name: "trials", targets: ["*-test", "pay-x"], keep: day),
                .init(name: "for ever", targets: ["ledger"], keep: nil),
            ], keep: day * 90)
        #expect(policy.rule(for: "pay-x").name == "cards" && policy.rule(for: "orders-test").keep == day)
        #expect(policy.rule(for: "ledger") == ("for ever", nil) && policy.rule(for: "orders").name == "default")
        #expect(policy.shortest == day && policy.longestOrForever == nil)
        let now = WallTime(seconds: 1_000_000)
        #expect(policy.lock(target: "orders", now: now) == now.advanced(by: day * 90))
        // What nothing is known of, and what is kept for ever, is locked for as long as any rule says.
        #expect(policy.lock(target: nil, now: now) == now.advanced(by: day * 2_000))
        #expect(policy.lock(target: "ledger", now: now) == now.advanced(by: day * 2_000))
        #expect(RetentionPolicy().lock(target: "orders", now: now) == nil && RetentionPolicy().shortest == nil)
    }

    @Test func whatIsDueGoesAndLeavesATombstone() throws {
        let old = try rig.record()
        let kept = try rig.record(target: "ledger")
        rig.clock.advance(day * 10)
        let young = try rig.record()
        let policy = RetentionPolicy(rules: [.init(name: "ledger", targets: ["led*"], keep: day * 365)], keep: day * 10)
        let retention = retention(policy)
        let plan = try retention.plan()
        #expect(plan.items.map(\.session.id) == [old] && plan.due == 1 && plan.dueBytes > 0 && plan.obstacle == nil)
        #expect(plan.items.first?.decision == .due(rule: "default") && plan.items.first?.session.user == "ada")
        #expect(try rig.sessions.count == 3)
        let report = try retention.run(by: "ops")
        #expect(report.deleted == 1 && report.refused.isEmpty && report.deletedBytes == plan.dueBytes)
        #expect(try rig.sessions == [kept, young])
        #expect(try faults().isEmpty)
        #expect(rig.log.unfinishedDeletions.isEmpty)
        // Nothing is left to do.
        #expect(try retention.run(by: "ops").deleted == 0)
        // The same after a restart.
        try rig.reopenLog()
        #expect(try self.retention(policy).run(by: "ops").deleted == 0)
    }

    @Test func nothingIsDueWithoutARule() throws {
        _ = try rig.record()
        rig.clock.advance(day * 3_000)
        _ = try rig.record()
        #expect(try retention(RetentionPolicy()).plan().items.isEmpty)
        #expect(try retention(RetentionPolicy()).run(by: "ops").deleted == 0)
    }

    @Test func aSessionThatIsNotFinishedStays() throws {
        let id = try rig.record()
        try rig.local.delete(ObjectName(session: id, file: ObjectName.manifestFile).key)
        rig.clock.advance(day * 20)
        _ = try rig.record()
        #expect(try retention().run(by: "ops").deleted == 0)
        #expect(throws: RetentionError.self) { try retention().delete(id, reason: "I want to", by: "ops") }
        #expect(try rig.sessions.count == 2)
    }

    @Test func aSessionWithoutAReadableManifestStaysAndIsTold() throws {
        let id = try rig.record()
        try rig.local.put(ObjectName(session: id, file: ObjectName.manifestFile).key, [1, 2, 3], retainUntil: nil)
        rig.clock.advance(day * 20)
        _ = try rig.record()
        let plan = try retention().plan()
        #expect(plan.unreadable == 1 && plan.due == 0)
        #expect(try retention().run(by: "ops").unreadable == 1)
        #expect(try rig.sessions.count == 2)
    }

    // MARK: The clock

    @Test func aClockThatJumpedDeletesNothing() throws {
        _ = try rig.record()
        let retention = retention()
        rig.clock.set(ahead: day * 15)
        #expect(try retention.plan().obstacle != nil)
        #expect(throws: RetentionError.self) { try retention.run(by: "schedule") }
        // A gateway that starts with a clock which is years ahead.
        rig.clock.set(ahead: day * 1_000)
        let restarted = self.retention()
        #expect(throws: RetentionError.self) { try restarted.run(by: "schedule") }
        #expect(try rig.sessions.count == 1)
        // A person may say that it is right.
        #expect(try restarted.run(by: "ops", confirmsClock: true).deleted == 1)
    }

    @Test func aClockThatWasSetBackDeletesNothing() throws {
        _ = try rig.record()
        let retention = retention()
        rig.clock.set(ahead: .zero - day * 15)
        #expect(throws: RetentionError.self) { try retention.run(by: "schedule") }
        #expect(try rig.sessions.count == 1)
    }

    // MARK: Holds

    @Test(arguments: [
        LegalHold.Scope(target: "ord*"), LegalHold.Scope(user: "ada"), LegalHold.Scope(),
        LegalHold.Scope(target: "orders", user: "ada", since: WallTime(seconds: 1_763_900_000), until: WallTime(seconds: 1_764_000_000)),
    ])
    func heldSessionsStayUntilTheHoldIsLifted(scope: LegalHold.Scope) throws {
        let id = try rig.record()
        let retention = retention()
        let hold = try retention.holds.place(scope, reason: "case 17", by: "eve")
        rig.clock.advance(day * 20)
        _ = try rig.record()
        let plan = try retention.plan()
        #expect(plan.items.first?.decision == .held(rule: "default", holds: [hold.id]) && plan.due == 0 && plan.held == 1)
        #expect(try retention.run(by: "ops").held == 1)
        #expect { try retention.delete(id, reason: "please", by: "ops") } throws: { ($0 as? RetentionError)?.code == .held }
        // Another gateway on the same store sees it, too.
        #expect(try retention.holds.all() == [hold])
        try retention.holds.lift(hold.id, reason: "closed", by: "eve")
        #expect(try retention.holds.all().isEmpty && rig.log.holds.isEmpty)
        #expect(try retention.run(by: "ops").deleted == 1)
        #expect(try faults().isEmpty)
    }

    @Test(arguments: [
        LegalHold.Scope(target: "other"), LegalHold.Scope(user: "bob"), LegalHold.Scope(session: SessionID(high: 1, low: 2)),
        LegalHold.Scope(since: WallTime(seconds: 1_800_000_000)), LegalHold.Scope(until: WallTime(seconds: 1_700_000_000)),
        LegalHold.Scope(target: "orders", user: "bob"),
    ])
    func holdsOfOthersHoldNothing(scope: LegalHold.Scope) throws {
        _ = try rig.record()
        let retention = retention()
        _ = try retention.holds.place(scope, reason: "case 18", by: "eve")
        rig.clock.advance(day * 20)
        _ = try rig.record()
        #expect(try retention.run(by: "ops").deleted == 1)
    }

    @Test func aHoldThatIsLostOrDamagedStopsEverything() throws {
        let retention = retention()
        _ = try rig.record()
        let hold = try retention.holds.place(LegalHold.Scope(user: "nobody"), reason: "case 19", by: "eve")
        rig.clock.advance(day * 20)
        _ = try rig.record()
        let key = ObjectKey("holds/\(hold.id).json")
        let bytes = try #require(try rig.local.open(key)).read()
        try rig.local.delete(key)
        #expect { try retention.run(by: "ops") } throws: { ($0 as? RetentionError)?.code == .unsafe }
        try rig.local.put(key, Array(bytes.dropLast()), retainUntil: nil)
        #expect { try retention.run(by: "ops") } throws: { ($0 as? RetentionError)?.code == .unsafe }
        try rig.local.delete(key)
        // A restart does not make it forgotten, and lifting it does.
        try rig.reopenLog()
        let next = self.retention()
        #expect(throws: RetentionError.self) { try next.plan() }
        try next.holds.lift(hold.id, reason: "its object was lost", by: "eve")
        #expect(try next.run(by: "ops").deleted == 1)
    }

    @Test func aHoldNeedsAReasonAndASense() throws {
        let holds = retention().holds
        #expect(throws: RetentionError.self) { try holds.place(.init(), reason: " \n", by: "eve") }
        #expect(throws: RetentionError.self) { try holds.place(.init(target: ""), reason: "x", by: "eve") }
        let time = WallTime(seconds: 5)
        #expect(throws: RetentionError.self) { try holds.place(.init(since: time, until: time), reason: "x", by: "eve") }
        #expect(throws: RetentionError.self) { try holds.lift("../../log", reason: "x", by: "eve") }
        #expect(throws: RetentionError.self) { try holds.lift(SessionID(high: 7, low: 7).description, reason: "x", by: "eve") }
    }

    // MARK: By hand

    @Test func deletingByHandNeedsAReason() throws {
        let id = try rig.record()
        #expect(throws: RetentionError.self) { try retention().delete(id, reason: "", by: "ops") }
        try retention().delete(id, reason: "asked for by the customer", by: "ops")
        #expect(try rig.sessions.isEmpty)
        #expect(try faults().isEmpty)
    }

    // MARK: Faults

    @Test func whatTheStoreRefusesStaysWholeAndBlocksNobody() throws {
        let locked = try rig.record()
        let free = try rig.record()
        rig.clock.advance(day * 11)
        let young = try rig.record()
        rig.store.refuseDeletion(of: ObjectName(session: locked, file: ObjectName.manifestFile).key)
        let report = try retention().run(by: "ops")
        #expect(report.deleted == 1 && report.refused.map(\.session) == [locked])
        #expect(try rig.sessions == [locked, young] && !(try rig.sessions).contains(free))
        #expect(try faults().isEmpty)
        #expect(try rig.verify().verified == 2)
        rig.store.allowDeletion()
        #expect(try retention().run(by: "ops").deleted == 1)
        #expect(try faults().isEmpty)
    }

    @Test func whatIsPutBackBehindATombstoneIsNoticed() throws {
        let id = try rig.record()
        let files = try FileManager.default.subpathsOfDirectory(atPath: rig.local.directory(of: id))
        let copies = try files.map { ($0, try Data(contentsOf: URL(fileURLWithPath: rig.local.directory(of: id) + "/" + $0))) }
        try retention().delete(id, reason: "asked for", by: "ops")
        for (name, data) in copies { try rig.local.put(ObjectName(session: id, file: name).key, Array(data), retainUntil: nil) }
        #expect(try faults() == [.notDeleted])
    }

    /// The store dies at each of the calls of a run in turn; the gateway starts again, and the next run finishes what was begun.
    @Test func aRunThatIsInterruptedAnywhereIsFinishedByTheNext() throws {
        var calls = 0
        while true {
            let rig = try Rig()
            var sessions = [try rig.record(), try rig.record(target: "ledger")]
            rig.clock.advance(day * 11)
            sessions.append(try rig.record())
            let policy = RetentionPolicy(keep: day * 10)
            rig.store.die(after: calls)
            let report = try? Retention(policy: policy, store: rig.store, log: rig.log, clock: rig.clock, logger: quiet).run(by: "ops")
            let isDone = report.map { $0.refused.isEmpty } ?? false
            // Whatever is missing now, the log explains it.
            let between = try rig.verify()
            let kinds = (between.log + between.sessions.flatMap(\.findings)).map(\.kind).filter(\.isFault)
            #expect(kinds.isEmpty, "after \(calls) calls")
            rig.store.die(after: .max)
            try rig.reopenLog()
            _ = try Retention(policy: policy, store: rig.store, log: rig.log, clock: rig.clock, logger: quiet).run(by: "ops")
            #expect(try rig.sessions == [sessions[2]], "after \(calls) calls")
            let after = try rig.verify()
            #expect(after.log.isEmpty && after.failed == 0 && after.incomplete == 0, "after \(calls) calls")
            if isDone { break }
            calls += 1
        }
        #expect(calls > 8)
    }

    @Test func aHoldThatComesBetweenKeepsWhatIsWhole() throws {
        let id = try rig.record()
        rig.clock.advance(day * 11)
        _ = try rig.record()
        // The intent is in the log, and nothing was deleted yet.
        try rig.log.note("retention", by: "ops", kind: .deletion, session: id, manifest: "00")
        try rig.log.publish(to: rig.local)
        let retention = retention()
        _ = try retention.holds.place(.init(session: id), reason: "case 20", by: "eve")
        let report = try retention.run(by: "ops")
        #expect(report.deleted == 0 && report.refused.map(\.session) == [id])
        #expect(try rig.verify().verified == 2 && rig.log.unfinishedDeletions.isEmpty)
    }
}
