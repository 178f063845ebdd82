import CGatehouse
public import GatehouseCore

/// The 112 bytes in front of a segment (docs/recording-format.md, "Segment"). Integers are little endian.
public struct SegmentHeader: Sendable, Hashable {
    static let size = 112
    static let trailerSize = 32
    static let magic: [UInt8] = Array("GATESEG1".utf8)
    static let version: UInt16 = 2
    static let sealedFlag: UInt8 = 1
    /// What stands between header and payload: `SegmentExtension`.
    static let maximumExtension: UInt32 = 1 << 20

    /// How the frames lie in the payload.
    enum Codec: UInt8, Sendable, Hashable {
        /// Compressed, then sealed in chunks if the segment is sealed.
        case zstd = 1
        /// Batches as the journal had them, each sealed by itself, with plain checksums.
        case batches = 2
    }

    var codec = Codec.zstd
    var isSealed = false
    public var session: SessionID
    /// From 1.
    public var ordinal: UInt32
    public var frameCount: UInt32
    public var firstSequence: UInt64
    public var lastSequence: UInt64
    /// Size of the frames.
    public var uncompressedBytes: UInt64
    /// Size of the payload as stored.
    public var storedBytes: UInt64
    /// The trailer of the segment before; zeros in the first.
    public var previous: [UInt8]
    /// Bytes between this header and the payload.
    public var extensionBytes: UInt32 = 0

    /// The whole file's size; nil when the fields do not add up in 63 bits.
    var fileSize: Int? {
        let (size, overflow) = storedBytes.addingReportingOverflow(UInt64(Self.size + Self.trailerSize) + UInt64(extensionBytes))
        return overflow ? nil : Int(exactly: size)
    }

    func encoded() -> [UInt8] {
        var bytes = Self.magic
        bytes.append(littleEndian: Self.version)
        bytes.append(isSealed ? Self.sealedFlag : 0)
        bytes.append(0)
        bytes.append(codec.rawValue)
        bytes.append(contentsOf: [0, 0, 0])
        bytes.append(bigEndian: session.high)
        bytes.append(bigEndian: session.low)
        bytes.append(littleEndian: ordinal)
        bytes.append(littleEndian: frameCount)
        bytes.append(littleEndian: firstSequence)
        bytes.append(littleEndian: lastSequence)
        bytes.append(littleEndian: uncompressedBytes)
        bytes.append(littleEndian: storedBytes)
        bytes.append(contentsOf: previous.prefix(32))
        bytes.append(contentsOf: repeatElement(0, count: max(0, 32 - previous.count)))
        bytes.append(littleEndian: extensionBytes)
        let checksum = bytes.withUnsafeBytes { gatehouse_crc32c(0, $0.baseAddress, $0.count) }
        bytes.append(littleEndian: checksum)
        return bytes
    }

    /// Reads a header.
    /// - Throws: `SegmentFault` saying what is wrong with it.
    init(_ bytes: UnsafeRawBufferPointer) throws(SegmentFault) {
        guard bytes.count >= Self.size else { throw SegmentFault(.truncated, offset: UInt64(bytes.count), "the header is cut off") }
        guard bytes.prefix(8).elementsEqual(Self.magic) else { throw SegmentFault(.damaged, offset: 0, "this is not a segment") }
        let checksum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 108, as: UInt32.self))
        guard gatehouse_crc32c(0, bytes.baseAddress, 108) == checksum else {
            throw SegmentFault(.damaged, offset: 0, "the header's checksum does not match")
        }
        guard UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)) == Self.version,
            bytes[10] & ~Self.sealedFlag == 0, bytes[11] == 0, let codec = Codec(rawValue: bytes[12])
        else { throw SegmentFault(.unsupported, offset: 8, "the segment's version, flags or codec are not known to this reader") }
        self.codec = codec
        isSealed = bytes[10] & Self.sealedFlag != 0
        session = SessionID(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)))
        ordinal = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 32, as: UInt32.self))
        frameCount = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 36, as: UInt32.self))
        firstSequence = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 40, as: UInt64.self))
        lastSequence = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 48, as: UInt64.self))
        uncompressedBytes = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 56, as: UInt64.self))
        storedBytes = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 64, as: UInt64.self))
        previous = Array(bytes[72..<104])
        extensionBytes = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 104, as: UInt32.self))
        guard extensionBytes <= Self.maximumExtension else {
            throw SegmentFault(.damaged, offset: 104, "the extension is longer than may be")
        }
    }

    init(
        session: SessionID, ordinal: UInt32, frameCount: UInt32, firstSequence: UInt64, lastSequence: UInt64, uncompressedBytes: UInt64,
        storedBytes: UInt64, previous: [UInt8]
    ) {
        self.session = session
        self.ordinal = ordinal
        self.frameCount = frameCount
        self.firstSequence = firstSequence
        self.lastSequence = lastSequence
        self.uncompressedBytes = uncompressedBytes
        self.storedBytes = storedBytes
        self.previous = previous
    }
}

/// What is wrong with a segment.
struct SegmentFault: Error, Hashable {
    enum Kind: Hashable {
        case truncated, damaged, unsupported
    }

    var kind: Kind
    /// Where in the file; for damage inside the compressed payload, near where it was noticed.
    var offset: UInt64
    var reason: String

    init(_ kind: Kind, offset: UInt64, _ reason: String) {
        self.kind = kind
        self.offset = offset
        self.reason = reason
    }
}

extension [UInt8] {
    mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Lower-case hexadecimal.
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(count * 2)
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads lower-case hexadecimal; nil for anything else.
    init?(hexadecimal text: some StringProtocol) {
        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        var bytes: [UInt8] = []
        var high: UInt8?
        for byte in text.utf8 {
            guard let value = digit(byte) else { return nil }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        guard high == nil else { return nil }
        self = bytes
    }
}
