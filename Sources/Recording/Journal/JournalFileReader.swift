import GatehouseCore

/// Bytes of a journal file that hold no readable frame.
struct JournalDamage: Hashable {
    var path: String
    var offset: Int
    var length: Int
    /// The session that the damaged header names, if it can be read at all; a hint, not a fact.
    var session: SessionID?
    /// Nothing readable follows: a write that was cut off.
    var isTail: Bool
}

/// Reads the batches of one journal file from the beginning, in pieces, past damage.
///
/// A batch's checksum is salted with a number that only the file's header holds. So when a reader has to look for the next batch
/// behind damage, bytes that a client sent to look like one are not taken for one, sealed or not.
final class JournalFileReader {
    /// A whole batch, its plain checksum beside it; the stored one is salted.
    struct Item {
        var batch: Batch
        var checksum: UInt32
    }

    /// Bytes of candidates that a search behind damage may check before it gives the rest of the file up: a file made to
    /// look like many overlapping frames would take hours.
    static let searchBudget = 4 << 30
    private static let chunk = 256 << 10

    let path: String
    private(set) var fileHeader: JournalFileHeader?
    /// Everything before it has been returned.
    private(set) var offset = 0

    private let descriptor: Int32
    private let fileSystem: any FileSystem
    private var salt: UInt32?
    private var buffer: [UInt8] = []

    init(path: String, fileSystem: any FileSystem) throws(FileError) {
        self.path = path
        self.fileSystem = fileSystem
        descriptor = try fileSystem.open(path, .read)
    }

    deinit { fileSystem.close(descriptor) }

    func size() throws(FileError) -> Int {
        try fileSystem.size(descriptor, path: path)
    }

    /// Returns the batches of the next piece of the file, up to `limit`, where whole ones are known to end.
    /// - Parameters:
    ///   - mayBeTorn: the file's last write may have been cut off (nobody writes it now).
    ///   - each: called for every batch; the pointers in it are good during the call only.
    /// - Returns: false when nothing more can be read below `limit`.
    func readPiece(
        upTo limit: Int, mayBeTorn: Bool, each: (Item) -> Void, damage: (JournalDamage) -> Void
    ) throws(FileError) -> Bool {
        guard offset < limit else { return false }
        var wanted = min(Self.chunk, limit - offset)
        while true {
            let count = try fill(wanted)
            guard count > 0 else { return false }
            let consumed = parse(count, each)
            if consumed > 0 {
                offset += consumed
                return true
            }
            if let needed = missingBytes(count), offset + needed <= limit, count < needed {
                wanted = needed
                continue
            }
            return try skipDamage(limit, mayBeTorn: mayBeTorn, damage)
        }
    }

    private func fill(_ wanted: Int) throws(FileError) -> Int {
        if buffer.count < wanted || buffer.count > max(wanted, 4 << 20) { buffer = [UInt8](repeating: 0, count: max(wanted, Self.chunk)) }
        var count = 0
        var failure: FileError?
        buffer.withUnsafeMutableBytes { raw in
            do throws(FileError) {
                count = try fileSystem.readFully(
                    descriptor, path: path, into: UnsafeMutableRawBufferPointer(rebasing: raw[..<wanted]), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return count
    }

    /// Hands out the whole batches at the beginning of the buffer; returns their size.
    private func parse(_ count: Int, _ each: (Item) -> Void) -> Int {
        buffer.withUnsafeBytes { all in
            var position = 0
            while true {
                let rest = UnsafeRawBufferPointer(rebasing: all[position..<count])
                if offset + position == 0 {
                    guard let size = readFileHeader(rest) else { return position }
                    position += size
                    continue
                }
                guard let item = item(rest) else { return position }
                each(item)
                position += item.batch.record.count
            }
        }
    }

    /// The batch at the beginning of `bytes`, if a whole sound one is there.
    private func item(_ bytes: UnsafeRawBufferPointer) -> Item? {
        guard let salt, let header = BatchHeader(bytes), bytes.count >= header.recordSize else { return nil }
        let record = UnsafeRawBufferPointer(rebasing: bytes[..<header.recordSize])
        let checksum = batchChecksum(record)
        guard checksum == FrameHeader.storedChecksum(record) ^ salt else { return nil }
        return Item(batch: Batch(header: header, record: record), checksum: checksum)
    }

    /// Takes salt and names from the file's first frame; its size, or nil when it is not sound.
    private func readFileHeader(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let header = FrameHeader(bytes), header.kind == .file, header.payloadLength >= 4, bytes.count >= header.frameSize else {
            return nil
        }
        let frame = UnsafeRawBufferPointer(rebasing: bytes[..<header.frameSize])
        guard frameChecksum(frame) == FrameHeader.storedChecksum(frame),
            let body = try? JournalFileHeader.fromJSON(frame[(FrameHeader.size + 4)...]), body.format == 2
        else { return nil }
        salt = UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: FrameHeader.size, as: UInt32.self))
        fileHeader = body
        return header.frameSize
    }

    /// The size of the record that begins in the buffer, by its own word.
    private func missingBytes(_ count: Int) -> Int? {
        buffer.withUnsafeBytes { all in
            let rest = UnsafeRawBufferPointer(rebasing: all[..<count])
            if offset == 0 { return count < FrameHeader.size ? FrameHeader.size : FrameHeader(rest)?.frameSize }
            return count < BatchHeader.size ? BatchHeader.size : BatchHeader(rest)?.recordSize
        }
    }

    /// Moves behind bytes that are no batch: to where the damaged one says it ends if another follows there, or else to the
    /// next sound batch.
    private func skipDamage(_ limit: Int, mayBeTorn: Bool, _ damage: (JournalDamage) -> Void) throws(FileError) -> Bool {
        let count = try fill(limit - offset)
        let (next, session) = buffer.withUnsafeBytes { all -> (Int?, SessionID?) in
            let rest = UnsafeRawBufferPointer(rebasing: all[..<count])
            if offset == 0 { recoverSalt(rest) }
            return (nextBatch(rest), BatchHeader(rest)?.session)
        }
        let start = offset
        offset += next ?? count
        damage(JournalDamage(path: path, offset: start, length: offset - start, session: session, isTail: next == nil && mayBeTorn))
        return offset < limit
    }

    private func nextBatch(_ bytes: UnsafeRawBufferPointer) -> Int? {
        if let size = BatchHeader(bytes)?.recordSize, size <= bytes.count,
            item(UnsafeRawBufferPointer(rebasing: bytes[size...])) != nil
        {
            return size
        }
        var budget = Self.searchBudget
        var position = 1
        while position + BatchHeader.size <= bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            if rest[8] == BatchHeader.version, let header = BatchHeader(rest), header.recordSize <= rest.count {
                budget -= header.recordSize
                guard budget > 0 else { return nil }
                if item(rest) != nil { return position }
            }
            position += 1
        }
        return nil
    }

    /// When the file's first frame is damaged, its salt may still be sound: good if a batch follows under it.
    private func recoverSalt(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= FrameHeader.size + 4 else { return }
        salt = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: FrameHeader.size, as: UInt32.self))
        if nextBatch(bytes) == nil { salt = nil }
    }
}
