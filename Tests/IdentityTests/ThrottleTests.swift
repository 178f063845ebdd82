import GatehouseCore
import Testing

@testable import Identity

@Suite struct ThrottleTests {
    private let clock = TestClock()
    private let throttle: Throttle

    init() {
        throttle = Throttle(clock: clock)
    }

    private func wait(_ address: String, _ login: String = "orders") -> Duration? {
        do throws(AuthenticationFailure) {
            try throttle.check(address: address, login: login)
            return nil
        } catch {
            guard case .throttled(let wait) = error.code else { return nil }
            return wait
        }
    }

    @Test func anAddressIsSlowedAfterItsBurst() {
        for _ in 0..<10 {
            #expect(wait("192.0.2.1") == nil)
            throttle.failed(address: "192.0.2.1", login: "orders")
        }
        #expect(wait("192.0.2.1") == .seconds(6))
        #expect(wait("192.0.2.2") == nil)
        clock.advance(5)
        #expect(wait("192.0.2.1") == nil)
        throttle.failed(address: "192.0.2.1", login: "orders")
        #expect(wait("192.0.2.1") != nil)
        clock.advance(3_600)
        for _ in 0..<10 {
            #expect(wait("192.0.2.1") == nil)
            throttle.failed(address: "192.0.2.1", login: "orders")
        }
        #expect(wait("192.0.2.1") != nil)
    }

    @Test func aLoginNameIsSlowedFromMany() {
        for index in 0..<200 { throttle.failed(address: "10.0.\(index / 250).\(index % 250)", login: "orders") }
        #expect(wait("192.0.2.9") == .seconds(1))
        #expect(wait("192.0.2.9", "stock") == nil)
        throttle.succeeded(login: "orders")
        #expect(wait("192.0.2.9") == nil)
    }

    @Test func anIPv6NetworkIsOneParty() {
        for index in 0..<10 { throttle.failed(address: "2001:db8:1:2::\(String(index, radix: 16))", login: "a\(index)") }
        #expect(wait("2001:db8:1:2:ffff::1") != nil)
        #expect(wait("2001:db8:1:3::1") == nil)
        #expect(Throttle.network(of: "::ffff:192.0.2.1") == "192.0.2.1")
        #expect(Throttle.network(of: "fe80::1%eth0") == Throttle.network(of: "fe80::2"))
        #expect(Throttle.network(of: "not an address") == "not an address")
    }

    @Test func theAdministrationHasNoLoginName() {
        for index in 0..<500 { throttle.failed(address: "10.1.\(index / 250).\(index % 250)", login: "") }
        #expect(wait("192.0.2.1", "") == nil)
    }

    /// A flood must not fill the audit log; and yet every try is accounted for.
    @Test func floodsAreReportedInSums() {
        for _ in 0..<10 { throttle.failed(address: "192.0.2.1", login: "orders") }
        func failure() -> AuthenticationFailure? {
            do throws(AuthenticationFailure) {
                try throttle.check(address: "192.0.2.1", login: "orders")
                return nil
            } catch { return error }
        }
        #expect(failure()?.isRepeat == false)
        for _ in 0..<1_000 { #expect(failure()?.isRepeat == true) }
        for _ in 0..<10 { throttle.failed(address: "192.0.2.1", login: "orders") }
        clock.advance(4)
        #expect(failure()?.isRepeat == true)
        clock.advance(6)
        for _ in 0..<10 { throttle.failed(address: "192.0.2.1", login: "orders") }
        let next = failure()
        #expect(next?.isRepeat == false)
        #expect(next?.auditDetail.contains("1001 more") == true)
    }

    @Test func memoryIsBounded() {
        var buckets = TokenBuckets(rate: .init(burst: 2, perSecond: 0.001), capacity: 64)
        for index in 0..<10_000 {
            buckets.take("k\(index)", now: UInt64(index))
            #expect(buckets.count <= 64)
        }
        for _ in 0..<3 { buckets.take("hot", now: 10_000) }
        for index in 0..<50 { buckets.take("x\(index)", now: 10_001) }
        #expect(buckets.wait("hot", now: 10_002) > .zero)
    }

    @Test func clocksThatGoBackTrapNothing() {
        var buckets = TokenBuckets(rate: .init(burst: 1, perSecond: 1), capacity: 8)
        buckets.take("a", now: .max)
        #expect(buckets.wait("a", now: 0) == .seconds(1))
        buckets.take("a", now: 0)
        #expect(buckets.wait("a", now: .max) == .zero)
    }
}

@Suite struct GatewayAuthenticatorTests {
    /// Throttle, tickets and tokens together.
    @Test func oneWayInForBothAndSlowForGuessers() async throws {
        let bench = try await IssuerBench()
        let store = MemoryTicketStore()
        let office = TicketOffice(store: store, clock: bench.clock)
        let way = GatewayAuthenticator(tokens: bench.authenticator, tickets: office, throttle: Throttle(clock: bench.clock))
        func code(_ secret: Secret, from address: String = "192.0.2.1") async -> AuthenticationFailure.Code? {
            do throws(AuthenticationFailure) {
                _ = try await way.authenticate(secret, from: address, asking: "orders")
                return nil
            } catch { return error.code }
        }
        let token = try bench.forge.es256(bench.claims)
        let principal = try await way.authenticate(token, from: "192.0.2.1", asking: "orders")
        let (ticket, _) = try await office.mint(for: principal, target: nil)
        for _ in 0..<100 {
            #expect(await code(token) == nil)
            #expect(await code(ticket) == nil)
        }
        for _ in 0..<10 { #expect(await code("guess") == .malformed) }
        // Before any work: the good secret is not looked at either.
        #expect(await code(token) == .throttled(retryAfter: .seconds(6)))
        #expect(await code(token, from: "192.0.2.2") == nil)
        bench.clock.advance(6)
        #expect(await code(token) == nil)
        // The store's failure is not the caller's.
        store.isBroken.withLock { $0 = true }
        for _ in 0..<30 { #expect(await code(ticket, from: "192.0.2.3") == .unavailable) }
        store.isBroken.withLock { $0 = false }
        #expect(await code(ticket, from: "192.0.2.3") == nil)
    }
}
