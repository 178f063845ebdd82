public import GatehouseCore

/// What a finished session consists of. Stored as JSON; its signature is over the stored bytes.
public struct Manifest: Sendable, Hashable, Codable {
    /// Version of the format of manifest, segments and frames.
    public var format: Int
    public var session: SessionID
    public var node: String
    public var gatewayVersion: String
    public var outcome: Outcome
    /// Times of the first and the last frame; nil when there is none.
    public var started: WallTime?
    public var ended: WallTime?
    /// The gateway's monotonic clock at the start and the end; nil when the record of the start was lost.
    public var monotonic: Monotonic?
    /// By the monotonic clock; nil unless the session ended in order.
    public var durationNanoseconds: UInt64?
    /// nil when the record of it was lost.
    public var start: SessionStart?
    public var identity: SessionIdentity?
    public var policyVersion: String?
    /// The approvals that actions of the session ran under, by their ids.
    public var approvals: [String]
    public var endReason: String?
    /// The session's key, wrapped to each recipient; empty where the recording is not sealed.
    public var keys: [WrappedKey]
    /// The key of what masks took out, wrapped to each break-glass recipient; nil where there is none.
    public var originalKeys: [WrappedKey]?
    public var segments: [Segment]
    /// Frames of each kind, by `RecordKind.name`.
    public var frames: [String: UInt64]
    /// Counted from the frames.
    public var accounting: Accounting
    public var gaps: [Gap]

    public enum Outcome: String, Sendable, Hashable, Codable {
        /// The gateway recorded the end.
        case ended
        /// The gateway stopped before the session did.
        case interrupted
    }

    public struct Monotonic: Sendable, Hashable, Codable {
        public var start: UInt64
        /// nil unless the session ended in order.
        public var end: UInt64?
    }

    public struct Segment: Sendable, Hashable, Codable {
        public var ordinal: UInt32
        public var file: String
        /// Size of the file.
        public var bytes: UInt64
        public var uncompressedBytes: UInt64
        public var frames: UInt32
        public var firstSequence: UInt64
        public var lastSequence: UInt64
        /// The trailer: SHA-256 of everything in the file before it, in hexadecimal.
        public var sha256: String
    }

    /// Frames that the gateway knows to be lost.
    public struct Gap: Sendable, Hashable, Codable {
        /// The last sequence before.
        public var after: UInt64
        /// The first sequence behind; nil when nothing came behind.
        public var before: UInt64?
        public var reason: String
    }
}

extension Manifest {
    /// The manifest of a finished session as it is stored, not verified; nil when the session is not finished.
    /// - Throws: `StoreError` when it cannot be read, `DecodingError` when it is no manifest.
    public static func load(_ session: SessionID, from store: some ObjectStore) throws -> Manifest? {
        guard let object = try store.open(ObjectName(session: session, file: ObjectName.manifestFile)) else { return nil }
        guard object.size <= maximumBytes else { throw StoreError("the manifest of session \(session) is too large to be one") }
        return try fromJSON(try object.read(at: 0, count: object.size))
    }

    /// A manifest lists a segment in some 250 bytes: 64 MiB are two terabytes of evidence.
    static let maximumBytes = 64 << 20
}
