import Crypto
import GatehouseCore
import Logging

/// The vault's work, done by one thread at a time: follows the journals, cuts sessions into segments, finishes them.
final class VaultWorker {
    /// A journal file that is not wholly in the store.
    final class Source {
        let feed: JournalFeed
        var reader: JournalFileReader
        let isLeftover: Bool
        var mustBeReread = false
        var isDrained = false
        var leftoverSize = 0
        var frames = 0
        var readFailures = 0
        /// It holds damage other than an unfinished last write: it is set aside for a person, not deleted.
        var isDamaged = false

        init(feed: JournalFeed, reader: JournalFileReader, isLeftover: Bool) {
            self.feed = feed
            self.reader = reader
            self.isLeftover = isLeftover
        }
    }

    /// A leftover file's reading is tried this often before the rest of it is given up.
    private static let readAttempts = 3
    /// Finished sessions that are remembered, so that the store need not be asked for each stray frame.
    private static let rememberedSessions = 10_000

    let configuration: VaultConfiguration
    let store: any ObjectStore
    let signer: ManifestSigner
    let sealing: Sealing
    /// nil keeps no log: for tests of the rest.
    let log: EvidenceLog?
    let clock: any GatewayClock
    let fileSystem: any FileSystem
    let logger: Logger
    private let builder: SegmentBuilder

    var sources: [Source] = []
    var sessions: [SessionID: LiveSession] = [:]
    /// Sessions of an earlier run or a closed journal: without an end they are finished as interrupted once what is left of their
    /// journals is read.
    var orphans: Set<SessionID> = []
    var report = RecoveryReport()
    /// Bytes of journal files that were deleted, to be taken off the backlog.
    var releasedBytes = 0
    private(set) var failingReason: String?
    private var unopened: [JournalFeed] = []
    private var finished: Set<SessionID> = []
    private var closedJournals: Set<String> = []
    private(set) var pendingBytes = 0
    private var failures = 0
    private var retryAt: UInt64 = 0
    private var lastCheckpoint: UInt64 = 0
    /// Asked between pieces: another thread waits to go on with the pass.
    var mustYield: () -> Bool = { false }
    /// Not before, after a failure.
    private var publishAt: UInt64 = 0

    init(
        configuration: VaultConfiguration, store: any ObjectStore, signer: ManifestSigner, sealing: Sealing, log: EvidenceLog?,
        clock: any GatewayClock,
        fileSystem: any FileSystem, logger: Logger
    ) throws {
        self.configuration = configuration
        self.store = store
        self.signer = signer
        self.sealing = sealing
        self.log = log
        self.clock = clock
        self.fileSystem = fileSystem
        self.logger = logger
        builder = try SegmentBuilder()
    }

    /// Does what can be done now.
    /// - Parameter everything: store also what would still wait for more, and try again what failed.
    func pass(everything: Bool = false) {
        let now = clock.monotonicNanoseconds()
        if everything {
            retryAt = 0
            for session in sessions.values { session.retryAt = 0 }
        }
        guard now >= retryAt else { return }
        for source in sources where !source.isDrained {
            guard follow(source, now: now) else { break }
        }
        orphanSessionsOfClosedJournals()
        finishReadyOrphans()
        cutDue(now: now, everything: everything)
        releaseFiles()
        publishLog(now: now, everything: everything)
    }

    // MARK: Reading the journals

    /// Takes on journal files that were opened, and journals that were closed, since.
    func adopt(_ news: JournalNews) {
        closedJournals.formUnion(news.closed)
        unopened += news.opened
        unopened.removeAll { feed in
            do throws(FileError) {
                sources.append(
                    Source(feed: feed, reader: try JournalFileReader(path: feed.path, fileSystem: fileSystem), isLeftover: false))
                return true
            } catch {
                fail("a journal file could not be opened: \(error)", now: clock.monotonicNanoseconds())
                return false
            }
        }
    }

