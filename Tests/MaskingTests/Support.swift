import NIOCore
import Testing

@testable import Masking

let testKey: MaskKey = {
    guard let key = MaskKey(bytes: Array("0123456789abcdef".utf8)) else { fatalError("the test key is long enough") }
    return key
}()

/// Type OIDs of `pg_type.dat`.
enum OID {
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let char: UInt32 = 18
    static let name: UInt32 = 19
    static let int8: UInt32 = 20
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let json: UInt32 = 114
    static let xml: UInt32 = 142
    static let bpchar: UInt32 = 1042
    static let varchar: UInt32 = 1043
    static let date: UInt32 = 1082
    static let numeric: UInt32 = 1700
    static let uuid: UInt32 = 2950
    static let jsonb: UInt32 = 3802
    static let textArray: UInt32 = 1009
}

func apply(_ value: [UInt8]?, _ type: UInt32, _ format: ValueFormat, _ strategy: MaskStrategy) -> (ValueMask.Outcome, [UInt8]) {
    var buffer = ByteBuffer()
    let outcome: ValueMask.Outcome
    if let value {
        outcome = value.withUnsafeBytes { ValueMask.apply($0, type: type, format: format, strategy: strategy, into: &buffer) }
    } else {
        outcome = ValueMask.apply(nil, type: type, format: format, strategy: strategy, into: &buffer)
    }
    return (outcome, Array(buffer.readableBytesView))
}

/// The replacement as text, nil for NULL.
func masked(_ value: String, _ type: UInt32, _ strategy: MaskStrategy, _ format: ValueFormat = .text) -> String? {
    let (outcome, bytes) = apply(Array(value.utf8), type, format, strategy)
    return outcome == .replaced ? String(decoding: bytes, as: UTF8.self) : nil
}

/// The body of a DataRow.
func dataRow(_ values: [[UInt8]?]) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.writeInteger(Int16(values.count))
    for value in values {
        buffer.writeInteger(Int32(value?.count ?? -1))
        if let value { buffer.writeBytes(value) }
    }
    return Array(buffer.readableBytesView)
}

func textMask(_ strategy: MaskStrategy, _ type: UInt32 = OID.text) -> ColumnMask {
    ColumnMask(type: type, format: .text, strategy: strategy)
}

/// What a COPY mask makes of `data`, fed in pieces of `size` bytes.
func copy(_ data: [UInt8], _ options: CopyOptions, _ columns: [ColumnMask?], pieces size: Int, limit: Int = 1 << 20) throws -> (
    [UInt8], MaskCounts
) {
    var mask = CopyMask(options: options, columns: columns, fieldLimit: limit)
    var output = ByteBuffer()
    var counts = MaskCounts()
    var start = 0
    while start < data.count {
        let end = min(data.count, start + size)
        counts += try mask.feed(ByteBuffer(bytes: data[start..<end]).readableBytesView, into: &output)
        start = end
    }
    try mask.finish()
    return (Array(output.readableBytesView), counts)
}

/// Whole, and in pieces of every small size: with the same result.
func copyEveryWay(_ data: [UInt8], _ options: CopyOptions, _ columns: [ColumnMask?]) throws -> ([UInt8], MaskCounts) {
    let whole = try copy(data, options, columns, pieces: max(1, data.count))
    for size in 1...7 {
        let pieces = try copy(data, options, columns, pieces: size)
        #expect(pieces.0 == whole.0, "pieces of \(size)")
        #expect(pieces.1 == whole.1, "pieces of \(size)")
    }
    return whole
}

/// A small repeatable generator (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
