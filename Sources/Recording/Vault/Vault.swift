import Dispatch
import Foundation
public import GatehouseCore
public import Logging
import Synchronization

/// Takes committed evidence out of the journals into the store: a thread of low priority, so that sessions go first, and where that falls
/// far behind, since sessions take all there is, one of ordinary priority in its place. One of them works at a time.
///
/// Use: `recover()` before any journal is opened, `start()`, and at the end `stop()` once the journals are closed.
public final class Vault: Sendable {
    /// After work the thread rests this long, so that commits in between need not wake it.
    private static let rest: useconds_t = 20_000

    private let configuration: VaultConfiguration
    private let fileSystem: any FileSystem
    private let worker: Mutex<VaultWorker>
    private let news = Mutex(JournalNews())
    private let backlog = Atomic<Int>(0)
    private let freeBytes = Atomic<Int>(.max)
    private let isAwake = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let failure = Mutex<String?>(nil)
    private let threads = Mutex<[Thread]>([])
    private let bell = DispatchSemaphore(value: 0)
    /// So much waits that the thread of ordinary priority works.
    private let isInHurry = Atomic<Bool>(false)
    private let hurryBell = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    public init(
        configuration: VaultConfiguration, store: any ObjectStore, signer: ManifestSigner, sealing: Sealing,
        log: EvidenceLog?, clock: any GatewayClock = SystemClock(),
        fileSystem: any FileSystem = LocalFileSystem(), logger: Logger = Logger(label: "gatehouse.vault")
    ) throws {
        self.configuration = configuration
        self.fileSystem = fileSystem
        worker = Mutex(
            try VaultWorker(
                configuration: configuration, store: store, signer: signer, sealing: sealing, log: log, clock: clock,
                fileSystem: fileSystem,
                logger: logger))
    }

    // MARK: For the gateway

    /// Finishes what an earlier run of the gateway left, however it ended. May be run again after it was itself interrupted.
    /// - Throws: when the journal's directory or the store cannot be read at all.
    public func recover() throws -> RecoveryReport {
        defer { publish() }
        return try worker.withLock { worker in
            try worker.recover()
            return worker.report
        }
    }

    public func start() {
        threads.withLock { threads in
            guard threads.isEmpty else { return }
            threads = [Thread { [self] in run() }, Thread { [self] in runInHurry() }]
            for thread in threads {
                thread.name = "gatehouse-vault"
                thread.stackSize = 1 << 20
                thread.start()
            }
        }
    }

    /// Stores all that is committed and ends the threads. Sessions without an end stay for the next recovery.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads.count
        }
        bell.signal()
        hurryBell.signal()
        for _ in 0..<running { ended.wait() }
        flush()
    }

    /// Stores, in the caller's thread, all that is committed now, as far as the store takes it.
    public func flush() {
        pass(everything: true)
    }

    public var state: VaultState {
        if let reason = failure.withLock(\.self) { return .failing(reason: reason) }
        let bytes = backlogBytes
        return bytes > configuration.highWaterBytes / 2 ? .behind(bytes: bytes) : .healthy
    }

    /// Bytes of journal files that are not deleted yet.
    public var backlogBytes: Int { max(0, backlog.load(ordering: .relaxed)) }

    /// Bytes free where the journal is, as last seen; nil before the first look.
    public var freeJournalBytes: Int? {
        let bytes = freeBytes.load(ordering: .relaxed)
        return bytes == .max ? nil : bytes
    }

    /// New sessions must be refused: too much waits to be stored, or too little space is left.
    public var isFull: Bool {
        backlogBytes > configuration.highWaterBytes || freeBytes.load(ordering: .relaxed) < configuration.minimumFreeBytes
    }

    /// Running sessions must be stopped, too: twice the backlog, or a quarter of the space, at which new ones are refused.
    public var isExhausted: Bool {
        backlogBytes / 2 > configuration.highWaterBytes || freeBytes.load(ordering: .relaxed) < configuration.minimumFreeBytes / 4
    }

    // MARK: For the journals

    func register(_ feed: JournalFeed) {
        news.withLock { $0.opened.append(feed) }
    }

    /// A journal is closed: what its sessions have not recorded by now, they never will.
    func closed(journal: String) {
        news.withLock { $0.closed.append(journal) }
        committed(0)
    }

    /// More is in a file, or a file is finished. Costs two atomic operations unless the thread sleeps.
    func committed(_ bytes: Int) {
        let waiting = backlog.wrappingAdd(bytes, ordering: .relaxed).newValue
        if waiting > hurryBytes, !isInHurry.load(ordering: .relaxed), !isInHurry.exchange(true, ordering: .acquiringAndReleasing) {
            hurryBell.signal()
        }
        if !isAwake.load(ordering: .relaxed), !isAwake.exchange(true, ordering: .acquiringAndReleasing) { bell.signal() }
    }

    // MARK: The thread

    /// Bytes of frames in memory.
    var pendingBytes: Int { worker.withLock(\.pendingBytes) }

    /// - Parameter yields: stop in the middle as soon as there is a hurry.
    func pass(everything: Bool = false, yields: Bool = false) {
        let new = news.withLock { news in
            defer { news = JournalNews() }
            return news
        }
        worker.withLock { worker in
            worker.adopt(new)
            if yields { worker.mustYield = { self.isInHurry.load(ordering: .relaxed) } }
            defer { worker.mustYield = { false } }
            worker.pass(everything: everything)
        }
        publish()
    }

    private func publish() {
        let (released, reason) = worker.withLock { worker in
            defer { worker.releasedBytes = 0 }
            return (worker.releasedBytes, worker.failingReason)
        }
        backlog.wrappingSubtract(released, ordering: .relaxed)
        failure.withLock { $0 = reason }
        if let free = try? fileSystem.freeBytes(configuration.journalDirectory) { freeBytes.store(free, ordering: .relaxed) }
    }

    private func run() {
        lowerPriority()
        while !isStopping.load(ordering: .acquiring) {
            // Also without a commit: something may be due by its age, or to be tried again.
            _ = bell.wait(timeout: .now() + .seconds(1))
            isAwake.store(true, ordering: .relaxed)
            if !isInHurry.load(ordering: .relaxed) { pass(yields: true) }
            usleep(Self.rest)
            isAwake.store(false, ordering: .releasing)
        }
        ended.signal()
    }

    /// An eighth of what new sessions are refused at.
    private var hurryBytes: Int { configuration.highWaterBytes / 8 }

    private func runInHurry() {
        while !isStopping.load(ordering: .acquiring) {
            hurryBell.wait()
            while backlogBytes > hurryBytes / 2, !isStopping.load(ordering: .acquiring) {
                pass()
                usleep(Self.rest)
            }
            isInHurry.store(false, ordering: .releasing)
        }
        ended.signal()
    }

    /// On Linux the priority of a thread is set by its own id; of the calling thread by 0.
    private func lowerPriority() {
        _ = setpriority(__priority_which_t(0), 0, 10)
    }
}

/// What journals have told the vault since it last looked.
struct JournalNews {
    var opened: [JournalFeed] = []
    /// Their random names.
    var closed: [String] = []
}
