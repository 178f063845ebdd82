import GatehouseCore
import NIOCore
public import Recording

/// Writes a recorded session as a script for psql that does to a database what the session did: statements in their order with their
/// parameters in place, COPY data, transactions as they ended. What was denied, failed or was undone stands there as comments.
public struct PostgresScript {
    private let showsResults: Bool
    private var client = ByteBuffer()
    private var server = ByteBuffer()
    /// Where the next whole message of the client begins in its stream.
    private var place = ClientPlace()
    /// Verdicts that denied, by the offset of the request; they come before it.
    private var denials: [UInt64: VerdictRecord.Ruling] = [:]
    private var statements: [String: Prepared] = [:]
    /// Names that were ever prepared by protocol: a script has none of them.
    private var preparedNames: Set<String> = []
    private var portals: [String: ScriptRequest] = [:]
    private var pending = CircularBuffer<ScriptRequest>()
    /// The last that may take copy data, in the client's order.
    private var latest: ScriptRequest?
    private var isCopyingIn = false
    /// Behind an error the server passes over everything up to a Sync that is yet to come.
    private var isSkipping = false
    private var segment = ScriptSegment()
    private var hasHeader = false
    private var output = ""

    /// A statement that was prepared by protocol.
    final class Prepared {
        let text: [UInt8]
        /// The `standard_conforming_strings` that it was read under.
        let isStandard: Bool
        var types: [UInt32]
        var columns: [ResultColumn] = []
        var isMasked = false

        init(text: [UInt8], isStandard: Bool, types: [UInt32]) {
            self.text = text
            self.isStandard = isStandard
            self.types = types
        }
    }

    /// - Parameter showsResults: rows are written as comments.
    public init(showsResults: Bool) {
        self.showsResults = showsResults
    }

    /// The part of the script that is certain with this frame.
    /// - Throws: `ProtocolViolation`, `DecodingError`, `PayloadError` for a recording of something else.
    public mutating func read(_ frame: Frame) throws -> String {
        output = ""
        switch frame.kind {
        case .start: header(try frame.decode(SessionStart.self), frame.session)
        case .identity:
            let principal = try frame.decode(SessionIdentity.self).principal
            output += commented("by \(principal.user), as \(principal.issuer) says")
        case .clientMessages:
            client.writeBytes(frame.payload)
            place.add(frame.payload.count)
            while let (header, message) = try next(&client) {
                try readClient(header, message, isMasked: place.isReplaced())
                place.pass(header.totalLength)
            }
        case .serverMessages:
            server.writeBytes(frame.payload)
            while let (header, message) = try next(&server) { try readServer(header, message) }
        case .verdict:
            let record = try VerdictRecord(payload: frame.payload)
            // What was held and then approved has a second verdict.
            denials[record.action] = record.ruling.decision == .allow ? nil : record.ruling
        case .masked, .withheld:
            let substitution = try Substitution(payload: frame.payload, of: frame.kind)
            guard substitution.direction == .client else { break }
            place.substitute(substitution)
            // Of copy data nothing may be left.
            if substitution.recordedBytes == 0 { latest?.isMasked = true }
        case .gap:
            output += commented("bytes that the gateway saw here are not in the recording")
        case .error, .cancel, .notice:
            let note = try frame.decode(SessionNote.self)
            output += commented("\(note.code): \(note.message)")
        case .end:
            finishUnanswered()
            output += commented("end: \(try frame.decode(Recording.SessionEnd.self).reason)")
        case .approval:
            let record = try frame.decode(ApprovalRecord.self)
            output += commented("approval \(record.approval): \(record.event.rawValue)")
        case .file, .upstream, .injected, .original: break
        }
        return output
    }

    /// What is left when the recording has no more frames.
    public mutating func finish() -> String {
        output = ""
        finishUnanswered()
        return output
    }

    private mutating func header(_ start: SessionStart, _ session: SessionID) {
        output += commented("Gatehouse: session \(session) on \(start.target), database \(start.database ?? "?")")
        output += commented("Run with psql -X -f. Values that a server makes (now(), sequences, random()) are made anew.")
        // Whoever runs it may have set these otherwise; what follows counts on them.
        output += "\\set AUTOCOMMIT on\n\\set ON_ERROR_STOP off\n\\set ON_ERROR_ROLLBACK off\n\\encoding UTF8\n"
        output += "SET standard_conforming_strings = on;\n"
    }

    private mutating func finishUnanswered() {
        for request in pending { segment.items.append(request.item(.unanswered)) }
        pending.removeAll()
        output += segment.close(nil)
    }

