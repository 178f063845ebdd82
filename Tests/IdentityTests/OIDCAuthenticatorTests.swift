import Crypto
import Foundation
import GatehouseCore
import Testing

@testable import Identity

/// Over real HTTP: a local issuer's key server, and tokens good and forged.
struct IssuerBench {
    let forge: TokenForge
    let local: LocalIssuer
    let clock = TestClock()
    let authenticator: OIDCAuthenticator

    init(algorithms: [String] = ["RS256", "ES256"], others: [IssuerSettings] = []) async throws {
        forge = try TokenForge()
        local = try await LocalIssuer.start(keys: forge.jwks)
        let settings = IssuerSettings(
            issuer: local.issuer, audiences: ["gatehouse"], algorithms: algorithms, userClaim: "preferred_username")
        authenticator = try OIDCAuthenticator([settings] + others, clock: clock)
    }

    var claims: [String: Any] { goodClaims(local.issuer) }

    func principal(_ token: Secret) async throws -> Principal {
        try await authenticator.authenticate(token, from: "192.0.2.1", asking: "orders")
    }

    func failure(_ token: Secret) async throws -> AuthenticationFailure? {
        do throws(AuthenticationFailure) {
            _ = try await authenticator.authenticate(token, from: "192.0.2.1", asking: "orders")
            return nil
        } catch {
            let told = error.clientMessage + error.auditDetail + error.description
            for part in token.reveal().split(separator: ".") where part.count > 12 {
                #expect(!told.contains(part), "a failure holds a part of the token")
            }
            #expect(!error.clientMessage.isEmpty && !error.auditDetail.isEmpty)
            return error
        }
    }

    func code(_ token: Secret) async throws -> AuthenticationFailure.Code? { try await failure(token)?.code }
}

