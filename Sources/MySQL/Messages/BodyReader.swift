import NIOCore

/// Takes a packet's payload apart, never past its end. Integers are little-endian ("Protocol Basics", "Data types").
struct BodyReader {
    private var buffer: ByteBuffer
    private let what: StaticString

    /// - Parameter what: names the packet in errors.
    init(_ payload: ByteBuffer, _ what: StaticString) {
        buffer = payload
        self.what = what
    }

    var remaining: Int { buffer.readableBytes }

    /// The next byte without moving on.
    var next: UInt8? { buffer.getInteger(at: buffer.readerIndex) }

    mutating func integer<T: FixedWidthInteger>(_: T.Type = T.self) throws(ProtocolViolation) -> T {
        guard let value = buffer.readInteger(endianness: .little, as: T.self) else { throw short() }
        return value
    }

    /// An integer of three bytes.
    mutating func integer24() throws(ProtocolViolation) -> UInt32 {
        let low: UInt16 = try integer()
        let high: UInt8 = try integer()
        return UInt32(low) | UInt32(high) << 16
    }

    /// A length-encoded integer: one byte below 0xFB, or 0xFC, 0xFD, 0xFE and two, three or eight bytes. 0xFB (NULL) and
    /// 0xFF (an error) are none. Longer forms than needed are taken, as servers take them.
    mutating func encodedInteger() throws(ProtocolViolation) -> UInt64 {
        let first: UInt8 = try integer()
        switch first {
        case 0xFC: return UInt64(try integer(UInt16.self))
        case 0xFD: return UInt64(try integer24())
        case 0xFE: return try integer()
        case 0xFB, 0xFF: throw ProtocolViolation("\(what): 0x\(String(first, radix: 16)) is no length")
        default: return UInt64(first)
        }
    }

    /// A count of things that each take at least one byte from here on, so that none is believed that could not follow.
    mutating func encodedCount() throws(ProtocolViolation) -> Int {
        let count = try encodedInteger()
        guard count <= UInt64(UInt16.max) else { throw ProtocolViolation("\(what): a count of \(count)") }
        return Int(count)
    }

    mutating func encodedBytes() throws(ProtocolViolation) -> ByteBuffer {
        let length = try encodedInteger()
        guard length <= UInt64(buffer.readableBytes) else { throw short() }
        return try bytes(Int(length))
    }

    mutating func encodedString() throws(ProtocolViolation) -> String { Self.text(try encodedBytes()) }

    /// The bytes up to the next NUL, which is skipped.
    mutating func nulBytes() throws(ProtocolViolation) -> ByteBuffer {
        let view = buffer.readableBytesView
        guard let end = view.firstIndex(of: 0) else { throw ProtocolViolation("\(what) holds a string without an end") }
        let found = try bytes(view.distance(from: view.startIndex, to: end))
        buffer.moveReaderIndex(forwardBy: 1)
        return found
    }

    mutating func nulString() throws(ProtocolViolation) -> String { Self.text(try nulBytes()) }

    mutating func bytes(_ count: Int) throws(ProtocolViolation) -> ByteBuffer {
        guard count >= 0, let found = buffer.readSlice(length: count) else { throw short() }
        return found
    }

    mutating func skip(_ count: Int) throws(ProtocolViolation) { _ = try bytes(count) }

    /// All that is left.
    mutating func rest() -> ByteBuffer {
        let found = buffer
        buffer.moveReaderIndex(to: buffer.writerIndex)
        return found
    }

    func finish() throws(ProtocolViolation) {
        guard buffer.readableBytes == 0 else { throw ProtocolViolation("\(what) has \(buffer.readableBytes) bytes too many") }
    }

    /// Text as it may be shown; what is not UTF-8 in it is replaced.
    static func text(_ bytes: ByteBuffer) -> String { String(buffer: bytes) }

    private func short() -> ProtocolViolation { ProtocolViolation("\(what) ends before its last field") }
}

extension ByteBuffer {
    mutating func writeLittle<T: FixedWidthInteger>(_ value: T) { writeInteger(value, endianness: .little) }

    mutating func writeInteger24(_ value: UInt32) {
        writeLittle(UInt16(truncatingIfNeeded: value))
        writeInteger(UInt8(truncatingIfNeeded: value >> 16))
    }

    /// A length-encoded integer in its shortest form.
    mutating func writeEncoded(integer value: UInt64) {
        switch value {
        case 0..<0xFB: writeInteger(UInt8(truncatingIfNeeded: value))
        case 0xFB...0xFFFF:
            writeInteger(UInt8(0xFC))
            writeLittle(UInt16(truncatingIfNeeded: value))
        case 0x1_0000...0xFF_FFFF:
            writeInteger(UInt8(0xFD))
            writeInteger24(UInt32(truncatingIfNeeded: value))
        default:
            writeInteger(UInt8(0xFE))
            writeLittle(value)
        }
    }

    mutating func writeEncoded(bytes: ByteBuffer) {
        writeEncoded(integer: UInt64(bytes.readableBytes))
        writeImmutableBuffer(bytes)
    }

    mutating func writeEncoded(string text: String) {
        writeEncoded(integer: UInt64(text.utf8.count))
        writeString(text)
    }

    /// `text` and a NUL; a NUL within it becomes a space, so that it cannot end the field early.
    mutating func writeNulString(_ text: String) {
        writeString(text.utf8.contains(0) ? String(text.map { $0 == "\0" ? " " : $0 }) : text)
        writeInteger(UInt8(0))
    }
}
