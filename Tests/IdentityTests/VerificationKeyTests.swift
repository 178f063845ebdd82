import Crypto
import Foundation
import Testing

@testable import Identity

@Suite struct VerificationKeyTests {
    private let forge: TokenForge

    init() throws { forge = try TokenForge() }

    private func key(_ change: (inout [String: Any]) -> Void, rsa: Bool = false) throws -> VerificationKey? {
        var members = try forge.jwks[rsa ? 1 : 0]
        change(&members)
        return VerificationKey(try JSONParser.parse(Array(forge.json(members).utf8)))
    }

    @Test func readsKeysForSignaturesOnly() throws {
        #expect(try key { _ in } != nil)
        #expect(try key { $0["use"] = "enc" } == nil)
        #expect(try key { $0["use"] = 1 } == nil)
        #expect(try key { $0["key_ops"] = ["sign"] } == nil)
        #expect(try key { $0["key_ops"] = ["verify"] } != nil)
        #expect(try key { $0["alg"] = "ES384" } == nil)
        #expect(try key { $0["alg"] = "HS256" } == nil)
        #expect(try key { $0["kty"] = "oct" } == nil)
        #expect(try key { $0["crv"] = "P-384" } == nil)
        #expect(try key { $0["crv"] = "secp256k1" } == nil)
        #expect(try key { $0["x"] = "AAAA" } == nil)
        #expect(try key { $0["x"] = nil } == nil)
        #expect(try key { $0["kid"] = String(repeating: "k", count: 513) } == nil)
    }

    @Test func refusesWeakAndMonstrousRSA() throws {
        #expect(try key({ _ in }, rsa: true) != nil)
        #expect(try key({ $0["n"] = Base64URL.encode([UInt8](repeating: 0xFF, count: 128)) }, rsa: true) == nil)
        #expect(try key({ $0["n"] = Base64URL.encode([UInt8](repeating: 0xFF, count: 4096)) }, rsa: true) == nil)
        #expect(try key({ $0["e"] = Base64URL.encode([UInt8](repeating: 0xFF, count: 9)) }, rsa: true) == nil)
        #expect(try key({ $0["e"] = "" }, rsa: true) == nil)
    }

    @Test func aKeyChecksItsOwnKindOnly() throws {
        let ec = try #require(try key { _ in })
        let rsa = try #require(try key({ _ in }, rsa: true))
        #expect(SignatureAlgorithm.allCases.filter(ec.fits) == [.es256])
        #expect(SignatureAlgorithm.allCases.filter(rsa.fits) == [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512])
        let narrow = try #require(try key({ $0["alg"] = "PS256" }, rsa: true))
        #expect(SignatureAlgorithm.allCases.filter(narrow.fits) == [.ps256])
    }

    @Test func pointsOffTheCurveVerifyNothing() async throws {
        let off = try #require(try key { $0["y"] = Base64URL.encode([UInt8](repeating: 7, count: 32)) })
        let good = try #require(try key { _ in })
        let signature = Array(try forge.ec.signature(for: Data("text".utf8)).rawRepresentation)
        #expect(await good.verifies(signature, over: Array("text".utf8), with: .es256))
        #expect(await !good.verifies(signature, over: Array("texT".utf8), with: .es256))
        #expect(await !good.verifies([], over: Array("text".utf8), with: .es256))
        #expect(await !good.verifies([UInt8](repeating: 0, count: 64), over: Array("text".utf8), with: .es256))
        #expect(await !off.verifies(signature, over: Array("text".utf8), with: .es256))
    }

    @Test func everyAlgorithmChecksARealSignature() async throws {
        let text = Array("signed".utf8)
        let p384 = P384.Signing.PrivateKey()
        let p521 = P521.Signing.PrivateKey()
        let edwards = Curve25519.Signing.PrivateKey()
        func ec(_ curve: String, _ raw: Data) throws -> VerificationKey {
            let half = raw.count / 2
            let members = ["kty": "EC", "crv": curve, "x": Base64URL.encode(raw.prefix(half)), "y": Base64URL.encode(raw.suffix(half))]
            return try #require(VerificationKey(try JSONParser.parse(Array(forge.json(members).utf8))))
        }
        #expect(
            try await ec("P-384", p384.publicKey.rawRepresentation).verifies(
                Array(p384.signature(for: Data(text)).rawRepresentation), over: text, with: .es384))
        #expect(
            try await ec("P-521", p521.publicKey.rawRepresentation).verifies(
                Array(p521.signature(for: Data(text)).rawRepresentation), over: text, with: .es512))
        let okp = ["kty": "OKP", "crv": "Ed25519", "x": Base64URL.encode(edwards.publicKey.rawRepresentation)]
        let key = try #require(VerificationKey(try JSONParser.parse(Array(forge.json(okp).utf8))))
        #expect(await key.verifies(Array(try edwards.signature(for: Data(text))), over: text, with: .edDSA))
        let rsa = try #require(try self.key({ _ in }, rsa: true))
        let digest = SHA512.hash(data: Data(text))
        #expect(await rsa.verifies(Array(try forge.rsa.signature(for: digest, padding: .PSS).rawRepresentation), over: text, with: .ps512))
        #expect(
            await rsa.verifies(
                Array(try forge.rsa.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation), over: text, with: .rs512))
        #expect(
            await !rsa.verifies(
                Array(try forge.rsa.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation), over: text, with: .ps512))
    }

    @Test func keySetsAreBoundedAndSkipWhatTheyCannotUse() throws {
        func set(_ keys: [[String: Any]]) throws -> KeySet { try KeySet(json: Array(forge.json(["keys": keys]).utf8)) }
        let jwks = try forge.jwks
        #expect(try set(jwks + [["kty": "oct", "k": "AAAA"]]).candidates(keyID: "key-1", algorithm: .es256).count == 1)
        #expect(throws: KeySet.Failure.self) { try set([]) }
        #expect(throws: KeySet.Failure.self) { try set([["kty": "oct", "k": "AAAA"]]) }
        #expect(throws: KeySet.Failure.self) { try set(Array(repeating: jwks[0], count: 129)) }
        #expect(throws: KeySet.Failure.self) { try KeySet(json: Array("<html>".utf8)) }
        #expect(throws: KeySet.Failure.self) { try KeySet(json: Array("{\"keys\":{}}".utf8)) }
        // Without a key id only the single one that fits can be meant.
        #expect(try set(jwks).candidates(keyID: nil, algorithm: .es256).count == 1)
        #expect(try set(jwks + [try TokenForge(keyID: "b").jwks[0]]).candidates(keyID: nil, algorithm: .es256).isEmpty)
    }
}
