public import GatehouseCore

/// Opens a session's originals.
public final class OriginalReader {
    private let session: SessionID
    private let cipher: BatchCipher
    private let decompressor: ZstdDecompressor

    /// - Parameters:
    ///   - keys: the private keys at hand.
    ///   - wrapped: what the session's evidence says of them (`EvidenceDecoder.originalKeys`).
    /// - Throws: `Finding` (`sealed`) when none of the keys is one that the originals are sealed to.
    public init(session: SessionID, keys: RecipientKeys, wrapped: [WrappedKey]) throws {
        guard let key = keys.originalsKey(of: session, wrapped) else {
            let recipients = wrapped.map { String($0.recipient.prefix(16)) }.joined(separator: ", ")
            throw Finding(
                kind: .sealed, session: session,
                message: wrapped.isEmpty
                    ? "nothing of what was masked is kept: there was no break-glass recipient when the session began"
                    : "what was masked is sealed to break-glass recipients (\(recipients)), and none of the private keys given is one of theirs"
            )
        }
        self.session = session
        cipher = try key.cipher(seals: false)
        decompressor = try ZstdDecompressor()
    }

    /// The bytes as they came.
    /// - Parameter frame: of the kind `original`.
    /// - Throws: `Finding` (`original-wrong`) when they are not what was sealed in this place.
    public func open(_ frame: Frame) throws -> [UInt8] {
        func wrong(_ reason: String) -> Finding {
            Finding(kind: .originalWrong, session: session, message: "frame \(frame.sequence): \(reason)")
        }
        guard frame.session == session, frame.kind == .original else { throw wrong("it is no original of this session") }
        let original: SealedOriginal
        do { original = try SealedOriginal(payload: frame.payload) } catch { throw wrong(error.reason) }
        var compressed: [UInt8] = []
        let isOpen = original.prefix.withBytes { prefix in
            original.sealed.withUnsafeBytes {
                cipher.open($0, stream: .originals, sequence: frame.sequence, header: prefix, into: &compressed)
            }
        }
        guard isOpen else { throw wrong("it is not what the session's key sealed there") }
        var bytes: [UInt8] = []
        do {
            try compressed.withUnsafeBytes {
                try decompressor.decompress($0) { piece in
                    guard bytes.count + piece.count <= SealedOriginal.maximumBytes else { throw wrong("it is longer than may be") }
                    bytes.append(contentsOf: piece)
                }
            }
        } catch let error as ZstdError {
            throw wrong("it does not decompress: \(error.reason)")
        }
        guard decompressor.isAtFrameEnd else { throw wrong("it is cut off") }
        return bytes
    }
}

@available(*, unavailable)
extension OriginalReader: Sendable {}

/// Puts a recording's originals in the place of what stands for them: feed it every frame in order, and read what it gives back as the
/// recording of the same session without masks.
public struct OriginalSplicer {
    /// One direction of the session.
    private struct Stream {
        /// Recorded bytes that were seen.
        var position: UInt64 = 0
        /// Bytes of originals whose place is not reached yet.
        var waiting: [(offset: UInt64, recorded: UInt64, bytes: [UInt8])] = []
        /// Recorded bytes still to be left out.
        var skip: UInt64 = 0

        /// What of `payload` is read, with the originals that belong into it.
        mutating func splice(_ payload: [UInt8]) -> [UInt8] {
            guard skip > 0 || !waiting.isEmpty else {
                position &+= UInt64(payload.count)
                return payload
            }
            var output: [UInt8] = []
            var start = 0
            while true {
                let skipped = Int(min(skip, UInt64(payload.count - start)))
                skip -= UInt64(skipped)
                start += skipped
                position &+= UInt64(skipped)
                guard skip == 0, let next = waiting.first else { break }
                let before = next.offset > position ? next.offset - position : 0
                guard before <= UInt64(payload.count - start) else { break }
                output += payload[start..<start + Int(before)]
                start += Int(before)
                position &+= before
                waiting.removeFirst()
                output += next.bytes
                skip = next.recorded
            }
            output += payload[start...]
            position &+= UInt64(payload.count - start)
            return output
        }

        /// Frames in front of it are missing: what is behind is counted from what the original says.
        mutating func resume(at offset: UInt64) {
            if offset > position, waiting.isEmpty {
                position = offset
                skip = 0
            }
        }
    }

    private var client = Stream()
    private var server = Stream()
    /// Originals that were put in place.
    public private(set) var count = 0

    public init() {}

    /// - Parameter open: gives the bytes of an original (`OriginalReader.open`).
    /// - Returns: the frame to read in its place; nil where it is none of the session's own (`original`).
    /// - Throws: what `open` throws, `PayloadError`.
    public mutating func splice(_ frame: Frame, open: (Frame) throws -> [UInt8]) throws -> Frame? {
        var frame = frame
        switch frame.kind {
        case .original:
            let original = try SealedOriginal(payload: frame.payload)
            let bytes = try open(frame)
            count += 1
            if original.direction == .client {
                client.resume(at: original.offset)
                client.waiting.append((original.offset, original.recordedBytes, bytes))
            } else {
                server.resume(at: original.offset)
                server.waiting.append((original.offset, original.recordedBytes, bytes))
            }
            return nil
        case .clientMessages: frame.payload = client.splice(frame.payload)
        case .serverMessages: frame.payload = server.splice(frame.payload)
        case .file, .start, .identity, .verdict, .injected, .withheld, .masked, .notice, .cancel, .gap, .error, .end, .upstream, .approval:
            break
        }
        return frame
    }
}
