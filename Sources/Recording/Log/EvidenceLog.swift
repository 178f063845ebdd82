import Foundation
public import GatehouseCore
import Synchronization

/// A node's log of all its sessions: an append-only Merkle tree (RFC 9162) whose entries are handed to the kernel before what they tell of
/// goes on, and whose signed checkpoints go to the store and, if wanted, elsewhere.
public final class EvidenceLog: StartLog {
    /// A session that has a start and no end.
    struct Open: Hashable {
        var index: UInt64
        var keys: SessionKeys
    }

    fileprivate struct State {
        var tree = MerkleTree()
        var open: [SessionID: Open] = [:]
        /// Deletions that have begun and neither ended nor were given up.
        var deletions: [SessionID: LogEntry] = [:]
        var holds: Set<String> = []
        /// Records that no checkpoint in the store covers.
        var unpublished: [[UInt8]] = []
        var publishedSize: UInt64 = 0
        var file: JournalSync.Descriptor?
        var fileSize = 0
        /// Files that a sync has yet to cover, the present one apart.
        var unsynced: [JournalSync.Descriptor] = []
        /// Whether the names of all files are on disk.
        var areNamesDurable = true
    }

    private static let fileBytes = 16 << 20
    private static let objectBytes = 4 << 20

    private let directory: String
    private let node: String
    private let signer: ManifestSigner
    private let clock: any GatewayClock
    private let fileSystem: any FileSystem
    private let onCheckpoint: @Sendable ([UInt8]) -> Void
    private let state: Mutex<State>
    private let publishing = Mutex(())

    /// Reads what is there, and what the store has of it.
    /// - Parameter onCheckpoint: given each new checkpoint, to be kept elsewhere.
    /// - Throws: `LogError` when the store's log is not the one that is here: it would be forked.
    public init(
        directory: String, node: String, signer: ManifestSigner, store: any ObjectStore, clock: any GatewayClock,
        fileSystem: any FileSystem = LocalFileSystem(), onCheckpoint: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) throws {
        self.directory = directory
        self.node = node
        self.signer = signer
        self.clock = clock
        self.fileSystem = fileSystem
        self.onCheckpoint = onCheckpoint
        try fileSystem.makeDirectories(directory)
        state = Mutex(try Self.load(directory, node, signer, store, fileSystem))
    }

    // MARK: Reading what is there

    private static func load(
        _ directory: String, _ node: String, _ signer: ManifestSigner, _ store: any ObjectStore, _ fileSystem: any FileSystem
    ) throws -> State {
        var state = State()
        let published = try newestCheckpoint(node, signer, store)
        func take(_ json: [UInt8]) throws {
            if let published, state.tree.size == published.size { try check(state.tree, published) }
            state.note(try LogEntry.fromJSON(json), json)
        }
        let names = try fileSystem.list(directory) ?? []
        let files = names.compactMap { name in name.hasSuffix(".entries") ? UInt64(name.dropLast(8)) : nil }.sorted()
        for (position, first) in files.enumerated() {
            guard first == state.tree.size else {
                throw LogError("the log in \(directory) has no entry \(state.tree.size); restore the directory from a backup")
            }
            let next = position + 1 < files.count ? files[position + 1] : .max
            let path = "\(directory)/\(LogName.padded(first)).entries"
            // What follows the first record that is not sound was never said to be written.
            for json in LogEntry.records(try readFile(path, fileSystem)).entries where state.tree.size < next { try take(json) }
        }
        // A file without a sound entry is in the way of the one that begins at the same entry.
        for first in files where first == state.tree.size { try fileSystem.remove("\(directory)/\(LogName.padded(first)).entries") }
        if let published {
            if state.tree.size < published.size {
                // The directory was lost, or is older than the store: the store has the rest.
                var index: UInt64 = 0
                let here = state.tree.size
                var restored: [[UInt8]] = []
                _ = try LogReader(node: node, store: store).forEach { json, _ in
                    defer { index += 1 }
                    if index >= here, index < published.size {
                        try take(json)
                        restored.append(LogEntry.record(json))
                    }
                    return index + 1 < published.size
                }
                guard state.tree.size == published.size else {
                    throw LogError("the store's log of \(node) ends at \(state.tree.size), before its checkpoint of \(published.size)")
                }
                // Before anything is written: what is here may be another log.
                try check(state.tree, published)
                try writeFile("\(directory)/\(LogName.padded(here)).entries", restored.flatMap(\.self), fileSystem)
                try fileSystem.synchronizeDirectory(directory)
            }
            if state.tree.size == published.size { try check(state.tree, published) }
            state.publishedSize = published.size
            state.unpublished.removeFirst(min(state.unpublished.count, Int(clamping: published.size)))
        }
        return state
    }

