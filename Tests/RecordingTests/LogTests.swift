import Crypto
import Foundation
import GatehouseCore
import Testing

@testable import Recording

private func leaves(_ count: Int) -> [[UInt8]] { (0..<count).map { MerkleTree.leafHash(Array("leaf \($0)".utf8)) } }

private func tree(_ leaves: some Sequence<[UInt8]>) -> MerkleTree {
    var tree = MerkleTree()
    for leaf in leaves { tree.append(leaf) }
    return tree
}

@Suite struct MerkleTreeTests {
    /// The test vectors that implementations of RFC 6962 and 9162 share: eight leaves, and the root at each size.
    @Test func rootsAreThoseOfTheKnownVectors() {
        let entries: [[UInt8]] = [
            [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43], Array(0x50...0x57), Array(0x60...0x6f),
        ]
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]
        for size in 0...8 { #expect(tree(entries.prefix(size).map(MerkleTree.leafHash)).root.hexadecimal == roots[size]) }
    }

    @Test func everyInclusionProofHoldsAndNoChangedOneDoes() throws {
        for size in 1...40 {
            let leaves = leaves(size)
            let root = tree(leaves).root
            for index in 0..<size {
                let proof = try #require(MerkleProof.inclusion(of: index, in: leaves))
                func holds(_ proof: [[UInt8]], _ leaf: [UInt8], _ index: Int, _ size: Int) -> Bool {
                    MerkleProof.verifyInclusion(proof, of: leaf, at: UInt64(index), size: UInt64(size), root: root)
                }
                #expect(holds(proof, leaves[index], index, size))
                #expect(!holds(proof, MerkleTree.leafHash([1]), index, size))
                #expect(!holds(proof + [root], leaves[index], index, size))
                #expect(!holds(proof, leaves[index], index + size, size))
                if !proof.isEmpty { #expect(!holds(Array(proof.dropLast()), leaves[index], index, size)) }
                for place in proof.indices {
                    var changed = proof
                    changed[place][place % 32] ^= 1
                    #expect(!holds(changed, leaves[index], index, size))
                }
                if size > 1 { #expect(!holds(proof, leaves[index], (index + 1) % size, size)) }
            }
        }
        #expect(MerkleProof.inclusion(of: 3, in: leaves(3)) == nil)
        #expect(!MerkleProof.verifyInclusion([[1]], of: [], at: 0, size: .max, root: []))
    }

    @Test func everyConsistencyProofHoldsAndNoChangedOneDoes() throws {
        for size in 1...40 {
            let leaves = leaves(size)
            let root = tree(leaves).root
            for first in 1...size {
                let old = tree(leaves.prefix(first)).root
                let proof = try #require(MerkleProof.consistency(from: first, in: leaves))
                func holds(_ proof: [[UInt8]], _ old: [UInt8], _ new: [UInt8]) -> Bool {
                    MerkleProof.verifyConsistency(proof, from: UInt64(first), old, to: UInt64(size), new)
                }
                #expect(holds(proof, old, root), "\(first) of \(size)")
                #expect(!holds(proof, MerkleTree.leafHash([2]), root))
                #expect(!holds(proof, old, MerkleTree.leafHash([2])))
                #expect(!holds(proof + [root], old, root))
                for place in proof.indices {
                    var changed = proof
                    changed[place][place % 32] ^= 1
                    #expect(!holds(changed, old, root))
                }
            }
        }
        #expect(!MerkleProof.verifyConsistency([], from: 0, [], to: 5, []))
    }
}

@Suite struct EvidenceLogTests {
    private func session(_ rig: Rig, _ number: UInt64) -> SessionID { SessionID(high: 0x0196_5BBF_C000_7001, low: number) }

    private func filled(_ rig: Rig, _ count: UInt64) throws -> EvidenceLog {
        let log = try rig.makeLog()
        for number in 1...count {
            try log.began(
                session(rig, number), keys: SessionKeys(recording: [WrappedKey(recipient: "r", key: "k\(number)")]),
                at: rig.clock.wallTime())
            if number % 2 == 0 { try log.ended(session(rig, number), manifest: "aa", outcome: .ended) }
        }
        return log
    }

    @Test func aLogIsTheSameAfterItIsOpenedAgain() throws {
        let rig = try Rig()
        var log = try filled(rig, 5)
        #expect(log.size == 7 && Set(log.openSessions.keys) == [session(rig, 1), session(rig, 3), session(rig, 5)])
        try log.publish(to: rig.store)
        for _ in 0..<3 {
            let size = log.size
            log = try rig.makeLog()
            #expect(log.size == size && log.openSessions.count == 3 && log.keys(of: session(rig, 3))?.recording.first?.key == "k3")
            try log.note("again", by: "test")
            try log.publish(to: rig.store)
            #expect(log.publishedSize == log.size && !log.hasNews)
        }
        let index = try LogIndex(rig.store, keys: [rig.logSigner.publicKey])
        #expect(index.findings.isEmpty && index.sizes == ["test-node": 10] && index.sessions.count == 5)
    }

    /// The kernel keeps what was written, up to any byte.
    @Test func aTornTailIsNoEntryWhereverItEnds() throws {
        let rig = try Rig()
        _ = try filled(rig, 3)
        let path = rig.directory.path + "/log/0000000000000000.entries"
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        for cut in stride(from: 0, through: whole.count, by: soakFactor > 1 ? 1 : 7) {
            let rig = try Rig()
            try FileManager.default.createDirectory(atPath: rig.directory.path + "/log", withIntermediateDirectories: true)
            try whole.prefix(cut).write(to: URL(fileURLWithPath: rig.directory.path + "/log/0000000000000000.entries"))
            let log = try rig.makeLog()
            let before = log.size
            #expect(Int(before) == LogEntry.records(Array(whole.prefix(cut))).entries.count)
            try log.note("on", by: "test")
            #expect(try rig.makeLog().size == before + 1)
        }
    }

    @Test func aFailedWriteIsNoEntry() throws {
        let rig = try Rig()
        let log = try filled(rig, 3)
        let size = log.size
        rig.fileSystem.change {
            $0.callsBeforeFailure = 0
            $0.operation = "write"
        }
        #expect(throws: FileError.self) { try log.note("lost", by: "test") }
        rig.fileSystem.change { $0.callsBeforeFailure = nil }
        #expect(log.size == size)
        try log.note("kept", by: "test")
        #expect(try rig.makeLog().size == size + 1)
    }

    /// Publication that dies at each call in turn is finished by the next run, and verifies.
    @Test func publicationThatIsKilledIsFinished() throws {
        var step = 0
        while true {
            let rig = try Rig()
            let log = try filled(rig, 4)
            try log.publish(to: rig.store)
            try log.note("more", by: "test")
            rig.fileSystem.change {
                $0.callsBeforeFailure = step
                $0.isDeath = true
            }
            _ = try? log.publish(to: rig.store)
            let hasDied = rig.fileSystem.hasFailed
            let next = try rig.survivor()
            let again = try next.makeLog()
            try again.note("and more", by: "test")
            try again.publish(to: next.store)
            let index = try LogIndex(next.store, keys: [rig.logSigner.publicKey])
            #expect(index.findings.isEmpty && index.sizes == ["test-node": again.size], "call \(step): \(index.findings)")
            guard hasDied else { break }
            step += 1
        }
        #expect(step > 5)
    }

    @Test func aLostDirectoryIsRestoredFromTheStore() throws {
        let rig = try Rig()
        let log = try filled(rig, 5)
        try log.publish(to: rig.store)
        try FileManager.default.removeItem(atPath: rig.directory.path + "/log")
        let restored = try rig.makeLog()
        #expect(restored.size == log.size && restored.openSessions == log.openSessions && restored.publishedSize == log.size)
        try restored.note("on", by: "test")
        try restored.publish(to: rig.store)
        #expect(try LogIndex(rig.store, keys: [rig.logSigner.publicKey]).findings.isEmpty)
    }

    /// A log that went on elsewhere is never forked.
    @Test func anotherLogUnderTheSameNameIsRefused() throws {
        let rig = try Rig()
        try filled(rig, 5).publish(to: rig.store)
        let other = try Rig()
        other.clock.advance(.seconds(1))
        _ = try filled(other, 6)
        #expect(throws: LogError.self) {
            _ = try EvidenceLog(
                directory: other.directory.path + "/log", node: "test-node", signer: rig.logSigner, store: rig.store, clock: rig.clock)
        }
        #expect(throws: LogError.self) {
            _ = try EvidenceLog(
                directory: other.directory.path + "/log", node: "test-node", signer: other.logSigner, store: rig.store, clock: rig.clock)
        }
    }

