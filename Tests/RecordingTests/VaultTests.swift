import Foundation
import GatehouseCore
import Synchronization
import Testing

@testable import Recording

/// A store that refuses what it is told to, in front of a real one.
private final class RefusingStore: ObjectStore {
    let inner: LocalStore
    let refused = Mutex<@Sendable (ObjectKey) -> Bool>({ _ in false })
    init(_ inner: LocalStore) { self.inner = inner }

    func put(_ key: ObjectKey, _ bytes: [UInt8], retainUntil: WallTime?) throws(StoreError) {
        if refused.withLock({ $0(key) }) { throw StoreError("refused by the test") }
        try inner.put(key, bytes, retainUntil: retainUntil)
    }
    func open(_ key: ObjectKey) throws(StoreError) -> (any StoredObject)? { try inner.open(key) }
    func forEachKey(below folder: String, _ body: (ObjectKey) throws -> Bool) throws { try inner.forEachKey(below: folder, body) }
    func delete(_ key: ObjectKey) throws(StoreError) { try inner.delete(key) }
    func removeLeftovers() throws(StoreError) { try inner.removeLeftovers() }
}

@Suite struct VaultTests {
    /// Any sequence of records, over two loops, with rotations and cuts at random places, reads back equal.
    @Test func whatIsRecordedReadsBackEqual() throws {
        for seed in 0..<UInt64(12 * soakFactor) {
            var generator = SeededGenerator(seed: seed)
            let rig = try Rig {
                $0.segmentBytes = Int.random(in: 500...20_000, using: &generator)
                $0.memoryBytes = Int.random(in: 5_000...50_000, using: &generator)
            }
            let vault = try rig.makeVault()
            let rotateAt = Int.random(in: 300...30_000, using: &generator)
            let journals = [
                try rig.makeJournal(vault, loop: 0, rotateAtBytes: rotateAt), try rig.makeJournal(vault, loop: 1, rotateAtBytes: rotateAt),
            ]
            let writers = (0..<6).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
            for (index, writer) in writers.enumerated() { try writer.start(journals[index % 2]) }
            for _ in 0..<400 {
                let index = Int.random(in: 0..<6, using: &generator)
                try writers[index].write(using: &generator)
                if Int.random(in: 0..<3, using: &generator) == 0 { for journal in journals { try journal.commit() } }
                if Int.random(in: 0..<15, using: &generator) == 0 { vault.pass() }
                if Int.random(in: 0..<40, using: &generator) == 0 { rig.clock.advance(.seconds(20)) }
            }
            for journal in journals { try journal.commit() }
            // A session that goes on is read from the store and then from the journals.
            for writer in writers { expectSame(try rig.read(writer.session, withJournals: true), writer.frames) }
            for writer in writers { try writer.end() }
            for journal in journals { journal.close() }
            vault.flush()
            for writer in writers {
                expectSame(try rig.read(writer.session), writer.frames)
                let report = rig.verify(writer.session)
                #expect(report.status == .verified && report.findings.isEmpty, "seed \(seed): \(report.findings)")
                #expect(report.outcome == .ended)
            }
            let left = try rig.journalFiles
            #expect(left.isEmpty, "seed \(seed)")
            #expect(vault.backlogBytes == 0, "seed \(seed)")
            #expect(vault.state == .healthy, "seed \(seed)")
        }
    }

    /// Segments larger than the memory that is allowed: the bound on memory alone must cut, or reading stands still.
    @Test func segmentsLargerThanTheMemoryDoNotHoldReadingUp() throws {
        let rig = try Rig {
            $0.segmentBytes = 1_000_000
            $0.memoryBytes = 2_000
        }
        let vault = try rig.makeVault()
        // Several files, so that the bound is met with more to read.
        let journal = try rig.makeJournal(vault, rotateAtBytes: 3_000)
        var generator = SeededGenerator(seed: 7)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        for _ in 0..<200 {
            try writer.write(using: &generator)
            try journal.commit()
        }
        try writer.end()
        journal.close()
        vault.flush()
        expectSame(try rig.read(writer.session), writer.frames)
        let left = try rig.journalFiles
        #expect(left.isEmpty && vault.backlogBytes == 0)
    }

