import Foundation
import GatehouseCore
import Logging
import Synchronization
import Testing

@testable import Recording

/// How often the long suites repeat what they do: more under `make soak`.
let soakFactor = ProcessInfo.processInfo.environment["GATEHOUSE_SOAK"] == "1" ? 10 : 1

/// A directory that goes when the test does.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "gatehouse-recording-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A clock that stands still until it is told otherwise.
final class ManualClock: GatewayClock {
    private let elapsed = Mutex<UInt64>(0)

    func advance(_ duration: Duration) {
        elapsed.withLock { $0 += UInt64(duration.components.seconds) * 1_000_000_000 }
    }

    func wallTime() -> WallTime { WallTime(nanoseconds: 1_763_971_200_000_000_000 + elapsed.withLock(\.self)) }
    func monotonicNanoseconds() -> UInt64 { 1_000_000_000 + elapsed.withLock(\.self) }
}

/// Random numbers that are the same each run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int, compressible: Bool) -> [UInt8] {
        (0..<count).map { compressible ? UInt8(truncatingIfNeeded: 65 + $0 % 17) : UInt8(truncatingIfNeeded: next()) }
    }
}

/// The real file system, with failures where a test wants them.
final class FaultyFileSystem: FileSystem {
    struct Plan {
        /// Calls that change something and still succeed; nil: all.
        var callsBeforeFailure: Int?
        /// Whether everything fails from then on (the process is gone), or that call alone.
        var isDeath = false
        var code: Int32 = 5
        /// Only calls with this name count and fail; nil: all.
        var operation: String?
        /// At most this much is written by a call.
        var writeAtMost = Int.max
        /// Sync calls return without asking the disk, for speed.
        var skipsSync = true
    }

    private struct State {
        var plan: Plan
        var calls: [String] = []
        var hasFailed = false
    }

    private let real = LocalFileSystem()
    private let state: Mutex<State>

    init(_ plan: Plan = Plan()) { state = Mutex(State(plan: plan)) }

    var calls: [String] { state.withLock(\.calls) }
    var hasFailed: Bool { state.withLock(\.hasFailed) }
    func change(_ body: (inout Plan) -> Void) { state.withLock { body(&$0.plan) } }

    private func gate(_ operation: String, _ path: String) throws(FileError) {
        let code: Int32? = state.withLock { state in
            guard state.plan.operation == nil || state.plan.operation == operation else {
                state.calls.append(operation)
                return nil
            }
            if state.hasFailed && state.plan.isDeath { return state.plan.code }
            state.calls.append(operation)
            guard let left = state.plan.callsBeforeFailure else { return nil }
            state.plan.callsBeforeFailure = left - 1
            guard left <= 0, !state.hasFailed || state.plan.operation != nil else { return nil }
            state.hasFailed = true
            return state.plan.code
        }
        if let code { throw FileError(operation: operation, path: path, code: code) }
    }

    private var isDead: Bool { state.withLock { $0.hasFailed && $0.plan.isDeath } }

    func open(_ path: String, _ access: FileAccess) throws(FileError) -> Int32 {
        if access == .create { try gate("open", path) }
        return try real.open(path, access)
    }

    func close(_ descriptor: Int32) { real.close(descriptor) }

    func write(_ descriptor: Int32, path: String, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
        let wasDead = isDead
        do throws(FileError) {
            try gate("write", path)
        } catch {
            // A write that fails may have written a part.
            if !wasDead { _ = try real.write(descriptor, path: path, UnsafeRawBufferPointer(rebasing: bytes.prefix(bytes.count / 2))) }
            throw error
        }
        let most = state.withLock(\.plan.writeAtMost)
        return try real.write(descriptor, path: path, UnsafeRawBufferPointer(rebasing: bytes.prefix(most)))
    }

    func read(_ descriptor: Int32, path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        if state.withLock({ $0.plan.operation == "read" }) { try gate("read", path) }
        return try real.read(descriptor, path: path, into: buffer, at: offset)
    }

