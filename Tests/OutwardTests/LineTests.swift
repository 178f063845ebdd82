import Foundation
import GatehouseCore
import Synchronization
import Testing

@testable import Outward

/// Queues, retries and drops.
@Suite struct LineTests {
    /// Takes events when it is let, and fails as often as it is told.
    private final class Gate: Deliverer {
        struct State: Sendable {
            var failures: [DeliveryError] = []
            var taken: [String] = []
            var tries = 0
            var isShut = false
        }

        private let state = Mutex(State())

        var taken: [String] { state.withLock(\.taken) }
        var tries: Int { state.withLock(\.tries) }

        func change(_ body: (inout sending State) -> Void) { state.withLock { body(&$0) } }

        func deliver(_ events: [OutwardEvent]) async throws(DeliveryError) {
            while state.withLock(\.isShut), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
            let failure = state.withLock { state -> DeliveryError? in
                state.tries += 1
                if !state.failures.isEmpty { return state.failures.removeFirst() }
                state.taken += events.map(\.id)
                return nil
            }
            if let failure { throw failure }
        }
    }

    private let clock = SleepClock()
    private let log = LogLines()

    private func line(_ gate: Gate, _ patience: Patience) -> DeliveryLine {
        DeliveryLine("gate", gate, patience: patience, surroundings: clock.surroundings, logger: log.logger) { _ in true }
    }

    private func events(_ count: Int) -> [OutwardEvent] { (0..<count).map { _ in event(ruling(.deny)) } }

    @Test func theOrderIsKeptThroughFailures() async throws {
        let gate = Gate()
        gate.change { $0.failures = Array(repeating: DeliveryError("down"), count: 3) }
        let line = line(gate, Patience(batch: 4, backoff: Backoff(first: .seconds(1), longest: .seconds(3))))
        let all = events(10)
        all.forEach(line.notify)
        line.finish()
        await line.run()
        #expect(gate.taken == all.map(\.id))
        #expect(clock.slept == [.seconds(1), .seconds(2), .seconds(3)])
        #expect(log.all.count { $0.contains("trying again") } == 1)
        #expect(log.all.count { $0.contains("delivered again") } == 1)
    }

    @Test func itGivesUpAfterSoManyTriesAndGoesOn() async throws {
        let gate = Gate()
        gate.change { $0.failures = Array(repeating: DeliveryError("down"), count: 3) }
        let line = line(gate, Patience(backoff: Backoff(first: .seconds(1), longest: .seconds(60)), attempts: 3))
        let all = events(2)
        all.forEach(line.notify)
        line.finish()
        await line.run()
        #expect(gate.taken == [all[1].id])
        #expect(log.text.contains("given up"))
    }

    @Test func whatCannotBeHelpedIsNotTriedAgain() async throws {
        let gate = Gate()
        gate.change { $0.failures = [DeliveryError("no", isTransient: false)] }
        let line = line(gate, Patience())
        events(1).forEach(line.notify)
        line.finish()
        await line.run()
        #expect(gate.tries == 1 && clock.slept.isEmpty)
    }

    @Test func itWaitsAsLongAsItIsAsked() async throws {
        let gate = Gate()
        gate.change { $0.failures = [DeliveryError("busy", retryAfter: .seconds(30)), DeliveryError("busy", retryAfter: .seconds(900))] }
        let line = line(gate, Patience(backoff: Backoff(first: .seconds(1), longest: .seconds(60))))
        events(1).forEach(line.notify)
        line.finish()
        await line.run()
        #expect(clock.slept == [.seconds(30), .seconds(60)])
    }

    /// The oldest go; telling takes no time, and the log has one line of it a minute.
    @Test func aFullQueueDropsTheOldest() async throws {
        let gate = Gate()
        gate.change { $0.isShut = true }
        let line = line(gate, Patience(capacity: 8, batch: 1))
        let task = Task { await line.run() }
        let first = event(ruling(.deny))
        line.notify(first)
        // The first is on its way, and no longer in the queue.
        #expect(try await until { gate.tries == 0 && line.waiting == 0 })
        let all = events(20)
        all.forEach(line.notify)
        #expect(log.all.count { $0.contains("events were dropped") } == 1)
        clock.advance(.seconds(61))
        let more = event(ruling(.deny))
        line.notify(more)
        #expect(log.all.last?.contains("12") == true, "\(log.all)")
        gate.change { $0.isShut = false }
        line.finish()
        await task.value
        #expect(gate.taken == [first.id] + all.suffix(7).map(\.id) + [more.id])
    }

    @Test func whatIsLeftAtTheEndIsCounted() async throws {
        let gate = Gate()
        gate.change { $0.isShut = true }
        let line = line(gate, Patience(batch: 1))
        let task = Task { await line.run() }
        events(5).forEach(line.notify)
        #expect(try await until { line.waiting == 4 })
        line.finish()
        task.cancel()
        await task.value
        #expect(log.text.contains("the gateway stops"))
    }

    @Test func pausesGrowAndAreJittered() {
        let backoff = Backoff(first: .seconds(1), longest: .seconds(60))
        #expect((1...8).map { backoff.pause(after: $0, jitter: 1) } == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
        #expect(backoff.pause(after: 3, jitter: 0) == .seconds(2))
        #expect(backoff.pause(after: 1_000_000, jitter: 0.5) == .seconds(45))
        #expect(backoff.pause(after: 0, jitter: 1) == .seconds(1))
    }

    @Test func manyTellAtATime() async throws {
        let gate = Gate()
        let line = line(gate, Patience(capacity: 100_000, batch: 7))
        let task = Task { await line.run() }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { events(500).forEach(line.notify) } }
        }
        line.finish()
        await task.value
        #expect(gate.taken.count == 4_000 && Set(gate.taken).count == 4_000)
    }
}
