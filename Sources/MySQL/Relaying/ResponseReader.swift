import NIOCore

/// What is in one packet of a server's answer.
enum Response: Sendable, Hashable {
    case ok(OKPacket)
    case error(ErrorPacket)
    case progress(ProgressReport)
    /// How many columns a result has.
    case columnCount(Int)
    case column(ColumnDefinition)
    /// What ends a list of columns or parameters on connections without CLIENT_DEPRECATE_EOF.
    case columnsEnd(EOFPacket)
    /// As it travels; ``TextRow`` and ``BinaryRow`` take it apart.
    case row(ByteBuffer, isBinary: Bool)
    /// The end of rows, and of a COM_FIELD_LIST: an EOF packet, or an OK packet with that header.
    case rowsEnd(OKPacket)
    /// The server asks for a file of the client's. What it says is not to be believed.
    case localInfile(ByteBuffer)
    case prepared(PreparedResponse)
    case parameter(ColumnDefinition)
    case statistics(ByteBuffer)
    /// COM_SET_OPTION and COM_DEBUG end with an EOF packet where others end with OK.
    case end(OKPacket)
    /// COM_CHANGE_USER alone.
    case authentication(AuthenticationPacket)
}

/// "COM_STMT_PREPARE_OK".
struct PreparedResponse: Sendable, Hashable {
    var statement: UInt32
    var columns: UInt16
    var parameters: UInt16
    var warnings: UInt16

    init(statement: UInt32, columns: UInt16, parameters: UInt16, warnings: UInt16 = 0) {
        self.statement = statement
        self.columns = columns
        self.parameters = parameters
        self.warnings = warnings
    }

    init(_ payload: ByteBuffer) throws(ProtocolViolation) {
        var body = BodyReader(payload, "COM_STMT_PREPARE_OK")
        try body.skip(1)
        statement = try body.integer()
        columns = try body.integer()
        parameters = try body.integer()
        try body.skip(1)
        warnings = body.remaining > 0 ? try body.integer() : 0
        try body.finish()
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(0))
        buffer.writeLittle(statement)
        buffer.writeLittle(columns)
        buffer.writeLittle(parameters)
        buffer.writeInteger(UInt8(0))
        buffer.writeLittle(warnings)
    }
}

/// Knows for each command sent what answer follows and where it ends ("Command Phase"; "Text Resultset"), as a value.
///
/// Commands are told to it in the order in which they are sent, and packets in the order in which they come. It holds no rows.
struct ResponseReader: Sendable {
    private enum State: Sendable, Hashable {
        /// Before the first packet of an answer, or of another result of the same command.
        case start
        case columns(left: Int)
        case columnsEnd
        case rows
        /// The client's file is to be sent; its end is answered by OK.
        case infile
        case parameters(left: Int, columns: Int)
        case parametersEnd(columns: Int)
        case statementColumns(left: Int)
        case statementColumnsEnd
    }

    private let capabilities: Capabilities
    private let depth: Int
    private var pending: CircularBuffer<CommandCode> = []
    private var state = State.start
    /// Of the last packet that told it.
    private(set) var status: StatusFlags = .autocommit
    /// Where an answer holds columns, they must be so many at most: what tables can have is 4,096, what SELECT can list also.
    static let maximumColumns = 65_535

    /// - Parameters:
    ///   - capabilities: of the connection to the server.
    ///   - depth: commands sent and not yet answered (`Limits.pipelineDepth`).
    init(_ capabilities: Capabilities, depth: Int) {
        self.capabilities = capabilities
        self.depth = depth
    }

    /// The server has answered all that it was asked.
    var isReady: Bool { pending.isEmpty }
    var unanswered: Int { pending.count }
    /// The command whose answer comes next.
    var current: CommandCode? { pending.first }
    /// The client's file is to be sent.
    var awaitsFile: Bool { state == .infile }

    /// A command was sent.
    /// - Throws: `ProtocolViolation` above the depth, and for commands whose answer is not known here: they must not be sent.
    mutating func sent(_ code: CommandCode) throws(ProtocolViolation) {
        switch code {
        case .longData, .closeStatement, .quit: return
        case .initDB, .query, .fieldList, .statistics, .processInfo, .processKill, .debug, .ping, .changeUser, .prepare, .execute,
            .resetStatement, .setOption, .fetch, .resetConnection, .bulkExecute, .createDB, .dropDB, .refresh, .registerReplica:
            break
        default: throw ProtocolViolation("\(code.name) has no answer that could be followed", code: .notSupported)
        }
        guard pending.count < depth else { throw ProtocolViolation("more than \(depth) commands without an answer") }
        pending.append(code)
    }

    /// The next packet of the server's.
    /// - Throws: `ProtocolViolation` for what fits no answer: the session cannot be followed any more.
    mutating func read(_ payload: ByteBuffer) throws(ProtocolViolation) -> Response {
        guard let command = pending.first else { throw ProtocolViolation("the server spoke without being asked") }
        guard let header: UInt8 = payload.getInteger(at: payload.readerIndex) else {
            throw ProtocolViolation("an empty packet answers nothing")
        }
        if header == ErrorPacket.header {
            if ProgressReport.matches(payload), capabilities.contains(.progress) { return .progress(try ProgressReport(payload)) }
            let error = try ErrorPacket(payload)
            finish()
            return .error(error)
        }
        switch state {
        case .start: return try start(command, header, payload)
        case .columns(let left):
            let column = try ColumnDefinition(payload, capabilities)
            state = left > 1 ? .columns(left: left - 1) : deprecatesEOF ? .rows : .columnsEnd
            return .column(column)
        case .columnsEnd:
            let eof = try EOFPacket(payload)
            status = eof.status
            if eof.status.contains(.cursorExists) { endOfResult(eof.status) } else { state = .rows }
            return .columnsEnd(eof)
        case .rows: return try row(command, header, payload)
        case .infile:
            let ok = try okPacket(payload)
            endOfResult(ok.status)
            return .ok(ok)
        case .parameters, .parametersEnd, .statementColumns, .statementColumnsEnd: return try statement(payload)
        }
    }

