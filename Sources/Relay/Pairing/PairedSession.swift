public import GatehouseCore
import Logging
public import NIOCore
public import Policy
import Recording

/// One client and one server, joined: what a session of any protocol does that relays between two channels. It owns both, reads only
/// what can be passed on, sends only what is committed, waits for approvals, and ends in order. Confined to the event loop that both
/// channels share.
///
/// A protocol makes a subclass of it, which decodes and decides (`pumpClient`, `pumpServer`) and knows the words.
open class PairedSession: CommitWaiter {
    public let permitted: Permitted
    public let gateway: Gateway
    public let durability: Target.Durability
    public let eventLoop: any EventLoop
    public let output: StagedOutput
    private let loopRecorder: LoopRecorder
    private var client: PairHandler?
    private var server: PairHandler?
    /// What each side sent and the protocol has not yet taken.
    public var clientInput = ByteBuffer()
    public var serverInput = ByteBuffer()
    /// Nothing more is taken from that side for now: something is asked elsewhere that decides on what it sent.
    public var clientWaits = false
    public var serverWaits = false
    /// What the client sent next cannot be dealt with before the server has answered.
    public var clientIsBlocked = false
    public private(set) var isEnding = false
    /// What waits for a person.
    public internal(set) var hold: ActiveHold?
    private var drainReason: String?
    /// When something last came from either side; only where the session may be ended for being idle.
    private var lastActivity: NIODeadline?
    private let timers = Timers()
    private let onEnd: (SessionTotals) -> Void
    private(set) var isScheduled = false
    /// Called once nothing more will be sent: after the commit that holds the last record.
    private var closing: (after: UInt64, run: () -> Void)?
    private var commitsBegun: UInt64 = 0
    private var commitsEnded: UInt64 = 0
    private var hasFinished = false
    /// A cancel request that waits for its record to be committed, and whether one is on its way.
    var wantedCancel: (() -> EventLoopFuture<Void>)?
    var cancelIsUnderWay = false
    /// Has the target cancel what it does for this session; nil where it cannot be told.
    public var cancelUpstream: (() -> EventLoopFuture<Void>)?

    public init(
        permitted: Permitted, gateway: Gateway, eventLoop: any EventLoop, loopRecorder: LoopRecorder, output: StagedOutput,
        onEnd: @escaping (SessionTotals) -> Void
    ) {
        self.permitted = permitted
        self.gateway = gateway
        self.eventLoop = eventLoop
        self.loopRecorder = loopRecorder
        self.output = output
        self.onEnd = onEnd
        durability = permitted.target.durability
    }

    /// What the session's timers hold, instead of a weak reference: that would make each retain of the session a slow one.
    private final class Timers {
        var session: PairedSession?
    }

    // MARK: - What the protocol says

    /// How the conversation stands.
    public struct State {
        /// Nothing is on its way in either direction, and no transaction is open.
        public var isQuiet = true
        /// Requests that the server has not answered.
        public var pending = 0
        /// A message of the server's has gone on in part: anything else would be taken for the rest of it.
        public var isAmidMessage = false
        public var statements: UInt64 = 0
        public var denied: UInt64 = 0
        public var rows: UInt64 = 0

        public init() {}
    }

    open var state: State { State() }

    /// The most bytes that may wait.
    open var heldLimit: Int { gateway.configuration.limits.heldBytes }

    /// Takes what it can off `clientInput`.
    open func pumpClient() {}

    /// Takes what it can off `serverInput`.
    open func pumpServer() {}

    /// Takes a new configuration over; the refusal, when the session may not go on under it.
    open func follow() -> Refusal? { nil }

    /// The message by which the client learns why the session ends; nil: none.
    open func farewell(_ ending: SessionEnding) -> ByteBuffer? { nil }

    /// The same where nothing can be recorded any more.
    open func recorderFailure() -> ByteBuffer { ByteBuffer() }

    /// What a client would say to the server at the end.
    open var goodbye: ByteBuffer? { nil }

    /// The client waits for an approval. Called at once, and every half minute.
    open func tellOfWaiting(_ words: WaitingWords) {}