    /// Reads what is new; false when the pass has to stop.
    private func follow(_ source: Source, now: UInt64) -> Bool {
        // Read before `committed`, so that a finished file is not thought to be at its end too early.
        let isFinished = source.isLeftover || source.feed.isFinished.load(ordering: .acquiring)
        let limit = source.isLeftover ? source.leftoverSize : source.feed.committed.load(ordering: .acquiring)
        do throws(FileError) {
            var more = true
            while more {
                guard !mustYield() else { return false }
                // The store is behind so far that memory would be taken without bound: the rest stays in the file.
                guard pendingBytes < 2 * configuration.memoryBytes else { return false }
                more = try source.reader.readPiece(upTo: limit, mayBeTorn: source.isLeftover) { item in
                    source.frames += 1
                    take(item, source, now)
                } damage: { damage in
                    note(damage, source)
                }
                if source.mustBeReread {
                    source.reader = try JournalFileReader(path: source.feed.path, fileSystem: fileSystem)
                    source.mustBeReread = false
                    return false
                }
                guard cutLarge(now) else { return false }
            }
        } catch {
            fail("the journal could not be read: \(error)", now: now)
            giveUpReading(source)
            return true
        }
        if isFinished, source.reader.offset >= limit {
            source.isDrained = true
        }
        return true
    }

    /// A leftover file that cannot be read at some place must not keep the sessions in all others from being finished.
    private func giveUpReading(_ source: Source) {
        source.readFailures += 1
        guard source.isLeftover, source.readFailures >= Self.readAttempts else { return }
        source.isDamaged = true
        source.isDrained = true
        report.damage.append("\(source.feed.path) could not be read behind \(source.reader.offset)")
    }

    /// The sessions of a closed journal record no end any more once all of it is read.
    private func orphanSessionsOfClosedJournals() {
        guard !closedJournals.isEmpty else { return }
        let unread = Set(sources.lazy.filter { !$0.isDrained }.map(\.feed.journal)).union(unopened.map(\.journal))
        let over = closedJournals.subtracting(unread)
        for session in sessions.values where over.contains(session.journal) && !session.hasEnded { orphans.insert(session.id) }
        closedJournals.subtract(over)
    }

    private func take(_ item: JournalFileReader.Item, _ source: Source, _ now: UInt64) {
        let id = item.batch.header.session
        let session: LiveSession
        if let known = sessions[id] {
            session = known
        } else {
            do {
                guard let opened = try open(item.batch.header, source) else { return }
                session = opened
                sessions[id] = opened
            } catch {
                // What the store has of it cannot be known now: all of the file is read again later, which repeats nothing.
                source.mustBeReread = true
                fail("\(error)", now: now)
                return
            }
        }
        if source.isLeftover { orphans.insert(id) }
        if let opening = item.batch.opening {
            session.take(opening, at: item.batch.header.time, from: source.feed.name)
            return
        }
        let before = session.pending.count
        do {
            if try !session.take(item, from: source.feed.name, now: now), !source.isLeftover {
                logger.warning("a frame was recorded twice or after its session's end", metadata: ["session": "\(id)"])
            }
        } catch {
            session.tally.noteLoss("a batch could not be read")
            source.isDamaged = true
            report.damage.append("\(source.feed.path): a batch of session \(id) could not be read: \(error)")
            logger.error("a batch could not be read", metadata: ["session": "\(id)", "error": "\(error)"])
        }
        pendingBytes += session.pending.count - before
    }

    /// The session that a batch belongs to which is not known yet; nil when that is finished in the store already.
    /// - Throws: when the store does not answer.
    private func open(_ header: BatchHeader, _ source: Source) throws -> LiveSession? {
        let id = header.session
        // Only a live session's opening is known to have nothing in the store. Anything else may come behind what is stored, and
        // must never be stored over it.
        if !source.isLeftover, header.kind == .opening {
            return LiveSession(id: id, journal: source.feed.journal, key: sealing.key(of: id))
        }
        if finished.contains(id) { return nil }
        if let session = try adopt(id, journal: source.feed.journal) { return session }
        if finished.count >= Self.rememberedSessions { finished = [] }
        finished.insert(id)
        if !source.isLeftover { logger.warning("records follow the end of their session", metadata: ["session": "\(id)"]) }
        return nil
    }

