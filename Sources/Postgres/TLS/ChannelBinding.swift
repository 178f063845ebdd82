import Crypto

/// Channel binding of type `tls-server-end-point` (RFC 5929 section 4).
enum ChannelBinding {
    /// The hash of a certificate by the hash of its own signature, SHA-256 where that is MD5 or SHA-1; nil where the
    /// signature has no hash, or one that is not known, or the certificate is not one.
    static func serverEndPoint(certificate der: [UInt8]) -> [UInt8]? {
        switch signatureHash(of: der) {
        case .sha256: Array(SHA256.hash(data: der))
        case .sha384: Array(SHA384.hash(data: der))
        case .sha512: Array(SHA512.hash(data: der))
        case nil: nil
        }
    }

    private enum Hash {
        case sha256, sha384, sha512
    }

    /// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, .. } (RFC 5280
    /// section 4.1).
    private static func signatureHash(of der: [UInt8]) -> Hash? {
        var outer = DERReader(der[...])
        guard var certificate = outer.enter(DERReader.sequence), certificate.enter(DERReader.sequence) != nil,
            var algorithm = certificate.enter(DERReader.sequence), let identifier = algorithm.enter(DERReader.objectIdentifier)
        else { return nil }
        switch Array(identifier.rest) {
        case pkcs1 + [4], pkcs1 + [5], pkcs1 + [11]: return .sha256  // RSA with MD5, SHA-1, SHA-256
        case pkcs1 + [12]: return .sha384
        case pkcs1 + [13]: return .sha512
        case pkcs1 + [10]: return pssHash(algorithm)
        case ecdsa + [1], ecdsa + [3, 2]: return .sha256  // ECDSA with SHA-1, SHA-256
        case ecdsa + [3, 3]: return .sha384
        case ecdsa + [3, 4]: return .sha512
        default: return nil
        }
    }

    /// RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, .. } (RFC 4055 section 3.1).
    private static func pssHash(_ algorithm: DERReader) -> Hash? {
        var algorithm = algorithm
        guard var parameters = algorithm.enter(DERReader.sequence) else { return nil }
        guard var tagged = parameters.enter(0xA0) else { return .sha256 }
        guard var hash = tagged.enter(DERReader.sequence), let identifier = hash.enter(DERReader.objectIdentifier) else { return nil }
        switch Array(identifier.rest) {
        case [0x2B, 0x0E, 0x03, 0x02, 0x1A], nistHash + [1]: return .sha256  // SHA-1, SHA-256
        case nistHash + [2]: return .sha384
        case nistHash + [3]: return .sha512
        default: return nil
        }
    }

    /// 1.2.840.113549.1.1
    private static let pkcs1: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01]
    /// 1.2.840.10045.4
    private static let ecdsa: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04]
    /// 2.16.840.1.101.3.4.2
    private static let nistHash: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02]
}

/// Walks over DER values, front to back, without ever reading past what is there (X.690 section 8.1).
struct DERReader {
    static let sequence: UInt8 = 0x30
    static let objectIdentifier: UInt8 = 0x06

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The content of the next value, which is passed; nil, with nothing passed, where it is not of that tag or is cut
    /// short.
    mutating func enter(_ tag: UInt8) -> DERReader? {
        var cursor = rest
        guard cursor.popFirst() == tag, let first = cursor.popFirst() else { return nil }
        var length = Int(first)
        if first >= 0x80 {
            // Three bytes of length are 16 MiB: more than any certificate.
            let bytes = Int(first & 0x7F)
            guard (1...3).contains(bytes), cursor.count >= bytes else { return nil }
            length = cursor.prefix(bytes).reduce(0) { $0 << 8 | Int($1) }
            cursor = cursor.dropFirst(bytes)
        }
        guard cursor.count >= length else { return nil }
        rest = cursor.dropFirst(length)
        return DERReader(cursor.prefix(length))
    }
}
