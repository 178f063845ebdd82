import Foundation
import GatehouseCore
import Testing

@testable import Recording

@Suite struct LogProofTests {
    private let rig: Rig
    private let sessions: [SessionID]
    private let early: [UInt8]
    private var keys: [ManifestPublicKey] { [rig.signer.publicKey, rig.logSigner.publicKey] }
    private var prover: LogProver { LogProver(store: rig.store, keys: keys) }

    init() throws {
        let rig = try Rig()
        let log = try rig.makeLog()
        var generator = SeededGenerator(seed: 61)
        var early: [UInt8] = []
        sessions = (0..<7).map { _ in SessionID(at: rig.clock.wallTime(), using: &generator) }
        for (index, session) in sessions.enumerated() {
            try log.began(session, keys: SessionKeys(), at: rig.clock.wallTime())
            if index == 3 {
                try log.publish(to: rig.store)
                let object = try #require(try rig.store.open(LogName.checkpoint("test-node", size: log.publishedSize)))
                early = try object.read()
            }
        }
        try log.ended(sessions[2], manifest: "00", outcome: .ended)
        try log.publish(to: rig.store)
        self.rig = rig
        self.early = early
    }

    @Test func everySessionIsProven() throws {
        for session in sessions {
            let proofs = try prover.inclusions(of: session)
            #expect(proofs.count == (session == sessions[2] ? 2 : 1))
            for proof in proofs {
                // As it travels.
                let travelled = try JSONDecoder().decode(LogProof.self, from: JSONEncoder().encode(proof))
                #expect(try travelled.check(keys: keys).contains("is in the log of test-node at 8 entries"))
                #expect(throws: CheckpointError.self) { try travelled.check(keys: [rig.signer.publicKey]) }
            }
        }
        #expect(try prover.inclusions(of: SessionID(high: 1, low: 1)).isEmpty)
    }

    @Test func theLogGoesOnFromAnEarlierCheckpoint() throws {
        let proof = try prover.consistency(from: early)
        #expect(try proof.check(keys: keys) == "the log of test-node at 8 entries goes on from that at 4")
    }

    /// Nothing of a proof can be changed and still prove something.
    @Test func changedProofsProveNothing() throws {
        let inclusion = try #require(try prover.inclusions(of: sessions[5]).first)
        let consistency = try prover.consistency(from: early)
        var generator = SeededGenerator(seed: 62)
        for original in [inclusion, consistency] {
            let json = [UInt8](try JSONEncoder().encode(original))
            for _ in 0..<(300 * soakFactor) {
                var bytes = json
                let index = Int.random(in: bytes.indices, using: &generator)
                bytes[index] ^= 1 << UInt8.random(in: 0..<7, using: &generator)
                guard let changed = try? JSONDecoder().decode(LogProof.self, from: Data(bytes)), changed != original,
                    // Hexadecimal in the other case is the same number.
                    changed.hashes.map({ $0.lowercased() }) != original.hashes || changed.checkpoint != original.checkpoint
                        || changed.entry != original.entry || changed.earlier != original.earlier
                else { continue }
                #expect(throws: (any Error).self) { try changed.check(keys: keys) }
            }
            var less = original
            less.hashes.removeLast()
            #expect(throws: CheckpointError.self) { try less.check(keys: keys) }
            var more = original
            more.hashes.append(String(repeating: "0", count: 64))
            #expect(throws: CheckpointError.self) { try more.check(keys: keys) }
        }
        var both = inclusion
        both.earlier = consistency.earlier
        #expect(throws: CheckpointError.self) { try both.check(keys: keys) }
    }

    @Test func aLogThatWasChangedProvesNothing() throws {
        try rig.store.forEachKey(below: "log/test-node/entries") { key in
            var bytes = try #require(try rig.store.open(key)).read()
            bytes[bytes.count / 2] ^= 1
            try rig.store.put(key, bytes, retainUntil: nil)
            return false
        }
        #expect(throws: (any Error).self) { try prover.inclusions(of: sessions[0]) }
    }
}
