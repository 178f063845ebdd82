import GatehouseCore
import NIOCore
import Relay

/// A command that must be approved before it goes on.
struct MySQLHeldAction {
    /// Where it begins in the client's stream.
    let offset: UInt64
    let judgement: MySQLJudgement
    /// nil: the session itself, before its first command.
    let command: Held?
    /// An open transaction may keep locks while it waits.
    let isInTransaction: Bool

    struct Held {
        let request: ClientLink.Request
        /// The statement's text, passwords left out.
        let text: ByteBuffer
        /// What its parameters are, as people read them; nil is NULL.
        let parameters: [String?]
        /// What an approval is bound to beside the text.
        let content: [[UInt8]]
    }
}

/// A MySQL conversation between its login and its end, as a value: bytes in, decisions out through a `MySQLSink`.
///
/// One command at a time: the next one is not looked at before the server has answered. Drivers do not send it earlier, but for
/// MariaDB's, which send an execution behind its preparation, and then wait a little longer.
struct MySQLRelay {
    enum ClientProgress {
        case needsBytes
        /// What the client sent next cannot be dealt with before the server has answered.
        case needsServer
        case needsApproval(MySQLHeldAction)
        /// The client said goodbye.
        case terminated
    }

    struct Counters {
        var statements: UInt64 = 0
        var denied: UInt64 = 0
        var rows: UInt64 = 0
    }

    /// What the server has yet to answer.
    struct Pending {
        let code: CommandCode
        var writer: ResponseWriter
        /// Of a COM_STMT_PREPARE.
        var text: ByteBuffer?
        var judgement: MySQLJudgement?
        /// The number of the statement that runs.
        var statement: UInt32?
    }

    let judge: MySQLJudge
    let limits: Limits
    /// The server's number for one of the gateway's threads, of the same caller and target.
    let upstreamThread: (UInt64) throws(ErrorPacket) -> UInt32
    var client: ClientLink
    var server: UpstreamLink
    var registry: StatementRegistry
    /// What was decided of statements that are prepared, by their numbers.
    var prepared: [UInt32: MySQLJudgement] = [:]
    var pending: Pending?
    /// The gateway's own questions to the server, after something that reset the session.
    var setup: SessionSetup?
    /// The answer to what reset it, kept until they are answered.
    var afterSetup: (original: Int, bytes: ByteBuffer)?
    var counters = Counters()
    /// Bytes of the client's stream that were dealt with.
    private(set) var clientOffset: UInt64 = 0
    /// The session waits for an approval before its first command.
    var sessionHold: Verdict?
    /// What waits for a person, and what came of it.
    var held: MySQLHeldAction?
    var outcome: HoldOutcome?

    init(
        judge: MySQLJudge, limits: Limits, client: Capabilities, server: UpstreamLink,
        upstreamThread: @escaping (UInt64) throws(ErrorPacket) -> UInt32
    ) {
        self.judge = judge
        self.limits = limits
        self.upstreamThread = upstreamThread
        self.client = ClientLink(client, messageBytes: limits.messageBytes)
        self.server = server
        registry = StatementRegistry(maximumStatements: limits.statementsPerSession, maximumLongData: limits.messageBytes)
    }

    var isInTransaction: Bool { server.reader.status.contains(.inTransaction) }
    /// Nothing is on its way in either direction, and no transaction is open.
    var isQuiet: Bool { pending == nil && setup == nil && held == nil && !isInTransaction }

    // MARK: - From the client

    /// Deals with the commands in `input`, as far as that can be done now.
    ///
    /// - Throws: `ProtocolViolation` when the client says what it may not say.
    mutating func receiveFromClient(_ input: inout ByteBuffer, sink: inout some MySQLSink) throws(ProtocolViolation) -> ClientProgress {
        if let held {
            guard let outcome else { return .needsApproval(held) }
            self.held = nil
            self.outcome = nil
            try settle(held, outcome, &sink)
        }
        if let sessionHold {
            let held = MySQLHeldAction(
                offset: clientOffset, judgement: judge.heldSession(sessionHold), command: nil, isInTransaction: false)
            self.held = held
            return .needsApproval(held)
        }
        guard pending == nil && setup == nil || server.reader.awaitsFile else { return .needsServer }
        if input.readableBytes > 0 {
            client.append(input)
            input.clear(minimumCapacity: 0)
        }
        while true {
            if server.reader.awaitsFile {
                guard try passFile(&sink) else { return .needsBytes }
                continue
            }
            guard pending == nil, setup == nil else { return .needsServer }
            guard let request = try client.next() else { return .needsBytes }
            if let progress = try take(request, &sink) { return progress }
        }
    }