    /// Takes one whole message off `buffer`.
    private func next(_ buffer: inout ByteBuffer) throws -> (MessageHeader, ByteBuffer)? {
        guard let header = try MessageHeader(at: buffer.readerIndex, in: buffer, maximum: Int(Int32.max)),
            let message = buffer.readSlice(length: header.totalLength)
        else { return nil }
        if buffer.readableBytes == 0 { buffer.clear() } else { buffer.discardReadBytes() }
        return (header, message)
    }

    // MARK: - The client

    /// - Parameter isMasked: it stands for what the client said.
    private mutating func readClient(_ header: MessageHeader, _ message: ByteBuffer, isMasked: Bool) throws {
        var body = BodyReader(message, messageAt: message.readerIndex, header: header)
        let denial = denials.removeValue(forKey: place.offset)
        func request(_ kind: ScriptRequest.Kind, _ text: [UInt8] = []) -> ScriptRequest {
            let request = ScriptRequest(kind, text, denial)
            request.isMasked = isMasked
            return request
        }
        if isSkipping {
            if header.type == Frontend.execute, let bound = portals[try body.cString()] { segment.items.append(bound.item(.skipped)) }
            guard header.type == Frontend.sync else { return }
            isSkipping = false
        }
        switch header.type {
        case Frontend.query:
            let query = request(.query, try text(&body))
            pending.append(query)
            latest = query
        case Frontend.parse:
            let name = try body.cString()
            let prepared = Prepared(text: try text(&body), isStandard: segment.isStandard, types: [])
            prepared.isMasked = isMasked
            let count: Int16 = try body.integer()
            for _ in 0..<max(0, Int(count)) { prepared.types.append(try body.integer()) }
            if statements.count > 10_000 { statements.removeAll() }
            statements[name] = prepared
            if preparedNames.count < 100_000 { preparedNames.insert(name) }
            pending.append(request(.parse, prepared.text))
        case Frontend.bind:
            let portal = try body.cString()
            let bind = request(.bind)
            bind.prepared = statements[try body.cString()]
            bind.text = bind.prepared?.text ?? []
            bind.parameters = try parameters(&body)
            bind.resultFormats = try formats(&body)
            if portals.count > 10_000 { portals.removeAll() }
            portals[portal] = bind
            pending.append(bind)
        case Frontend.execute:
            let bound = portals[try body.cString()]
            let execute = request(.execute, bound?.text ?? [])
            execute.bound = bound
            pending.append(execute)
            latest = execute
        case Frontend.describe:
            let what: UInt8 = try body.integer()
            let describe = request(.describe)
            let name = try body.cString()
            if what == UInt8(ascii: "S") { describe.prepared = statements[name] } else { describe.bound = portals[name] }
            pending.append(describe)
        case Frontend.close: pending.append(request(.close))
        case Frontend.sync: if !isCopyingIn { pending.append(request(.sync)) }
        case Frontend.functionCall: pending.append(request(.functionCall))
        case Frontend.copyData:
            if isMasked { latest?.isMasked = true }
            latest?.copyData(message.readableBytesView.dropFirst(MessageHeader.size))
        case Frontend.copyDone:
            latest?.copyDone()
            isCopyingIn = false
        case Frontend.copyFail: isCopyingIn = false
        default: break
        }
    }

    private func text(_ body: inout BodyReader) throws -> [UInt8] { Array(try body.cStringBytes().readableBytesView) }

    private func parameters(_ body: inout BodyReader) throws -> [ScriptRequest.Parameter] {
        let formats = try formats(&body)
        let count: Int16 = try body.integer()
        var result: [ScriptRequest.Parameter] = []
        for index in 0..<max(0, Int(count)) {
            result.append(ScriptRequest.Parameter(bytes: try value(&body), isBinary: formats.isBinary(index)))
        }
        return result
    }

    private func formats(_ body: inout BodyReader) throws -> ScriptFormats {
        let count: Int16 = try body.integer()
        var codes: [Int16] = []
        for _ in 0..<max(0, Int(count)) { codes.append(try body.integer()) }
        return ScriptFormats(codes: codes)
    }

    private func value(_ body: inout BodyReader) throws -> [UInt8]? {
        let length: Int32 = try body.integer()
        return length < 0 ? nil : Array(try body.bytes(Int(length)).readableBytesView)
    }

    // MARK: - The server

