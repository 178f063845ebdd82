import NIOCore

/// A statement that the server has prepared, as far as what the client sends for it must be understood.
struct PreparedStatement: Sendable, Hashable {
    /// As prepared: bytes of the connection's character set.
    let text: ByteBuffer
    let parameterCount: UInt16
    let columnCount: UInt16
    /// Of the last execution that brought types, query attributes included.
    var types: [ParameterType]?
    /// What came by COM_STMT_SEND_LONG_DATA for the next execution, by parameter.
    var longData: [UInt16: ByteBuffer] = [:]
    /// Its last execution left rows to fetch.
    var hasCursor = false

    init(text: ByteBuffer, parameterCount: UInt16, columnCount: UInt16) {
        self.text = text
        self.parameterCount = parameterCount
        self.columnCount = columnCount
    }
}

/// The statements of a session, under the numbers that the server gave them.
struct StatementRegistry: Sendable {
    private var statements: [UInt32: PreparedStatement] = [:]
    /// What `Command.lastPrepared` stands for; nil where the last prepare failed.
    private(set) var last: UInt32?
    private var longDataBytes = 0
    private let maximumStatements: Int
    private let maximumLongData: Int

    /// - Parameters:
    ///   - maximumStatements: `Limits.statementsPerSession`.
    ///   - maximumLongData: bytes of long data not yet executed, over all statements (`Limits.messageBytes`).
    init(maximumStatements: Int, maximumLongData: Int) {
        self.maximumStatements = maximumStatements
        self.maximumLongData = maximumLongData
    }

    var count: Int { statements.count }
    /// Another statement may be prepared; otherwise the client is refused with ``ErrorPacket/tooManyStatements``.
    var hasRoom: Bool { statements.count < maximumStatements }

    subscript(id: UInt32) -> PreparedStatement? { resolve(id).flatMap { statements[$0] } }

    /// The server's number for `id`; nil for the last prepared where there is none.
    func resolve(_ id: UInt32) -> UInt32? { id == Command.lastPrepared ? last : id }

    /// The server prepared `text`.
    mutating func prepared(_ id: UInt32, text: ByteBuffer, parameterCount: UInt16, columnCount: UInt16) {
        forget(id)
        statements[id] = PreparedStatement(text: text, parameterCount: parameterCount, columnCount: columnCount)
        last = id
    }

    /// The server did not prepare: nothing is "the last" any more.
    mutating func prepareFailed() { last = nil }

    /// Adds to the long data of a parameter. It has no answer: what cannot be taken fails the execution.
    /// - Throws: `ProtocolViolation` above the limit: the session cannot be followed any more.
    mutating func append(longData: ByteBuffer, to id: UInt32, parameter: UInt16) throws(ProtocolViolation) {
        guard let key = resolve(id), let statement = statements[key], parameter < statement.parameterCount else { return }
        guard longDataBytes + longData.readableBytes <= maximumLongData else {
            throw ProtocolViolation("long data above \(maximumLongData) bytes (limits.message_bytes)", code: .packetTooLarge)
        }
        longDataBytes += longData.readableBytes
        statements[key]?.longData[parameter, default: ByteBuffer()].writeImmutableBuffer(longData)
    }

    /// An execution was sent: its types stay, its long data is spent, and an open cursor of the statement is closed.
    mutating func executed(_ id: UInt32, _ block: ParameterBlock) {
        guard let key = resolve(id) else { return }
        if block.bringsTypes { statements[key]?.types = block.parameters.map(\.type) }
        statements[key]?.hasCursor = false
        dropLongData(key)
    }

    mutating func bulkExecuted(_ id: UInt32, types: [ParameterType]) {
        guard let key = resolve(id) else { return }
        statements[key]?.types = types
        dropLongData(key)
    }

    mutating func setCursor(_ id: UInt32, isOpen: Bool) {
        guard let key = resolve(id) else { return }
        statements[key]?.hasCursor = isOpen
    }

    /// COM_STMT_RESET: long data and cursor go.
    mutating func reset(_ id: UInt32) {
        guard let key = resolve(id) else { return }
        statements[key]?.hasCursor = false
        dropLongData(key)
    }

    mutating func close(_ id: UInt32) {
        guard let key = resolve(id) else { return }
        forget(key)
        if last == key { last = nil }
    }

    /// COM_RESET_CONNECTION and COM_CHANGE_USER close them all.
    mutating func removeAll() {
        statements = [:]
        last = nil
        longDataBytes = 0
    }

    private mutating func forget(_ id: UInt32) {
        dropLongData(id)
        statements[id] = nil
    }

    private mutating func dropLongData(_ id: UInt32) {
        guard let statement = statements[id], !statement.longData.isEmpty else { return }
        longDataBytes -= statement.longData.values.reduce(0) { $0 + $1.readableBytes }
        statements[id]?.longData = [:]
    }
}

extension ErrorPacket {
    /// What the client gets in place of a prepare above the limit.
    static let tooManyStatements = ErrorPacket(
        .tooManyStatements, "This session has too many prepared statements open (limits.statements_per_session). Close some.")
    /// What a server says to an unknown statement.
    static func unknownStatement(_ id: UInt32) -> ErrorPacket {
        ErrorPacket(.unknownStatement, "Unknown prepared statement handler (\(id))")
    }
}
