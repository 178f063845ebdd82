import GatehouseCore

/// What a session's frames add up to. The vault keeps one a live session, from the clear headers of batches; the verifier makes one from
/// the store.
struct SessionTally {
    private(set) var lastSequence: UInt64 = 0
    private(set) var summary = FrameSummary()
    private(set) var gaps: [Manifest.Gap] = []
    var started: WallTime?
    private(set) var ended: WallTime?
    var start: SessionStart?
    var identity: SessionIdentity?
    private(set) var end: ClearEnd?

    /// How frames stand to those before them.
    enum Order: Hashable {
        case next
        /// The frames between are missing; noted as a gap.
        case behindGap
        /// Its number was there already; not counted.
        case repeated
        /// The session had ended; not counted.
        case afterEnd
    }

    var hasEnded: Bool { end != nil }

    /// Counts frames that follow each other without a gap.
    mutating func add(
        _ sequences: ClosedRange<UInt64>, _ frames: FrameSummary, end: ClearEnd?, at time: WallTime
    ) -> Order {
        let order = advance(to: sequences.lowerBound)
        guard order == .next || order == .behindGap else { return order }
        lastSequence = sequences.upperBound
        summary.add(frames)
        ended = time
        if let end { self.end = end }
        return order
    }

    /// Counts what a segment says of itself.
    mutating func add(_ header: SegmentHeader, _ content: SegmentExtension) -> Order {
        let order = advance(to: header.firstSequence)
        guard order == .next || order == .behindGap else { return order }
        gaps += content.gaps
        lastSequence = header.lastSequence
        summary.add(content.summary)
        if started == nil { started = content.started }
        if start == nil { start = content.start }
        if identity == nil { identity = content.identity }
        ended = content.ended
        if let end = content.end { self.end = end }
        return order
    }

    private mutating func advance(to first: UInt64) -> Order {
        guard first > lastSequence else { return .repeated }
        guard end == nil else { return .afterEnd }
        guard first != lastSequence &+ 1 else { return .next }
        gaps.append(Manifest.Gap(after: lastSequence, before: first, reason: "missing frames"))
        return .behindGap
    }

    /// Notes that frames behind the last one are known to be lost.
    mutating func noteLoss(_ reason: String) {
        let gap = Manifest.Gap(after: lastSequence, before: nil, reason: reason)
        if gaps.last != gap { gaps.append(gap) }
    }

    func manifest(
        session: SessionID, node: String, gatewayVersion: String, keys: SessionKeys, segments: [Manifest.Segment]
    ) -> Manifest {
        let monotonic = start.map { start in
            Manifest.Monotonic(start: start.monotonicNanoseconds, end: end.map { start.monotonicNanoseconds &+ $0.durationNanoseconds })
        }
        return Manifest(
            format: 2, session: session, node: node, gatewayVersion: gatewayVersion, outcome: hasEnded ? .ended : .interrupted,
            started: started, ended: ended, monotonic: monotonic, durationNanoseconds: end?.durationNanoseconds, start: start,
            identity: identity, policyVersion: identity?.policyVersion, approvals: end?.approvals ?? [], endReason: end?.reason,
            keys: keys.recording, originalKeys: keys.originals, segments: segments, frames: summary.frameCounts,
            accounting: summary.accounting, gaps: gaps)
    }
}
