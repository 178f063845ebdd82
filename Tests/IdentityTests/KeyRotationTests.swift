import Foundation
import GatehouseCore
import Testing

@testable import Identity

/// Keys that change, servers that lie, hang or are gone.
@Suite struct KeyRotationTests {
    @Test func aNewKeyIsFetchedWhenATokenNamesIt() async throws {
        let bench = try await IssuerBench()
        #expect(try await bench.code(bench.forge.es256(bench.claims)) == nil)
        let next = try TokenForge(keyID: "key-2")
        try bench.local.publish(bench.forge.jwks + next.jwks)
        bench.clock.advance(11)
        #expect(try await bench.code(next.es256(bench.claims)) == nil)
        #expect(try await bench.code(bench.forge.es256(bench.claims)) == nil)
        #expect(bench.local.fetches == 2)
    }

    @Test func aWithdrawnKeyStopsBeingUsed() async throws {
        let bench = try await IssuerBench()
        let long = goodClaims(bench.local.issuer, changed: ["exp": TestClock.start + 100_000])
        let old = try bench.forge.es256(long)
        #expect(try await bench.code(old) == nil)
        try bench.local.publish(TokenForge(keyID: "key-2").jwks)
        #expect(try await bench.code(old) == nil)
        bench.clock.advance(601)
        #expect(try await bench.code(old) == .unknownKey)
    }

