public import GatehouseCore
public import NIOCore
public import Recording

/// Writes one session's records, and counts what it saw. Confined to the session's event loop.
public final class SessionRecorder {
    public var session: SessionID { stream.session }
    private let stream: SessionStream
    private let clock: any GatewayClock
    private let started: UInt64
    private var hasEnded = false
    private var approvals: [String] = []
    private var hasNotedLostOriginals = false
    /// The time that the next records carry: taken once a read, not once a record.
    private var now: WallTime
    public private(set) var accounting = Accounting()

    /// Begins a session in `journal`.
    /// - Throws: when it cannot be recorded; the session must not go on then.
    public init(
        session: SessionID, journal: Journal, clock: any GatewayClock, start: (_ monotonicNanoseconds: UInt64) -> SessionStart,
        identity: SessionIdentity
    ) throws {
        self.clock = clock
        started = clock.monotonicNanoseconds()
        now = clock.wallTime()
        stream = try journal.begin(session, start: start(started), identity: identity, time: now)
    }

    /// Whether what is recorded now gets into the journal: false once that has failed.
    public var isRecorded: Bool { stream.isRecorded }

    /// Looks at the clock. Call when something arrives.
    public func tick() {
        now = clock.wallTime()
    }

    public func record(upstream: UpstreamConnection) throws {
        try stream.append(.upstream, time: now, json: upstream)
    }

    public func record(approval: ApprovalRecord) {
        let isNew = approval.event == .granted && approvals.count < 1_000 && !approvals.contains(approval.approval)
        if isNew { approvals.append(approval.approval) }
        try? stream.append(.approval, time: now, json: approval)
    }

    /// `kind` is `notice`, `cancel` or `error`.
    public func record(_ kind: RecordKind, note: SessionNote) {
        try? stream.append(kind, time: now, json: note)
    }

    public func recordClient(_ bytes: ByteBuffer) {
        accounting.client.seen &+= UInt64(bytes.readableBytes)
        accounting.client.verbatim &+= UInt64(bytes.readableBytes)
        stream.append(.clientMessages, time: now, payload: bytes)
    }

    /// `original` came from the client, and goes on or not; the recording holds `bytes` instead.
    ///
    /// - Parameters:
    ///   - values: how many of its values are not in `bytes`.
    ///   - isWithheld: not even the form of it is there.
    public func recordClient(
        _ bytes: ByteBuffer, insteadOf original: ByteBuffer, values: Int, isWithheld: Bool, because reason: String
    ) {
        let seen = UInt64(original.readableBytes)
        accounting.client.seen &+= seen
        if isWithheld { accounting.client.withheldSecrets &+= seen } else { accounting.client.replacedByMasks &+= seen }
        stream.append(
            isWithheld ? .withheld : .masked, time: now,
            substitution: Substitution(
                direction: .client, items: UInt64(clamping: values), seenBytes: seen, recordedBytes: UInt64(bytes.readableBytes),
                note: reason))
        if bytes.readableBytes > 0 { stream.append(.clientMessages, time: now, payload: bytes) }
    }

    public func recordServer(_ bytes: ByteBuffer) {
        accounting.server.seen &+= UInt64(bytes.readableBytes)
        accounting.server.verbatim &+= UInt64(bytes.readableBytes)
        stream.append(.serverMessages, time: now, payload: bytes)
    }

    /// `original` bytes came from the server; masks made `bytes` of them, for the client, for the recording, or for both: `reason` says which.
    public func recordServer(_ bytes: ByteBuffer, insteadOf original: Int, because reason: String) {
        accounting.server.seen &+= UInt64(original)
        accounting.server.replacedByMasks &+= UInt64(original)
        stream.append(
            .masked, time: now,
            substitution: Substitution(
                direction: .server, items: 1, seenBytes: UInt64(original), recordedBytes: UInt64(bytes.readableBytes), note: reason))
        stream.append(.serverMessages, time: now, payload: bytes)
    }

    /// `bytes` came from one side, and the `recorded` bytes that are recorded next of it stand for them: seals them to the break-glass
    /// recipients. Where there were none when the session began, a note in the recording says so, once.
    public func recordOriginal(_ direction: Direction, _ bytes: ByteBuffer, recorded: Int) {
        guard stream.sealsOriginals else {
            guard !hasNotedLostOriginals else { return }
            hasNotedLostOriginals = true
            record(
                .notice,
                note: SessionNote(
                    code: "originals-not-kept",
                    message: "a mask asks for originals, and there was no break-glass recipient when the session began"))
            return
        }
        bytes.withUnsafeReadableBytes { stream.appendOriginal(direction, $0, recorded: recorded, time: now) }
    }

    /// Bytes of the gateway's own for the client, which no server sent.
    public func recordOwn(_ bytes: ByteBuffer, because reason: String) {
        recordServer(bytes, insteadOf: 0, because: reason)
    }

    /// Bytes that arrived from one side and are not kept.
    public func recordGap(_ direction: Direction, count: Int, because reason: String) {
        accounting[direction].seen &+= UInt64(count)
        accounting[direction].gaps &+= UInt64(count)
        stream.append(
            .gap, time: now,
            substitution: Substitution(direction: direction, items: 1, seenBytes: UInt64(count), recordedBytes: 0, note: reason))
    }

    public func recordInjected(_ bytes: ByteBuffer, because reason: String) {
        stream.appendInjected(bytes, reason: reason, time: now)
    }

    /// - Parameters:
    ///   - offset: where the judged request begins in the client's stream.
    ///   - ruling: `VerdictRecord.Ruling.encoded()`.
    public func recordVerdict(at offset: UInt64, ruling: [UInt8]) {
        stream.appendVerdict(action: offset, statement: 0, ruling: ruling, time: now)
    }

    /// The session's last record; what comes after it is ignored.
    public func recordEnd(reason: String, message: String, counters: [String: UInt64]) {
        guard !hasEnded else { return }
        hasEnded = true
        tick()
        let end = SessionEnd(
            reason: reason, message: message, accounting: accounting,
            durationNanoseconds: clock.monotonicNanoseconds() &- started, counters: counters,
            approvals: approvals.isEmpty ? nil : approvals)
        try? stream.append(end: end, time: now)
    }
}
