import Foundation
import GatehouseCore
import Testing

@testable import Recording

/// What a gateway that was killed leaves, and what the next one makes of it.
@Suite struct RecoveryTests {
    private struct Leftover {
        var rig: Rig
        var writers: [Writer]
    }

    /// Journals of two loops that nobody closed, with sessions that ended and some that did not.
    private func abandon(seed: UInt64, rounds: Int = 120, rotateAt: Int = 4_000, withVault: Bool = false) throws -> Leftover {
        var generator = SeededGenerator(seed: seed)
        let rig = try Rig(isSealed: seed % 3 != 2) { $0.segmentBytes = 3_000 }
        let vault = withVault ? try rig.makeVault() : nil
        let journals = [
            try rig.makeJournal(vault, loop: 0, rotateAtBytes: rotateAt), try rig.makeJournal(vault, loop: 1, rotateAtBytes: rotateAt),
        ]
        let writers = (0..<6).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
        for (index, writer) in writers.enumerated() { try writer.start(journals[index % 2]) }
        for round in 0..<rounds {
            let index = Int.random(in: 0..<6, using: &generator)
            // The first two end early; what they would still write is left out.
            if index < 2, round > rounds / 2 { continue }
            try writers[index].write(using: &generator)
            if Int.random(in: 0..<3, using: &generator) == 0 { for journal in journals { try journal.commit() } }
            if withVault, Int.random(in: 0..<8, using: &generator) == 0 { vault?.pass() }
        }
        for writer in writers.prefix(2) { try writer.end() }
        for journal in journals { try journal.commit() }
        // As after SIGKILL: nothing is closed, nothing is told to anybody.
        for journal in journals { _ = Unmanaged.passRetained(journal) }
        return Leftover(rig: rig, writers: writers)
    }

    private func expectRecovered(_ leftover: Leftover, _ report: RecoveryReport, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for (index, writer) in leftover.writers.enumerated() {
            expectSame(try leftover.rig.read(writer.session), writer.frames, sourceLocation: sourceLocation)
            let verdict = leftover.rig.verify(writer.session)
            #expect(verdict.status == .verified, "\(verdict.findings)", sourceLocation: sourceLocation)
            #expect(verdict.outcome == (index < 2 ? .ended : .interrupted), sourceLocation: sourceLocation)
        }
        #expect(try leftover.rig.journalFiles.isEmpty, sourceLocation: sourceLocation)
        #expect(report.remaining == 0, sourceLocation: sourceLocation)
        let all = try leftover.rig.verifyAll()
        // Journals that were written without a vault have no log.
        let faults =
            all.log + all.sessions.flatMap(\.findings).filter { $0.kind.isFault && $0.kind != .notLogged && $0.kind != .logMissing }
        #expect(faults.filter { $0.kind != .logMissing }.isEmpty, "\(faults)", sourceLocation: sourceLocation)
    }

    @Test func everythingCommittedIsRecovered() throws {
        for seed in 0..<UInt64(6 * soakFactor) {
            let leftover = try abandon(seed: seed, withVault: seed % 2 == 0)
            let vault = try leftover.rig.makeVault()
            let report = try vault.recover()
            try expectRecovered(leftover, report)
            #expect(report.interrupted == 4 && report.damage.isEmpty)
            #expect(vault.backlogBytes == 0)
            #expect(try LocalFileSystem().list(leftover.rig.configuration.journalDirectory + "/open")?.isEmpty ?? true)
            let again = try leftover.rig.makeVault().recover()
            #expect(again == RecoveryReport())
        }
    }

