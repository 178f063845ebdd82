import CGatehouse
public import GatehouseCore
import Synchronization

/// The evidence of every session of one event loop, appended to files before anything goes on.
///
/// Confined to its loop: it has no locks. Sessions' streams only gather in memory; `commit` seals all that is pending, a batch a
/// session, and writes it with one call.
/// A failed commit poisons the journal: what was appended since the last good commit must not be forwarded, and the sessions that
/// it belongs to have to end. `reset()` then begins a new file, never behind a torn one.
public final class Journal {
    /// The pending buffer keeps at most this much memory between commits.
    private static let keptCapacity = 1 << 20

    private let directory: String
    private let loop: Int
    private let node: String
    private let clock: any GatewayClock
    private let rotateAtBytes: Int
    /// A file is written no longer than this: what was deleted from the store must not live on in it.
    private static let rotateAfterNanoseconds: UInt64 = 3_600_000_000_000
    private let fileSystem: any FileSystem
    private let vault: Vault?
    private let sealing: Sealing
    private let log: (any StartLog)?
    /// A random name of this journal.
    private let boot: String
    /// The same in all files of this journal: what is pending when one is full goes into the next.
    private let salt = UInt32.random(in: .min ... .max)
    private var sync: JournalSync
    private let execute: @Sendable (@escaping @Sendable () -> Void) -> Void

    private var file: OpenFile?
    /// The file before, until the next rotation: a session's first synced commit must cover what it wrote there.
    private var retired: JournalSync.Descriptor?
    private var nextCounter: UInt64
    private var failure: JournalError?
    /// Of the originals of all sessions; made when the first is kept.
    private var compressor: ZstdCompressor?

    /// What the next commit writes in front of the batches: openings.
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var count = 0
    /// Streams that have frames to commit, and how many bytes that is.
    private var pendingStreams: [SessionStream] = []
    private var pendingFrameBytes = 0

    private struct OpenFile {
        var descriptor: JournalSync.Descriptor
        var feed: JournalFeed
        /// Bytes of whole commits in the file.
        var size = 0
        var openedAt: UInt64
        var isNameDurable = false
    }

    /// Opens a new file behind those that are in `directory` (made, if it is missing).
    /// - Parameters:
    ///   - loop: which event loop; no two journals of a directory may share one.
    ///   - rotateAtBytes: a new file begins once one is at least this long.
    ///   - sealing: what sessions are sealed to.
    ///   - log: told of each session before anything of it is written; nil, in tests alone, logs none.
    ///   - vault: told of every commit; nil leaves the files to a later recovery.
    ///   - execute: where completions of `commitSynced` run, such as `eventLoop.execute`.
    public init(
        directory: String, loop: Int, node: String, clock: any GatewayClock, rotateAtBytes: Int = 64 << 20,
        sealing: Sealing, log: (any StartLog)?, vault: Vault?, fileSystem: any FileSystem = LocalFileSystem(),
        execute: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void = { $0() }
    ) throws(JournalError) {
        self.directory = directory
        self.loop = loop
        self.node = node
        self.clock = clock
        self.rotateAtBytes = max(rotateAtBytes, 1)
        self.vault = vault
        self.sealing = sealing
        self.log = log
        self.fileSystem = fileSystem
        self.execute = execute
        sync = JournalSync(fileSystem: fileSystem, log: log, execute: execute)
        boot = SessionID(at: clock.wallTime()).description
        capacity = 64 << 10
        base = .allocate(byteCount: capacity, alignment: 16)
        nextCounter = 1
        do throws(FileError) {
            try fileSystem.makeDirectories(directory)
            for name in try fileSystem.list(directory) ?? [] {
                // A file that was set aside keeps its number too.
                let plain = name.hasSuffix(".bad") ? String(name.dropLast(4)) : name
                if let name = JournalFileName(plain), name.loop == loop { nextCounter = max(nextCounter, name.counter &+ 1) }
            }
        } catch {
            throw JournalError(error)
        }
        try openFile()
    }

    deinit {
        close()
        base.deallocate()
    }

    /// Whether something is appended and not committed.
    public var hasPending: Bool { count > 0 || pendingFrameBytes > 0 }
    /// Bytes appended and not committed, before sealing.
    public var pendingBytes: Int { count + pendingFrameBytes }
    /// Why nothing can be committed now; nil when all is well.
    public var poison: JournalError? { failure }

    /// Begins a session: makes its key, says so in the log, and records who it is. Nothing of it is on disk before the next commit.
    /// - Throws: `JournalError`, or what the log throws; the session must not go on then.
    public func begin(_ session: SessionID, start: SessionStart, identity: SessionIdentity, time: WallTime) throws -> SessionStream {
        if let failure { throw JournalError(.poisoned, failure.message) }
        let begun = try sealing.begin(session)
        let wrapped = begun.wrapped
        do {
            try log?.began(session, keys: wrapped, at: time)
            try appendOpening(
                session,
                SessionOpening(keys: wrapped.recording, originalKeys: wrapped.originals, start: start, identity: identity), time)
        } catch {
            sealing.end(session)
            throw error
        }
        let stream = try SessionStream(session: session, key: begun.key, originals: begun.originals, journal: self)
        try stream.append(.start, time: time, json: start)
        try stream.append(.identity, time: time, json: identity)
        return stream
    }

