public import NIOCore

/// Replaces one value by one that is valid for its type, in the same format. docs/masking.md has the table of what comes of each
/// strategy for each type.
///
/// A hash is HMAC-SHA256, cut to 128 bits, over the value itself, so it is the same in text, binary and COPY.
public enum ValueMask {
    /// No replacement of a scalar is longer than its value and these.
    public static let maximumGrowth = 64

    public enum Outcome: Sendable, Hashable {
        /// The value was NULL and is.
        case wasNull
        /// The replacement was written.
        case replaced
        /// Nothing was written: the value must be sent as NULL.
        case nulled
    }

    /// Appends the replacement of `value` (nil: NULL), without a length, to `buffer`. Values of any size and content are fine.
    public static func apply(_ value: UnsafeRawBufferPointer?, by column: ColumnMask, into buffer: inout ByteBuffer) -> Outcome {
        guard let value else { return .wasNull }
        guard let replacement = PreparedMask(column).replacement(of: value) else { return .nulled }
        buffer.writeBytes(replacement)
        return .replaced
    }

    /// The same for one of the server's own types, by its OID.
    public static func apply(
        _ value: UnsafeRawBufferPointer?, type: UInt32, format: ValueFormat, strategy: MaskStrategy, into buffer: inout ByteBuffer
    ) -> Outcome {
        apply(value, by: ColumnMask(type: type, format: format, strategy: strategy), into: &buffer)
    }
}

/// A column's mask with everything decided that does not depend on the value.
enum PreparedMask: Sendable {
    /// Every value becomes NULL.
    case null
    /// Every value becomes these bytes.
    case constant([UInt8])
    case partial(PartialShape, padded: Bool)
    case hash(MaskKey, MaskableType, ValueFormat)
    case token(MaskKey, MaskableType, ValueFormat)
    case shift(days: Int64, MaskableType, ValueFormat)
    case round(RoundingStep, MaskableType, ValueFormat)
    /// What has values inside.
    indirect case nested(NestedMask)
    /// What detectors find in the value is replaced; of any length, so only where values are written one by one (COPY).
    case detect(CopyDetection)

    init(_ column: ColumnMask) {
        self.init(column.shape, column.format, column.strategy, depth: 0)
    }

    init(_ shape: ValueShape, _ format: ValueFormat, _ strategy: MaskStrategy, depth: Int) {
        guard depth < ValueShape.maximumDepth, strategy != .null else {
            self = .null
            return
        }
        let inner = { (shape: ValueShape) in PreparedMask(shape, format, strategy, depth: depth + 1) }
        switch shape {
        case .scalar(let oid):
            self.init(MaskableType(oid: oid), format, strategy)
        case .array(let type, let element):
            self = .nested(.array(type: type, of: inner(element), format))
        case .composite(let fields):
            self = .nested(.composite(fields.map { ($0.type, inner($0.shape)) }, format))
        case .range(let bound):
            self = Self.range(inner(bound), format, strategy, several: false)
        case .multirange(let bound):
            self = Self.range(inner(bound), format, strategy, several: true)
        }
    }

    /// Bounds must stay in order, which only some strategies promise.
    private static func range(_ bound: PreparedMask, _ format: ValueFormat, _ strategy: MaskStrategy, several: Bool) -> PreparedMask {
        switch strategy {
        case .dateShift, .round:
            if case .null = bound { return .null }
            return .nested(several ? .multirange(of: bound, format) : .range(of: bound, format))
        case .redact:
            switch (format, several) {
            case (.text, false): return .constant(Array("empty".utf8))
            case (.text, true): return .constant(Array("{}".utf8))
            // RANGE_EMPTY; no ranges.
            case (.binary, false): return .constant([1])
            case (.binary, true): return .constant([0, 0, 0, 0])
            }
        case .partially, .hash, .token, .null:
            return .null
        }
    }

    private init(_ type: MaskableType, _ format: ValueFormat, _ strategy: MaskStrategy) {
        if type == .json || type == .jsonb {
            self = .nested(.json(JSONMask(strategy), isBinary: type == .jsonb && format == .binary))
            return
        }
        switch strategy {
        case .null:
            self = .null
        case .redact:
            self = Redaction.constant(type, format).map(PreparedMask.constant) ?? .null
        case .partially(let shape):
            switch type {
            case .text: self = .partial(shape, padded: false)
            case .paddedText: self = .partial(shape, padded: true)
            // A part of them says nothing, or too much.
            case .singleByte, .xml, .bytea: self = Redaction.constant(type, format).map(PreparedMask.constant) ?? .null
            default: self = .null
            }
        case .hash(let key):
            self = type == .other ? .null : .hash(key, type, format)
        case .token(let key):
            self = type == .other ? .null : .token(key, type, format)
        case .dateShift(let key, let most):
            let isDate = type.isMoment || type == .text || type == .paddedText
            self = isDate ? .shift(days: DateShift.days(of: key, within: most), type, format) : .null
        case .round(let step):
            self = type.isFloat || type == .numeric || (type.integers != nil && type != .oid) ? .round(step, type, format) : .null
        }
    }

    /// Whether the replacement depends on the value; if not, the value need not be kept.
    var readsValue: Bool {
        switch self {
        case .null, .constant: false
        default: true
        }
    }

    /// Whether replacements may be longer than `ValueMask.maximumGrowth` allows.
    var isNested: Bool {
        if case .nested = self { return true }
        return false
    }

    /// Writes the replacement to `output`, which has room for the value and `ValueMask.maximumGrowth`; its length, or nil for NULL.
    /// Not for masks that are nested.
    func write(replacementOf value: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer) -> Int? {
        switch self {
        case .null, .nested, .detect:
            return nil
        case .constant(let bytes):
            return put(bytes, output)
        case .partial(let shape, let padded):
            return PartialMask.write(value, shape, padded: padded, to: output)
        case .hash(let key, let type, let format):
            return HashMask.write(value, key: key, type: type, format: format, to: output)
        case .token(let key, let type, let format):
            return TokenMask.write(value, key: key, type: type, format: format, to: output)
        case .shift(let days, let type, let format):
            return DateShift.write(value, by: days, type: type, format: format, to: output)
        case .round(let step, let type, let format):
            return RoundMask.write(value, to: step, type: type, format: format, into: output)
        }
    }

    /// The replacement's bytes, nil for NULL.
    func replacement(of value: UnsafeRawBufferPointer) -> [UInt8]? {
        switch self {
        case .null: return nil
        case .constant(let bytes): return bytes
        case .nested(let mask): return mask.replacement(of: value)
        default:
            return withUnsafeTemporaryAllocation(byteCount: value.count + ValueMask.maximumGrowth, alignment: 8) { room in
                write(replacementOf: value, to: room).map { Array(room[..<$0]) }
            }
        }
    }

    func replacement(of value: [UInt8]) -> [UInt8]? { value.withUnsafeBytes { replacement(of: $0) } }
}
