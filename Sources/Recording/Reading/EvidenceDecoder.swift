public import GatehouseCore

/// Makes frames of a session's evidence, checking checksums, seals, hash chain and order on the way. A segment's frames are handed out
/// before its last byte has been hashed; what was read counts as verified once all of it has been. Signatures are the `Verifier`'s
/// business.
public final class EvidenceDecoder {
    private let session: SessionID
    private let keys: RecipientKeys
    private let isFollowing: Bool
    private var nextOrdinal: UInt32 = 1
    private var decoder: SegmentDecoder?
    private var file = ""
    private var previous = [UInt8](repeating: 0, count: 32)
    private var wrapped: [WrappedKey] = []
    /// The key of the session's originals, wrapped to break-glass recipients, as far as was read; empty where nothing is kept.
    public private(set) var originalKeys: [WrappedKey] = []
    private var cipher: BatchCipher?
    private var frames: [Frame] = []
    private var position = 0
    private var lastSequence: UInt64 = 0

    /// Places of the sequence at which frames are missing, as far as was read.
    public private(set) var gaps: [Manifest.Gap] = []

    /// - Parameters:
    ///   - keys: the private keys to open it with.
    ///   - isFollowing: the session goes on: what came as batches may come again in segments, and those with nothing new are left out.
    public init(session: SessionID, keys: RecipientKeys = RecipientKeys(), isFollowing: Bool = false) {
        self.isFollowing = isFollowing
        self.session = session
        self.keys = keys
    }

    /// Takes the next piece. Only once `next` has returned nil.
    /// - Throws: `Finding` when it is not sound, or cannot be opened with the keys.
    public func take(_ piece: EvidencePiece) throws {
        switch piece {
        case .segment(let ordinal, let object): decoder = try open(ordinal, object)
        case .batch(let record): try record.withUnsafeBytes { try take(batch: $0) }
        }
    }

    /// The next frame of what was taken; nil when that is all.
    /// - Throws: `Finding` when the evidence is not sound; nothing more can be read then.
    public func next() throws -> Frame? {
        if let decoder {
            do {
                while let frame = try decoder.next() {
                    if isFollowing, frame.session == session, frame.sequence <= lastSequence { continue }
                    return try inOrder(frame)
                }
            } catch let fault as SegmentFault {
                throw Finding(fault, session: session, file: file)
            }
            previous = decoder.hash ?? []
            self.decoder = nil
        }
        while position < frames.count {
            let frame = frames[position]
            position += 1
            // What the store has was handed out already.
            if frame.sequence > lastSequence {
                advance(to: frame.sequence)
                return frame
            }
        }
        frames = []
        position = 0
        return nil
    }

    private func open(_ ordinal: UInt32, _ object: any StoredObject) throws -> SegmentDecoder {
        file = ObjectName.segmentFile(ordinal)
        do {
            let decoder = try SegmentDecoder(object, keys: keys)
            guard decoder.header.session == session else {
                throw Finding(
                    kind: .foreignSegment, session: session, file: file, message: "it belongs to session \(decoder.header.session)")
            }
            guard decoder.header.ordinal == ordinal else {
                throw Finding(kind: .segmentMisplaced, session: session, file: file, message: "it is number \(decoder.header.ordinal)")
            }
            let isNext = ordinal == nextOrdinal
            nextOrdinal = ordinal &+ 1
            guard decoder.header.previous == previous || (isFollowing && !isNext) else {
                throw Finding(kind: .segmentReplaced, session: session, file: file, message: "it does not follow the one before it")
            }
            guard decoder.isOpen else { throw sealed(decoder.content.keys) }
            if wrapped.isEmpty { wrapped = decoder.content.keys }
            if originalKeys.isEmpty { originalKeys = decoder.content.originalKeys ?? [] }
            return decoder
        } catch let fault as SegmentFault {
            throw Finding(fault, session: session, file: file)
        }
    }

    private func sealed(_ wrapped: [WrappedKey]) -> Finding {
        let recipients = wrapped.map { String($0.recipient.prefix(16)) }.joined(separator: ", ")
        return Finding(
            kind: .sealed, session: session, file: file.isEmpty ? nil : file,
            message: keys.isEmpty
                ? "the recording is sealed; give the private key of one of its recipients (\(recipients)) with --key-file or GATEHOUSE_KEY_FILE"
                : "the recording is sealed, and none of the private keys given is one of its recipients' (\(recipients))")
    }

    private func take(batch record: UnsafeRawBufferPointer) throws {
        guard let batch = Batch(record), batch.header.session == session, batchChecksum(record) == FrameHeader.storedChecksum(record)
        else { throw Finding(kind: .segmentDamaged, session: session, message: "a batch of the journal is not sound") }
        if batch.header.kind == .opening {
            if let opening = batch.opening {
                if wrapped.isEmpty { wrapped = opening.keys }
                if originalKeys.isEmpty { originalKeys = opening.originalKeys ?? [] }
            }
            return
        }
        guard batch.header.lastSequence > lastSequence else { return }
        if batch.header.isSealed, cipher == nil {
            guard let key = keys.sessionKey(of: session, wrapped) else { throw sealed(wrapped) }
            cipher = try key.batchCipher(seals: false)
        }
        do {
            frames = try batch.frames(cipher)
            position = 0
        } catch {
            throw Finding(
                kind: .segmentDamaged, session: session,
                message: "batch \(batch.header.firstSequence) of the journal is not what the session's key sealed")
        }
    }

    private func inOrder(_ frame: Frame) throws -> Frame {
        guard frame.session == session, frame.sequence > lastSequence else {
            throw Finding(
                kind: .framesOutOfOrder, session: session, file: file,
                message: "frame \(frame.sequence) of session \(frame.session) follows frame \(lastSequence)")
        }
        advance(to: frame.sequence)
        return frame
    }

    private func advance(to sequence: UInt64) {
        if sequence != lastSequence &+ 1 {
            gaps.append(Manifest.Gap(after: lastSequence, before: sequence, reason: "missing frames"))
        }
        lastSequence = sequence
    }
}

@available(*, unavailable)
extension EvidenceDecoder: Sendable {}
