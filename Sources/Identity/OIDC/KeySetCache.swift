import GatehouseCore

/// What is known of an issuer's keys, and when to ask again. Pure: times come in as monotonic nanoseconds.
struct KeySetCache: Sendable {
    /// The bounds of this cache, all durations.
    struct Bounds: Sendable {
        /// Without a `Cache-Control`.
        var freshByDefault: Duration = .seconds(600)
        /// An issuer that forbids caching must not make each login a fetch.
        var freshAtLeast: Duration = .seconds(60)
        /// A key that its issuer withdraws must not live on for a day.
        var freshAtMost: Duration = .seconds(3600)
        /// How long keys go on being used after that when the issuer cannot be asked.
        var staleAtMost: Duration = .seconds(3600)
        /// Between two fetches for keys that are not in the set: tokens with invented key ids cost their sender nothing.
        var betweenRefreshes: Duration = .seconds(10)
        /// How long a key id that a fetch did not bring is known to be unknown.
        var unknownFor: Duration = .seconds(60)
        /// After a failed fetch; doubles with each, up to `retryAtMost`.
        var retryAfter: Duration = .seconds(2)
        var retryAtMost: Duration = .seconds(60)
        /// Unknown key ids that are remembered, oldest forgotten first.
        var unknownKeyIDs = 256
    }

    enum Decision: Sendable {
        case use([VerificationKey])
        /// Ask the issuer, then decide again.
        case fetch
        /// As `fetch`; meanwhile, and if it fails, these serve.
        case fetchOr([VerificationKey])
        case unknownKey
        case unreachable(reason: String)
    }

    let bounds: Bounds
    private var held: (keys: KeySet, freshUntil: UInt64, staleUntil: UInt64)?
    private var lastFetch: UInt64?
    private var retryAt: UInt64 = 0
    private var failures = 0
    private var lastFailure = "the issuer has not answered yet"
    private var unknown: [(keyID: String, until: UInt64)] = []

    init(bounds: Bounds = Bounds()) {
        self.bounds = bounds
    }

    mutating func decide(keyID: String?, algorithm: SignatureAlgorithm, now: UInt64) -> Decision {
        if let old = held, now >= old.staleUntil { held = nil }
        guard let held else { return now >= retryAt ? .fetch : .unreachable(reason: lastFailure) }
        let candidates = held.keys.candidates(keyID: keyID, algorithm: algorithm)
        let isFresh = now < held.freshUntil
        if !candidates.isEmpty {
            return isFresh || now < retryAt ? .use(candidates) : .fetchOr(candidates)
        }
        // The key may be a new one that a failed fetch would have brought.
        if now < retryAt { return .unreachable(reason: lastFailure) }
        if !isFresh { return .fetch }
        unknown.removeAll { now >= $0.until }
        if unknown.contains(where: { $0.keyID == keyID ?? "" }) { return .unknownKey }
        return now >= Self.sum(lastFetch ?? 0, bounds.betweenRefreshes) ? .fetch : .unknownKey
    }

    /// Whether there are no keys at all and the issuer may be asked.
    func wantsFirstFetch(now: UInt64) -> Bool { !holdsKeys(now: now) && now >= retryAt }

    /// Why there are no keys; nil when there are.
    func problem(now: UInt64) -> String? { holdsKeys(now: now) ? nil : lastFailure }

    private func holdsKeys(now: UInt64) -> Bool { held.map { now < $0.staleUntil } ?? false }

    mutating func fetched(_ keys: KeySet, maxAge: Duration?, now: UInt64) {
        let fresh = min(max(maxAge ?? bounds.freshByDefault, bounds.freshAtLeast), bounds.freshAtMost)
        let freshUntil = Self.sum(now, fresh)
        held = (keys, freshUntil, Self.sum(freshUntil, bounds.staleAtMost))
        lastFetch = now
        retryAt = 0
        failures = 0
        unknown.removeAll()
    }

    mutating func failed(_ reason: String, now: UInt64) {
        lastFailure = reason
        let wait = min(bounds.retryAfter * (1 << min(failures, 10)), bounds.retryAtMost)
        failures = min(failures + 1, 10)
        retryAt = Self.sum(now, wait)
    }

    /// A fetch for this key id came back without it.
    mutating func missed(keyID: String?, now: UInt64) {
        if unknown.count >= bounds.unknownKeyIDs { unknown.removeFirst() }
        unknown.append((keyID ?? "", Self.sum(now, bounds.unknownFor)))
    }

    private static func sum(_ time: UInt64, _ interval: Duration) -> UInt64 {
        let (seconds, attoseconds) = interval.components
        let nanoseconds = UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: attoseconds / 1_000_000_000)
        let (sum, overflow) = time.addingReportingOverflow(nanoseconds)
        return overflow ? .max : sum
    }
}
