import Masking
import NIOCore

/// How the rows of one result are masked: columns by rules that name them, others by what detectors find in them.
struct PostgresRowMask {
    /// nil: no column is masked.
    let mask: RowMask?
    /// nil: no column is searched.
    let detection: RowDetection?
    /// What of the columns that rules name is kept for break-glass recipients.
    var original: OriginalView<RowMask>

    init(mask: RowMask?, detection: RowDetection? = nil, original: OriginalView<RowMask> = .nothing) {
        self.mask = mask
        self.detection = detection
        self.original = original
    }

    /// The mask where it alone changes rows, and whether what came is kept.
    var plain: (mask: RowMask, keepsOriginal: Bool)? {
        guard let mask, detection == nil else { return nil }
        switch original {
        case .nothing: return (mask, false)
        case .asItCame: return (mask, true)
        case .masked: return nil
        }
    }

    /// What becomes of a row.
    enum Outcome {
        /// It goes on as it came.
        case unchanged
        case replaced(ByteBuffer)
        /// The body is not of the columns.
        case malformed
    }

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

/// Looks at rows ahead, many at a time, so that detectors need one pass over all of them where nothing is in any.
///
/// Places are of one buffer of the server's bytes, and mean nothing in the next: `begin` forgets them.
struct RowScan {
    /// Rows gathered for one pass; more of them, and one that holds something makes more others be looked at one by one.
    private static let passBytes = 4_096

    private var text: [UInt8] = []
    /// Rows before this place were looked at.
    private var end = 0
    private var isClean = false

    mutating func begin() {
        end = 0
    }

    /// Whether the row whose message starts at `start` is known to hold nothing.
    mutating func isClean(_ start: Int, in input: ByteBuffer, _ detection: RowDetection) -> Bool {
        if start >= end { look(at: start, input, detection) }
        if isClean { return true }
        // Something is in one of these rows: in this one?
        text.removeAll(keepingCapacity: true)
        guard let header = try? MessageHeader(at: start, in: input, maximum: .max) else { return false }
        return collect(start, header, input, detection) && !detection.redactor.set.mayHold(text)
    }

    private mutating func look(at start: Int, _ input: ByteBuffer, _ detection: RowDetection) {
        text.removeAll(keepingCapacity: text.capacity <= 262_144)
        end = start
        isClean = true
        while text.count < Self.passBytes, let header = try? MessageHeader(at: end, in: input, maximum: .max),
            header.type == Backend.dataRow, input.writerIndex - end >= header.totalLength
        {
            let collected = collect(end, header, input, detection)
            end += header.totalLength
            if !collected {
                isClean = false
                return
            }
        }
        isClean = !detection.redactor.set.mayHold(text)
    }

    private mutating func collect(_ start: Int, _ header: MessageHeader, _ input: ByteBuffer, _ detection: RowDetection) -> Bool {
        let range = (start + MessageHeader.size)..<(start + header.totalLength)
        return input.withVeryUnsafeBytes { all in
            guard range.upperBound <= all.count, range.lowerBound <= range.upperBound else { return false }
            return detection.collect(UnsafeRawBufferPointer(rebasing: all[range]), into: &text)
        }
    }
}
