import Masking
import NIOCore

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