    private func appendOpening(_ session: SessionID, _ opening: SessionOpening, _ time: WallTime) throws {
        let clear = try canonicalJSON(opening)
        // Half of what fits: its first segment says the same, and more.
        guard clear.count <= BatchHeader.maximumClear / 2 else {
            throw JournalError(.payloadTooLarge, "what is known of the session at its start is above the journal's limit of 512 KiB")
        }
        let header = BatchHeader(
            kind: .opening, session: session, firstSequence: 0, frames: 0, time: time, isSealed: !opening.keys.isEmpty,
            clearLength: clear.count, bodyLength: 0)
        reserve(header.recordSize)
        let target = base + count
        header.write(to: target)
        clear.withUnsafeBytes { bytes in
            if let from = bytes.baseAddress { (target + BatchHeader.size).copyMemory(from: from, byteCount: bytes.count) }
        }
        let checksum = batchChecksum(UnsafeRawBufferPointer(start: target, count: header.recordSize)) ^ salt
        target.storeBytes(of: checksum.littleEndian, toByteOffset: 4, as: UInt32.self)
        count += header.recordSize
    }

    /// Whether a stream may add a frame with a payload of these parts; it is then counted.
    @inline(__always)
    func accepts(_ prefix: Int, _ payload: Int, _ stream: SessionStream) -> Bool {
        guard failure == nil, file != nil else { return false }
        let (length, overflow) = prefix.addingReportingOverflow(payload)
        // What shares a commit with it has to fit into the same batch.
        guard !overflow, length <= FrameHeader.maximumPayload, stream.count + length <= FrameHeader.maximumPayload + (256 << 20) else {
            failure = JournalError(.payloadTooLarge, "a record of \(length) bytes is above the journal's limit of 1 GiB")
            return false
        }
        if stream.count == 0 { pendingStreams.append(stream) }
        pendingFrameBytes += FrameHeader.size + length
        return true
    }

    /// Writes everything pending with one system call (more only where the kernel takes less). After it the kernel has the
    /// evidence: it survives the end of this process.
    /// - Throws: `JournalError`; the journal is then poisoned.
    public func commit() throws(JournalError) {
        if let failure { throw failure.code == .closed ? failure : JournalError(.poisoned, failure.message) }
        if sync.hasFailed.load(ordering: .acquiring) {
            throw poisoned(by: JournalError(.inputOutput, "the journal could not be synced to disk"))
        }
        guard hasPending else { return }
        if let file, file.size >= rotateAtBytes || isOld(file) { try rotate() }
        try sealPending()
        guard var file else { throw JournalError(.closed, "the journal is closed") }
        do throws(FileError) {
            try fileSystem.writeAll(file.descriptor.number, path: file.feed.path, UnsafeRawBufferPointer(start: base, count: count))
        } catch {
            // Best effort: what was written in part is not evidence of anything that went on. Recovery copes if it stays.
            try? fileSystem.truncate(file.descriptor.number, path: file.feed.path, to: file.size)
            throw poisoned(by: JournalError(error))
        }
        file.size += count
        self.file = file
        file.feed.committed.store(file.size, ordering: .releasing)
        vault?.committed(count)
        emptyBuffer()
    }

    /// Appends a batch of each stream that has frames.
    private func sealPending() throws(JournalError) {
        for stream in pendingStreams {
            reserve(stream.sealedBound)
            do {
                count += try stream.seal(to: base + count, salt: salt)
            } catch {
                throw poisoned(by: JournalError(.inputOutput, "a record could not be sealed: \(error)"))
            }
        }
        pendingStreams.removeAll(keepingCapacity: true)
        pendingFrameBytes = 0
    }

    /// Commits, then has the disk hold it: `then` is called (through `execute`) once fdatasync has returned.
    /// - Throws: `JournalError` when the commit itself fails; `then` is not called in this case.
    public func commitSynced(_ then: @escaping @Sendable (Result<Void, JournalError>) -> Void) throws(JournalError) {
        try commit()
        guard var file else { throw JournalError(.closed, "the journal is closed") }
        let files = [retired, file.descriptor].compactMap(\.self)
        retired = nil
        sync.submit(files, directory: file.isNameDurable ? nil : directory, completion: then)
        file.isNameDurable = true
        self.file = file
    }

