import NIOCore

/// A row of the text protocol ("Text Resultset Row"): each value as text, or NULL.
struct TextRow: Sendable, Hashable {
    /// nil is NULL.
    var cells: [ByteBuffer?]

    init(cells: [ByteBuffer?]) { self.cells = cells }

    init(_ payload: ByteBuffer, columns: Int) throws(ProtocolViolation) {
        var body = BodyReader(payload, "text row")
        cells = []
        // A row can say fewer than it was announced to have; room is made only for what it holds.
        cells.reserveCapacity(min(columns, payload.readableBytes))
        for _ in 0..<columns {
            if body.next == 0xFB {
                try body.skip(1)
                cells.append(nil)
            } else {
                cells.append(try body.encodedBytes())
            }
        }
        try body.finish()
    }

    func write(to buffer: inout ByteBuffer) {
        for cell in cells {
            if let cell { buffer.writeEncoded(bytes: cell) } else { buffer.writeInteger(UInt8(0xFB)) }
        }
    }
}

/// A row of the binary protocol ("Binary Protocol Resultset Row"): 0x00, a bitmap of what is NULL, the other values.
struct BinaryRow: Sendable, Hashable {
    /// Each value as it travels, a length in front of it included; nil is NULL. ``BinaryValue`` reads and makes them.
    var cells: [ByteBuffer?]

    /// The bitmap's first two bits are not used in rows; those of parameters begin at 0.
    static let bitmapOffset = 2

    init(cells: [ByteBuffer?]) { self.cells = cells }

    init(_ payload: ByteBuffer, types: [ColumnType]) throws(ProtocolViolation) {
        var body = BodyReader(payload, "binary row")
        guard try body.integer(UInt8.self) == 0 else { throw ProtocolViolation("a binary row begins with 0x00") }
        let bitmap = try NullBitmap(&body, count: types.count, offset: Self.bitmapOffset)
        cells = []
        cells.reserveCapacity(types.count)
        for (index, type) in types.enumerated() {
            cells.append(bitmap[index] ? nil : try body.binaryValue(type))
        }
        try body.finish()
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(0))
        NullBitmap.write(cells.map { $0 == nil }, offset: Self.bitmapOffset, to: &buffer)
        for case .some(let cell) in cells { buffer.writeImmutableBuffer(cell) }
    }
}

/// "NULL-Bitmap": a bit a value, the lowest first.
struct NullBitmap {
    private let bytes: ByteBuffer
    private let offset: Int

    init(_ body: inout BodyReader, count: Int, offset: Int) throws(ProtocolViolation) {
        bytes = try body.bytes((count + 7 + offset) / 8)
        self.offset = offset
    }

    subscript(index: Int) -> Bool {
        let bit = index + offset
        guard let byte: UInt8 = bytes.getInteger(at: bytes.readerIndex + bit / 8) else { return false }
        return byte & (1 << UInt8(bit % 8)) != 0
    }

    static func write(_ nulls: [Bool], offset: Int, to buffer: inout ByteBuffer) {
        var bytes = [UInt8](repeating: 0, count: (nulls.count + 7 + offset) / 8)
        for (index, isNull) in nulls.enumerated() where isNull {
            bytes[(index + offset) / 8] |= 1 << UInt8((index + offset) % 8)
        }
        buffer.writeBytes(bytes)
    }
}

extension BodyReader {
    /// The next value of the binary protocol as it travels.
    mutating func binaryValue(_ type: ColumnType) throws(ProtocolViolation) -> ByteBuffer {
        switch type.layout {
        case .nothing: return ByteBuffer()
        case .integer(let size): return try bytes(size)
        case .float: return try bytes(4)
        case .double: return try bytes(8)
        case .moment: return try shortValue([0, 4, 7, 11], "a date")
        case .span: return try shortValue([0, 8, 12], "a time")
        case .lengthEncoded:
            var measure = self
            _ = try measure.encodedBytes()
            return try bytes(remaining - measure.remaining)
        case nil: throw ProtocolViolation("a value of the unknown type \(type.rawValue)")
        }
    }

    private mutating func shortValue(_ lengths: [UInt8], _ what: String) throws(ProtocolViolation) -> ByteBuffer {
        guard let length = next else { return try bytes(1) }
        guard lengths.contains(length) else { throw ProtocolViolation("\(what) of \(length) bytes") }
        return try bytes(1 + Int(length))
    }
}
