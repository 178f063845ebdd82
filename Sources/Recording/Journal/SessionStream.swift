import CGatehouse
public import GatehouseCore

/// Where one session's frames go into a journal: they gather here, and each commit seals them as one batch. Confined to the journal's
/// loop. `Journal.begin` makes it.
public final class SessionStream {
    /// The pending buffer keeps at most this much memory between commits.
    private static let keptCapacity = 256 << 10

    public let session: SessionID
    private let sealer: BatchCipher?
    private let journal: Journal
    private var sequence: UInt64 = 0

    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// Bytes of whole frames that are not committed.
    private(set) var count = 0
    private var frames: UInt32 = 0
    private var firstSequence: UInt64 = 1
    private var lastTime = WallTime(nanoseconds: 0)
    private var summary = FrameSummary()
    private var end: [UInt8]?

    init(session: SessionID, key: SessionKey?, journal: Journal) throws {
        self.session = session
        sealer = try key?.batchCipher(seals: true)
        self.journal = journal
        capacity = 1024
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// Whether what is recorded now gets into the journal: false once that has failed or is closed.
    public var isRecorded: Bool { journal.poison == nil }

    /// Adds a frame to what the next commit writes.
    @inline(__always)
    public func append(_ kind: RecordKind, time: WallTime, payload: UnsafeRawBufferPointer) {
        append(kind, time: time, prefix: UnsafeRawBufferPointer(start: nil, count: 0), payload: payload)
    }

    /// Adds a frame whose payload is `prefix` and then `payload`.
    public func append(_ kind: RecordKind, time: WallTime, prefix: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        // Numbered all the same: what a failed journal did not take shows as missing.
        sequence &+= 1
        guard journal.accepts(prefix.count, payload.count, self) else { return }
        let header = FrameHeader(
            kind: kind, session: session, sequence: sequence, time: time, payloadLength: prefix.count + payload.count)
        reserve(header.frameSize)
        let start = base + count
        header.write(to: start)
        if let from = prefix.baseAddress { (start + FrameHeader.size).copyMemory(from: from, byteCount: prefix.count) }
        if let from = payload.baseAddress {
            (start + FrameHeader.size + prefix.count).copyMemory(from: from, byteCount: payload.count)
        }
        let checksum = gatehouse_crc32c(0, start + 8, header.frameSize - 8)
        start.storeBytes(of: checksum.littleEndian, toByteOffset: 4, as: UInt32.self)
        count += header.frameSize
        if frames == 0 { firstSequence = sequence }
        frames += 1
        lastTime = time
        summary.add(kind, prefix: prefix, payload: payload)
    }

    /// Adds the session's last frame.
    /// - Throws: `EncodingError`; nothing is appended then.
    public func append(end: SessionEnd, time: WallTime) throws {
        let bytes = try canonicalJSON(end)
        let clear = try canonicalJSON(
            ClearEnd(reason: end.reason, accounting: end.accounting, durationNanoseconds: end.durationNanoseconds, approvals: end.approvals)
        )
        bytes.withUnsafeBytes { append(.end, time: time, payload: $0) }
        self.end = clear
    }

    // MARK: For the journal

    /// The most that `seal` writes.
    var sealedBound: Int { BatchHeader.size + FrameSummary.maximumSize + (end?.count ?? 0) + count + SessionKey.tagSize }

    /// Writes what is pending as one batch, with the checksum salted; returns its size. Nothing is pending then.
    func seal(to target: UnsafeMutableRawPointer, salt: UInt32) throws -> Int {
        var clear = summary.write(to: target + BatchHeader.size)
        if let end {
            end.withUnsafeBytes { bytes in
                if let from = bytes.baseAddress { (target + BatchHeader.size + clear).copyMemory(from: from, byteCount: bytes.count) }
            }
            clear += end.count
        }
        var header = BatchHeader(
            kind: .frames, session: session, firstSequence: firstSequence, frames: frames, time: lastTime, isSealed: sealer != nil,
            clearLength: clear, bodyLength: count + (sealer == nil ? 0 : SessionKey.tagSize))
        header.hasEnd = end != nil
        header.write(to: target)
        let body = target + BatchHeader.size + clear
        let plain = UnsafeRawBufferPointer(start: base, count: count)
        if let sealer {
            let authenticated = UnsafeRawBufferPointer(start: target + 8, count: BatchHeader.size - 8 + clear)
            try sealer.seal(plain, stream: header.stream, firstSequence: firstSequence, header: authenticated, to: body)
        } else {
            body.copyMemory(from: base, byteCount: count)
        }
        let checksum = batchChecksum(UnsafeRawBufferPointer(start: target, count: header.recordSize)) ^ salt
        target.storeBytes(of: checksum.littleEndian, toByteOffset: 4, as: UInt32.self)
        drop()
        return header.recordSize
    }

    /// Forgets what is pending.
    func drop() {
        count = 0
        frames = 0
        end = nil
        summary.reset()
        if capacity > Self.keptCapacity {
            base.deallocate()
            capacity = 1024
            base = .allocate(byteCount: capacity, alignment: 16)
        }
    }

    private func reserve(_ extra: Int) {
        guard capacity - count < extra else { return }
        let wanted = max(capacity * 2, count + extra)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = wanted
    }
}

@available(*, unavailable)
extension SessionStream: Sendable {}