    func size(_ descriptor: Int32, path: String) throws(FileError) -> Int { try real.size(descriptor, path: path) }

    func truncate(_ descriptor: Int32, path: String, to size: Int) throws(FileError) {
        try gate("truncate", path)
        try real.truncate(descriptor, path: path, to: size)
    }

    func synchronize(_ descriptor: Int32, path: String) throws(FileError) {
        try gate("fdatasync", path)
        if !state.withLock(\.plan.skipsSync) { try real.synchronize(descriptor, path: path) }
    }

    func synchronizeDirectory(_ path: String) throws(FileError) {
        try gate("fsync", path)
        if !state.withLock(\.plan.skipsSync) { try real.synchronizeDirectory(path) }
    }

    func makeDirectory(_ path: String) throws(FileError) -> Bool {
        try gate("mkdir", path)
        return try real.makeDirectory(path)
    }

    func rename(_ from: String, to: String) throws(FileError) {
        try gate("rename", from)
        try real.rename(from, to: to)
    }

    func remove(_ path: String) throws(FileError) {
        try gate("unlink", path)
        try real.remove(path)
    }

    func removeDirectory(_ path: String) throws(FileError) {
        try gate("rmdir", path)
        try real.removeDirectory(path)
    }

    func list(_ path: String) throws(FileError) -> [String]? { try real.list(path) }
    func freeBytes(_ path: String) throws(FileError) -> Int { try real.freeBytes(path) }
}

/// A place for one gateway's evidence, and what is needed to write and read it.
final class Rig {
    let directory: TemporaryDirectory
    let clock: ManualClock
    let fileSystem: FaultyFileSystem
    let store: LocalStore
    let signer: ManifestSigner
    /// The private key that everything is sealed to; nil leaves it unsealed.
    let recipient: RecipientPrivateKey?
    /// That of the originals; nil keeps none.
    let breakGlass: RecipientPrivateKey?
    let sealing: Sealing
    let logSigner: ManifestSigner
    /// There is one as soon as there is a vault.
    private(set) var log: EvidenceLog?
    var configuration: VaultConfiguration

    init(
        _ plan: FaultyFileSystem.Plan = .init(), isSealed: Bool = true, keepsOriginals: Bool = false,
        configure: (inout VaultConfiguration) -> Void = { _ in }
    ) throws {
        recipient = isSealed ? try RecipientPrivateKey() : nil
        breakGlass = keepsOriginals ? try RecipientPrivateKey() : nil
        sealing = Sealing(
            recipients: recipient.map { [$0.publicKey] } ?? [], breakGlass: breakGlass.map { [$0.publicKey] } ?? [])
        directory = try TemporaryDirectory()
        clock = ManualClock()
        fileSystem = FaultyFileSystem(plan)
        store = LocalStore(root: directory.path + "/store", fileSystem: fileSystem)
        signer = try ManifestSigner(directory: directory.path + "/keys")
        logSigner = try ManifestSigner(directory: directory.path + "/keys", name: "log")
        configuration = VaultConfiguration(journalDirectory: directory.path + "/journal", node: "test-node", gatewayVersion: "0.0.1")
        configuration.minimumFreeBytes = 0
        configure(&configuration)
    }

    /// The same directories, keys and clock as another's, under a healthy file system: the next run of the gateway.
    init(of other: Rig) throws {
        directory = other.directory
        recipient = other.recipient
        breakGlass = other.breakGlass
        // Not the other's: the next run does not know its sessions' keys.
        sealing = Sealing(recipients: other.sealing.recipients, breakGlass: other.sealing.breakGlass)
        clock = other.clock
        fileSystem = FaultyFileSystem()
        store = LocalStore(root: directory.path + "/store", fileSystem: fileSystem)
        signer = try ManifestSigner(directory: directory.path + "/keys")
        logSigner = try ManifestSigner(directory: directory.path + "/keys", name: "log")
        configuration = other.configuration
    }

