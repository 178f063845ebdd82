import Foundation
import GatehouseCore
import NIOCore
import NIOEmbedded
import NIOPosix
import Recording
import Synchronization
import Testing

@testable import Relay

/// The real file system, whose writes or syncs fail once a test says so.
final class FailingFileSystem: FileSystem {
    private let real = LocalFileSystem()
    private let failing = Mutex<String?>(nil)
    /// Nil: everything works.
    func fail(_ operation: String?) { failing.withLock { $0 = operation } }

    private func gate(_ operation: String, _ path: String) throws(FileError) {
        if failing.withLock({ $0 == operation }) { throw FileError(operation: operation, path: path, code: 5) }
    }

    func open(_ path: String, _ access: FileAccess) throws(FileError) -> Int32 { try real.open(path, access) }
    func close(_ descriptor: Int32) { real.close(descriptor) }
    func write(_ descriptor: Int32, path: String, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
        try gate("write", path)
        return try real.write(descriptor, path: path, bytes)
    }
    func read(_ descriptor: Int32, path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try real.read(descriptor, path: path, into: buffer, at: offset)
    }
    func size(_ descriptor: Int32, path: String) throws(FileError) -> Int { try real.size(descriptor, path: path) }
    func truncate(_ descriptor: Int32, path: String, to size: Int) throws(FileError) {
        try real.truncate(descriptor, path: path, to: size)
    }
    func synchronize(_ descriptor: Int32, path: String) throws(FileError) {
        try gate("fdatasync", path)
        try real.synchronize(descriptor, path: path)
    }
    func synchronizeDirectory(_ path: String) throws(FileError) { try real.synchronizeDirectory(path) }
    func makeDirectory(_ path: String) throws(FileError) -> Bool { try real.makeDirectory(path) }
    func rename(_ from: String, to: String) throws(FileError) { try real.rename(from, to: to) }
    func remove(_ path: String) throws(FileError) { try real.remove(path) }
    func removeDirectory(_ path: String) throws(FileError) { try real.removeDirectory(path) }
    func list(_ path: String) throws(FileError) -> [String]? { try real.list(path) }
    func freeBytes(_ path: String) throws(FileError) -> Int { try real.freeBytes(path) }
}

/// A session that has begun in `journal`.
func testRecorder(_ journal: Journal) throws -> SessionRecorder {
    try SessionRecorder(
        session: SessionID(at: WallTime(seconds: 1)), journal: journal, clock: SystemClock(),
        start: {
            SessionStart(
                listener: "l", clientAddress: "127.0.0.1:1", target: "t", protocolName: .postgres, isEncrypted: false, durability: .written,
                node: "n", gatewayVersion: "0", monotonicNanoseconds: $0)
        },
        identity: SessionIdentity(
            principal: Principal(
                issuer: "i", subject: "s", user: "u", groups: [], credential: .token(id: nil), expires: WallTime(seconds: 2_000_000_000)),
            grantingRule: "access[0]", policyVersion: "1"))
}

/// Writes down what it is told.
private final class Listener: CommitWaiter {
    let durability: Target.Durability
    let recorder: SessionRecorder
    private(set) var heard: [String] = []
    /// Called when it is told how a commit ended.
    var onEnd: () -> Void = {}

    init(_ journal: Journal, _ durability: Target.Durability = .written) throws {
        self.durability = durability
        recorder = try testRecorder(journal)
    }

    func say() { recorder.recordClient(ByteBuffer(string: "hello")) }
    var isRecorded: Bool { recorder.isRecorded }
    func commitBegins() { heard.append("begins") }
    func commitEnded() {
        heard.append("ended")
        onEnd()
    }
    func recordingFailed(_ error: any Error) {
        heard.append("failed")
        onEnd()
    }
}

@Suite struct LoopRecorderTests {
    private let directory = NSTemporaryDirectory() + "gatehouse-loop-" + UUID().uuidString
    private let files = FailingFileSystem()
    private let loop = EmbeddedEventLoop()

