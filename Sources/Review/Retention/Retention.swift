public import GatehouseCore
public import Logging
public import Recording
import Synchronization

/// Deletes recordings whose time is over, or that somebody deletes by hand, and leaves a tombstone of each in the log.
///
/// In this order, so that no interruption leaves an unexplained gap: the log says which session is going to be deleted, by whom and by
/// which rule, and the store has that; the session's objects go, its manifest first; the store is asked whether anything is left; the log
/// says that it is gone. What is interrupted is finished by the next run.
public final class Retention: Sendable {
    /// Deletions that share a checkpoint.
    private static let batch = 100
    /// By how much the wall clock may have drifted from the monotonic one.
    private static let largestDrift: UInt64 = 3_600_000_000_000

    /// What a run did.
    public struct Report: Sendable, Hashable {
        public var deleted = 0
        public var deletedBytes: UInt64 = 0
        public var held = 0
        public var unreadable = 0
        /// What the store did not let go, and why. At most `RetentionPlan.listed`.
        public var refused: [Refusal] = []
        public var refusedCount = 0

        public struct Refusal: Sendable, Hashable {
            public var session: SessionID
            public var reason: String
        }
    }

    private struct Order {
        var session: SessionFacts
        var action: String
        var by: String
        var detail: [String: String]
    }

    private let store: any ObjectStore
    private let log: EvidenceLog
    private let clock: any GatewayClock
    private let logger: Logger
    private let onDeletion: @Sendable (SessionID, WallTime) -> Void
    private let policy: Mutex<RetentionPolicy>
    public let holds: LegalHolds
    /// One run, or deletion, at a time.
    private let running = Mutex(())
    private let begin: (wall: WallTime, monotonic: UInt64)

    /// - Parameter onDeletion: told of each session that is gone, and when.
    public init(
        policy: RetentionPolicy, store: any ObjectStore, log: EvidenceLog, clock: any GatewayClock,
        logger: Logger = Logger(label: "gatehouse.retention"), onDeletion: @escaping @Sendable (SessionID, WallTime) -> Void = { _, _ in }
    ) {
        self.onDeletion = onDeletion
        self.store = store
        self.log = log
        self.clock = clock
        self.logger = logger
        self.policy = Mutex(policy)
        holds = LegalHolds(store: store, log: log, clock: clock)
        begin = (clock.wallTime(), clock.monotonicNanoseconds())
    }

    /// The rules from now on.
    public func use(_ new: RetentionPolicy) { policy.withLock { $0 = new } }

    /// For `VaultConfiguration.lock`.
    public func lock(target: String?, now: WallTime) -> WallTime? { policy.withLock(\.self).lock(target: target, now: now) }

    // MARK: By rule

    private var planner: RetentionPlanner { RetentionPlanner(store: store, policy: policy.withLock(\.self)) }

    /// What a run would do now. Changes nothing.
    public func plan() throws -> RetentionPlan {
        var plan = RetentionPlan()
        let now = clock.wallTime()
        plan.examined = try planner.forEach(now: now, holds: try holds.all()) { plan.add($0, $1) }
        plan.obstacle = try clockProblem(now)
        return plan
    }

    /// A clock that jumped ahead must not delete everything.
    private func clockProblem(_ now: WallTime) throws -> String? {
        let elapsed = clock.monotonicNanoseconds() &- begin.monotonic
        let expected = begin.wall.nanoseconds &+ elapsed
        let drift = max(now.nanoseconds, expected) - min(now.nanoseconds, expected)
        if drift > Self.largestDrift {
            return "this machine's clock was set while the gateway ran; if it is right, restart the gateway or run it by hand with "
                + "--confirm-clock"
        }
        return try planner.clockProblem(now: now)
    }

    /// Deletes what is due.
    /// - Parameters:
    ///   - by: who asked for it, or the schedule.
    ///   - confirmsClock: a person says that the clock is right.
    /// - Throws: `RetentionError` when nothing may be deleted; `StoreError`, `LogError`.
    public func run(by: String, confirmsClock: Bool = false) throws -> Report {
        try running.withLock { _ in
            var report = Report()
            let now = clock.wallTime()
            if !confirmsClock, let problem = try clockProblem(now) { throw RetentionError(.unsafe, problem) }
            let held = try holds.all()
            try finishInterrupted(&report)
            var waiting: [Order] = []
            var isNoted = false
            func settle() throws {
                guard !waiting.isEmpty else { return }
                if !isNoted {
                    isNoted = true
                    try log.note("retention.run", by: by)
                }
                try purge(waiting, &report)
                waiting = []
            }
            _ = try planner.forEach(now: now, holds: held) { session, decision in
                switch decision {
                case .held: report.held += 1
                case .unreadable: report.unreadable += 1
                case .due(let rule):
                    waiting.append(Order(session: session, action: "retention", by: by, detail: ["rule": rule]))
                    if waiting.count >= Self.batch { try settle() }
                }
            }
            try settle()
            // Also what an earlier run noted and could not put into the store.
            try log.publish(to: store)
            return report
        }
    }

