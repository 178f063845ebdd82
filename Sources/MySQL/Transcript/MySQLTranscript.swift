import GatehouseCore
import NIOCore
public import Recording

/// Turns the frames of a MySQL session back into what was asked and answered. Feed it every frame in order.
public struct MySQLTranscript: SessionTranscript {
    /// Rows that one event shows; more become further events.
    private static let rowsPerEvent = 200

    public var originalRecipients: [String] = []
    private var started: WallTime?
    private var time = WallTime(nanoseconds: 0)
    private var events: [TranscriptEvent] = []
    /// What the client's side of the connection has: told by the session's first note.
    private var capabilities: Capabilities = []
    private var client = PacketStream()
    private var server = PacketStream()
    private var reader = ResponseReader([], depth: 16)
    /// Texts that wait for their number, and by it.
    private var preparing: [ByteBuffer] = []
    private var registry = StatementRegistry(maximumStatements: .max, maximumLongData: .max)
    private var columns: [ColumnDefinition] = []
    private var rows: [TranscriptEvent.Value] = []
    /// Bytes of the file that the client is asked for.
    private var file: UInt64?
    /// Bytes of the client's stream up to here, as it was seen.
    private var seen: UInt64 = 0
    /// A verdict is recorded before what it is about, and told behind it.
    private var verdicts: [(about: UInt64, members: [String: TranscriptEvent.Value])] = []

    public init() {}

    /// - Throws: `PayloadError`, `DecodingError`, `CorruptRecording` for a recording of something else.
    public mutating func read(_ frame: Frame) throws -> [TranscriptEvent] {
        events = []
        time = frame.time
        if started == nil { started = frame.time }
        switch frame.kind {
        case .start: add("start", try frame.decode(SessionStart.self).members(of: frame.session))
        case .identity: add("identity", try frame.decode(SessionIdentity.self).members)
        case .upstream: add("upstream", try frame.decode(UpstreamConnection.self).members)
        case .clientMessages:
            client.append(frame.payload)
            seen &+= UInt64(frame.payload.count)
            while let packet = client.next() { try readClient(packet) }
            tellVerdicts(before: seen)
        case .serverMessages:
            server.append(frame.payload)
            while let packet = server.next() { try readServer(packet) }
        case .verdict:
            let record = try VerdictRecord(payload: frame.payload)
            verdicts.append((record.action, record.ruling.members))
            tellVerdicts(before: seen)
        case .approval: add("approval", try frame.decode(ApprovalRecord.self).members)
        case .notice, .error:
            let note = try frame.decode(SessionNote.self)
            if note.code == ConnectionNote.code { return take(note) }
            add(frame.kind == .error ? "failure" : "note", ["code": .string(note.code), "message": .string(note.message)])
        case .cancel: add("cancel", [:])
        case .injected:
            let injection = try Injection(payload: frame.payload)
            add("injected", ["reason": .string(injection.reason), "bytes": .number(UInt64(injection.bytes.count))])
        case .end:
            tellVerdicts(before: .max)
            finishRows()
            let end = try frame.decode(Recording.SessionEnd.self)
            add(
                "end",
                [
                    "reason": .string(end.message.isEmpty ? end.reason : "\(end.reason): \(end.message)"),
                    "counters": .object(end.counters.mapValues { .number($0) }),
                ])
        case .masked, .withheld:
            // What comes next stands for what was seen.
            let substitution = try Substitution(payload: frame.payload, of: frame.kind)
            if substitution.direction == .client { seen = seen &+ substitution.seenBytes &- substitution.recordedBytes }
        case .original, .gap, .file: break
        }
        return events
    }

    private mutating func take(_ note: SessionNote) -> [TranscriptEvent] {
        capabilities = ConnectionNote.capabilities(in: note.message) ?? []
        reader = ResponseReader(capabilities, depth: 16)
        return []
    }

    private mutating func tellVerdicts(before end: UInt64) {
        while let first = verdicts.first, first.about < end {
            add("verdict", first.members)
            verdicts.removeFirst()
        }
    }

    private mutating func add(_ type: String, _ members: [String: TranscriptEvent.Value]) {
        let offset = time.nanoseconds &- (started ?? time).nanoseconds
        events.append(TranscriptEvent(type: type, time: time, offsetMilliseconds: offset / 1_000_000, members: members))
    }

    // MARK: - The client

    private mutating func readClient(_ payload: ByteBuffer) throws {
        if let bytes = file {
            file = payload.readableBytes == 0 ? nil : bytes &+ UInt64(payload.readableBytes)
            if file == nil { add("copy", ["direction": .string("in"), "bytes": .number(bytes)]) }
            return
        }
        let command = try Command(payload, capabilities)
        finishRows()
        switch command {
        case .query(let query): statement(query.text)
        case .prepare(let text):
            preparing.append(text)
            add("prepare", ["text": .string(BodyReader.text(text)), "prepared_name": .string("")])
        case .execute(let request): try execution(request)
        case .bulkExecute(let request): statement(registry[request.statement]?.text ?? ByteBuffer())
        case .longData(let id, let parameter, let data): try? registry.append(longData: data, to: id, parameter: parameter)
        case .closeStatement(let id): registry.close(id)
        case .resetStatement(let id): registry.reset(id)
        case .ping, .quit, .statistics, .setOption, .fetch: break
        case .initDB, .fieldList, .changeUser, .resetConnection, .processKill, .processInfo, .debug, .other:
            add("statement", ["text": .string(command.code.name), "parameters": .list([])])
        }
        // What the gateway answered in the server's place ends the command as well.
        try? reader.sent(command.code)
    }