@Suite struct OIDCAuthenticatorTests {
    @Test func acceptsGoodTokensOfBothKinds() async throws {
        let bench = try await IssuerBench()
        #expect(try await bench.principal(bench.forge.es256(bench.claims)).user == "alice")
        #expect(try await bench.principal(bench.forge.rs256(bench.claims)).groups == ["dba", "sre"])
        #expect(bench.local.fetches == 1)
        for type in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
            #expect(try await bench.code(bench.forge.es256(bench.claims, header: ["typ": type])) == nil)
        }
    }

    @Test func refusesTokensThatNobodySigned() async throws {
        let bench = try await IssuerBench()
        for name in ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "ES256K", "RSA1_5", "es256"] {
            let token = try bench.forge.unsigned(bench.claims, algorithm: name) { _ in "" }
            #expect(try await bench.code(token) == .algorithmNotAllowed)
        }
        // The classic: HS256 with the published key, in each text form that a verifier might take it in.
        let publicKeys = [bench.forge.rsa.publicKey.pemRepresentation, bench.forge.ec.publicKey.pemRepresentation]
        for key in publicKeys {
            let token = try bench.forge.unsigned(bench.claims, algorithm: "HS256") { signed in
                Base64URL.encode(HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: SymmetricKey(data: Data(key.utf8))))
            }
            #expect(try await bench.code(token) == .algorithmNotAllowed)
        }
        #expect(try await bench.code(bench.forge.unsigned(bench.claims, algorithm: "ES256") { _ in "" }) == .badSignature)
        let zeros = Base64URL.encode([UInt8](repeating: 0, count: 64))
        #expect(try await bench.code(bench.forge.unsigned(bench.claims, algorithm: "ES256") { _ in zeros }) == .badSignature)
    }

    @Test func acceptsTheConfiguredAlgorithmsOnly() async throws {
        let bench = try await IssuerBench(algorithms: ["RS256"])
        #expect(try await bench.code(bench.forge.es256(bench.claims)) == .algorithmNotAllowed)
        #expect(try await bench.code(bench.forge.rs256(bench.claims)) == nil)
    }

    @Test func aKeyOfAnotherKindIsNotUsed() async throws {
        let bench = try await IssuerBench()
        let token = try bench.forge.es256(bench.claims, header: ["kid": "key-1-rsa"])
        #expect(try await bench.code(token) == .unknownKey)
    }

    @Test func keyIDsArePlainNames() async throws {
        let bench = try await IssuerBench()
        for keyID in ["../../../../dev/null", "' OR 1=1 --", "key-1\u{0}", "KEY-1", "", "/keys", "http://127.0.0.1:1/k", "key-1 "] {
            #expect(try await bench.code(bench.forge.es256(bench.claims, header: ["kid": keyID])) == .unknownKey)
        }
        #expect(try await bench.code(bench.forge.es256(bench.claims, header: ["kid": String(repeating: "k", count: 513)])) == .malformed)
        #expect(try await bench.code(bench.forge.es256(bench.claims, header: ["kid": 1])) == .malformed)
        #expect(bench.local.fetches == 1)
    }

    @Test func keysInATokensOwnHeaderAreNotUsed() async throws {
        let bench = try await IssuerBench()
        let evil = try TokenForge(keyID: "key-1")
        let injected: [[String: Any]] = [
            ["jwk": try evil.jwks[0]], ["jku": "http://127.0.0.1:1/keys"], ["x5u": "http://127.0.0.1:1/x"], ["x5c": ["AAAA"]],
        ]
        for header in injected {
            #expect(try await bench.code(evil.es256(bench.claims, header: header)) == .badSignature)
        }
        #expect(try await bench.code(evil.es256(bench.claims, header: ["jwk": try evil.jwks[0], "kid": "evil"])) == .unknownKey)
    }

    @Test func oneIssuersKeyDoesNotSignForAnother() async throws {
        let other = try await IssuerBench()
        let settings = IssuerSettings(issuer: other.local.issuer, audiences: ["gatehouse"], userClaim: "preferred_username")
        let bench = try await IssuerBench(others: [settings])
        #expect(try await bench.principal(other.forge.es256(other.claims)).issuer == other.local.issuer)
        // Both publish a key named key-1.
        #expect(try await bench.code(other.forge.es256(bench.claims)) == .badSignature)
        #expect(try await bench.code(bench.forge.es256(other.claims)) == .badSignature)
    }

    @Test func unknownIssuersAreNotAsked() async throws {
        let bench = try await IssuerBench()
        let elsewhere = try await LocalIssuer.start(keys: bench.forge.jwks)
        #expect(try await bench.code(bench.forge.es256(goodClaims(elsewhere.issuer))) == .unknownIssuer)
        #expect(elsewhere.fetches + elsewhere.discoveries == 0)
        #expect(try await bench.code(bench.forge.es256(goodClaims("", without: ["iss"]))) == .malformed)
    }

    @Test func headersThatMeanSomethingElseAreRefused() async throws {
        let bench = try await IssuerBench()
        let headers: [[String: Any]] = [
            ["typ": "logout+jwt"], ["typ": "secevent+jwt"], ["typ": "dpop+jwt"], ["typ": "JOSE"], ["typ": 1], ["crit": ["exp"]],
            ["crit": [String]()], ["enc": "A256GCM"], ["zip": "DEF"],
        ]
        for header in headers { #expect(try await bench.code(bench.forge.es256(bench.claims, header: header)) == .malformed) }
    }

    @Test func duplicateMembersAreRefused() async throws {
        let bench = try await IssuerBench()
        let claims = try bench.forge.json(bench.claims)
        let twice = claims.dropLast() + ",\"sub\":\"root\"}"
        let header = try bench.forge.json(["alg": "ES256", "kid": "key-1"])
        #expect(try await bench.code(bench.forge.es256(header: header, claims: claims)) == nil)
        #expect(try await bench.code(bench.forge.es256(header: header, claims: String(twice))) == .malformed)
        let headerTwice = "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"key-1\"}"
        #expect(try await bench.code(bench.forge.es256(header: headerTwice, claims: claims)) == .malformed)
    }

    @Test func anyChangedByteIsFound() async throws {
        let bench = try await IssuerBench()
        let token = try bench.forge.es256(bench.claims).reveal()
        var bytes = Array(token.utf8)
        for index in bytes.indices {
            let kept = bytes[index]
            bytes[index] = kept == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            if bytes[index] != kept {
                #expect(try await bench.code(Secret(String(decoding: bytes, as: UTF8.self))) != nil)
            }
            bytes[index] = kept
        }
    }

    @Test func formsThatAreNoTokenAreRefused() async throws {
        let bench = try await IssuerBench()
        let token = try bench.forge.es256(bench.claims).reveal()
        let forms = [
            "", ".", "..", "...", "a.b", "a.b.c", "password", token + ".", "." + token, token + "=", token + "\n", " " + token,
            token.replacingOccurrences(of: ".", with: ".."), String(token.dropLast()), "bnVsbA.bnVsbA.", "W10.W10.AA",
            "Bearer " + token,
        ]
        for form in forms { #expect(try await bench.code(Secret(form)) != nil, "accepted \(form.prefix(8))") }
        #expect(try await bench.code(Secret(String(repeating: "a", count: 65_537))) == .malformed)
        #expect(try await bench.code(Secret(String(repeating: ".", count: 65_536))) == .malformed)
        #expect(bench.local.fetches == 1 || bench.local.fetches == 0)
    }

    @Test func largeTokensUpToTheLimitAreRead() async throws {
        let bench = try await IssuerBench()
        let groups = (0..<1_000).map { "department-\($0)-with-a-long-name" }
        let token = try bench.forge.es256(goodClaims(bench.local.issuer, changed: ["groups": groups]))
        #expect(token.reveal().utf8.count > 40_000)
        #expect(try await bench.principal(token).groups.count == 1_000)
    }

    @Test func claimsAreCheckedAgainstTheClock() async throws {
        let bench = try await IssuerBench()
        let token = try bench.forge.es256(bench.claims)
        #expect(try await bench.code(token) == nil)
        bench.clock.advance(359)
        #expect(try await bench.code(token) == nil)
        bench.clock.advance(1)
        #expect(try await bench.code(token) == .expired)
        let later = TestClock.start + 9_000
        let early = goodClaims(bench.local.issuer, changed: ["nbf": later, "exp": later + 300])
        #expect(try await bench.code(bench.forge.es256(early)) == .notYetValid)
        #expect(
            try await bench.code(bench.forge.es256(goodClaims(bench.local.issuer, changed: ["aud": "x", "exp": later]))) == .wrongAudience)
    }

    @Test func settingsThatCannotBeUsedAreNamed() throws {
        func problem(_ change: (inout IssuerSettings) -> Void) -> String? {
            var settings = IssuerSettings(issuer: "https://a.example", audiences: ["gatehouse"])
            change(&settings)
            return settings.problem
        }
        #expect(problem { _ in } == nil)
        #expect(problem { $0.issuer = "http://a.example" }?.contains("https") == true)
        #expect(problem { $0.discovery = "http://a.example" } != nil)
        #expect(problem { $0.audiences = [] } != nil)
        #expect(problem { $0.algorithms = ["HS256"] }?.contains("HS256") == true)
        #expect(problem { $0.algorithms = ["none"] } != nil)
        let one = IssuerSettings(issuer: "https://a.example", audiences: ["gatehouse"])
        #expect(throws: OIDCAuthenticator.SettingsFailure.self) { try OIDCAuthenticator([one, one]) }
    }
}
