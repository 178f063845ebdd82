/// How often and how long a request is tried: exponential backoff with full jitter, bounded in number and in time.
public struct S3Retries: Sendable, Hashable {
    /// The first try counts: 1 to 100.
    public var attempts: Int
    /// The longest pause after the first failure; it doubles with each.
    public var base: Duration
    /// The longest pause of all.
    public var cap: Duration
    /// No try begins later than this after the first one began.
    public var total: Duration

    public init(attempts: Int = 6, base: Duration = .milliseconds(200), cap: Duration = .seconds(10), total: Duration = .seconds(60)) {
        self.attempts = attempts
        self.base = base
        self.cap = cap
        self.total = total
    }

    /// What is wrong with it; nil when nothing is.
    var problem: String? {
        if !(1...100).contains(attempts) { return "a request must be tried 1 to 100 times, not \(attempts)" }
        if [base, cap, total].contains(where: { $0 < .zero || $0 > .seconds(86_400) }) {
            return "pauses between tries must not be negative, nor longer than a day"
        }
        return nil
    }

    /// How long to wait before the next try; nil when there is none.
    /// - Parameters:
    ///   - failures: tries so far, from 1.
    ///   - elapsed: since the first try began.
    ///   - jitter: a random number from 0 to 1.
    func pause(after failures: Int, elapsed: Duration, jitter: Double) -> Duration? {
        guard failures < attempts else { return nil }
        var longest = min(base, cap)
        for _ in 1..<max(1, failures) where longest < cap { longest = min(longest * 2, cap) }
        let pause = longest * min(1, max(0, jitter))
        return elapsed + pause <= total ? pause : nil
    }
}
