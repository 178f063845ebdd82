import CGatehouse
import GatehouseCore

/// The record of a journal file (docs/recording-format.md, "Batch"): a session's opening, or some of its frames, sealed, behind a
/// header in the clear. Integers are little endian.
struct BatchHeader: Hashable {
    enum Kind: UInt8, Hashable {
        /// The session begins: who, where, and the wrapped key, all in the clear.
        case opening = 1
        /// Frames in ascending sequence.
        case frames = 2
    }

    static let size = 52
    /// What `length` counts besides clear part and body: everything behind the length and checksum themselves.
    static let counted = 44
    static let version: UInt8 = 2
    static let sealedFlag: UInt16 = 1
    static let endFlag: UInt16 = 2
    /// The largest frame, and room for those that share a commit with it.
    static let maximumLength = FrameHeader.maximumPayload + (512 << 20)
    static let maximumClear = 1 << 20

    var kind: Kind
    var session: SessionID
    /// Of the first frame; the others follow it without a gap. 0 in an opening.
    var firstSequence: UInt64
    var frames: UInt32
    /// Of the last frame.
    var time: WallTime
    var isSealed: Bool
    /// The session's last frame is in it.
    var hasEnd = false
    var clearLength: Int
    var bodyLength: Int

    var recordSize: Int { Self.size + clearLength + bodyLength }
    var lastSequence: UInt64 { firstSequence &+ UInt64(max(frames, 1)) &- 1 }

    /// Writes everything but the checksum.
    func write(to target: UnsafeMutableRawPointer) {
        var flags: UInt16 = isSealed ? Self.sealedFlag : 0
        if hasEnd { flags |= Self.endFlag }
        target.storeBytes(of: UInt32(truncatingIfNeeded: Self.counted + clearLength + bodyLength).littleEndian, as: UInt32.self)
        target.storeBytes(of: Self.version, toByteOffset: 8, as: UInt8.self)
        target.storeBytes(of: kind.rawValue, toByteOffset: 9, as: UInt8.self)
        target.storeBytes(of: flags.littleEndian, toByteOffset: 10, as: UInt16.self)
        target.storeBytes(of: session.high.bigEndian, toByteOffset: 12, as: UInt64.self)
        target.storeBytes(of: session.low.bigEndian, toByteOffset: 20, as: UInt64.self)
        target.storeBytes(of: firstSequence.littleEndian, toByteOffset: 28, as: UInt64.self)
        target.storeBytes(of: time.nanoseconds.littleEndian, toByteOffset: 36, as: UInt64.self)
        target.storeBytes(of: frames.littleEndian, toByteOffset: 44, as: UInt32.self)
        target.storeBytes(of: UInt32(truncatingIfNeeded: clearLength).littleEndian, toByteOffset: 48, as: UInt32.self)
    }

    /// Reads a header; nil when fewer than 52 bytes are given or they cannot be a header of this version.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.size else { return nil }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
        let flags = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 10, as: UInt16.self))
        let clear = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 48, as: UInt32.self)))
        guard length >= Self.counted, length <= Self.maximumLength, bytes[8] == Self.version, let kind = Kind(rawValue: bytes[9]),
            flags & ~(Self.sealedFlag | Self.endFlag) == 0, clear <= Self.maximumClear,
            clear <= length - Self.counted
        else { return nil }
        self.kind = kind
        session = SessionID(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 20, as: UInt64.self)))
        firstSequence = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 28, as: UInt64.self))
        time = WallTime(nanoseconds: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 36, as: UInt64.self)))
        frames = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 44, as: UInt32.self))
        isSealed = flags & Self.sealedFlag != 0
        hasEnd = flags & Self.endFlag != 0
        clearLength = clear
        bodyLength = length - Self.counted - clear
        guard kind == .opening || (frames > 0 && firstSequence > 0) else { return nil }
    }

    init(
        kind: Kind, session: SessionID, firstSequence: UInt64, frames: UInt32, time: WallTime, isSealed: Bool, clearLength: Int,
        bodyLength: Int
    ) {
        self.kind = kind
        self.session = session
        self.firstSequence = firstSequence
        self.frames = frames
        self.time = time
        self.isSealed = isSealed
        self.clearLength = clearLength
        self.bodyLength = bodyLength
    }
}

