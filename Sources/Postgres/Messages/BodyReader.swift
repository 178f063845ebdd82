import Glibc
import NIOCore

/// Takes a message's body apart, never past its end.
struct BodyReader {
    private let buffer: ByteBuffer
    private var index: Int
    private let end: Int
    private let type: UInt8

    /// Reads the body of the message whose header is at `start`; the whole message must be in `buffer`.
    init(_ buffer: ByteBuffer, messageAt start: Int, header: MessageHeader) {
        self.buffer = buffer
        index = start &+ MessageHeader.size
        end = start &+ header.totalLength
        type = header.type
    }

    var remaining: Int { end - index }

    mutating func integer<T: FixedWidthInteger>(_: T.Type = T.self) throws(ProtocolViolation) -> T {
        guard end - index >= MemoryLayout<T>.size, let value: T = buffer.getInteger(at: index) else { throw short() }
        index += MemoryLayout<T>.size
        return value
    }

    /// The bytes up to the next NUL, which is skipped.
    mutating func cStringBytes() throws(ProtocolViolation) -> ByteBuffer {
        guard let length = lengthToNUL(), let bytes = buffer.getSlice(at: index, length: length) else {
            throw ProtocolViolation("message '\(printable(type))' holds a string without an end")
        }
        index += length + 1
        return bytes
    }

    private func lengthToNUL() -> Int? {
        guard end > index, end <= buffer.writerIndex else { return nil }
        return buffer.withVeryUnsafeBytes { all in
            guard let start = all.baseAddress.map({ $0 + index }), let found = memchr(start, 0, end - index) else { return nil }
            return UnsafeRawPointer(found) - start
        }
    }

    mutating func cString() throws(ProtocolViolation) -> String {
        let bytes = try cStringBytes()
        guard let text = bytes.getString(at: bytes.readerIndex, length: bytes.readableBytes) else { throw short() }
        return text
    }

    mutating func bytes(_ count: Int) throws(ProtocolViolation) -> ByteBuffer {
        guard count >= 0, count <= end - index, let bytes = buffer.getSlice(at: index, length: count) else { throw short() }
        index += count
        return bytes
    }

    mutating func skip(_ count: Int) throws(ProtocolViolation) {
        guard count >= 0, count <= end - index else { throw short() }
        index += count
    }

    /// The next `count` type OIDs, without moving on.
    func typeOIDs(_ count: Int) throws(ProtocolViolation) -> [UInt32] {
        var rest = self
        var types: [UInt32] = []
        for _ in 0..<count { types.append(try rest.integer()) }
        return types
    }

    /// Checks that the body ends here.
    func finish() throws(ProtocolViolation) {
        guard index == end else {
            throw ProtocolViolation("message '\(printable(type))' has \(end - index) bytes too many")
        }
    }

    private func short() -> ProtocolViolation {
        ProtocolViolation("message '\(printable(type))' ends before its last field")
    }
}
