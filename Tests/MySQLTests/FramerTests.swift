import NIOCore
import Testing

@testable import MySQL

@Suite struct FramerTests {
    private static func packets(_ bytes: ByteBuffer, step: Int, maximumBytes: Int = 1 << 26) throws -> [Packet] {
        var framer = PacketFramer(maximumBytes: maximumBytes)
        var rest = bytes
        var found: [Packet] = []
        while let part = rest.readSlice(length: min(step, rest.readableBytes)), part.readableBytes > 0 {
            framer.append(part)
            while let packet = try framer.next() { found.append(packet) }
        }
        #expect(!framer.hasRest)
        return found
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 64, 1000])
    func cutsChangeNothing(step: Int) throws {
        var sequence: UInt8 = 0
        var bytes = ByteBuffer()
        let payloads = ["", "a", "SELECT 1", String(repeating: "x", count: 300)].map { ByteBuffer(string: $0) }
        for payload in payloads { bytes.writePacket(payload, sequence: &sequence) }
        let found = try Self.packets(bytes, step: step)
        #expect(found.map(\.payload) == payloads)
        #expect(found.map(\.sequence) == [0, 1, 2, 3])
    }

    @Test(arguments: [0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 2 * 0xFF_FFFF, 2 * 0xFF_FFFF + 5])
    func longMessagesAreSplitAndJoined(length: Int) throws {
        let payload = ByteBuffer(repeating: 0x61, count: length)
        var sequence: UInt8 = 250
        var bytes = ByteBuffer()
        bytes.writePacket(payload, sequence: &sequence)
        let pieces = length / 0xFF_FFFF + 1
        #expect(bytes.readableBytes == length + 4 * pieces)
        #expect(sequence == 250 &+ UInt8(pieces))
        var framer = PacketFramer(maximumBytes: length, expecting: 250)
        framer.append(bytes)
        let packet = try #require(try framer.next())
        #expect(packet.payload == payload)
        #expect(packet.sequence == sequence &- 1)
        #expect(try framer.next() == nil)
    }

    @Test func numbersWrapAround() throws {
        var sequence: UInt8 = 0
        var bytes = ByteBuffer()
        for _ in 0..<600 { bytes.writePacket(ByteBuffer(string: "x"), sequence: &sequence) }
        #expect(try Self.packets(bytes, step: 11).count == 600)
    }

    @Test func aPieceOutOfItsTurnIsRefused() throws {
        var framer = PacketFramer(maximumBytes: 100)
        framer.append(ByteBuffer(bytes: [1, 0, 0, 1, 0x61]))
        #expect(throws: ProtocolViolation.self) { try framer.next() }
    }

    @Test func aLengthAboveTheLimitIsRefusedBeforeItsBytesCome() throws {
        var framer = PacketFramer(maximumBytes: 100)
        framer.append(ByteBuffer(bytes: [101, 0, 0, 0]))
        #expect(throws: ProtocolViolation.self) { try framer.next() }
        // Also where only the pieces together are too long.
        var joined = PacketFramer(maximumBytes: 0xFF_FFFF + 10)
        var sequence: UInt8 = 0
        var bytes = ByteBuffer()
        bytes.writePacket(ByteBuffer(repeating: 0, count: 0xFF_FFFF), sequence: &sequence)
        bytes.moveWriterIndex(to: bytes.writerIndex - 4)
        bytes.writeBytes([11, 0, 0, 1])
        joined.append(bytes)
        #expect(throws: ProtocolViolation.self) { try joined.next() }
    }

    @Test(arguments: [0, 1, 250, 251, 252, 0xFFFF, 0x1_0000, 0xFF_FFFF, 0x100_0000, UInt64.max])
    func encodedIntegers(value: UInt64) throws {
        let bytes = Samples.written { $0.writeEncoded(integer: value) }
        var reader = BodyReader(bytes, "test")
        #expect(try reader.encodedInteger() == value)
        try reader.finish()
        for length in 0..<bytes.readableBytes {
            var short = BodyReader(try #require(bytes.getSlice(at: 0, length: length)), "test")
            #expect(throws: ProtocolViolation.self) { try short.encodedInteger() }
        }
    }

    @Test(arguments: [0xFB, 0xFF] as [UInt8])
    func whatIsNoLengthIsRefused(byte: UInt8) {
        var reader = BodyReader(ByteBuffer(bytes: [byte, 0, 0, 0, 0, 0, 0, 0, 0]), "test")
        #expect(throws: ProtocolViolation.self) { try reader.encodedInteger() }
    }
}
