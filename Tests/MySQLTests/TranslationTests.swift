import NIOCore
import Testing

@testable import MySQL

/// An answer in one form, read, written in another, and read again, says the same.
@Suite struct TranslationTests {
    private static let forms: [Capabilities] = [
        Samples.mysql, Samples.mysql.subtracting(.deprecateEOF), Samples.old, Samples.mariadb,
        Samples.mariadb.subtracting([.deprecateEOF, .extendedMetadata]),
    ]

    /// The packets of an answer as a server with `capabilities` sends it, behind a command of `code`.
    private static func server(_ code: CommandCode, _ capabilities: Capabilities) -> [ByteBuffer] {
        let eof = Samples.written { EOFPacket(status: .autocommit).write(to: &$0) }
        let column = Samples.written { Samples.column.write(to: &$0, capabilities) }
        let separators = capabilities.contains(.deprecateEOF) ? [] : [eof]
        func end(_ status: StatusFlags) -> ByteBuffer {
            Samples.written {
                if capabilities.contains(.deprecateEOF) {
                    OKPacket(status: status).write(to: &$0, capabilities, header: 0xFE)
                } else {
                    EOFPacket(status: status).write(to: &$0)
                }
            }
        }
        let count = ByteBuffer(bytes: [2])
        let row = Samples.written { TextRow(cells: [Samples.text("a"), nil]).write(to: &$0) }
        switch code {
        case .query:
            return [count, column, column] + separators + [row, row, end([.autocommit, .moreResults]), count, column, column] + separators
                + [end([.autocommit, .moreResults]), Samples.written { Samples.ok.write(to: &$0, capabilities) }]
        case .prepare:
            let head = Samples.written { PreparedResponse(statement: 9, columns: 2, parameters: 1).write(to: &$0) }
            return [head, column] + separators + [column, column] + separators
        case .execute:
            return [count, column, column] + (capabilities.contains(.deprecateEOF) ? [end([.cursorExists])] : [end([.cursorExists])])
        case .fetch: return [ByteBuffer(bytes: [0, 0, 1, 0x61, 1, 0x62]), end([.lastRowSent])]
        case .fieldList: return [column, column, end(.autocommit)]
        case .setOption: return [end(.autocommit)]
        default: return [ErrorPacket(.unknownCommand, "no").payload]
        }
    }

    private static func read(_ packets: [ByteBuffer], _ code: CommandCode, _ capabilities: Capabilities) throws -> [Response] {
        var reader = ResponseReader(capabilities, depth: 4)
        try reader.sent(code)
        var responses: [Response] = []
        for (index, packet) in packets.enumerated() {
            #expect(!reader.isReady, "\(code.name): ready before packet \(index) of \(packets.count)")
            responses.append(try reader.read(packet))
        }
        #expect(reader.isReady, "\(code.name): not ready behind the last packet")
        return responses
    }