    private mutating func readServer(_ header: MessageHeader, _ message: ByteBuffer) throws {
        var body = BodyReader(message, messageAt: message.readerIndex, header: header)
        let head = pending.first
        switch header.type {
        case Backend.parseComplete, Backend.bindComplete, Backend.closeComplete, Backend.noData: _ = pending.popFirst()
        case Backend.parameterDescription:
            let count: Int16 = try body.integer()
            var types: [UInt32] = []
            for _ in 0..<max(0, Int(count)) { types.append(try body.integer()) }
            head?.prepared?.types = types
        case Backend.rowDescription:
            let columns = try ResultColumn.read(&body)
            if head?.kind == .describe {
                // The answer to an Execute comes without its columns.
                head?.prepared?.columns = columns
                head?.bound?.columns = columns
                _ = pending.popFirst()
            } else {
                head?.columns = columns
                if showsResults { head?.rows.append(columns.map(\.name).joined(separator: " | ")) }
            }
        case Backend.dataRow: if showsResults, let head { try row(&body, of: head) }
        case Backend.copyInResponse:
            let format: UInt8 = try body.integer()
            head?.copyBegins(isBinary: format != 0)
            isCopyingIn = head?.awaitsCopyData ?? false
        case Backend.commandComplete: completed(head, tag: try body.cString())
        case Backend.emptyQueryResponse, Backend.portalSuspended: completed(head, tag: "")
        case Backend.errorResponse: failed(head, try ErrorFields(&body))
        case Backend.parameterStatus: segment.set(try body.cString(), try body.cString())
        case Backend.readyForQuery:
            let status: UInt8 = try body.integer()
            if let request = pending.popFirst(), request.kind == .query || request.kind == .functionCall {
                segment.items.append(request.item(request.outcome ?? .completed))
            }
            output += segment.close(status)
        default: break
        }
    }

    private mutating func completed(_ head: ScriptRequest?, tag: String) {
        isCopyingIn = false
        guard let head else { return }
        if !tag.isEmpty { head.tags.append(tag) }
        guard head.kind == .execute else { return }
        _ = pending.popFirst()
        // A portal runs once, in however many pieces its rows are fetched.
        if let bound = head.bound {
            if bound.hasRun { return }
            bound.hasRun = true
        }
        if head.tags.first == "DEALLOCATE", isOfProtocol(head.text) { return }
        segment.items.append(head.item(.completed))
    }

    private func isOfProtocol(_ text: [UInt8]) -> Bool {
        let words = String(decoding: text, as: UTF8.self).split { " ;\n\t\"".contains($0) }
        return words.last.map { preparedNames.contains(String($0)) } ?? false
    }

    private mutating func failed(_ head: ScriptRequest?, _ fields: ErrorFields) {
        isCopyingIn = false
        guard let head else { return }
        let outcome: ScriptRequest.Outcome = head.denial.map { .denied($0) } ?? .failed(code: fields.code, message: fields.message)
        switch head.kind {
        case .query, .functionCall: head.outcome = outcome
        case .sync: segment.items.append(head.item(outcome))
        case .parse, .bind, .execute, .describe, .close:
            segment.items.append(head.item(outcome))
            var told = head.kind == .execute ? nil : head.text
            _ = pending.popFirst()
            while let skipped = pending.first, skipped.kind != .sync {
                // The Execute of what failed was told of with it.
                if skipped.kind == .execute, skipped.text == told {
                    told = nil
                } else if skipped.kind == .execute {
                    segment.items.append(skipped.item(.skipped))
                }
                _ = pending.popFirst()
            }
            isSkipping = pending.isEmpty
        }
    }

    private func row(_ body: inout BodyReader, of head: ScriptRequest) throws {
        let columns = head.resultColumns
        guard head.takesMoreRows() else { return }
        if head.kind == .execute, head.rows.isEmpty, !columns.isEmpty { head.rows.append(columns.map(\.name).joined(separator: " | ")) }
        let count: Int16 = try body.integer()
        var cells: [String] = []
        for index in 0..<max(0, Int(count)) {
            guard let bytes = try value(&body) else {
                cells.append("NULL")
                continue
            }
            let column = index < columns.count ? columns[index] : nil
            let isBinary = head.bound?.resultFormats.isBinary(index) ?? (column?.format == 1)
            let text = ScriptValue.text(bytes, type: column?.typeOID ?? 0, isBinary: isBinary)
            cells.append(text ?? "\\x" + ScriptValue.hexadecimal(bytes))
        }
        head.add(row: cells.joined(separator: " | "))
    }
}
