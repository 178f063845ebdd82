import GatehouseCore

/// One token bucket a key, in bounded memory: full buckets are forgotten first, then those not touched for longest. To be
/// forgotten early a guesser must fail from `capacity` other keys first.
struct TokenBuckets: Sendable {
    struct Rate: Sendable, Hashable {
        /// Failures that cost nothing.
        var burst: Double
        /// Failures a second that may follow.
        var perSecond: Double
    }

    private struct Bucket: Sendable {
        var tokens: Double
        var at: UInt64
        var touched: UInt64
    }

    let rate: Rate
    let capacity: Int
    private var buckets: [String: Bucket] = [:]
    private var touches: UInt64 = 0

    init(rate: Rate, capacity: Int) {
        self.rate = rate
        self.capacity = capacity
    }

    var count: Int { buckets.count }

    /// How long until a try is allowed; zero: now.
    func wait(_ key: String, now: UInt64) -> Duration {
        guard let bucket = buckets[key] else { return .zero }
        let tokens = refilled(bucket, now: now)
        return tokens >= 1 ? .zero : .seconds((1 - tokens) / rate.perSecond)
    }

    mutating func take(_ key: String, now: UInt64) {
        touches &+= 1
        let tokens = buckets[key].map { refilled($0, now: now) } ?? rate.burst
        if buckets[key] == nil, buckets.count >= capacity { makeRoom(now: now) }
        buckets[key] = Bucket(tokens: max(tokens - 1, 0), at: now, touched: touches)
    }

    mutating func reset(_ key: String) {
        buckets[key] = nil
    }

    private func refilled(_ bucket: Bucket, now: UInt64) -> Double {
        let elapsed = now > bucket.at ? Double(now - bucket.at) / 1e9 : 0
        return min(bucket.tokens + elapsed * rate.perSecond, rate.burst)
    }

    /// Drops full buckets, and the eighth that was not touched longest, at once, so that the cost of looking is shared.
    private mutating func makeRoom(now: UInt64) {
        buckets = buckets.filter { refilled($0.value, now: now) < rate.burst }
        guard buckets.count >= capacity else { return }
        let oldest = buckets.sorted { $0.value.touched < $1.value.touched }.prefix(max(capacity / 8, 1))
        for (key, _) in oldest { buckets[key] = nil }
    }
}