    private func note(_ damage: JournalDamage, _ source: Source) {
        let what = damage.isTail ? "an unfinished write at the end of" : "damage in"
        let text = "\(what) \(damage.path) at \(damage.offset), \(damage.length) bytes"
        if let id = damage.session, let session = sessions[id], !session.hasEnded {
            session.tally.noteLoss(damage.isTail ? "unfinished write" : "damaged journal")
        }
        if !damage.isTail { source.isDamaged = true }
        report.damage.append(text)
        logger.error("the journal holds bytes that are no records", metadata: ["where": "\(text)"])
    }

    // MARK: Storing

    /// Cuts sessions that are large, and the largest while all together are too large; false when the store is down.
    private func cutLarge(_ now: UInt64) -> Bool {
        guard pendingBytes >= min(configuration.segmentBytes, configuration.memoryBytes) else { return true }
        for session in sessions.values where session.pending.count >= configuration.segmentBytes {
            guard attempt(session, now) else { return false }
        }
        while pendingBytes >= configuration.memoryBytes {
            let waiting = sessions.values.filter { $0.retryAt <= now && $0.pendingFrames > 0 }
            guard let largest = waiting.max(by: { $0.pending.count < $1.pending.count }) else { return true }
            guard attempt(largest, now) else { return false }
        }
        return true
    }

