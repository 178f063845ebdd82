public import GatehouseCore

/// Which approvals are wanted; what is nil does not matter.
public struct ApprovalFilter: Sendable, Hashable {
    public var state: Approval.State?
    public var target: String?
    public var session: SessionID?
    /// Asked for by the person or workload with this issuer and subject.
    public var issuer: String?
    public var subject: String?

    public init(
        state: Approval.State? = nil, target: String? = nil, session: SessionID? = nil, issuer: String? = nil, subject: String? = nil
    ) {
        self.state = state
        self.target = target
        self.session = session
        self.issuer = issuer
        self.subject = subject
    }
}

/// Where approvals are kept. A conformance suite (`ApprovalStoreConformance` in the tests) says what every store must do.
public protocol ApprovalStore: Sendable {
    /// Returns once it is on disk.
    func insert(_ approval: Approval) async throws
    func approval(id: String) async throws -> Approval?
    /// Reads, changes and writes one approval, with nothing in between: of two changes at once the second sees what the first
    /// did. Returns once it is on disk. What `change` throws leaves all as it was.
    ///
    /// - Throws: `ApprovalRefusal.notFound`, and what `change` throws.
    func changeApproval(id: String, _ change: @escaping @Sendable (inout Approval) throws -> Void) async throws -> Approval
    /// The newest that an action with this digest could run under, or could wait for, at `now`: approved and usable, or pending.
    func openApproval(digest: String, at now: WallTime) async throws -> Approval?
    /// Newest first, at most `limit` (capped at 1,000), those created before the approval `before` when given.
    func approvals(_ filter: ApprovalFilter, before: String?, limit: Int) async throws -> [Approval]
    /// How many are pending, of one requester and in all.
    func pendingApprovals(ofIssuer issuer: String, subject: String, at now: WallTime) async throws -> (own: Int, all: Int)
    /// Forgets those that are not pending and whose time was over before `time`.
    func forgetApprovals(endedBefore time: WallTime) async throws
    /// Those still pending whose time is over at `now`, at most 1,000.
    func overdueApprovals(at now: WallTime) async throws -> [Approval]
}
