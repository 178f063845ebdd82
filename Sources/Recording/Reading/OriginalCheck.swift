import GatehouseCore

/// Checks where a session's originals stand, and, with a break-glass key, that each opens. Only of frames that can be read: of the others
/// their number is known, and their hash.
struct OriginalCheck {
    private let session: SessionID
    private let recipients: RecipientKeys
    private var reader: OriginalReader?
    private var hasLookedForKey = false
    private var recorded: [Direction: UInt64] = [:]
    /// Where what stands for the last original of a direction ends.
    private var claimed: [Direction: UInt64] = [:]
    /// Frames are missing: what was recorded in front of an original is not known any more.
    private var hasGap = false
    private var hasSeenAny = false
    private var hasFault = false
    private var lastSequence: UInt64 = 0

    init(session: SessionID, recipients: RecipientKeys) {
        self.session = session
        self.recipients = recipients
    }

    /// - Returns: what is wrong with it, if it is an original; of several that are, of the first.
    mutating func check(_ frame: Frame, _ content: SegmentExtension) -> String? {
        if frame.sequence != lastSequence &+ 1 { hasGap = true }
        lastSequence = frame.sequence
        switch frame.kind {
        case .clientMessages: recorded[.client, default: 0] &+= UInt64(frame.payload.count)
        case .serverMessages: recorded[.server, default: 0] &+= UInt64(frame.payload.count)
        case .original:
            guard !hasFault, let fault = checkOriginal(frame, content) else { return nil }
            hasFault = true
            return fault
        default: break
        }
        return nil
    }

    private mutating func checkOriginal(_ frame: Frame, _ content: SegmentExtension) -> String? {
        hasSeenAny = true
        guard let original = try? SealedOriginal(payload: frame.payload) else {
            return "frame \(frame.sequence) is no original by its form"
        }
        let (end, overflow) = original.offset.addingReportingOverflow(original.recordedBytes)
        let before = claimed[original.direction] ?? 0
        guard !overflow, original.offset >= before, hasGap || original.offset == recorded[original.direction] ?? 0 else {
            return "the original in frame \(frame.sequence) does not stand in front of what it says stands for it"
        }
        claimed[original.direction] = end
        guard content.originalKeys?.isEmpty == false else {
            return "there is an original in frame \(frame.sequence), and the session has no key for one"
        }
        if !hasLookedForKey {
            hasLookedForKey = true
            reader = try? OriginalReader(session: session, keys: recipients, wrapped: content.originalKeys ?? [])
        }
        guard let reader else { return nil }
        do {
            _ = try reader.open(frame)
            return nil
        } catch let finding as Finding {
            return finding.message
        } catch {
            return "frame \(frame.sequence): \(error)"
        }
    }

    /// At the session's end: whether all that is said to stand for something is there.
    func finish() -> String? {
        guard hasSeenAny, !hasGap, !hasFault else { return nil }
        for direction in Direction.allCases where claimed[direction] ?? 0 > recorded[direction] ?? 0 {
            return "an original is said to be replaced by more than was recorded of the \(direction)'s messages"
        }
        return nil
    }
}
