import Foundation
import GatehouseCore
import Logging
import Recording
import Synchronization

/// A directory that goes when the test does.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "gatehouse-review-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A clock that stands still until it is told otherwise; its wall can be set apart from what has passed.
final class ManualClock: GatewayClock {
    private let state = Mutex<(elapsed: UInt64, set: Int64)>((0, 0))

    func advance(_ duration: Duration) { state.withLock { $0.elapsed += UInt64(duration.components.seconds) * 1_000_000_000 } }
    func set(ahead duration: Duration) { state.withLock { $0.set += duration.components.seconds * 1_000_000_000 } }

    func wallTime() -> WallTime {
        let now = state.withLock { Int64($0.elapsed) + $0.set }
        return WallTime(nanoseconds: 1_763_971_200_000_000_000 &+ UInt64(bitPattern: now))
    }
    func monotonicNanoseconds() -> UInt64 { 1_000_000_000 + state.withLock(\.elapsed) }
}

/// A store whose calls fail when a test wants them to.
final class FaultyStore: ObjectStore {
    private struct Plan {
        var callsBeforeFailure: Int?
        var refusals: Set<ObjectKey> = []
        var isDead = false
        var calls = 0
    }

    private let store: LocalStore
    private let plan = Mutex(Plan())

    init(_ store: LocalStore) { self.store = store }

    /// Changing calls so far.
    var calls: Int { plan.withLock(\.calls) }
    /// Every changing call behind `calls` more fails.
    func die(after calls: Int) {
        plan.withLock {
            $0.callsBeforeFailure = calls
            $0.isDead = false
        }
    }
    func refuseDeletion(of key: ObjectKey) { plan.withLock { _ = $0.refusals.insert(key) } }
    func allowDeletion() { plan.withLock { $0.refusals = [] } }

    private func change() throws(StoreError) {
        let isDead = plan.withLock { plan in
            plan.calls += 1
            if let left = plan.callsBeforeFailure {
                plan.callsBeforeFailure = left - 1
                if left <= 0 { plan.isDead = true }
            }
            return plan.isDead
        }
        if isDead { throw StoreError("the store is gone") }
    }

    func put(_ key: ObjectKey, _ bytes: [UInt8], retainUntil: WallTime?) throws(StoreError) {
        try change()
        try store.put(key, bytes, retainUntil: retainUntil)
    }
    func open(_ key: ObjectKey) throws(StoreError) -> (any StoredObject)? { try store.open(key) }
    func forEachKey(below folder: String, _ body: (ObjectKey) throws -> Bool) throws { try store.forEachKey(below: folder, body) }
    func delete(_ key: ObjectKey) throws(StoreError) {
        try change()
        if plan.withLock({ $0.refusals.contains(key) }) { throw StoreError("\(key) is retained until later") }
        try store.delete(key)
    }
    func removeLeftovers() throws(StoreError) { try store.removeLeftovers() }
}

/// A gateway's evidence in a directory.
final class Rig {
    let directory: TemporaryDirectory
    let clock = ManualClock()
    let local: LocalStore
    let store: FaultyStore
    private(set) var log: EvidenceLog
    private let signer: ManifestSigner
    private let logSigner: ManifestSigner

    init() throws {
        directory = try TemporaryDirectory()
        local = LocalStore(root: directory.path + "/store")
        store = FaultyStore(local)
        signer = try ManifestSigner(directory: directory.path + "/keys")
        logSigner = try ManifestSigner(directory: directory.path + "/keys", name: "log")
        log = try EvidenceLog(directory: directory.path + "/log", node: "one", signer: logSigner, store: local, clock: clock)
    }

    /// As after a restart of the gateway.
    func reopenLog() throws {
        log = try EvidenceLog(directory: directory.path + "/log", node: "one", signer: logSigner, store: local, clock: clock)
    }

    /// Records a whole session that begins and ends now.
    func record(target: String = "orders", user: String = "ada") throws -> SessionID {
        let vault = try Vault(
            configuration: VaultConfiguration(journalDirectory: directory.path + "/journal", node: "one", gatewayVersion: "1"),
            store: local, signer: signer, sealing: Sealing(recipients: []), log: log, clock: clock, logger: quiet)
        _ = try vault.recover()
        let journal = try Journal(
            directory: directory.path + "/journal", loop: 0, node: "one", clock: clock, sealing: Sealing(recipients: []), log: log,
            vault: vault)
        let now = clock.wallTime()
        let id = SessionID(at: now)
        let start = SessionStart(
            listener: "main", clientAddress: "127.0.0.1", target: target, protocolName: .postgres, isEncrypted: true, durability: .written,
            node: "one", gatewayVersion: "1", monotonicNanoseconds: clock.monotonicNanoseconds())
        let principal = Principal(
            issuer: "https://login.example.com", subject: user, user: user, groups: [],
            credential: .token(id: nil),
            expires: now.advanced(by: .seconds(3_600)))
        let stream = try journal.begin(
            id, start: start, identity: SessionIdentity(principal: principal, grantingRule: "all", policyVersion: "p1"), time: now)
        [UInt8]("select 1".utf8).withUnsafeBytes { stream.append(.clientMessages, time: now, payload: $0) }
        var accounting = Accounting()
        accounting.client.seen = 8
        accounting.client.verbatim = 8
        try stream.append(end: SessionEnd(reason: "client-closed", accounting: accounting, durationNanoseconds: 0), time: now)
        try journal.commit()
        journal.close()
        vault.flush()
        return id
    }

    func verify() throws -> VerificationReport {
        try Verifier(store: local, keys: [signer.publicKey, logSigner.publicKey]).verifyAll()
    }

    var sessions: [SessionID] {
        get throws {
            var found: [SessionID] = []
            try local.forEachSession {
                found.append($0)
                return true
            }
            return found
        }
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
