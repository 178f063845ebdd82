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
    private let eventLoop: any EventLoop
    private let loopRecorder: LoopRecorder
    private let analysisThreads: AnalysisThreads
    private let output: SessionOutput
    private let judge: SessionJudge
    private let catalog: TargetCatalog?
    private var machine: RelayMachine
    private var client: (any Channel)?
    private var server: (any Channel)?
    private var clientInput = ByteBuffer()
    private var serverInput = ByteBuffer()
    private var isScheduled = false
    /// An analysis or a catalog is waited for.
    private var clientWaits = false
    private var serverWaits = false
    private var isEnding = false
    private var drainReason: String?
    private var lastActivity = NIODeadline.now()
    private let onEnd: (SessionTotals) -> Void
    /// Called once nothing more will be sent, after the last record is committed.
    private var closing: (() -> Void)?

    init(
        permitted: Permitted, gateway: Gateway, eventLoop: any EventLoop, loopRecorder: LoopRecorder, recorder: SessionRecorder,
        judge: SessionJudge, machine: RelayMachine, catalog: TargetCatalog?, analysisThreads: AnalysisThreads, client: any Channel,
        server: any Channel, onEnd: @escaping (SessionTotals) -> Void
    ) {
        self.permitted = permitted
        self.gateway = gateway
        self.eventLoop = eventLoop
        self.loopRecorder = loopRecorder
        self.analysisThreads = analysisThreads
        self.judge = judge
        self.machine = machine
        self.catalog = catalog
        self.client = client
        self.server = server
        self.onEnd = onEnd
        durability = permitted.target.durability
        output = SessionOutput(recorder: recorder)
    }

    // MARK: - Starting

    /// Tells the client that it is in, and starts the session's own clocks.
    func begin(greeting: ByteBuffer) {
        output.tellClient(greeting, because: "greeting")
        schedule()
        let limits = gateway.configuration.limits
        if let lifetime = limits.sessionLifetime { after(lifetime) { $0.end(.lifetime) } }
        if let idle = limits.idleTimeout { watchIdle(idle) }
    }

    private func watchIdle(_ timeout: Duration) {
        after(timeout) { session in
            let silence = NIODeadline.now() - session.lastActivity
            if silence >= TimeAmount(timeout), session.machine.pending.isEmpty {
                session.end(.idle)
            } else {
                session.watchIdle(timeout)
            }
        }
    }

    private func after(_ delay: Duration, _ body: @escaping (RelaySession) -> Void) {
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [weak self] in
            guard let self, !self.isEnding else { return }
            body(self)
        }
    }

    // MARK: - Reading

    /// Whether more may be read from the client: the server takes what it is sent, and nothing is waited for.
    var mayReadClient: Bool {
        !clientWaits && !isEnding && (server?.isWritable ?? false) && output.heldBytes <= heldLimit
    }

    var mayReadServer: Bool {
        !serverWaits && !isEnding && (client?.isWritable ?? false) && output.heldBytes <= heldLimit
    }

    private var heldLimit: Int { machine.limits.heldBytes }

    func receiveFromClient(_ bytes: ByteBuffer) {
        guard !isEnding else { return }
        append(bytes, to: &clientInput)
        lastActivity = .now()
        output.recorder.tick()
        if let refusal = judge.follow() {
            end(.refused(refusal.reason))
            return
        }
        pumpClient()
    }

    func receiveFromServer(_ bytes: ByteBuffer) {
        guard !isEnding else { return }
        append(bytes, to: &serverInput)
        lastActivity = .now()
        output.recorder.tick()
        pumpServer()
    }

    private func append(_ bytes: ByteBuffer, to buffer: inout ByteBuffer) {
        if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeImmutableBuffer(bytes) }
    }

    private func pumpClient() {
        guard !clientWaits, !isEnding, clientInput.readableBytes > 0 else { return }
        var sink = output
        do throws(ProtocolViolation) {
            switch try machine.receiveFromClient(&clientInput, sink: &sink) {
            case .needsBytes, .needsServer: break
            case .needsAnalysis(let text): analyse(text)
            case .needsCatalog: refreshCatalog { $0.clientWaits = $1 }
            case .terminated: end(.terminated)
            }
        } catch {
            end(.violation(error, byClient: true))
        }
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
        if machine.isQuiet, wasOpen || !machine.pending.isSkipping { judge.transactionEnded() }
        endIfDrained()
        schedule()
        // What the client says next may have waited for this answer.
        pumpClient()
    }

    private func analyse(_ text: ByteBuffer) {
        clientWaits = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        analysisThreads.submit(Array(text.readableBytesView), statementBytes: machine.limits.statementBytes) { analysis in
            loop.execute {
                let session = bound.value
                session.clientWaits = false
                session.machine.finishedAnalysis = analysis
                text.withUnsafeReadableBytes { session.machine.analyzer.remember(analysis, for: $0) }
                session.pumpClient()
                session.resumeReads()
            }
        }
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
        if mayReadClient { client?.read() }
        if mayReadServer { server?.read() }
    }

    // MARK: - Committing

    var isRecorded: Bool { output.recorder.isRecorded }

    private func schedule() {
        guard output.isDirty, !isScheduled else { return }
        isScheduled = true
        loopRecorder.schedule(self)
    }

    func commitBegins() {
        isScheduled = false
        output.commitBegins()
    }

    func commitEnded() {
        output.commitEnded(client: client, server: server)
        if let closing {
            self.closing = nil
            closing()
            return
        }
        resumeReads()
    }

    func recordingFailed(_ error: any Error) {
        gateway.logger.error("recording failed; session stopped", metadata: ["session": "\(permitted.session)", "error": "\(error)"])
        output.drop()
        guard client != nil || server != nil else { return }
        isEnding = true
        var message = ByteBuffer()
        ErrorFields(
            severity: "FATAL", code: .diskFull, message: "Gatehouse cannot record this session, so it is stopped",
            hint: "Ask whoever runs this gateway to look at its disk."
        ).write(to: &message)
        finish(code: "recorder-failed", text: "\(error)", outcome: .failed, tell: message)
    }

    // MARK: - Ending

    enum Ending {
        case terminated
        case clientGone
        case serverGone
        case idle
        case lifetime
        case refused(String)
        case killed(String)
        case violation(ProtocolViolation, byClient: Bool)
    }

    /// Records why, then tells the client and closes both sides.
    func end(_ ending: Ending) {
        guard !isEnding else { return }
        isEnding = true
        let (code, text, fields, outcome) = describe(ending)
        if outcome == .failed { output.recorder.record(.error, note: SessionNote(code: code, message: text)) }
        if let fields {
            var message = ByteBuffer()
            fields.write(to: &message)
            output.tellClient(message, because: code)
        }
        recordEnd(code, text)
        // The client's own goodbye has passed.
        let hasSaidGoodbye = if case .terminated = ending { true } else { false }
        closing = { [self] in
            if !hasSaidGoodbye, server?.isActive == true {
                var goodbye = ByteBuffer()
                writeMessage(Frontend.terminate, to: &goodbye) { _ in }
                server?.writeAndFlush(goodbye, promise: nil)
            }
            finish(code: code, text: text, outcome: outcome, tell: nil)
        }
        output.markDirty()
        schedule()
    }

    private func recordEnd(_ code: String, _ text: String) {
        let counters = machine.counters
        output.recorder.recordEnd(
            reason: code, message: text, counters: ["statements": counters.statements, "denied": counters.denied, "rows": counters.rows])
    }

    private func finish(code: String, text: String, outcome: SessionTotals.Outcome, tell: ByteBuffer?) {
        if let tell { client?.writeAndFlush(tell, promise: nil) }
        client?.close(promise: nil)
        server?.close(promise: nil)
        client = nil
        server = nil
        let accounting = output.recorder.accounting
        onEnd(
            SessionTotals(
                ended: gateway.clock.wallTime(), outcome: outcome, reason: text.isEmpty ? code : "\(code): \(text)",
                statements: machine.counters.statements, denied: machine.counters.denied, rows: machine.counters.rows,
                bytesIn: accounting.client.seen, bytesOut: accounting.server.seen))
    }

    private func describe(_ ending: Ending) -> (String, String, ErrorFields?, SessionTotals.Outcome) {
        switch ending {
        case .terminated: ("client-closed", "", nil, .ended)
        case .clientGone: ("client-lost", "", nil, .ended)
        case .serverGone:
            (
                "server-closed", "the target closed the connection",
                ErrorFields(severity: "FATAL", code: .connectionFailure, message: "the target closed the connection"), .ended
            )
        case .idle:
            ("idle-timeout", "", ErrorFields(severity: "FATAL", code: .adminShutdown, message: "Gatehouse ended this idle session"), .ended)
        case .lifetime:
            (
                "lifetime", "",
                ErrorFields(
                    severity: "FATAL", code: .adminShutdown, message: "this session reached its longest life", hint: "Connect again."),
                .ended
            )
        case .refused(let reason):
            ("refused", reason, ErrorFields(severity: "FATAL", code: .invalidAuthorization, message: reason), .ended)
        case .killed(let reason): ("killed", reason, ErrorFields(severity: "FATAL", code: .adminShutdown, message: reason), .ended)
        case .violation(let violation, let byClient):
            (
                byClient ? "protocol-violation" : "server-protocol-violation", violation.reason,
                ErrorFields(severity: "FATAL", code: violation.code, message: violation.reason), .failed
            )
        }
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

    /// A client asked to cancel what runs.
    func noteCancel() {
        guard !isEnding else { return }
        output.recorder.tick()
        output.recorder.record(.cancel, note: SessionNote(code: "cancel-request", message: ""))
        output.markDirty()
        schedule()
    }
}