    func makeLog(_ other: (any ObjectStore)? = nil) throws -> EvidenceLog {
        try EvidenceLog(
            directory: directory.path + "/log", node: "test-node", signer: logSigner, store: other ?? store, clock: clock,
            fileSystem: fileSystem)
    }

    func makeVault(_ other: (any ObjectStore)? = nil) throws -> Vault {
        if log == nil { log = try makeLog(other) }
        return try Vault(
            configuration: configuration, store: other ?? store, signer: signer, sealing: sealing, log: log, clock: clock,
            fileSystem: fileSystem,
            logger: Logger(label: "vault") { _ in SwiftLogNoOpLogHandler() })
    }

    func makeJournal(_ vault: Vault?, loop: Int = 0, rotateAtBytes: Int = 64 << 20) throws(JournalError) -> Journal {
        try Journal(
            directory: configuration.journalDirectory, loop: loop, node: "test-node", clock: clock, rotateAtBytes: rotateAtBytes,
            sealing: sealing, log: log, vault: vault, fileSystem: fileSystem)
    }

    var journalFiles: [String] {
        get throws { try LocalFileSystem().list(configuration.journalDirectory)?.filter { $0.hasSuffix(".gj") } ?? [] }
    }

    /// Everything of a session, as a reader without the gateway sees it.
    func read(_ session: SessionID, withJournals: Bool = false) throws -> [Frame] {
        let reader = try SessionReader(
            session: session, store: LocalStore(root: directory.path + "/store"),
            journalDirectory: withJournals ? configuration.journalDirectory : nil, keys: recipientKeys)
        var frames: [Frame] = []
        while let frame = try reader.next() { frames.append(frame) }
        return frames
    }

    /// Everything in the store, against its log.
    func verifyAll(checkpoint: [UInt8]? = nil) throws -> VerificationReport {
        try Verifier(
            store: LocalStore(root: directory.path + "/store"), keys: [signer.publicKey, logSigner.publicKey], recipients: recipientKeys
        ).verifyAll(checkpoint: checkpoint)
    }

    var recipientKeys: RecipientKeys { RecipientKeys(recipient.map { [$0] } ?? []) }

    /// - Parameter opening: with the recipient's private key; without it, from public keys alone.
    func verify(_ session: SessionID, opening: Bool = true) -> SessionReport {
        Verifier(
            store: LocalStore(root: directory.path + "/store"), keys: [signer.publicKey],
            recipients: opening ? recipientKeys : RecipientKeys()
        ).verify(session)
    }
}

/// A session that writes random records and remembers them.
final class Writer {
    let session: SessionID
    let clock: any GatewayClock
    private(set) var frames: [Frame] = []
    private var accounting = Accounting()
    private var sequence: UInt64 = 0

    init(_ session: SessionID, clock: any GatewayClock) {
        self.session = session
        self.clock = clock
    }

    private(set) var stream: SessionStream?

    private func add(_ kind: RecordKind, _ payload: [UInt8]) {
        note(kind, payload)
        payload.withUnsafeBytes { stream?.append(kind, time: clock.wallTime(), payload: $0) }
    }

    private func note(_ kind: RecordKind, _ payload: [UInt8]) {
        sequence += 1
        frames.append(Frame(kind: kind, session: session, sequence: sequence, time: clock.wallTime(), payload: payload))
    }

    func start(_ journal: Journal) throws {
        let start = SessionStart(
            listener: "postgres", clientAddress: "127.0.0.1:5", target: "orders", protocolName: .postgres, role: "reader",
            isEncrypted: true,
            durability: .written, node: "test-node", gatewayVersion: "0.0.1", monotonicNanoseconds: clock.monotonicNanoseconds())
        let principal = Principal(
            issuer: "https://issuer.example", subject: "s-1", user: "ada", groups: ["dba"], credential: .token(id: nil),
            expires: WallTime(seconds: 2_000_000_000))
        let identity = SessionIdentity(principal: principal, grantingRule: "access[0]", policyVersion: "1")
        stream = try journal.begin(session, start: start, identity: identity, time: clock.wallTime())
        note(.start, try canonicalJSON(start))
        note(.identity, try canonicalJSON(identity))
    }

