import Catalog
import Foundation
import GRDB
import GatehouseCore
import Policy
import Synchronization
import Testing

@testable import Catalog

/// The desk over the real store, with a clock that stands still until a test moves it.
@Suite(.timeLimit(.minutes(2))) struct ApprovalDeskTests {
    private final class Clock: GatewayClock {
        private let seconds = Mutex(start + 1_000)
        func advance(_ by: Int) { seconds.withLock { $0 += by } }
        func wallTime() -> WallTime { WallTime(seconds: seconds.withLock { $0 }) }
        func monotonicNanoseconds() -> UInt64 { wallTime().nanoseconds }
    }

    /// One client that waits, and what it was told.
    private struct Guest {
        let wait: HoldWait
        let opened: AsyncStream<Approval>
        let ended: AsyncStream<ApprovalDesk.Outcome>

        func approval() async throws -> Approval { try #require(await opened.first { _ in true }) }

        func outcome() async throws -> ApprovalDesk.Outcome { try #require(await ended.first { _ in true }) }

        func granted() async throws -> Approval {
            guard case .granted(let approval) = try await outcome() else { throw Otherwise() }
            return approval
        }

        func refused() async throws -> Approval {
            guard case .refused(let approval) = try await outcome() else { throw Otherwise() }
            return approval
        }

        func failed() async throws -> String {
            guard case .failed(let reason) = try await outcome() else { throw Otherwise() }
            return reason
        }

        struct Otherwise: Error {}
    }

    private final class Journal: Sendable {
        struct Full: Error {}
        let kinds = Mutex<[ApprovalEvent.Kind]>([])
        let isFull = Mutex(false)
        var all: [ApprovalEvent.Kind] { kinds.withLock { $0 } }

        func note(_ event: ApprovalEvent) throws {
            guard !isFull.withLock({ $0 }) else { throw Full() }
            kinds.withLock { $0.append(event.kind) }
        }
    }

    private let scratch: Scratch
    private let catalog: SQLiteCatalog
    private let clock = Clock()
    private let journal = Journal()
    private let told = Journal()
    private let desk: ApprovalDesk

    init() throws {
        scratch = try Scratch()
        catalog = try SQLiteCatalog(path: scratch.path())
        desk = ApprovalDesk(
            store: catalog, clock: clock, limits: .init(pendingPerRequester: 3, pending: 5, textBytes: 1_000),
            record: { [journal] in try journal.note($0) }, notify: { [told] in try? told.note($0) })
    }

    private func person(_ user: String, groups: [String] = ["sre"]) -> Principal {
        Principal(
            issuer: "https://login.example.com", subject: "sub-\(user)", user: user, groups: groups, credential: .token(id: nil),
            expires: clock.wallTime())
    }

    private func ask(
        _ content: String = "DELETE FROM orders", by user: String = "agent", node: String = "n1",
        terms: HoldTerms = HoldTerms(approvers: ["sre"], validSeconds: 600, breakGlass: ["on-call"])
    ) -> Guest {
        let request = ApprovalRequest(
            subject: .action, node: node, session: SessionID(at: clock.wallTime()), protocolName: .postgres, target: "orders",
            role: "writer", database: "shop", requester: person(user, groups: ["on-call"]), application: "psql", rule: "deletes",
            ruleReason: "Deletes wait.", policyVersion: "v1", terms: terms, normalized: "DELETE", content: [Array(content.utf8)],
            inTransaction: false)
        let (opened, tellOpened) = AsyncStream<Approval>.makeStream()
        let (ended, tellEnded) = AsyncStream<ApprovalDesk.Outcome>.makeStream()
        let wait = desk.open(
            request, text: HeldText(statement: content, parameters: ["1", nil]), reason: "",
            opened: { tellOpened.yield($0) },
            ended: {
                tellEnded.yield($0)
                tellOpened.finish()
                tellEnded.finish()
            })
        return Guest(wait: wait, opened: opened, ended: ended)
    }

    // MARK: - How a wait ends

    @Test func aWaitIsGranted() async throws {
        let guest = ask()
        let approval = try await guest.approval()
        #expect(desk.text(of: approval.id) == HeldText(statement: "DELETE FROM orders", parameters: ["1", nil]))
        #expect(guest.wait.approval == approval.id)
        let decided = try await desk.decide(id: approval.id, .approve, by: person("ann"), comment: "fine")
        #expect(decided.state == .approved)
        let granted = try await guest.granted()
        #expect(granted.uses == 1 && granted.lastUsed == clock.wallTime())
        #expect(journal.all == [.requested, .approved, .used] && told.all == journal.all)
        #expect(desk.text(of: approval.id) == nil)
    }

    @Test func twoMustApprove() async throws {
        let guest = ask(terms: HoldTerms(approvers: ["sre"], required: 2))
        let id = try await guest.approval().id
        #expect(try await desk.decide(id: id, .approve, by: person("ann"), comment: "").state == .pending)
        #expect(desk.text(of: id) != nil)
        _ = try await desk.decide(id: id, .approve, by: person("ben"), comment: "")
        #expect(try await guest.granted().approvals == 2)
        #expect(journal.all == [.requested, .seconded, .approved, .used])
    }

    @Test func aWaitIsDenied() async throws {
        let guest = ask()
        let id = try await guest.approval().id
        _ = try await desk.decide(id: id, .deny, by: person("ann"), comment: "not today")
        let refused = try await guest.refused()
        #expect(refused.state == .denied && refused.votes.last?.comment == "not today" && refused.uses == 0)
        await #expect(throws: ApprovalRefusal.notPending(.denied)) {
            try await desk.decide(id: id, .approve, by: person("ben"), comment: "")
        }
    }

    @Test func aWaitIsOverByItsClient() async throws {
        let guest = ask()
        _ = try await guest.approval()
        desk.end(guest.wait, as: .expired)
        #expect(try await guest.refused().state == .expired)
        #expect(journal.all == [.requested, .expired])
    }

    @Test func aWaitIsOverByTheClock() async throws {
        let guest = ask()
        let approval = try await guest.approval()
        clock.advance(599)
        try await desk.sweep()
        #expect(try await desk.approval(id: approval.id)?.state == .pending)
        clock.advance(1)
        await #expect(throws: ApprovalRefusal.notPending(.expired)) {
            try await desk.decide(id: approval.id, .approve, by: person("ann"), comment: "")
        }
        try await desk.sweep()
        #expect(try await guest.refused().state == .expired)
        try await desk.sweep()
        #expect(journal.all == [.requested, .expired])
    }

    @Test func aWaitIsWithdrawn() async throws {
        let guest = ask()
        let approval = try await guest.approval()
        desk.end(guest.wait, as: .withdrawn)
        #expect(try await guest.refused().state == .withdrawn)
        await #expect(throws: ApprovalRefusal.notPending(.withdrawn)) {
            try await desk.decide(id: approval.id, .approve, by: person("ann"), comment: "")
        }
    }

    /// It goes away before anybody could know of it.
    @Test func aWaitIsWithdrawnBeforeItIsOpen() async throws {
        let guest = ask()
        desk.end(guest.wait, as: .withdrawn)
        #expect(try await guest.refused().state == .withdrawn)
        #expect(try await desk.approvals(.init(), before: nil, limit: 10).map(\.state) == [.withdrawn])
    }

    @Test func theGlassIsBroken() async throws {
        let guest = ask()
        let id = try await guest.approval().id
        await #expect(throws: ApprovalRefusal.needsReason) {
            try await desk.decide(id: id, .breakGlass, by: person("agent", groups: ["on-call"]), comment: "")
        }
        _ = try await desk.decide(id: id, .breakGlass, by: person("agent", groups: ["on-call"]), comment: "outage")
        #expect(try await guest.granted().brokeGlass)
        #expect(told.all == [.requested, .brokeGlass, .used])
    }

    // MARK: - Coming back

    @Test func whoLeftFindsTheApprovalWhenHeTriesAgain() async throws {
        let first = ask()
        let approval = try await first.approval()
        desk.leave(first.wait)
        _ = try await desk.decide(id: approval.id, .approve, by: person("ann"), comment: "")
        #expect(try await desk.approval(id: approval.id)?.uses == 0, "who has gone leaves the use to the retry")
        let retry = ask()
        #expect(try await retry.granted().id == approval.id)
        // It was good for once.
        let third = ask()
        #expect(try await third.approval().id != approval.id)
    }

    @Test func whoComesBackTakesHisPlaceAgain() async throws {
        let first = ask()
        let approval = try await first.approval()
        desk.leave(first.wait)
        let second = ask()
        #expect(try await second.approval().id == approval.id)
        _ = try await desk.decide(id: approval.id, .approve, by: person("ann"), comment: "")
        #expect(try await second.granted().id == approval.id)
        #expect(journal.all == [.requested, .approved, .used])
    }

    @Test func twoWhoWaitForTheSameAreTwo() async throws {
        let first = ask()
        let one = try await first.approval()
        let second = ask()
        let other = try await second.approval()
        #expect(one.id != other.id && one.request.digest == other.request.digest)
        _ = try await desk.decide(id: other.id, .approve, by: person("ann"), comment: "")
        #expect(try await second.granted().id == other.id)
        #expect(try await desk.approval(id: one.id)?.state == .pending)
    }

    @Test func anotherTextIsAskedForAnew() async throws {
        let first = ask()
        let approval = try await first.approval()
        desk.leave(first.wait)
        _ = try await desk.decide(id: approval.id, .approve, by: person("ann"), comment: "")
        let others = [ask("DELETE FROM orders "), ask(by: "another")]
        for other in others { #expect(try await other.approval().id != approval.id) }
    }

    @Test func anApprovalEndsWithItsTime() async throws {
        let first = ask()
        let approval = try await first.approval()
        desk.leave(first.wait)
        _ = try await desk.decide(id: approval.id, .approve, by: person("ann"), comment: "")
        clock.advance(600)
        #expect(try await ask().approval().id != approval.id)
    }

    // MARK: - Limits and failures

    @Test func oneRequesterHasALimitAndSoHaveAll() async throws {
        for number in 0..<3 { _ = try await ask("\(number)").approval() }
        #expect(try await ask("4").failed().contains("too many"))
        for number in 0..<2 { _ = try await ask("\(number)", by: "another").approval() }
        #expect(try await ask("3", by: "third").failed().contains("too many"))
        #expect(try await desk.approvals(.init(), before: nil, limit: 10).count == 5)
    }

    @Test func textsHaveALimitAndGiveItBack() async throws {
        let large = ask(String(repeating: "x", count: 900))
        let approval = try await large.approval()
        #expect(try await ask(String(repeating: "y", count: 200)).failed().contains("text"))
        _ = try await desk.decide(id: approval.id, .deny, by: person("ann"), comment: "")
        _ = try await large.refused()
        _ = try await ask(String(repeating: "y", count: 200)).approval()
    }

    @Test func whatCannotBeRecordedDoesNotHappen() async throws {
        let guest = ask()
        let id = try await guest.approval().id
        journal.isFull.withLock { $0 = true }
        await #expect(throws: Journal.Full.self) { try await desk.decide(id: id, .approve, by: person("ann"), comment: "") }
        await #expect(throws: Journal.Full.self) {
            try await desk.explain(id: id, "because", by: person("agent", groups: ["on-call"]))
        }
        #expect(try await ask("other").failed().contains("could not be asked for"))
        #expect(try await desk.approvals(.init(), before: nil, limit: 10).map(\.state) == [.pending])
        journal.isFull.withLock { $0 = false }
        _ = try await desk.decide(id: id, .approve, by: person("ann"), comment: "")
        #expect(try await guest.granted().votes.count == 1)
    }

    @Test func aStoreThatFailsFailsTheWait() async throws {
        let guest = ask()
        _ = try await guest.approval()
        try await catalog.pool.write { try $0.execute(sql: "ALTER TABLE approvals RENAME TO hidden") }
        #expect(try await ask("other").failed().contains("could not be asked for"))
        desk.end(guest.wait, as: .withdrawn)
        #expect(try await guest.failed().contains("could not be closed"))
    }

    @Test func whatAnEarlierRunLeftIsWithdrawn() async throws {
        let ours = try await ask("ours").approval()
        let theirs = try await ask("theirs", node: "n2").approval()
        try await desk.withdrawOrphans(ofNode: "n1")
        #expect(try await desk.approval(id: ours.id)?.state == .withdrawn)
        #expect(try await desk.approval(id: theirs.id)?.state == .pending)
    }
}
