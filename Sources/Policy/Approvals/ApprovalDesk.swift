public import GatehouseCore
import Synchronization

/// What somebody who approves must see, and the catalog does not keep: the exact text, and what it is given.
public struct HeldText: Sendable, Hashable, Codable {
    public var statement: String
    /// As text; nil is NULL. Values that are no text are shown in hexadecimal.
    public var parameters: [String?]

    public init(statement: String, parameters: [String?] = []) {
        self.statement = statement
        self.parameters = parameters
    }

    var bytes: Int { statement.utf8.count + parameters.reduce(0) { $0 + ($1?.utf8.count ?? 0) + 8 } }
}

/// Something that happened to an approval.
public struct ApprovalEvent: Sendable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case requested, explained
        /// Somebody approved, and more must.
        case seconded
        case approved, denied, expired, withdrawn, used
        /// The requester let it through himself: somebody should look, now.
        case brokeGlass = "broke_glass"
    }

    public var kind: Kind
    public var approval: Approval
    /// Who did it, where a person did.
    public var by: Principal?

    public init(kind: Kind, approval: Approval, by: Principal? = nil) {
        self.kind = kind
        self.approval = approval
        self.by = by
    }
}

/// Where held actions wait, and approvers decide. Methods may be called on any thread, and return at once or are async.
///
/// Everything that happens to an approval is one transaction of the store with its evidence written inside of it: what cannot
/// be recorded does not happen. Whoever waits is told after that.
public final class ApprovalDesk: Sendable {
    /// How a wait ended.
    public enum Outcome: Sendable {
        /// The action may go on, now and once; the use is taken.
        case granted(Approval)
        /// Denied, expired or withdrawn: `approval.state` says which.
        case refused(Approval)
        /// It could not be asked for. For the client.
        case failed(String)
    }

    public struct Limits: Sendable {
        public var pendingPerRequester: Int
        public var pending: Int
        /// Of one requester, within the last minute: each is written, told and kept.
        public var requestsPerMinute: Int
        /// Bytes of exact texts, kept for those who decide.
        public var textBytes: Int

        public init(pendingPerRequester: Int = 32, pending: Int = 4_096, requestsPerMinute: Int = 60, textBytes: Int = 64 << 20) {
            self.pendingPerRequester = pendingPerRequester
            self.pending = pending
            self.requestsPerMinute = requestsPerMinute
            self.textBytes = textBytes
        }
    }

    private struct State {
        var waits: [String: HoldWait] = [:]
        var texts: [String: HeldText] = [:]
        var textBytes = 0
        /// Requests of the last minute by requester, each with its time.
        var recent: [String: [WallTime]] = [:]
    }

    /// As many as a store gives at once.
    private static let page = 1_000

    private let store: any ApprovalStore
    private let clock: any GatewayClock
    private let limits: Limits
    private let record: @Sendable (ApprovalEvent) throws -> Void
    private let notify: @Sendable (ApprovalEvent) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - record: Writes the evidence of an event before it takes effect; what it throws prevents the event.
    ///   - notify: Tells others, after the fact.
    public init(
        store: any ApprovalStore, clock: any GatewayClock, limits: Limits = Limits(),
        record: @escaping @Sendable (ApprovalEvent) throws -> Void, notify: @escaping @Sendable (ApprovalEvent) -> Void = { _ in }
    ) {
        self.store = store
        self.clock = clock
        self.limits = limits
        self.record = record
        self.notify = notify
    }

    // MARK: - Waiting

    /// Asks for an approval, or finds the one that was given for this very action before.
    ///
    /// - Parameters:
    ///   - opened: Called once when people can decide: the client is told the id.
    ///   - ended: Called once, unless the wait is left before.
    public func open(
        _ request: ApprovalRequest, text: HeldText, reason: String, opened: @escaping @Sendable (Approval) -> Void,
        ended: @escaping @Sendable (Outcome) -> Void
    ) -> HoldWait {
        let wait = HoldWait(opened: opened, ended: ended)
        Task {
            do {
                try await self.open(request, text, reason, wait)
            } catch {
                wait.finish(.failed("the approval could not be asked for: \(error)"))
            }
        }
        return wait
    }