    private var deprecatesEOF: Bool { capabilities.contains(.deprecateEOF) }

    private mutating func start(_ command: CommandCode, _ header: UInt8, _ payload: ByteBuffer) throws(ProtocolViolation) -> Response {
        switch command {
        case .statistics:
            finish()
            return .statistics(payload)
        case .prepare:
            guard header == OKPacket.header else { break }
            let prepared = try PreparedResponse(payload)
            state = Self.afterPrepare(parameters: Int(prepared.parameters), columns: Int(prepared.columns))
            if state == .start { finish() }
            return .prepared(prepared)
        case .fieldList, .fetch: return try row(command, header, payload)
        case .setOption, .debug:
            if header == EOFPacket.header {
                let ok = try endPacket(payload)
                finish()
                return .end(ok)
            }
        case .changeUser: return try changeUser(payload)
        case .query, .execute, .bulkExecute, .processInfo:
            if header != OKPacket.header { return try resultStart(header, payload) }
        default: break
        }
        guard header == OKPacket.header else {
            throw ProtocolViolation("0x\(String(header, radix: 16)) does not answer \(command.name)")
        }
        let ok = try okPacket(payload)
        endOfResult(ok.status)
        return .ok(ok)
    }

    private mutating func resultStart(_ header: UInt8, _ payload: ByteBuffer) throws(ProtocolViolation) -> Response {
        if header == 0xFB {
            state = .infile
            return .localInfile(payload.getSlice(at: payload.readerIndex + 1, length: payload.readableBytes - 1) ?? ByteBuffer())
        }
        var body = BodyReader(payload, "column count")
        let count = try body.encodedInteger()
        try body.finish()
        guard count > 0, count <= UInt64(Self.maximumColumns) else { throw ProtocolViolation("a result of \(count) columns") }
        state = .columns(left: Int(count))
        return .columnCount(Int(count))
    }

    private mutating func row(_ command: CommandCode, _ header: UInt8, _ payload: ByteBuffer) throws(ProtocolViolation) -> Response {
        // A row can begin with 0xFE as well: the length of a value of 16 MiB or more.
        if header == EOFPacket.header, payload.readableBytes < (deprecatesEOF ? Packet.maximumPiece : 9) {
            let ok = try endPacket(payload)
            endOfResult(ok.status)
            return .rowsEnd(ok)
        }
        if command == .fieldList { return .column(try ColumnDefinition(payload, capabilities)) }
        let isBinary = command == .execute || command == .fetch || command == .bulkExecute
        return .row(payload, isBinary: isBinary)
    }

    private mutating func changeUser(_ payload: ByteBuffer) throws(ProtocolViolation) -> Response {
        let packet = try AuthenticationPacket(payload, capabilities)
        guard case .ok(let ok) = packet else { return .authentication(packet) }
        status = ok.status
        finish()
        return .ok(ok)
    }

    private static func afterPrepare(parameters: Int, columns: Int) -> State {
        parameters > 0 ? .parameters(left: parameters, columns: columns) : columns > 0 ? .statementColumns(left: columns) : .start
    }

    private mutating func statement(_ payload: ByteBuffer) throws(ProtocolViolation) -> Response {
        switch state {
        case .parameters(let left, let columns):
            let parameter = try ColumnDefinition(payload, capabilities)
            if left > 1 {
                state = .parameters(left: left - 1, columns: columns)
            } else if !deprecatesEOF {
                state = .parametersEnd(columns: columns)
            } else {
                toStatementColumns(columns)
            }
            return .parameter(parameter)
        case .parametersEnd(let columns):
            let eof = try EOFPacket(payload)
            toStatementColumns(columns)
            return .columnsEnd(eof)
        case .statementColumns(let left):
            let column = try ColumnDefinition(payload, capabilities)
            if left > 1 {
                state = .statementColumns(left: left - 1)
            } else if deprecatesEOF {
                finish()
            } else {
                state = .statementColumnsEnd
            }
            return .column(column)
        default:
            let eof = try EOFPacket(payload)
            finish()
            return .columnsEnd(eof)
        }
    }

    private mutating func toStatementColumns(_ columns: Int) {
        if columns > 0 { state = .statementColumns(left: columns) } else { finish() }
    }

    private mutating func okPacket(_ payload: ByteBuffer) throws(ProtocolViolation) -> OKPacket {
        let ok = try OKPacket(payload, capabilities)
        status = ok.status
        return ok
    }

    /// An EOF packet, or an OK packet with its header; MariaDB answers some commands with the first on any connection.
    private mutating func endPacket(_ payload: ByteBuffer) throws(ProtocolViolation) -> OKPacket {
        if deprecatesEOF, payload.readableBytes > 5 { return try okPacket(payload) }
        let eof = try EOFPacket(payload)
        status = eof.status
        return OKPacket(status: eof.status, warnings: eof.warnings)
    }

    private mutating func endOfResult(_ status: StatusFlags) {
        if status.contains(.moreResults) { state = .start } else { finish() }
    }

    private mutating func finish() {
        state = .start
        if !pending.isEmpty { pending.removeFirst() }
    }
}
