/// A mask for values that hold values. What cannot be read as the type says is withheld as a whole: nothing of it goes on.
enum NestedMask: Sendable {
    /// - type: the elements' type, which the binary form must repeat.
    case array(type: UInt32, of: PreparedMask, ValueFormat)
    case composite([(type: UInt32, mask: PreparedMask)], ValueFormat)
    case range(of: PreparedMask, ValueFormat)
    case multirange(of: PreparedMask, ValueFormat)
    case json(JSONMask, isBinary: Bool)

    /// Longer replacements are not made: many short values inside of one could each become a long one.
    static func limit(for value: UnsafeRawBufferPointer) -> Int { 16 * 1_048_576 + 4 * value.count }

    /// nil for NULL.
    func replacement(of value: UnsafeRawBufferPointer) -> [UInt8]? {
        var output = NestedOutput(limit: Self.limit(for: value))
        output.bytes.reserveCapacity(value.count + 16)
        let isWhole =
            switch self {
            case .array(_, let element, .text): ArrayText.mask(value, element, &output)
            case .array(let type, let element, .binary): ArrayBinary.mask(value, type, element, &output)
            case .composite(let fields, .text): CompositeText.mask(value, fields.map(\.mask), &output)
            case .composite(let fields, .binary): CompositeBinary.mask(value, fields, &output)
            case .range(let bound, .text): RangeText.mask(value, bound, &output)
            case .range(let bound, .binary): RangeBinary.mask(value, bound, &output)
            case .multirange(let bound, .text): RangeText.maskSeveral(value, bound, &output)
            case .multirange(let bound, .binary): RangeBinary.maskSeveral(value, bound, &output)
            case .json(let mask, let isBinary): mask.mask(value, isBinary: isBinary, &output)
            }
        return isWhole && !output.isFull ? output.bytes : nil
    }
}

/// A replacement that is put together, up to a limit.
struct NestedOutput {
    let limit: Int
    var bytes: [UInt8] = []
    private(set) var isFull = false

    init(limit: Int) {
        self.limit = limit
    }

    mutating func append(_ more: some Collection<UInt8>) {
        guard !isFull, more.count <= limit - bytes.count else {
            isFull = true
            return
        }
        bytes.append(contentsOf: more)
    }

    mutating func append(_ byte: UInt8) {
        guard bytes.count < limit else {
            isFull = true
            return
        }
        bytes.append(byte)
    }

    /// A length and the bytes; -1 for NULL.
    mutating func appendBinary(_ value: [UInt8]?) {
        append(bigEndian(Int32(clamping: value?.count ?? -1)))
        if let value { append(value) }
    }
}

/// Reads the binary form of what has values inside, without trusting its lengths.
struct NestedReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number? {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        guard let number = fromBigEndian(rest, as: type) else { return nil }
        position += MemoryLayout<Number>.size
        return number
    }

    enum Item {
        case null
        case value(UnsafeRawBufferPointer)
    }

    /// A length and as many bytes; nil where they are not there.
    mutating func item() -> Item? {
        guard let length: Int32 = integer() else { return nil }
        if length == -1 { return .null }
        guard length >= 0, Int(length) <= bytes.count - position else { return nil }
        defer { position += Int(length) }
        return .value(UnsafeRawBufferPointer(rebasing: bytes[position..<(position + Int(length))]))
    }
}

/// The quotes of the text forms of arrays, composites and ranges (PostgreSQL manual, "Array Input and Output Syntax", "Composite
/// Type Input and Output Syntax").
struct NestedText {
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func take(_ letter: Unicode.Scalar) -> Bool {
        guard letter.isASCII, next == UInt8(ascii: letter) else { return false }
        position += 1
        return true
    }

    mutating func skip() { position += 1 }

    /// One item up to one of `ends`, which is not taken; nil where it is cut off.
    mutating func item(upTo ends: [UInt8]) -> (bytes: [UInt8], isQuoted: Bool)? {
        var value: [UInt8] = []
        var isQuoted = false
        var inQuotes = false
        while let byte = next {
            if byte == Self.backslash {
                position += 1
                guard let escaped = next else { return nil }
                value.append(escaped)
                isQuoted = true
            } else if byte == Self.quote {
                // Two inside of quotes are one of the value's own: composites and ranges write them so.
                if inQuotes, position + 1 < bytes.count, bytes[position + 1] == Self.quote {
                    value.append(byte)
                    position += 1
                } else {
                    inQuotes.toggle()
                    isQuoted = true
                }
            } else if !inQuotes, ends.contains(byte) {
                return (value, isQuoted)
            } else {
                value.append(byte)
            }
            position += 1
        }
        return nil
    }

    private static let special = Array("\"\\{}()[], \t\n\r\u{B}\u{C}".utf8)

    /// As the server writes it, with quotes where any of these forms needs them.
    static func write(_ value: [UInt8], _ output: inout NestedOutput) {
        let isPlain = !value.isEmpty && !value.contains(where: special.contains) && !isNull(value)
        guard !isPlain else { return output.append(value) }
        output.append(quote)
        for byte in value {
            if byte == quote || byte == backslash { output.append(backslash) }
            output.append(byte)
        }
        output.append(quote)
    }

    static func isNull(_ value: [UInt8]) -> Bool {
        value.count == 4 && zip(value, Array("null".utf8)).allSatisfy { $0 | 0x20 == $1 }
    }
}
