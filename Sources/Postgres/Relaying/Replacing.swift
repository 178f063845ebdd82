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

/// A message of the server's that masks changed.
struct ServerReplacement {
    /// For the client.
    let bytes: ByteBuffer
    let reason: Replacement
    var kept = Kept.nothing
    var recorded = Recorded.asSent
}

/// Replaced messages gathered, so that many masked rows become one record and one write. They lie one behind the other in the input.
struct Replacing {
    /// Bounds what waits, of what is sent and of what is kept.
    private static let most = 262_144
    private static let mostOriginal = 1 << 20

    /// For the client, and for the recording where that holds something else.
    private var bytes = ByteBuffer()
    private var recording = ByteBuffer()
    private var isSplit = false
    private var original = 0
    private var reason = Replacement.mask
    private var kept = Kept.nothing

    /// - Parameter start: where in `input` the message begins that `more` is sent for.
    mutating func add(
        _ more: ServerReplacement, for count: Int, at start: Int, of input: ByteBuffer, _ sink: inout some RelaySink
    ) {
        let isSplit = if case .asSent = more.recorded { false } else { true }
        if original > 0, more.reason != reason || isSplit != self.isSplit || !isKept(like: more.kept) { flush(&sink) }
        self.isSplit = isSplit
        switch more.recorded {
        case .asSent: break
        case .asItCame: if let message = input.getSlice(at: start, length: count) { recording.writeImmutableBuffer(message) }
        case .other(let bytes): recording.writeImmutableBuffer(bytes)
        }
        switch more.kept {
        case .nothing: break
        case .asItCame:
            keepSlice(of: input, upTo: start + count, length: original + count)
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
        reason = more.reason
        original += count
        if bytes.readableBytes == 0 { bytes = more.bytes } else { bytes.writeImmutableBuffer(more.bytes) }
        if bytes.readableBytes > Self.most || original > Self.mostOriginal { flush(&sink) }
    }

    /// Masks the whole rows that `input` holds from `start` on, straight into what is gathered: as many as are sound and fit. None of
    /// them: the next message is something else, or has to go the long way.
    mutating func addRows(
        in input: ByteBuffer, from start: Int, maximum: Int, by mask: RowMask, keepsOriginal: Bool, _ sink: inout some RelaySink
    ) -> (rows: Int, bytes: Int) {
        let keeping = keepsOriginal ? Kept.asItCame : .nothing
        let isFull = bytes.readableBytes > Self.most / 2 || original > Self.mostOriginal / 2
        if original > 0, isFull || isSplit || reason != .mask || !isKept(like: keeping) { flush(&sink) }
        isSplit = false
        var rows = 0
        var position = start
        let end = min(input.writerIndex, start + Self.mostOriginal / 2)
        guard start >= 0, start < end else { return (0, 0) }
        input.withVeryUnsafeBytes { all in
            let room = min((end - start) / 4 * 5, Self.most / 2) + 1_024
            bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { output in
                var written = 0
                while let length = Self.rowLength(all, position, end), length <= maximum,
                    let room = mask.room(for: length), output.count - written >= room + MessageHeader.size
                {
                    let body = position + MessageHeader.size
                    let row = UnsafeRawBufferPointer(rebasing: all[body..<(body + length)])
                    let space = UnsafeMutableRawBufferPointer(rebasing: output[(written + MessageHeader.size)...])
                    guard let count = try? mask.mask(row: row, to: space) else { break }
                    output[written] = Backend.dataRow
                    output.storeBytes(of: Int32(clamping: count + 4).bigEndian, toByteOffset: written + 1, as: Int32.self)
                    written += MessageHeader.size + count
                    position = body + length
                    rows += 1
                }
                return written
            }
        }
        guard rows > 0 else { return (0, 0) }
        let taken = position - start
        if keepsOriginal { keepSlice(of: input, upTo: position, length: original + taken) }
        reason = .mask
        original += taken
        return (rows, taken)
    }

    /// The length of the body of a DataRow that is at `position` as a whole.
    private static func rowLength(_ all: UnsafeRawBufferPointer, _ position: Int, _ end: Int) -> Int? {
        guard end - position >= MessageHeader.size, all[position] == Backend.dataRow else { return nil }
        let length = Int(Int32(bigEndian: all.loadUnaligned(fromByteOffset: position + 1, as: Int32.self)))
        guard length >= 4, length < end - position else { return nil }
        return length - 4
    }

    /// From the first of what is gathered on: as long as none is sent, each message follows the one before.
    private mutating func keepSlice(of input: ByteBuffer, upTo end: Int, length: Int) {
        kept = .other(input.getSlice(at: end - length, length: length) ?? ByteBuffer())
        isSlice = true
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
        let recorded = isSplit ? recording : bytes
        if case .other(let came) = kept { sink.original(.server, came, recorded: recorded.readableBytes) }
        sink.replaceForClient(original: original, by: bytes, recording: recorded, because: reason)
        bytes = ByteBuffer()
        recording = ByteBuffer()
        original = 0
        kept = .nothing
    }
}

extension RelayMachine {
    /// What is kept of a row that is masked now. What detectors find keeps nothing.
    func kept(of row: ByteBuffer, _ rowMask: PostgresRowMask, isClean: Bool) throws(ProtocolViolation) -> Kept {
        let recorded = rowMask.recorded
        guard recorded.mask != nil else { return .nothing }
        let mask: RowMask?
        switch rowMask.original {
        case .nothing: return .nothing
        case .asItCame:
            guard recorded.detection != nil else { return .asItCame }
            mask = nil
        case .masked(let other): mask = other
        }
        switch RowView(mask: mask, detection: recorded.detection).mask(row, isClean: isClean) {
        case .replaced(let other): return .other(other)
        case .unchanged:
            var message = ByteBuffer()
            writeMessage(Backend.dataRow, to: &message) { $0.writeImmutableBuffer(row) }
            return .other(message)
        case .malformed: throw ProtocolViolation("the server sent a row that is not of the described columns")
        }
    }
}