    /// Adds some random record.
    func write(using generator: inout SeededGenerator, upTo size: Int = 300) throws {
        let bytes = generator.bytes(Int.random(in: 0...size, using: &generator), compressible: Bool.random(using: &generator))
        switch Int.random(in: 0..<8, using: &generator) {
        case 0, 1:
            add(.clientMessages, bytes)
            accounting.client.verbatim += UInt64(bytes.count)
            accounting.client.seen += UInt64(bytes.count)
        case 2, 3:
            add(.serverMessages, bytes)
            accounting.server.verbatim += UInt64(bytes.count)
            accounting.server.seen += UInt64(bytes.count)
        case 4:
            // A value of 20 bytes leaves as one of 3 inside what the client gets.
            let mask = Substitution(direction: .server, items: 1, seenBytes: 20, recordedBytes: 3, note: "mask ssn")
            add(.masked, payload(mask))
            add(.serverMessages, bytes + [1, 2, 3])
            accounting.server.verbatim += UInt64(bytes.count)
            accounting.server.replacedByMasks += 20
            accounting.server.seen += UInt64(bytes.count) + 20
        case 5:
            add(.withheld, payload(Substitution(direction: .client, items: 1, seenBytes: 12, recordedBytes: 0)))
            accounting.client.withheldSecrets += 12
            accounting.client.seen += 12
        case 6:
            add(.gap, payload(Substitution(direction: .server, items: 1, seenBytes: 7, recordedBytes: 0, note: "own query")))
            accounting.server.gaps += 7
            accounting.server.seen += 7
        default:
            let verdict = Verdict(decision: .deny, rule: "no-drop", reason: "no")
            let ruling = try VerdictRecord.Ruling(verdict: verdict, kinds: ["select"], policyVersion: "1").encoded()
            add(.verdict, [UInt8](repeating: 0, count: 16) + ruling)
        }
    }

    /// The client gets `bytes` for `original`, which is kept where originals are.
    func replace(_ original: [UInt8], by bytes: [UInt8]) {
        original.withUnsafeBytes { stream?.appendOriginal(.server, $0, recorded: bytes.count, time: clock.wallTime()) }
        let mask = Substitution(
            direction: .server, items: 1, seenBytes: UInt64(original.count), recordedBytes: UInt64(bytes.count), note: "mask")
        add(.masked, payload(mask))
        add(.serverMessages, bytes)
        accounting.server.replacedByMasks += UInt64(original.count)
        accounting.server.seen += UInt64(original.count)
    }

    /// The server's bytes go on as they are.
    func pass(_ bytes: [UInt8]) {
        add(.serverMessages, bytes)
        accounting.server.verbatim += UInt64(bytes.count)
        accounting.server.seen += UInt64(bytes.count)
    }

    func end(accounting other: Accounting? = nil) throws {
        let end = SessionEnd(reason: "client-closed", accounting: other ?? accounting, durationNanoseconds: 5, counters: ["rows": 3])
        note(.end, try canonicalJSON(end))
        try stream?.append(end: end, time: clock.wallTime())
    }

    private func payload(_ substitution: Substitution) -> [UInt8] {
        substitution.withPrefix { Array($0) } + Array(substitution.note.utf8)
    }
}

/// Says where two lists of frames first differ, instead of printing both.
func expectSame(_ found: [Frame], _ wanted: [Frame], sourceLocation: SourceLocation = #_sourceLocation) {
    let difference = zip(found, wanted).enumerated().first { $1.0 != $1.1 }.map { "the \($0.offset)th differs" }
    let isSame = found == wanted
    #expect(
        isSame, "\(found.count) found, \(wanted.count) wanted; \(difference ?? "one begins as the other")", sourceLocation: sourceLocation)
}
