public import GatehouseCore

/// One thing that happened to Gatehouse itself: a failed login, an administrative act, a refusal. Sessions have their own
/// recordings.
public struct AuditEntry: Sendable, Hashable, Codable {
    /// What happened, in dotted words from general to particular.
    public struct Kind: RawRepresentable, Sendable, Hashable, Codable, ExpressibleByStringLiteral {
        public var rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }
        public init(stringLiteral value: String) { rawValue = value }

        public static let authenticationFailed: Kind = "authentication.failed"
        public static let accessRefused: Kind = "access.refused"
        public static let ticketCreated: Kind = "ticket.created"
        public static let ticketRevoked: Kind = "ticket.revoked"
        public static let sessionKilled: Kind = "session.killed"
        public static let sessionsKilled: Kind = "session.killed.many"
        public static let approvalRead: Kind = "approval.read"
        public static let sessionRead: Kind = "session.read"
        public static let sessionVerified: Kind = "session.verified"
        /// Somebody was let open what masks took out of a recording.
        public static let originalsOpened: Kind = "originals.opened"
        public static let holdPlaced: Kind = "legal-hold.placed"
        public static let holdLifted: Kind = "legal-hold.lifted"
        public static let retentionRun: Kind = "retention.run"
        public static let recordingDeleted: Kind = "recording.deleted"
        public static let administrationRefused: Kind = "administration.refused"
        public static let configurationReloaded: Kind = "configuration.reloaded"
        public static let gatewayStarted: Kind = "gateway.started"
        public static let gatewayStopped: Kind = "gateway.stopped"
    }

    /// Given by the log, ascending; 0 before.
    public var id: Int64
    public var time: WallTime
    /// Who did it: the user name as the issuer vouched for it, or empty where nobody could be told.
    public var actor: String
    /// Issuer and subject of the actor; empty where nobody could be told.
    public var issuer: String
    public var subject: String
    /// IP address, without the port; empty when it did not come over the network.
    public var address: String
    public var kind: Kind
    /// The particulars. No secrets.
    public var detail: [String: String]

    public init(time: WallTime, principal: Principal?, address: String = "", kind: Kind, detail: [String: String] = [:]) {
        id = 0
        self.time = time
        actor = principal?.user ?? ""
        issuer = principal?.issuer ?? ""
        subject = principal?.subject ?? ""
        self.address = address
        self.kind = kind
        self.detail = detail
    }
}

/// Which entries are wanted; what is nil does not matter.
public struct AuditFilter: Sendable, Hashable {
    /// This kind and everything below it (`ticket` is `ticket.created` and `ticket.revoked`).
    public var kind: String?
    public var actor: String?
    /// At or after.
    public var since: WallTime?

    public init(kind: String? = nil, actor: String? = nil, since: WallTime? = nil) {
        self.kind = kind
        self.actor = actor
        self.since = since
    }
}

/// An append-only log. A conformance suite (`AuditLogConformance` in the tests) says what every log must do.
public protocol AuditLog: Sendable {
    /// Returns once the entry is on disk.
    func append(_ entry: AuditEntry) async throws
    /// Returns at once; the entry is written soon, together with others, and reads see it. For failed logins, which come from
    /// event loops and in floods.
    ///
    /// - Throws: `CatalogFailure.backlog` when too much waits already.
    func note(_ entry: AuditEntry) throws(CatalogFailure)
    /// Newest first, at most `limit` (capped at 1,000), those with a smaller id than `before` when given.
    func entries(_ filter: AuditFilter, before: Int64?, limit: Int) async throws -> [AuditEntry]
}
