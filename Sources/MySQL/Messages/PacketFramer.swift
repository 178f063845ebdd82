import NIOCore

/// A message of the protocol: one packet, or several of 16 MiB - 1 and a shorter last one ("Protocol Basics", "MySQL Packets").
struct Packet: Sendable, Hashable {
    var payload: ByteBuffer
    /// The number of its last piece.
    var sequence: UInt8

    /// What the protocol calls the packet's header: its first byte.
    var header: UInt8? { payload.getInteger(at: payload.readerIndex) }

    /// The longest payload of one piece; a piece of that length is continued by the next.
    static let maximumPiece = 0xFF_FFFF
    static let headerSize = 4
}

/// Cuts a peer's bytes into packets, pulled one at a time, and checks the numbers that each piece carries.
struct PacketFramer: Sendable {
    private var buffer = ByteBuffer()
    /// The pieces of a message whose last one is yet to come.
    private var joined: ByteBuffer?
    /// Those pieces as they came, with their headers.
    private var joinedBytes = 0
    private(set) var expected: UInt8
    private let limit: Int

    /// - Parameters:
    ///   - maximumBytes: of one message, all its pieces together (`Limits.messageBytes`).
    ///   - expecting: the number of the first piece: 0 where the peer begins, 1 where it answers.
    init(maximumBytes: Int, expecting: UInt8 = 0) {
        limit = maximumBytes
        expected = expecting
    }

    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            if buffer.readerIndex > 1 << 20 { buffer.discardReadBytes() }
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The number of the next piece: 0 before a command, one more than the last piece sent before its answer.
    mutating func expect(_ sequence: UInt8) { expected = sequence }

    /// Whether bytes were received beyond the packets taken. Before a TLS upgrade there must be none: someone between may
    /// have put them there.
    var hasRest: Bool { buffer.readableBytes > 0 || joined != nil }

    /// Bytes received and not yet taken with a message.
    var bufferedBytes: Int { buffer.readableBytes + joinedBytes }

    /// The bytes beyond the packets taken; the framer is then empty.
    mutating func takeRest() -> ByteBuffer {
        defer { buffer = ByteBuffer() }
        return buffer
    }

    /// The next message; nil while its bytes are not all there.
    /// - Throws: `ProtocolViolation` for a piece out of its turn, and for a message above the limit as soon as a header says so.
    mutating func next() throws(ProtocolViolation) -> Packet? {
        while let header = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self) {
            let length = Int(header & 0xFF_FFFF)
            let sequence = UInt8(header >> 24)
            guard sequence == expected else {
                throw ProtocolViolation("packet \(sequence) came where \(expected) had its turn", code: .packetsOutOfOrder)
            }
            let total = length + (joined?.readableBytes ?? 0)
            guard total <= limit else {
                throw ProtocolViolation(
                    "a message of at least \(total) bytes is above the limit of \(limit) (limits.message_bytes)", code: .packetTooLarge)
            }
            guard buffer.readableBytes >= Packet.headerSize + length,
                let piece = buffer.getSlice(at: buffer.readerIndex + Packet.headerSize, length: length)
            else { return nil }
            buffer.moveReaderIndex(forwardBy: Packet.headerSize + length)
            expected &+= 1
            if length == Packet.maximumPiece {
                if joined == nil { joined = ByteBuffer() }
                joined?.writeImmutableBuffer(piece)
                joinedBytes += Packet.headerSize + length
                continue
            }
            guard var whole = joined else { return Packet(payload: piece, sequence: sequence) }
            joined = nil
            joinedBytes = 0
            whole.writeImmutableBuffer(piece)
            return Packet(payload: whole, sequence: sequence)
        }
        return nil
    }
}

extension ByteBuffer {
    /// Writes `payload` as the pieces that it needs, the first one numbered `sequence`, which is left at the number after the
    /// last. A payload whose length is a multiple of the longest piece ends with an empty one.
    mutating func writePacket(_ payload: ByteBuffer, sequence: inout UInt8) {
        var rest = payload
        while true {
            let length = min(rest.readableBytes, Packet.maximumPiece)
            writeLittle(UInt32(length) | UInt32(sequence) << 24)
            sequence &+= 1
            if let piece = rest.readSlice(length: length) { writeImmutableBuffer(piece) }
            if length < Packet.maximumPiece { return }
        }
    }

    /// One packet as a buffer of its own.
    static func packet(_ payload: ByteBuffer, sequence: inout UInt8) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(payload.readableBytes + Packet.headerSize)
        buffer.writePacket(payload, sequence: &sequence)
        return buffer
    }
}