/// A whole batch in memory, good as long as the bytes under it are.
struct Batch {
    var header: BatchHeader
    /// The whole record.
    var record: UnsafeRawBufferPointer

    /// Reads a batch from a whole record, not looking at its checksum.
    init?(_ record: UnsafeRawBufferPointer) {
        guard let header = BatchHeader(record), header.recordSize == record.count else { return nil }
        self.header = header
        self.record = record
    }

    init(header: BatchHeader, record: UnsafeRawBufferPointer) {
        self.header = header
        self.record = record
    }

    private var clear: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: record[BatchHeader.size..<BatchHeader.size + header.clearLength])
    }

    /// Sealed, if the header says so.
    private var body: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: record[(BatchHeader.size + header.clearLength)...]) }

    var opening: SessionOpening? {
        guard header.kind == .opening, let opening = try? SessionOpening.fromJSON(clear), opening.format == 2 else { return nil }
        return opening
    }

    /// What its frames add up to, and how the session ended if it did in them; nil when the header cannot be read.
    var summary: (FrameSummary, ClearEnd?)? {
        var size = 0
        guard header.kind == .frames, let summary = FrameSummary(clear, size: &size), summary.count == UInt64(header.frames) else {
            return nil
        }
        let rest = clear[size...]
        guard header.hasEnd else { return rest.isEmpty ? (summary, nil) : nil }
        guard let end = try? ClearEnd.fromJSON(rest) else { return nil }
        return (summary, end)
    }

    /// Appends its frames' bytes, which have plain checksums, to `output`.
    /// - Parameter cipher: opens what is sealed.
    /// - Throws: `BatchFault`; nothing is appended then.
    func open(_ cipher: BatchCipher?, into output: inout [UInt8]) throws(BatchFault) {
        guard header.isSealed else { return output.append(contentsOf: body) }
        guard let cipher else { throw .noKey }
        let authenticated = UnsafeRawBufferPointer(rebasing: record[8..<BatchHeader.size + header.clearLength])
        guard
            cipher.open(body, stream: .batches, sequence: header.firstSequence, header: authenticated, into: &output)
        else { throw .notAuthentic }
    }

    /// Its frames, each checked.
    /// - Throws: `BatchFault`, `FrameFault`.
    func frames(_ cipher: BatchCipher?) throws -> [Frame] {
        var bytes: [UInt8] = []
        try open(cipher, into: &bytes)
        var parser = FrameParser()
        bytes.withUnsafeBytes { parser.append($0) }
        var frames: [Frame] = []
        while let frame = try parser.next() { frames.append(frame) }
        guard parser.unread == 0, UInt64(frames.count) == UInt64(header.frames), frames.first?.sequence == header.firstSequence,
            frames.last?.sequence == header.lastSequence, frames.allSatisfy({ $0.session == header.session })
        else { throw BatchFault.notAuthentic }
        return frames
    }
}

/// Why a batch cannot be read.
enum BatchFault: Error, Hashable {
    case noKey
    case notAuthentic
}

/// CRC-32C of everything in a batch behind its length and checksum.
func batchChecksum(_ record: UnsafeRawBufferPointer) -> UInt32 { frameChecksum(record) }

/// What a journal says of a session before anything else of it, in the clear.
struct SessionOpening: Hashable, Codable {
    /// Version of the journal's format.
    var format = 2
    /// The session's key, wrapped to each recipient; empty where recordings are not sealed.
    var keys: [WrappedKey]
    /// The key of its originals, wrapped to each break-glass recipient; nil where there is none.
    var originalKeys: [WrappedKey]?
    var start: SessionStart
    var identity: SessionIdentity
}

/// What a session's end says in the clear.
struct ClearEnd: Hashable, Codable {
    var reason: String
    var accounting: Accounting
    var durationNanoseconds: UInt64
    var approvals: [String]?
}
