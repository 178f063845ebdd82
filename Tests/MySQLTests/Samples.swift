import NIOCore

@testable import MySQL

/// One of each message of the protocol, for round trips and as what mutations begin with.
enum Samples {
    static let mysql: Capabilities = CapabilityPlan.offered(.mysql)
    static let mariadb: Capabilities = CapabilityPlan.offered(.mariadb)
    /// As clients of old: no tracking, EOF packets, no attributes.
    static let old: Capabilities = [.mysql, .protocol41, .secureConnection, .transactions, .pluginAuthentication, .multiResults]

    static func text(_ string: String) -> ByteBuffer { ByteBuffer(string: string) }

    static func written(_ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        body(&buffer)
        return buffer
    }

    static var column: ColumnDefinition {
        var column = ColumnDefinition(name: "alias", type: .varString)
        column.schema = text("shop")
        column.table = text("c")
        column.originalTable = text("customers")
        column.originalName = text("ssn")
        column.extended = written {
            $0.writeInteger(UInt8(0))
            $0.writeEncoded(string: "inet6")
        }
        column.collation = 255
        column.length = 1020
        column.flags = [.notNull, .unsigned]
        column.decimals = 31
        return column
    }

    static var ok: OKPacket {
        var ok = OKPacket(
            affectedRows: 300, lastInsertID: 70_000, status: [.autocommit, .sessionStateChanged], warnings: 3, info: "Rows matched: 1")
        ok.sessionState = written { buffer in for change in changes { change.write(to: &buffer) } }
        return ok
    }

    static let changes: [SessionStateChange] = [
        .systemVariable(name: "sql_mode", value: text("ANSI_QUOTES")), .schema(text("shop")), .stateChanged(text("1")),
        .gtids(text("3E11FA47:1-5")),
        .transactionCharacteristics(text("START TRANSACTION;")), .transactionState(text("T_______")), .other(9, text("later")),
    ]

    static let error = ErrorPacket(.tableAccessDenied, "no")

    static let parameters: [Parameter] = [
        Parameter(type: ParameterType(.longLong), cell: BinaryValue.signed(-5).cell(as: .longLong)),
        Parameter(type: ParameterType(.varString), cell: BinaryValue.bytes(text("x'y")).cell(as: .varString)),
        Parameter(type: ParameterType(.null), cell: nil),
        Parameter(type: ParameterType(.tiny, isUnsigned: true), cell: BinaryValue.unsigned(200).cell(as: .tiny)),
    ]

    static let prepared = PreparedStatement(text: text("SELECT ?, ?, ?, ?"), parameterCount: 4, columnCount: 4)

    static func execute(_ capabilities: Capabilities, attributes: Bool = false) -> ExecuteRequest {
        var all = parameters
        if attributes {
            all.append(Parameter(type: ParameterType(.varString, name: "trace"), cell: BinaryValue.bytes(text("7")).cell(as: .varString)))
        }
        let named = capabilities.contains(.queryAttributes)
        let body = written {
            if named { $0.writeEncoded(integer: UInt64(all.count)) }
            ParameterBlock(parameters: all).write(to: &$0, named: named)
        }
        return ExecuteRequest(statement: 7, flags: attributes ? [.parameterCount, .readOnlyCursor] : [.readOnlyCursor], body: body)
    }

    static let bulk = BulkExecuteRequest(
        statement: 7, flags: [.sendsTypes, .unitResults],
        body: written { buffer in
            for parameter in parameters { parameter.type.write(to: &buffer, named: false) }
            for _ in 0..<3 {
                buffer.writeInteger(UInt8(0))
                buffer.writeLittle(Int64(9))
                buffer.writeInteger(UInt8(1))
                buffer.writeInteger(UInt8(2))
                buffer.writeInteger(UInt8(3))
            }
        })

