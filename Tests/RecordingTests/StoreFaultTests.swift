import Foundation
import GatehouseCore
import Synchronization
import Testing

@testable import Recording

/// A real store whose calls, reads of objects among them, fail in a window that a test chooses.
private final class FailingStore: ObjectStore {
    private struct State {
        var calls = 0
        var window = 0..<0
    }

    private let inner: LocalStore
    private let state = Mutex(State())

    init(_ inner: LocalStore) { self.inner = inner }

    var calls: Int { state.withLock(\.calls) }
    func fail(_ window: Range<Int>) { state.withLock { $0.window = window } }

    fileprivate func call(_ what: String) throws(StoreError) {
        let fails = state.withLock { state in
            defer { state.calls += 1 }
            return state.window.contains(state.calls)
        }
        if fails { throw StoreError("503 at \(what)") }
    }

    private final class Object: StoredObject {
        private let inner: any StoredObject
        private let store: FailingStore
        var size: Int { inner.size }

        init(_ inner: any StoredObject, _ store: FailingStore) {
            self.inner = inner
            self.store = store
        }

        func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
            try store.call("read")
            return try inner.read(at: offset, into: buffer)
        }
    }

    func put(_ key: ObjectKey, _ bytes: [UInt8], retainUntil: WallTime?) throws(StoreError) {
        try call("put")
        try inner.put(key, bytes, retainUntil: retainUntil)
    }

    func open(_ key: ObjectKey) throws(StoreError) -> (any StoredObject)? {
        try call("open")
        return try inner.open(key).map { Object($0, self) }
    }

    func forEachKey(below folder: String, _ body: (ObjectKey) throws -> Bool) throws {
        try call("list")
        try inner.forEachKey(below: folder, body)
    }

    func delete(_ key: ObjectKey) throws(StoreError) {
        try call("delete")
        try inner.delete(key)
    }

    func removeLeftovers() throws(StoreError) {
        try call("leftovers")
        try inner.removeLeftovers()
    }
}

@Suite struct StoreFaultTests {
    private func expectAll(_ rig: Rig, _ writers: [Writer], _ comment: Comment) throws {
        for writer in writers { expectSame(try rig.read(writer.session), writer.frames) }
        let report = try rig.verifyAll()
        #expect(report.verified == writers.count && report.log.isEmpty && report.failed == 0 && report.incomplete == 0, comment)
        #expect(try rig.journalFiles.isEmpty, comment)
    }

    /// For each call in turn: it, or an outage that begins with it, while sessions run.
    @Test(arguments: [1, 60]) func noCallThatFailsLosesAnything(length: Int) throws {
        var begin = 0
        while true {
            var generator = SeededGenerator(seed: 71)
            let rig = try Rig { $0.segmentBytes = 2_000 }
            let store = FailingStore(rig.store)
            // The gateway does not start without its store; what is meant here comes later.
            let vault = try rig.makeVault(store)
            let before = store.calls
            store.fail(before + begin..<before + begin + length)
            let journal = try rig.makeJournal(vault, rotateAtBytes: 4_000)
            let writers = (0..<3).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
            for writer in writers { try writer.start(journal) }
            for round in 0..<60 {
                try writers[round % 3].write(using: &generator)
                try journal.commit()
                if round % 7 == 0 { vault.pass() }
                rig.clock.advance(.seconds(1))
            }
            for writer in writers { try writer.end() }
            try journal.commit()
            journal.close()
            for _ in 0..<100 where try !rig.journalFiles.isEmpty || vault.state != .healthy {
                rig.clock.advance(.seconds(31))
                vault.pass(everything: true)
            }
            #expect(vault.state == .healthy && vault.backlogBytes == 0)
            vault.flush()
            try expectAll(rig, writers, "failing from call \(begin)")
            guard store.calls > before + begin else { break }
            begin += soakFactor > 1 ? 1 : 3
        }
        #expect(begin > 20)
    }