    // MARK: By hand

    /// Deletes one session.
    /// - Throws: `RetentionError` when it is held, not finished or retained by the store; `StoreError`, `LogError`.
    public func delete(_ id: SessionID, reason: String, by: String) throws {
        try running.withLock { _ in
            let reason = try holds.checkedReason(reason)
            let stored: StoredManifest?
            do {
                stored = try StoredManifest(id, in: store)
            } catch let error as ManifestUnreadable {
                throw RetentionError(.unfinished, "the session's manifest cannot be read (\(error.message)); `gatehouse verify` tells more")
            }
            guard let stored else {
                throw RetentionError(.unfinished, "the session is not finished in the store, or there is nothing of it")
            }
            let session = SessionFacts(id, stored)
            let covering = try holds.all().filter { $0.scope.covers(session) }
            guard covering.isEmpty else {
                throw RetentionError(.held, "legal holds cover the session: \(covering.map(\.id).joined(separator: ", "))")
            }
            var report = Report()
            try purge([Order(session: session, action: "by-hand", by: by, detail: ["reason": reason])], &report)
            if let refusal = report.refused.first { throw RetentionError(.refused, refusal.reason) }
        }
    }

    // MARK: Deleting

    private func purge(_ orders: [Order], _ report: inout Report) throws {
        for order in orders {
            try log.note(
                order.action, by: order.by, detail: order.detail, kind: .deletion, session: order.session.id,
                manifest: order.session.manifest)
        }
        try log.publish(to: store)
        // Placed since they were looked at last.
        let held = try holds.all()
        for order in orders {
            if held.contains(where: { $0.scope.covers(order.session) }) {
                try refuse(order.session.id, by: order.by, "a legal hold was placed on it", &report)
                continue
            }
            try remove(order.session.id, order.action, order.by, order.detail, order.session.manifest, &report)
            if report.refused.last?.session != order.session.id { report.deletedBytes &+= order.session.bytes }
        }
        try log.publish(to: store)
    }

    private func remove(
        _ id: SessionID, _ action: String, _ by: String, _ detail: [String: String], _ manifest: String?, _ report: inout Report
    ) throws {
        do {
            try store.delete(id)
            guard try !store.holdsAnything(of: id) else { throw StoreError("the store still has objects of it after it deleted them") }
        } catch let error as StoreError {
            try refuse(id, by: by, error.message, &report)
            return
        }
        try log.note(action, by: by, detail: detail, kind: .tombstone, session: id, manifest: manifest)
        report.deleted += 1
        onDeletion(id, clock.wallTime())
    }

    /// What was not deleted stays whole unless the store refused in the middle: then it is tried again.
    private func refuse(_ id: SessionID, by: String, _ reason: String, _ report: inout Report) throws {
        report.refusedCount += 1
        if report.refused.count < RetentionPlan.listed { report.refused.append(.init(session: id, reason: reason)) }
        logger.warning("a recording could not be deleted", metadata: ["session": "\(id)", "reason": "\(reason)"])
        guard try StoredManifest.isThere(id, in: store) else { return }
        try log.note(LogAction.deletionRefused, by: by, detail: ["reason": String(reason.prefix(1_000))], session: id)
    }

    /// Deletions that an earlier run began. A hold that was placed since keeps what is whole.
    private func finishInterrupted(_ report: inout Report) throws {
        let unfinished = log.unfinishedDeletions
        guard !unfinished.isEmpty else { return }
        let held = try holds.all()
        for (id, entry) in unfinished.sorted(by: { $0.key < $1.key }) {
            let by = entry.by ?? ""
            let stored = try? StoredManifest(id, in: store)
            if let stored, held.contains(where: { $0.scope.covers(SessionFacts(id, stored)) }) {
                try refuse(id, by: by, "a legal hold was placed on it", &report)
                continue
            }
            try remove(id, entry.action ?? "retention", by, entry.detail ?? [:], entry.manifest, &report)
        }
    }
}
