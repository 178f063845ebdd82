/// The JWS algorithms that can be allowed: public-key signatures only. `none` and `HS*` cannot even be said (RFC 8725
/// sections 3.1 and 3.2: a verifier that takes HS256 can be given a token "signed" with the issuer's public key).
enum SignatureAlgorithm: String, Sendable, CaseIterable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case edDSA = "EdDSA"

    /// What kind of key an algorithm works with (RFC 7518 section 6.1, RFC 8037 section 2).
    enum KeyKind: Sendable, Hashable {
        case rsa
        /// A curve by its JOSE name, and the bytes of one coordinate.
        case ellipticCurve(String, coordinateBytes: Int)
        case edwards
    }

    var keyKind: KeyKind {
        switch self {
        case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: .rsa
        case .es256: .ellipticCurve("P-256", coordinateBytes: 32)
        case .es384: .ellipticCurve("P-384", coordinateBytes: 48)
        case .es512: .ellipticCurve("P-521", coordinateBytes: 66)
        case .edDSA: .edwards
        }
    }
}