    private static func check(_ tree: MerkleTree, _ published: Checkpoint) throws {
        guard tree.root == published.root else {
            throw LogError(
                "the log that is kept here is not the one that the store has of \(published.node) (they differ before entry \(published.size)); "
                    + "restore the log's directory, or give this gateway another `node` name")
        }
    }

    private static func newestCheckpoint(_ node: String, _ signer: ManifestSigner, _ store: any ObjectStore) throws -> Checkpoint? {
        var newest: ObjectKey?
        try store.forEachKey(below: LogName.folder(node) + "/checkpoints") { key in
            newest = key
            return true
        }
        guard let newest, let object = try store.open(newest) else { return nil }
        do {
            return try Checkpoint(try object.read(at: 0, count: object.size), keys: [signer.publicKey])
        } catch let error as CheckpointError {
            throw LogError(
                "the store has a log of \(node) that this gateway's key did not sign (\(newest): \(error.message)); restore the key, or give this gateway another `node` name"
            )
        }
    }

    private static func readFile(_ path: String, _ fileSystem: any FileSystem) throws -> [UInt8] {
        let descriptor = try fileSystem.open(path, .read)
        defer { fileSystem.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: try fileSystem.size(descriptor, path: path))
        let count = try bytes.withUnsafeMutableBytes { try fileSystem.readFully(descriptor, path: path, into: $0, at: 0) }
        return Array(bytes.prefix(count))
    }

    private static func writeFile(_ path: String, _ bytes: [UInt8], _ fileSystem: any FileSystem) throws {
        let descriptor = try fileSystem.open(path, .create)
        defer { fileSystem.close(descriptor) }
        try bytes.withUnsafeBytes { try fileSystem.writeAll(descriptor, path: path, $0) }
        try fileSystem.synchronize(descriptor, path: path)
    }

    // MARK: Appending

    public var size: UInt64 { state.withLock(\.tree.size) }
    public var publishedSize: UInt64 { state.withLock(\.publishedSize) }
    /// The key that vouches for it.
    public var publicKey: ManifestPublicKey { signer.publicKey }

    /// Sessions that have a start and no end.
    var openSessions: [SessionID: Open] { state.withLock(\.open) }

    /// The wrapped keys of a session that has not ended.
    func keys(of session: SessionID) -> SessionKeys? { state.withLock { $0.open[session]?.keys } }

    public func began(_ session: SessionID, keys: SessionKeys, at time: WallTime) throws {
        try append(.start) {
            $0.session = session
            $0.keys = keys.recording
            $0.originalKeys = keys.originals
            $0.time = time
        }
    }

    /// The manifest of a session is in the store.
    func ended(_ session: SessionID, manifest: String, outcome: Manifest.Outcome) throws {
        try append(.end) {
            $0.session = session
            $0.manifest = manifest
            $0.outcome = outcome
        }
    }

    /// Deletions of sessions that this log has the beginning of, and no end.
    public var unfinishedDeletions: [SessionID: LogEntry] { state.withLock(\.deletions) }

    /// Legal holds that this log has seen placed and not lifted, by their ids.
    public var holds: Set<String> { state.withLock(\.holds) }

    /// Something was done to the gateway itself, or a session is or was deleted (`kind` deletion or tombstone).
    public func note(
        _ action: String, by: String, detail: [String: String] = [:], kind: LogEntry.Kind = .administration, session: SessionID? = nil,
        manifest: String? = nil
    ) throws {
        try append(kind) {
            $0.action = action
            $0.by = by
            $0.detail = detail
            $0.session = session
            $0.manifest = manifest
        }
    }

    private func append(_ kind: LogEntry.Kind, _ fill: (inout LogEntry) -> Void) throws {
        try state.withLock { state in
            var entry = LogEntry(node: node, index: state.tree.size, time: clock.wallTime(), kind: kind)
            fill(&entry)
            let json = try canonicalJSON(entry)
            guard json.count <= LogEntry.maximumBytes else {
                throw LogError("an entry of \(json.count) bytes is above the log's limit of 64 KiB")
            }
            try write(LogEntry.record(json), &state)
            state.note(entry, json)
        }
    }

