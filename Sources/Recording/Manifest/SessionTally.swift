import GatehouseCore

/// What a session's frames add up to. The vault keeps one a live session; the verifier makes one from the store.
struct SessionTally {
    private(set) var lastSequence: UInt64 = 0
    /// Frames, by the number of their kind.
    private var frames = [UInt64](repeating: 0, count: Int(RecordKind.allCases.map(\.rawValue).max() ?? 0) + 1)
    private(set) var counter = AccountingCounter()
    private(set) var gaps: [Manifest.Gap] = []
    private(set) var started: WallTime?
    private(set) var ended: WallTime?
    private(set) var start: [UInt8]?
    private(set) var identity: [UInt8]?
    private(set) var end: [UInt8]?

    /// How a frame stands to those before it.
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

    mutating func add(_ header: FrameHeader, payload: UnsafeRawBufferPointer) -> Order {
        guard header.sequence > lastSequence else { return .repeated }
        guard end == nil else { return .afterEnd }
        let isNext = header.sequence == lastSequence &+ 1
        if !isNext {
            gaps.append(Manifest.Gap(after: lastSequence, before: header.sequence, reason: "missing frames"))
        }
        lastSequence = header.sequence
        frames[Int(header.kind.rawValue)] &+= 1
        counter.count(header.kind, payload: payload)
        if started == nil { started = header.time }
        ended = header.time
        switch header.kind {
        case .start: start = Array(payload)
        case .identity: identity = Array(payload)
        case .end: end = Array(payload)
        case .file, .clientMessages, .serverMessages, .verdict, .injected, .withheld, .masked, .notice, .cancel, .gap, .error, .upstream:
            break
        }
        return isNext ? .next : .behindGap
    }

    mutating func add(_ frame: Frame) -> Order {
        let header = FrameHeader(
            kind: frame.kind, session: frame.session, sequence: frame.sequence, time: frame.time, payloadLength: frame.payload.count)
        return frame.payload.withUnsafeBytes { add(header, payload: $0) }
    }

    /// Notes that frames behind the last one are known to be lost.
    mutating func noteLoss(_ reason: String) {
        let gap = Manifest.Gap(after: lastSequence, before: nil, reason: reason)
        if gaps.last != gap { gaps.append(gap) }
    }

    /// The end record, if it was read and can be.
    var sessionEnd: SessionEnd? { end.flatMap { try? SessionEnd.fromJSON($0) } }

    /// Frames by the name of their kind; none that is 0.
    var frameCounts: [String: UInt64] {
        var named: [String: UInt64] = [:]
        for kind in RecordKind.allCases where frames[Int(kind.rawValue)] > 0 { named[kind.name] = frames[Int(kind.rawValue)] }
        return named
    }

    func manifest(session: SessionID, node: String, gatewayVersion: String, segments: [Manifest.Segment]) -> Manifest {
        let end = sessionEnd
        return Manifest(
            format: 1, session: session, node: node, gatewayVersion: gatewayVersion, outcome: hasEnded ? .ended : .interrupted,
            started: started, ended: ended, durationNanoseconds: end?.durationNanoseconds,
            start: start.flatMap { try? SessionStart.fromJSON($0) }, identity: identity.flatMap { try? SessionIdentity.fromJSON($0) },
            endReason: end?.reason, segments: segments,
            frames: frameCounts, accounting: counter.accounting, gaps: gaps)
    }
}
