import GatehouseCore
import Recording

/// What a retention run would do, session by session.
public struct RetentionPlan: Sendable, Hashable {
    public enum Decision: Sendable, Hashable {
        /// Its time is over by that rule.
        case due(rule: String)
        /// Its time is over, and holds cover it.
        case held(rule: String, holds: [String])
        /// It has no manifest that can be read, so that nobody can say what it is: kept.
        case unreadable(String)
    }

    public struct Item: Sendable, Hashable {
        public var session: SessionFacts
        public var decision: Decision
    }

    /// The most items that are told one by one.
    public static let listed = 1_000

    /// Oldest first; those that are kept because their time is not over are not in it. At most `listed`.
    public var items: [Item] = []
    public var due = 0
    public var dueBytes: UInt64 = 0
    public var held = 0
    public var unreadable = 0
    /// Sessions that were looked at, and those behind which are too young for any rule are not.
    public var examined = 0
    /// Why a run would not delete anything now; nil when it would.
    public var obstacle: String?

    public init() {}

    mutating func add(_ session: SessionFacts, _ decision: Decision) {
        switch decision {
        case .due:
            due += 1
            dueBytes &+= session.bytes
        case .held: held += 1
        case .unreadable: unreadable += 1
        }
        if items.count < Self.listed { items.append(Item(session: session, decision: decision)) }
    }
}

/// Finds the sessions whose time is over. Reads the store alone.
struct RetentionPlanner {
    /// What the clock may be ahead of the newest recording.
    static let longestSilence: Duration = .seconds(30 * 86_400)

    let store: any ObjectStore
    let policy: RetentionPolicy

    /// Looks at every session that may be due and gives each that is, or would be.
    func forEach(
        now: WallTime, holds: [LegalHold], _ body: (SessionFacts, RetentionPlan.Decision) throws -> Void
    ) throws -> Int {
        guard let shortest = policy.shortest else { return 0 }
        let limit = now.advanced(by: .zero - shortest)
        var examined = 0
        try store.forEachSession { id in
            // Oldest first, and none ends before it begins.
            guard id.startTime <= limit else { return false }
            examined += 1
            guard let (session, decision) = try decide(id, now: now, holds: holds) else { return true }
            try body(session, decision)
            return true
        }
        return examined
    }

    /// nil when its time is not over.
    private func decide(
        _ id: SessionID, now: WallTime, holds: [LegalHold]
    ) throws -> (SessionFacts, RetentionPlan.Decision)? {
        let stored: StoredManifest?
        do {
            stored = try StoredManifest(id, in: store)
        } catch let error as ManifestUnreadable {
            return (SessionFacts(id: id, target: nil, user: nil, started: id.startTime, ended: id.startTime), .unreadable(error.message))
        }
        // Without a manifest it goes on, or waits to be finished.
        guard let stored else { return nil }
        let session = SessionFacts(id, stored)
        // Where the target is not known, every rule might be the one: none is over before the longest.
        let (rule, keep) = session.target.map { policy.rule(for: $0) } ?? (RetentionPolicy.defaultName, policy.longestOrForever)
        guard let keep, session.ended.advanced(by: keep) <= now else { return nil }
        let covering = holds.filter { $0.scope.covers(session) }.map(\.id)
        return (session, covering.isEmpty ? .due(rule: rule) : .held(rule: rule, holds: covering))
    }

    /// Why the clock is not to be believed; nil when it may be.
    func clockProblem(now: WallTime) throws -> String? {
        var newest: SessionID?
        try store.forEachSession { id in
            newest = id
            return true
        }
        guard let newest, newest.startTime.advanced(by: Self.longestSilence) < now else { return nil }
        let days = (now.seconds - newest.startTime.seconds) / 86_400
        return
            "the newest recording is \(days) days older than this machine's clock says it is now; if the clock is right, run it by hand with "
            + "--confirm-clock"
    }
}

extension RetentionPolicy {
    /// The most that any rule keeps; nil when one keeps for ever.
    var longestOrForever: Duration? {
        let all = rules.map(\.keep) + [keep]
        return all.contains(nil) ? nil : all.compactMap(\.self).max()
    }
}
