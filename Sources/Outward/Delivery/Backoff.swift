import GatehouseCore

/// How long to wait before the next try: twice as long each time, up to a limit, and a random part of it less, so that many
/// gateways do not come back in the same moment.
struct Backoff: Sendable {
    var first: Duration
    var longest: Duration

    /// - Parameters:
    ///   - failures: so far, at least 1.
    ///   - jitter: from 0 to 1.
    func pause(after failures: Int, jitter: Double) -> Duration {
        let pause = min(first * (1 << min(max(failures - 1, 0), 30)), longest)
        return pause * (0.5 + 0.5 * min(max(jitter, 0), 1))
    }
}

/// What delivering takes from the world, so that tests decide it.
struct OutwardSurroundings: Sendable {
    var clock: any GatewayClock
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// From 0 to 1.
    var jitter: @Sendable () -> Double = { Double.random(in: 0...1) }
}