    /// Passes a piece of the file on that the server asked for; false where none is there.
    private mutating func passFile(_ sink: inout some MySQLSink) throws(ProtocolViolation) -> Bool {
        guard let piece = try client.nextFilePiece() else { return false }
        var sequence = piece.sequence
        let bytes = ByteBuffer.packet(piece.payload, sequence: &sequence)
        clientOffset &+= UInt64(bytes.readableBytes)
        let sent = try server.sendFile(piece.payload)
        if sent == bytes { sink.passToServer(bytes) } else { sink.passToServer(bytes, sending: sent) }
        if piece.payload.readableBytes == 0 { pending?.writer.resume(at: piece.sequence &+ 1) }
        return true
    }

    /// nil: go on with the next.
    private mutating func take(_ request: ClientLink.Request, _ sink: inout some MySQLSink) throws(ProtocolViolation) -> ClientProgress? {
        let offset = clientOffset
        let bytes = Self.bytes(of: request)
        clientOffset &+= UInt64(bytes.readableBytes)
        switch try judged(request.command) {
        case .pass:
            if case .quit = request.command {
                sink.passToServer(bytes)
                return .terminated
            }
            try forward(request, nil, &sink)
        case .refuse(let error):
            sink.keep(bytes, recording: nil, secrets: 0)
            answer(error, to: request, &sink)
        case .judgement(let first):
            let judgement = judge.overBudget(first) ?? first
            counters.statements &+= 1
            if judgement.isHeld, let command = try heldCommand(request, judgement) {
                let held = MySQLHeldAction(
                    offset: offset, judgement: judgement, command: command, isInTransaction: isInTransaction)
                self.held = held
                keep(request, judgement, &sink)
                return .needsApproval(held)
            }
            sink.record(judgement, at: offset)
            if judgement.isDenied {
                keep(request, judgement, &sink)
                deny(judgement, request, &sink)
            } else {
                try forward(request, judgement, &sink)
            }
        }
        return nil
    }

    // MARK: - Deciding

    private enum Judged {
        /// It does nothing that policy knows.
        case pass
        case judgement(MySQLJudgement)
        /// Not the policy's refusal, but the protocol's, or the gateway's.
        case refuse(ErrorPacket)
    }

    private func judged(_ command: Command) throws(ProtocolViolation) -> Judged {
        switch command {
        case .query(let query): return .judgement(judge.judge(query.text))
        case .prepare(let text): return registry.hasRoom ? .judgement(judge.judge(text)) : .refuse(.tooManyStatements)
        case .execute(let request): return running(request.statement)
        case .bulkExecute(let request): return running(request.statement)
        case .fetch(let id, _): return running(id)
        case .initDB(let name):
            return action("use", [ObjectReference(name: QualifiedName(schema: BodyReader.text(name), name: "*"), access: .read)])
        case .fieldList(let table, _):
            let name = QualifiedName(schema: judge.state.database, name: BodyReader.text(table))
            return action("show", [ObjectReference(name: name, access: .read)])
        case .processKill(let id):
            return .judgement(
                judge.judge(Action(kinds: ["kill"], normalized: "KILL ?"), kill: KillRequest(isQuery: false, thread: UInt64(id))))
        case .processInfo: return action("show")
        case .debug: return action("administration")
        case .other(let code, _):
            let judgement = judge.judge(Action(kinds: [code.isReplication ? "replication" : "administration"], normalized: code.name))
            return judgement.isDenied
                ? .judgement(judgement) : .refuse(ErrorPacket(.notSupported, "Gatehouse does not pass \(code.name) on"))
        case .changeUser:
            return .refuse(ErrorPacket(.notSupported, "Gatehouse does not change the user of an open connection. Connect anew."))
        case .quit, .ping, .statistics, .resetStatement, .closeStatement, .longData, .setOption, .resetConnection: return .pass
        }
    }

    private func action(_ kind: String, _ objects: [ObjectReference] = []) -> Judged {
        .judgement(judge.judge(Action(kinds: [kind], objects: objects, normalized: kind)))
    }

    /// A statement that was decided on when it was prepared; policy may have changed since.
    private func running(_ id: UInt32) -> Judged {
        guard let number = registry.resolve(id), let statement = registry[number], let known = prepared[number] else {
            return .refuse(.unknownStatement(id))
        }
        return .judgement(judge.confirm(known, of: statement.text))
    }

    // MARK: - Passing on

