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
        let rig = try Rig { $0.segmentBytes = 3_000 }
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
            try writers[index].write(journals[index % 2], using: &generator)
            if Int.random(in: 0..<3, using: &generator) == 0 { for journal in journals { try journal.commit() } }
            if withVault, Int.random(in: 0..<8, using: &generator) == 0 { vault?.pass() }
        }
        for (index, writer) in writers.prefix(2).enumerated() { try writer.end(journals[index % 2]) }
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
            // Frames that were wholly below the cut are all there.
            let total = leftover.writers.enumerated().filter { $0.offset % 2 == 0 }
            let kept = try total.map { try leftover.rig.read($0.element.session).reduce(0) { $0 + 44 + $1.payload.count } }.reduce(0, +)
            let longest = total.flatMap { $0.element.frames.map { 44 + $0.payload.count } }.max() ?? 0
            #expect(kept + 400 + longest > cut, "\(kept) of \(cut) bytes were recovered")
            #expect(try leftover.rig.journalFiles.isEmpty)
        }
    }

    @Test func aFlippedBitCostsOneFrameAtMostAndIsDeclared() throws {
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
            var lost = 0
            for writer in leftover.writers {
                let found = try leftover.rig.read(writer.session)
                lost += writer.frames.count - found.count
                #expect(Set(found).isSubset(of: writer.frames))
                let verdict = leftover.rig.verify(writer.session)
                #expect(verdict.status == .verified, "\(verdict.findings)")
                // A gap in the middle is declared; a frame lost at the very end shows only as an interrupted session.
                if found.count < writer.frames.count, found.last == writer.frames.last {
                    #expect(verdict.findings.contains { $0.kind == .declaredGap })
                }
            }
            // A flip in the header frame of the file may cost all (its salt), or nothing.
            #expect(lost <= 1 || bit / 8 < 200, "bit \(bit): \(lost) frames were lost")
            #expect(try leftover.rig.journalFiles.isEmpty)
        }
    }

    /// Bytes of a client that look like a frame of somebody else are not taken for one when the frame around them is damaged.
    @Test func aForgedFrameInsideADamagedOneIsNotAdopted() throws {
        let rig = try Rig()
        let journal = try rig.makeJournal(nil)
        let victim = SessionID(at: rig.clock.wallTime())
        let attacker = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try attacker.start(journal)
        let forged = encodeFrame(
            Frame(kind: .start, session: victim, sequence: 1, time: rig.clock.wallTime(), payload: Array("{}".utf8)))
        forged.withUnsafeBytes {
            journal.append(.clientMessages, session: attacker.session, sequence: 3, time: rig.clock.wallTime(), payload: $0)
        }
        try journal.append(
            .notice, session: attacker.session, sequence: 4, time: rig.clock.wallTime(), json: SessionNote(code: "a", message: "b"))
        try journal.commit()
        _ = Unmanaged.passRetained(journal)
        let path = rig.configuration.journalDirectory + "/0-000000000001.gj"
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let inside = try #require(bytes.indices.first { bytes[$0...].starts(with: forged) })
        // The damaged frame's length no longer says where the next one begins.
        bytes[inside - FrameHeader.size] ^= 0x10
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
