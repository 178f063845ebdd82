import GatehouseCore
import NIOCore
import Testing

@testable import MySQL

@Suite struct MessageTests {
    @Test(arguments: [Samples.mysql, Samples.mariadb, Samples.old])
    func commandsComeBackAsTheyWere(capabilities: Capabilities) throws {
        for command in Samples.commands(capabilities) {
            let payload = try command.payload(for: capabilities)
            var expected = command
            if case .changeUser(var request) = command, !capabilities.contains(.connectAttributes) {
                request.attributes = []
                expected = .changeUser(request)
            }
            #expect(try Command(payload, capabilities) == expected, "\(command.code.name)")
            #expect(payload.getInteger(at: 0, as: UInt8.self) == command.code.rawValue)
        }
    }

    @Test func everyKnownByteIsACommandAndNoOther() throws {
        for byte in UInt8.min...UInt8.max where CommandCode(rawValue: byte) == nil {
            let error = #expect(throws: ProtocolViolation.self) { try Command(ByteBuffer(bytes: [byte, 0, 0, 0, 0]), Samples.mysql) }
            #expect(error?.code == .unknownCommand)
        }
        #expect(CommandCode.allCases.filter(\.isReplication).count == 7)
    }

    @Test func resultPacketsComeBackAsTheyWere() throws {
        for capabilities in [Samples.mysql, Samples.mariadb] {
            let ok = Samples.written { Samples.ok.write(to: &$0, capabilities) }
            #expect(try OKPacket(ok, capabilities) == Samples.ok)
            #expect(try OKPacket(ok, capabilities).sessionChanges() == Samples.changes)
            let column = Samples.written { Samples.column.write(to: &$0, Samples.mariadb) }
            #expect(try ColumnDefinition(column, Samples.mariadb) == Samples.column)
        }
        #expect(try Samples.column.extendedFields().map(\.value) == ["inet6"])
        let error = Samples.written { Samples.error.write(to: &$0) }
        #expect(try ErrorPacket(error) == Samples.error)
        let eof = EOFPacket(warnings: 2, status: [.moreResults, .cursorExists])
        #expect(try EOFPacket(Samples.written { eof.write(to: &$0) }) == eof)
    }

    @Test func oneWithoutTrackingHearsNothingOfIt() throws {
        let bytes = Samples.written { Samples.ok.write(to: &$0, Samples.old) }
        let ok = try OKPacket(bytes, Samples.old)
        #expect(!ok.status.contains(.sessionStateChanged))
        #expect(ok.sessionState.readableBytes == 0)
        #expect(ok.info == Samples.ok.info)
        // As MySQL's document has it, without a length in front.
        let bare = ByteBuffer(bytes: [0, 1, 0, 2, 0, 0, 0]) + Array("Records: 1".utf8)
        #expect(String(buffer: try OKPacket(bare, Samples.old).info) == "Records: 1")
    }

    @Test func errorTextFitsTheBuffersOfClients() throws {
        let packet = ErrorPacket(.accessDenied, String(repeating: "é", count: 600))
        #expect(packet.message.readableBytes == 510)
        #expect(String(validating: packet.message.readableBytesView, as: UTF8.self) != nil)
        #expect(ErrorPacket(.accessDenied, "short").text == "short")
    }