    /// - Parameter isKept: its bytes were recorded when it was held.
    private mutating func forward(
        _ request: ClientLink.Request, _ judgement: MySQLJudgement?, isKept: Bool = false, _ sink: inout some MySQLSink
    ) throws(ProtocolViolation) {
        let payload: ByteBuffer
        do throws(ErrorPacket) {
            payload = try payloadForServer(request, judgement)
        } catch {
            if !isKept { keep(request, judgement, &sink) }
            return answer(error, to: request, &sink)
        }
        try remember(request.command)
        let sent = try server.send(request.command.code, payload)
        if isKept {
            sink.release(sent)
        } else {
            pass(Self.bytes(of: request), sending: sent, judgement, request.command, &sink)
        }
        if let judgement { judge.spend(on: judgement) }
        guard server.reader.unanswered > 0 else { return }
        var next = Pending(
            code: request.command.code,
            writer: ResponseWriter(client: client.capabilities, server: server.capabilities, sequence: request.answerSequence),
            judgement: judgement)
        switch request.command {
        case .prepare(let text): next.text = ByteBuffer(bytes: text.readableBytesView)
        case .execute(let execute): next.statement = registry.resolve(execute.statement)
        case .fetch(let id, _): next.statement = registry.resolve(id)
        default: break
        }
        pending = next
    }

    private func pass(
        _ bytes: ByteBuffer, sending sent: ByteBuffer, _ judgement: MySQLJudgement?, _ command: Command, _ sink: inout some MySQLSink
    ) {
        if let judgement, let recorded = withoutSecrets(command, judgement) {
            sink.passToServer(bytes, sending: sent, recording: recorded, secrets: judgement.secrets.count)
        } else if sent == bytes {
            sink.passToServer(bytes)
        } else {
            sink.passToServer(bytes, sending: sent)
        }
    }

    /// As it came, unless the server knows a statement or a thread by another number, or the connection to it has other capabilities.
    private func payloadForServer(_ request: ClientLink.Request, _ judgement: MySQLJudgement?) throws(ErrorPacket) -> ByteBuffer {
        if let kill = judgement?.kill {
            let thread = try upstreamThread(kill.thread)
            if case .processKill = request.command { return try Command.processKill(thread).payload(for: server.capabilities) }
            let text = ByteBuffer(string: "KILL \(kill.isQuery ? "QUERY" : "CONNECTION") \(thread)")
            return try Command.query(QueryRequest(text: text)).payload(for: server.capabilities)
        }
        switch request.command {
        case .execute(let execute):
            guard let number = registry.resolve(execute.statement), let statement = registry[number] else {
                throw .unknownStatement(execute.statement)
            }
            var resolved = execute
            resolved.statement = number
            if client.capabilities.contains(.queryAttributes) == server.capabilities.contains(.queryAttributes) {
                return try Command.execute(resolved).payload(for: server.capabilities)
            }
            guard let block = try? execute.parameters(of: statement, client.capabilities) else { throw .unreadableParameters }
            return try Command.execute(try ExecuteRequest.make(resolved, block, of: statement, server.capabilities))
                .payload(for: server.capabilities)
        case .bulkExecute(var bulk):
            bulk.statement = registry.resolve(bulk.statement) ?? bulk.statement
            return try Command.bulkExecute(bulk).payload(for: server.capabilities)
        case .longData(let id, let parameter, let data):
            return try Command.longData(statement: registry.resolve(id) ?? id, parameter: parameter, data: data)
                .payload(for: server.capabilities)
        case .fetch(let id, let rows):
            return try Command.fetch(statement: registry.resolve(id) ?? id, rows: rows).payload(for: server.capabilities)
        case .resetStatement(let id): return try Command.resetStatement(registry.resolve(id) ?? id).payload(for: server.capabilities)
        case .closeStatement(let id): return try Command.closeStatement(registry.resolve(id) ?? id).payload(for: server.capabilities)
        case .query where client.capabilities.contains(.queryAttributes) != server.capabilities.contains(.queryAttributes):
            return try request.command.payload(for: server.capabilities)
        default: return request.payload
        }
    }

    /// What the statements of the session are after this command.
    private mutating func remember(_ command: Command) throws(ProtocolViolation) {
        switch command {
        case .execute(let execute):
            guard let statement = registry[execute.statement] else { return }
            registry.executed(execute.statement, try execute.parameters(of: statement, client.capabilities))
        case .bulkExecute(let bulk):
            guard let statement = registry[bulk.statement] else { return }
            registry.bulkExecuted(bulk.statement, types: try bulk.rows(of: statement).types)
        case .longData(let id, let parameter, let data): try registry.append(longData: data, to: id, parameter: parameter)
        case .resetStatement(let id): registry.reset(id)
        case .closeStatement(let id):
            if let number = registry.resolve(id) { prepared[number] = nil }
            registry.close(id)
        default: break
        }
    }