    private func write(_ record: [UInt8], _ state: inout State) throws {
        if state.file == nil || state.fileSize >= Self.fileBytes {
            let path = "\(directory)/\(LogName.padded(state.tree.size)).entries"
            let file = JournalSync.Descriptor(number: try fileSystem.open(path, .create), path: path, fileSystem: fileSystem)
            if let old = state.file { state.unsynced.append(old) }
            (state.file, state.fileSize, state.areNamesDurable) = (file, 0, false)
        }
        guard let file = state.file else { return }
        do {
            try record.withUnsafeBytes { try fileSystem.writeAll(file.number, path: file.path, $0) }
            state.fileSize += record.count
        } catch {
            // What was written of it is no entry: the next goes into a file of its own.
            if state.fileSize == 0 { try? fileSystem.remove(file.path) } else { state.unsynced.append(file) }
            state.file = nil
            throw error
        }
    }

    /// Has every entry, and the names of the files they are in, on disk when it returns. Appending goes on meanwhile.
    public func synchronize() throws {
        let (files, areNamesDurable) = state.withLock { ($0.unsynced + [$0.file].compactMap(\.self), $0.areNamesDurable) }
        for file in files { try fileSystem.synchronize(file.number, path: file.path) }
        if !areNamesDurable { try fileSystem.synchronizeDirectory(directory) }
        state.withLock { state in
            state.unsynced.removeAll { old in files.contains { $0 === old } }
            // A file that was made meanwhile is one that was not looked at.
            if state.file.map({ file in files.contains { $0 === file } }) ?? true { state.areNamesDurable = true }
        }
    }

    // MARK: Publishing

    /// Whether the store lacks an entry.
    public var hasNews: Bool { state.withLock { $0.tree.size > $0.publishedSize } }

    /// Puts what is new into the store, then a signed checkpoint over all.
    public func publish(to store: any ObjectStore) throws {
        try publishing.withLock { _ in
            let (records, first, checkpoint) = state.withLock { state in
                (
                    state.unpublished, state.publishedSize,
                    Checkpoint(node: node, size: state.tree.size, root: state.tree.root, time: clock.wallTime())
                )
            }
            guard !records.isEmpty else { return }
            var position = 0
            while position < records.count {
                var bytes: [UInt8] = []
                let start = position
                while position < records.count, bytes.isEmpty || bytes.count + records[position].count <= Self.objectBytes {
                    bytes += records[position]
                    position += 1
                }
                try store.put(LogName.entries(node, first: first + UInt64(start), count: position - start), bytes, retainUntil: nil)
            }
            let note = try checkpoint.signed(by: signer)
            try store.put(LogName.checkpoint(node, size: checkpoint.size), note, retainUntil: nil)
            state.withLock { state in
                state.unpublished.removeFirst(records.count)
                state.publishedSize = checkpoint.size
            }
            onCheckpoint(note)
        }
    }

    /// Has the store know of a session before it has anything else of it.
    func publish(_ session: SessionID, to store: any ObjectStore) throws {
        let isPublished = state.withLock { state in state.open[session].map { $0.index < state.publishedSize } ?? true }
        if !isPublished { try publish(to: store) }
    }
}

extension EvidenceLog.State {
    /// Takes an entry that is written.
    fileprivate mutating func note(_ entry: LogEntry, _ json: [UInt8]) {
        if let session = entry.session {
            switch entry.kind {
            case .start:
                open[session] = .init(index: entry.index, keys: SessionKeys(recording: entry.keys ?? [], originals: entry.originalKeys))
            case .end: open[session] = nil
            case .deletion: deletions[session] = entry
            case .tombstone:
                open[session] = nil
                deletions[session] = nil
            case .administration:
                if entry.action == LogAction.deletionRefused { deletions[session] = nil }
            }
        }
        if entry.kind == .administration, let hold = entry.detail?["hold"] {
            if entry.action == LogAction.holdPlaced { holds.insert(hold) }
            if entry.action == LogAction.holdLifted { holds.remove(hold) }
        }
        tree.append(MerkleTree.leafHash(json))
        unpublished.append(LogEntry.record(json))
    }
}

/// Words of administrative entries that mean something to the log itself.
public enum LogAction {
    /// The store, or a hold, did not let a session be deleted; it stays.
    public static let deletionRefused = "deletion.refused"
    /// `detail["hold"]` is the hold's id.
    public static let holdPlaced = "legal-hold.placed"
    public static let holdLifted = "legal-hold.lifted"
}

/// The log cannot go on.
public struct LogError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String

    init(_ message: String) { self.message = message }

    public var description: String { message }
}
