import Analysis
import GatehouseCore
import Identity
import Logging
import NIOCore
import Recording
import Relay

/// One client and one server, joined: the stage where statements pass. Owns the relay machine and both channels, and is the only
/// place that touches them. Confined to the event loop that both channels share.
final class RelaySession: CommitWaiter {
    let permitted: Permitted
    let gateway: Gateway
    let durability: Target.Durability
    let eventLoop: any EventLoop
    private let loopRecorder: LoopRecorder
    private let analysisThreads: AnalysisThreads
    let output: SessionOutput
    let judge: SessionJudge
    let facts: Facts
    private let catalog: TargetCatalog?
    private let estimator: RowEstimator?
    var machine: RelayMachine
    private var client: RelayHandler?
    private var server: RelayHandler?
    private var clientInput = ByteBuffer()
    private var serverInput = ByteBuffer()
    var isScheduled = false
    /// An analysis or a catalog is waited for.
    var clientWaits = false
    private var serverWaits = false
    private(set) var isEnding = false
    /// What waits for a person.
    var hold: ActiveHold?
    /// Of the session's budgets: what was counted already.
    var spentRows: UInt64 = 0
    var spentBytes: UInt64 = 0
    private var drainReason: String?
    /// When something last came from either side; only where the session may be ended for being idle.
    private var lastActivity: NIODeadline?
    private let timers = Timers()
    private let onEnd: (SessionTotals) -> Void
    /// Called once nothing more will be sent: after the commit that holds the last record.
    private var closing: (after: UInt64, run: () -> Void)?
    private var commitsBegun: UInt64 = 0
    private var commitsEnded: UInt64 = 0
    private var hasFinished = false
    /// What the client sent next cannot be dealt with before the server has answered.
    private var clientIsBlocked = false
    /// A cancel request that waits for its record to be committed, and whether one is on its way.
    var wantedCancel: (() -> EventLoopFuture<Void>)?
    var cancelIsUnderWay = false
    /// Has the target cancel what it does for this session; nil where it gave no key for that.
    var cancelUpstream: (() -> EventLoopFuture<Void>)?

    init(
        permitted: Permitted, gateway: Gateway, eventLoop: any EventLoop, loopRecorder: LoopRecorder, recorder: SessionRecorder,
        judge: SessionJudge, machine: RelayMachine, facts: Facts, catalog: TargetCatalog?, estimator: RowEstimator?,
        analysisThreads: AnalysisThreads,
        onEnd: @escaping (SessionTotals) -> Void
    ) {
        self.permitted = permitted
        self.gateway = gateway
        self.eventLoop = eventLoop
        self.loopRecorder = loopRecorder
        self.analysisThreads = analysisThreads
        self.judge = judge
        self.machine = machine
        self.facts = facts
        self.catalog = catalog
        self.estimator = estimator
        self.onEnd = onEnd
        durability = permitted.target.durability
        output = SessionOutput(recorder: recorder) { judgement in
            gateway.observer.verdict(
                VerdictReport(
                    permitted, at: gateway.clock.wallTime(), verdict: judgement.verdict, actions: judgement.actions,
                    policyVersion: gateway.configuration.policy.version))
        }
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

    /// What approvals are told of the session.
    struct Facts {
        var database: String
        var application: String
    }

    /// What the session's timers hold, instead of a weak reference: that would make each retain of the session a slow one.
    private final class Timers {
        var session: RelaySession?
    }

    // MARK: - Starting

    /// Takes its place in both channels, whose loop must be the session's.
    func attach(client: RelayHandler, server: RelayHandler) {
        self.client = client
        self.server = server
    }

    /// Tells the client that it is in, and starts the session's own clocks.
    func begin(greeting: ByteBuffer) {
        loopRecorder.join(self)
        timers.session = self
        output.tellClient(greeting, because: "greeting")
        schedule()
        let limits = gateway.configuration.limits
        if let lifetime = limits.sessionLifetime { after(lifetime) { $0.end(.lifetime) } }
        if let idle = limits.idleTimeout {
            lastActivity = .now()
            watchIdle(idle)
        }
    }

    private func watchIdle(_ timeout: Duration) {
        after(timeout) { session in
            let now = NIODeadline.now()
            let silence = now - (session.lastActivity ?? now)
            if silence >= TimeAmount(timeout), session.machine.pending.isEmpty, session.hold == nil {
                session.end(.idle)
            } else {
                session.watchIdle(timeout)
            }
        }
    }

    @discardableResult
    func after(_ delay: Duration, _ body: @escaping (RelaySession) -> Void) -> Scheduled<Void> {
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [timers] in
            guard let session = timers.session, !session.isEnding else { return }
            body(session)
        }
    }