    /// The same while the next run recovers: it starts or it does not, and what it has not finished the one after it does.
    @Test func noCallThatFailsLosesAnythingAtRecovery() throws {
        var begin = 0
        while true {
            var generator = SeededGenerator(seed: 72)
            let rig = try Rig { $0.segmentBytes = 2_000 }
            let vault = try rig.makeVault()
            let journal = try rig.makeJournal(vault, rotateAtBytes: 3_000)
            let writers = (0..<3).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
            for writer in writers { try writer.start(journal) }
            for round in 0..<60 {
                try writers[round % 3].write(using: &generator)
                try journal.commit()
                if round % 7 == 0 { vault.pass() }
            }
            try writers[0].end()
            try journal.commit()
            _ = Unmanaged.passRetained(journal)
            let next = try rig.survivor()
            let store = FailingStore(next.store)
            store.fail(begin..<begin + 1)
            if let vault = try? next.makeVault(store), (try? vault.recover()) != nil {
                // It runs: the rest is finished without another start.
                rig.clock.advance(.seconds(60))
                for _ in 0..<4 { vault.flush() }
            } else {
                let another = try rig.survivor()
                let vault = try another.makeVault()
                _ = try vault.recover()
                vault.flush()
            }
            try expectAll(try rig.survivor(), writers, "failing from call \(begin)")
            guard store.calls > begin else { break }
            begin += soakFactor > 1 ? 1 : 2
        }
        #expect(begin > 20)
    }

    /// What the store has is never written over, damaged as it may be.
    @Test func aDamagedStoredSegmentIsNotReplaced() throws {
        var generator = SeededGenerator(seed: 73)
        let rig = try Rig { $0.segmentBytes = 2_000 }
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault, rotateAtBytes: 1 << 20)
        let writer = Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock)
        try writer.start(journal)
        for _ in 0..<60 {
            try writer.write(using: &generator)
            try journal.commit()
            vault.pass()
        }
        _ = Unmanaged.passRetained(journal)
        let stored = try rig.store.list(writer.session)
        #expect(stored.count >= 2)
        let path = rig.store.directory(of: writer.session) + "/000001.seg"
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[60] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let next = try rig.survivor()
        let report = try next.makeVault().recover()
        #expect(report.damage.contains { $0.contains("segment 1") })
        #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == bytes)
        #expect(try next.store.list(writer.session).count >= stored.count + 2)
        let verdict = next.verify(writer.session)
        #expect(verdict.status == .failed && verdict.findings.contains { $0.file == "000001.seg" })
        // The others are as they were, and what came behind is there.
        let manifest = try #require(try StoredManifest(writer.session, in: next.store)?.manifest)
        #expect(manifest.segments.last?.lastSequence == writer.frames.last?.sequence)
        #expect(manifest.segments.map(\.ordinal) == Array(1...UInt32(manifest.segments.count)))
    }

    /// Above the mark new sessions are refused, above twice the mark live ones are stopped; once the store answers all is well.
    @Test func aStoreThatIsDownForLongRefusesAndThenStops() throws {
        var generator = SeededGenerator(seed: 74)
        let rig = try Rig {
            $0.highWaterBytes = 100_000
            $0.memoryBytes = 8_000
            $0.segmentBytes = 4_000
        }
        let store = FailingStore(rig.store)
        let vault = try rig.makeVault(store)
        let journal = try rig.makeJournal(vault, rotateAtBytes: 10_000)
        let writer = Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock)
        try writer.start(journal)
        store.fail(store.calls..<Int.max)
        var wasFull = false
        while !vault.isExhausted {
            #expect(vault.backlogBytes < 300_000)
            try writer.write(using: &generator)
            try journal.commit()
            vault.pass()
            rig.clock.advance(.seconds(1))
            if vault.isFull { wasFull = true }
            #expect(vault.pendingBytes < 3 * 8_000)
        }
        guard wasFull, case .failing(let reason) = vault.state, reason.contains("503 at put") else {
            Issue.record("\(vault.state)")
            return
        }
        try writer.end()
        try journal.commit()
        store.fail(0..<0)
        rig.clock.advance(.seconds(60))
        journal.close()
        for _ in 0..<100 where vault.backlogBytes > 0 { vault.flush() }
        #expect(!vault.isFull && !vault.isExhausted && vault.state == .healthy)
        try expectAll(rig, [writer], "after the outage")
    }
}
