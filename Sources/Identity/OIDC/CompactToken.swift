import GatehouseCore

/// A JWS in compact form (RFC 7515 section 7.1), taken apart and not yet believed.
struct CompactToken: Sendable {
    /// A PostgreSQL password message is bounded by the same (`Limits.authenticationMessageBytes`).
    static let maximumBytes = 65_536
    /// Key ids are a few dozen characters with every issuer known; this bounds what is kept of unknown ones.
    static let maximumKeyIDBytes = 512

    var algorithm: SignatureAlgorithm
    var keyID: String?
    /// The claims; parsed, since the issuer must be known before the signature can be checked.
    var claims: JSONValue
    var signature: [UInt8]
    /// What the signature is over: the first two parts and the dot between them (RFC 7515 section 5.2).
    var signedBytes: [UInt8]

    init(_ secret: Secret) throws(AuthenticationFailure) {
        let bytes = Array(secret.reveal().utf8)
        guard bytes.count <= Self.maximumBytes else { throw Self.malformed("longer than \(Self.maximumBytes) bytes") }
        let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw AuthenticationFailure(
                .malformed, client: "The password must be an access or ID token (a JWT), or a Gatehouse ticket.",
                audit: "the secret is neither a ticket nor a JWT")
        }
        let header = try Self.object(parts[0], "header")
        claims = try Self.object(parts[1], "claims")
        guard let signature = Base64URL.decode(parts[2]) else { throw Self.malformed("the signature is not base64url") }
        self.signature = signature
        signedBytes = Array(bytes[..<parts[1].endIndex])
        algorithm = try Self.algorithm(header)
        keyID = try Self.keyID(header)
        try Self.checkUse(header)
    }

    private static func object(_ part: ArraySlice<UInt8>, _ name: String) throws(AuthenticationFailure) -> JSONValue {
        guard let bytes = Base64URL.decode(part) else { throw malformed("the \(name) is not base64url") }
        do {
            let value = try JSONParser.parse(bytes)
            guard value.object != nil else { throw malformed("the \(name) is not a JSON object") }
            return value
        } catch let failure as JSONParser.Failure {
            throw malformed("the \(name) is not JSON: \(failure.reason)")
        } catch let failure as AuthenticationFailure {
            throw failure
        } catch {
            throw malformed("the \(name) is not JSON")
        }
    }

    private static func algorithm(_ header: JSONValue) throws(AuthenticationFailure) -> SignatureAlgorithm {
        guard let name = header["alg"]?.string else { throw malformed("the header names no algorithm") }
        guard let algorithm = SignatureAlgorithm(rawValue: name) else {
            throw AuthenticationFailure(
                .algorithmNotAllowed, client: "The token's signature algorithm is not accepted here.",
                audit: "algorithm \(quoted(name, limit: 32)) is never accepted")
        }
        return algorithm
    }

    private static func keyID(_ header: JSONValue) throws(AuthenticationFailure) -> String? {
        guard let member = header["kid"] else { return nil }
        guard let keyID = member.string, keyID.utf8.count <= maximumKeyIDBytes else { throw malformed("the key id is not usable") }
        return keyID
    }

    /// Refuses tokens that were made for something else. `jwk`, `jku`, `x5u` and `x5c` are not looked at: keys come from the
    /// issuer alone (RFC 8725 section 3.10).
    private static func checkUse(_ header: JSONValue) throws(AuthenticationFailure) {
        // RFC 7515 section 4.1.11: extensions that must be understood, and none is.
        guard header["crit"] == nil else { throw malformed("the header has critical extensions") }
        guard header["enc"] == nil, header["zip"] == nil else { throw malformed("the token is encrypted or compressed") }
        guard let type = header["typ"] else { return }
        // RFC 8725 section 3.11. Logout tokens, security events, DPoP proofs and the like have their own types.
        let accepted: Set<String> = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"]
        guard let name = type.string, accepted.contains(name.lowercased()) else {
            throw malformed("the token's type \(quoted(type.string ?? "?", limit: 32)) is not an access or ID token's")
        }
    }

    static func malformed(_ reason: String) -> AuthenticationFailure {
        AuthenticationFailure(.malformed, client: "The token cannot be used: \(reason).", audit: reason)
    }
}
