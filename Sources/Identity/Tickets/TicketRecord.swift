public import GatehouseCore

/// A ticket as it is kept: everything but its text.
public struct TicketRecord: Sendable, Hashable, Codable {
    public enum State: String, Sendable, Hashable, Codable, CaseIterable {
        case usable, expired, revoked
    }

    /// Names the ticket in lists, logs and on sessions; says nothing of its text.
    public var id: String
    /// SHA-256 of the text.
    public var hash: [UInt8]
    /// Who minted it, as the issuer vouched then: a session by ticket has these groups and claims.
    public var owner: Principal
    /// The one target that it opens; nil: any.
    public var target: String?
    /// What its owner calls it.
    public var label: String
    public var created: WallTime
    public var expires: WallTime
    public var revoked: WallTime?
    public var lastUsed: WallTime?

    public init(
        id: String, hash: [UInt8], owner: Principal, target: String?, label: String, created: WallTime, expires: WallTime,
        revoked: WallTime? = nil, lastUsed: WallTime? = nil
    ) {
        self.id = id
        self.hash = hash
        self.owner = owner
        self.target = target
        self.label = label
        self.created = created
        self.expires = expires
        self.revoked = revoked
        self.lastUsed = lastUsed
    }

    public func state(at now: WallTime) -> State {
        if revoked != nil { return .revoked }
        return now < expires ? .usable : .expired
    }
}

/// Whose tickets are meant: a person or workload of one issuer.
public struct TicketOwner: Sendable, Hashable {
    public var issuer: String
    public var subject: String

    public init(issuer: String, subject: String) {
        self.issuer = issuer
        self.subject = subject
    }

    public init(_ principal: Principal) {
        self.init(issuer: principal.issuer, subject: principal.subject)
    }
}

/// Where tickets are kept. A conformance suite (`TicketStoreConformance` in the tests) says what every store must do.
public protocol TicketStore: Sendable {
    /// Keeps a new ticket; returns once it is on disk. Throws when its id or hash is there already.
    func insert(_ ticket: TicketRecord) async throws
    func ticket(withHash hash: [UInt8]) async throws -> TicketRecord?
    func ticket(id: String) async throws -> TicketRecord?
    /// Newest first, at most `limit`, those before the ticket `before` (an id) when given; all owners' when `owner` is nil.
    func tickets(of owner: TicketOwner?, before: String?, limit: Int) async throws -> [TicketRecord]
    /// How many tickets of `owner` are usable at `now`.
    func usableTickets(of owner: TicketOwner, at now: WallTime) async throws -> Int
    /// Marks it revoked, once: a second time changes nothing. Returns it as it is then, nil when there is none.
    func revokeTicket(id: String, at now: WallTime) async throws -> TicketRecord?
    /// Notes a use; may be written late.
    func ticketUsed(id: String, at now: WallTime) async throws
}
