import Crypto
import Foundation
public import GatehouseCore

/// HPKE (RFC 9180) base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
private let suite = HPKE.Ciphersuite(kem: .Curve25519_HKDF_SHA256, kdf: .HKDF_SHA256, aead: .AES_GCM_256)

/// What a wrapped key is for: none opens as the other.
enum WrappingPurpose: String {
    case recording = "gatehouse session key 1"
    /// What masks took out.
    case originals = "gatehouse originals key 1"

    var info: Data { Data(rawValue.utf8) }
}

/// A public key that session keys are wrapped to: whoever has its private half can read the recordings.
public struct RecipientPublicKey: Sendable, Hashable {
    /// SHA-256 of the 32 bytes of the key, in hexadecimal.
    public let id: String
    let raw: [UInt8]

    init?(raw: [UInt8]) {
        guard raw.count == 32 else { return nil }
        self.raw = raw
        id = Array(SHA256.hash(data: raw)).hexadecimal
    }

    /// Reads the line that a public file holds: `gatehouse-recipient-x25519 <key id> <key in hexadecimal>`.
    public init?(line: String) {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count == 3, words[0] == "gatehouse-recipient-x25519", let raw = [UInt8](hexadecimal: words[2]) else { return nil }
        self.init(raw: raw)
        guard id == words[1] else { return nil }
    }

    public var line: String { "gatehouse-recipient-x25519 \(id) \(raw.hexadecimal)\n" }

    /// Seals a session's key to this recipient; only for that session does it open again.
    func wrap(_ key: SymmetricKey, of session: SessionID, for purpose: WrappingPurpose = .recording) throws -> WrappedKey {
        let recipient = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: raw)
        var sender = try HPKE.Sender(recipientKey: recipient, ciphersuite: suite, info: purpose.info)
        let sealed = try sender.seal(key.withUnsafeBytes { Data($0) }, authenticating: Data(session.bytes))
        return WrappedKey(recipient: id, key: (Array(sender.encapsulatedKey) + Array(sealed)).hexadecimal)
    }
}

/// A session's key, sealed to one recipient.
public struct WrappedKey: Sendable, Hashable, Codable {
    /// The recipient's key id.
    public var recipient: String
    /// HPKE's encapsulated key (32 bytes), then the sealed session key (48 bytes), in hexadecimal.
    public var key: String

    static let size = 80
}

/// The private half of a recipient's key.
public struct RecipientPrivateKey: Sendable {
    private let key: Curve25519.KeyAgreement.PrivateKey
    public let publicKey: RecipientPublicKey

    /// A new key.
    public init() throws {
        try self.init(Curve25519.KeyAgreement.PrivateKey())
    }

    /// Reads what a private key file holds: `gatehouse-recipient-key-x25519 <key in hexadecimal>`.
    /// - Throws: `KeyFileError` when it is not of this form.
    public init(line: Secret) throws(KeyFileError) {
        let words = line.reveal().split(whereSeparator: \.isWhitespace)
        guard words.count == 2, words[0] == "gatehouse-recipient-key-x25519", let raw = [UInt8](hexadecimal: words[1]), raw.count == 32,
            let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: raw)
        else { throw KeyFileError(message: "this is no private key of a recipient, as `gatehouse keys generate` makes one") }
        do {
            try self.init(key)
        } catch {
            throw KeyFileError(message: "the private key cannot be used")
        }
    }

    private init(_ key: Curve25519.KeyAgreement.PrivateKey) throws {
        self.key = key
        guard let known = RecipientPublicKey(raw: Array(key.publicKey.rawRepresentation)) else {
            throw KeyFileError(message: "the private key cannot be used")
        }
        publicKey = known
    }

    /// What a private key file holds.
    public var line: Secret { Secret("gatehouse-recipient-key-x25519 \(Array(key.rawRepresentation).hexadecimal)\n") }

    func unwrap(_ wrapped: WrappedKey, of session: SessionID, for purpose: WrappingPurpose = .recording) -> SymmetricKey? {
        guard let bytes = [UInt8](hexadecimal: wrapped.key), bytes.count == WrappedKey.size,
            var receiver = try? HPKE.Recipient(
                privateKey: key, ciphersuite: suite, info: purpose.info, encapsulatedKey: Data(bytes[..<32])),
            let opened = try? receiver.open(Data(bytes[32...]), authenticating: Data(session.bytes)), opened.count == 32
        else { return nil }
        return SymmetricKey(data: opened)
    }
}

extension SessionID {
    /// The sixteen bytes in network order.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: high)
        bytes.append(bigEndian: low)
        return bytes
    }
}
