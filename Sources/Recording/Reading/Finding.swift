public import GatehouseCore

/// Something that a reader of evidence has to say about it.
public struct Finding: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// A segment's bytes are not those that were written.
        case segmentDamaged = "segment-damaged"
        /// A segment ends early.
        case segmentTruncated = "segment-truncated"
        case segmentMissing = "segment-missing"
        /// The segment is sound but stands under the name of another of its session.
        case segmentMisplaced = "segment-misplaced"
        /// The segment is sound but belongs to another session.
        case foreignSegment = "foreign-segment"
        /// The segment is sound but is not the one that the manifest lists, or that follows the one before it.
        case segmentReplaced = "segment-replaced"
        /// A segment that the manifest does not list.
        case segmentUnlisted = "segment-unlisted"
        /// A file that does not belong into a session.
        case unexpectedFile = "unexpected-file"
        /// The segment's version, flags or codec are not known to this reader.
        case unsupported
        /// Frames are not in order, belong to another session, or are missing without being declared.
        case framesOutOfOrder = "frames-out-of-order"
        /// The manifest's or the end record's numbers are not those of the frames.
        case countsWrong = "counts-wrong"
        case accountingWrong = "accounting-wrong"
        /// A sealed original does not stand where it says, or is not what the session's key sealed there.
        case originalWrong = "original-wrong"
        case manifestMissing = "manifest-missing"
        case signatureMissing = "signature-missing"
        /// The signature file is not of its form.
        case signatureMalformed = "signature-malformed"
        /// The signature is not one of the manifest by that key.
        case signatureWrong = "signature-wrong"
        /// The signature names a key that the verifier was not given.
        case unknownKey = "unknown-key"
        case manifestMalformed = "manifest-malformed"
        /// The manifest is that of another session.
        case foreignManifest = "foreign-manifest"
        /// The store could not be read.
        case unreadable
        /// The log has a session that the store has nothing of.
        case sessionMissing = "session-missing"
        /// The store has a session that the log does not know.
        case notLogged = "not-logged"
        /// The manifest, or the wrapped key, is not the one that the log has.
        case logMismatch = "log-mismatch"
        /// Entries of the log are missing or not those that were written.
        case logDamaged = "log-damaged"
        /// A checkpoint is not signed by a key that the verifier was given, or not of its form.
        case checkpointWrong = "checkpoint-wrong"
        /// The log is not the one that a checkpoint kept elsewhere vouches for.
        case logRolledBack = "log-rolled-back"
        /// The store has sessions and no log of them.
        case logMissing = "log-missing"
        /// Sealed to others than those whose keys were given.
        case sealed
        /// Not a fault: the gateway declared that something is missing.
        case declaredGap = "declared-gap"
        /// The log has the session's tombstone, and the store has objects of it.
        case notDeleted = "not-deleted"
        /// Not a fault: the gateway stopped before the session did.
        case interrupted
        /// Not a fault: the log says that the session's deletion has begun.
        case deletionUnfinished = "deletion-unfinished"

        /// Whether it means that the evidence is not what the gateway wrote.
        public var isFault: Bool { self != .declaredGap && self != .interrupted && self != .deletionUnfinished }
    }

    public var kind: Kind
    /// nil when it is about the log.
    public var session: SessionID?
    /// The file's name in the session, or an object of the log; nil when it is about the whole session.
    public var file: String?
    /// Where in the file, in bytes, as near as it is known.
    public var offset: UInt64?
    public var message: String

    public init(kind: Kind, session: SessionID?, file: String? = nil, offset: UInt64? = nil, message: String) {
        self.kind = kind
        self.session = session
        self.file = file
        self.offset = offset
        self.message = message
    }

    init(_ fault: SegmentFault, session: SessionID, file: String) {
        let kind: Kind =
            switch fault.kind {
            case .truncated: .segmentTruncated
            case .damaged: .segmentDamaged
            case .unsupported: .unsupported
            }
        self.init(kind: kind, session: session, file: file, offset: fault.offset, message: fault.reason)
    }

    public var description: String {
        var text = session.map { "session \($0)" } ?? "log"
        if let file { text += ", \(file)" }
        if let offset { text += " at \(offset)" }
        return "\(text): \(kind.rawValue): \(message)"
    }
}

/// What verification of one session came to.
public struct SessionReport: Sendable, Hashable, Codable {
    public enum Status: String, Sendable, Hashable, Codable {
        /// Whole, signed, and exactly as recorded.
        case verified
        /// Evidence is damaged, missing or not what the gateway signed.
        case failed
        /// Not finished, as the caller knows: what is there is sound.
        case live
        /// There is no manifest: the session goes on, waits for recovery, or its manifest was removed.
        case incomplete
    }

    public var session: SessionID
    public var status: Status
    public var outcome: Manifest.Outcome?
    public var segments: Int
    public var frames: UInt64
    /// Of the stored files.
    public var bytes: UInt64
    public var findings: [Finding]
}

/// What verification of a store came to.
public struct VerificationReport: Sendable, Hashable, Codable {
    public var sessions: [SessionReport] = []
    public var verified = 0
    public var failed = 0
    public var live = 0
    public var incomplete = 0
    public var bytes: UInt64 = 0
    /// What is wrong with the log itself.
    public var log: [Finding] = []
    /// How the log compares to a checkpoint that was kept elsewhere; nil when none was given.
    public var rollback: String?

    public init() {}

    mutating func add(_ report: SessionReport, keepingAll: Bool) {
        switch report.status {
        case .verified: verified += 1
        case .failed: failed += 1
        case .live: live += 1
        case .incomplete: incomplete += 1
        }
        bytes += report.bytes
        if keepingAll || report.status != .verified { sessions.append(report) }
    }
}
