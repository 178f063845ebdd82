/// The constants that say no more than that a value is there, one for each type and format.
enum Redaction {
    private static let stars: [UInt8] = Array("****".utf8)

    /// nil where the type has none.
    static func constant(_ type: MaskableType, _ format: ValueFormat) -> [UInt8]? {
        format == .text ? text(type) : binary(type)
    }

    private static func text(_ type: MaskableType) -> [UInt8]? {
        switch type {
        case .text, .paddedText, .xml: stars
        case .singleByte: Array("*".utf8)
        case .bytea: Array("\\x2a2a2a2a".utf8)
        case .uuid: Array("00000000-0000-0000-0000-000000000000".utf8)
        case .bool: Array("f".utf8)
        case .int2, .int4, .int8, .oid, .float4, .float8, .numeric: Array("0".utf8)
        case .date: Array("1900-01-01".utf8)
        case .timestamp: Array("1900-01-01 00:00:00".utf8)
        case .timestamptz: Array("1900-01-01 00:00:00+00".utf8)
        case .time, .interval: Array("00:00:00".utf8)
        case .timetz: Array("00:00:00+00".utf8)
        case .inet: Array("0.0.0.0".utf8)
        case .cidr: Array("0.0.0.0/32".utf8)
        case .macaddr: Array("00:00:00:00:00:00".utf8)
        case .macaddr8: Array("00:00:00:00:00:00:00:00".utf8)
        // Looked into, not replaced as a whole.
        case .json, .jsonb, .other: nil
        }
    }

    private static func binary(_ type: MaskableType) -> [UInt8]? {
        switch type {
        case .text, .paddedText, .xml, .bytea: stars
        case .singleByte: Array("*".utf8)
        case .uuid, .interval: zeros(16)
        case .bool: zeros(1)
        case .int2: zeros(2)
        case .int4, .oid, .float4: zeros(4)
        case .int8, .float8, .time, .macaddr8: zeros(8)
        case .numeric: zeros(8)
        // Days and microseconds are counted from 2000-01-01.
        case .date: bigEndian(Int32(-36_524))
        case .timestamp, .timestamptz: bigEndian(Int64(-36_524) * Moment.dayMicroseconds)
        case .timetz: zeros(12)
        case .inet: [2, 32, 0, 4, 0, 0, 0, 0]
        case .cidr: [2, 32, 1, 4, 0, 0, 0, 0]
        case .macaddr: zeros(6)
        case .json, .jsonb, .other: nil
        }
    }

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}

func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
}

/// The first bytes as a number, nil where there are not as many as it has.
func fromBigEndian<Number: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, as type: Number.Type = Number.self) -> Number? {
    guard bytes.count >= MemoryLayout<Number>.size else { return nil }
    return Number(bigEndian: bytes.loadUnaligned(as: Number.self))
}

/// Puts `bytes` into `output`; their number, or nil (and nothing put) where it has no room for them.
func put(_ bytes: [UInt8], _ output: UnsafeMutableRawBufferPointer) -> Int? {
    guard bytes.count <= output.count else { return nil }
    output.copyBytes(from: bytes)
    return bytes.count
}
