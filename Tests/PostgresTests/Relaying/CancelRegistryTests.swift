import GatehouseCore
import Identity
import Synchronization
import Testing

@testable import Postgres

/// A client may cancel what is its own, and guessing gets nobody anywhere.
@Suite struct CancelRegistryTests {
    private final class StoppedClock: GatewayClock {
        private let nanoseconds = Mutex<UInt64>(1_000_000_000)
        func wallTime() -> WallTime { WallTime(nanoseconds: nanoseconds.withLock(\.self)) }
        func monotonicNanoseconds() -> UInt64 { nanoseconds.withLock(\.self) }
        func advance(seconds: UInt64) { nanoseconds.withLock { $0 += seconds * 1_000_000_000 } }
    }

    private final class Count: Sendable {
        private let value = Mutex(0)
        func add() { value.withLock { $0 += 1 } }
        var now: Int { value.withLock(\.self) }
    }

    private let clock = StoppedClock()

    private func guess(_ key: StartupPacket.CancelKey) -> StartupPacket.CancelKey {
        StartupPacket.CancelKey(processID: key.processID, secret: key.secret.map { $0 ^ 0xFF })
    }

    @Test func aKeyCancelsItsOwnAndNothingElse() {
        let cancels = CancelRegistry(clock: clock)
        let (mine, other) = (Count(), Count())
        let key = cancels.register { mine.add() }
        let second = cancels.register { other.add() }
        #expect(cancels.cancel(key, from: "192.0.2.1") == .cancelled)
        #expect(mine.now == 1 && other.now == 0)
        #expect(cancels.cancel(guess(second), from: "192.0.2.1") == .unknownKey)
        let short = StartupPacket.CancelKey(processID: second.processID, secret: Array(second.secret.dropLast()))
        #expect(cancels.cancel(short, from: "192.0.2.1") == .unknownKey)
        cancels.forget(key)
        #expect(cancels.cancel(key, from: "192.0.2.1") == .unknownKey)
        #expect(mine.now == 1 && other.now == 0)
    }

    @Test func guessesOfOneAddressAreSlowedAndHarmNobodyElse() {
        let cancels = CancelRegistry(clock: clock)
        let count = Count()
        let key = cancels.register { count.add() }
        var looked = 0
        while cancels.cancel(guess(key), from: "192.0.2.66") == .unknownKey, looked < 1_000 { looked += 1 }
        #expect(looked > 0 && looked < 100)
        #expect(cancels.cancel(guess(key), from: "192.0.2.66") == .throttled(isRepeat: true))
        #expect(cancels.cancel(key, from: "192.0.2.66") == .throttled(isRepeat: true), "not even a good key is looked at")
        #expect(count.now == 0)
        #expect(cancels.cancel(key, from: "192.0.2.1") == .cancelled)
        clock.advance(seconds: 60)
        #expect(cancels.cancel(key, from: "192.0.2.66") == .cancelled)
        #expect(count.now == 2)
    }

    @Test func goodKeysAreNeverSlowed() {
        let cancels = CancelRegistry(clock: clock)
        let count = Count()
        let key = cancels.register { count.add() }
        for _ in 0..<1_000 { _ = cancels.cancel(key, from: "192.0.2.1") }
        #expect(count.now == 1_000)
    }
}