    @Test func progressIsNoError() throws {
        let bytes = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 1, 1, 2, 0x10, 0x27, 0]) + [4] + Array("copy".utf8)
        #expect(ProgressReport.matches(bytes))
        let report = try ProgressReport(bytes)
        #expect(report.progress == 10_000 && report.maximumStage == 2 && String(buffer: report.info) == "copy")
        #expect(Samples.written { report.write(to: &$0) } == bytes)
    }

    @Test func cellsOfEveryTypeComeBackAsTheyWere() throws {
        var cells: [ByteBuffer?] = []
        for (type, isUnsigned, value) in Samples.cells {
            let cell = try #require(value.cell(as: type), "\(type)")
            #expect(try BinaryValue(cell, type: type, isUnsigned: isUnsigned) == value)
            cells.append(cell)
        }
        var types = Samples.cells.map(\.type)
        // NULLs between, so that the bitmap has bits at many places.
        for index in stride(from: 0, to: cells.count, by: 3) {
            cells.insert(nil, at: index)
            types.insert(.longBlob, at: index)
        }
        let payload = Samples.written { BinaryRow(cells: cells).write(to: &$0) }
        let row = try BinaryRow(payload, types: types)
        #expect(row.cells == cells)
        #expect(Samples.written { row.write(to: &$0) } == payload)
        #expect(BinaryValue.signed(128).cell(as: .tiny) == nil)
        #expect(BinaryValue.unsigned(256).cell(as: .tiny) == nil)
        #expect(BinaryValue.bytes(ByteBuffer()).cell(as: .long) == nil)
    }

    @Test func longerFormsOfDatesStayAsTheyAre() throws {
        // Eleven bytes with no microseconds: allowed, if not the shortest.
        let cell = ByteBuffer(bytes: [11, 0xEA, 7, 1, 2, 0, 0, 0, 0, 0, 0, 0])
        let payload = ByteBuffer(bytes: [0, 0]) + Array(cell.readableBytesView)
        let row = try BinaryRow(payload, types: [.dateTime])
        #expect(Samples.written { row.write(to: &$0) } == payload)
        #expect(throws: ProtocolViolation.self) { try BinaryRow(ByteBuffer(bytes: [0, 0, 5, 0, 0, 0, 0, 0]), types: [.dateTime]) }
    }

    @Test func textRowsComeBackAsTheyWere() throws {
        let row = TextRow(cells: [Samples.text("a"), nil, ByteBuffer(), ByteBuffer(repeating: 1, count: 70_000)])
        let payload = Samples.written { row.write(to: &$0) }
        #expect(try TextRow(payload, columns: 4) == row)
        #expect(throws: ProtocolViolation.self) { try TextRow(payload, columns: 3) }
        #expect(throws: ProtocolViolation.self) { try TextRow(payload, columns: 5) }
    }

    @Test(arguments: [ServerFamily.mysql, .mariadb])
    func greetingsComeBackAsTheyWere(family: ServerFamily) throws {
        let version = family == .mysql ? "9.7.0" : "5.5.5-10.11.19-MariaDB"
        let greeting = Greeting(
            version: version, threadID: 7, nonce: Greeting.freshNonce(), capabilities: CapabilityPlan.offered(family),
            plugin: "caching_sha2_password")
        let read = try Greeting(greeting.payload)
        #expect(read == greeting)
        #expect(read.family == family)
        #expect(!greeting.nonce.contains(0) && greeting.nonce.count == 20)
    }

    @Test func handshakeResponsesComeBackAsTheyWere() throws {
        var response = Samples.response
        for capabilities in [Samples.mysql, Samples.mysql.union(.zstd), Samples.mysql.subtracting(.encodedAuthentication), Samples.mariadb]
        {
            response.capabilities = capabilities
            let payload = Samples.written { response.write(to: &$0) }
            let read = try HandshakeResponse(payload)
            #expect(read.capabilities == capabilities)
            #expect(read.user == response.user && read.authentication == response.authentication && read.database == response.database)
            #expect(read.plugin == response.plugin && read.attributes == response.attributes)
            #expect(read.zstdLevel == (capabilities.contains(.zstd) ? 3 : nil))
        }
        #expect(!"\(response)".contains("7, 7"))
        let request = Samples.written { Samples.response.writeFixed(to: &$0) }
        #expect(HandshakeResponse.isTLSRequest(request))
    }

    @Test func executionsAreUnderstoodByTheirStatement() throws {
        for (capabilities, attributes) in [(Samples.mysql, true), (Samples.mysql, false), (Samples.mariadb, false), (Samples.old, false)] {
            let request = Samples.execute(capabilities, attributes: attributes)
            let block = try request.parameters(of: Samples.prepared, capabilities)
            #expect(block.parameters.prefix(4).map(\.cell) == Samples.parameters.map(\.cell))
            #expect(block.parameters.count == (attributes ? 5 : 4))
            #expect(try ExecuteRequest.make(request, block, of: Samples.prepared, capabilities) == request)
            if attributes {
                #expect(throws: ErrorPacket.self) { try ExecuteRequest.make(request, block, of: Samples.prepared, Samples.old) }
            } else {
                let old = try ExecuteRequest.make(request, block, of: Samples.prepared, Samples.old)
                #expect(try old.parameters(of: Samples.prepared, Samples.old).parameters.map(\.cell) == Samples.parameters.map(\.cell))
            }
        }
        let rows = try Samples.bulk.rows(of: Samples.prepared)
        #expect(rows.rows.count == 3 && rows.rows[0][1...] == [.null, .defaultValue, .ignored])
    }

    @Test func attributesWithoutAServerThatTakesThemAreRefused() throws {
        let query = QueryRequest(text: Samples.text("SELECT 1"), attributes: Samples.parameters)
        #expect(throws: ErrorPacket.self) { try Command.query(query).payload(for: Samples.old) }
    }

    @Test func valuesWithoutTypesNeedThoseOfBefore() throws {
        var registry = StatementRegistry(maximumStatements: 2, maximumLongData: 10)
        registry.prepared(7, text: Samples.text("x"), parameterCount: 4, columnCount: 0)
        let first = try Samples.execute(Samples.old).parameters(of: try #require(registry[7]), Samples.old)
        var second = first
        second.bringsTypes = false
        let bare = ExecuteRequest(statement: 7, body: Samples.written { second.write(to: &$0, named: false) })
        #expect(throws: ProtocolViolation.self) { try bare.parameters(of: try #require(registry[7]), Samples.old) }
        registry.executed(7, first)
        #expect(try bare.parameters(of: try #require(registry[7]), Samples.old).parameters == first.parameters)
        #expect(registry[Command.lastPrepared]?.parameterCount == 4)
    }
}

private func + (buffer: ByteBuffer, bytes: [UInt8]) -> ByteBuffer {
    var buffer = buffer
    buffer.writeBytes(bytes)
    return buffer
}
