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
        do throws(ProtocolViolation) {
            progress = try receiveMessages(input, &run, &sink)
        } catch {
            run.flushToServer(input, &sink)
            throw error
        }
        run.flushToServer(input, &sink)
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
                run.cursor += taken
                clientRemainder -= taken
                clientOffset &+= UInt64(taken)
                if clientRemainder > 0 { return .needsBytes }
            }
            guard let header = try MessageHeader(at: run.cursor, in: input, maximum: limits.messageBytes) else { return .needsBytes }
            let available = input.writerIndex - run.cursor
            if header.type == Frontend.copyData {
                let taken = min(available, header.totalLength)
                run.cursor += taken
                clientRemainder = header.totalLength - taken
                clientOffset &+= UInt64(taken)
                if clientRemainder > 0 { return .needsBytes }
                continue
            }
            guard available >= header.totalLength else { return .needsBytes }
            switch try receive(header, input, &run, &sink) {
            case .pass: run.cursor += header.totalLength
            case .replaced:
                run.cursor += header.totalLength
                run.start = run.cursor
            case .wait(let progress): return progress
            case .terminated:
                run.cursor += header.totalLength
                clientOffset &+= UInt64(header.totalLength)
                return .terminated
            }
            clientOffset &+= UInt64(header.totalLength)
        }
    }

    private enum Step {
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
        if pending.isSkipping { return try receiveWhileSkipping(header) }
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
            pending.appendCopyEnd()
            return .pass
        case Frontend.sync where copy == .copyIn, Frontend.flush where copy == .copyIn:
            run.flushToServer(input, &sink)
            if let held = input.getSlice(at: run.cursor, length: header.totalLength) { sink.hold(held) }
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
    private mutating func receiveWhileSkipping(_ header: MessageHeader) throws(ProtocolViolation) -> Step {
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
        let judgement: Judgement
        switch judged(text) {
        case .success(let made): judgement = made
        case .failure(let wait): return .wait(wait.progress)
        }
        counters.statements &+= UInt64(max(judgement.actions.count, 1))
        sink.record(judgement, at: clientOffset)
        // A simple Query ends the unnamed statement and portal on the server.
        pending.append(PendingRequest(kind: .query, judgements: [judgement], copyInsExpected: judgement.isDenied ? 0 : judgement.copyIns))
        implicitTransaction = true
        if !describedPortals.isEmpty { describedPortals.removeAll() }
        guard judgement.isDenied else {
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
        let text = try body.cStringBytes()
        let types: Int16 = try body.integer()
        guard types >= 0 else { throw ProtocolViolation("a Parse of \(types) parameter types") }
        try body.skip(Int(types) * 4)
        try body.finish()
        let judgement: Judgement
        switch judged(text) {
        case .success(let made): judgement = made
        case .failure(let wait): return .wait(wait.progress)
        }
        if statements.count >= limits.statementsPerSession, !name.isEmpty, !statements.isKnown(name) {
            throw ProtocolViolation(
                "more than \(limits.statementsPerSession) prepared statements are open", code: .programLimitExceeded)
        }
        sink.record(judgement, at: clientOffset)
        let proposal = propose()
        pending.append(PendingRequest(kind: .parse, name: name, judgements: [judgement], proposal: proposal))
        guard judgement.isDenied else {
            statements.propose(.init(id: proposal, segment: segment, judgements: [judgement]), as: name)
            return .pass
        }
        deny(header, input, &run, &sink, by: .failingParse(judgement.verdict.rule), judgement)
        return .replaced
    }

    private mutating func propose() -> UInt64 {
        implicitTransaction = true
        defer { nextProposal &+= 1 }
        return nextProposal
    }

    private mutating func forwarded(_ judgement: Judgement) {
        if judgement.mayEchoMasked { transactionMayEcho = true }
        if !judgement.effects.isDisjoint(with: [.definesNames, .freesNames, .runsUnknownCode]), !describedPortals.isEmpty {
            describedPortals.removeAll()
        }
        judge.forwarded(judgement)
    }

    private struct Wait: Error {
        let progress: ClientProgress
    }

    private mutating func judged(_ text: ByteBuffer) -> Result<Judgement, Wait> {
        let finished = finishedAnalysis?.offset == clientOffset ? finishedAnalysis?.analysis : nil
        guard let analysis = finished ?? text.withUnsafeReadableBytes({ analyzer.analysis(of: $0) }) else {
            return .failure(Wait(progress: .needsAnalysis(text)))
        }
        if analysis.dependsOnStringSetting, judge.stringSettingIsUncertain {
            return .success(judge.denyUncertainStrings(analysis))
        }
        if let judgement = judge.known(analysis) {
            finishedAnalysis = nil
            return .success(judgement)
        }
        return judgedAnew(analysis)
    }

    private mutating func judgedAnew(_ analysis: Analysis) -> Result<Judgement, Wait> {
        switch judge.judge(analysis, prepared: actions(everOf:)) {
        case .ready(let judgement):
            finishedAnalysis = nil
            return .success(judgement)
        case .needsCatalog: return .failure(Wait(progress: .needsCatalog))
        }
    }

    /// What a name that the protocol gave, to a statement or a portal, may stand for.
    private func actions(everOf name: ServerName) -> [Action] {
        (statements.judgements(everOf: name) + portals.judgements(everOf: name)).flatMap(\.actions)
    }

    // MARK: - Bind, Execute and the rest

    private mutating func receiveBind(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        let portal = try body.serverName()
        let statement = try body.serverName()
        if portals.count >= limits.statementsPerSession, !portal.isEmpty, !portals.isKnown(portal) {
            throw ProtocolViolation("more than \(limits.statementsPerSession) portals are open", code: .programLimitExceeded)
        }
        switch confirmed(statement, statements.judgements(of: statement, in: segment), orElse: "bind") {
        case .wait(let progress): return .wait(progress)
        case .denied(let judgement):
            sink.record(judgement, at: clientOffset)
            pending.append(PendingRequest(kind: .bind, name: portal, judgements: [judgement], proposal: propose()))
            deny(header, input, &run, &sink, by: .failingBind, judgement)
            return .replaced
        case .allowed(let judgements):
            let proposal = propose()
            describedPortals.remove(portal)
            portals.propose(.init(id: proposal, segment: segment, judgements: judgements), as: portal)
            pending.append(PendingRequest(kind: .bind, name: portal, judgements: judgements, proposal: proposal))
            return .pass
        }
    }

    private mutating func receiveExecute(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        let portal = try body.serverName()
        let _: Int32 = try body.integer()
        try body.finish()
        switch confirmed(portal, portals.judgements(of: portal, in: segment), orElse: "fetch") {
        case .wait(let progress): return .wait(progress)
        case .denied(let judgement):
            counters.statements &+= 1
            sink.record(judgement, at: clientOffset)
            pending.append(PendingRequest(kind: .execute, name: portal, judgements: [judgement]))
            deny(header, input, &run, &sink, by: .failingExecute, judgement)
            return .replaced
        case .allowed(let judgements):
            counters.statements &+= 1
            let copyIns = judgements.first?.copyIns ?? 0
            guard judgements.allSatisfy({ $0.copyIns == copyIns }) else {
                throw ProtocolViolation("a portal is run that may or may not copy data in: send a Sync and read its answer first")
            }
            for judgement in judgements {
                sink.record(judgement, at: clientOffset)
            }
            implicitTransaction = true
            if judgements.contains(where: \.mayRevealMasked), !describedPortals.contains(portal) {
                // The rows' columns must be known before the rows: ask for them, and keep the answer.
                run.flushToServer(input, &sink)
                sink.inject(InjectedMessage.describe(portal: portal.text), because: "describe")
                pending.append(PendingRequest(kind: .describePortal, name: portal, judgements: judgements, isInjected: true))
                describedPortals.insert(portal)
            }
            pending.append(PendingRequest(kind: .execute, name: portal, judgements: judgements, copyInsExpected: copyIns))
            for judgement in judgements {
                forwarded(judgement)
            }
            return .pass
        }
    }

    private enum Confirmed {
        case allowed([Judgement])
        case denied(Judgement)
        case wait(ClientProgress)
    }

    /// What the candidates of `name` come to under the configuration of now. A name that SQL gave (PREPARE, DECLARE), or that
    /// the gateway does not know, is judged as a request of its own besides.
    private func confirmed(_ name: ServerName, _ candidates: [Judgement], orElse kind: String) -> Confirmed {
        guard candidates.isEmpty || judge.isNamedBySQL(name) else { return confirmed(candidates) }
        let judgement = judge.judge(request: kind, of: name)
        if judgement.isDenied { return .denied(judgement) }
        switch confirmed(candidates) {
        case .allowed(let judgements): return .allowed(judgements + [judgement])
        case .denied(let judgement): return .denied(judgement)
        case .wait(let progress): return .wait(progress)
        }
    }

    private func confirmed(_ candidates: [Judgement]) -> Confirmed {
        allHold(candidates) ? .allowed(candidates) : confirmedAnew(candidates)
    }

    private func allHold(_ candidates: [Judgement]) -> Bool {
        for candidate in candidates where candidate.isDenied || !judge.holds(candidate) { return false }
        return true
    }

    /// A text that was judged anew already is not looked at again.
    private func confirmedAnew(_ candidate: Judgement) -> JudgeOutcome {
        if let analysis = candidate.analysis, !candidate.runsNames, let judgement = judge.known(analysis) { return .ready(judgement) }
        return judge.confirm(candidate, prepared: actions(everOf:))
    }

    private func confirmedAnew(_ candidates: [Judgement]) -> Confirmed {
        var result: [Judgement] = []
        result.reserveCapacity(candidates.count)
        for candidate in candidates {
            switch confirmedAnew(candidate) {
            case .needsCatalog: return .wait(.needsCatalog)
            case .ready(let judgement):
                if judgement.isDenied { return .denied(judgement) }
                result.append(judgement)
            }
        }
        return .allowed(result)
    }

    private mutating func receiveDescribe(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        let what: UInt8 = try body.integer()
        let name = try body.serverName()
        try body.finish()
        implicitTransaction = true
        switch what {
        case UInt8(ascii: "S"):
            pending.append(
                PendingRequest(kind: .describeStatement, name: name, judgements: statements.judgements(of: name, in: segment)))
        case UInt8(ascii: "P"):
            let judgements = portals.judgements(of: name, in: segment)
            pending.append(PendingRequest(kind: .describePortal, name: name, judgements: judgements))
            // Of others the columns are not kept.
            if judgements.contains(where: \.mayRevealMasked) { describedPortals.insert(name) }
        default: throw ProtocolViolation("a Describe of '\(printable(what))'")
        }
        return .pass
    }

    private mutating func receiveClose(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        let what: UInt8 = try body.integer()
        let name = try body.serverName()
        try body.finish()
        implicitTransaction = true
        switch what {
        case UInt8(ascii: "S"): pending.append(PendingRequest(kind: .closeStatement, name: name, proposal: nextProposal))
        case UInt8(ascii: "P"):
            describedPortals.remove(name)
            pending.append(PendingRequest(kind: .closePortal, name: name, proposal: nextProposal))
        default: throw ProtocolViolation("a Close of '\(printable(what))'")
        }
        return .pass
    }

    private mutating func receiveFunctionCall(
        _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) -> Step {
        let judgement = judge.judge(request: "function_call", of: .unnamed)
        counters.statements &+= 1
        sink.record(judgement, at: clientOffset)
        pending.append(PendingRequest(kind: .functionCall, judgements: [judgement]))
        implicitTransaction = true
        guard judgement.isDenied else {
            forwarded(judgement)
            return .pass
        }
        deny(header, input, &run, &sink, by: .failingQuery(judgement.verdict.rule), judgement)
        return .replaced
    }

    /// Records the client's message, and sends the server one that must fail in its place: so the server's own state
    /// (transaction, pipeline) stays the truth.
    private mutating func deny(
        _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink, by message: InjectedMessage,
        _ judgement: Judgement
    ) {
        counters.denied &+= 1
        run.flushToServer(input, &sink)
        if let held = input.getSlice(at: run.cursor, length: header.totalLength) { sink.hold(held) }
        sink.inject(message.bytes, because: judgement.verdict.rule)
    }
}

/// A stretch of the input that goes on as it is: from `start` up to `cursor`.
struct Run {
    var start: Int
    var cursor: Int

    init(_ input: ByteBuffer) {
        start = input.readerIndex
        cursor = input.readerIndex
    }

    mutating func flushToServer(_ input: ByteBuffer, _ sink: inout some RelaySink) {
        if cursor > start, let bytes = input.getSlice(at: start, length: cursor - start) { sink.passToServer(bytes) }
        start = cursor
    }

    mutating func flushToClient(_ input: ByteBuffer, _ sink: inout some RelaySink) {
        if cursor > start, let bytes = input.getSlice(at: start, length: cursor - start) { sink.passToClient(bytes) }
        start = cursor
    }
}
