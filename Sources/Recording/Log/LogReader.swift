import GatehouseCore

/// Reads a node's log from a store, entry by entry, and checks its checkpoints.
struct LogReader {
    let node: String
    let store: any ObjectStore

    /// The nodes that have a log in a store.
    static func nodes(in store: any ObjectStore) throws -> [String] {
        var nodes: [String] = []
        try store.forEachKey(below: "log") { key in
            let words = key.path.split(separator: "/", omittingEmptySubsequences: false)
            if words.count > 2, nodes.last != String(words[1]) { nodes.append(String(words[1])) }
            return true
        }
        return nodes
    }

    /// Gives every entry in order, with its object's key, until `body` returns false; the number of entries.
    /// - Throws: `Finding` where the log is not whole.
    func forEach(_ body: (_ json: [UInt8], _ object: ObjectKey) throws -> Bool) throws -> UInt64 {
        var objects: [(first: UInt64, count: UInt64, key: ObjectKey)] = []
        try store.forEachKey(below: LogName.folder(node) + "/entries") { key in
            let words = key.path.split(separator: "/").last?.split(separator: "-") ?? []
            guard words.count == 2, let first = UInt64(words[0]), let count = UInt64(words[1]),
                key == LogName.entries(node, first: first, count: Int(clamping: count))
            else { throw fault(.unexpectedFile, key, "no object of this name belongs into a log") }
            objects.append((first, count, key))
            return true
        }
        objects.sort { ($0.first, $0.count) < ($1.first, $1.count) }
        var next: UInt64 = 0
        for object in objects {
            guard object.first <= next else {
                throw fault(.logDamaged, object.key, "entries \(next) to \(object.first - 1) are missing")
            }
            guard let stored = try store.open(object.key), stored.size <= 64 << 20 else {
                throw fault(.logDamaged, object.key, "the object is gone, or too large to be one")
            }
            let bytes = try stored.read(at: 0, count: stored.size)
            let (entries, size) = LogEntry.records(bytes)
            guard size == bytes.count, UInt64(entries.count) == object.count else {
                throw fault(.logDamaged, object.key, "its bytes are not those that were written", at: UInt64(size))
            }
            // An interrupted publication may have put the same entries before, in a smaller object.
            for json in entries.dropFirst(Int(clamping: next - object.first)) {
                next += 1
                guard try body(json, object.key) else { return next }
            }
        }
        return next
    }

    private func fault(_ kind: Finding.Kind, _ key: ObjectKey, _ message: String, at offset: UInt64? = nil) -> Finding {
        Finding(kind: kind, session: nil, file: key.path, offset: offset, message: message)
    }
}

/// What a store's logs say of its sessions.
struct LogIndex {
    struct Entry {
        var node: String
        var keys: SessionKeys
        /// Of the manifest; nil where the log has no end.
        var manifest: String?
        var isDeleted = false
        /// Its deletion has begun, and neither ended nor was given up.
        var isBeingDeleted = false
    }

    private(set) var sessions: [SessionID: Entry] = [:]
    private(set) var findings: [Finding] = []
    /// Entries of each node, as far as the newest checkpoint vouches for them.
    private(set) var sizes: [String: UInt64] = [:]
    /// How `--checkpoint` came out; nil when none was given.
    private(set) var rollback: String?

    /// Reads the logs of all nodes.
    /// - Parameter kept: a checkpoint that was kept elsewhere.
    init(_ store: any ObjectStore, keys: [ManifestPublicKey], kept: Checkpoint? = nil) throws {
        for node in try LogReader.nodes(in: store) {
            do {
                try read(node, store, keys, kept?.node == node ? kept : nil)
            } catch let finding as Finding {
                findings.append(finding)
            }
        }
        if let kept, rollback == nil {
            rollback = "FAILED: the store's log of \(kept.node) does not reach the checkpoint of \(kept.size) entries"
            note(
                .logRolledBack, LogName.folder(kept.node),
                "a checkpoint of \(kept.size) entries was kept elsewhere, and the store has fewer")
        }
    }