/// The session as the registry sees it.
final class RelaySessionHandle: LiveSession {
    let id: SessionID
    let principal: Principal
    let targetName: String
    private let session: NIOLoopBound<RelaySession>
    private let eventLoop: any EventLoop

    init(_ session: RelaySession, eventLoop: any EventLoop) {
        id = session.permitted.session
        principal = session.permitted.identified.principal
        targetName = session.permitted.target.name
        self.session = NIOLoopBound(session, eventLoop: eventLoop)
        self.eventLoop = eventLoop
    }

    func end(reason: String) {
        eventLoop.execute { self.session.value.end(.killed(reason)) }
    }

    func drain(reason: String) {
        eventLoop.execute { self.session.value.drain(reason) }
    }
}

/// One side of a session: hands bytes over, and reads only when the other side can take them.
final class RelayHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    enum Side { case client, server }

    private let session: RelaySession
    private let side: Side
    private var wantsRead = false

    init(session: RelaySession, side: Side) {
        self.session = session
        self.side = side
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch side {
        case .client: session.receiveFromClient(bytes)
        case .server: session.receiveFromServer(bytes)
        }
    }

    func read(context: ChannelHandlerContext) {
        let mayRead = side == .client ? session.mayReadClient : session.mayReadServer
        wantsRead = !mayRead
        if mayRead { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        session.resumeReads()
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        session.end(side == .client ? .clientGone : .serverGone)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
