import GatehouseCore
import Synchronization

/// A clock that stands still until a test moves it.
final class TestClock: GatewayClock {
    /// 2026-01-01T00:00:00Z
    static let start = 1_767_225_600

    private let elapsed = Mutex<UInt64>(0)
    private let base: UInt64

    init(start: Int = TestClock.start) {
        base = UInt64(start) * 1_000_000_000
    }

    func advance(_ seconds: Double) {
        elapsed.withLock { $0 += UInt64(seconds * 1e9) }
    }

    func wallTime() -> WallTime { WallTime(nanoseconds: base + elapsed.withLock { $0 }) }
    func monotonicNanoseconds() -> UInt64 { 5_000_000_000 + elapsed.withLock { $0 } }
}
