import GatehouseCore
import NIOCore
public import Recording

public struct PostgresTranscript: SessionTranscript {
    /// Rows that one event shows; more become further events.
    private static let rowsPerEvent = 200

    private var started: WallTime?
    private var client = ByteBuffer()
    private var server = ByteBuffer()
    private var columns: [String] = []
    private var formats: [Int16] = []
    private var rows: [TranscriptEvent.Value] = []
    private var copied: [String: UInt64] = [:]
    /// A verdict is recorded before what it is about, and told behind it.
    private var verdicts: [(about: UInt64, members: [String: TranscriptEvent.Value])] = []
    private var place = ClientPlace()
    /// What was told of the answer now read.
    private var view: Replacement?
    /// Texts by the name that they were prepared under; the empty one too.
    private var prepared: [String: String] = [:]
    private var time = WallTime(nanoseconds: 0)
    private var events: [TranscriptEvent] = []
    /// Key ids of those who can open the recording's originals, told with each of them.
    public var originalRecipients: [String] = []

    public init() {}

    /// - Throws: `ProtocolViolation`, `DecodingError`, `PayloadError` for a recording of something else.
    public mutating func read(_ frame: Frame) throws -> [TranscriptEvent] {
        events = []
        time = frame.time
        if started == nil { started = frame.time }
        switch frame.kind {
        case .start: add("start", try frame.decode(SessionStart.self).members(of: frame.session))
        case .identity: add("identity", try frame.decode(SessionIdentity.self).members)
        case .upstream:
            add("upstream", try frame.decode(UpstreamConnection.self).members)
        case .clientMessages:
            client.writeBytes(frame.payload)
            place.add(frame.payload.count)
            try readClient()
        case .serverMessages:
            server.writeBytes(frame.payload)
            try readServer()
        case .verdict: verdict(try VerdictRecord(payload: frame.payload))
        case .approval: add("approval", try frame.decode(ApprovalRecord.self).members)
        case .notice, .error:
            let note = try frame.decode(SessionNote.self)
            add(frame.kind == .error ? "failure" : "note", ["code": .string(note.code), "message": .string(note.message)])
        case .cancel: add("cancel", [:])
        case .injected:
            let injection = try Injection(payload: frame.payload)
            add("injected", ["reason": .string(injection.reason), "bytes": .number(UInt64(injection.bytes.count))])
        case .end:
            tellVerdicts()
            finishRows()
            let end = try frame.decode(Recording.SessionEnd.self)
            add(
                "end",
                [
                    "reason": .string(end.message.isEmpty ? end.reason : "\(end.reason): \(end.message)"),
                    "counters": .object(end.counters.mapValues { .number($0) }),
                ])
        case .original:
            let original = try SealedOriginal(payload: frame.payload)
            add(
                "original",
                [
                    "direction": .string(original.direction == .client ? "client" : "server"),
                    "sealed_bytes": .number(UInt64(original.sealedBytes)), "recorded_bytes": .number(original.recordedBytes),
                    "recipients": .list(originalRecipients.map { .string($0) }),
                ])
        case .masked, .withheld:
            let substitution = try Substitution(payload: frame.payload, of: frame.kind)
            if substitution.direction == .client { place.substitute(substitution) } else { view(substitution) }
        case .gap, .file: break
        }
        return events
    }

    /// The client got something else than what the recording holds: told once an answer.
    private mutating func view(_ substitution: Substitution) {
        guard let reason = Replacement(rawValue: substitution.note), reason != view else { return }
        let words: String
        switch reason {
        case .maskOfRecording: words = "clear"
        case .maskOfClient: words = "masked"
        case .differentMasks: words = "masked otherwise"
        case .mask, .denial, .withheldMessage: return
        }
        finishRows()
        view = reason
        add("view", ["client": .string(words)])
    }

    private mutating func add(_ type: String, _ members: [String: TranscriptEvent.Value]) {
        let offset = time.nanoseconds &- (started ?? time).nanoseconds
        events.append(TranscriptEvent(type: type, time: time, offsetMilliseconds: offset / 1_000_000, members: members))
    }

    private mutating func verdict(_ record: VerdictRecord) {
        let ruling = record.ruling
        let members = ruling.members
        // What waits is recorded when it waits no longer.
        if ruling.decision == .hold { add("verdict", members) } else { verdicts.append((record.action, members)) }
    }

    /// - Parameter end: Those of requests that begin behind it, in the client's stream, wait for these.
    private mutating func tellVerdicts(before end: UInt64 = .max) {
        while let first = verdicts.first, first.about < end {
            add("verdict", first.members)
            verdicts.removeFirst()
        }
    }

    // MARK: - Messages

