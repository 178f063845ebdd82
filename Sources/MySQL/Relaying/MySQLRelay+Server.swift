import GatehouseCore
import MySQLSyntax
import NIOCore

/// From the server to the client.
extension MySQLRelay {
    /// Deals with the packets in `input`.
    ///
    /// - Throws: `ProtocolViolation` when the server says what it may not say now.
    mutating func receiveFromServer(_ input: inout ByteBuffer, sink: inout some MySQLSink) throws(ProtocolViolation) {
        server.append(input)
        input.clear(minimumCapacity: 0)
        var answer = ByteBuffer()
        var original = 0
        do throws(ProtocolViolation) {
            while true {
                let before = server.bufferedBytes
                guard let response = try server.next() else { break }
                let taken = before - server.bufferedBytes
                if setup != nil {
                    try takeSetup(response, taken, &sink)
                } else {
                    original += taken
                    try take(response, &answer, &sink)
                    if setup != nil {
                        // What reset the session is answered when it is set up again.
                        afterSetup = (original, answer)
                        (original, answer) = (0, ByteBuffer())
                    }
                }
            }
        } catch {
            send(answer, original, &sink)
            throw error
        }
        send(answer, original, &sink)
    }

    private func send(_ answer: ByteBuffer, _ original: Int, _ sink: inout some MySQLSink) {
        guard original > 0 else { return }
        if client.capabilities == server.capabilities, answer.readableBytes == original {
            sink.passToClient(answer)
        } else {
            sink.translate(original: original, to: answer)
        }
    }

    private mutating func take(_ response: Response, _ answer: inout ByteBuffer, _ sink: inout some MySQLSink) throws(ProtocolViolation) {
        guard var current = pending else { throw ProtocolViolation("the server answered what was not asked") }
        switch response {
        case .row: counters.rows &+= 1
        case .ok(let ok), .rowsEnd(let ok), .end(let ok): try follow(ok)
        case .prepared(let statement):
            registry.prepared(
                statement.statement, text: current.text ?? ByteBuffer(), parameterCount: statement.parameters,
                columnCount: statement.columns)
            prepared[statement.statement] = current.judgement
        case .error: if current.code == .prepare { registry.prepareFailed() }
        case .localInfile(let name):
            guard let wanted = current.judgement?.localFile, name.readableBytesView.elementsEqual(wanted) else {
                throw ProtocolViolation("the server asked for a file of the client's that the statement does not name")
            }
        case .progress, .columnCount, .column, .columnsEnd, .parameter, .statistics: break
        case .authentication: throw ProtocolViolation("the server asks for a login amid the session")
        }
        current.writer.write(response, status: server.reader.status, to: &answer)
        if case .localInfile = response { client.expectFile(current.writer.sequence) }
        pending = current
        guard server.isReady else { return }
        pending = nil
        if let statement = current.statement { registry.setCursor(statement, isOpen: server.reader.status.contains(.cursorExists)) }
        if current.code == .resetConnection, case .ok = response { try reset(&sink) }
    }

    // MARK: - The session's state

    /// What the server tells of the session decides how the next text is read.
    private func follow(_ ok: OKPacket) throws(ProtocolViolation) {
        guard ok.status.contains(.sessionStateChanged), ok.sessionState.readableBytes > 0 else { return }
        for change in try SessionStateChange.decode(ok.sessionState) {
            switch change {
            case .schema(let name): judge.state.database = name.readableBytes == 0 ? nil : BodyReader.text(name)
            case .systemVariable(let name, let value): try judge.state.set(name, to: BodyReader.text(value))
            case .stateChanged, .gtids, .transactionCharacteristics, .transactionState, .other: break
            }
        }
    }

    /// The server forgot all of the session, the tracking of its state among it.
    private mutating func reset(_ sink: inout some MySQLSink) throws(ProtocolViolation) {
        registry.removeAll()
        prepared.removeAll()
        setup = SessionSetup()
        try askNext(&sink)
    }

    private mutating func askNext(_ sink: inout some MySQLSink) throws(ProtocolViolation) {
        guard let text = setup?.next else { return }
        let payload: ByteBuffer
        do throws(ErrorPacket) {
            payload = try Command.query(QueryRequest(text: ByteBuffer(string: text))).payload(for: server.capabilities)
        } catch {
            throw ProtocolViolation(error.text)
        }
        sink.inject(try server.send(.query, payload), because: "session state")
    }