    // MARK: - Reading

    /// Whether more may be read from the client: the server takes what it is sent, and nothing is waited for.
    /// Of a session that ends everything is read and dropped: unread bytes would have the kernel reset the connection, and
    /// the client lose what it was told last.
    var mayReadClient: Bool {
        if isEnding { return true }
        if clientIsBlocked, clientInput.readableBytes > heldLimit { return false }
        return !clientWaits && (server?.isWritable ?? false) && output.heldBytes <= heldLimit
    }

    var mayReadServer: Bool {
        !serverWaits && !isEnding && (client?.isWritable ?? false) && output.heldBytes <= heldLimit
    }

    private var heldLimit: Int { machine.limits.heldBytes }

    func receiveFromClient(_ bytes: ByteBuffer) {
        guard !isEnding else { return }
        append(bytes, to: &clientInput)
        if lastActivity != nil { lastActivity = .now() }
        output.recorder.tick()
        recheck()
        pumpClient()
    }

    /// Ends the session if a new configuration has no place for it.
    func recheck() {
        guard !isEnding, let refusal = judge.follow() else { return }
        output.recorder.tick()
        end(.refused(refusal.reason))
    }

    func receiveFromServer(_ bytes: ByteBuffer) {
        guard !isEnding else { return }
        append(bytes, to: &serverInput)
        if lastActivity != nil { lastActivity = .now() }
        output.recorder.tick()
        pumpServer()
    }

    private func append(_ bytes: ByteBuffer, to buffer: inout ByteBuffer) {
        guard buffer.readableBytes > 0 else {
            buffer = bytes
            return
        }
        // The rest of a message shares its storage with what was handed on: writing behind it would copy all of that.
        var joined = ByteBufferAllocator().buffer(capacity: buffer.readableBytes + bytes.readableBytes)
        joined.writeImmutableBuffer(buffer)
        joined.writeImmutableBuffer(bytes)
        buffer = joined
    }

    func pumpClient() {
        guard !clientWaits, !isEnding, clientInput.readableBytes > 0 else { return }
        machine.hasBudgets = judge.hasBudgets
        var sink = output
        do throws(ProtocolViolation) {
            switch try machine.receiveFromClient(&clientInput, sink: &sink) {
            case .needsBytes: clientIsBlocked = false
            case .needsServer: clientIsBlocked = true
            case .needsAnalysis(let text): analyse(text)
            case .needsCatalog: refreshCatalog { $0.clientWaits = $1 }
            case .needsEstimate(let question): estimate(question)
            case .needsApproval(let held): begin(held)
            case .terminated: end(.terminated)
            }
        } catch {
            end(.violation(error, byClient: true))
        }
        if machine.hasBudgets { endIfSpent() }
        schedule()
    }

