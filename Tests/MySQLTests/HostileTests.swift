import GatehouseCore
import NIOCore
import Testing

@testable import MySQL

/// Whatever a peer sends, nothing traps; what does not fit is an error.
@Suite struct HostileTests {
    private static let all: [ByteBuffer] = {
        var all: [ByteBuffer] = []
        for capabilities in [Samples.mysql, Samples.mariadb, Samples.old] {
            for command in Samples.commands(capabilities) {
                if let payload = try? command.payload(for: capabilities) { all.append(payload) }
            }
        }
        all.append(Samples.written { Samples.ok.write(to: &$0, Samples.mysql) })
        all.append(Samples.written { Samples.ok.write(to: &$0, Samples.mysql, header: 0xFE) })
        all.append(Samples.error.payload)
        all.append(Samples.written { EOFPacket().write(to: &$0) })
        all.append(Samples.written { Samples.column.write(to: &$0, Samples.mariadb) })
        all.append(Samples.written { Samples.response.write(to: &$0) })
        all.append(Samples.written { PreparedResponse(statement: 1, columns: 2, parameters: 3).write(to: &$0) })
        all.append(Samples.written { TextRow(cells: [Samples.text("a"), nil]).write(to: &$0) })
        all.append(Samples.written { BinaryRow(cells: [BinaryValue.signed(1).cell(as: .long), nil]).write(to: &$0) })
        all.append(AuthenticationPacket.switchRequest(plugin: .cachingSHA2, nonce: Greeting.freshNonce()))
        for family in [ServerFamily.mysql, .mariadb] {
            all.append(
                Greeting(
                    version: "8.0", threadID: 1, nonce: Array(1...20), capabilities: CapabilityPlan.offered(family),
                    plugin: "caching_sha2_password"
                ).payload)
        }
        return all.map { $0.readableBytes > 2_000 ? $0.getSlice(at: 0, length: 2_000) ?? $0 : $0 }
    }()

    /// Gives the bytes to everything that reads any.
    static func read(_ bytes: ByteBuffer) {
        for capabilities in [Samples.mysql, Samples.mariadb, Samples.old] {
            if let command = try? Command(bytes, capabilities) {
                _ = try? command.payload(for: capabilities)
                if case .execute(let request) = command { _ = try? request.parameters(of: Samples.prepared, capabilities) }
                if case .bulkExecute(let request) = command { _ = try? request.rows(of: Samples.prepared) }
            }
            _ = try? OKPacket(bytes, capabilities).sessionChanges()
            _ = try? ColumnDefinition(bytes, capabilities).extendedFields()
            _ = try? AuthenticationPacket(bytes, capabilities)
            for code in CommandCode.allCases {
                var reader = ResponseReader(capabilities, depth: 4)
                guard (try? reader.sent(code)) != nil else { continue }
                for _ in 0..<3 { _ = try? reader.read(bytes) }
            }
        }
        _ = try? ErrorPacket(bytes)
        _ = try? EOFPacket(bytes)
        _ = try? ProgressReport(bytes)
        _ = try? PreparedResponse(bytes)
        _ = try? SessionStateChange.decode(bytes)
        _ = try? Greeting(bytes)
        _ = try? HandshakeResponse(bytes)
        _ = try? TextRow(bytes, columns: 3)
        let types = Samples.cells.map(\.type)
        if let row = try? BinaryRow(bytes, types: types) {
            for (cell, type) in zip(row.cells, types) { _ = try? BinaryValue(cell, type: type, isUnsigned: true) }
        }
        for type in UInt8.min...UInt8.max { _ = try? BinaryValue(bytes, type: ColumnType(rawValue: type), isUnsigned: false) }
    }

    @Test func truncatedAtEveryByte() {
        for payload in Self.all {
            for length in 0...min(payload.readableBytes, 90) {
                Self.read(payload.getSlice(at: payload.readerIndex, length: length) ?? payload)
            }
        }
    }

    @Test func mutated() {
        var random = Fixed(20_261_127)
        for payload in Self.all {
            for _ in 0..<20 {
                var bytes = Array(payload.readableBytesView)
                for _ in 0...Int.random(in: 0..<3, using: &random) where !bytes.isEmpty {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes[place] = [0, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF].randomElement(using: &random) ?? 0
                    case 2: bytes.remove(at: place)
                    default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                    }
                }
                Self.read(ByteBuffer(bytes: bytes))
            }
        }
    }

    @Test func handshakesTakeAnything() {
        var random = Fixed(7)
        let rules = ClientHandshake.Rules(family: .mysql, version: "9.7.0", startupPacketBytes: 2_000, authenticationMessageBytes: 2_000)
        for payload in Self.all {
            for round in 0..<20 {
                var bytes = Array(payload.readableBytesView)
                if round > 0, !bytes.isEmpty {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                var sequence: UInt8 = 1
                var client = ClientHandshake(rules: rules, threadID: 1)
                _ = client.start()
                for _ in 0..<3 {
                    for action in client.receive(.packet(ByteBuffer(bytes: bytes), sequence: &sequence)) {
                        if case .verify = action { Issue.record("a secret without TLS") }
                        if case .startTLS = action { _ = client.tlsIsUp() }
                    }
                }
                var server = UpstreamHandshake(Upstream.settings(user: "u", password: "p"))
                sequence = 0
                for _ in 0..<3 { _ = server.receive(.packet(ByteBuffer(bytes: bytes), sequence: &sequence)) }
            }
        }
    }

    @Test func countsThatNothingFollowsCostNothing() {
        // A row of 65,535 columns in four bytes; attributes and parameters beyond all bytes.
        #expect(throws: ProtocolViolation.self) { try TextRow(ByteBuffer(bytes: [1, 2, 3]), columns: 65_535) }
        #expect(throws: ProtocolViolation.self) { try Command(ByteBuffer(bytes: [3, 0xFD, 0xFF, 0xFF, 0xFF, 1]), Samples.mysql) }
        #expect(throws: ProtocolViolation.self) { try Command(ByteBuffer(bytes: [3, 0xFC, 0xFF, 0xFF, 1, 0]), Samples.mysql) }
    }
}
