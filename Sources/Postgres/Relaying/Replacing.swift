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
    /// What is kept of a row that is masked now.
    func kept(ofRow body: ByteBuffer) throws(ProtocolViolation) -> Kept {
        switch rowMask?.original {
        case nil, .nothing: return .nothing
        case .asItCame: return .asItCame
        case .masked(let mask):
            guard let row = PostgresRowMask(mask: mask).mask(body) else {
                throw ProtocolViolation("the server sent a row that is not of the described columns")
            }
            return .other(row)
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
        copyKeepsOriginal = true
        copyOriginalMask = nil
        switch plan.original {
        case .nothing: copyKeepsOriginal = false
        case .asItCame: break
        case .masked(let columns): copyOriginalMask = CopyMask(options: plan.options, columns: columns)
        }
    }
}
