import Masking
import NIOCore

/// What break-glass recipients may see of something that is masked.
enum OriginalView<Mask> {
    /// Nothing of it is kept.
    case nothing
    /// What came.
    case asItCame
    /// What the masks leave that keep no original.
    case masked(Mask)
}

/// What is kept of one message that masks changed.
enum Kept {
    case nothing
    case asItCame
    case other(ByteBuffer)
}

/// Replaced messages gathered, so that many masked rows become one record and one write. They lie one behind the other in the input.
struct Replacing {
    /// Bounds what waits, of what is sent and of what is kept.
    private static let most = 262_144
    private static let mostOriginal = 1 << 20

    private var bytes = ByteBuffer()
    private var original = 0
    private var reason = Replacement.mask
    private var kept = Kept.nothing

    /// - Parameter start: where in `input` the message begins that `more` is sent for.
    mutating func add(
        _ more: ByteBuffer, for count: Int, _ why: Replacement, _ keeping: Kept, at start: Int, of input: ByteBuffer,
        _ sink: inout some RelaySink
    ) {
        if original > 0, why != reason || !isKept(like: keeping) { flush(&sink) }
        switch keeping {
        case .nothing: break
        case .asItCame:
            // From the first of them on: as long as none is sent, each follows the one before.
            let first = start - original
            kept = .other(input.getSlice(at: first, length: original + count) ?? ByteBuffer())
            isSlice = true
        case .other(let more):
            if case .other(var before) = kept {
                kept = .nothing
                before.writeImmutableBuffer(more)
                kept = .other(before)
            } else {
                kept = .other(more)
            }
            isSlice = false
        }
        reason = why
        original += count
        if bytes.readableBytes == 0 { bytes = more } else { bytes.writeImmutableBuffer(more) }
        if bytes.readableBytes > Self.most || original > Self.mostOriginal { flush(&sink) }
    }

    /// What is kept is a piece of the input.
    private var isSlice = false

    private func isKept(like other: Kept) -> Bool {
        switch (kept, other) {
        case (.nothing, .nothing): true
        case (.other, .asItCame): isSlice
        case (.other, .other): !isSlice
        default: false
        }
    }

    mutating func flush(_ sink: inout some RelaySink) {
        guard original > 0 else { return }
        if case .other(let came) = kept { sink.original(.server, came, recorded: bytes.readableBytes) }
        sink.replaceForClient(original: original, by: bytes, because: reason)
        bytes = ByteBuffer()
        original = 0
        kept = .nothing
    }
}

extension RelayMachine {
    /// What is kept of a row that is masked now. What detectors find keeps nothing.
    func kept(of row: ByteBuffer, _ rowMask: PostgresRowMask, isClean: Bool) throws(ProtocolViolation) -> Kept {
        guard rowMask.mask != nil else { return .nothing }
        let mask: RowMask?
        switch rowMask.original {
        case .nothing: return .nothing
        case .asItCame:
            guard rowMask.detection != nil else { return .asItCame }
            mask = nil
        case .masked(let other): mask = other
        }
        switch PostgresRowMask(mask: mask, detection: rowMask.detection).mask(row, isClean: isClean) {
        case .replaced(let other): return .other(other)
        case .unchanged:
            var message = ByteBuffer()
            writeMessage(Backend.dataRow, to: &message) { $0.writeImmutableBuffer(row) }
            return .other(message)
        case .malformed: throw ProtocolViolation("the server sent a row that is not of the described columns")
        }
    }

    /// What is kept of copy data that is masked now.
    mutating func kept(ofCopyData body: ByteBuffer) throws(ProtocolViolation) -> Kept {
        guard copyKeepsOriginal else { return .nothing }
        guard copyOriginalMask != nil else { return .asItCame }
        var message = ByteBuffer()
        message.writeInteger(Backend.copyData)
        message.writeInteger(Int32(0))
        do {
            _ = try copyOriginalMask?.feed(body.readableBytesView, into: &message)
        } catch {
            throw ProtocolViolation("copy data could not be masked: \(error)")
        }
        message.setInteger(Int32(clamping: message.writerIndex - 1), at: 1)
        return .other(message.writerIndex > MessageHeader.size ? message : ByteBuffer())
    }

    /// Copy data begins that is masked by `plan`.
    mutating func keepOriginals(of plan: CopyMaskPlan) {
        copyKeepsOriginal = false
        copyOriginalMask = nil
        guard let masked = plan.columns else { return }
        let columns: [ColumnMask?]
        switch plan.original {
        case .nothing: return
        case .asItCame: columns = masked.map { _ in nil }
        case .masked(let others): columns = others
        }
        copyKeepsOriginal = true
        // What detectors find keeps nothing; they look where they look for the client.
        let clear = Set(zip(masked, columns).enumerated().filter { $1.0 != nil && $1.1 == nil }.map(\.offset))
        if plan.redactor != nil || columns.contains(where: { $0 != nil }) {
            copyOriginalMask = CopyMask(options: plan.options, columns: columns, redactor: plan.redactor, clear: clear)
        }
    }
}
