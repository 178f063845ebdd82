import Masking
import NIOCore

/// The data of a COPY .. TO STDOUT as it arrives, for those that see it.
struct CopyOut {
    /// How one of them sees it.
    private enum View {
        case asItCame
        case masked(CopyMask)
        /// As the client: of the recording alone.
        case asSent

        /// What stands for `payload`, as a message; nil where nothing does.
        mutating func feed(_ payload: ByteBuffer, _ count: (MaskCounts) -> Void) throws(ProtocolViolation) -> ByteBuffer? {
            guard case .masked(var mask) = self else { return nil }
            // Else it would be copied for each piece.
            self = .asItCame
            defer { self = .masked(mask) }
            var message = ByteBuffer()
            message.reserveCapacity(payload.readableBytes + MessageHeader.size + 64)
            message.writeInteger(Backend.copyData)
            message.writeInteger(Int32(0))
            do {
                count(try mask.feed(payload.readableBytesView, into: &message))
            } catch {
                throw ProtocolViolation("copy data could not be masked: \(error)")
            }
            message.setInteger(Int32(clamping: message.writerIndex - 1), at: 1)
            // Nothing may be certain yet of what the chunk holds.
            return message.writerIndex > MessageHeader.size ? message : ByteBuffer()
        }

        mutating func finish() throws {
            guard case .masked(var mask) = self else { return }
            try mask.finish()
            self = .asItCame
        }
    }

    private var client: View
    private var recording: View
    /// Break-glass recipients get what is masked in the recording: as it came, or as the other mask leaves it.
    private var keepsOriginal = false
    private var original = View.asItCame

    /// - Throws: `ProtocolViolation` when the server is about to send something else than was planned for.
    init(_ plan: CopyMaskPlan, isBinary: Bool, columns count: Int) throws(ProtocolViolation) {
        let needsMask = plan.columns != nil || plan.redactor != nil
        client = needsMask ? .masked(try plan.mask(isBinary: isBinary, columns: count)) : .asItCame
        switch plan.recording {
        case .asSent: recording = .asSent
        case .columns(let columns):
            let other = CopyMaskPlan(options: plan.options, columns: columns, redactor: plan.redactor)
            recording = columns != nil || plan.redactor != nil ? .masked(try other.mask(isBinary: isBinary, columns: count)) : .asItCame
        }
        keepOriginals(of: plan)
    }

    private mutating func keepOriginals(of plan: CopyMaskPlan) {
        guard let masked = plan.recordedColumns else { return }
        let columns: [ColumnMask?]
        switch plan.original {
        case .nothing: return
        case .asItCame: columns = masked.map { _ in nil }
        case .masked(let others): columns = others
        }
        keepsOriginal = true
        // What detectors find keeps nothing; they look where they look for the recording.
        let clear = Set(zip(masked, columns).enumerated().filter { $1.0 != nil && $1.1 == nil }.map(\.offset))
        if plan.redactor != nil || columns.contains(where: { $0 != nil }) {
            original = .masked(CopyMask(options: plan.options, columns: columns, redactor: plan.redactor, clear: clear))
        }
    }

    /// Whether all see the data as it is; nothing is taken in then.
    func passes(_ payload: ByteBuffer) -> Bool {
        guard case .asSent = recording, case .masked(let mask) = client else { return false }
        return mask.passes(payload.readableBytesView)
    }

    /// - Parameter message: the CopyData of which `payload` is the body.
    mutating func feed(
        _ payload: ByteBuffer, of message: @autoclosure () -> ByteBuffer, counting count: (MaskCounts) -> Void
    ) throws(ProtocolViolation) -> ServerReplacement {
        let sent = try client.feed(payload, count)
        let recorded: Recorded
        var why = Replacement.mask
        switch recording {
        case .asSent: recorded = .asSent
        case .asItCame, .masked:
            let other = try recording.feed(payload, count)
            recorded = other.map { .other($0) } ?? .asItCame
            why = Replacement(client: sent != nil, recording: other != nil)
        }
        return ServerReplacement(bytes: sent ?? message(), reason: why, kept: try kept(payload), recorded: recorded)
    }

    private mutating func kept(_ payload: ByteBuffer) throws(ProtocolViolation) -> Kept {
        guard keepsOriginal else { return .nothing }
        return try original.feed(payload) { _ in }.map { .other($0) } ?? .asItCame
    }

    /// - Throws: where the data ended amid a row.
    mutating func finish() throws {
        try client.finish()
        try recording.finish()
    }
}