    private func open(_ request: ApprovalRequest, _ text: HeldText, _ reason: String, _ wait: HoldWait) async throws {
        if let known = try await store.openApproval(digest: request.digest, at: clock.wallTime()) {
            if known.state == .approved {
                // Nobody is there any more to make use of it.
                if wait.isOver { return }
                if try await grant(known.id, wait) { return }
            } else if try await adopt(known, text, wait) {
                return
            }
        }
        let counts = try await store.pendingApprovals(
            ofIssuer: request.requester.issuer, subject: request.requester.subject, at: clock.wallTime())
        guard counts.own < limits.pendingPerRequester, counts.all < limits.pending else {
            return wait.finish(.failed("too many approvals are waited for already"))
        }
        guard mayAsk(request.requester) else {
            return wait.finish(.failed("you have asked for \(limits.requestsPerMinute) approvals within a minute"))
        }
        var generator = SystemRandomNumberGenerator()
        let approval = Approval(request, reason: reason, at: clock.wallTime(), using: &generator)
        guard keep(text, of: approval.id), register(wait, approval.id) else {
            return wait.finish(.failed("too much text waits for approvals already"))
        }
        do {
            try record(ApprovalEvent(kind: .requested, approval: approval))
            try await store.insert(approval)
        } catch {
            forget(approval.id)
            throw error
        }
        notify(ApprovalEvent(kind: .requested, approval: approval))
        wait.open(approval)
        if wait.isAbandoned { end(approval.id, as: .withdrawn) }
    }

    private func mayAsk(_ requester: Principal) -> Bool {
        let now = clock.wallTime()
        let oldest = now.advanced(by: .seconds(-60))
        return state.withLock { state in
            if state.recent.count > 10_000 { state.recent = state.recent.filter { $0.value.contains { $0 > oldest } } }
            let key = "\(requester.issuer)\n\(requester.subject)"
            let recent = (state.recent[key] ?? []).filter { $0 > oldest && $0 <= now }
            guard recent.count < limits.requestsPerMinute else { return false }
            state.recent[key] = recent + [now]
            return true
        }
    }

    /// Takes the place of a client that no longer waits for the same thing. False when that does still wait, or it was decided.
    private func adopt(_ approval: Approval, _ text: HeldText, _ wait: HoldWait) async throws -> Bool {
        guard keep(text, of: approval.id), register(wait, approval.id) else { return false }
        wait.open(approval)
        // It may have been decided before the wait was known.
        if let now = try await store.approval(id: approval.id) { await settle(now) }
        if wait.isAbandoned { end(approval.id, as: .withdrawn) }
        return true
    }

    /// Takes a use. False when another was faster.
    private func grant(_ id: String, _ wait: HoldWait) async throws -> Bool {
        let clock = clock
        do {
            let used = try await change(id, .used, by: nil) { try $0.use(at: clock.wallTime()) }
            wait.finish(.granted(used))
            return true
        } catch is ApprovalRefusal {
            return false
        }
    }

    /// The client no longer waits: it went away or cancelled (`withdrawn`), or its time is over (`expired`). Unless it was
    /// decided just before, in which case the wait ends by that.
    public func end(_ wait: HoldWait, as end: Approval.State) {
        wait.isLeaving()
        guard let id = wait.approval else { return }
        self.end(id, as: end)
    }

    /// The client is told to come back, and the request stays open: an approval is then good for a retry.
    public func leave(_ wait: HoldWait) {
        wait.leave()
        guard let id = wait.approval else { return }
        state.withLock { state in
            if state.waits[id] === wait { state.waits[id] = nil }
        }
    }

    private func end(_ id: String, as end: Approval.State) {
        let kind: ApprovalEvent.Kind = end == .expired ? .expired : .withdrawn
        Task {
            let clock = self.clock
            do {
                let approval = try await self.change(id, kind, by: nil) { approval in
                    guard approval.state == .pending else { throw ApprovalRefusal.notPending(approval.state) }
                    approval.end(as: end, at: clock.wallTime())
                }
                await self.settle(approval)
            } catch is ApprovalRefusal {
                if let approval = try? await self.store.approval(id: id) { await self.settle(approval) }
            } catch {
                self.forget(id)?.finish(.failed("the approval could not be closed: \(error)"))
            }
        }
    }

    // MARK: - Deciding

    public func decide(id: String, _ choice: Approval.Vote.Choice, by person: Principal, comment: String) async throws -> Approval {
        let clock = clock
        let approval = try await change(id, nil, by: person) { try $0.vote(choice, by: person, comment: comment, at: clock.wallTime()) }
        await settle(approval)
        return approval
    }

    public func explain(id: String, _ reason: String, by person: Principal) async throws -> Approval {
        let clock = clock
        return try await change(id, .explained, by: person) { try $0.explain(reason, by: person, at: clock.wallTime()) }
    }

    public func approval(id: String) async throws -> Approval? { try await store.approval(id: id) }

    public func approvals(_ filter: ApprovalFilter, before: String?, limit: Int) async throws -> [Approval] {
        try await store.approvals(filter, before: before, limit: limit)
    }

    /// The exact text, while this gateway knows it.
    public func text(of id: String) -> HeldText? { state.withLock { $0.texts[id] } }

    /// How long a decided approval stays in the catalog; the log of evidence keeps what happened.
    public static let keptFor = Duration.seconds(400 * 86_400)