    private mutating func takeSetup(_ response: Response, _ taken: Int, _ sink: inout some MySQLSink) throws(ProtocolViolation) {
        sink.swallow(taken)
        try setup?.take(response)
        guard server.isReady, let current = setup else { return }
        if current.isDone {
            setup = nil
            try current.apply(to: judge)
            if let (original, bytes) = afterSetup { sink.translate(original: original, to: bytes) }
            afterSetup = nil
        } else {
            try askNext(&sink)
        }
    }
}

/// The gateway's own questions at the start of a session, and after what resets one: the server is to tell of every change that
/// decides how texts are read, and how it stands now.
struct SessionSetup: Sendable {
    private var index = 0
    private var answers: [[[ByteBuffer?]]] = []
    private var columns = 0

    private static let questions = [
        "SET SESSION session_track_schema = 1, SESSION session_track_system_variables = 'sql_mode,character_set_client,autocommit'",
        "SELECT @@SESSION.sql_mode, @@SESSION.character_set_client, DATABASE(), @@GLOBAL.lower_case_table_names",
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.VIEWS",
    ]

    init() {}

    /// The text to send; nil when all are answered.
    var next: String? { isDone ? nil : Self.questions[index] }
    var isDone: Bool { index >= Self.questions.count }

    /// Rows of an answer; more are not believed.
    private static let maximumRows = 100_000

    mutating func take(_ response: Response) throws(ProtocolViolation) {
        if answers.count <= index { answers.append([]) }
        switch response {
        case .columnCount(let count): columns = count
        case .row(let row, _):
            guard answers[index].count < Self.maximumRows else {
                throw ProtocolViolation("the server has more than \(Self.maximumRows) views")
            }
            answers[index].append(try TextRow(row, columns: columns).cells)
        case .ok, .rowsEnd: index += 1
        case .error(let error): throw ProtocolViolation("the session's state cannot be followed: \(error.text)", code: .unknownError)
        default: break
        }
    }

    /// - Throws: `ProtocolViolation` for a state in which texts cannot be read with certainty.
    func apply(to judge: MySQLJudge) throws(ProtocolViolation) {
        judge.state = try state(judge.state)
        judge.views = views(judge.state)
    }

    func state(_ before: MySQLSessionState) throws(ProtocolViolation) -> MySQLSessionState {
        var state = before
        guard answers.count > 1, let row = answers[1].first, row.count == 4, let mode = row[0], let characters = row[1], let names = row[3]
        else {
            throw ProtocolViolation("the server did not tell the session's state")
        }
        try state.set("sql_mode", to: BodyReader.text(mode))
        try state.set("character_set_client", to: BodyReader.text(characters))
        state.database = row[2].map(BodyReader.text)
        state.lowercasesTables = BodyReader.text(names) != "0"
        return state
    }

    func views(_ state: MySQLSessionState) -> Set<QualifiedName> {
        guard answers.count > 2 else { return [] }
        return Set(
            answers[2].compactMap { row in
                guard row.count == 2, let schema = row[0], let name = row[1] else { return nil }
                let known = QualifiedName(schema: BodyReader.text(schema), name: BodyReader.text(name))
                return state.lowercasesTables
                    ? QualifiedName(schema: known.schema?.lowercased(), name: known.name.lowercased()) : known
            })
    }
}

extension MySQLSessionState {
    /// - Throws: `ProtocolViolation` where texts could no longer be read with certainty.
    mutating func set(_ variable: String, to value: String) throws(ProtocolViolation) {
        switch variable {
        case "sql_mode":
            guard let mode = SQLMode(names: value) else {
                throw ProtocolViolation(
                    "sql_mode became \(value), under which texts cannot be read with certainty", code: .specificAccessDenied)
            }
            server.mode = mode
        case "character_set_client":
            guard CharacterSets.isSafe(value) else {
                throw ProtocolViolation(
                    "character_set_client became \(value), in which texts cannot be read with certainty", code: .specificAccessDenied)
            }
            readsUTF8 = CharacterSets.isUTF8(value)
        default: break
        }
    }
}