    /// Cuts and finishes what is due by age, by the end of its journal file or of itself.
    private func cutDue(now: UInt64, everything: Bool) {
        let drained = Set(sources.lazy.filter(\.isDrained).map(\.feed.name))
        let interval = UInt64(clamping: configuration.interval.components.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        for session in Array(sessions.values) {
            let isOld = session.pendingFrames > 0 && now &- session.pendingSince >= interval.partialValue
            let isDue = session.hasEnded || isOld || (everything && session.pendingFrames > 0) || !session.files.isDisjoint(with: drained)
            guard isDue else { continue }
            guard attempt(session, now) else { return }
        }
    }

    /// Stores what a session has pending, and its manifest if it has ended. A failure is that session's alone, until several in
    /// a row say that the store is down: false then.
    private func attempt(_ session: LiveSession, _ now: UInt64) -> Bool {
        guard session.retryAt <= now else { return true }
        do {
            try settle(session)
            failures = 0
            failingReason = nil
            session.failures = 0
            return true
        } catch {
            session.failures += 1
            failures += 1
            session.retryAt = now &+ backoff(session.failures)
            fail("\(error)", now: now)
            if failures >= 3 {
                retryAt = now &+ backoff(failures - 2)
                return false
            }
            return true
        }
    }

    /// 0.25 s, doubled each time, to 30 s.
    private func backoff(_ failures: Int) -> UInt64 {
        min(250_000_000 << UInt64(min(failures - 1, 10)), 30_000_000_000)
    }

    private func fail(_ reason: String, now: UInt64) {
        if failingReason != reason { logger.error("recordings wait to be stored", metadata: ["reason": "\(reason)"]) }
        failingReason = reason
    }

    private func settle(_ session: LiveSession) throws {
        if session.pendingFrames > 0 { try cut(session, staysOpen: !session.hasEnded) }
        if session.hasEnded { try finish(session) }
        session.files = []
    }

    /// - Parameter staysOpen: its journal files may go while it is unfinished, so that a mark must say that it is.
    private func cut(_ session: LiveSession, staysOpen: Bool) throws {
        if staysOpen, !session.isMarked {
            try mark(session.id)
            session.isMarked = true
        }
        try log?.publish(session.id, to: store)
        let segment = try session.segment(builder)
        try store.put(
            ObjectName(session: session.id, file: ObjectName.segmentFile(segment.header.ordinal)), segment.bytes,
            retainUntil: configuration.lock(session.tally.start, clock.wallTime()))
        pendingBytes -= session.pending.count
        session.stored(segment)
    }

    /// Stores the manifest, its signature first: a session with a manifest is whole.
    private func finish(_ session: LiveSession) throws {
        let manifest = session.tally.manifest(
            session: session.id, node: configuration.node, gatewayVersion: configuration.gatewayVersion, keys: session.keys,
            segments: session.segments)
        let bytes = try canonicalJSON(manifest)
        try log?.publish(session.id, to: store)
        let lock = configuration.lock(session.tally.start, clock.wallTime())
        try store.put(
            ObjectName(session: session.id, file: ObjectName.signatureFile), try signer.signatureFile(for: bytes), retainUntil: lock)
        try store.put(ObjectName(session: session.id, file: ObjectName.manifestFile), bytes, retainUntil: lock)
        try noteEnd(session.id, bytes, manifest.outcome)
        if session.isMarked { try unmark(session.id) }
        sessions[session.id] = nil
        sealing.end(session.id)
        if orphans.remove(session.id) != nil {
            if manifest.outcome == .ended { report.ended += 1 } else { report.interrupted += 1 }
        }
    }

    /// Has the log know that a session's manifest is in the store.
    func noteEnd(_ id: SessionID, _ manifest: [UInt8], _ outcome: Manifest.Outcome) throws {
        guard let log, log.openSessions[id] != nil else { return }
        try log.ended(id, manifest: Array(SHA256.hash(data: manifest)).hexadecimal, outcome: outcome)
    }

    /// Publishes the log when that is due; also checkpoints are made of it then.
    private func publishLog(now: UInt64, everything: Bool) {
        guard let log, log.hasNews else { return }
        let interval = UInt64(clamping: configuration.checkpointInterval.components.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard everything || (now &- lastCheckpoint >= interval.partialValue && now >= publishAt) else { return }
        do {
            try log.publish(to: store)
            lastCheckpoint = now
            // Nothing else may be tried soon that would say so.
            if publishAt > 0, failures == 0 { failingReason = nil }
            publishAt = 0
        } catch {
            publishAt = now &+ 5_000_000_000
            fail("the log could not be published: \(error)", now: now)
        }
    }

    /// Finishes a session that will never end by itself.
    func finishInterrupted(_ session: LiveSession, now: UInt64) -> Bool {
        guard session.retryAt <= now else { return true }
        do {
            if session.pendingFrames > 0 { try cut(session, staysOpen: false) }
            try finish(session)
            failures = 0
            failingReason = nil
            return true
        } catch {
            session.failures += 1
            failures += 1
            session.retryAt = now &+ backoff(session.failures)
            fail("\(error)", now: now)
            return failures < 3
        }
    }

    private func finishReadyOrphans() {
        guard !orphans.isEmpty, !sources.contains(where: { $0.isLeftover && !$0.isDrained }) else { return }
        let now = clock.monotonicNanoseconds()
        for id in orphans.sorted() {
            guard let session = sessions[id] else {
                orphans.remove(id)
                continue
            }
            guard finishInterrupted(session, now: now) else { return }
        }
    }

    // MARK: Letting go

    /// Deletes the journal files whose every frame is in the store.
    private func releaseFiles() {
        guard sources.contains(where: \.isDrained) else { return }
        var pinned: Set<JournalFileName> = []
        for session in sessions.values { pinned.formUnion(session.files) }
        sources.removeAll { source in
            guard source.isDrained, !pinned.contains(source.feed.name) else { return false }
            return release(source)
        }
    }

    private func release(_ source: Source) -> Bool {
        let size = source.isLeftover ? source.leftoverSize : source.feed.committed.load(ordering: .acquiring)
        do throws(FileError) {
            if source.isDamaged || (source.isLeftover && source.frames == 0 && source.reader.fileHeader == nil && size > 4096) {
                // A file without a readable header: an unfinished first write is nothing, more than that is for a person to see.
                try fileSystem.rename(source.feed.path, to: source.feed.path + ".bad")
                report.setAside.append(source.feed.path + ".bad")
            } else {
                try fileSystem.remove(source.feed.path)
            }
        } catch {
            fail("a stored journal file could not be removed: \(error)", now: clock.monotonicNanoseconds())
            return false
        }
        releasedBytes += size
        return true
    }
}
