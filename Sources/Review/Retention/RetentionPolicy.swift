public import GatehouseCore
public import Policy
import Recording

/// How long recordings of some targets are kept.
public struct RetentionRule: Sendable, Hashable {
    public var name: String
    /// Patterns over the names of targets; a session of any of them falls under the rule.
    public var targets: [Glob]
    /// Counted from the session's end; nil keeps them for ever.
    public var keep: Duration?

    public init(name: String, targets: [Glob], keep: Duration?) {
        self.name = name
        self.targets = targets
        self.keep = keep
    }
}

/// The rules in order: the first that has a session's target decides.
public struct RetentionPolicy: Sendable, Hashable {
    /// What the rule is called that decides where no other does.
    public static let defaultName = "default"

    public var rules: [RetentionRule]
    /// For targets of no rule; nil keeps for ever.
    public var keep: Duration?

    public init(rules: [RetentionRule] = [], keep: Duration? = nil) {
        self.rules = rules
        self.keep = keep
    }

    /// The rule's name, and how long it keeps.
    public func rule(for target: String) -> (name: String, keep: Duration?) {
        let rule = rules.first { rule in rule.targets.contains { $0.matches(target) } }
        return rule.map { ($0.name, $0.keep) } ?? (Self.defaultName, keep)
    }

    /// The least that any rule keeps; nil when all keep for ever.
    public var shortest: Duration? { (rules.map(\.keep) + [keep]).compactMap(\.self).min() }

    /// Until when a store that can is to refuse the deletion of what is stored now. Where the target is not known, as long as any rule
    /// says; what is kept for ever cannot be locked for ever, and is locked for as long as the longest other rule.
    public func lock(target: String?, now: WallTime) -> WallTime? {
        let longest = (rules.map(\.keep) + [keep]).compactMap(\.self).max()
        let keep = target.flatMap { rule(for: $0).keep } ?? longest
        return keep.map { now.advanced(by: $0) }
    }
}

/// What is known of a finished session when it is decided about.
public struct SessionFacts: Sendable, Hashable {
    public var id: SessionID
    /// nil when the record of its start is lost.
    public var target: String?
    /// As the issuer names him; nil when the record is lost.
    public var user: String?
    public var started: WallTime
    public var ended: WallTime
    /// SHA-256 of the manifest's bytes, in hexadecimal.
    public var manifest: String
    /// Of all stored segments.
    public var bytes: UInt64

    public init(
        id: SessionID, target: String?, user: String?, started: WallTime, ended: WallTime, manifest: String = "", bytes: UInt64 = 0
    ) {
        self.id = id
        self.target = target
        self.user = user
        self.started = started
        self.ended = ended
        self.manifest = manifest
        self.bytes = bytes
    }
}

extension SessionFacts {
    /// Of a session as its manifest tells it.
    init(_ session: SessionID, _ stored: StoredManifest) {
        let manifest = stored.manifest
        let began = session.startTime
        self.init(
            id: session, target: manifest.start?.target, user: manifest.identity?.principal.user,
            started: manifest.started ?? began, ended: max(manifest.ended ?? began, manifest.started ?? began), manifest: stored.sha256,
            bytes: manifest.segments.reduce(0) { $0 &+ $1.bytes })
    }
}
