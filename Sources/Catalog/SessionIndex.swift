public import GatehouseCore
public import Identity

/// Which sessions are wanted; what is nil does not matter.
public struct SessionFilter: Sendable, Hashable {
    public var target: String?
    public var user: String?
    /// Sessions of this very person or workload.
    public var owner: TicketOwner?
    public var state: SessionRecord.State?
    public var node: String?
    /// Sessions that this ticket opened.
    public var ticket: String?
    /// Started at or after.
    public var since: WallTime?
    /// Started before.
    public var until: WallTime?

    public init(
        target: String? = nil, user: String? = nil, owner: TicketOwner? = nil, state: SessionRecord.State? = nil, node: String? = nil,
        ticket: String? = nil, since: WallTime? = nil, until: WallTime? = nil
    ) {
        self.target = target
        self.user = user
        self.owner = owner
        self.state = state
        self.node = node
        self.ticket = ticket
        self.since = since
        self.until = until
    }
}

/// The index of sessions, over all nodes that share it. A conformance suite (`SessionIndexConformance` in the tests) says what
/// every index must do.
public protocol SessionIndex: Sendable {
    /// Takes note of a session. Returns at once, from any thread; it is written soon, together with others. Reads see it.
    ///
    /// - Throws: `CatalogFailure.backlog` when so much waits to be written that no more may be accepted: the session must
    ///   then not start.
    func sessionStarted(_ session: SessionRecord) throws(CatalogFailure)
    /// The running totals of a live session. As `sessionStarted`, but never refused: totals come again.
    func sessionProgressed(_ id: SessionID, counts: SessionCounts)
    /// As `sessionStarted`, but never refused. A session ends once: what comes after is ignored.
    func sessionEnded(_ end: SessionEnd)
    /// The session's recording is gone. As `sessionStarted`, but never refused; ignored where the session is not known.
    func recordingDeleted(_ id: SessionID, at time: WallTime)
    /// Marks as interrupted what `node` left live when it stopped; for its next start. How many there were.
    func interruptSessions(ofNode node: String, at now: WallTime) async throws -> Int
    func session(_ id: SessionID) async throws -> SessionRecord?
    /// Newest first, at most `limit` (capped at 1,000), those that started before the session `before` when given.
    func sessions(_ filter: SessionFilter, before: SessionID?, limit: Int) async throws -> [SessionRecord]
    /// Returns once everything noted so far is on disk.
    func flush() async throws
    /// What keeps notes from being written; nil when nothing does. For readiness checks.
    var problem: String? { get }
}

/// Why the catalog could not do what was asked.
public enum CatalogFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// Too much waits to be written.
    case backlog(waiting: Int, because: String?)
    /// The file was written by a newer Gatehouse.
    case newerSchema(path: String)
    case closed

    public var description: String {
        switch self {
        case .backlog(let waiting, let reason):
            "the catalog has \(waiting) notes waiting to be written" + (reason.map { ": \($0)" } ?? "")
        case .newerSchema(let path):
            "\(path) was written by a newer version of Gatehouse; start that version, or restore a copy made before the update"
        case .closed: "the catalog is closed"
        }
    }
}