    @Test func theManifestSaysWhatHappened() throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        var generator = SeededGenerator(seed: 4)
        try writer.start(journal)
        for _ in 0..<30 { try writer.write(using: &generator) }
        rig.clock.advance(.seconds(9))
        try writer.end()
        try journal.commit()
        vault.pass()
        let manifest = try #require(try Manifest.load(writer.session, from: rig.store))
        #expect(manifest.start?.target == "orders")
        #expect(manifest.identity?.principal.user == "ada")
        #expect(manifest.outcome == .ended && manifest.endReason == "client-closed" && manifest.durationNanoseconds == 5)
        #expect(manifest.frames.values.reduce(0, +) == UInt64(writer.frames.count))
        let started = try #require(manifest.started)
        let ended = try #require(manifest.ended)
        #expect(ended.nanoseconds - started.nanoseconds == 9_000_000_000)
        #expect(manifest.accounting.client.isBalanced && manifest.accounting.server.isBalanced)
    }

    @Test func anIdleSessionDoesNotPinAJournalFile() throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault, rotateAtBytes: 2_000)
        var generator = SeededGenerator(seed: 5)
        let idle = Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock)
        try idle.start(journal)
        let busy = Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock)
        try busy.start(journal)
        for _ in 0..<100 {
            try busy.write(using: &generator)
            try journal.commit()
            vault.pass()
        }
        #expect(try rig.journalFiles.count == 1)
        try idle.end()
        try journal.commit()
        vault.pass()
        expectSame(try rig.read(idle.session), idle.frames)
        #expect(rig.verify(idle.session).status == .verified)
        #expect(rig.verify(busy.session).status == .incomplete)
    }

    @Test func framesAreStoredAfterTheIntervalAtTheLatest() throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        try journal.commit()
        vault.pass()
        #expect(try rig.store.list(writer.session).isEmpty)
        rig.clock.advance(.seconds(30))
        vault.pass()
        #expect(try rig.store.list(writer.session) == ["000001.seg"])
        expectSame(try rig.read(writer.session), writer.frames)
    }

    @Test func aStoreThatRefusesLosesNothing() throws {
        let rig = try Rig { $0.segmentBytes = 2_000 }
        let store = RefusingStore(rig.store)
        let vault = try rig.makeVault(store)
        let journal = try rig.makeJournal(vault, rotateAtBytes: 5_000)
        var generator = SeededGenerator(seed: 6)
        let writers = (0..<4).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
        for writer in writers { try writer.start(journal) }
        store.refused.withLock { $0 = { _ in true } }
        for round in 0..<200 {
            try writers[round % 4].write(using: &generator)
            try journal.commit()
            if round % 10 == 0 {
                vault.pass()
                rig.clock.advance(.seconds(1))
            }
        }
        guard case .failing(let reason) = vault.state else {
            Issue.record("the state is \(vault.state)")
            return
        }
        #expect(reason == "refused by the test")
        #expect(try rig.journalFiles.count > 3)
        for writer in writers { try writer.end() }
        journal.close()
        store.refused.withLock { $0 = { _ in false } }
        rig.clock.advance(.seconds(60))
        for _ in 0..<3 { vault.pass() }
        #expect(vault.state == .healthy)
        for writer in writers {
            expectSame(try rig.read(writer.session), writer.frames)
            #expect(rig.verify(writer.session).status == .verified)
        }
        #expect(try rig.journalFiles.isEmpty)
    }

    @Test func oneSessionThatTheStoreRefusesBlocksNoOther() throws {
        let rig = try Rig()
        let store = RefusingStore(rig.store)
        let vault = try rig.makeVault(store)
        let journal = try rig.makeJournal(vault)
        var generator = SeededGenerator(seed: 7)
        let writers = (0..<5).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
        let bad = writers[2].session
        store.refused.withLock { $0 = { $0.path.contains(bad.description) } }
        for writer in writers {
            try writer.start(journal)
            try writer.end()
        }
        try journal.commit()
        vault.pass()
        for writer in writers where writer.session != bad { #expect(rig.verify(writer.session).status == .verified) }
        #expect(vault.state == .failing(reason: "refused by the test") || vault.state == .healthy)
        store.refused.withLock { $0 = { _ in false } }
        rig.clock.advance(.seconds(60))
        vault.pass()
        #expect(rig.verify(bad).status == .verified)
    }

    @Test func memoryIsBoundedWhileTheStoreIsDown() throws {
        let rig = try Rig {
            $0.segmentBytes = 10_000
            $0.memoryBytes = 100_000
            $0.highWaterBytes = 2_000_000
        }
        let store = RefusingStore(rig.store)
        store.refused.withLock { $0 = { _ in true } }
        let vault = try rig.makeVault(store)
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        var generator = SeededGenerator(seed: 8)
        #expect(!vault.isFull)
        for _ in 0..<60 {
            for _ in 0..<4 { try writer.write(using: &generator, upTo: 100_000) }
            try journal.commit()
            vault.pass()
            rig.clock.advance(.seconds(5))
        }
        #expect(vault.backlogBytes > 2_000_000)
        #expect(vault.isFull)
        let held = vault.pendingBytes
        #expect(held < 2 * 100_000 + 2 * (256 << 10), "\(held) bytes are held")
    }

    @Test func theRecorderGivesUpWhereNothingWasEndedAndTheJournalIsClosed() throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        try journal.commit()
        journal.close()
        vault.pass()
        vault.pass()
        let report = rig.verify(writer.session)
        #expect(report.status == .verified && report.outcome == .interrupted)
        expectSame(try rig.read(writer.session), writer.frames)
        #expect(try rig.journalFiles.isEmpty)
    }

    @Test func framesBehindTheEndNeverReplaceEvidence() throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        try writer.end()
        try journal.commit()
        vault.pass()
        let frames = writer.frames
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<5 { try writer.write(using: &generator) }
        journal.close()
        vault.flush()
        expectSame(try rig.read(writer.session), frames)
        #expect(rig.verify(writer.session).status == .verified)
        #expect(try rig.journalFiles.isEmpty)
    }

    @Test func theThreadStoresByItself() async throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        vault.start()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        try writer.end()
        try journal.commit()
        // Waits for what happens, however long that takes on a busy machine; the suite's own time limit is the bound.
        while rig.verify(writer.session).status != .verified { try await Task.sleep(for: .milliseconds(5)) }
        journal.close()
        vault.stop()
        #expect(try rig.journalFiles.isEmpty)
    }

    /// Far behind, the second thread works in the first one's place; what is stored is the same.
    @Test func thatItIsFarBehindChangesNothing() async throws {
        var generator = SeededGenerator(seed: 21)
        let rig = try Rig {
            $0.highWaterBytes = 80_000
            $0.segmentBytes = 5_000
        }
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault, rotateAtBytes: 20_000)
        let writers = (0..<3).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
        for writer in writers { try writer.start(journal) }
        for round in 0..<900 {
            if round == 300 { vault.start() }
            try writers[round % 3].write(using: &generator)
            try journal.commit()
        }
        for writer in writers { try writer.end() }
        try journal.commit()
        while writers.contains(where: { rig.verify($0.session).status != .verified }) { try await Task.sleep(for: .milliseconds(5)) }
        journal.close()
        vault.stop()
        for writer in writers { expectSame(try rig.read(writer.session), writer.frames) }
        #expect(try rig.journalFiles.isEmpty && vault.backlogBytes == 0)
    }

    @Test func wrongSumsInTheEndRecordAreFound() throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        try writer.end(accounting: Accounting(client: .init(seen: 9, verbatim: 9)))
        journal.close()
        vault.flush()
        #expect(rig.verify(writer.session).findings.map(\.kind) == [.accountingWrong])
    }

    @Test func keysAreMadeOnceAndAreThePrivateOwnersAlone() throws {
        let directory = try TemporaryDirectory()
        let first = try ManifestSigner(directory: directory.path + "/keys")
        let second = try ManifestSigner(directory: directory.path + "/keys")
        #expect(first.publicKey == second.publicKey)
        let mode = try #require(
            FileManager.default.attributesOfItem(atPath: directory.path + "/keys/manifest.key")[.posixPermissions] as? Int)
        #expect(mode == 0o600)
        let line = try String(contentsOfFile: directory.path + "/keys/manifest.pub", encoding: .utf8)
        #expect(ManifestPublicKey(line: line) == first.publicKey)
        try Data("not a key".utf8).write(to: URL(fileURLWithPath: directory.path + "/keys/manifest.key"))
        #expect(throws: KeyFileError.self) { try ManifestSigner(directory: directory.path + "/keys") }
    }
}
