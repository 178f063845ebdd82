public import GatehouseCore

/// Mints tickets and accepts them.
public struct TicketOffice: Authenticator {
    public struct Bounds: Sendable, Hashable {
        /// Longest life. A working day: what should last longer is a workload with its own OIDC tokens.
        public var lifetime: Duration = .seconds(12 * 3600)
        public var defaultLifetime: Duration = .seconds(3600)
        /// Usable tickets that one owner may have, so that a stolen token cannot fill the store.
        public var perOwner = 100
        public var labelBytes = 128

        public init() {}
    }

    /// Why no ticket was minted.
    public enum MintFailure: Error, Sendable, Hashable, CustomStringConvertible {
        /// A ticket does not beget tickets: its life would have no end.
        case needsToken
        case lifetime(Duration)
        case label
        case target
        case tooMany(Int)

        public var description: String {
            switch self {
            case .needsToken: "a ticket is minted with an OIDC token, not with another ticket; sign in again"
            case .lifetime(let longest): "a ticket lives between 1 s and \(longest.components.seconds) s"
            case .label: "the label is too long or holds control characters"
            case .target: "the target's name is empty or longer than 128 bytes"
            case .tooMany(let limit): "you have \(limit) usable tickets already; revoke some"
            }
        }
    }

    private let store: any TicketStore
    private let clock: any GatewayClock
    public let bounds: Bounds

    public init(store: any TicketStore, clock: any GatewayClock = SystemClock(), bounds: Bounds = Bounds()) {
        self.store = store
        self.clock = clock
        self.bounds = bounds
    }

    /// Makes a ticket for `owner`. Its text is returned this once and kept nowhere.
    ///
    /// - Throws: `MintFailure`, or what the store throws.
    public func mint(
        for owner: Principal, target: String?, lifetime: Duration? = nil, label: String = ""
    ) async throws -> (text: Secret, record: TicketRecord) {
        guard case .token = owner.credential else { throw MintFailure.needsToken }
        let lifetime = lifetime ?? bounds.defaultLifetime
        guard lifetime >= .seconds(1), lifetime <= bounds.lifetime else { throw MintFailure.lifetime(bounds.lifetime) }
        guard label.utf8.count <= bounds.labelBytes, label.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw MintFailure.label
        }
        if let target, target.isEmpty || target.utf8.count > 128 { throw MintFailure.target }
        let now = clock.wallTime()
        guard try await store.usableTickets(of: TicketOwner(owner), at: now) < bounds.perOwner else {
            throw MintFailure.tooMany(bounds.perOwner)
        }
        let text = TicketText.random()
        let record = TicketRecord(
            id: SessionID(at: now).description, hash: text.hash, owner: owner, target: target, label: label, created: now,
            expires: now.advanced(by: lifetime))
        try await store.insert(record)
        return (text.secret, record)
    }

    public func authenticate(
        _ secret: Secret, from address: String, asking login: String
    ) async throws(AuthenticationFailure) -> Principal {
        guard let text = TicketText(secret) else {
            throw AuthenticationFailure(
                .ticketUnknown, client: "This is not a whole ticket; copy all \(TicketText.length) characters of it.",
                audit: "the ticket's form or check characters are wrong")
        }
        let found: TicketRecord?
        do {
            found = try await store.ticket(withHash: text.hash)
        } catch {
            throw AuthenticationFailure(
                .unavailable, client: "Tickets cannot be checked now. Try again in a minute.", audit: "the ticket store: \(error)")
        }
        // The index found it by its hash; compared again in constant time so that nothing rests on how an index compares.
        guard let record = found, constantTimeEquals(record.hash, text.hash) else {
            throw AuthenticationFailure(
                .ticketUnknown, client: "This ticket is not known here. Mint one with `gatehouse login`.", audit: "no such ticket")
        }
        let now = clock.wallTime()
        try check(record, login: login, now: now)
        do {
            try await store.ticketUsed(id: record.id, at: now)
        } catch {
            throw AuthenticationFailure(
                .unavailable, client: "Tickets cannot be checked now. Try again in a minute.", audit: "the ticket store: \(error)")
        }
        var principal = record.owner
        principal.credential = .ticket(id: record.id)
        principal.expires = record.expires
        return principal
    }

    private func check(_ record: TicketRecord, login: String, now: WallTime) throws(AuthenticationFailure) {
        let whose = "ticket \(record.id) of \(quoted(record.owner.user))"
        switch record.state(at: now) {
        case .revoked:
            throw AuthenticationFailure(.ticketRevoked, client: "This ticket was revoked. Mint another one.", audit: whose)
        case .expired:
            throw AuthenticationFailure(
                .ticketExpired, client: "This ticket has expired. Mint another one with `gatehouse login`.", audit: whose)
        case .usable:
            break
        }
        guard let target = record.target else { return }
        guard LoginName(login)?.target == target else {
            throw AuthenticationFailure(
                .ticketWrongTarget, client: "This ticket opens the target \(target) only.", audit: "\(whose), for \(quoted(target))")
        }
    }
}
