import CGatehouse
public import GatehouseCore

/// Where one session's frames go into a journal: they gather here, and each commit seals them as one batch. Confined to the journal's
/// loop. `Journal.begin` makes it.
public final class SessionStream {
    /// The pending buffer keeps at most this much memory between commits.
    private static let keptCapacity = 256 << 10

    public let session: SessionID
    private let sealer: BatchCipher?
    private let originals: OriginalSealer?
    private let journal: Journal
    private var sequence: UInt64 = 0
    /// Bytes of each direction in batches that are sealed.
    private var sealedClientBytes: UInt64 = 0
    private var sealedServerBytes: UInt64 = 0

    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// Bytes of whole frames that are not committed.
    private(set) var count = 0
    private var frames: UInt32 = 0
    private var firstSequence: UInt64 = 1
    private var lastTime = WallTime(nanoseconds: 0)
    private var summary = FrameSummary()
    private var end: [UInt8]?

    init(session: SessionID, key: SessionKey?, originals: OriginalsKey?, journal: Journal) throws {
        self.session = session
        sealer = try key?.batchCipher(seals: true)
        self.originals = try originals.map { try OriginalSealer($0) }
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

    // MARK: Originals

    /// Whether what masks take out is kept: there were break-glass recipients when the session began.
    public var sealsOriginals: Bool { originals != nil }

    /// Adds `original`s: the next `recorded` bytes that are recorded of the direction stand for `bytes`. What cannot be sealed fails the
    /// journal, so that nothing goes on for which the original is missing. Does nothing where originals are not kept.
    public func appendOriginal(_ direction: Direction, _ bytes: UnsafeRawBufferPointer, recorded: Int, time: WallTime) {
        guard let originals else { return }
        let before = direction == .client ? sealedClientBytes &+ summary.client.recorded : sealedServerBytes &+ summary.server.recorded
        var start = 0
        repeat {
            let end = min(start + SealedOriginal.maximumBytes, bytes.count)
            // The last piece takes the place of what is recorded, those before it of nothing.
            let prefix = SealedOriginal.Prefix(
                direction: direction, offset: before, recordedBytes: end == bytes.count ? UInt64(recorded) : 0)
            do {
                let sealed = try originals.seal(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<end]), sequence: sequence &+ 1, prefix: prefix,
                    try journal.originalsCompressor())
                prefix.withBytes { prefix in sealed.withUnsafeBytes { append(.original, time: time, prefix: prefix, payload: $0) } }
            } catch {
                return journal.refuse(JournalError(.inputOutput, "what a mask replaced could not be sealed: \(error)"))
            }
            start = end
        } while start < bytes.count
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
            try sealer.seal(plain, stream: .batches, sequence: firstSequence, header: authenticated, to: body)
        } else {
            body.copyMemory(from: base, byteCount: count)
        }
        let checksum = batchChecksum(UnsafeRawBufferPointer(start: target, count: header.recordSize)) ^ salt
        target.storeBytes(of: checksum.littleEndian, toByteOffset: 4, as: UInt32.self)
        sealedClientBytes &+= summary.client.recorded
        sealedServerBytes &+= summary.server.recorded
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