    private func pumpServer() {
        guard !serverWaits, !isEnding, serverInput.readableBytes > 0 else { return }
        var sink = output
        let wasOpen = machine.transaction != .idle
        do throws(ProtocolViolation) {
            switch try machine.receiveFromServer(&serverInput, sink: &sink) {
            case .needsBytes: break
            case .needsCatalog: refreshCatalog { $0.serverWaits = $1 }
            }
        } catch {
            end(.violation(error, byClient: false))
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

    private func refreshCatalog(_ wait: @escaping (RelaySession, Bool) -> Void) {
        guard let catalog else { return }
        wait(self, true)
        let bound = NIOLoopBound((self, wait), eventLoop: eventLoop)
        let loop = eventLoop
        catalog.refresh(reason: "a name that is not known") { _ in
            loop.execute {
                let (session, wait) = bound.value
                wait(session, false)
                session.pumpServer()
                session.pumpClient()
                session.resumeReads()
            }
        }
    }

    /// Lets both sides read again where they may.
    func resumeReads() {
        client?.resumeRead()
        server?.resumeRead()
    }

    // MARK: - Committing

    func schedule() {
        guard output.isDirty, !isScheduled else { return }
        isScheduled = true
        loopRecorder.schedule(self)
    }

    var isRecorded: Bool { output.recorder.isRecorded }

    func commitBegins() {
        isScheduled = false
        commitsBegun &+= 1
        output.commitBegins()
    }

    func commitEnded() {
        commitsEnded &+= 1
        output.commitEnded(client: client, server: server)
        if let closing {
            guard commitsEnded >= closing.after else { return }
            self.closing = nil
            closing.run()
            return
        }
        cancelIfWanted()
        resumeReads()
    }

    func recordingFailed(_ error: any Error) {
        gateway.logger.error("recording failed; session stopped", metadata: ["session": "\(permitted.session)", "error": "\(error)"])
        output.drop()
        withdrawHold()
        closing = nil
        wantedCancel = nil
        isEnding = true
        var message = ByteBuffer()
        ErrorFields(
            severity: "FATAL", code: .diskFull, message: "Gatehouse cannot record this session, so it is stopped",
            hint: "Ask whoever runs this gateway to look at its disk."
        ).write(to: &message)
        cancelWhatRuns {}
        finish(code: "recorder-failed", text: "\(error)", outcome: .failed, tell: message)
    }

    // MARK: - Ending

    /// Records why, then tells the client and closes both sides.
    func end(_ ending: SessionEnding) {
        guard !isEnding else { return }
        isEnding = true
        withdrawHold()
        let (code, text, fields, outcome) = ending.description
        if outcome == .failed { output.recorder.record(.error, note: SessionNote(code: code, message: text)) }
        // Amid a long row the client would take an error for data.
        if let fields, machine.serverRemainder == 0 {
            var message = ByteBuffer()
            fields.write(to: &message)
            output.tellClient(message, because: code)
        }
        recordEnd(code, text)
        // Of the commits to come, the next one holds all this.
        closing = (
            commitsBegun &+ 1,
            { [self] in
                // The client's own goodbye has passed.
                if code != "client-closed" {
                    var goodbye = ByteBuffer()
                    writeMessage(Frontend.terminate, to: &goodbye) { _ in }
                    var last = Outgoing()
                    last.append(goodbye)
                    server?.send(last)
                }
                let finish = { self.finish(code: code, text: text, outcome: outcome, tell: nil) }
                if ending.stopsWhatRuns { cancelWhatRuns(then: finish) } else { finish() }
            }
        )
        output.markDirty()
        schedule()
        client?.resumeRead()
    }

    private func recordEnd(_ code: String, _ text: String) {
        let counters = machine.counters
        output.recorder.recordEnd(
            reason: code, message: text, counters: ["statements": counters.statements, "denied": counters.denied, "rows": counters.rows])
    }

    private func finish(code: String, text: String, outcome: SessionTotals.Outcome, tell: ByteBuffer?) {
        guard !hasFinished else { return }
        hasFinished = true
        timers.session = nil
        loopRecorder.leave(self)
        client?.closeWhenSent(last: tell ?? ByteBuffer())
        server?.closeWhenSent(last: ByteBuffer())
        client = nil
        server = nil
        let accounting = output.recorder.accounting
        onEnd(
            SessionTotals(
                ended: gateway.clock.wallTime(), outcome: outcome, reason: text.isEmpty ? code : "\(code): \(text)",
                statements: machine.counters.statements, denied: machine.counters.denied, rows: machine.counters.rows,
                bytesIn: accounting.client.seen, bytesOut: accounting.server.seen))
    }

    /// Ends the session at its next quiet moment.
    func drain(_ reason: String) {
        drainReason = reason
        endIfDrained()
    }

    private func endIfDrained() {
        guard let drainReason, machine.isQuiet, clientInput.readableBytes == 0 else { return }
        end(.killed(drainReason))
    }
}
