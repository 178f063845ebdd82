public import NIOCore

/// Replaces findings in a stream of text that comes in pieces, cut anywhere.
///
/// What may still become part of a finding is held back, at most `DetectorSet.longestMatch` bytes and a window's overlap. Call
/// `flush` where the other side waits for what is held (a prompt at a terminal): what follows is then searched on its own.
public struct StreamRedactor: Sendable {
    /// What is held back, at least, of text in which nothing is found: a finding that begins there may end in the next piece.
    public static let heldBytes = DetectorSet.overlapBytes

    private let redactor: Redactor
    private var held: [UInt8] = []
    /// How much must be held before it is searched again, so that pieces of a byte each cost no more than large ones.
    private var searchAt = StreamRedactor.heldBytes * 2
    /// The end of what went out, since words nearby stand there too.
    private var surroundings: [UInt8] = []
    /// A finding longer than may be held was replaced: what is still of it is dropped.
    private var dropping = Detector.Tail.none
    public private(set) var findings = 0

    public init(_ redactor: Redactor) {
        self.redactor = redactor
    }

    /// Appends what is certain to `output`.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        // In parts, so that what is held does not grow with the piece.
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(DetectorSet.windowBytes)
            rest = rest.dropFirst(part.count)
            take(part, into: &output)
        }
    }

    /// Appends all that is held: the stream ends here, or pauses.
    public mutating func flush(into output: inout ByteBuffer) {
        emit(upTo: held.count, isEnd: true, into: &output)
    }

    private mutating func take(_ part: UnsafeRawBufferPointer.SubSequence, into output: inout ByteBuffer) {
        var part = part
        if dropping != .none {
            part = part.drop { Self.continues($0, dropping) }
            if part.isEmpty { return }
            dropping = .none
        }
        held.append(contentsOf: part)
        if held.count >= searchAt { emit(upTo: held.count - Self.heldBytes, isEnd: false, into: &output) }
    }

    private mutating func emit(upTo limit: Int, isEnd: Bool, into output: inout ByteBuffer) {
        let redactor = redactor
        let front = surroundings.count
        let all = surroundings + held
        var written = front
        var replaced: [UInt8] = []
        all.withUnsafeBytes { bytes in
            var wait = limit + front
            redactor.set.scan(bytes) { finding in
                let range = Redactor.wholeCharacters(finding.range, in: bytes)
                // Before `front` everything went out already.
                guard range.upperBound > written, range.lowerBound < wait else { return }
                let start = max(range.lowerBound, written)
                let reachesEnd = range.upperBound >= bytes.count - 1 && !isEnd
                if reachesEnd, bytes.count - start <= DetectorSet.longestMatch {
                    wait = start
                    return
                }
                replaced.append(contentsOf: bytes[written..<start])
                redactor.write(UnsafeRawBufferPointer(rebasing: bytes[start..<range.upperBound]), of: finding.detector, to: &replaced)
                written = range.upperBound
                findings += 1
                if reachesEnd { dropping = redactor.set.detectors[finding.detector].tail }
            }
            if !isEnd { wait = Self.wholeCharacter(before: wait, in: bytes) }
            if written < wait {
                replaced.append(contentsOf: bytes[written..<wait])
                written = wait
            }
        }
        output.writeBytes(replaced)
        held = Array(all[written...])
        searchAt = held.count + Self.heldBytes
        surroundings = Array(all[max(0, written - DetectorSet.contextBytes)..<written])
    }

    /// A character of UTF-8 is not cut: what stands for a finding could otherwise come between its bytes.
    private static func wholeCharacter(before index: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        var index = index
        let least = max(0, index - 3)
        while index > least, index < bytes.count, bytes[index] & 0xC0 == 0x80 { index -= 1 }
        return index
    }

    private static func continues(_ byte: UInt8, _ tail: Detector.Tail) -> Bool {
        let isToken = Checks.isDigit(byte) || Checks.isLetter(byte) || "+/=_.-".utf8.contains(byte)
        switch tail {
        case .none: return false
        case .token: return isToken
        case .block: return isToken || " \t\r\n:,\\".utf8.contains(byte)
        }
    }
}
