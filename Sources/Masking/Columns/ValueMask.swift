public import NIOCore

/// Replaces one value by one that is valid for its type, in the same format.
///
/// | type | redact | partial | hash |
/// |---|---|---|---|
/// | text, varchar, char(n), name | `****` | `****` and the end | 32 hex digits |
/// | "char" | `*` | `*` | NULL |
/// | json, jsonb | `"****"` | `"****"` | a string of 32 hex digits |
/// | xml | `****` | `****` | 32 hex digits |
/// | bytea | four bytes `*` | four bytes `*` | 16 bytes |
/// | uuid | NULL | NULL | a UUID of version 8 (RFC 9562 section 5.8) |
/// | any other | NULL | NULL | NULL |
///
/// A hash is HMAC-SHA256, cut to 128 bits, over the value itself, so it is the same in text, binary and COPY. Values of a json
/// or xml column that differ in their text alone have different hashes.
public enum ValueMask {
    /// No replacement is longer.
    public static let maximumReplacementBytes = 64

    public enum Outcome: Sendable, Hashable {
        /// The value was NULL and is.
        case wasNull
        /// The replacement was written.
        case replaced
        /// Nothing was written: the value must be sent as NULL.
        case nulled
    }

    /// Appends the replacement of `value` (nil: NULL), without a length, to `buffer`. Values of any size and content are fine.
    public static func apply(
        _ value: UnsafeRawBufferPointer?, type: UInt32, format: ValueFormat, strategy: MaskStrategy, into buffer: inout ByteBuffer
    ) -> Outcome {
        guard let value else { return .wasNull }
        let mask = PreparedMask(ColumnMask(type: type, format: format, strategy: strategy))
        var outcome = Outcome.nulled
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: maximumReplacementBytes) { output in
            guard let count = mask.write(replacementOf: value, to: output) else { return 0 }
            outcome = .replaced
            return count
        }
        return outcome
    }
}

/// A column's mask with everything decided that does not depend on the value.
enum PreparedMask: Sendable {
    /// Every value becomes NULL.
    case null
    /// Every value becomes these bytes.
    case constant([UInt8])
    case partial(padded: Bool)
    case hash(MaskKey, MaskableType, ValueFormat)
    /// What detectors find in the value is replaced; of any length, so only where values are written one by one (COPY).
    case detect(CopyDetection)

    init(_ column: ColumnMask) {
        let type = MaskableType(oid: column.type)
        switch (column.strategy, type) {
        case (.null, _), (_, .other), (.redact, .uuid), (.partial, .uuid), (.hash, .singleByte): self = .null
        case (.partial, .text): self = .partial(padded: false)
        case (.partial, .paddedText): self = .partial(padded: true)
        case (.hash(let key), _): self = .hash(key, type, column.format)
        case (.redact, _), (.partial, _): self = .constant(Self.redaction(of: type, format: column.format))
        }
    }

    /// Whether the replacement depends on the value; if not, the value need not be kept.
    var readsValue: Bool {
        switch self {
        case .null, .constant: false
        case .partial, .hash, .detect: true
        }
    }

    private static func redaction(of type: MaskableType, format: ValueFormat) -> [UInt8] {
        switch (type, format) {
        case (.singleByte, _): Array("*".utf8)
        case (.json, _), (.jsonb, .text): Array("\"****\"".utf8)
        case (.jsonb, .binary): [1] + Array("\"****\"".utf8)
        case (.bytea, .text): Array("\\x2a2a2a2a".utf8)
        default: Array("****".utf8)
        }
    }

    /// Writes the replacement to `output`, which has room for `ValueMask.maximumReplacementBytes`; its length, or nil for NULL.
    func write(replacementOf value: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer) -> Int? {
        switch self {
        case .null, .detect:
            return nil
        case .constant(let bytes):
            output.copyBytes(from: bytes)
            return bytes.count
        case .partial(let padded):
            return PartialMask.write(value, padded: padded, to: output)
        case .hash(let key, let type, let format):
            return HashMask.write(value, key: key, type: type, format: format, to: output)
        }
    }
}

/// `****` and the end of a UTF-8 string.
enum PartialMask {
    private static let stars: [UInt8] = Array("****".utf8)

    static func write(_ value: UnsafeRawBufferPointer, padded: Bool, to output: UnsafeMutableRawBufferPointer) -> Int {
        output.copyBytes(from: stars)
        let tail = visibleEnd(of: padded ? trimmed(value) : value)
        UnsafeMutableRawBufferPointer(rebasing: output[stars.count...]).copyBytes(from: tail)
        return stars.count + tail.count
    }

    /// Without the spaces that character(n) is padded with.
    static func trimmed(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = value.count
        while end > 0, value[end - 1] == UInt8(ascii: " ") { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: value[..<end])
    }

    /// The last characters (Unicode scalars), at most four and at most a third; none when they are not valid UTF-8.
    private static func visibleEnd(of value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let nothing = UnsafeRawBufferPointer(rebasing: value[value.count...])
        // A scalar takes at most four bytes, so that 48 bytes are always at least twelve of them.
        let characters = value.count >= 48 ? 12 : value.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
        let wanted = min(4, characters / 3)
        var start = value.count
        for _ in 0..<wanted {
            var step = 0
            repeat {
                guard start > 0, step < 4 else { return nothing }
                start -= 1
                step += 1
            } while value[start] & 0xC0 == 0x80
        }
        let tail = UnsafeRawBufferPointer(rebasing: value[start...])
        return String(validating: tail, as: UTF8.self) == nil ? nothing : tail
    }
}
