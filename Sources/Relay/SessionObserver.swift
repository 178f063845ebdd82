public import GatehouseCore

/// What is known of a session when it starts, for the index.
public struct SessionSummary: Sendable {
    public var id: SessionID
    public var started: WallTime
    public var protocolName: Target.ProtocolName
    public var target: String
    public var role: String
    public var principal: Principal
    public var address: String
    public var application: String

    public init(
        id: SessionID, started: WallTime, protocolName: Target.ProtocolName, target: String, role: String, principal: Principal,
        address: String, application: String
    ) {
        self.id = id
        self.started = started
        self.protocolName = protocolName
        self.target = target
        self.role = role
        self.principal = principal
        self.address = address
        self.application = application
    }
}

/// What a session did, when it has ended.
public struct SessionTotals: Sendable {
    public enum Outcome: String, Sendable { case ended, failed }

    public var ended: WallTime
    public var outcome: Outcome
    public var reason: String
    public var statements: UInt64
    public var denied: UInt64
    public var rows: UInt64
    /// From the client, and to the client.
    public var bytesIn: UInt64
    public var bytesOut: UInt64

    public init(
        ended: WallTime, outcome: Outcome, reason: String, statements: UInt64, denied: UInt64, rows: UInt64, bytesIn: UInt64,
        bytesOut: UInt64
    ) {
        self.ended = ended
        self.outcome = outcome
        self.reason = reason
        self.statements = statements
        self.denied = denied
        self.rows = rows
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
    }
}

/// Something that happened outside of any recorded session, and must be remembered: a failed login, a refusal.
public struct AuditEvent: Sendable {
    public var time: WallTime
    /// A dotted word: `login.failed`, `access.refused`, `handshake.violation`.
    public var kind: String
    public var address: String
    public var detail: [String: String]

    public init(time: WallTime, kind: String, address: String, detail: [String: String]) {
        self.time = time
        self.kind = kind
        self.address = address
        self.detail = detail
    }
}

/// What policy said of one action of a session, where that is more than a plain yes.
public struct VerdictReport: Sendable {
    public var session: SessionID
    public var time: WallTime
    public var protocolName: Target.ProtocolName
    public var target: String
    public var role: String
    public var principal: Principal
    public var address: String
    public var verdict: Verdict
    /// What each of its statements does; `normalized` holds no literals.
    public var actions: [Action]
    public var policyVersion: String

    public init(_ permitted: Permitted, at time: WallTime, verdict: Verdict, actions: [Action], policyVersion: String) {
        session = permitted.session
        self.time = time
        protocolName = permitted.target.protocolName
        target = permitted.target.name
        role = permitted.permit.role.name
        principal = permitted.permit.principal
        address = permitted.identified.accepted.address
        self.verdict = verdict
        self.actions = actions
        self.policyVersion = policyVersion
    }
}

/// The index and the audit log, as the relay sees them. Calls return at once; the work is done elsewhere.
public protocol SessionObserver: Sendable {
    func sessionStarted(_ summary: SessionSummary)
    func sessionEnded(_ id: SessionID, _ totals: SessionTotals)
    func audit(_ event: AuditEvent)
    /// Called for verdicts other than a plain yes, on the session's event loop.
    func verdict(_ report: VerdictReport)
}

extension SessionObserver {
    public func verdict(_ report: VerdictReport) {}
}

/// Several observers as one.
public struct SessionObservers: SessionObserver {
    private let all: [any SessionObserver]

    public init(_ all: [any SessionObserver]) {
        self.all = all
    }

    public func sessionStarted(_ summary: SessionSummary) {
        for observer in all { observer.sessionStarted(summary) }
    }

    public func sessionEnded(_ id: SessionID, _ totals: SessionTotals) {
        for observer in all { observer.sessionEnded(id, totals) }
    }

    public func audit(_ event: AuditEvent) {
        for observer in all { observer.audit(event) }
    }

    public func verdict(_ report: VerdictReport) {
        for observer in all { observer.verdict(report) }
    }
}
