import Crypto
import GatehouseCore

/// A session's keys, wrapped to those who may read it.
public struct SessionKeys: Sendable, Hashable {
    /// Of the whole recording, to each recipient; empty where it is not sealed.
    public var recording: [WrappedKey]
    /// Of what masks took out, to each break-glass recipient; nil where nothing of it is kept.
    public var originals: [WrappedKey]?

    public init(recording: [WrappedKey] = [], originals: [WrappedKey]? = nil) {
        self.recording = recording
        self.originals = originals
    }

    var isEmpty: Bool { recording.isEmpty && originals == nil }
}

extension SegmentExtension {
    var sessionKeys: SessionKeys { SessionKeys(recording: keys, originals: originalKeys) }
}

/// The key that what masks take out of one session is sealed with: another one than the recording's, so that who reads the recording does
/// not thereby read what was masked in it. It is in the memory of the session that seals with it, and otherwise only wrapped.
struct OriginalsKey: Sendable {
    let session: SessionID
    private let root: SymmetricKey

    init(session: SessionID, root: SymmetricKey = SymmetricKey(size: .bits256)) {
        self.session = session
        self.root = root
    }

    func wrapped(to recipients: [RecipientPublicKey]) throws -> [WrappedKey] {
        try recipients.map { try $0.wrap(root, of: session, for: .originals) }
    }

    func cipher(seals: Bool) throws -> BatchCipher {
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: root, salt: session.bytes, info: Array("gatehouse originals 1".utf8), outputByteCount: 32)
        return try BatchCipher(key: key, seals: seals)
    }
}

/// Seals a session's originals.
final class OriginalSealer {
    private let cipher: BatchCipher

    init(_ key: OriginalsKey) throws {
        cipher = try key.cipher(seals: true)
    }

    /// What stands behind the prefix of the frame with that sequence.
    func seal(
        _ original: UnsafeRawBufferPointer, sequence: UInt64, prefix: SealedOriginal.Prefix, _ compressor: ZstdCompressor
    ) throws -> [UInt8] {
        // Not kept: it holds clear values, which are not to lie about longer than they have to.
        var compressed: [UInt8] = []
        let size = try compressor.compress(original, into: &compressed)
        var sealed = [UInt8](repeating: 0, count: size + SessionKey.tagSize)
        try prefix.withBytes { prefix in
            try compressed.withUnsafeBytes { plain in
                try sealed.withUnsafeMutableBytes { target in
                    guard let base = target.baseAddress else { throw SealingError() }
                    try cipher.seal(plain, stream: .originals, sequence: sequence, header: prefix, to: base)
                }
            }
        }
        return sealed
    }
}
