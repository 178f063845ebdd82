public import GatehouseCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Slows failed tries, per address and per login name. Only failures count, so that a pool of a hundred good connections from
/// one machine is never slowed.
public final class Throttle: Sendable {
    public struct Bounds: Sendable, Hashable {
        /// Failures of one address that cost nothing: a person with an old token, a job with a wrong setting.
        public var addressBurst = 10
        /// ... and how many a minute may follow.
        public var addressPerMinute = 12
        /// A login name is a target's name and known to many: slowed late and little, or anybody could shut everybody out.
        public var loginBurst = 200
        public var loginPerMinute = 1_200
        /// Addresses and names that are remembered (about 150 bytes each).
        public var remembered = 16_384

        public init() {}
    }

    private struct State {
        var addresses: TokenBuckets
        var logins: TokenBuckets
        /// When a network's throttled tries were last reported, and how many were not since.
        var reports: TokenBuckets
        var unreported: UInt64 = 0
    }

    private let state: Mutex<State>
    private let clock: any GatewayClock

    public init(clock: any GatewayClock = SystemClock(), bounds: Bounds = Bounds()) {
        self.clock = clock
        func buckets(burst: Int, perMinute: Int) -> TokenBuckets {
            TokenBuckets(
                rate: .init(burst: Double(max(burst, 1)), perSecond: Double(max(perMinute, 1)) / 60), capacity: max(bounds.remembered, 8))
        }
        state = Mutex(
            State(
                addresses: buckets(burst: bounds.addressBurst, perMinute: bounds.addressPerMinute),
                logins: buckets(burst: bounds.loginBurst, perMinute: bounds.loginPerMinute), reports: buckets(burst: 1, perMinute: 6)))
    }

    /// Before any work is done for a try.
    ///
    /// - Throws: `throttled`, with how long to wait.
    public func check(address: String, login: String) throws(AuthenticationFailure) {
        let now = clock.monotonicNanoseconds()
        let network = Self.network(of: address)
        let (wait, isRepeat, unreported) = state.withLock { state -> (Duration, Bool, UInt64) in
            let wait = max(
                state.addresses.wait(network, now: now), login.isEmpty ? .zero : state.logins.wait(Self.key(login), now: now))
            guard wait > .zero else { return (.zero, false, 0) }
            guard state.reports.wait(network, now: now) == .zero else {
                state.unreported &+= 1
                return (wait, true, 0)
            }
            state.reports.take(network, now: now)
            defer { state.unreported = 0 }
            return (wait, false, state.unreported)
        }
        guard wait > .zero else { return }
        let seconds = wait.components.seconds + 1
        let since = unreported > 0 ? "; \(unreported) more throttled tries since the last report" : ""
        var failure = AuthenticationFailure(
            .throttled(retryAfter: .seconds(seconds)), client: "Too many failed tries. Wait \(seconds) s and try again.",
            audit: "too many failed tries from \(quoted(address, limit: 64)) or for \(quoted(login, limit: 64))\(since)")
        failure.isRepeat = isRepeat
        throw failure
    }

    public func failed(address: String, login: String) {
        let now = clock.monotonicNanoseconds()
        state.withLock { state in
            state.addresses.take(Self.network(of: address), now: now)
            if !login.isEmpty { state.logins.take(Self.key(login), now: now) }
        }
    }

    /// Forgives the login name its failures. The address keeps its own: a guesser may well hold one good ticket.
    public func succeeded(login: String) {
        state.withLock { $0.logins.reset(Self.key(login)) }
    }

    /// Names are of a peer's choosing, up to 10 KB long.
    private static func key(_ login: String) -> String { String(decoding: login.utf8.prefix(257), as: UTF8.self) }

    /// What one party can be expected to hold of addresses: one of IPv4, a /64 of IPv6 (RFC 6177).
    static func network(of address: String) -> String {
        let text = String(address.prefix(64).prefix { $0 != "%" })
        var bytes = in6_addr()
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return text }
        let all = withUnsafeBytes(of: bytes) { Array($0) }
        if all.prefix(10).allSatisfy({ $0 == 0 }), all[10] == 0xFF, all[11] == 0xFF {
            return all[12...].map(String.init).joined(separator: ".")
        }
        return all.prefix(8).map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
    }
}
