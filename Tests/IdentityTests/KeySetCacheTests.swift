import GatehouseCore
import Testing

@testable import Identity

@Suite struct KeySetCacheTests {
    private let keys: KeySet
    private let second: UInt64 = 1_000_000_000
    private static let start: UInt64 = 100_000_000_000

    init() throws {
        let forge = try TokenForge()
        keys = try KeySet(json: Array(forge.json(["keys": try forge.jwks]).utf8))
    }

    private func decide(_ cache: inout KeySetCache, _ keyID: String, at seconds: UInt64) -> String {
        switch cache.decide(keyID: keyID, algorithm: .es256, now: Self.start + seconds * second) {
        case .use: "use"
        case .fetch: "fetch"
        case .fetchOr: "fetchOr"
        case .unknownKey: "unknown"
        case .unreachable: "unreachable"
        }
    }

    @Test func freshThenStaleThenGone() {
        var cache = KeySetCache()
        #expect(decide(&cache, "key-1", at: 0) == "fetch")
        cache.fetched(keys, maxAge: .seconds(300), now: Self.start)
        #expect(decide(&cache, "key-1", at: 299) == "use")
        #expect(decide(&cache, "key-1", at: 300) == "fetchOr")
        cache.failed("down", now: Self.start + 300 * second)
        #expect(decide(&cache, "key-1", at: 301) == "use")
        #expect(decide(&cache, "key-1", at: 302) == "fetchOr")
        #expect(decide(&cache, "key-1", at: 3_899) == "fetchOr")
        #expect(decide(&cache, "key-1", at: 3_900) == "fetch")
    }

    @Test(arguments: [(nil, 600), (0, 60), (1, 60), (86_400, 3_600), (900, 900)] as [(Int?, UInt64)])
    func cacheControlIsRespectedWithinBounds(_ age: Int?, _ fresh: UInt64) {
        var cache = KeySetCache()
        cache.fetched(keys, maxAge: age.map { .seconds($0) }, now: Self.start)
        #expect(decide(&cache, "key-1", at: fresh - 1) == "use")
        #expect(decide(&cache, "key-1", at: fresh) == "fetchOr")
    }

    @Test func unknownKeysDoNotMakeFetches() {
        var cache = KeySetCache()
        cache.fetched(keys, maxAge: nil, now: Self.start)
        #expect(decide(&cache, "new", at: 9) == "unknown")
        #expect(decide(&cache, "new", at: 10) == "fetch")
        cache.fetched(keys, maxAge: nil, now: Self.start + 10 * second)
        cache.missed(keyID: "new", now: Self.start + 10 * second)
        #expect(decide(&cache, "new", at: 25) == "unknown")
        #expect(decide(&cache, "other", at: 25) == "fetch")
        #expect(decide(&cache, "new", at: 70) == "fetch")
    }

    @Test func unknownKeysAreRememberedInBoundedMemory() {
        var cache = KeySetCache()
        cache.fetched(keys, maxAge: nil, now: Self.start)
        for index in 0..<1_000 { cache.missed(keyID: "k\(index)", now: Self.start) }
        #expect(decide(&cache, "k0", at: 20) == "fetch")
        #expect(decide(&cache, "k999", at: 20) == "unknown")
    }

    @Test func failuresBackOff() {
        var cache = KeySetCache()
        var at: UInt64 = 0
        for wait: UInt64 in [2, 4, 8, 16, 32, 60, 60, 60] {
            #expect(decide(&cache, "key-1", at: at) == "fetch")
            cache.failed("down", now: Self.start + at * second)
            #expect(decide(&cache, "key-1", at: at + wait - 1) == "unreachable")
            at += wait
        }
    }

    @Test func anUnknownKeyDuringAnOutageIsNotCalledUnknown() {
        var cache = KeySetCache()
        cache.fetched(keys, maxAge: nil, now: Self.start)
        cache.failed("down", now: Self.start + 20 * second)
        #expect(decide(&cache, "new", at: 21) == "unreachable")
        #expect(decide(&cache, "key-1", at: 21) == "use")
    }

    @Test func theClocksEndOverflowsNothing() {
        var cache = KeySetCache()
        cache.fetched(keys, maxAge: .seconds(Int64.max), now: .max - 1)
        cache.failed("down", now: .max)
        #expect(cache.problem(now: .max - 1) == nil)
    }
}
