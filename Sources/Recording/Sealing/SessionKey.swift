import CGatehouse
import Crypto
import Foundation
import GatehouseCore
import Synchronization

/// The key that everything recorded of one session is sealed with. It exists in the gateway's memory while the session lives, and
/// otherwise only wrapped to recipients.
struct SessionKey: Sendable {
    let session: SessionID
    private let root: SymmetricKey
    private let journal: SymmetricKey

    init(session: SessionID, root: SymmetricKey = SymmetricKey(size: .bits256)) {
        self.session = session
        self.root = root
        journal = Self.derive(root, salt: session.bytes, "gatehouse journal 2")
    }

    private static func derive(_ root: SymmetricKey, salt: [UInt8], _ purpose: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: root, salt: salt, info: Array(purpose.utf8), outputByteCount: 32)
    }

    func wrapped(to recipients: [RecipientPublicKey]) throws -> [WrappedKey] {
        try recipients.map { try $0.wrap(root, of: session) }
    }

    // MARK: Batches of the journal

    static let tagSize = 16

    /// What seals the session's batches, or opens them.
    func batchCipher(seals: Bool) throws -> BatchCipher { try BatchCipher(key: journal, seals: seals) }

    // MARK: Payloads of segments

    /// The key of one segment. Its salt is random: a segment that has to be made again is sealed under another key.
    func segmentKey(salt: [UInt8]) -> SegmentKey {
        SegmentKey(key: Self.derive(root, salt: salt, "gatehouse segment 2"))
    }
}

/// What a nonce is of.
enum SealedStream: UInt32 {
    /// A batch, by the sequence of its first frame.
    case batches = 0
    /// An original, by the sequence of its frame.
    case originals = 1
}

/// Seals or opens batches with one expanded key: they are small and many, and sessions wait for each to be sealed.
final class BatchCipher {
    private let context: UnsafeMutableRawPointer

    init(key: SymmetricKey, seals: Bool) throws {
        let made = key.withUnsafeBytes { bytes in
            bytes.count == 32 ? gatehouse_gcm_new(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), seals ? 1 : 0) : nil
        }
        guard let made else { throw SealingError() }
        context = made
    }

    deinit { gatehouse_gcm_free(context) }

    /// Writes `plain`, sealed, and the tag to `target`. A session's sequence numbers are never used twice in a stream, so that the nonce made
    /// of both is not either.
    func seal(
        _ plain: UnsafeRawBufferPointer, stream: SealedStream, sequence: UInt64, header: UnsafeRawBufferPointer,
        to target: UnsafeMutableRawPointer
    ) throws {
        let isDone = withNonce(stream, sequence) {
            gatehouse_gcm_seal(context, $0, header.baseAddress, header.count, plain.baseAddress, plain.count, target)
        }
        guard isDone == 1 else { throw SealingError() }
    }

    /// Appends what was sealed to `output`; false, and nothing appended, when it is not what the key sealed under that header.
    func open(
        _ sealed: UnsafeRawBufferPointer, stream: SealedStream, sequence: UInt64, header: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) -> Bool {
        guard sealed.count >= SessionKey.tagSize else { return false }
        let size = sealed.count - SessionKey.tagSize
        var isOpen = false
        output.append(addingCapacity: size) { span in
            span.withUnsafeMutableBufferPointer { room, initialized in
                guard room.count >= size else { return }
                isOpen =
                    withNonce(stream, sequence) {
                        gatehouse_gcm_open(context, $0, header.baseAddress, header.count, sealed.baseAddress, size, room.baseAddress)
                    } == 1
                if isOpen { initialized = size }
            }
        }
        return isOpen
    }

    private func withNonce(_ stream: SealedStream, _ number: UInt64, _ body: (UnsafePointer<UInt8>?) -> Int32) -> Int32 {
        let nonce = (
            stream.rawValue.bigEndian, UInt32(truncatingIfNeeded: number >> 32).bigEndian, UInt32(truncatingIfNeeded: number).bigEndian
        )
        return withUnsafeBytes(of: nonce) { body($0.baseAddress?.assumingMemoryBound(to: UInt8.self)) }
    }
}

/// The cipher did not do what it was asked to.
struct SealingError: Error, Hashable {}

/// Seals a segment's payload in chunks, so that it can be read in constant memory (the STREAM construction: number and last mark of
/// a chunk are authenticated).
struct SegmentKey {
    static let chunkSize = 256 << 10
    static let saltSize = 32

    fileprivate let key: SymmetricKey

    private func nonce(_ index: UInt64) throws -> AES.GCM.Nonce {
        try withUnsafeBytes(of: (UInt32(0), index.bigEndian.words32)) { try AES.GCM.Nonce(data: $0) }
    }

    private func additional(_ header: [UInt8], _ index: UInt64, isLast: Bool) -> [UInt8] {
        var bytes = header
        bytes.append(bigEndian: index)
        bytes.append(isLast ? 1 : 0)
        return bytes
    }