    static var changeUser: ChangeUserRequest {
        var request = ChangeUserRequest(user: "writer@orders", database: "shop", plugin: "caching_sha2_password")
        request.response = ByteBuffer(bytes: [1, 2, 3])
        request.attributes = attributes
        return request
    }

    static let attributes = [
        ConnectAttribute(name: "_client_name", value: "libmysql"), ConnectAttribute(name: "program_name", value: "mysql"),
    ]

    static func commands(_ capabilities: Capabilities) -> [Command] {
        var query = QueryRequest(text: text("SELECT 1"))
        if capabilities.contains(.queryAttributes) { query.attributes = parameters }
        return [
            .quit, .initDB(text("shop")), .query(query), .query(QueryRequest(text: text("/* é */ SELECT 2"))), .prepare(text("SELECT ?")),
            .execute(execute(capabilities)), .bulkExecute(bulk), .longData(statement: 1, parameter: 2, data: text("long")),
            .fetch(statement: 3, rows: 100), .resetStatement(4), .closeStatement(5), .fieldList(table: text("t"), wildcard: text("%")),
            .changeUser(changeUser), .resetConnection, .ping, .statistics, .processKill(77), .setOption(1), .processInfo, .debug,
            .other(.binlogDump, text("abcdefgh")), .other(.registerReplica, text("x")), .other(.binlogDumpGTID, text("y")),
            .other(.clone, ByteBuffer()), .other(.shutdown, ByteBuffer()), .other(.multi, text("z")),
        ]
    }

    static var response: HandshakeResponse {
        var response = HandshakeResponse(capabilities: mysql, maximumPacket: 1 << 24, collation: 45, user: "orders")
        response.authentication = Array(repeating: 7, count: 32)
        response.database = "shop"
        response.plugin = "caching_sha2_password"
        response.attributes = attributes
        return response
    }

    /// Cells of every type, as they travel.
    static let cells: [(type: ColumnType, isUnsigned: Bool, value: BinaryValue)] = [
        (.tiny, false, .signed(-128)), (.tiny, true, .unsigned(255)), (.short, false, .signed(-32768)), (.year, true, .unsigned(2026)),
        (.long, false, .signed(-1)), (.int24, true, .unsigned(16_777_215)), (.longLong, false, .signed(.min)),
        (.longLong, true, .unsigned(.max)), (.float, false, .float(1.5)), (.double, false, .double(-2.25)),
        (.date, false, .moment(.init(year: 2026, month: 11, day: 27))), (.dateTime, false, .moment(.init())),
        (.dateTime, false, .moment(.init(year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5))),
        (.timestamp, false, .moment(.init(year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5, microsecond: 6))),
        (.time, false, .span(.init())), (.time, false, .span(.init(isNegative: true, days: 34, hours: 22, minutes: 59, seconds: 59))),
        (.time, false, .span(.init(microseconds: 1))), (.newDecimal, false, .bytes(text("-12.30"))), (.decimal, false, .bytes(text("1"))),
        (.varString, false, .bytes(text("é"))), (.string, false, .bytes(ByteBuffer())), (.varChar, false, .bytes(text("v"))),
        (.blob, false, .bytes(ByteBuffer(bytes: [0, 1, 0xFF]))), (.tinyBlob, false, .bytes(text("t"))),
        (.longBlob, false, .bytes(ByteBuffer(repeating: 9, count: 70_000))),
        (.mediumBlob, false, .bytes(ByteBuffer(repeating: 9, count: 300))),
        (.json, false, .bytes(text("{\"a\": 1}"))), (.geometry, false, .bytes(ByteBuffer(bytes: [0, 0, 0, 0, 1]))),
        (.bit, true, .bytes(ByteBuffer(bytes: [5]))), (.enumeration, false, .bytes(text("red"))), (.set, false, .bytes(text("a,b"))),
        (.vector, false, .bytes(ByteBuffer(bytes: [0, 0, 128, 63]))),
    ]
}

/// A generator whose numbers are the same in every run.
struct Fixed: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
