import Analysis
import GatehouseCore
import NIOCore

/// From the client to the server.
extension RelayMachine {
    /// Deals with the whole messages at the front of `input` and takes them off it.
    ///
    /// - Throws: `ProtocolViolation` for anything the protocol does not allow now; the session must end.
    mutating func receiveFromClient(_ input: inout ByteBuffer, sink: inout some RelaySink) throws(ProtocolViolation) -> ClientProgress {
        var run = Run(input)
        let progress: ClientProgress
        withholdsTail = false
        do throws(ProtocolViolation) {
            progress = try receiveMessages(input, &run, &sink)
        } catch {
            // What waited for a person goes nowhere, whatever came behind it.
            if withheld.readableBytes > 0 { withhold(input, &run, &sink) } else { run.flushToServer(input, &sink) }
            throw error
        }
        if withholdsTail { withhold(input, &run, &sink) } else { flush(input, &run, &sink) }
        if finishedHold?.offset != clientOffset { finishedHold = nil }
        if finishedEstimate?.offset != clientOffset { finishedEstimate = nil }
        if cancelledOffset != clientOffset { cancelledOffset = nil }
        input.moveReaderIndex(to: run.cursor)
        if input.readableBytes == 0 { input.clear(minimumCapacity: 0) }
        return progress
    }

