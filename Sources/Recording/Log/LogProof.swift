import Foundation
public import GatehouseCore

/// A proof about a node's log, as JSON that can be given away: it is checked with public keys alone, without the store.
public struct LogProof: Sendable, Hashable, Codable {
    /// Version of this form.
    public var format = 1
    /// The checkpoint that the proof leads to: a signed note.
    public var checkpoint: String
    /// Hashes, in hexadecimal: of RFC 9162 section 2.1.3 (inclusion) or 2.1.4 (consistency).
    public var hashes: [String]
    /// Of an inclusion: the entry's JSON as it was hashed.
    public var entry: String?
    /// Of a consistency: the earlier checkpoint, a signed note.
    public var earlier: String?

    init(checkpoint: [UInt8], hashes: [[UInt8]], entry: [UInt8]? = nil, earlier: [UInt8]? = nil) {
        self.checkpoint = String(decoding: checkpoint, as: UTF8.self)
        self.hashes = hashes.map(\.hexadecimal)
        self.entry = entry.map { String(decoding: $0, as: UTF8.self) }
        self.earlier = earlier.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Reads what is in the log, or which log goes on from which; throws when it is not proven.
    /// - Returns: what is proven, in words.
    /// - Throws: `CheckpointError`.
    public func check(keys: [ManifestPublicKey]) throws -> String {
        guard format == 1 else { throw CheckpointError(message: "a proof of format \(format) is not known to this program") }
        let checkpoint = try Checkpoint(Array(checkpoint.utf8), keys: keys)
        let hashes = try hashes.map { text in
            guard let hash = [UInt8](hexadecimal: text), hash.count == 32 else { throw CheckpointError(message: "a hash of it is none") }
            return hash
        }
        switch (entry, earlier) {
        case (let entry?, nil):
            guard let read = try? LogEntry.fromJSON(entry.utf8) else { throw CheckpointError(message: "its entry is none of a log") }
            guard read.node == checkpoint.node,
                MerkleProof.verifyInclusion(
                    hashes, of: MerkleTree.leafHash(Array(entry.utf8)), at: read.index, size: checkpoint.size, root: checkpoint.root)
            else { throw CheckpointError(message: "the entry is not proven to be in the log of \(checkpoint.node)") }
            return "entry \(read.index) (\(read.kind.rawValue)) is in the log of \(checkpoint.node) at \(checkpoint.size) entries"
        case (nil, let earlier?):
            let old = try Checkpoint(Array(earlier.utf8), keys: keys)
            guard old.node == checkpoint.node,
                MerkleProof.verifyConsistency(hashes, from: old.size, old.root, to: checkpoint.size, checkpoint.root)
            else { throw CheckpointError(message: "the log is not proven to go on from the earlier checkpoint") }
            return "the log of \(checkpoint.node) at \(checkpoint.size) entries goes on from that at \(old.size)"
        default: throw CheckpointError(message: "it has to have either an entry or an earlier checkpoint")
        }
    }
}

/// Makes proofs from a store.
public struct LogProver {
    private struct Log {
        var leaves: [[UInt8]] = []
        var found: [[UInt8]] = []
        var note: [UInt8]
    }

    private let store: any ObjectStore
    private let keys: [ManifestPublicKey]

    public init(store: any ObjectStore, keys: [ManifestPublicKey]) {
        self.store = store
        self.keys = keys
    }

    /// That each entry about a session is in the log that has it; empty when none has.
    /// - Throws: `Finding` where a log is not whole, `CheckpointError`, `StoreError`.
    public func inclusions(of session: SessionID) throws -> [LogProof] {
        var proofs: [LogProof] = []
        for node in try LogReader.nodes(in: store) {
            let log = try read(node) { $0.session == session }
            for json in log.found {
                let index = Int(clamping: try LogEntry.fromJSON(json).index)
                guard let hashes = MerkleProof.inclusion(of: index, in: log.leaves) else { continue }
                proofs.append(LogProof(checkpoint: log.note, hashes: hashes, entry: json))
            }
        }
        return proofs
    }

    /// That the store's log goes on from a checkpoint that was kept elsewhere.
    /// - Throws: as `inclusions`, and `CheckpointError` when the log does not reach that far.
    public func consistency(from kept: [UInt8]) throws -> LogProof {
        let earlier = try Checkpoint(kept, keys: keys)
        let log = try read(earlier.node) { _ in false }
        guard let hashes = MerkleProof.consistency(from: Int(clamping: earlier.size), in: log.leaves) else {
            throw CheckpointError(
                message: "the store's log of \(earlier.node) has \(log.leaves.count) entries, and the checkpoint is of \(earlier.size)")
        }
        return LogProof(checkpoint: log.note, hashes: hashes, earlier: kept)
    }

    /// The log as far as its newest checkpoint goes.
    private func read(_ node: String, _ wanted: (LogEntry) -> Bool) throws -> Log {
        var newest: (Checkpoint, [UInt8])?
        try store.forEachKey(below: LogName.folder(node) + "/checkpoints") { key in
            guard let object = try store.open(key) else { return true }
            let note = try object.read(at: 0, count: min(object.size, 1 << 20))
            let checkpoint = try Checkpoint(note, keys: keys)
            if checkpoint.node == node, checkpoint.size > newest?.0.size ?? 0 { newest = (checkpoint, note) }
            return true
        }
        guard let newest else { throw CheckpointError(message: "the store has no checkpoint of a log of \(node)") }
        var log = Log(note: newest.1)
        _ = try LogReader(node: node, store: store).forEach { json, _ in
            guard log.leaves.count < newest.0.size else { return false }
            log.leaves.append(MerkleTree.leafHash(json))
            if wanted(try LogEntry.fromJSON(json)) { log.found.append(json) }
            return true
        }
        return log
    }
}
