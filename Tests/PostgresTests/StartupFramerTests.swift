import NIOCore
import Testing

@testable import Postgres

@Suite("Startup packets")
struct StartupFramerTests {
    @Test("every kind is read, whole and byte by byte")
    func kinds() {
        #expect(frame(packet(80_877_103)) == .success([.sslRequest]))
        #expect(frame(packet(80_877_104)) == .success([.gssEncRequest]))
        #expect(
            frame(packet(80_877_102, [0, 0, 0, 7, 1, 2, 3, 4]))
                == .success([.cancelRequest(.init(processID: 7, secret: [1, 2, 3, 4]))]))
        #expect(
            frame(packet(version30, strings("user", "orders", "database", "böse")))
                == .success([.startup(version: .v3, parameters: [.init("user", "orders"), .init("database", "böse")])]))
    }

    @Test("GSS, then TLS, then the start: what libpq sends to a server that says N twice")
    func sequence() {
        var bytes = packet(80_877_104)
        bytes.writeImmutableBuffer(packet(80_877_103))
        bytes.writeImmutableBuffer(packet(3 << 16 | 2, strings("user", "u")))
        #expect(
            frame(bytes)
                == .success([
                    .gssEncRequest, .sslRequest,
                    .startup(version: .init(major: 3, minor: 2), parameters: [.init("user", "u")]),
                ]))
    }

    @Test("a second request for the same, and any inside TLS, is refused", arguments: [UInt32(80_877_103), 80_877_104])
    func repeated(code: UInt32) {
        var twice = packet(code)
        twice.writeImmutableBuffer(packet(code))
        #expect(frame(twice).sqlState == "08P01")
        #expect(frame(packet(code), insideTLS: true).sqlState == "08P01")
        #expect(frame(packet(code, [0])).sqlState == "08P01")
    }

    @Test("an eight byte startup packet before authentication is refused, and kills nothing")
    func eightBytes() {
        #expect(frame(packet(version30)).sqlState == "08P01")
    }

    @Test("lengths out of bounds are refused as soon as they are known", arguments: [UInt32(0), 1, 4, 7, 10_001, 0x7FFF_FFFF, .max])
    func lengths(length: UInt32) {
        var buffer = ByteBuffer()
        buffer.writeInteger(length)
        #expect(frame(buffer).sqlState == "08P01")
    }

    @Test("the longest packet is read, one byte more is not")
    func limit() {
        let fill = 10_000 - 8 - strings("user", "").count
        #expect(frame(packet(version30, strings("user", String(repeating: "x", count: fill)))).sqlState == nil)
        #expect(frame(packet(version30, strings("user", String(repeating: "x", count: fill + 1)))).sqlState == "08P01")
    }

    @Test("a body of any other layout is refused")
    func layouts() {
        let user = Array("user".utf8)
        for body in [
            user,  // no NUL at all
            user + [0],  // a name without value
            user + [0, 0x75],  // a value that does not end
            user + [0, 0x75, 0],  // no terminator
            user + [0, 0x75, 0, 0, 0],  // bytes behind the terminator
            [0, 0],
        ] {
            #expect(frame(packet(version30, body)).sqlState == "08P01")
        }
    }

    @Test("names twice, in any case, are refused")
    func duplicates() {
        #expect(frame(packet(version30, strings("user", "a", "user", "b"))).sqlState == "08P01")
        #expect(frame(packet(version30, strings("user", "a", "DateStyle", "ISO", "datestyle", "SQL"))).sqlState == "08P01")
    }

    @Test("text that is not UTF-8 is refused, in names and values")
    func invalidText() {
        #expect(frame(packet(version30, Array("user".utf8) + [0, 0xC3, 0x28, 0, 0])).sqlState == "22021")
        #expect(frame(packet(version30, [0xFF, 0, 0x61, 0, 0])).sqlState == "22021")
    }

    @Test("other major versions are refused", arguments: [2 << 16, 4 << 16, 0, 1234 << 16 | 5681, 0x4745_5420] as [UInt32])
    func versions(code: UInt32) {
        #expect(frame(packet(code, strings("user", "u"))).sqlState == "0A000")
    }

    @Test("a cancel key has 4 to 256 bytes")
    func cancelKeys() {
        for count in [0, 3, 257] {
            #expect(frame(packet(80_877_102, [0, 0, 0, 1] + [UInt8](repeating: 9, count: count))).sqlState == "08P01")
        }
        #expect(frame(packet(80_877_102, [0, 0])).sqlState == "08P01")
        let long = [UInt8](repeating: 9, count: 256)
        #expect(
            frame(packet(80_877_102, [0xFF, 0xFF, 0xFF, 0xFF] + long)) == .success([.cancelRequest(.init(processID: -1, secret: long))]))
    }

    @Test("a cancel key is never printed")
    func cancelKeyIsSecret() {
        let key = StartupPacket.CancelKey(processID: 1, secret: [77, 78, 79, 80])
        for text in ["\(key)", String(reflecting: key), "\(StartupPacket.cancelRequest(key))"] {
            #expect(!text.contains("77"))
        }
        var dumped = ""
        dump(key, to: &dumped)
        #expect(!dumped.contains("77"))
    }

    @Test("a TLS record first is direct TLS; later, or inside TLS, it is a broken packet")
    func directTLS() {
        let hello = ByteBuffer(bytes: [0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5])
        #expect(frame(hello) == .success([.directTLS]))
        #expect(frame(hello, insideTLS: true).sqlState == "08P01")
        var late = packet(80_877_104)
        late.writeImmutableBuffer(hello)
        #expect(frame(late).sqlState == "08P01")

        var framer = StartupFramer()
        framer.append(hello)
        #expect(throws: Never.self) { try framer.next() == .directTLS }
        #expect(framer.takeRest() == hello)
        #expect(!framer.hasRest)
    }

    @Test("bytes sent on before a TLS upgrade are seen")
    func smuggled() throws {
        var framer = StartupFramer()
        var bytes = packet(80_877_103)
        framer.append(bytes)
        #expect(try framer.next() == .sslRequest)
        #expect(!framer.hasRest)

        framer = StartupFramer()
        bytes.writeImmutableBuffer(packet(version30, strings("user", "mallory")))
        framer.append(bytes)
        #expect(try framer.next() == .sslRequest)
        #expect(framer.hasRest)
    }

    @Test("random bytes and damaged packets never do more than throw")
    func random() {
        var generator = SplitMix(state: 20_261_124)
        let good = packet(version30, strings("user", "u", "options", "-c a=b", "database", "d")).bytes
        for round in 0..<1_500 {
            var bytes = good
            if round % 2 == 0 {
                bytes = (0..<Int.random(in: 0...64, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                if bytes.count > 4 { bytes.replaceSubrange(0..<4, with: [0, 0, 0, UInt8(bytes.count)]) }
            } else {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if case .success(let packets) = frame(ByteBuffer(bytes: bytes)) {
                for case .startup(let version, let parameters) in packets {
                    _ = try? ClientStartup(version: version, parameters: parameters)
                }
            }
        }
    }
}

/// A generator with a seed (SplitMix64), so that a failure comes again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
