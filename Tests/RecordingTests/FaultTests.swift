import Foundation
import GatehouseCore
import Testing

@testable import Recording

/// Failures of the file system at each call in turn.
@Suite struct FaultTests {
    /// Runs a small gateway's life; returns what each session knows to be committed.
    private func live(_ rig: Rig) -> [(writer: Writer, committed: Int)] {
        var generator = SeededGenerator(seed: 21)
        var sessions: [(writer: Writer, committed: Int)] = []
        guard let vault = try? rig.makeVault() else { return [] }
        _ = try? vault.recover()
        for _ in 0..<4 {
            // A journal that failed is closed and the next session gets a new one.
            guard let journal = try? rig.makeJournal(vault, rotateAtBytes: 1_500) else { continue }
            let indices = (0..<3).map { _ in
                sessions.append((Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock), 0))
                return sessions.count - 1
            }
            do {
                for index in indices { try sessions[index].writer.start(journal) }
                for round in 0..<24 {
                    try sessions[indices[round % 3]].writer.write(using: &generator)
                    if round % 2 == 0 {
                        try journal.commit()
                        for index in indices { sessions[index].committed = sessions[index].writer.frames.count }
                    }
                    if round % 5 == 0 { vault.pass() }
                }
                for index in indices.prefix(2) { try sessions[index].writer.end() }
                try journal.commit()
                for index in indices { sessions[index].committed = sessions[index].writer.frames.count }
            } catch {
                // The sessions end here; nothing that was not committed went on.
            }
            journal.close()
            vault.pass()
            rig.clock.advance(.seconds(5))
        }
        return sessions
    }

    private func check(_ rig: Rig, _ sessions: [(writer: Writer, committed: Int)], _ step: Int) throws {
        for (writer, committed) in sessions {
            let found = try rig.read(writer.session)
            #expect(found.count >= committed, "call \(step): \(found.count) of \(committed) committed frames are there")
            expectSame(found, Array(writer.frames.prefix(found.count)))
            guard !found.isEmpty else { continue }
            let report = rig.verify(writer.session)
            #expect(report.status == .verified, "call \(step): \(report.findings)")
        }
        #expect(try rig.journalFiles.isEmpty)
        // The log has every session that anything was recorded of, and the store every session of the log.
        let all = try rig.verifyAll()
        #expect(all.log.isEmpty && all.failed == 0 && all.incomplete == 0, "call \(step): \(all.log) \(all.sessions.map(\.findings))")
    }

    /// - Parameter isDeath: everything fails from then on, as after SIGKILL; else one call fails, as on a bad disk.
    @Test(arguments: [false, true]) func nothingCommittedIsLostWhicheverCallFails(isDeath: Bool) throws {
        var step = 0
        while true {
            let rig = try Rig(.init(callsBeforeFailure: step, isDeath: isDeath, code: step % 2 == 0 ? 5 : 28))
            let sessions = live(rig)
            let hasFailed = rig.fileSystem.hasFailed
            let next = try rig.survivor()
            _ = try next.makeVault().recover()
            try check(next, sessions, step)
            guard hasFailed else { break }
            // Every call in turn under `make soak`, else every eleventh.
            step += soakFactor > 1 ? 1 : 11
        }
        #expect(step > 100)
    }

    /// A real file system that really is full.
    @Test func aFullDiskStopsTheJournalAndLosesNothing() throws {
        let directory = try TemporaryDirectory()
        let mount = Process()
        mount.executableURL = URL(fileURLWithPath: "/bin/mount")
        mount.arguments = ["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", directory.path]
        mount.standardError = FileHandle.nullDevice
        try mount.run()
        mount.waitUntilExit()
        guard mount.terminationStatus == 0 else {
            print("skipped: a small tmpfs cannot be mounted by this user, so no disk was really full")
            return
        }
        defer {
            let unmount = Process()
            unmount.executableURL = URL(fileURLWithPath: "/bin/umount")
            unmount.arguments = [directory.path]
            if (try? unmount.run()) != nil { unmount.waitUntilExit() }
        }
        let rig = try Rig { $0.journalDirectory = directory.path + "/journal" }
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        var generator = SeededGenerator(seed: 31)
        var committed = 0
        var failure: JournalError?
        while failure == nil {
            for _ in 0..<20 { try writer.write(using: &generator, upTo: 3_000) }
            do throws(JournalError) {
                try journal.commit()
                committed = writer.frames.count
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == .noSpace)
        #expect(committed > 0)
        journal.close()
        vault.flush()
        #expect(try rig.journalFiles.isEmpty)
        let found = try rig.read(writer.session)
        expectSame(found, Array(writer.frames.prefix(committed)))
        #expect(rig.verify(writer.session).outcome == .interrupted)
        // There is room again: the next sessions are recorded.
        let next = try rig.makeJournal(vault)
        let after = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try after.start(next)
        try next.commit()
        next.close()
    }

    @Test func littleSpaceLeftRefusesNewSessions() throws {
        let rig = try Rig { $0.minimumFreeBytes = Int.max / 2 }
        let vault = try rig.makeVault()
        _ = try vault.recover()
        #expect(vault.isFull)
        let roomy = try Rig()
        let other = try roomy.makeVault()
        _ = try other.recover()
        #expect(!other.isFull && !other.isExhausted)
    }
}
