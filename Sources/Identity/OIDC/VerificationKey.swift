import JWTKit

/// One public key of an issuer, fit for some algorithms.
struct VerificationKey: Sendable {
    /// RFC 7518 section 3.3 asks for 2048 bits or more; above 8192 a check costs milliseconds of a peer's choosing.
    static let rsaModulusBytes = 256...1024

    let keyID: String?
    private let material: Material
    /// What the key set says the key is for; nil: any that fits its kind.
    private let algorithm: SignatureAlgorithm?

    private enum Material: Sendable, Hashable {
        case rsa(modulus: String, exponent: String)
        case ellipticCurve(name: String, x: String, y: String)
        case edwards(x: String)
    }

    /// Reads a key (RFC 7517 section 4); nil for what is not a public key that can check a signature here. Key sets hold
    /// keys for other purposes too, so that is not an error.
    init?(_ key: JSONValue) {
        if let use = key["use"], use.string != "sig" { return nil }
        if let operations = key["key_ops"], operations.strings?.contains("verify") != true { return nil }
        if let name = key["alg"] {
            guard let algorithm = name.string.flatMap(SignatureAlgorithm.init(rawValue:)) else { return nil }
            self.algorithm = algorithm
        } else {
            algorithm = nil
        }
        if let member = key["kid"] {
            guard let text = member.string, text.utf8.count <= CompactToken.maximumKeyIDBytes else { return nil }
            keyID = text
        } else {
            keyID = nil
        }
        guard let material = Self.material(key) else { return nil }
        self.material = material
        if let algorithm, !fits(algorithm) { return nil }
    }

    private static func material(_ key: JSONValue) -> Material? {
        func bytes(_ member: String) -> (text: String, count: Int)? {
            guard let text = key[member]?.string, let bytes = Base64URL.decode(Array(text.utf8)) else { return nil }
            return (text, bytes.count)
        }
        switch key["kty"]?.string {
        case "RSA":
            guard let modulus = bytes("n"), let exponent = bytes("e") else { return nil }
            guard rsaModulusBytes.contains(modulus.count), (1...4).contains(exponent.count) else { return nil }
            return .rsa(modulus: modulus.text, exponent: exponent.text)
        case "EC":
            guard let curve = key["crv"]?.string, let x = bytes("x"), let y = bytes("y") else { return nil }
            for algorithm in SignatureAlgorithm.allCases {
                guard case .ellipticCurve(curve, let count) = algorithm.keyKind else { continue }
                return x.count == count && y.count == count ? .ellipticCurve(name: curve, x: x.text, y: y.text) : nil
            }
            return nil
        case "OKP":
            guard key["crv"]?.string == "Ed25519", let x = bytes("x"), x.count == 32 else { return nil }
            return .edwards(x: x.text)
        default:
            return nil
        }
    }

    /// Whether this key may check signatures of `algorithm`: of the right kind, and not kept for another one.
    func fits(_ algorithm: SignatureAlgorithm) -> Bool {
        if let own = self.algorithm, own != algorithm { return false }
        switch (material, algorithm.keyKind) {
        case (.rsa, .rsa), (.edwards, .edwards): return true
        case (.ellipticCurve(let name, _, _), .ellipticCurve(let wanted, _)): return name == wanted
        default: return false
        }
    }

    /// Whether `signature` is this key's over `bytes`. False also when the key or the signature is not well formed.
    func verifies(_ signature: [UInt8], over bytes: [UInt8], with algorithm: SignatureAlgorithm) async -> Bool {
        guard fits(algorithm), let name = JWK.Algorithm(rawValue: algorithm.rawValue) else { return false }
        let identifier = JWKIdentifier(string: "key")
        let key: JWK
        switch material {
        case .rsa(let modulus, let exponent):
            key = .rsa(name, identifier: identifier, modulus: modulus, exponent: exponent)
        case .ellipticCurve(let curve, let x, let y):
            key = .ecdsa(name, identifier: identifier, x: x, y: y, curve: ECDSACurve(rawValue: curve))
        case .edwards(let x):
            key = .octetKeyPair(name, identifier: identifier, x: x, y: nil, curve: .ed25519)
        }
        do {
            let keys = JWTKeyCollection()
            try await keys.add(jwk: key)
            return try await keys.getKey(for: identifier, alg: algorithm.rawValue).verify(signature, signs: bytes)
        } catch {
            return false
        }
    }
}

/// The keys that an issuer publishes (RFC 7517 section 5), those of use here.
struct KeySet: Sendable {
    /// Issuers publish two to ten.
    static let maximumKeys = 128

    private var keys: [VerificationKey]

    struct Failure: Error {
        var reason: String
    }

    init(json bytes: [UInt8]) throws(Failure) {
        let document: JSONValue
        do {
            document = try JSONParser.parse(bytes)
        } catch {
            throw Failure(reason: "the key set is not JSON: \(error.reason)")
        }
        guard let members = document["keys"]?.array else { throw Failure(reason: "the key set has no list of keys") }
        guard members.count <= Self.maximumKeys else { throw Failure(reason: "the key set has more than \(Self.maximumKeys) keys") }
        keys = members.compactMap(VerificationKey.init)
        guard !keys.isEmpty else { throw Failure(reason: "the key set has no key that can check a signature") }
    }

    /// The keys that may have made a signature; a token without a key id can only mean the one that fits (OpenID Connect Core
    /// 1.0 section 10.1), so several make none.
    func candidates(keyID: String?, algorithm: SignatureAlgorithm) -> [VerificationKey] {
        let fitting = keys.filter { $0.fits(algorithm) }
        if let keyID { return fitting.filter { $0.keyID == keyID } }
        return fitting.count == 1 ? fitting : []
    }
}