    private mutating func receiveMessages(
        _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> ClientProgress {
        while true {
            if clientRemainder > 0 {
                let taken = min(clientRemainder, input.writerIndex - run.cursor)
                hideCopyData(input, from: run.cursor, count: taken, skipping: 0, &run)
                run.cursor += taken
                clientRemainder -= taken
                clientOffset &+= UInt64(taken)
                if clientRemainder > 0 { return .needsBytes }
            }
            guard let header = try MessageHeader(at: run.cursor, in: input, maximum: limits.messageBytes) else { return .needsBytes }
            let available = input.writerIndex - run.cursor
            if header.type == Frontend.copyData {
                let taken = min(available, header.totalLength)
                hideCopyData(input, from: run.cursor, count: taken, skipping: MessageHeader.size, &run)
                run.cursor += taken
                clientRemainder = header.totalLength - taken
                clientOffset &+= UInt64(taken)
                if clientRemainder > 0 { return .needsBytes }
                continue
            }
            guard available >= header.totalLength else { return .needsBytes }
            if let sessionHold, header.type != Frontend.terminate { return heldSession(sessionHold) }
            switch try receive(header, input, &run, &sink) {
            case .pass:
                run.cursor += header.totalLength
                note(header.type, &run)
            case .replaced:
                run.cursor += header.totalLength
                run.start = run.cursor
                note(header.type, &run)
                sentSegmentMessages = segmentMessages
            case .wait(let progress): return progress
            case .terminated:
                run.cursor += header.totalLength
                clientOffset &+= UInt64(header.totalLength)
                return .terminated
            }
            clientOffset &+= UInt64(header.totalLength)
        }
    }

    enum Step {
        case pass
        /// The message was held or replaced; the run before it has been flushed.
        case replaced
        case wait(ClientProgress)
        case terminated
    }

    private mutating func receive(
        _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        if header.type == Frontend.terminate { return .terminated }
        if copy == .copyIn || copy == .copyBoth { return try receiveDuringCopy(header, input, &run, &sink) }
        if pending.awaitsCopyIn, header.type != Frontend.copyDone, header.type != Frontend.copyFail {
            // Whether this is a request or lies amid copy data depends on the server's next answer.
            return .wait(.needsServer)
        }
        if pending.count >= limits.pipelineDepth {
            throw ProtocolViolation("more than \(limits.pipelineDepth) requests wait for an answer", code: .programLimitExceeded)
        }
        if pending.isSkipping { return try receiveWhileSkipping(header, input, &run) }
        var body = BodyReader(input, messageAt: run.cursor, header: header)
        switch header.type {
        case Frontend.query: return try receiveQuery(&body, header, input, &run, &sink)
        case Frontend.parse: return try receiveParse(&body, header, input, &run, &sink)
        case Frontend.bind: return try receiveBind(&body, header, input, &run, &sink)
        case Frontend.execute: return try receiveExecute(&body, header, input, &run, &sink)
        case Frontend.describe: return try receiveDescribe(&body)
        case Frontend.close: return try receiveClose(&body)
        case Frontend.sync:
            try body.finish()
            endSegment()
            pending.append(PendingRequest(kind: .sync))
            return .pass
        case Frontend.flush:
            try body.finish()
            return .pass
        case Frontend.functionCall:
            return receiveFunctionCall(header, input, &run, &sink)
        case Frontend.copyDone, Frontend.copyFail:
            endCopyIn()
            pending.appendCopyEnd()
            return .pass
        default:
            throw ProtocolViolation("message '\(printable(header.type))' is not one that a client may send here")
        }
    }

    /// Amid copy data a client may end it, and the server ignores Flush and Sync (documentation, "COPY Operations"). They are
    /// kept from it: were the COPY to fail just now, it would take a Sync seriously.
    private mutating func receiveDuringCopy(
        _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        switch header.type {
        case Frontend.copyDone, Frontend.copyFail:
            if copy == .copyIn { copy = .none }
            endCopyIn()
            pending.appendCopyEnd()
            return .pass
        case Frontend.sync where copy == .copyIn, Frontend.flush where copy == .copyIn:
            flush(input, &run, &sink)
            hold(header, input, &run, &sink)
            return .replaced
        default:
            throw ProtocolViolation("message '\(printable(header.type))' amid copy data")
        }
    }

    private mutating func endSegment() {
        segment &+= 1
        if !describedPortals.isEmpty { describedPortals.removeAll() }
    }

    /// After an error the server ignores everything up to a Sync; so nothing is judged, and nothing is waited for.
    private mutating func receiveWhileSkipping(
        _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run
    ) throws(ProtocolViolation) -> Step {
        try hideUnjudged(header, input, &run)
        switch header.type {
        case Frontend.sync:
            pending.stopSkipping()
            endSegment()
            pending.append(PendingRequest(kind: .sync))
            return .pass
        case Frontend.query, Frontend.parse, Frontend.bind, Frontend.execute, Frontend.describe, Frontend.close, Frontend.flush,
            Frontend.functionCall, Frontend.copyDone, Frontend.copyFail:
            return .pass
        default:
            throw ProtocolViolation("message '\(printable(header.type))' is not one that a client may send here")
        }
    }

    // MARK: - Texts

    private mutating func receiveQuery(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        let text = try body.cStringBytes()
        try body.finish()
        var judgement: Judgement
        switch judged(text) {
        case .made(let made): judgement = made
        case .wait(let progress): return .wait(progress)
        }
        if judgement.needsEstimate {
            switch estimate(judgement, text: text) {
            case .wait(let progress): return .wait(progress)
            case .settled(let made): judgement = made
            }
        }
        if hasBudgets, let over = judge.overBudget(judgement) { judgement = over }
        if judgement.isHeld {
            switch settle(judgement, text: text) {
            case .wait(let progress): return .wait(progress)
            case .settled(let made): judgement = made
            }
        }
        judgement = unlessCancelled(judgement)
        counters.statements &+= UInt64(max(judgement.actions.count, 1))
        hideText(text, of: judgement, header, input, &run)
        sink.record(judgement, at: clientOffset)
        // A simple Query ends the unnamed statement and portal on the server.
        pending.append(PendingRequest(kind: .query, judgements: [judgement], copyInsExpected: judgement.isDenied ? 0 : judgement.copyIns))
        implicitTransaction = true
        if !describedPortals.isEmpty { describedPortals.removeAll() }
        guard judgement.isDenied else {
            if hasBudgets { judge.spend(on: judgement) }
            if judgement.copyIns > 0 || copyIn != .unknown { beginCopyIn([judgement]) }
            forwarded(judgement)
            return .pass
        }
        deny(header, input, &run, &sink, by: .failingQuery(judgement.verdict.rule), judgement)
        return .replaced
    }

    private mutating func receiveParse(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        let name = try body.serverName()
        let prefix = header.bodyLength - body.remaining
        let text = try body.cStringBytes()
        let types: Int16 = try body.integer()
        guard types >= 0 else { throw ProtocolViolation("a Parse of \(types) parameter types") }
        let typesStart = body
        try body.skip(Int(types) * 4)
        try body.finish()
        let judgement: Judgement
        switch judged(text) {
        case .made(let made): judgement = unlessCancelled(made)
        case .wait(let progress): return .wait(progress)
        }
        if statements.count >= limits.statementsPerSession, !name.isEmpty, !statements.isKnown(name) {
            throw ProtocolViolation(
                "more than \(limits.statementsPerSession) prepared statements are open", code: .programLimitExceeded)
        }
        hideText(text, of: judgement, prefix: prefix, header, input, &run)
        sink.record(judgement, at: clientOffset)
        let proposal = propose()
        pending.append(PendingRequest(kind: .parse, name: name, judgements: [judgement], proposal: proposal))
        // What is held waits when it is bound, and rows are estimated with parameters.
        guard judgement.isDenied, !judgement.waitsForBind else {
            var candidate = CandidateTable.Candidate(id: proposal, segment: segment, judgements: [judgement])
            if judgement.waitsForBind || judge.keepsTexts {
                candidate.statement = CandidateTable.Statement(text: text, types: try typesStart.typeOIDs(Int(types)))
            }
            statements.propose(candidate, as: name)
            return .pass
        }
        deny(header, input, &run, &sink, by: .failingParse(judgement.verdict.rule), judgement)
        return .replaced
    }

    mutating func propose() -> UInt64 {
        implicitTransaction = true
        defer { nextProposal &+= 1 }
        return nextProposal
    }

    mutating func forwarded(_ judgement: Judgement) {
        transactionMayEcho.formUnion(judgement.mayEchoMasked)
        if !judgement.effects.isDisjoint(with: [.definesNames, .freesNames, .runsUnknownCode]), !describedPortals.isEmpty {
            describedPortals.removeAll()
        }
        judge.forwarded(judgement)
    }

    enum Judged {
        case made(Judgement)
        case wait(ClientProgress)
    }

    mutating func judged(_ text: ByteBuffer) -> Judged {
        let finished = finishedAnalysis?.offset == clientOffset ? finishedAnalysis?.analysis : nil
        guard let analysis = finished ?? text.withUnsafeReadableBytes({ analyzer.analysis(of: $0) }) else {
            return .wait(.needsAnalysis(text))
        }
        if analysis.dependsOnStringSetting, judge.stringSettingIsUncertain {
            return .made(judge.denyUncertainStrings(analysis))
        }
        if let judgement = judge.known(analysis) {
            finishedAnalysis = nil
            return .made(judgement)
        }
        return judgedAnew(analysis)
    }

    private mutating func judgedAnew(_ analysis: Analysis) -> Judged {
        switch judge.judge(analysis, prepared: actions(everOf:)) {
        case .ready(let judgement):
            finishedAnalysis = nil
            return .made(judgement)
        case .needsCatalog: return .wait(.needsCatalog)
        }
    }

    /// What a name that the protocol gave, to a statement or a portal, may stand for.
    func actions(everOf name: ServerName) -> [Action] {
        (statements.judgements(everOf: name) + portals.judgements(everOf: name)).flatMap(\.actions)
    }

    private mutating func receiveFunctionCall(
        _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) -> Step {
        var judgement = judge.judge(request: "function_call", of: .unnamed)
        judgement = unapproved(judge.overBudget(judgement) ?? judgement)
        counters.statements &+= 1
        hideValues(of: [judgement], header, input, &run)
        sink.record(judgement, at: clientOffset)
        pending.append(PendingRequest(kind: .functionCall, judgements: [judgement]))
        implicitTransaction = true
        guard judgement.isDenied else {
            judge.spend(on: judgement)
            forwarded(judgement)
            return .pass
        }
        deny(header, input, &run, &sink, by: .failingQuery(judgement.verdict.rule), judgement)
        return .replaced
    }

    /// Records the client's message, and sends the server one that must fail in its place: so the server's own state
    /// (transaction, pipeline) stays the truth.
    mutating func deny(
        _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink, by message: InjectedMessage,
        _ judgement: Judgement
    ) {
        counters.denied &+= 1
        if hasBudgets { judge.spend(on: judgement) }
        flush(input, &run, &sink)
        hold(header, input, &run, &sink)
        sink.inject(message.bytes, because: judgement.verdict.rule)
    }

    /// Records the message at the cursor, and passes it over.
    private func hold(_ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink) {
        guard let held = input.getSlice(at: run.cursor, length: header.totalLength) else { return }
        sink.hold(held, hiding: run.hidden.take(in: run.cursor..<run.cursor + header.totalLength))
    }
}

/// A stretch of the input that goes on as it is: from `start` up to `cursor`.
struct Run {
    var start: Int
    var cursor: Int
    /// The end of the last message after which what follows may wait: a Query, a Sync, a Flush.
    var boundary: Int
    /// What the recording holds otherwise, from `start` on; places are those of the input.
    var hidden: [HiddenMessage] = []

    init(_ input: ByteBuffer) {
        start = input.readerIndex
        cursor = input.readerIndex
        boundary = input.readerIndex
    }

    mutating func flushToServer(_ input: ByteBuffer, _ sink: inout some RelaySink) {
        if cursor > start, let bytes = input.getSlice(at: start, length: cursor - start) {
            if hidden.isEmpty { sink.passToServer(bytes) } else { sink.passToServer(bytes, hiding: hidden.take(in: start..<cursor)) }
        }
        start = cursor
    }

    mutating func flushToClient(_ input: ByteBuffer, _ sink: inout some RelaySink) {
        if cursor > start, let bytes = input.getSlice(at: start, length: cursor - start) { sink.passToClient(bytes) }
        start = cursor
    }
}
