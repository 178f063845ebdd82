/// Which way bytes went.
public enum Direction: UInt8, Sendable, Hashable, Codable, CaseIterable {
    case client = 0
    case server = 1
}

/// Payload of `withheld`, `masked` and `gap`: bytes that were seen and are not in the recording as they were.
public struct Substitution: Sendable, Hashable {
    public var direction: Direction
    /// How many values (cells, secrets) it was.
    public var items: UInt64
    /// Their size as seen on the wire.
    public var seenBytes: UInt64
    /// The size of what stands for them in `clientMessages` or `serverMessages`; 0 when nothing does.
    public var recordedBytes: UInt64
    /// Why, or which mask.
    public var note: String

    public init(direction: Direction, items: UInt64, seenBytes: UInt64, recordedBytes: UInt64, note: String = "") {
        self.direction = direction
        self.items = items
        self.seenBytes = seenBytes
        self.recordedBytes = recordedBytes
        self.note = note
    }

    static let prefixSize = 32

    /// Reads a payload.
    /// - Throws: `PayloadError` when it is too short or the direction is none.
    public init(payload: [UInt8], of kind: RecordKind) throws(PayloadError) {
        guard payload.count >= Self.prefixSize else { throw PayloadError(kind: kind, reason: "shorter than 32 bytes") }
        guard let direction = Direction(rawValue: payload[0]) else { throw PayloadError(kind: kind, reason: "no such direction") }
        self.direction = direction
        (items, seenBytes, recordedBytes) = payload.withUnsafeBytes { bytes in
            (
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
            )
        }
        note = String(decoding: payload[Self.prefixSize...], as: UTF8.self)
    }

    /// The fixed part.
    func withPrefix<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let words = (UInt64(direction.rawValue).littleEndian, items.littleEndian, seenBytes.littleEndian, recordedBytes.littleEndian)
        return withUnsafeBytes(of: words, body)
    }
}

/// Payload of `injected`: what went upstream in place of the client's bytes.
public struct Injection: Sendable, Hashable {
    /// Why: a rule's id, or the gateway's own need.
    public var reason: String
    public var bytes: [UInt8]

    public init(reason: String, bytes: [UInt8]) {
        self.reason = reason
        self.bytes = bytes
    }

    /// Reads a payload: the length of the reason (u32), the reason, the bytes.
    /// - Throws: `PayloadError` when the reason does not fit.
    public init(payload: [UInt8]) throws(PayloadError) {
        guard payload.count >= 4 else { throw PayloadError(kind: .injected, reason: "shorter than 4 bytes") }
        let length = Int(payload.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) })
        guard length <= payload.count - 4 else { throw PayloadError(kind: .injected, reason: "its reason is longer than it is") }
        reason = String(decoding: payload[4..<4 + length], as: UTF8.self)
        bytes = Array(payload[(4 + length)...])
    }

    /// What stands in front of the bytes.
    static func prefix(reason: String) -> [UInt8] {
        let text = Array(reason.utf8)
        return withUnsafeBytes(of: UInt32(truncatingIfNeeded: text.count).littleEndian, Array.init) + text
    }
}