    /// After a failure: drops what is pending and begins a new file. Sequence numbers that were dropped stay missing; the vault
    /// notes them as a gap.
    public func reset() throws(JournalError) {
        if failure?.code == .closed { return }
        finishFile()
        retired = nil
        sync.stop()
        sync = JournalSync(fileSystem: fileSystem, log: log, execute: execute)
        emptyBuffer()
        failure = nil
        do throws(JournalError) {
            try openFile()
        } catch {
            throw poisoned(by: error)
        }
    }

    /// Commits what is pending, as far as that goes, and ends the file. Later appends are ignored and commits throw.
    public func close() {
        if failure?.code == .closed { return }
        try? commit()
        finishFile()
        vault?.closed(journal: boot)
        retired = nil
        failure = JournalError(.closed, "the journal is closed")
        sync.stop()
    }

    private func poisoned(by error: JournalError) -> JournalError {
        failure = error
        emptyBuffer()
        return error
    }

    /// A stream could not take what has to be recorded: nothing that was appended since the last commit may go on.
    func refuse(_ error: JournalError) {
        if failure == nil { failure = error }
    }

    /// Compresses what a session keeps of its originals.
    func originalsCompressor() throws(ZstdError) -> ZstdCompressor {
        if let compressor { return compressor }
        let made = try ZstdCompressor()
        compressor = made
        return made
    }

    private func isOld(_ file: OpenFile) -> Bool {
        clock.monotonicNanoseconds() &- file.openedAt >= Self.rotateAfterNanoseconds
    }

    private func rotate() throws(JournalError) {
        let old = file?.descriptor
        finishFile()
        retired = old
        do throws(JournalError) {
            try openFile()
        } catch {
            throw poisoned(by: error)
        }
    }

    private func finishFile() {
        file?.feed.isFinished.store(true, ordering: .releasing)
        file = nil
        vault?.committed(0)
    }

    private func openFile() throws(JournalError) {
        let name = JournalFileName(loop: loop, counter: nextCounter)
        let path = directory + "/" + name.description
        let header = JournalFileHeader(format: 2, node: node, loop: loop, counter: name.counter, boot: boot)
        do {
            let bytes = journalFileHeaderFrame(salt: salt, time: clock.wallTime(), body: try canonicalJSON(header), counter: name.counter)
            nextCounter &+= 1
            let descriptor = JournalSync.Descriptor(
                number: try fileSystem.open(path, .create), path: path, fileSystem: fileSystem)
            do {
                try bytes.withUnsafeBytes { try fileSystem.writeAll(descriptor.number, path: path, $0) }
            } catch {
                // Best effort: a file without a whole header holds nothing, and recovery drops it.
                try? fileSystem.remove(path)
                throw error
            }
            let feed = JournalFeed(path: path, name: name, journal: boot)
            feed.committed.store(bytes.count, ordering: .releasing)
            file = OpenFile(descriptor: descriptor, feed: feed, size: bytes.count, openedAt: clock.monotonicNanoseconds())
            vault?.register(feed)
            vault?.committed(bytes.count)
        } catch let error as FileError {
            throw JournalError(error)
        } catch {
            throw JournalError(.inputOutput, "the journal's header could not be encoded: \(error)")
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

    private func emptyBuffer() {
        count = 0
        for stream in pendingStreams { stream.drop() }
        pendingStreams.removeAll(keepingCapacity: true)
        pendingFrameBytes = 0
        if capacity > Self.keptCapacity {
            base.deallocate()
            capacity = Self.keptCapacity
            base = .allocate(byteCount: capacity, alignment: 16)
        }
    }
}

@available(*, unavailable)
extension Journal: Sendable {}

/// A log that must know of a session before anything of it goes on.
public protocol StartLog: Sendable {
    /// Has handed the entry to the kernel when it returns.
    func began(_ session: SessionID, keys: SessionKeys, at time: WallTime) throws
    /// Has what was handed over on disk when it returns.
    func synchronize() throws
}

/// The first frame of a journal file. Its own checksum is not salted.
func journalFileHeaderFrame(salt: UInt32, time: WallTime, body: [UInt8], counter: UInt64) -> [UInt8] {
    let payload = withUnsafeBytes(of: salt.littleEndian, Array.init) + body
    return encodeFrame(
        Frame(kind: .file, session: SessionID(high: 0, low: 0), sequence: counter, time: time, payload: payload))
}

/// A whole frame with its plain checksum, as in a segment.
func encodeFrame(_ frame: Frame) -> [UInt8] {
    let header = FrameHeader(
        kind: frame.kind, session: frame.session, sequence: frame.sequence, time: frame.time, payloadLength: frame.payload.count)
    var bytes = [UInt8](repeating: 0, count: FrameHeader.size) + frame.payload
    bytes.withUnsafeMutableBytes { raw in
        if let base = raw.baseAddress { header.write(to: base) }
        raw.storeBytes(of: frameChecksum(UnsafeRawBufferPointer(raw)).littleEndian, toByteOffset: 4, as: UInt32.self)
    }
    return bytes
}
