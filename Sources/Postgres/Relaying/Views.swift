import Masking
import NIOCore

/// The two that see an answer. A mask applies to one of them, or to both.
struct Views: OptionSet, Sendable, Hashable {
    let rawValue: UInt8
    static let client = Views(rawValue: 1 << 0)
    static let recording = Views(rawValue: 1 << 1)
    static let both: Views = [.client, .recording]
}

/// What the recording holds of a message, where something else than came goes to the client.
enum Recorded {
    /// What the client gets.
    case asSent
    /// What the server sent.
    case asItCame
    case other(ByteBuffer)
}

/// What becomes of a message for one of those that see it.
enum Outcome {
    /// It goes on as it came.
    case unchanged
    case replaced(ByteBuffer)
    /// The body is not of the columns.
    case malformed
}

/// How one of those that see a result's rows sees them.
struct RowView {
    /// nil: no column is masked.
    let mask: RowMask?
    /// nil: no column is searched.
    let detection: RowDetection?

    init(mask: RowMask?, detection: RowDetection? = nil) {
        self.mask = mask
        self.detection = detection
    }

    /// Rows are seen as they are.
    var isEmpty: Bool { mask == nil && detection == nil }

    /// - Parameters:
    ///   - body: of a DataRow.
    ///   - isClean: It is known that detectors find nothing in it.
    ///   - seeing: Is shown every value that is masked.
    func mask(_ body: ByteBuffer, isClean: Bool = false, seeing: ((UnsafeRawBufferPointer) -> Void)? = nil) -> Outcome {
        guard let mask else {
            guard let detection, !isClean else { return .unchanged }
            return row(detection, body, seeing)
        }
        var buffer = Self.begun(body.readableBytes + 64)
        guard (try? mask.mask(dataRow: body.readableBytesView, into: &buffer, seeing: seeing)) != nil else { return .malformed }
        if let detection, !isClean, let masked = buffer.getSlice(at: MessageHeader.size, length: buffer.writerIndex - MessageHeader.size) {
            switch row(detection, masked, seeing) {
            case .unchanged: break
            case .replaced(let both): return .replaced(both)
            case .malformed: return .malformed
            }
        }
        return .replaced(Self.finished(buffer))
    }

    private func row(_ detection: RowDetection, _ body: ByteBuffer, _ seeing: ((UnsafeRawBufferPointer) -> Void)?) -> Outcome {
        var buffer = Self.begun(body.readableBytes + 64)
        do {
            guard try detection.rewrite(body.readableBytesView, into: &buffer, seeing: seeing) != nil else { return .unchanged }
        } catch {
            return .malformed
        }
        return .replaced(Self.finished(buffer))
    }

    private static func begun(_ capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(capacity)
        buffer.writeInteger(Backend.dataRow)
        buffer.writeInteger(Int32(0))
        return buffer
    }

    private static func finished(_ buffer: ByteBuffer) -> ByteBuffer {
        var buffer = buffer
        buffer.setInteger(Int32(clamping: buffer.writerIndex - 1), at: 1)
        return buffer
    }
}