    /// A shorter log that is another one is left as it is, not filled up from the store.
    @Test func aForkedLogIsNotFilledUp() throws {
        let rig = try Rig()
        try filled(rig, 5).publish(to: rig.store)
        let other = try Rig()
        other.clock.advance(.seconds(1))
        _ = try filled(other, 2)
        let files = LocalFileSystem()
        let before = try files.list(other.directory.path + "/log")
        #expect(throws: LogError.self) {
            _ = try EvidenceLog(
                directory: other.directory.path + "/log", node: "test-node", signer: rig.logSigner, store: rig.store, clock: rig.clock)
        }
        #expect(try files.list(other.directory.path + "/log") == before)
        #expect(try other.makeLog().size == 3)
    }

    /// Until a sync has succeeded, none of what was written before it counts as being on disk.
    @Test func aFailedSyncIsNotForgotten() throws {
        let rig = try Rig()
        let log = try filled(rig, 2)
        for operation in ["fdatasync", "fsync"] {
            try log.note("more", by: "test")
            rig.fileSystem.change {
                $0.operation = operation
                $0.callsBeforeFailure = 0
            }
            if operation == "fdatasync" { #expect(throws: FileError.self) { try log.synchronize() } }
            // A write that fails leaves its file, whose sync is still owed.
            rig.fileSystem.change {
                $0.operation = "write"
                $0.callsBeforeFailure = 0
            }
            #expect(throws: FileError.self) { try log.note("lost", by: "test") }
            rig.fileSystem.change { $0.callsBeforeFailure = nil }
            let before = rig.fileSystem.calls.count
            try log.synchronize()
            #expect(rig.fileSystem.calls.dropFirst(before).contains("fdatasync"), "after a failed \(operation)")
            try log.note("again", by: "test")
            let again = rig.fileSystem.calls.count
            try log.synchronize()
            #expect(Array(rig.fileSystem.calls.dropFirst(again)) == ["fdatasync", "fsync"])
        }
    }

    @Test func manyThreadsAppendInSomeOrder() async throws {
        let rig = try Rig()
        let log = try rig.makeLog()
        await withTaskGroup(of: Void.self) { tasks in
            for thread in 0..<8 {
                tasks.addTask { for number in 0..<50 { try? log.note("\(thread)-\(number)", by: "test") } }
            }
        }
        try log.publish(to: rig.store)
        #expect(log.size == 400)
        let index = try LogIndex(rig.store, keys: [rig.logSigner.publicKey])
        #expect(index.findings.isEmpty && index.sizes == ["test-node": 400])
        #expect(try rig.makeLog().size == 400)
    }

    @Test func twoNodesShareAStore() throws {
        let first = try Rig()
        let second = try Rig()
        try filled(first, 3).publish(to: first.store)
        let other = try EvidenceLog(
            directory: second.directory.path + "/log", node: "other", signer: second.logSigner, store: first.store, clock: second.clock)
        try other.began(SessionID(high: 0x0196_5BBF_C000_7001, low: 99), keys: SessionKeys(), at: second.clock.wallTime())
        try other.publish(to: first.store)
        let index = try LogIndex(first.store, keys: [first.logSigner.publicKey, second.logSigner.publicKey])
        #expect(index.findings.isEmpty && index.sizes == ["test-node": 4, "other": 1] && index.sessions.count == 4)
    }

    @Test func checkpointsAreSignedNotes() throws {
        let rig = try Rig()
        let checkpoint = Checkpoint(node: "n", size: 7, root: [UInt8](repeating: 9, count: 32), time: WallTime(nanoseconds: 5))
        let note = try checkpoint.signed(by: rig.logSigner)
        #expect(try Checkpoint(note, keys: [rig.signer.publicKey, rig.logSigner.publicKey]) == checkpoint)
        #expect(throws: CheckpointError.self) { try Checkpoint(note, keys: [rig.signer.publicKey]) }
        for bit in 0..<note.count * 8 {
            var changed = note
            changed[bit / 8] ^= 1 << (bit % 8)
            let read = try? Checkpoint(changed, keys: [rig.logSigner.publicKey])
            // Base64 has spare bits, and lines behind the signature are others' signatures.
            #expect(read == nil || read == checkpoint, "bit \(bit)")
        }
    }
}
