import Analysis
import GatehouseCore
import Identity
import NIOCore
import Policy
import Recording
import Relay

/// One PostgreSQL client and one server, joined: the stage where statements pass. Owns the relay machine.
final class RelaySession: PairedSession {
    private let analysisThreads: AnalysisThreads
    let sink: SessionOutput
    let judge: SessionJudge
    let facts: Facts
    private let catalog: TargetCatalog?
    private let estimator: RowEstimator?
    var machine: RelayMachine
    /// Of the session's budgets: what was counted already.
    var spentRows: UInt64 = 0
    var spentBytes: UInt64 = 0

    init(
        permitted: Permitted, gateway: Gateway, eventLoop: any EventLoop, loopRecorder: LoopRecorder, recorder: SessionRecorder,
        judge: SessionJudge, machine: RelayMachine, facts: Facts, catalog: TargetCatalog?, estimator: RowEstimator?,
        analysisThreads: AnalysisThreads, onEnd: @escaping (SessionTotals) -> Void
    ) {
        self.analysisThreads = analysisThreads
        self.judge = judge
        self.machine = machine
        self.facts = facts
        self.catalog = catalog
        self.estimator = estimator
        let output = StagedOutput(recorder: recorder)
        sink = SessionOutput(output) { judgement in
            gateway.observer.verdict(
                VerdictReport(
                    permitted, at: gateway.clock.wallTime(), verdict: judgement.verdict, actions: judgement.actions,
                    policyVersion: gateway.configuration.policy.version))
        }
        super.init(
            permitted: permitted, gateway: gateway, eventLoop: eventLoop, loopRecorder: loopRecorder, output: output, onEnd: onEnd)
        judge.masksChanged = { [output] lift, event in
            let approval = lift.approval
            output.recorder.tick()
            output.recorder.record(
                approval: ApprovalRecord(
                    approval: approval.id, event: event, rule: approval.request.rule, reason: approval.reason, votes: [],
                    masks: lift.masks.map(\.id)))
            output.markDirty()
        }
    }

    /// What approvers are told of the session.
    struct Facts {
        var database: String
        var application: String
    }

    // MARK: - How it stands

    override var state: State {
        var state = State()
        state.isQuiet = machine.isQuiet
        state.pending = machine.pending.count
        state.isAmidMessage = machine.serverRemainder > 0
        state.statements = machine.counters.statements
        state.denied = machine.counters.denied
        state.rows = machine.counters.rows
        return state
    }

    override var heldLimit: Int { machine.limits.heldBytes }

    override func follow() -> Refusal? { judge.follow() }

    // MARK: - Passing on

    override func pumpClient() {
        guard !clientWaits, !isEnding, clientInput.readableBytes > 0 else { return }
        machine.hasBudgets = judge.hasBudgets
        var sink = sink
        do throws(ProtocolViolation) {
            switch try machine.receiveFromClient(&clientInput, sink: &sink) {
            case .needsBytes: clientIsBlocked = false
            case .needsServer: clientIsBlocked = true
            case .needsAnalysis(let text): analyse(text)
            case .needsCatalog: refreshCatalog(.client)
            case .needsEstimate(let question): estimate(question)
            case .needsApproval(let held): begin(held)
            case .terminated: end(.terminated)
            }
        } catch {
            end(.violation(error.reason, sqlState: error.code.rawValue, byClient: true))
        }
        if machine.hasBudgets { endIfSpent() }
        schedule()
    }

    override func pumpServer() {
        guard !serverWaits, !isEnding, serverInput.readableBytes > 0 else { return }
        var sink = sink
        let wasOpen = machine.transaction != .idle
        do throws(ProtocolViolation) {
            switch try machine.receiveFromServer(&serverInput, sink: &sink) {
            case .needsBytes: break
            case .needsCatalog: refreshCatalog(.server)
            }
        } catch {
            end(.violation(error.reason, sqlState: error.code.rawValue, byClient: false))
        }
        if judge.awaitsTransactionEnd, machine.isQuiet, wasOpen || !machine.pending.isSkipping { judge.transactionEnded() }
        if machine.hasBudgets { spend() }
        endIfDrained()
        schedule()
        // What the client says next may have waited for this answer.
        let wasBlocked = clientIsBlocked
        pumpClient()
        if wasBlocked, !clientIsBlocked { resumeReads() }
    }