    private func makeRecorder() -> LoopRecorder {
        LoopRecorder(eventLoop: loop) {
            try Journal(
                directory: directory, loop: 0, node: "n", clock: SystemClock(), sealing: Sealing(), log: nil, vault: nil, fileSystem: files)
        }
    }

    private func clean() { try? FileManager.default.removeItem(atPath: directory) }

    @Test func oneCommitForAllOfATurn() throws {
        defer { clean() }
        let recorder = makeRecorder()
        let journal = try recorder.journal()
        let listeners = try (0..<3).map { _ in try Listener(journal) }
        for listener in listeners {
            listener.say()
            recorder.schedule(listener)
        }
        #expect(listeners.allSatisfy { $0.heard.isEmpty } && journal.hasPending)
        loop.run()
        #expect(listeners.allSatisfy { $0.heard == ["begins", "ended"] } && !journal.hasPending)
        loop.run()
        #expect(listeners.allSatisfy { $0.heard.count == 2 })
    }

    /// What is recorded by those who are just told waits for the next commit.
    @Test func whatIsScheduledDuringACommitWaitsForTheNext() throws {
        defer { clean() }
        let recorder = makeRecorder()
        let first = try Listener(try recorder.journal())
        let second = try Listener(try recorder.journal())
        first.onEnd = {
            second.say()
            recorder.schedule(second)
            #expect(second.heard.isEmpty)
        }
        first.say()
        recorder.schedule(first)
        loop.run()
        #expect(second.heard == ["begins", "ended"])
    }

    @Test func aFailedWriteFailsEveryoneAndANewJournalFollows() throws {
        defer { clean() }
        let recorder = makeRecorder()
        let journal = try recorder.journal()
        let listeners = [try Listener(journal), try Listener(journal)]
        let silent = try Listener(journal)
        for listener in listeners {
            listener.say()
            recorder.schedule(listener)
        }
        files.fail("write")
        loop.run()
        #expect(listeners.allSatisfy { $0.heard == ["begins", "failed"] })
        #expect(silent.heard.isEmpty)
        files.fail(nil)
        let next = try Listener(try recorder.journal())
        for listener in [next, silent] {
            listener.say()
            recorder.schedule(listener)
        }
        loop.run()
        #expect(next.heard == ["begins", "ended"])
        // Its record went nowhere, so it is not told that it was committed.
        #expect(silent.heard == ["failed"])
    }

    @Test func theSilentOnesOfAFailedJournalHearItEvenWithoutANewOne() throws {
        defer { clean() }
        let recorder = makeRecorder()
        let journal = try recorder.journal()
        let (first, silent) = (try Listener(journal), try Listener(journal))
        files.fail("write")
        first.say()
        recorder.schedule(first)
        loop.run()
        silent.say()
        recorder.schedule(silent)
        loop.run()
        #expect(silent.heard == ["failed"])
    }

    /// A record too large for the journal fails it without any commit.
    @Test func aJournalThatFailedByItselfIsReplaced() throws {
        defer { clean() }
        let recorder = makeRecorder()
        let journal = try recorder.journal()
        journal.close()
        #expect(try recorder.journal() !== journal)
    }

    @Test(arguments: [false, true]) func syncedSessionsWaitForTheDisk(_ fails: Bool) async throws {
        defer { clean() }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let heard = loop.makePromise(of: [String].self)
        let (files, directory) = (files, directory)
        let before = try await loop.submit {
            let recorder = LoopRecorder(eventLoop: loop) {
                try Journal(
                    directory: directory, loop: 0, node: "n", clock: SystemClock(), sealing: Sealing(), log: nil, vault: nil,
                    fileSystem: files)
            }
            let journal = try recorder.journal()
            let (synced, written) = (try Listener(journal, .synced), try Listener(journal, .written))
            synced.onEnd = { heard.succeed(written.heard + synced.heard) }
            if fails { files.fail("fdatasync") }
            for listener in [synced, written] {
                listener.say()
                recorder.schedule(listener)
            }
            return synced.heard + written.heard
        }.get()
        #expect(before == [])
        // Those who wait for the kernel alone have gone on by then.
        #expect(try await heard.futureResult.get() == ["begins", "ended", "begins", fails ? "failed" : "ended"])
    }
}
