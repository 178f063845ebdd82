#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// An instant of civil time: nanoseconds since 1970-01-01T00:00:00Z. Good until the year 2554.
public struct WallTime: Sendable, Hashable, Comparable, Codable {
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// Whole seconds since 1970, as in a JWT `NumericDate` (RFC 7519 section 2).
    public init(seconds: Int) {
        self.nanoseconds = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000_000).partialValue
    }

    public var seconds: Int { Int(nanoseconds / 1_000_000_000) }

    public static func < (left: WallTime, right: WallTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// This instant moved by `interval`, kept within what can be said.
    public func advanced(by interval: Duration) -> WallTime {
        let (seconds, attoseconds) = interval.components
        let delta = seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ attoseconds / 1_000_000_000
        if delta >= 0 {
            let (sum, overflow) = nanoseconds.addingReportingOverflow(UInt64(delta))
            return WallTime(nanoseconds: overflow ? .max : sum)
        }
        let magnitude = delta.magnitude
        return WallTime(nanoseconds: nanoseconds > magnitude ? nanoseconds - magnitude : 0)
    }
}

/// Where every part of Gatehouse takes the time from, so that tests decide what time it is.
public protocol GatewayClock: Sendable {
    /// Civil time; may jump.
    func wallTime() -> WallTime
    /// Nanoseconds of a clock that never goes back; only differences mean something.
    func monotonicNanoseconds() -> UInt64
}

/// The machine's clocks.
public struct SystemClock: GatewayClock {
    public init() {}

    public func wallTime() -> WallTime { WallTime(nanoseconds: read(CLOCK_REALTIME)) }
    public func monotonicNanoseconds() -> UInt64 { read(CLOCK_MONOTONIC) }

    private func read(_ clock: clockid_t) -> UInt64 {
        var value = timespec()
        clock_gettime(clock, &value)
        return UInt64(value.tv_sec) &* 1_000_000_000 &+ UInt64(value.tv_nsec)
    }
}
