import GatehouseCore

/// What the vault holds of a session that is not finished: frames that are not in the store yet, and the sum of all.
final class LiveSession {
    let id: SessionID
    /// The journal that its frames come from; empty for one of an earlier run.
    let journal: String
    var tally = SessionTally()
    var segments: [Manifest.Segment] = []
    /// The trailer of the last segment.
    var previous = [UInt8](repeating: 0, count: 32)

    /// Whole frames with plain checksums, not in the store yet.
    private(set) var pending: [UInt8] = []
    private(set) var pendingFrames: UInt32 = 0
    private(set) var firstPending: UInt64 = 0
    /// By the monotonic clock.
    private(set) var pendingSince: UInt64 = 0
    /// The journal files that hold what is pending, or an end that the store does not know of.
    var files: Set<JournalFileName> = []
    private var lastFile: JournalFileName?
    /// Whether a mark in the journal's directory says that the store has an unfinished part of it.
    var isMarked = false
    var failures = 0
    /// By the monotonic clock; no attempt to store before it.
    var retryAt: UInt64 = 0

    init(id: SessionID, journal: String = "") {
        self.id = id
        self.journal = journal
    }

    var hasEnded: Bool { tally.hasEnded }
    var nextOrdinal: UInt32 { UInt32(truncatingIfNeeded: segments.count + 1) }

    /// Takes a frame; false when it was not new.
    func take(_ item: JournalFileReader.Item, from file: JournalFileName, now: UInt64) -> Bool {
        switch tally.add(item.header, payload: item.payload) {
        case .repeated, .afterEnd: return false
        case .next, .behindGap: break
        }
        if pendingFrames == 0 {
            firstPending = item.header.sequence
            pendingSince = now
        }
        let start = pending.count
        pending.append(contentsOf: item.frame)
        pending.withUnsafeMutableBytes {
            $0.storeBytes(of: item.checksum.littleEndian, toByteOffset: start + 4, as: UInt32.self)
        }
        pendingFrames += 1
        if file != lastFile || files.isEmpty {
            files.insert(file)
            lastFile = file
        }
        return true
    }

    /// Notes that a segment with all that was pending is in the store.
    func stored(_ segment: SegmentBuilder.Segment) {
        segments.append(manifestEntry(of: segment.header, hash: segment.hash))
        previous = segment.hash
        pending = []
        pendingFrames = 0
    }
}

func manifestEntry(of header: SegmentHeader, hash: [UInt8]) -> Manifest.Segment {
    Manifest.Segment(
        ordinal: header.ordinal, file: ObjectName.segmentFile(header.ordinal), bytes: UInt64(header.fileSize ?? 0),
        uncompressedBytes: header.uncompressedBytes, frames: header.frameCount, firstSequence: header.firstSequence,
        lastSequence: header.lastSequence, sha256: hash.hexadecimal)
}