    private mutating func statement(_ text: ByteBuffer, _ parameters: [TranscriptEvent.Value] = []) {
        add("statement", ["text": .string(BodyReader.text(text)), "parameters": .list(parameters)])
    }

    private mutating func execution(_ request: ExecuteRequest) throws {
        guard let prepared = registry[request.statement] else { return statement(ByteBuffer(string: "COM_STMT_EXECUTE")) }
        let block = try request.parameters(of: prepared, capabilities)
        var shown: [TranscriptEvent.Value] = []
        for (index, parameter) in block.parameters.enumerated() {
            if let data = prepared.longData[UInt16(clamping: index)] {
                shown.append(.string(BodyReader.text(data)))
            } else {
                shown.append(.optional(try parameter.shown()))
            }
        }
        registry.executed(request.statement, block)
        statement(prepared.text, shown)
    }

    // MARK: - The server

    private mutating func readServer(_ payload: ByteBuffer) throws {
        // The end of the login, and what is said unasked at the session's end.
        guard !reader.isReady else {
            if let error = try? ErrorPacket(payload) { add("error", members(of: error)) }
            return
        }
        switch try reader.read(payload) {
        case .columnCount:
            finishRows()
            columns = []
        case .column(let column): columns.append(column)
        case .row(let row, let isBinary): try read(row: row, isBinary)
        case .ok(let ok):
            finishRows()
            add("complete", ["tag": .string("OK, \(ok.affectedRows) rows affected")])
        case .rowsEnd:
            finishRows()
            add("complete", ["tag": .string("end of rows")])
            columns = []
        case .prepared(let prepared):
            let text = preparing.isEmpty ? ByteBuffer() : preparing.removeFirst()
            registry.prepared(
                prepared.statement, text: text, parameterCount: prepared.parameters, columnCount: prepared.columns)
            columns = []
        case .error(let error):
            finishRows()
            if !preparing.isEmpty { preparing.removeFirst() }
            add("error", members(of: error))
        case .localInfile: file = 0
        case .progress, .columnsEnd, .parameter, .statistics, .end, .authentication: break
        }
    }

    private func members(of error: ErrorPacket) -> [String: TranscriptEvent.Value] {
        [
            "severity": .string("ERROR \(error.number)"), "code": .string(error.sqlState ?? "HY000"), "message": .string(error.text),
            "hint": .null,
        ]
    }

    private mutating func read(row payload: ByteBuffer, _ isBinary: Bool) throws {
        var cells: [TranscriptEvent.Value] = []
        if isBinary {
            let row = try BinaryRow(payload, types: columns.map(\.type))
            for (cell, column) in zip(row.cells, columns) {
                let type = ParameterType(column.type, isUnsigned: column.flags.contains(.unsigned))
                cells.append(.optional(try Parameter(type: type, cell: cell).shown()))
            }
        } else {
            cells = try TextRow(payload, columns: columns.count).cells.map { cell in
                cell.map { .string(BodyReader.text($0)) } ?? .null
            }
        }
        rows.append(.list(cells))
        if rows.count >= Self.rowsPerEvent { finishRows() }
    }

    private mutating func finishRows() {
        guard !rows.isEmpty else { return }
        add(
            "rows",
            [
                "columns": .list(columns.map { .string(BodyReader.text($0.name)) }), "rows": .list(rows),
                "count": .number(UInt64(rows.count)),
            ])
        rows = []
    }
}

/// What a reader of the recording must know of the connection, as a note of the session's.
enum ConnectionNote {
    static let code = "mysql-connection"

    static func note(_ capabilities: Capabilities) -> SessionNote {
        SessionNote(code: code, message: "capabilities 0x" + String(capabilities.rawValue, radix: 16))
    }

    static func capabilities(in text: String) -> Capabilities? {
        guard text.hasPrefix("capabilities 0x") else { return nil }
        return UInt64(text.dropFirst(15), radix: 16).map(Capabilities.init(rawValue:))
    }
}

/// Packets of a recorded stream, whose numbers were checked when they passed.
private struct PacketStream {
    private var buffer = ByteBuffer()

    mutating func append(_ bytes: [UInt8]) { buffer.writeBytes(bytes) }

    mutating func next() -> ByteBuffer? {
        var whole = ByteBuffer()
        var offset = buffer.readerIndex
        while let header = buffer.getInteger(at: offset, endianness: .little, as: UInt32.self) {
            let length = Int(header & 0xFF_FFFF)
            guard let piece = buffer.getSlice(at: offset + Packet.headerSize, length: length) else { return nil }
            whole.writeImmutableBuffer(piece)
            offset += Packet.headerSize + length
            guard length == Packet.maximumPiece else {
                buffer.moveReaderIndex(to: offset)
                if buffer.readableBytes == 0 { buffer.clear() } else { buffer.discardReadBytes() }
                return whole
            }
        }
        return nil
    }
}