    /// Somebody approved what waited, and it goes on next.
    open func granted(_ approval: Approval) {}

    /// The session ends: what was held back for a decision is dropped.
    open func dropWithheld() {}

    // MARK: - Starting

    /// Takes its place in both channels, whose loop must be the session's.
    public func attach(client: PairHandler, server: PairHandler) {
        self.client = client
        self.server = server
    }

    /// Tells the client that it is in, and starts the session's own clocks.
    public func begin(greeting: ByteBuffer) {
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
            if silence >= TimeAmount(timeout), session.state.pending == 0, session.hold == nil {
                session.end(.idle)
            } else {
                session.watchIdle(timeout)
            }
        }
    }

    /// Calls `body` later, unless the session has ended by then.
    @discardableResult
    public func after(_ delay: Duration, _ body: @escaping (PairedSession) -> Void) -> Scheduled<Void> {
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

    func receiveFromClient(_ bytes: ByteBuffer) {
        guard !isEnding else { return }
        append(bytes, to: &clientInput)
        if lastActivity != nil { lastActivity = .now() }
        output.recorder.tick()
        recheck()
        pumpClient()
    }

    /// Ends the session if a new configuration has no place for it.
    public func recheck() {
        guard !isEnding, let refusal = follow() else { return }
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

    /// Lets both sides read again where they may.
    public func resumeReads() {
        client?.resumeRead()
        server?.resumeRead()
    }

    // MARK: - Committing

    /// Has what was recorded committed, and then what was staged sent.
    public func schedule() {
        guard output.isDirty, !isScheduled else { return }
        isScheduled = true
        loopRecorder.schedule(self)
    }

    public var isRecorded: Bool { output.recorder.isRecorded }

    public func commitBegins() {
        isScheduled = false
        commitsBegun &+= 1
        output.commitBegins()
    }

    public func commitEnded() {
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

    public func recordingFailed(_ error: any Error) {
        gateway.logger.error("recording failed; session stopped", metadata: ["session": "\(permitted.session)", "error": "\(error)"])
        output.drop()
        withdrawHold()
        closing = nil
        wantedCancel = nil
        isEnding = true
        cancelWhatRuns {}
        finish(code: "recorder-failed", text: "\(error)", outcome: .failed, tell: recorderFailure())
    }

    // MARK: - Ending

    /// Records why, then tells the client and closes both sides.
    public func end(_ ending: SessionEnding) {
        guard !isEnding else { return }
        isEnding = true
        withdrawHold()
        let (code, text, outcome) = ending.record
        if outcome == .failed { output.recorder.record(.error, note: SessionNote(code: code, message: text)) }
        // Amid a long row the client would take an error for data.
        let state = state
        if !state.isAmidMessage, let message = farewell(ending) { output.tellClient(message, because: code) }
        output.recorder.recordEnd(
            reason: code, message: text, counters: ["statements": state.statements, "denied": state.denied, "rows": state.rows])
        // Of the commits to come, the next one holds all this.
        closing = (
            commitsBegun &+ 1,
            { [self] in
                if !ending.wasSaid, let goodbye { server?.send(Outgoing(goodbye)) }
                let finish = { self.finish(code: code, text: text, outcome: outcome, tell: nil) }
                if ending.stopsWhatRuns { cancelWhatRuns(then: finish) } else { finish() }
            }
        )
        output.markDirty()
        schedule()
        client?.resumeRead()
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
        let state = state
        onEnd(
            SessionTotals(
                ended: gateway.clock.wallTime(), outcome: outcome, reason: text.isEmpty ? code : "\(code): \(text)",
                statements: state.statements, denied: state.denied, rows: state.rows, bytesIn: accounting.client.seen,
                bytesOut: accounting.server.seen))
    }

    /// Ends the session at its next quiet moment.
    func drain(_ reason: String) {
        drainReason = reason
        endIfDrained()
    }

    /// To be called when the server has answered.
    public func endIfDrained() {
        guard let drainReason, state.isQuiet, clientInput.readableBytes == 0 else { return }
        end(.killed(drainReason))
    }
}
