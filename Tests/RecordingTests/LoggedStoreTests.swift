import Foundation
import GatehouseCore
import Testing

@testable import Recording

/// A whole store against its log.
@Suite struct LoggedStoreTests {
    private let rig: Rig
    private let sessions: [SessionID]
    private let early: [UInt8]

    init() throws {
        let rig = try Rig { $0.segmentBytes = 4_000 }
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        var generator = SeededGenerator(seed: 51)
        var early: [UInt8] = []
        let writers = (0..<4).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
        for (index, writer) in writers.enumerated() {
            try writer.start(journal)
            for _ in 0..<20 { try writer.write(using: &generator) }
            try writer.end()
            try journal.commit()
            vault.flush()
            if index == 1, let size = rig.log?.publishedSize {
                let object = try #require(try rig.store.open(LogName.checkpoint("test-node", size: size)))
                early = try object.read(at: 0, count: object.size)
            }
        }
        journal.close()
        vault.flush()
        self.rig = rig
        self.early = early
        sessions = writers.map(\.session)
    }

    private func kinds() throws -> Set<Finding.Kind> {
        let report = try rig.verifyAll()
        return Set((report.log + report.sessions.flatMap(\.findings)).map(\.kind).filter(\.isFault))
    }

    @Test func anUntouchedStoreIsWhole() throws {
        let report = try rig.verifyAll()
        #expect(report.verified == 4 && report.log.isEmpty && report.failed == 0 && report.incomplete == 0 && report.rollback == nil)
    }

    @Test func aRemovedSessionIsMissed() throws {
        try rig.store.delete(sessions[2])
        let report = try rig.verifyAll()
        #expect(report.failed == 1 && report.sessions.first { $0.session == sessions[2] }?.findings.map(\.kind) == [.sessionMissing])
    }

    @Test func aSessionThatOnlyStartedIsMissed() throws {
        let log = try #require(rig.log)
        let id = SessionID(high: 0x0196_5BBF_C000_7001, low: 5)
        try log.began(id, keys: SessionKeys(), at: rig.clock.wallTime())
        try log.publish(to: rig.store)
        let report = try rig.verifyAll()
        #expect(report.incomplete == 1 && report.sessions.first { $0.session == id }?.findings.map(\.kind) == [.sessionMissing])
        // The next run finishes it, with nothing in it.
        _ = try rig.survivor().makeVault().recover()
        #expect(try kinds().isEmpty)
        #expect(try Manifest.load(id, from: rig.store)?.outcome == .interrupted)
    }

    @Test func aRemovedManifestAndAnotherManifestAreNoticed() throws {
        let directory = rig.store.directory(of: sessions[0])
        let manifest = try Data(contentsOf: URL(fileURLWithPath: directory + "/manifest.json"))
        let signature = try Data(contentsOf: URL(fileURLWithPath: directory + "/manifest.sig"))
        try FileManager.default.removeItem(atPath: directory + "/manifest.json")
        #expect(try kinds() == [.manifestMissing])
        // Signed with the gateway's own key, and yet not what it logged.
        var other = try Manifest.fromJSON(manifest)
        other.endReason = "somebody-else"
        let bytes = try canonicalJSON(other)
        try Data(bytes).write(to: URL(fileURLWithPath: directory + "/manifest.json"))
        try Data(rig.signer.signatureFile(for: bytes)).write(to: URL(fileURLWithPath: directory + "/manifest.sig"))
        #expect(try kinds() == [.logMismatch])
        try manifest.write(to: URL(fileURLWithPath: directory + "/manifest.json"))
        try signature.write(to: URL(fileURLWithPath: directory + "/manifest.sig"))
        #expect(try kinds().isEmpty)
    }

    @Test func aTombstoneExplainsARemovedSession() throws {
        let log = try #require(rig.log)
        try rig.store.delete(sessions[1])
        try log.note("thirty-days", by: "retention", kind: .tombstone, session: sessions[1])
        try log.publish(to: rig.store)
        #expect(try kinds().isEmpty)
    }

    /// A log that is cut back to an earlier checkpoint is sound in itself: only one kept elsewhere shows it.
    @Test func aRolledBackLogIsFoundByACheckpointKeptElsewhere() throws {
        let newest = try #require(rig.log?.publishedSize)
        let object = try #require(try rig.store.open(LogName.checkpoint("test-node", size: newest)))
        let late = try object.read(at: 0, count: object.size)
        #expect(try rig.verifyAll(checkpoint: late).rollback?.hasPrefix("checked") == true)
        #expect(try rig.verifyAll(checkpoint: early).rollback?.hasPrefix("checked") == true)
        let kept = try Checkpoint(early, keys: [rig.logSigner.publicKey])
        var keys: [ObjectKey] = []
        try rig.store.forEachKey(below: "log/test-node") { key in
            keys.append(key)
            return true
        }
        for key in keys {
            let number = UInt64(key.path.split(separator: "/").last?.split(separator: "-").first ?? "") ?? 0
            if key.path.contains("/checkpoints/") ? number > kept.size : number >= kept.size { try rig.store.delete(key) }
        }
        for session in sessions.dropFirst(2) { try rig.store.delete(session) }
        #expect(try kinds().isEmpty, "sound in itself")
        let report = try rig.verifyAll(checkpoint: late)
        #expect(report.rollback?.hasPrefix("FAILED") == true && report.log.map(\.kind) == [.logRolledBack])
        #expect(try rig.verifyAll(checkpoint: early).log.isEmpty)
    }

    @Test func everyFlippedBitOfTheLogIsFound() throws {
        var keys: [ObjectKey] = []
        try rig.store.forEachKey(below: "log") { key in
            keys.append(key)
            return true
        }
        var generator = SeededGenerator(seed: 52)
        let verifier = rig
        for _ in 0..<(60 * soakFactor) {
            let key = keys[Int.random(in: 0..<keys.count, using: &generator)]
            let path = rig.directory.path + "/store/" + key.path
            let before = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            var changed = before
            let bit = Int.random(in: 0..<before.count * 8, using: &generator)
            changed[bit / 8] ^= 1 << (bit % 8)
            try Data(changed).write(to: URL(fileURLWithPath: path))
            let log = try verifier.verifyAll().log
            // Base64's spare bits are the one place where a changed byte says the same.
            let isBase64 = key.path.contains("/checkpoints/") && log.isEmpty
            if isBase64 {
                let keys = [rig.logSigner.publicKey]
                #expect(try Checkpoint(changed, keys: keys) == Checkpoint(before, keys: keys), "bit \(bit) of \(key)")
            } else {
                #expect(log.contains { $0.file?.hasPrefix("log/test-node") == true }, "bit \(bit) of \(key): \(log)")
            }
            try Data(before).write(to: URL(fileURLWithPath: path))
        }
    }

    @Test func aRemovedLogIsMissed() throws {
        try FileManager.default.removeItem(atPath: rig.directory.path + "/store/log")
        #expect(try kinds() == [.logMissing])
    }

    @Test func aSessionThatTheLogDoesNotKnowIsNoticed() throws {
        let other = try Rig()
        let vault = try other.makeVault()
        let journal = try other.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        try writer.end()
        journal.close()
        vault.flush()
        for name in try other.store.list(writer.session) {
            let object = try #require(try other.store.open(ObjectName(session: writer.session, file: name)))
            try rig.store.put(ObjectName(session: writer.session, file: name), try object.read(at: 0, count: object.size))
        }
        #expect(try kinds().contains(.notLogged))
    }
}