    /// - Parameter header: SHA-256 of the segment's header and extension.
    func seal(_ chunk: UnsafeRawBufferPointer, index: UInt64, isLast: Bool, header: [UInt8], into output: inout [UInt8]) throws {
        let box = try AES.GCM.seal(
            chunk, using: key, nonce: nonce(index), authenticating: additional(header, index, isLast: isLast))
        output.append(contentsOf: box.ciphertext)
        output.append(contentsOf: box.tag)
    }

    /// nil when it is not what this key sealed there.
    func open(_ sealed: UnsafeRawBufferPointer, index: UInt64, isLast: Bool, header: [UInt8]) -> Data? {
        guard sealed.count >= SessionKey.tagSize, let nonce = try? nonce(index) else { return nil }
        let middle = sealed.count - SessionKey.tagSize
        guard
            let box = try? AES.GCM.SealedBox(
                nonce: nonce, ciphertext: UnsafeRawBufferPointer(rebasing: sealed[..<middle]),
                tag: UnsafeRawBufferPointer(rebasing: sealed[middle...]))
        else { return nil }
        return try? AES.GCM.open(box, using: key, authenticating: additional(header, index, isLast: isLast))
    }
}

extension UInt64 {
    /// Itself as it lies in memory, in halves that need no alignment of eight.
    fileprivate var words32: (UInt32, UInt32) {
        withUnsafeBytes(of: self) { ($0.loadUnaligned(as: UInt32.self), $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) }
    }
}

/// The private keys that a reader was given.
public struct RecipientKeys: Sendable {
    private let keys: [String: RecipientPrivateKey]

    public init(_ keys: [RecipientPrivateKey] = []) {
        self.keys = Dictionary(keys.map { ($0.publicKey.id, $0) }) { first, _ in first }
    }

    public var isEmpty: Bool { keys.isEmpty }

    /// These and more.
    public func adding(_ more: [RecipientPrivateKey]) -> RecipientKeys { RecipientKeys(Array(keys.values) + more) }

    /// nil when none of the keys is one that the session is sealed to, or the wrapping is not sound.
    func sessionKey(of session: SessionID, _ wrapped: [WrappedKey]) -> SessionKey? {
        for candidate in wrapped {
            if let key = keys[candidate.recipient]?.unwrap(candidate, of: session) { return SessionKey(session: session, root: key) }
        }
        return nil
    }

    /// The key of a session's originals; nil when none of the keys is one that they are sealed to.
    func originalsKey(of session: SessionID, _ wrapped: [WrappedKey]) -> OriginalsKey? {
        for candidate in wrapped {
            guard let key = keys[candidate.recipient]?.unwrap(candidate, of: session, for: .originals) else { continue }
            return OriginalsKey(session: session, root: key)
        }
        return nil
    }
}

/// What new sessions are sealed to; shared by all journals, changed by a reload.
public final class Sealing: Sendable {
    private struct State {
        var recipients: [RecipientPublicKey]
        var breakGlass: [RecipientPublicKey]
        var live: [SessionID: SessionKey] = [:]
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - recipients: empty leaves recordings unsealed.
    ///   - breakGlass: whom what masks take out is sealed to; empty keeps nothing of it.
    public init(recipients: [RecipientPublicKey] = [], breakGlass: [RecipientPublicKey] = []) {
        state = Mutex(State(recipients: recipients, breakGlass: breakGlass))
    }

    public var recipients: [RecipientPublicKey] {
        get { state.withLock(\.recipients) }
        set { state.withLock { $0.recipients = newValue } }
    }

    public var breakGlass: [RecipientPublicKey] {
        get { state.withLock(\.breakGlass) }
        set { state.withLock { $0.breakGlass = newValue } }
    }

    /// The keys of a new session.
    struct Begun {
        /// nil when there are no recipients.
        var key: SessionKey?
        /// nil when there are no break-glass recipients. Only the session's own stream has it.
        var originals: OriginalsKey?
        var wrapped = SessionKeys()
    }

    /// Makes the keys of a new session.
    func begin(_ session: SessionID) throws -> Begun {
        let (recipients, breakGlass) = state.withLock { ($0.recipients, $0.breakGlass) }
        var begun = Begun()
        if !breakGlass.isEmpty {
            let key = OriginalsKey(session: session)
            begun.originals = key
            begun.wrapped.originals = try key.wrapped(to: breakGlass)
        }
        guard !recipients.isEmpty else { return begun }
        let key = SessionKey(session: session)
        begun.key = key
        begun.wrapped.recording = try key.wrapped(to: recipients)
        state.withLock { $0.live[session] = key }
        return begun
    }

    /// The key of a session that this process began and has not finished.
    func key(of session: SessionID) -> SessionKey? { state.withLock { $0.live[session] } }

    /// Forgets a session's key: all of it is in the store.
    func end(_ session: SessionID) { state.withLock { $0.live[session] = nil } }
}