    /// The kernel keeps what was written, up to any byte: every whole frame before it is recovered, nothing is invented.
    @Test func aTornTailIsCutOffAtAnyByte() throws {
        var generator = SeededGenerator(seed: 77)
        for _ in 0..<(25 * soakFactor) {
            let leftover = try abandon(seed: generator.next(), rounds: 40, rotateAt: 1 << 20)
            let path = leftover.rig.configuration.journalDirectory + "/0-000000000001.gj"
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            let cut = Int.random(in: 0...whole.count, using: &generator)
            try whole.prefix(cut).write(to: URL(fileURLWithPath: path))
            let report = try leftover.rig.makeVault().recover()
            #expect(report.setAside.isEmpty)
            for (index, writer) in leftover.writers.enumerated() {
                let found = try leftover.rig.read(writer.session)
                expectSame(found, Array(writer.frames.prefix(found.count)))
                if index % 2 == 1 { #expect(found.count == writer.frames.count, "the other loop's file is untouched") }
                let verdict = leftover.rig.verify(writer.session)
                if !found.isEmpty { #expect(verdict.status == .verified, "\(verdict.findings)") }
            }
            // Batches that were wholly below the cut are all there.
            for (session, last) in try lastSequences(in: whole.prefix(cut), leftover.rig) {
                #expect(try leftover.rig.read(session).last?.sequence == last)
            }
            #expect(try leftover.rig.journalFiles.isEmpty)
        }
    }

    /// The last sequence of each session in whole batches of a journal file's bytes.
    private func lastSequences(in bytes: Data, _ rig: Rig) throws -> [SessionID: UInt64] {
        let path = rig.directory.path + "/copy.gj"
        try bytes.write(to: URL(fileURLWithPath: path))
        let reader = try JournalFileReader(path: path, fileSystem: LocalFileSystem())
        var last: [SessionID: UInt64] = [:]
        while try reader.readPiece(
            upTo: bytes.count, mayBeTorn: true,
            each: { if $0.batch.header.kind == .frames { last[$0.batch.header.session] = $0.batch.header.lastSequence } }, damage: { _ in })
        {}
        return last
    }

    @Test func aFlippedBitCostsOneBatchAtMostAndIsDeclared() throws {
        var generator = SeededGenerator(seed: 78)
        for _ in 0..<(40 * soakFactor) {
            let leftover = try abandon(seed: generator.next(), rounds: 60, rotateAt: 1 << 20)
            let path = leftover.rig.configuration.journalDirectory + "/0-000000000001.gj"
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            let bit = Int.random(in: 0..<bytes.count * 8, using: &generator)
            bytes[bit / 8] ^= 1 << (bit % 8)
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let report = try leftover.rig.makeVault().recover()
            #expect(report.damage.count == 1, "bit \(bit): \(report.damage)")
            var losers = 0
            for writer in leftover.writers {
                let manifest = try Manifest.load(writer.session, from: leftover.rig.store)
                guard manifest?.start != nil else {
                    // Its opening was hit, and with it the only copy of its wrapped key but the log's.
                    losers += 1
                    if leftover.rig.recipient != nil { #expect(throws: Finding.self) { try leftover.rig.read(writer.session) } }
                    continue
                }
                let found = try leftover.rig.read(writer.session)
                let missing = Set(writer.frames.map(\.sequence)).subtracting(found.map(\.sequence)).sorted()
                if let first = missing.first, let last = missing.last {
                    losers += 1
                    #expect(last - first == UInt64(missing.count - 1), "bit \(bit): more than one batch was lost")
                }
                #expect(Set(found).isSubset(of: writer.frames))
                let verdict = leftover.rig.verify(writer.session)
                #expect(verdict.status == .verified, "\(verdict.findings)")
                // A gap in the middle is declared; a frame lost at the very end shows only as an interrupted session.
                if found.count < writer.frames.count, found.last == writer.frames.last {
                    #expect(verdict.findings.contains { $0.kind == .declaredGap })
                }
            }
            // A flip in the header frame of the file may cost all (its salt), or nothing.
            #expect(losers <= 1 || bit / 8 < 200, "bit \(bit): frames of \(losers) sessions were lost")
            #expect(try leftover.rig.journalFiles.isEmpty)
        }
    }

    /// Bytes of a client that look like a batch of somebody else are not taken for one when the batch around them is damaged, sealed
    /// or not.
    @Test func aForgedBatchInsideADamagedOneIsNotAdopted() throws {
        let rig = try Rig(isSealed: false)
        let journal = try rig.makeJournal(nil)
        let victim = SessionID(at: rig.clock.wallTime())
        let attacker = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try attacker.start(journal)
        try journal.commit()
        let path = rig.configuration.journalDirectory + "/0-000000000001.gj"
        let begin = try Data(contentsOf: URL(fileURLWithPath: path)).count
        var forged = [UInt8](repeating: 0, count: BatchHeader.size)
        let header = BatchHeader(
            kind: .opening, session: victim, firstSequence: 0, frames: 0, time: rig.clock.wallTime(), isSealed: false, clearLength: 0,
            bodyLength: 0)
        forged.withUnsafeMutableBytes { raw in
            if let base = raw.baseAddress { header.write(to: base) }
            raw.storeBytes(of: batchChecksum(UnsafeRawBufferPointer(raw)).littleEndian, toByteOffset: 4, as: UInt32.self)
        }
        let stream = try #require(attacker.stream)
        forged.withUnsafeBytes { stream.append(.clientMessages, time: rig.clock.wallTime(), payload: $0) }
        try journal.commit()
        try stream.append(.notice, time: rig.clock.wallTime(), json: SessionNote(code: "a", message: "b"))
        try journal.commit()
        _ = Unmanaged.passRetained(journal)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(bytes[begin...].indices.contains { bytes[$0...].starts(with: forged) })
        // The damaged batch's length no longer says where the next one begins.
        bytes[begin] ^= 0x10
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let report = try rig.makeVault().recover()
        #expect(report.damage.count == 1)
        #expect(try rig.store.list(victim).isEmpty)
        #expect(try rig.read(attacker.session).map(\.sequence) == [1, 2, 4])
    }

    @Test func oneBadFileBlocksNobody() throws {
        let leftover = try abandon(seed: 5, rounds: 60, rotateAt: 1 << 20)
        let directory = leftover.rig.configuration.journalDirectory
        var noise = SeededGenerator(seed: 1)
        try Data(noise.bytes(50_000, compressible: false)).write(to: URL(fileURLWithPath: directory + "/2-000000000001.gj"))
        try FileManager.default.createDirectory(atPath: directory + "/3-000000000001.gj", withIntermediateDirectories: false)
        try Data().write(to: URL(fileURLWithPath: directory + "/4-000000000001.gj"))
        let report = try leftover.rig.makeVault().recover()
        try expectRecovered(leftover, report)
        #expect(report.setAside.count == 2)
        #expect(try LocalFileSystem().list(directory)?.filter { $0.hasSuffix(".bad") }.count == 2)
    }

    /// Dies at each call in turn while it recovers; the next recovery, undisturbed, ends with the same evidence.
    @Test func recoveryThatIsKilledIsRunAgain() throws {
        var step = 0
        while true {
            let leftover = try abandon(seed: 9, rounds: 60, withVault: step % 2 == 0)
            leftover.rig.fileSystem.change {
                $0.callsBeforeFailure = step
                $0.isDeath = true
            }
            _ = try? leftover.rig.makeVault().recover()
            let hasDied = leftover.rig.fileSystem.hasFailed
            let next = Leftover(rig: try leftover.rig.survivor(), writers: leftover.writers)
            let report = try next.rig.makeVault().recover()
            try expectRecovered(next, report)
            guard hasDied else { break }
            step += soakFactor > 1 ? 1 : 3
        }
        #expect(step > 30)
    }

    @Test func aStoreThatIsDownAtBootIsTriedAgain() throws {
        let leftover = try abandon(seed: 11, rounds: 60)
        leftover.rig.fileSystem.change {
            $0.operation = "rename"
            $0.callsBeforeFailure = 0
        }
        let vault = try leftover.rig.makeVault()
        let report = try vault.recover()
        #expect(report.remaining == 6)
        #expect(vault.state != .healthy)
        #expect(vault.backlogBytes > 0)
        leftover.rig.fileSystem.change { $0.callsBeforeFailure = nil }
        leftover.rig.clock.advance(.seconds(60))
        vault.pass()
        try expectRecovered(leftover, RecoveryReport())
        #expect(vault.state == .healthy && vault.backlogBytes == 0)
    }
}

extension Rig {
    /// The same directories and clock under a new process with a healthy file system.
    func survivor() throws -> Rig { try Rig(of: self) }
}
