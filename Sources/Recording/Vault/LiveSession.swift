import GatehouseCore

/// What the vault holds of a session that is not finished: frames that are not in the store yet, and the sum of all.
final class LiveSession {
    let id: SessionID
    /// The journal that its frames come from; empty for one of an earlier run.
    let journal: String
    /// The session's key; nil where recordings are not sealed, and for a session of an earlier run.
    let key: SessionKey?
    private var cipher: BatchCipher?
    /// Its keys, wrapped to recipients.
    var keys = SessionKeys()
    var tally = SessionTally()
    var segments: [Manifest.Segment] = []
    /// The trailer of the last segment.
    var previous = [UInt8](repeating: 0, count: 32)

    /// What is not in the store yet: frames, or, where the key is not known, batches as they came. Checksums are plain.
    private(set) var pending: [UInt8] = []
    private(set) var pendingIsBatches = false
    private var pendingIsSealed = false
    private(set) var pendingFrames: UInt32 = 0
    private var firstPending: UInt64 = 0
    private var pendingSummary = FrameSummary()
    private var pendingGaps: [Manifest.Gap] = []
    private var pendingEnd: ClearEnd?
    /// By the monotonic clock.
    private(set) var pendingSince: UInt64 = 0
    /// The journal files that hold what is pending, an opening that no segment says yet, or an end that the store does not know of.
    var files: Set<JournalFileName> = []
    private var lastFile: JournalFileName?
    /// Whether a mark in the journal's directory says that the store has an unfinished part of it.
    var isMarked = false
    var failures = 0
    /// By the monotonic clock; no attempt to store before it.
    var retryAt: UInt64 = 0

    init(id: SessionID, journal: String = "", key: SessionKey? = nil) {
        self.id = id
        self.journal = journal
        self.key = key
    }

    var hasEnded: Bool { tally.hasEnded }
    var nextOrdinal: UInt32 { UInt32(truncatingIfNeeded: segments.count + 1) }

    /// Takes what the journal says of the session before anything else.
    func take(_ opening: SessionOpening, at time: WallTime, from file: JournalFileName) {
        guard tally.start == nil else { return }
        keys = SessionKeys(recording: opening.keys, originals: opening.originalKeys)
        tally.start = opening.start
        tally.identity = opening.identity
        tally.started = time
        pin(file)
    }

    /// Takes a batch; false when it was not new.
    /// - Throws: when it cannot be read with the session's key.
    func take(_ item: JournalFileReader.Item, from file: JournalFileName, now: UInt64) throws -> Bool {
        let batch = item.batch
        let header = batch.header
        guard let (summary, end) = batch.summary else { throw BatchFault.notAuthentic }
        let asFrames = key != nil || !header.isSealed
        // A segment holds one or the other; the vault cuts after each batch of an earlier run if it has to.
        guard pendingFrames == 0 || pendingIsBatches != asFrames else { throw BatchFault.notAuthentic }
        let before = tally.lastSequence
        let start = pending.count
        if asFrames {
            if cipher == nil { cipher = try key?.batchCipher(seals: false) }
            try batch.open(cipher, into: &pending)
        }
        switch tally.add(header.firstSequence...header.lastSequence, summary, end: end, at: header.time) {
        case .repeated, .afterEnd:
            pending.removeLast(pending.count - start)
            return false
        case .next: break
        case .behindGap:
            if pendingFrames > 0 {
                pendingGaps.append(Manifest.Gap(after: before, before: header.firstSequence, reason: "missing frames"))
            }
        }
        if !asFrames {
            pending.append(contentsOf: batch.record)
            pending.withUnsafeMutableBytes {
                $0.storeBytes(of: item.checksum.littleEndian, toByteOffset: start + 4, as: UInt32.self)
            }
        }
        if pendingFrames == 0 {
            firstPending = header.firstSequence
            pendingSince = now
            pendingIsBatches = !asFrames
            pendingIsSealed = header.isSealed
        }
        pendingFrames &+= header.frames
        pendingSummary.add(summary)
        if let end { pendingEnd = end }
        pin(file)
        return true
    }

    private func pin(_ file: JournalFileName) {
        guard file != lastFile || files.isEmpty else { return }
        files.insert(file)
        lastFile = file
    }

    /// Makes a segment of all that is pending.
    func segment(_ builder: SegmentBuilder) throws -> SegmentBuilder.Segment {
        let header = SegmentHeader(
            session: id, ordinal: nextOrdinal, frameCount: pendingFrames, firstSequence: firstPending,
            lastSequence: max(firstPending, tally.lastSequence), uncompressedBytes: 0, storedBytes: 0, previous: previous)
        let content = SegmentExtension(
            keys: keys.recording, originalKeys: keys.originals, start: segments.isEmpty ? tally.start : nil,
            identity: segments.isEmpty ? tally.identity : nil,
            started: tally.started, ended: tally.ended ?? WallTime(nanoseconds: 0), summary: pendingSummary, gaps: pendingGaps,
            end: pendingEnd)
        return try pending.withUnsafeBytes { bytes in
            try builder.build(
                header, content, pendingIsBatches ? .batches(bytes, isSealed: pendingIsSealed) : .frames(bytes, key))
        }
    }

    /// Lists a stored segment that cannot be read, as what it is: nothing that fits it.
    func passOver(_ ordinal: UInt32, bytes: Int) {
        segments.append(
            Manifest.Segment(
                ordinal: ordinal, file: ObjectName.segmentFile(ordinal), bytes: UInt64(bytes), uncompressedBytes: 0, frames: 0,
                firstSequence: 0, lastSequence: 0, sha256: ""))
        previous = [UInt8](repeating: 0, count: 32)
    }

    /// Notes that a segment with all that was pending is in the store.
    func stored(_ segment: SegmentBuilder.Segment) {
        segments.append(manifestEntry(of: segment.header, hash: segment.hash))
        previous = segment.hash
        pending = []
        pendingFrames = 0
        pendingSummary.reset()
        pendingGaps = []
        pendingEnd = nil
    }
}

func manifestEntry(of header: SegmentHeader, hash: [UInt8]) -> Manifest.Segment {
    Manifest.Segment(
        ordinal: header.ordinal, file: ObjectName.segmentFile(header.ordinal), bytes: UInt64(header.fileSize ?? 0),
        uncompressedBytes: header.uncompressedBytes, frames: header.frameCount, firstSequence: header.firstSequence,
        lastSequence: header.lastSequence, sha256: hash.hexadecimal)
}
