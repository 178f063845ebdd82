import Crypto
import CryptoExtras
import Foundation
import GatehouseCore

@testable import Identity

/// Makes tokens, good and bad, with keys of its own.
struct TokenForge: Sendable {
    let keyID: String
    let ec: P256.Signing.PrivateKey
    let rsa: _RSA.Signing.PrivateKey

    /// One for all: to make one takes a second.
    private static let rsaKey = Result { try _RSA.Signing.PrivateKey(keySize: .bits2048) }

    init(keyID: String = "key-1") throws {
        self.keyID = keyID
        ec = P256.Signing.PrivateKey()
        rsa = try Self.rsaKey.get()
    }

    /// The public keys, as members of a key set: `<keyID>` is the elliptic one, `<keyID>-rsa` the other.
    var jwks: [[String: Any]] {
        get throws {
            let point = ec.publicKey.rawRepresentation
            let numbers = try rsa.publicKey.getKeyPrimitives()
            return [
                [
                    "kty": "EC", "crv": "P-256", "kid": keyID, "use": "sig", "x": Base64URL.encode(point.prefix(32)),
                    "y": Base64URL.encode(point.suffix(32)),
                ],
                [
                    "kty": "RSA", "kid": keyID + "-rsa", "use": "sig", "n": Base64URL.encode(numbers.modulus),
                    "e": Base64URL.encode(numbers.publicExponent),
                ],
            ]
        }
    }

    /// ES256 over exactly these texts.
    func es256(header: String, claims: String) throws -> Secret {
        let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims.utf8)
        return Secret(signed + "." + Base64URL.encode(try ec.signature(for: Data(signed.utf8)).rawRepresentation))
    }

    func es256(_ claims: [String: Any], header: [String: Any] = [:]) throws -> Secret {
        let header = ["alg": "ES256", "typ": "JWT", "kid": keyID].merging(header) { $1 }
        return try es256(header: json(header), claims: json(claims))
    }

    func rs256(_ claims: [String: Any], header: [String: Any] = [:]) throws -> Secret {
        let header = ["alg": "RS256", "typ": "JWT", "kid": keyID + "-rsa"].merging(header) { $1 }
        let signed = Base64URL.encode(try json(header).utf8) + "." + Base64URL.encode(try json(claims).utf8)
        let signature = try rsa.signature(for: Data(signed.utf8), padding: .insecurePKCS1v1_5)
        return Secret(signed + "." + Base64URL.encode(signature.rawRepresentation))
    }

    func json(_ value: [String: Any]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys]), as: UTF8.self)
    }

    /// A token that is not signed by a public key at all.
    func unsigned(_ claims: [String: Any], algorithm: String, signature: (String) -> String) throws -> Secret {
        let header = try json(["alg": algorithm, "typ": "JWT", "kid": keyID])
        let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(try json(claims).utf8)
        return Secret(signed + "." + signature(signed))
    }
}

/// Claims that are right in every way for `issuer` at the test clock's start.
func goodClaims(_ issuer: String, changed: [String: Any] = [:], without: [String] = []) -> [String: Any] {
    var claims: [String: Any] = [
        "iss": issuer, "aud": "gatehouse", "sub": "user-1", "preferred_username": "alice", "groups": ["dba", "sre"],
        "iat": TestClock.start - 10, "nbf": TestClock.start - 10, "exp": TestClock.start + 300, "jti": "token-1",
    ]
    for (name, value) in changed { claims[name] = value }
    for name in without { claims[name] = nil }
    return claims
}
