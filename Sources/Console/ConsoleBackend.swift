public import Catalog
public import GatehouseCore
public import Identity
public import Policy
public import Review

/// What the console asks of the rest of the gateway; the program fills it in, so that no protocol is known here.
public struct ConsoleBackend: Sendable {
    /// A recording's evidence, sealed as it is kept, as JSON texts without line ends, a piece a call, nil at the end. Pulled, so that a slow reader holds
    /// nothing in memory. An error ends the stream; its description is shown to the reader.
    public typealias EventLines = @Sendable () async throws -> [UInt8]?

    /// A target as a caller may see it.
    public struct TargetSummary: Sendable, Codable, Hashable {
        public var name: String
        /// `postgres`, ...
        public var `protocol`: String
        /// Those that this caller may take.
        public var roles: [String]
        public var labels: [String: String]
        /// The client line, ready to run.
        public var connect: String

        public init(name: String, protocol: String, roles: [String], labels: [String: String], connect: String) {
            self.name = name
            self.protocol = `protocol`
            self.roles = roles
            self.labels = labels
            self.connect = connect
        }
    }

    /// How a part of the gateway does.
    public enum Condition: Sendable, Hashable {
        case good
        /// Sessions are taken, and somebody should look: what is wrong.
        case degraded(String)
        /// No session can be taken: what is wrong.
        case failed(String)
    }

    /// Which live sessions are meant: those for which all holds that is given.
    public struct SessionChoice: Sendable, Hashable {
        public var user: String?
        /// With `subject`: a person or workload, whatever it is called.
        public var issuer: String?
        public var subject: String?
        /// The id of the ticket that opened it.
        public var ticket: String?
        public var target: String?

        public init(user: String? = nil, issuer: String? = nil, subject: String? = nil, ticket: String? = nil, target: String? = nil) {
            self.user = user
            self.issuer = issuer
            self.subject = subject
            self.ticket = ticket
            self.target = target
        }

        public func matches(_ principal: Principal, target name: String) -> Bool {
            (user == nil || user == principal.user) && (issuer == nil || issuer == principal.issuer)
                && (subject == nil || subject == principal.subject) && (target == nil || target == name)
                && (ticket.map { principal.credential == .ticket(id: $0) } ?? true)
        }
    }

    /// Something that must work for the gateway to take sessions.
    public struct ReadinessCheck: Sendable {
        public var name: String
        public var check: @Sendable () async -> Condition

        public init(name: String, check: @escaping @Sendable () async -> Condition) {
            self.name = name
            self.check = check
        }
    }

    public var node: String
    public var version: String
    public var clock: any GatewayClock
    public var authenticator: any Authenticator
    public var sessions: any SessionIndex
    public var audit: any AuditLog
    public var tickets: any TicketStore
    public var ticketOffice: TicketOffice
    public var retention: Retention
    public var approvals: ApprovalDesk
    public var readiness: [ReadinessCheck]
    /// Writes an administrative act into the node's log of evidence, before the act takes effect: what it throws prevents it.
    public var evidence: @Sendable (_ action: String, _ by: String, _ detail: [String: String]) throws -> Void
    /// The targets that a caller may use.
    public var targets: @Sendable (Principal) async -> [TargetSummary]
    /// The evidence of a session; with `follow` also what is to come, until it ends. Only its recipients can open it.
    public var events: @Sendable (_ session: SessionRecord, _ follow: Bool) async throws -> EventLines
    /// Checks a session's recording. Returns a JSON object.
    public var verify: @Sendable (SessionRecord) async throws -> [UInt8]
    /// Has the store take all that is recorded now, as far as it does.
    public var settle: @Sendable () -> Void
    /// Ends a live session, with words for its client. False when it does not live here.
    public var end: @Sendable (_ session: SessionID, _ reason: String) async -> Bool
    /// Ends the live sessions of this gateway that are chosen, with words for their clients. Which they were.
    public var endAll: @Sendable (_ choice: SessionChoice, _ reason: String) async -> [SessionID]
    /// A ticket was revoked: ends the sessions that it opened.
    public var ticketRevoked: @Sendable (_ id: String) async -> Void

    public init(
        node: String, version: String, clock: any GatewayClock = SystemClock(), authenticator: any Authenticator,
        sessions: any SessionIndex, audit: any AuditLog, tickets: any TicketStore, ticketOffice: TicketOffice,
        retention: Retention, approvals: ApprovalDesk, readiness: [ReadinessCheck] = [],
        evidence: @escaping @Sendable (String, String, [String: String]) throws -> Void,
        targets: @escaping @Sendable (Principal) async -> [TargetSummary],
        events: @escaping @Sendable (SessionRecord, Bool) async throws -> EventLines,
        verify: @escaping @Sendable (SessionRecord) async throws -> [UInt8],
        settle: @escaping @Sendable () -> Void, end: @escaping @Sendable (SessionID, String) async -> Bool,
        endAll: @escaping @Sendable (SessionChoice, String) async -> [SessionID],
        ticketRevoked: @escaping @Sendable (String) async -> Void
    ) {
        self.node = node
        self.version = version
        self.clock = clock
        self.authenticator = authenticator
        self.sessions = sessions
        self.audit = audit
        self.tickets = tickets
        self.ticketOffice = ticketOffice
        self.retention = retention
        self.approvals = approvals
        self.evidence = evidence
        self.readiness = readiness
        self.targets = targets
        self.events = events
        self.verify = verify
        self.settle = settle
        self.end = end
        self.endAll = endAll
        self.ticketRevoked = ticketRevoked
    }
}