    private mutating func readClient() throws {
        while let (type, message) = try next(&client) {
            var body = BodyReader(message, messageAt: message.readerIndex, header: try header(message))
            _ = place.isReplaced()
            tellVerdicts(before: place.offset)
            defer {
                tellVerdicts(before: place.offset &+ 1)
                place.pass(message.readableBytes)
            }
            switch type {
            case Frontend.query:
                finishRows()
                add("statement", ["text": .string(try body.cString()), "parameters": .list([])])
            case Frontend.parse:
                finishRows()
                let name = try body.cString()
                let text = try body.cString()
                if prepared.count > 10_000 { prepared.removeAll() }
                prepared[name] = text
                add("prepare", ["text": .string(text), "prepared_name": .string(name)])
            case Frontend.bind: try readBind(&body)
            case Frontend.copyData: copied["in", default: 0] &+= UInt64(message.readableBytes - MessageHeader.size)
            case Frontend.copyDone, Frontend.copyFail: finishCopy("in")
            default: break
            }
        }
    }

    private mutating func readBind(_ body: inout BodyReader) throws {
        let portal = try body.cString()
        let statement = try body.cString()
        let formatCount: Int16 = try body.integer()
        var formats: [Int16] = []
        for _ in 0..<max(0, Int(formatCount)) {
            formats.append(try body.integer())
        }
        let count: Int16 = try body.integer()
        var values: [TranscriptEvent.Value] = []
        for index in 0..<max(0, Int(count)) {
            let isBinary = formats.count == 1 ? formats[0] == 1 : (index < formats.count && formats[index] == 1)
            values.append(try value(&body, isBinary: isBinary))
        }
        add(
            "statement",
            [
                "text": .string(prepared[statement] ?? ""), "parameters": .list(values), "prepared_name": .string(statement),
                "portal": .string(portal),
            ])
    }

    private func value(_ body: inout BodyReader, isBinary: Bool) throws -> TranscriptEvent.Value {
        let length: Int32 = try body.integer()
        guard length >= 0 else { return .null }
        let bytes = try body.bytes(Int(length))
        if !isBinary, let text = String(validating: bytes.readableBytesView, as: UTF8.self) { return .string(text) }
        return .string("\\x" + bytes.readableBytesView.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())
    }

    private mutating func readServer() throws {
        while let (type, message) = try next(&server) {
            var body = BodyReader(message, messageAt: message.readerIndex, header: try header(message))
            switch type {
            case Backend.rowDescription:
                finishRows()
                let described = try ResultColumn.read(&body)
                columns = described.map(\.name)
                formats = described.map(\.format)
            case Backend.dataRow: try readRow(&body)
            case Backend.commandComplete:
                finishRows()
                view = nil
                finishCopy("out")
                add("complete", ["tag": .string(try body.cString())])
            case Backend.errorResponse, Backend.noticeResponse:
                finishRows()
                let fields = try ErrorFields(&body)
                add(
                    type == Backend.errorResponse ? "error" : "notice",
                    [
                        "severity": .string(fields.severity), "code": .string(fields.code), "message": .string(fields.message),
                        "hint": .optional(fields.hint),
                    ])
            case Backend.copyData: copied["out", default: 0] &+= UInt64(message.readableBytes - MessageHeader.size)
            default: break
            }
        }
    }

    private mutating func readRow(_ body: inout BodyReader) throws {
        let count: Int16 = try body.integer()
        var cells: [TranscriptEvent.Value] = []
        for index in 0..<max(0, Int(count)) {
            cells.append(try value(&body, isBinary: index < formats.count && formats[index] == 1))
        }
        rows.append(.list(cells))
        if rows.count >= Self.rowsPerEvent { finishRows() }
    }

    private mutating func finishRows() {
        guard !rows.isEmpty else { return }
        add("rows", ["columns": .list(columns.map { .string($0) }), "rows": .list(rows), "count": .number(UInt64(rows.count))])
        rows = []
    }

    private mutating func finishCopy(_ direction: String) {
        guard let bytes = copied.removeValue(forKey: direction) else { return }
        add("copy", ["direction": .string(direction), "bytes": .number(bytes)])
    }

    /// Takes one whole message off `buffer`.
    private func next(_ buffer: inout ByteBuffer) throws -> (UInt8, ByteBuffer)? {
        guard let header = try MessageHeader(at: buffer.readerIndex, in: buffer, maximum: Int(Int32.max)) else { return nil }
        guard let message = buffer.readSlice(length: header.totalLength) else { return nil }
        if buffer.readableBytes == 0 { buffer.clear() } else { buffer.discardReadBytes() }
        return (header.type, message)
    }

    private func header(_ message: ByteBuffer) throws -> MessageHeader {
        guard let header = try MessageHeader(at: message.readerIndex, in: message, maximum: Int(Int32.max)) else {
            throw ProtocolViolation("a message without its header")
        }
        return header
    }
}
