import GatehouseCore

/// Payload of `original`: bytes as they came from one side, of which the recording has something else, sealed to break-glass recipients.
/// What stands for them begins with the next frame of their direction.
public struct SealedOriginal: Sendable, Hashable {
    /// An original is cut after so many bytes, so that sealing and opening one takes no more memory than that.
    static let maximumBytes = 1 << 20

    /// What is in the clear in front of the sealed bytes, and authenticated with them.
    struct Prefix: Sendable, Hashable {
        static let size = 24

        var direction: Direction
        var offset: UInt64
        var recordedBytes: UInt64

        func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
            let words = (UInt64(direction.rawValue).littleEndian, offset.littleEndian, recordedBytes.littleEndian)
            return try withUnsafeBytes(of: words, body)
        }
    }

    let prefix: Prefix
    let sealed: [UInt8]

    public var direction: Direction { prefix.direction }
    /// How much of the direction is recorded in front of it, in bytes.
    public var offset: UInt64 { prefix.offset }
    /// The size of what stands for it in the recording, from there on; 0 where nothing does, or where more of it follows.
    public var recordedBytes: UInt64 { prefix.recordedBytes }
    /// The size of the sealed bytes.
    public var sealedBytes: Int { sealed.count }

    /// Reads a payload.
    /// - Throws: `PayloadError` when it is too short, or its fixed part is not of the form.
    public init(payload: [UInt8]) throws(PayloadError) {
        guard payload.count >= Prefix.size + SessionKey.tagSize else {
            throw PayloadError(kind: .original, reason: "shorter than \(Prefix.size + SessionKey.tagSize) bytes")
        }
        guard let direction = Direction(rawValue: payload[0]), payload[1..<8].allSatisfy({ $0 == 0 }) else {
            throw PayloadError(kind: .original, reason: "no such direction")
        }
        let (offset, recorded) = payload.withUnsafeBytes { bytes in
            (
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            )
        }
        prefix = Prefix(direction: direction, offset: offset, recordedBytes: recorded)
        sealed = Array(payload[Prefix.size...])
    }
}