    @Test(arguments: [CommandCode.query, .prepare, .execute, .fetch, .fieldList, .setOption, .ping])
    func everyFormIntoEveryOther(code: CommandCode) throws {
        for from in Self.forms {
            for to in Self.forms {
                let packets = Self.server(code, from)
                var reader = ResponseReader(from, depth: 4)
                try reader.sent(code)
                var writer = ResponseWriter(client: to, server: from, sequence: 1)
                var bytes = ByteBuffer()
                for packet in packets { writer.write(try reader.read(packet), status: reader.status, to: &bytes) }
                var framer = PacketFramer(maximumBytes: 1 << 20, expecting: 1)
                framer.append(bytes)
                var written: [ByteBuffer] = []
                while let packet = try framer.next() { written.append(packet.payload) }
                let answer = try Self.read(written, code, to)
                let direct = try Self.read(Self.server(code, to), code, to)
                #expect(answer.count == direct.count, "\(code.name)")
                #expect(answer.rows.map(\.payload) == direct.rows.map(\.payload))
                #expect(answer.ends.map(\.status) == direct.ends.map(\.status))
                #expect(answer.columns.map(\.originalName) == direct.columns.map(\.originalName))
                #expect(answer.oks.map(\.affectedRows) == direct.oks.map(\.affectedRows))
                if from.contains(.extendedMetadata) == to.contains(.extendedMetadata) { #expect(answer.columns == direct.columns) }
            }
        }
    }

    @Test func aRowThatBeginsLikeAnEndIsARow() throws {
        var reader = ResponseReader(Samples.mysql, depth: 1)
        try reader.sent(.query)
        _ = try reader.read(ByteBuffer(bytes: [1]))
        _ = try reader.read(Samples.written { Samples.column.write(to: &$0, Samples.mysql) })
        let row = Samples.written { $0.writeEncoded(bytes: ByteBuffer(repeating: 1, count: 1 << 24)) }
        #expect(row.getInteger(at: 0, as: UInt8.self) == 0xFE)
        #expect(try reader.read(row) == .row(row, isBinary: false))
        #expect(!reader.isReady)
    }

    @Test func progressComesBeforeTheAnswer() throws {
        let report = try ProgressReport(ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 1, 1, 2, 0, 0, 0, 0]))
        var reader = ResponseReader(Samples.mariadb, depth: 1)
        try reader.sent(.query)
        #expect(try reader.read(Samples.written { report.write(to: &$0) }) == .progress(report))
        #expect(!reader.isReady)
        var bytes = ByteBuffer()
        var writer = ResponseWriter(client: Samples.old, server: Samples.mariadb, sequence: 1)
        writer.write(.progress(report), status: [], to: &bytes)
        #expect(bytes.readableBytes == 0 && writer.sequence == 1)
    }

    @Test func whatNobodyAskedForIsRefused() throws {
        var reader = ResponseReader(Samples.mysql, depth: 1)
        #expect(throws: ProtocolViolation.self) { try reader.read(ByteBuffer(bytes: [0, 0, 0, 2, 0, 0, 0])) }
        for code in [CommandCode.binlogDump, .clone, .shutdown, .daemon, .multi] {
            #expect(throws: ProtocolViolation.self) { try reader.sent(code) }
        }
        try reader.sent(.ping)
        #expect(throws: ProtocolViolation.self) { try reader.sent(.ping) }
        try reader.sent(.closeStatement)
        #expect(throws: ProtocolViolation.self) { try reader.read(ByteBuffer(bytes: [0xFB, 0x61])) }
    }

    @Test func aLinkKeepsTheNumbersOfPackets() throws {
        var client = ClientLink(Samples.mysql, messageBytes: 1 << 20)
        var upstream = UpstreamLink(Samples.mysql, messageBytes: 1 << 20, depth: 4)
        client.append(try upstream.send(.query, ByteBuffer(bytes: [3, 0, 1, 0x61])))
        let request = try #require(try client.next())
        #expect(request.answerSequence == 1)
        var sequence: UInt8 = 1
        upstream.append(.packet(ByteBuffer(bytes: [0xFB, 0x66]), sequence: &sequence))
        #expect(try upstream.next() == .localInfile(ByteBuffer(string: "f")))
        client.expectFile(2)
        #expect(try client.next() == nil)
        for piece in ["data", ""] {
            client.append(try upstream.sendFile(ByteBuffer(string: piece)))
            #expect(try client.nextFilePiece()?.payload == ByteBuffer(string: piece))
        }
        sequence = 4
        upstream.append(.packet(Samples.written { OKPacket().write(to: &$0, Samples.mysql) }, sequence: &sequence))
        #expect(try upstream.next() == .ok(OKPacket()))
        #expect(upstream.isReady)
        client.append(try upstream.send(.ping, ByteBuffer(bytes: [14])))
        #expect(try client.next()?.command == .ping)
    }
}
