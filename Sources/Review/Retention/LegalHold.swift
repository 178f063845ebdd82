import Foundation
public import GatehouseCore
import Policy
public import Recording

/// Keeps sessions from being deleted, by whatever rule or hand, until it is lifted. Holds are objects of the store, so that every gateway
/// that shares it sees them, and entries of the log.
public struct LegalHold: Sendable, Hashable, Codable {
    /// Which sessions: those that all of what is given applies to. Nothing given: all.
    public struct Scope: Sendable, Hashable, Codable {
        public var session: SessionID?
        /// A pattern over the target's name.
        public var target: String?
        public var user: String?
        /// Sessions that ended at or after.
        public var since: WallTime?
        /// Sessions that began before.
        public var until: WallTime?

        public init(
            session: SessionID? = nil, target: String? = nil, user: String? = nil, since: WallTime? = nil, until: WallTime? = nil
        ) {
            self.session = session
            self.target = target
            self.user = user
            self.since = since
            self.until = until
        }

        /// What is not known of a session may be what is asked for.
        public func covers(_ facts: SessionFacts) -> Bool {
            if let session, session != facts.id { return false }
            if let target, let name = facts.target, !Glob(target).matches(name) { return false }
            if let user, let name = facts.user, user != name { return false }
            if let since, facts.ended < since { return false }
            if let until, facts.started >= until { return false }
            return true
        }
    }

    public var id: String
    public var scope: Scope
    public var reason: String
    /// Who placed it, as the issuer names him.
    public var by: String
    public var created: WallTime

    public init(id: String, scope: Scope, reason: String, by: String, created: WallTime) {
        self.id = id
        self.scope = scope
        self.reason = reason
        self.by = by
        self.created = created
    }
}

/// A hold, or a deletion, that cannot be done as asked.
public struct RetentionError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, Hashable {
        /// What is asked for cannot be meant, or is not there.
        case invalid
        case notFound
        /// A legal hold covers it.
        case held
        /// The session goes on, or is not finished in the store.
        case unfinished
        /// The store refused.
        case refused
        /// It would be wrong to go on: the reason is for a person to look at.
        case unsafe
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// The holds of a store.
public struct LegalHolds: Sendable {
    private static let folder = "holds"
    private static let largest = 16 << 10
    private static let longestReason = 1_000

    private let store: any ObjectStore
    private let log: EvidenceLog
    private let clock: any GatewayClock

    public init(store: any ObjectStore, log: EvidenceLog, clock: any GatewayClock) {
        self.store = store
        self.log = log
        self.clock = clock
    }

    private static func key(_ id: String) -> ObjectKey { ObjectKey("\(folder)/\(id).json") }

    /// Every hold, oldest first.
    /// - Throws: `RetentionError` when one cannot be read, or is missing that the log tells of: nothing may be deleted then.
    public func all() throws -> [LegalHold] {
        var holds: [LegalHold] = []
        try store.forEachKey(below: Self.folder) { key in
            guard let object = try store.open(key) else { return true }
            guard object.size <= Self.largest, let hold = try? JSONDecoder().decode(LegalHold.self, from: Data(try object.read())),
                Self.key(hold.id) == key
            else {
                throw RetentionError(
                    .unsafe, "the store's \(key) is not a legal hold that can be read: nothing is deleted before that is put right")
            }
            holds.append(hold)
            return true
        }
        let missing = log.holds.subtracting(holds.map(\.id))
        guard missing.isEmpty else {
            throw RetentionError(
                .unsafe,
                "the log tells of legal holds that the store does not have (\(missing.sorted().joined(separator: ", "))): nothing is deleted "
                    + "before they are put back, or lifted")
        }
        return holds.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    /// Places a hold. It is in the store when this returns.
    public func place(_ scope: LegalHold.Scope, reason: String, by: String) throws -> LegalHold {
        let reason = try checkedReason(reason)
        if let since = scope.since, let until = scope.until, until <= since {
            throw RetentionError(.invalid, "the hold would begin at or after its end, and hold nothing")
        }
        for text in [scope.target, scope.user].compactMap(\.self) {
            guard !text.isEmpty, text.utf8.count <= 512 else {
                throw RetentionError(.invalid, "a target or user in a hold has from 1 to 512 bytes")
            }
        }
        let now = clock.wallTime()
        let hold = LegalHold(id: SessionID(at: now).description, scope: scope, reason: reason, by: by, created: now)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = Array(try encoder.encode(hold))
        // The object first: a hold that the log alone has stops every deletion until somebody looks.
        try store.put(Self.key(hold.id), bytes, retainUntil: nil)
        try log.note(
            LogAction.holdPlaced, by: by, detail: ["hold": hold.id, "reason": reason, "content": String(decoding: bytes, as: UTF8.self)])
        try log.publish(to: store)
        return hold
    }

    /// Lifts a hold; also one that the log has and the store has lost.
    public func lift(_ id: String, reason: String, by: String) throws {
        let reason = try checkedReason(reason)
        guard SessionID(id) != nil else { throw RetentionError(.notFound, "there is no such hold") }
        let object = try store.open(Self.key(id))
        guard object != nil || log.holds.contains(id) else { throw RetentionError(.notFound, "there is no such hold") }
        try log.note(LogAction.holdLifted, by: by, detail: ["hold": id, "reason": reason])
        try log.publish(to: store)
        if object != nil { try store.delete(Self.key(id)) }
    }

    /// What is said to why something is held, lifted or deleted.
    func checkedReason(_ text: String) throws(RetentionError) -> String {
        let reason = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !reason.isEmpty, reason.utf8.count <= Self.longestReason else {
            throw RetentionError(.invalid, "a reason is needed, of at most \(Self.longestReason) bytes")
        }
        return reason
    }
}
