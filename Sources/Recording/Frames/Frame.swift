import CGatehouse
public import GatehouseCore

/// One record of a session, as read back.
public struct Frame: Sendable, Hashable {
    public var kind: RecordKind
    public var session: SessionID
    /// From 1, one more each frame of the session.
    public var sequence: UInt64
    /// When it happened, by the gateway's wall clock.
    public var time: WallTime
    public var payload: [UInt8]

    public init(kind: RecordKind, session: SessionID, sequence: UInt64, time: WallTime, payload: [UInt8]) {
        self.kind = kind
        self.session = session
        self.sequence = sequence
        self.time = time
        self.payload = payload
    }
}

/// The 44 bytes in front of a frame's payload (docs/recording-format.md, "Frame"). Integers are little endian; the session id is
/// the sixteen bytes of the UUID in network order.
struct FrameHeader: Hashable {
    static let size = 44
    /// What `length` counts besides the payload: everything behind the length and checksum themselves.
    static let counted = 36
    static let version: UInt8 = 1
    /// A length above this is not a frame. Protocol messages are bounded far below (PostgreSQL's own bound is 1 GiB), and
    /// a reader must be able to tell a damaged length from a real one.
    static let maximumPayload = 1 << 30

    var kind: RecordKind
    var session: SessionID
    var sequence: UInt64
    var time: WallTime
    var payloadLength: Int

    /// The whole frame's size in bytes.
    var frameSize: Int { Self.size + payloadLength }

    /// Writes everything but the checksum.
    func write(to target: UnsafeMutableRawPointer) {
        target.storeBytes(of: UInt32(truncatingIfNeeded: Self.counted + payloadLength).littleEndian, as: UInt32.self)
        target.storeBytes(of: Self.version, toByteOffset: 8, as: UInt8.self)
        target.storeBytes(of: kind.rawValue, toByteOffset: 9, as: UInt8.self)
        target.storeBytes(of: 0, toByteOffset: 10, as: UInt16.self)
        target.storeBytes(of: session.high.bigEndian, toByteOffset: 12, as: UInt64.self)
        target.storeBytes(of: session.low.bigEndian, toByteOffset: 20, as: UInt64.self)
        target.storeBytes(of: sequence.littleEndian, toByteOffset: 28, as: UInt64.self)
        target.storeBytes(of: time.nanoseconds.littleEndian, toByteOffset: 36, as: UInt64.self)
    }

    /// Reads a header; nil when fewer than 44 bytes are given or they cannot be a header of this version.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.size else { return nil }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
        guard length >= Self.counted, length - Self.counted <= Self.maximumPayload, bytes[8] == Self.version,
            let kind = RecordKind(rawValue: bytes[9]), bytes[10] == 0, bytes[11] == 0
        else { return nil }
        self.kind = kind
        session = SessionID(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 20, as: UInt64.self)))
        sequence = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 28, as: UInt64.self))
        time = WallTime(nanoseconds: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 36, as: UInt64.self)))
        payloadLength = length - Self.counted
    }

    init(kind: RecordKind, session: SessionID, sequence: UInt64, time: WallTime, payloadLength: Int) {
        self.kind = kind
        self.session = session
        self.sequence = sequence
        self.time = time
        self.payloadLength = payloadLength
    }

    /// The checksum field as stored.
    static func storedChecksum(_ frame: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }
}

/// CRC-32C of everything in a frame behind its length and checksum. `frame` is a whole frame.
func frameChecksum(_ frame: UnsafeRawBufferPointer) -> UInt32 {
    guard let base = frame.baseAddress, frame.count >= 8 else { return 0 }
    return gatehouse_crc32c(0, base + 8, frame.count - 8)
}