    // MARK: - Asking elsewhere

    private func analyse(_ text: ByteBuffer) {
        clientWaits = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        let offset = machine.clientOffset
        analysisThreads.submit(Array(text.readableBytesView), statementBytes: machine.limits.statementBytes) { analysis in
            loop.execute {
                let session = bound.value
                session.clientWaits = false
                session.machine.finishedAnalysis = (offset, analysis)
                // A failure may be of the moment (too many texts wait): it is nothing to remember.
                if analysis.failure == nil { text.withUnsafeReadableBytes { session.machine.analyzer.remember(analysis, for: $0) } }
                session.pumpClient()
                session.resumeReads()
            }
        }
    }

    private func estimate(_ question: EstimateQuestion) {
        var question = question
        question.searchPath = judge.searchPath
        clientWaits = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let (loop, offset) = (eventLoop, machine.clientOffset)
        let answer: @Sendable (Int?) -> Void = { rows in
            loop.execute {
                let session = bound.value
                session.clientWaits = false
                session.machine.finishedEstimate = (offset, rows)
                session.pumpClient()
                session.resumeReads()
            }
        }
        if let estimator { estimator.estimate(question, then: answer) } else { answer(nil) }
    }

    private func refreshCatalog(_ side: PairHandler.Side) {
        guard let catalog else { return }
        wait(true, on: side)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        catalog.refresh(reason: "a name that is not known") { _ in
            loop.execute {
                let session = bound.value
                session.wait(false, on: side)
                session.pumpServer()
                session.pumpClient()
                session.resumeReads()
            }
        }
    }

    private func wait(_ waits: Bool, on side: PairHandler.Side) {
        switch side {
        case .client: clientWaits = waits
        case .server: serverWaits = waits
        }
    }

    /// A client asked to cancel what runs.
    func cancelRequested() {
        guard !isEnding else { return }
        // What waits has not reached the server: there is nothing there to cancel.
        if cancelHold() { return cancelNow(code: "cancel-request", message: "", nil) }
        // Nor has what is still being looked at, unless something else runs meanwhile; a cancel that is sent all the same
        // could arrive late, and stop what comes next.
        if clientWaits, !machine.pending.awaitsReady {
            machine.cancelledOffset = machine.clientOffset
            return cancelNow(code: "cancel-request", message: "", nil)
        }
        passCancelOn()
    }

    // MARK: - Words

    override func farewell(_ ending: SessionEnding) -> ByteBuffer? {
        guard let (text, hint) = ending.words else { return nil }
        var fields = ErrorFields(severity: "FATAL", code: .protocolViolation, message: text, hint: hint)
        switch ending {
        case .terminated, .clientGone: return nil
        case .serverGone: fields.code = SQLState.connectionFailure.rawValue
        case .idle, .lifetime, .killed: fields.code = SQLState.adminShutdown.rawValue
        case .refused: fields.code = SQLState.invalidAuthorization.rawValue
        case .violation(_, let sqlState, _): fields.code = sqlState
        }
        var message = ByteBuffer()
        fields.write(to: &message)
        return message
    }

    override func recorderFailure() -> ByteBuffer {
        var message = ByteBuffer()
        ErrorFields(
            severity: "FATAL", code: .diskFull, message: "Gatehouse cannot record this session, so it is stopped",
            hint: "Ask whoever runs this gateway to look at its disk."
        ).write(to: &message)
        return message
    }

    override var goodbye: ByteBuffer? {
        var goodbye = ByteBuffer()
        writeMessage(Frontend.terminate, to: &goodbye) { _ in }
        return goodbye
    }

    // MARK: - Holds (see the extension)

    override func granted(_ approval: Approval) { judge.granted(approval) }

    override func dropWithheld() {
        var sink = sink
        machine.dropWithheld(&sink)
    }

    override func tellOfWaiting(_ words: WaitingWords) {
        // Amid a message of the server's a notice would tear it.
        guard machine.serverRemainder == 0 else { return }
        var message = ByteBuffer()
        ErrorFields(severity: "NOTICE", code: .successfulCompletion, message: words.message, detail: words.detail, hint: words.hint)
            .write(to: &message, as: Backend.noticeResponse)
        output.tellClient(message, because: "approval")
    }
}
