import Foundation
import GatehouseCore
import NIOCore
import Testing

@testable import MySQL

/// The upstream side against real servers. MySQL is left out where none is at hand.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LiveTests {
    private static let password = LiveServer.password

    static let servers: [ServerFamily] = LiveServer.hasMySQL ? [.mariadb, .mysql] : [.mariadb]

    private static func server(_ family: ServerFamily) throws -> LiveServer {
        try (family == .mariadb ? LiveServer.mariadb : LiveServer.mysql).get()
    }

    private static func connect(_ family: ServerFamily, client: Capabilities? = nil, tls: UpstreamTLS.Mode = .verifyFull) throws -> Upstream
    {
        let user = family == .mariadb ? "native" : "caching"
        return try Upstream(
            server(family), Upstream.settings(user: user, password: password, tls: tls, database: "shop", family: family, client: client))
    }

    /// With and without CLIENT_DEPRECATE_EOF towards the server.
    static let ways: [(ServerFamily, Bool)] = servers.flatMap { [($0, true), ($0, false)] }

    private static func connect(_ way: (ServerFamily, Bool)) throws -> Upstream {
        let offered = CapabilityPlan.offered(way.0)
        let upstream = try connect(way.0, client: way.1 ? offered : offered.subtracting(.deprecateEOF))
        #expect(upstream.session.plan.upstream.contains(.deprecateEOF) == way.1)
        return upstream
    }

    @Test(arguments: ["native", "edward", "either", "encrypted"], [UpstreamTLS.Mode.disable, .require, .verifyFull])
    func pluginsOfMariaDB(user: String, tls: UpstreamTLS.Mode) throws {
        let server = try Self.server(.mariadb)
        let settings = Upstream.settings(user: user, password: Self.password, tls: tls)
        if user == "encrypted", tls == .disable {
            #expect(throws: HandshakeError.self) { try Upstream(server, settings) }
            return
        }
        let upstream = try Upstream(server, settings)
        defer { upstream.close() }
        #expect(upstream.session.plugin == (user == "edward" ? "client_ed25519" : "mysql_native_password"))
        #expect(try upstream.query("SELECT CURRENT_USER()").texts() == [["\(user)@%"]])
        let cipher = try upstream.query("SHOW STATUS LIKE 'Ssl_cipher'").texts()
        #expect((cipher.first?.last != "") == (tls != .disable))
    }

    @Test func loginsThatFailSayWhatToDo() throws {
        let server = try Self.server(.mariadb)
        let wrong = #expect(throws: HandshakeError.self) { try Upstream(server, Upstream.settings(user: "native", password: "wrong")) }
        #expect(wrong?.refusesPassword == true && wrong?.code == .accessDenied)
        #expect(throws: HandshakeError.self) { try Upstream(server, Upstream.settings(user: "edward", password: nil)) }
        #expect(try Upstream(server, Upstream.settings(user: "empty", password: nil)).query("SELECT 1").texts() == [["1"]])
        let family = #expect(throws: HandshakeError.self) {
            try Upstream(server, Upstream.settings(user: "native", password: Self.password, family: .mysql))
        }
        #expect(family?.hint?.contains("listener") == true)
    }

    @Test(.enabled(if: LiveServer.hasMySQL))
    func cachingSHA2OfMySQL() throws {
        let server = try Self.server(.mysql)
        func settings(_ user: String, _ tls: UpstreamTLS.Mode, _ key: UpstreamHandshake.PublicKeySource) -> UpstreamHandshake.Settings {
            Upstream.settings(user: user, password: Self.password, tls: tls, key: key, family: .mysql)
        }
        // Full, inside TLS: SSLRequest, response, password.
        let full = try Upstream(server, settings("caching2", .verifyFull, .refused))
        #expect(full.packetsSent == 3)
        // The server knows it now: fast, also without TLS.
        let fast = try Upstream(server, settings("caching2", .disable, .refused))
        #expect(fast.packetsSent == 1)
        // Full without TLS: with no key, a pinned one, one that is asked for.
        let refused = #expect(throws: HandshakeError.self) { try Upstream(server, settings("caching3", .disable, .refused)) }
        #expect(refused?.hint?.contains("tls.mode") == true)
        let pinned = try Upstream(server, settings("caching3", .disable, .pinned(server.publicKey)))
        #expect(pinned.packetsSent == 2)
        let fetched = try Upstream(server, settings("caching4", .disable, .fetched))
        #expect(fetched.packetsSent == 3)
        #expect(try fetched.query("SELECT 1").texts() == [["1"]])
        for upstream in [full, fast, pinned, fetched] { upstream.close() }
        let wrong = #expect(throws: HandshakeError.self) {
            try Upstream(server, Upstream.settings(user: "caching", password: "wrong", tls: .verifyFull, family: .mysql))
        }
        #expect(wrong?.refusesPassword == true)
    }

    @Test(.enabled(if: LiveServer.hasMySQL))
    func sha256OfMySQL() throws {
        let server = try Self.server(.mysql)
        for (tls, key) in [
            (UpstreamTLS.Mode.verifyFull, UpstreamHandshake.PublicKeySource.refused), (.disable, .fetched),
        ] {
            do {
                let upstream = try Upstream(
                    server, Upstream.settings(user: "old", password: Self.password, tls: tls, key: key, family: .mysql))
                #expect(upstream.session.plugin == "sha256_password")
                upstream.close()
            } catch let error as HandshakeError where error.code.number == 1045 || error.code.number == 1524 {
                // Servers from 9 on may come without the plugin; the account was then never made.
                Issue.record("sha256_password is not at hand: \(error)")
            }
        }
    }

    @Test(arguments: ways)
    func textResults(way: (ServerFamily, Bool)) throws {
        let upstream = try Self.connect(way)
        defer { upstream.close() }
        let answer = try upstream.query("SELECT c.id AS number, ssn FROM customers c ORDER BY id")
        #expect(try answer.texts() == [["1", "078-05-1120"], ["2", nil], ["3", "219-09-9999"]])
        let columns = answer.columns
        #expect(columns.map { String(buffer: $0.name) } == ["number", "ssn"])
        #expect(columns.map { String(buffer: $0.originalName) } == ["id", "ssn"])
        #expect(columns.map { String(buffer: $0.originalTable) } == ["customers", "customers"])
        #expect(String(buffer: columns[0].schema) == "shop" && columns[0].type == .long)
        #expect(try upstream.query("SELECT nothing FROM nowhere").errors.first?.number == 1146)
        let none = try upstream.query("SELECT id FROM customers WHERE 1 = 0")
        #expect(none.rows.isEmpty && none.ends.count == 1)
        let change = try upstream.query("SET @@sql_mode = 'ANSI_QUOTES'")
        let told = try #require(change.oks.first).sessionChanges()
        // Which variables a server tells of is a setting of its own; sql_mode is not among them by default.
        #expect(told.allSatisfy { if case .systemVariable = $0 { true } else { false } })
        let use = try upstream.run(.initDB(ByteBuffer(string: "mysql")))
        #expect(try #require(use.oks.first).sessionChanges().contains(.schema(ByteBuffer(string: "mysql"))))
        let update = try upstream.query("UPDATE shop.customers SET balance = balance")
        #expect(update.errors.map(\.text) == [])
        #expect(String(buffer: try #require(update.oks.first).info).contains("Rows matched: 3"))
        try upstream.query("BEGIN")
        #expect(upstream.link.reader.status.contains(.inTransaction))
        try upstream.query("ROLLBACK")
        #expect(!upstream.link.reader.status.contains(.inTransaction))
    }

    @Test(arguments: ways)
    func severalResults(way: (ServerFamily, Bool)) throws {
        let upstream = try Self.connect(way)
        defer { upstream.close() }
        let answer = try upstream.query("SELECT 1; SET @a = 2; SELECT 2, 3; SELECT broken")
        #expect(answer.rows.count == 2 && answer.oks.count == 1 && answer.errors.count == 1)
        let call = try upstream.query("CALL two()")
        #expect(call.errors.map(\.text) == [])
        #expect(call.rows.count == 2 && call.ends.first?.status.contains(.moreResults) == true && call.oks.count == 1)
        try upstream.run(.setOption(1))
        #expect(try upstream.query("SELECT 1; SELECT 2").errors.count == 1)
        try upstream.run(.setOption(0))
        #expect(try upstream.query("SELECT 1; SELECT 2").rows.count == 2)
    }

    @Test(arguments: ways)
    func preparedStatements(way: (ServerFamily, Bool)) throws {
        let upstream = try Self.connect(way)
        defer { upstream.close() }
        var registry = StatementRegistry(maximumStatements: 10, maximumLongData: 1 << 20)
        let text = ByteBuffer(string: "SELECT id, name, ssn, balance, born, seen, ? AS given FROM customers WHERE id >= ? ORDER BY id")
        let answer = try upstream.run(.prepare(text))
        let prepared = try #require(answer.prepared)
        #expect(prepared.parameters == 2 && prepared.columns == 7)
        registry.prepared(prepared.statement, text: text, parameterCount: prepared.parameters, columnCount: prepared.columns)
        let statement = try #require(registry[prepared.statement])
        let block = ParameterBlock(parameters: [
            Parameter(type: ParameterType(.varString), cell: BinaryValue.bytes(ByteBuffer(string: "é")).cell(as: .varString)),
            Parameter(type: ParameterType(.long), cell: BinaryValue.signed(1).cell(as: .long)),
        ])
        func execute(_ flags: ExecuteRequest.Flags) throws -> Command {
            .execute(
                try ExecuteRequest.make(
                    ExecuteRequest(statement: prepared.statement, flags: flags), block, of: statement, upstream.link.capabilities))
        }
        let whole = try upstream.run(try execute([]))
        #expect(whole.errors.map(\.text) == [])
        #expect(whole.rows.count == 3 && whole.rows.allSatisfy(\.isBinary))
        let columns = whole.columns
        for row in whole.rows {
            let read = try BinaryRow(row.payload, types: columns.map(\.type))
            #expect(Samples.written { read.write(to: &$0) } == row.payload)
            for (cell, column) in zip(read.cells, columns) {
                let value = try BinaryValue(cell, type: column.type, isUnsigned: column.isUnsigned)
                #expect(value.cell(as: column.type) == cell, "\(String(buffer: column.name))")
            }
        }
        // The flag changes nothing for a statement with parameters.
        let counted = try upstream.run(try execute([.parameterCount]))
        #expect(counted.errors.map(\.text) == [] && counted.rows.map(\.payload) == whole.rows.map(\.payload))
        // A cursor: no rows until they are fetched.
        let opened = try upstream.run(try execute([.readOnlyCursor]))
        #expect(opened.rows.isEmpty && opened.errors.isEmpty && opened.columns.count == 7)
        #expect(upstream.link.reader.status.contains(.cursorExists))
        let first = try upstream.run(.fetch(statement: prepared.statement, rows: 2))
        #expect(first.rows.count == 2 && !upstream.link.reader.status.contains(.lastRowSent))
        let rest = try upstream.run(.fetch(statement: prepared.statement, rows: 10))
        #expect(rest.rows.count == 1 && upstream.link.reader.status.contains(.lastRowSent))
        #expect(try upstream.run(.resetStatement(prepared.statement)).oks.count == 1)
        try upstream.send(.closeStatement(prepared.statement))
        #expect(try upstream.run(try execute([])).errors.first?.number == 1243)
        #expect(try upstream.run(.prepare(ByteBuffer(string: "SELECT broken FROM"))).errors.count == 1)
        let plain = try upstream.run(.prepare(ByteBuffer(string: "DO 1")))
        #expect(plain.prepared?.columns == 0 && upstream.link.isReady)
    }

    @Test(arguments: servers)
    func longDataAndLongPackets(family: ServerFamily) throws {
        let upstream = try Self.connect(family)
        defer { upstream.close() }
        try upstream.query("DELETE FROM blobs")
        let prepared = try #require(try upstream.run(.prepare(ByteBuffer(string: "INSERT INTO blobs VALUES (?, ?)"))).prepared)
        var registry = StatementRegistry(maximumStatements: 10, maximumLongData: 1 << 20)
        registry.prepared(prepared.statement, text: ByteBuffer(), parameterCount: 2, columnCount: 0)
        for piece in ["abc", "def"] {
            try upstream.send(.longData(statement: prepared.statement, parameter: 1, data: ByteBuffer(string: piece)))
            try registry.append(longData: ByteBuffer(string: piece), to: prepared.statement, parameter: 1)
        }
        let block = ParameterBlock(parameters: [
            Parameter(type: ParameterType(.long), cell: BinaryValue.signed(1).cell(as: .long)),
            Parameter(type: ParameterType(.blob), cell: nil),
        ])
        let statement = try #require(registry[prepared.statement])
        let request = try ExecuteRequest.make(
            ExecuteRequest(statement: prepared.statement), block, of: statement, upstream.link.capabilities)
        #expect(try upstream.run(.execute(request)).oks.first?.affectedRows == 1)
        #expect(try upstream.query("SELECT data FROM blobs WHERE id = 1").texts() == [["abcdef"]])
        // A command and a row above 16 MiB, and one of exactly the longest piece.
        for (id, length) in [(2, 17 << 20), (3, 33 << 20)] {
            let text = "INSERT INTO blobs VALUES (\(id), '" + String(repeating: "x", count: length) + "')"
            #expect(try upstream.query(text).oks.count == 1)
            let answer = try upstream.query("SELECT data FROM blobs WHERE id = \(id)")
            #expect(try TextRow(try #require(answer.rows.first).payload, columns: 1).cells[0]?.readableBytes == length)
        }
        let exact = "SELECT LENGTH('" + String(repeating: "x", count: 0xFF_FFFF - 1 - 17 - (family == .mysql ? 2 : 0)) + "')"
        #expect(try upstream.query(exact).rows.count == 1)
        try upstream.query("DELETE FROM blobs")
    }

    @Test(arguments: ways)
    func localInfile(way: (ServerFamily, Bool)) throws {
        let upstream = try Self.connect(way)
        defer { upstream.close() }
        try upstream.query("DELETE FROM loaded")
        let answer = try upstream.query("LOAD DATA LOCAL INFILE 'any/name.csv' INTO TABLE loaded", file: ["1\t2\n3", "\t4\n"])
        #expect(answer.contains(.localInfile(ByteBuffer(string: "any/name.csv"))))
        #expect(answer.oks.first?.affectedRows == 2)
        let none = try upstream.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE loaded")
        #expect(none.oks.first?.affectedRows == 0)
        #expect(try upstream.query("SELECT * FROM loaded ORDER BY a").texts() == [["1", "2"], ["3", "4"]])
    }

    @Test(arguments: ways)
    func otherCommands(way: (ServerFamily, Bool)) throws {
        let upstream = try Self.connect(way)
        defer { upstream.close() }
        #expect(try upstream.run(.ping).oks.count == 1)
        let statistics = try upstream.run(.statistics)
        guard case .statistics(let text)? = statistics.first else {
            Issue.record("\(statistics)")
            return
        }
        #expect(String(buffer: text).hasPrefix("Uptime"))
        let fields = try upstream.run(.fieldList(table: ByteBuffer(string: "customers"), wildcard: ByteBuffer(string: "%")))
        #expect(fields.errors.count == 1 || fields.columns.count == 6, "\(fields)")
        let list = try upstream.run(.processInfo)
        #expect(list.errors.count == 1 || !list.rows.isEmpty)
        #expect(try upstream.run(.debug).count == 1)
        #expect(try upstream.run(.processKill(4_000_000_000)).errors.count == 1)
        #expect(try upstream.run(.resetConnection).oks.count == 1)
        #expect(try upstream.query("SELECT DATABASE()").rows.count == 1)
        #expect(try upstream.run(.other(.createDB, ByteBuffer(string: "shop"))).errors.count == 1)
    }

    @Test(.enabled(if: LiveServer.hasMySQL))
    func queryAttributesOfMySQL() throws {
        let upstream = try Self.connect(.mysql)
        defer { upstream.close() }
        // The component that reads them is not installed everywhere: that the statement behind them runs is enough.
        let attributes = [
            Parameter(type: ParameterType(.varString, name: "trace"), cell: BinaryValue.bytes(ByteBuffer(string: "7")).cell(as: .varString))
        ]
        let query = Command.query(QueryRequest(text: ByteBuffer(string: "SELECT 41 + 1"), attributes: attributes))
        #expect(try upstream.run(query).texts() == [["42"]])
        let prepared = try #require(try upstream.run(.prepare(ByteBuffer(string: "SELECT 41 + 1"))).prepared)
        let statement = PreparedStatement(text: ByteBuffer(), parameterCount: 0, columnCount: 1)
        let request = try ExecuteRequest.make(
            ExecuteRequest(statement: prepared.statement, flags: [.parameterCount]), ParameterBlock(parameters: attributes), of: statement,
            upstream.link.capabilities)
        let answer = try upstream.run(.execute(request))
        #expect(answer.errors.isEmpty && answer.rows.count == 1)
    }

    @Test(arguments: servers)
    func changeUserIsAskedAnew(family: ServerFamily) throws {
        let upstream = try Self.connect(family)
        defer { upstream.close() }
        let user = family == .mariadb ? "native" : "caching"
        let answer = try upstream.run(.changeUser(ChangeUserRequest(user: user, database: "mysql", plugin: "mysql_native_password")))
        #expect(answer.oks.count == 1, "\(answer)")
        #expect(try upstream.query("SELECT DATABASE()").texts() == [["mysql"]])
    }

    @Test func bulkExecutionOfMariaDB() throws {
        let upstream = try Self.connect(.mariadb)
        defer { upstream.close() }
        try upstream.query("CREATE TEMPORARY TABLE bulk (a INT, b VARCHAR(10) DEFAULT 'd')")
        try upstream.send(.prepare(ByteBuffer(string: "INSERT INTO bulk VALUES (?, ?)")))
        // Behind it without waiting, for the last prepared: MariaDB's connectors do so.
        let body = Samples.written { buffer in
            ParameterType(.long).write(to: &buffer, named: false)
            ParameterType(.varString).write(to: &buffer, named: false)
            for (number, indicator) in [(1, UInt8(0)), (2, 1), (3, 2)] {
                buffer.writeInteger(UInt8(0))
                buffer.writeLittle(Int32(number))
                buffer.writeInteger(indicator)
                if indicator == 0 { buffer.writeEncoded(string: "x") }
            }
        }
        try upstream.send(.bulkExecute(BulkExecuteRequest(statement: Command.lastPrepared, flags: [.sendsTypes], body: body)))
        let answer = try upstream.answer()
        #expect(answer.errors.isEmpty && answer.oks.last?.affectedRows == 3)
        #expect(try upstream.query("SELECT * FROM bulk ORDER BY a").texts() == [["1", "x"], ["2", nil], ["3", "d"]])
    }

    @Test func pipelinedCommandsAreAnsweredInOrder() throws {
        let upstream = try Self.connect(.mariadb)
        defer { upstream.close() }
        for number in 0..<20 { try upstream.send(.query(QueryRequest(text: ByteBuffer(string: "SELECT \(number)")))) }
        let answer = try upstream.answer()
        #expect(answer.rows.map { String(buffer: $0.payload).suffix(1) } == (0..<20).map { "\($0)".suffix(1) })
    }

    @Test func extendedMetadataOfMariaDB() throws {
        let upstream = try Self.connect(.mariadb)
        defer { upstream.close() }
        let answer = try upstream.query("SELECT CAST('::1' AS INET6) AS a, JSON_OBJECT() AS b, POINT(1,2) AS c")
        let names = try answer.columns.map { try $0.extendedFields().map(\.value) }
        #expect(names.first == ["inet6"], "\(names)")
    }
}