    /// Closes what nobody decided in time, and forgets what is long over. Call now and then.
    public func sweep() async throws {
        let clock = clock
        for overdue in try await store.overdueApprovals(at: clock.wallTime()) {
            let closed = try? await change(overdue.id, .expired, by: nil) { approval in
                guard approval.state == .pending else { throw ApprovalRefusal.notPending(approval.state) }
                approval.end(as: .expired, at: clock.wallTime())
            }
            if let closed { await settle(closed) }
        }
        try await store.forgetApprovals(endedBefore: clock.wallTime().advanced(by: .zero - Self.keptFor))
    }

    /// What this node's sessions waited for when it last stopped is waited for no more. For its start.
    public func withdrawOrphans(ofNode node: String) async throws {
        let clock = clock
        var before: String?
        repeat {
            let page = try await store.approvals(ApprovalFilter(state: .pending), before: before, limit: Self.page)
            for approval in page where approval.request.node == node {
                _ = try await change(approval.id, .withdrawn, by: nil) { $0.end(as: .withdrawn, at: clock.wallTime()) }
            }
            before = page.count == Self.page ? page.last?.id : nil
        } while before != nil
    }

    // MARK: - What they share

    /// One change with its evidence. `kind` nil: as the vote turned out.
    private func change(
        _ id: String, _ kind: ApprovalEvent.Kind?, by person: Principal?, _ body: @escaping @Sendable (inout Approval) throws -> Void
    ) async throws -> Approval {
        let record = record
        let approval = try await store.changeApproval(id: id) { approval in
            try body(&approval)
            try record(ApprovalEvent(kind: kind ?? Self.kind(of: approval), approval: approval, by: person))
        }
        notify(ApprovalEvent(kind: kind ?? Self.kind(of: approval), approval: approval, by: person))
        return approval
    }

    private static func kind(of approval: Approval) -> ApprovalEvent.Kind {
        switch approval.state {
        case .denied: .denied
        case .approved: approval.brokeGlass ? .brokeGlass : .approved
        case .pending, .expired, .withdrawn: .seconded
        }
    }

    /// Tells who waits, if it is decided.
    private func settle(_ approval: Approval) async {
        guard approval.state != .pending, let wait = forget(approval.id) else { return }
        guard approval.state == .approved else { return wait.finish(.refused(approval)) }
        // Who has gone leaves the use to a retry.
        guard !wait.isOver else { return }
        do {
            if try await !grant(approval.id, wait) { wait.finish(.failed("the approval was used by another")) }
        } catch {
            wait.finish(.failed("the approval could not be used: \(error)"))
        }
    }

    private func register(_ wait: HoldWait, _ id: String) -> Bool {
        state.withLock { state in
            guard state.waits[id] == nil else { return false }
            state.waits[id] = wait
            return true
        }
    }

    @discardableResult
    private func forget(_ id: String) -> HoldWait? {
        state.withLock { state in
            if let text = state.texts.removeValue(forKey: id) { state.textBytes -= text.bytes }
            return state.waits.removeValue(forKey: id)
        }
    }

    private func keep(_ text: HeldText, of id: String) -> Bool {
        state.withLock { state in
            let before = state.texts[id]?.bytes ?? 0
            guard state.textBytes - before + text.bytes <= limits.textBytes else { return false }
            state.textBytes += text.bytes - before
            state.texts[id] = text
            return true
        }
    }
}

/// One client that waits. Its closures are called at most once each, and none after it has left.
public final class HoldWait: Sendable {
    private struct State {
        var approval: String?
        var opened: (@Sendable (Approval) -> Void)?
        var ended: (@Sendable (ApprovalDesk.Outcome) -> Void)?
        var isOver = false
        var isAbandoned = false
    }

    private let state: Mutex<State>

    init(opened: @escaping @Sendable (Approval) -> Void, ended: @escaping @Sendable (ApprovalDesk.Outcome) -> Void) {
        state = Mutex(State(opened: opened, ended: ended))
    }

    /// The approval's id, once it is asked for.
    public var approval: String? { state.withLock { $0.approval } }

    /// Nobody is told anything any more, or soon nobody will be.
    var isOver: Bool { state.withLock { $0.isOver } }

    /// The client went before the approval had an id, and will not come back for it: it is to be withdrawn once it has one.
    var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

    func open(_ approval: Approval) {
        let opened = state.withLock { state in
            state.approval = approval.id
            defer { state.opened = nil }
            return state.isOver ? nil : state.opened
        }
        opened?(approval)
    }

    func finish(_ outcome: ApprovalDesk.Outcome) {
        let ended = state.withLock { state in
            defer { (state.ended, state.opened) = (nil, nil) }
            state.isOver = true
            return state.ended
        }
        ended?(outcome)
    }

    func isLeaving() {
        state.withLock { state in
            guard state.approval == nil else { return }
            state.isOver = true
            state.isAbandoned = true
        }
    }

    func leave() {
        state.withLock { state in
            state.isOver = true
            (state.opened, state.ended) = (nil, nil)
        }
    }
}