    @Test func inventedKeyIDsCauseFewFetches() async throws {
        let bench = try await IssuerBench()
        #expect(try await bench.code(bench.forge.es256(bench.claims)) == nil)
        for index in 0..<200 {
            bench.clock.advance(0.25)
            #expect(try await bench.code(bench.forge.es256(bench.claims, header: ["kid": "made-up-\(index)"])) == .unknownKey)
        }
        // 50 seconds passed, and a fetch may follow another after ten.
        #expect(bench.local.fetches <= 6)
        let before = bench.local.fetches
        bench.clock.advance(11)
        for _ in 0..<20 { #expect(try await bench.code(bench.forge.es256(bench.claims, header: ["kid": "same"])) == .unknownKey) }
        bench.clock.advance(30)
        #expect(try await bench.code(bench.forge.es256(bench.claims, header: ["kid": "same"])) == .unknownKey)
        #expect(bench.local.fetches == before + 1)
    }

    @Test func concurrentCallersShareOneFetch() async throws {
        let bench = try await IssuerBench()
        bench.local.change { $0.delay = .milliseconds(100) }
        let token = try bench.forge.es256(bench.claims)
        let users = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 { group.addTask { try await bench.principal(token).user } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(users == Array(repeating: "alice", count: 50))
        #expect(bench.local.fetches == 1)
        #expect(bench.local.discoveries == 1)
    }

    @Test func anOutageIsBridgedForABoundedTime() async throws {
        let bench = try await IssuerBench()
        let token = try bench.forge.es256(goodClaims(bench.local.issuer, changed: ["exp": TestClock.start + 100_000]))
        #expect(try await bench.code(token) == nil)
        bench.local.change { $0.status = .serviceUnavailable }
        bench.clock.advance(650)
        #expect(try await bench.code(token) == nil)
        bench.clock.advance(3_500)
        #expect(try await bench.code(token) == nil)
        bench.clock.advance(60)
        #expect(try await bench.code(token) == .issuerUnreachable)
        bench.local.change { $0.status = .ok }
        #expect(try await bench.code(token) == .issuerUnreachable, "the issuer is not asked again at once")
        bench.clock.advance(61)
        #expect(try await bench.code(token) == nil)
    }

    @Test func aFirstFetchThatFailsIsNotAGuess() async throws {
        let bench = try await IssuerBench()
        bench.local.change { $0.status = .internalServerError }
        let failure = try #require(try await bench.failure(bench.forge.es256(bench.claims)))
        #expect(failure.code == .issuerUnreachable)
        #expect(!failure.code.countsAsGuess)
        #expect(failure.auditDetail.contains("500"))
        #expect(await bench.authenticator.unreachableIssuers().keys.contains(bench.local.issuer))
        bench.local.change { $0.status = .ok }
        bench.clock.advance(3)
        #expect(await bench.authenticator.unreachableIssuers().isEmpty)
    }

    @Test func nobodyListens() async throws {
        let forge = try TokenForge()
        // Port 1 of loopback: tcpmux, which nothing serves.
        let settings = IssuerSettings(issuer: "http://127.0.0.1:1", audiences: ["gatehouse"])
        let authenticator = try OIDCAuthenticator([settings], clock: TestClock())
        await #expect(throws: AuthenticationFailure.self) {
            try await authenticator.authenticate(forge.es256(goodClaims("http://127.0.0.1:1")), from: "::1", asking: "orders")
        }
    }

    @Test func aDiscoveryDocumentOfAnotherIssuerIsNotBelieved() async throws {
        let bench = try await IssuerBench()
        let token = try bench.forge.es256(bench.claims)
        let keys = "\"jwks_uri\":\"\(bench.local.issuer)/keys\""
        let documents = [
            "{\"issuer\":\"https://evil.example\",\(keys)}", "{\"issuer\":\"\(bench.local.issuer)/\",\(keys)}", "{\(keys)}", "[]", "",
            "<html>",
            "{\"issuer\":\"\(bench.local.issuer)\"}", "{\"issuer\":\"\(bench.local.issuer)\",\"jwks_uri\":\"http://192.0.2.1/keys\"}",
            "{\"issuer\":\"\(bench.local.issuer)\",\"jwks_uri\":\"file:///etc/passwd\"}",
            "{\"issuer\":\"\(bench.local.issuer)\",\(keys),\"issuer\":\"x\"}",
        ]
        for document in documents {
            bench.local.change { $0.discovery = document }
            #expect(try await bench.code(token) == .issuerUnreachable)
            bench.clock.advance(61)
        }
        #expect(bench.local.fetches == 0)
    }

    @Test func redirectsAreNotFollowed() async throws {
        let elsewhere = try await LocalIssuer.start(keys: [])
        let bench = try await IssuerBench()
        bench.local.change {
            $0.status = .found
            $0.location = elsewhere.issuer + "/keys"
        }
        #expect(try await bench.code(bench.forge.es256(bench.claims)) == .issuerUnreachable)
        #expect(elsewhere.fetches == 0)
    }

    @Test func documentsAreBounded() async throws {
        let bench = try await IssuerBench()
        bench.local.change { $0.keySet = "{\"keys\":[\"" + String(repeating: "x", count: 1_048_577) + "\"]}" }
        let failure = try #require(try await bench.failure(bench.forge.es256(bench.claims)))
        #expect(failure.code == .issuerUnreachable)
        #expect(failure.auditDetail.contains("larger"))
    }

    @Test(arguments: ["", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "{\"keys\":1}", "null"])
    func keySetsWithoutKeysAreAnOutage(_ keySet: String) async throws {
        let bench = try await IssuerBench()
        bench.local.change { $0.keySet = keySet }
        #expect(try await bench.code(bench.forge.es256(bench.claims)) == .issuerUnreachable)
    }

    @Test func cacheControlIsRead() {
        #expect(HTTPDocumentFetcher.maxAge(["max-age=300"]) == .seconds(300))
        #expect(HTTPDocumentFetcher.maxAge(["public", " Max-Age = \"60\" "]) == .seconds(60))
        #expect(HTTPDocumentFetcher.maxAge(["max-age=300", "no-store"]) == .zero)
        #expect(HTTPDocumentFetcher.maxAge(["max-age=99999999999999"]) == nil)
        #expect(HTTPDocumentFetcher.maxAge(["max-age=-1", "s-maxage=5"]) == nil)
        #expect(HTTPDocumentFetcher.maxAge([String]()) == nil)
    }
}