    private mutating func note(_ kind: Finding.Kind, _ file: String, _ message: String) {
        findings.append(Finding(kind: kind, session: nil, file: file, message: message))
    }

    private mutating func read(_ node: String, _ store: any ObjectStore, _ keys: [ManifestPublicKey], _ kept: Checkpoint?) throws {
        var checkpoints = try self.checkpoints(node, store, keys)
        guard let newest = checkpoints.last?.size else {
            note(.logDamaged, LogName.folder(node), "the log has no sound checkpoint; was the key that signs the log (log.pub) given, too?")
            return
        }
        var waiting = checkpoints[...]
        var tree = MerkleTree()
        checkpoints = []
        func compare(_ tree: MerkleTree, _ index: inout LogIndex) {
            while let checkpoint = waiting.first, checkpoint.size == tree.size {
                waiting.removeFirst()
                if checkpoint.root != tree.root {
                    index.note(
                        .logDamaged, LogName.checkpoint(node, size: checkpoint.size).path,
                        "the entries are not those that this checkpoint was signed over")
                }
            }
            if let kept, kept.size == tree.size {
                if kept.root == tree.root {
                    index.rollback = "checked: the log of \(node) goes on from the checkpoint of \(kept.size) entries"
                } else {
                    index.rollback = "FAILED: the log of \(node) is not the one of the checkpoint of \(kept.size) entries"
                    index.note(
                        .logRolledBack, LogName.folder(node),
                        "its first \(kept.size) entries are not those of the checkpoint kept elsewhere")
                }
            }
        }
        compare(tree, &self)
        _ = try LogReader(node: node, store: store).forEach { json, key in
            // What no checkpoint vouches for yet is no evidence.
            guard tree.size < newest else { return false }
            guard let entry = try? LogEntry.fromJSON(json), entry.node == node, entry.index == tree.size, entry.format == 1 else {
                throw Finding(kind: .logDamaged, session: nil, file: key.path, message: "entry \(tree.size) is not one of this log")
            }
            take(entry)
            tree.append(MerkleTree.leafHash(json))
            compare(tree, &self)
            return true
        }
        sizes[node] = tree.size
        if tree.size < newest {
            note(.logDamaged, LogName.folder(node), "the log ends at entry \(tree.size), and a checkpoint vouches for \(newest)")
        }
    }

    private mutating func take(_ entry: LogEntry) {
        guard let session = entry.session else { return }
        // Another node may have deleted it, and its log may be read first.
        var known = sessions[session] ?? Entry(node: entry.node, keys: SessionKeys(), manifest: nil)
        switch entry.kind {
        case .start:
            known.node = entry.node
            known.keys = SessionKeys(recording: entry.keys ?? [], originals: entry.originalKeys)
        case .end: known.manifest = entry.manifest
        case .deletion: known.isBeingDeleted = true
        case .tombstone: known.isDeleted = true
        case .administration:
            guard entry.action == LogAction.deletionRefused else { return }
            known.isBeingDeleted = false
        }
        sessions[session] = known
    }

    /// The sound ones, by size; the others become findings.
    private mutating func checkpoints(_ node: String, _ store: any ObjectStore, _ keys: [ManifestPublicKey]) throws -> [Checkpoint] {
        var found: [Checkpoint] = []
        var faults: [Finding] = []
        try store.forEachKey(below: LogName.folder(node) + "/checkpoints") { key in
            do {
                guard let object = try store.open(key) else { return true }
                let checkpoint = try Checkpoint(try object.read(at: 0, count: min(object.size, 1 << 20)), keys: keys)
                guard checkpoint.node == node, LogName.checkpoint(node, size: checkpoint.size) == key else {
                    throw CheckpointError(message: "it is the checkpoint of \(checkpoint.node) at \(checkpoint.size)")
                }
                found.append(checkpoint)
            } catch let error as CheckpointError {
                faults.append(Finding(kind: .checkpointWrong, session: nil, file: key.path, message: error.message))
            }
            return true
        }
        findings += faults
        return found.sorted { $0.size < $1.size }
    }
}
