import NIOCore

/// What a client asks for, taken apart ("Command Phase"; MariaDB documentation, "Commands"). Texts are bytes of the
/// connection's character set.
enum Command: Sendable, Hashable {
    case quit
    case initDB(ByteBuffer)
    case query(QueryRequest)
    case prepare(ByteBuffer)
    case execute(ExecuteRequest)
    case bulkExecute(BulkExecuteRequest)
    case longData(statement: UInt32, parameter: UInt16, data: ByteBuffer)
    case fetch(statement: UInt32, rows: UInt32)
    case resetStatement(UInt32)
    case closeStatement(UInt32)
    case fieldList(table: ByteBuffer, wildcard: ByteBuffer)
    case changeUser(ChangeUserRequest)
    case resetConnection
    case ping
    case statistics
    case processKill(UInt32)
    /// 0 turns several statements in one text on, 1 off. Other numbers are unknown to servers.
    case setOption(UInt16)
    case processInfo
    case debug
    /// Known, with a body that the gateway does not take apart: replication, administration, what servers keep for
    /// themselves. Only ever denied, or passed on as a whole where policy grants it.
    case other(CommandCode, ByteBuffer)

    /// The statement that a COM_STMT_* names last: MariaDB's connectors send it behind a prepare without waiting.
    static let lastPrepared = UInt32.max

    /// - Parameters:
    ///   - payload: of one packet.
    ///   - capabilities: what the client's side of the connection has.
    /// - Throws: `ProtocolViolation` for a byte that is no command, and a body that does not fit.
    init(_ payload: ByteBuffer, _ capabilities: Capabilities) throws(ProtocolViolation) {
        var body = BodyReader(payload, "command")
        let byte: UInt8 = try body.integer()
        guard let code = CommandCode(rawValue: byte) else {
            throw ProtocolViolation("0x\(String(byte, radix: 16)) is no command", code: .unknownCommand)
        }
        switch code {
        case .initDB: self = .initDB(body.rest())
        case .query: self = .query(try QueryRequest(&body, capabilities))
        case .prepare: self = .prepare(body.rest())
        case .execute: self = .execute(try ExecuteRequest(&body))
        case .bulkExecute: self = .bulkExecute(try BulkExecuteRequest(&body))
        case .longData: self = .longData(statement: try body.integer(), parameter: try body.integer(), data: body.rest())
        case .fieldList: self = .fieldList(table: try body.nulBytes(), wildcard: body.rest())
        case .changeUser: self = .changeUser(try ChangeUserRequest(&body, capabilities))
        case .fetch: self = .fetch(statement: try body.integer(), rows: try body.integer())
        case .resetStatement: self = .resetStatement(try body.integer())
        case .closeStatement: self = .closeStatement(try body.integer())
        case .processKill: self = .processKill(try body.integer())
        case .setOption: self = .setOption(try body.integer())
        case .quit: self = .quit
        case .resetConnection: self = .resetConnection
        case .ping: self = .ping
        case .statistics: self = .statistics
        case .processInfo: self = .processInfo
        case .debug: self = .debug
        case .sleep, .createDB, .dropDB, .refresh, .shutdown, .connect, .time, .delayedInsert, .binlogDump, .tableDump, .connectOut,
            .registerReplica, .daemon, .binlogDumpGTID, .clone, .subscribeGroupReplication, .multi:
            self = .other(code, body.rest())
        }
        switch self {
        // Servers look at no more than the first byte of these.
        case .quit, .resetConnection, .ping, .statistics, .processInfo, .debug: return
        default: try body.finish()
        }
    }

    var code: CommandCode {
        switch self {
        case .quit: .quit
        case .initDB: .initDB
        case .query: .query
        case .prepare: .prepare
        case .execute: .execute
        case .bulkExecute: .bulkExecute
        case .longData: .longData
        case .fetch: .fetch
        case .resetStatement: .resetStatement
        case .closeStatement: .closeStatement
        case .fieldList: .fieldList
        case .changeUser: .changeUser
        case .resetConnection: .resetConnection
        case .ping: .ping
        case .statistics: .statistics
        case .processKill: .processKill
        case .setOption: .setOption
        case .processInfo: .processInfo
        case .debug: .debug
        case .other(let code, _): code
        }
    }

    /// The payload of the command for a server with `capabilities`.
    /// - Throws: `ErrorPacket` to answer with, where it says what that server cannot understand.
    func payload(for capabilities: Capabilities) throws(ErrorPacket) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(code.rawValue)
        switch self {
        case .quit, .resetConnection, .ping, .statistics, .processInfo, .debug: break
        case .initDB(let text), .prepare(let text): buffer.writeImmutableBuffer(text)
        case .query(let request): try request.write(to: &buffer, capabilities)
        case .execute(let request): request.write(to: &buffer)
        case .bulkExecute(let request): request.write(to: &buffer)
        case .longData(let statement, let parameter, let data):
            buffer.writeLittle(statement)
            buffer.writeLittle(parameter)
            buffer.writeImmutableBuffer(data)
        case .fetch(let statement, let rows):
            buffer.writeLittle(statement)
            buffer.writeLittle(rows)
        case .resetStatement(let id), .closeStatement(let id), .processKill(let id): buffer.writeLittle(id)
        case .fieldList(let table, let wildcard):
            buffer.writeImmutableBuffer(table)
            buffer.writeInteger(UInt8(0))
            buffer.writeImmutableBuffer(wildcard)
        case .changeUser(let request): request.write(to: &buffer, capabilities)
        case .setOption(let option): buffer.writeLittle(option)
        case .other(_, let body): buffer.writeImmutableBuffer(body)
        }
        return buffer
    }
}