    // MARK: - Held

    /// A held statement's preparation passes: what it runs with is known when it is executed.
    private func heldCommand(_ request: ClientLink.Request, _ judgement: MySQLJudgement) throws(ProtocolViolation) -> MySQLHeldAction.Held?
    {
        switch request.command {
        case .prepare: return nil
        case .execute(let execute):
            guard let statement = registry[execute.statement] else { return nil }
            let block = try execute.parameters(of: statement, client.capabilities)
            var parameters: [String?] = []
            for parameter in block.parameters { parameters.append(try parameter.shown()) }
            return .init(
                request: request, text: judgement.shown(statement.text), parameters: parameters,
                content: [Array(statement.text.readableBytesView), Array(execute.body.readableBytesView)]
                    + statement.longData.sorted { $0.key < $1.key }.map { Array($0.value.readableBytesView) })
        case .query(let query):
            return .init(
                request: request, text: judgement.shown(query.text), parameters: [], content: [Array(request.payload.readableBytesView)])
        default:
            return .init(
                request: request, text: ByteBuffer(string: request.command.code.name), parameters: [],
                content: [Array(request.payload.readableBytesView)])
        }
    }

    /// The command goes on, or is answered by a denial.
    private mutating func settle(_ held: MySQLHeldAction, _ outcome: HoldOutcome, _ sink: inout some MySQLSink) throws(ProtocolViolation) {
        let settled = judge.settled(held.judgement, by: outcome)
        sink.record(settled, at: held.offset)
        guard let command = held.command else {
            if case .granted = outcome { sessionHold = nil }
            return
        }
        if settled.isDenied {
            deny(settled, command.request, &sink)
        } else {
            try forward(command.request, settled, isKept: true, &sink)
        }
    }

    // MARK: - Words

    private static func bytes(of request: ClientLink.Request) -> ByteBuffer {
        var sequence: UInt8 = 0
        return .packet(request.payload, sequence: &sequence)
    }

    private mutating func deny(_ judgement: MySQLJudgement, _ request: ClientLink.Request, _ sink: inout some MySQLSink) {
        counters.denied &+= 1
        judge.spend(on: judgement)
        answer(.denial(judgement.verdict, namesTables: judgement.actions.contains { !$0.objects.isEmpty }), to: request, &sink)
    }

    private func answer(_ error: ErrorPacket, to request: ClientLink.Request, _ sink: inout some MySQLSink) {
        // A client does not wait for an answer to these.
        switch request.command {
        case .longData, .closeStatement, .quit: return
        default: break
        }
        var sequence = request.answerSequence
        sink.answer(.packet(error.payload, sequence: &sequence), because: "denial")
    }

    private func keep(_ request: ClientLink.Request, _ judgement: MySQLJudgement?, _ sink: inout some MySQLSink) {
        let bytes = Self.bytes(of: request)
        let recorded = judgement.flatMap { withoutSecrets(request.command, $0) }
        sink.keep(bytes, recording: recorded, secrets: judgement?.secrets.count ?? 0)
    }

    /// The command with `****` in the place of passwords; nil where there are none.
    private func withoutSecrets(_ command: Command, _ judgement: MySQLJudgement) -> ByteBuffer? {
        guard !judgement.secrets.isEmpty else { return nil }
        let shown: Command
        switch command {
        case .query(let query): shown = .query(QueryRequest(text: judgement.shown(query.text), attributes: query.attributes))
        case .prepare(let text): shown = .prepare(judgement.shown(text))
        default: return nil
        }
        guard let payload = try? shown.payload(for: client.capabilities) else { return nil }
        var sequence: UInt8 = 0
        return .packet(payload, sequence: &sequence)
    }
}

extension ErrorPacket {
    static let unreadableParameters = ErrorPacket(.malformedPacket, "The statement's parameters cannot be read")

    /// Shows who denied what, and what to do, in a client's short buffer.
    static func denial(_ verdict: Verdict, namesTables: Bool) -> ErrorPacket {
        if verdict.rule == "gatehouse.cancelled" { return ErrorPacket(.queryInterrupted, verdict.reason) }
        let words = [verdict.reason, verdict.hint].filter { !$0.isEmpty }.joined(separator: " ")
        return ErrorPacket(
            namesTables ? .tableAccessDenied : .specificAccessDenied,
            "denied by Gatehouse rule \"\(verdict.rule)\"" + (words.isEmpty ? "" : ": \(words)"))
    }
}
