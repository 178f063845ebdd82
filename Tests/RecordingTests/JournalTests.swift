import Foundation
import GatehouseCore
import Synchronization
import Testing

@testable import Recording

private func bytes(of path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Reads a journal file's frames with the code that recovery uses, and the keys of the process that wrote it.
private func frames(in path: String, _ rig: Rig) throws -> [Frame] {
    let reader = try JournalFileReader(path: path, fileSystem: LocalFileSystem())
    var found: [Frame] = []
    var damage: [JournalDamage] = []
    while try reader.readPiece(
        upTo: reader.size(), mayBeTorn: true,
        each: { item in
            guard item.batch.header.kind == .frames else { return }
            do {
                found += try item.batch.frames(rig.sealing.key(of: item.batch.header.session)?.batchCipher(seals: false))
            } catch {
                Issue.record(error)
            }
        }, damage: { damage.append($0) })
    {}
    #expect(damage.isEmpty)
    return found
}

@Suite struct JournalTests {
    /// What is deleted from the store must not live on in a file that is never full.
    @Test func aFileIsNotWrittenForLongerThanAnHour() throws {
        let rig = try Rig()
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        var generator = SeededGenerator(seed: 5)
        let writer = Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock)
        try writer.start(journal)
        try writer.end()
        try journal.commit()
        vault.flush()
        #expect(try rig.journalFiles.count == 1)
        rig.clock.advance(.seconds(3_599))
        let other = Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock)
        try other.start(journal)
        try journal.commit()
        let before = try rig.journalFiles
        rig.clock.advance(.seconds(1))
        try other.end()
        try journal.commit()
        vault.flush()
        #expect(try rig.journalFiles.count == 1 && rig.journalFiles != before)
        #expect(rig.verify(writer.session).status == .verified && rig.verify(other.session).status == .verified)
    }

    let id = SessionID(high: 0x0196_5BBF_C000_7001, low: 0x8000_0000_0000_0002)

    @Test func aFrameIsLaidOutAsDocumented() throws {
        let frame = Frame(kind: .clientMessages, session: id, sequence: 3, time: WallTime(nanoseconds: 0x0102_0304), payload: [0xAA, 0xBB])
        let encoded = encodeFrame(frame)
        #expect(encoded.count == 46)
        #expect(Array(encoded[0..<4]) == [38, 0, 0, 0])
        #expect(Array(encoded[8..<12]) == [1, 3, 0, 0])
        #expect(Array(encoded[12..<28]) == [0x01, 0x96, 0x5B, 0xBF, 0xC0, 0x00, 0x70, 0x01, 0x80, 0, 0, 0, 0, 0, 0, 2])
        #expect(Array(encoded[28..<36]) == [3, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(encoded[36..<44]) == [4, 3, 2, 1, 0, 0, 0, 0])
        // CRC-32C, bit by bit, over everything behind the checksum.
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in encoded[8...] {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        crc ^= 0xFFFF_FFFF
        #expect(encoded.withUnsafeBytes { FrameHeader.storedChecksum($0) } == crc)
    }

    @Test func framesAreTheSameFedByteByByteAndWhole() throws {
        var generator = SeededGenerator(seed: 1)
        let frames = (1...20).map { number in
            Frame(
                kind: .serverMessages, session: id, sequence: UInt64(number), time: WallTime(seconds: number),
                payload: generator.bytes(number * 7 % 50, compressible: false))
        }
        let stream = frames.flatMap(encodeFrame)
        for step in [1, 2, 3, 43, 44, 45, 1000, stream.count] {
            var parser = FrameParser()
            var found: [Frame] = []
            for start in stride(from: 0, to: stream.count, by: step) {
                Array(stream[start..<min(start + step, stream.count)]).withUnsafeBytes { parser.append($0) }
                while let frame = try parser.next() { found.append(frame) }
            }
            expectSame(found, frames)
            #expect(parser.unread == 0)
        }
    }

    @Test func everyFlippedBitOfAFrameIsAnError() throws {
        let encoded = encodeFrame(Frame(kind: .notice, session: id, sequence: 1, time: WallTime(seconds: 1), payload: Array("{}".utf8)))
        for bit in 0..<encoded.count * 8 {
            var damaged = encoded
            damaged[bit / 8] ^= 1 << (bit % 8)
            // Behind a length that grew, more bytes are waited for: give them.
            damaged += [UInt8](repeating: 0, count: 200)
            var parser = FrameParser()
            damaged.withUnsafeBytes { parser.append($0) }
            var frame: Frame?
            do { frame = try parser.next() } catch { continue }
            #expect(frame == nil, "bit \(bit)")
        }
    }

    @Test func commitWritesWhatWasAppendedAndFilesArePrivate() throws {
        let rig = try Rig()
        let journal = try rig.makeJournal(nil)
        let writer = Writer(id, clock: rig.clock)
        try writer.start(journal)
        #expect(journal.hasPending)
        let path = rig.configuration.journalDirectory + "/0-000000000001.gj"
        #expect(try frames(in: path, rig).isEmpty)
        try journal.commit()
        #expect(!journal.hasPending && journal.pendingBytes == 0)
        expectSame(try frames(in: path, rig), writer.frames)
        let mode = try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
        #expect(mode == 0o600)
        let above = try #require(
            FileManager.default.attributesOfItem(atPath: rig.configuration.journalDirectory)[.posixPermissions] as? Int)
        #expect(above == 0o700)
    }

    @Test func oneCommitIsOneWrite() throws {
        let rig = try Rig()
        let journal = try rig.makeJournal(nil)
        var generator = SeededGenerator(seed: 2)
        let writer = Writer(id, clock: rig.clock)
        try writer.start(journal)
        for _ in 0..<50 { try writer.write(using: &generator) }
        let before = rig.fileSystem.calls.count
        try journal.commit()
        #expect(rig.fileSystem.calls.dropFirst(before) == ["write"])
    }

    @Test func shortWritesAreContinued() throws {
        let rig = try Rig(.init(writeAtMost: 7))
        let journal = try rig.makeJournal(nil)
        let writer = Writer(id, clock: rig.clock)
        try writer.start(journal)
        try journal.commit()
        expectSame(try frames(in: rig.configuration.journalDirectory + "/0-000000000001.gj", rig), writer.frames)
    }

    @Test(arguments: [Int32(5), 28]) func aFailedWritePoisonsTheJournal(code: Int32) throws {
        let rig = try Rig()
        let journal = try rig.makeJournal(nil)
        let writer = Writer(id, clock: rig.clock)
        try writer.start(journal)
        try journal.commit()
        let path = rig.configuration.journalDirectory + "/0-000000000001.gj"
        let whole = try bytes(of: path)
        rig.fileSystem.change {
            $0.callsBeforeFailure = 0
            $0.code = code
        }
        try writer.end()
        let error = #expect(throws: JournalError.self) { try journal.commit() }
        #expect(error?.code == (code == 28 ? .noSpace : .inputOutput))
        #expect(try bytes(of: path) == whole, "what was written in part is cut off")
        rig.fileSystem.change { $0.callsBeforeFailure = nil }
        try writer.end()
        #expect(throws: JournalError.self) { try journal.commit() }
        #expect(try bytes(of: path) == whole, "nothing is ever appended behind it")
        try journal.reset()
        let next = Writer(SessionID(high: id.high, low: id.low + 1), clock: rig.clock)
        try next.start(journal)
        try journal.commit()
        expectSame(try frames(in: rig.configuration.journalDirectory + "/0-000000000002.gj", rig), next.frames)
    }

    @Test func filesRotateAndNumbersGoOn() throws {
        let rig = try Rig()
        let journal = try rig.makeJournal(nil, rotateAtBytes: 1000)
        var generator = SeededGenerator(seed: 3)
        let writer = Writer(id, clock: rig.clock)
        try writer.start(journal)
        for _ in 0..<40 {
            try writer.write(using: &generator)
            try journal.commit()
        }
        journal.close()
        let files = try rig.journalFiles
        #expect(files.count > 3)
        var found: [Frame] = []
        for file in files { found += try frames(in: rig.configuration.journalDirectory + "/" + file, rig) }
        expectSame(found, writer.frames)
        let next = try rig.makeJournal(nil)
        #expect(try rig.journalFiles.last == JournalFileName(loop: 0, counter: UInt64(files.count + 1)).description)
        next.close()
        #expect(throws: JournalError.self) { try next.commit() }
    }

    @Test func syncedCommitsReturnFromTheDiskFirst() async throws {
        let rig = try Rig(.init(skipsSync: false))
        let journal = try rig.makeJournal(nil, rotateAtBytes: 1)
        for round in 1...3 {
            let writer = Writer(SessionID(high: id.high, low: id.low + UInt64(round)), clock: rig.clock)
            try writer.start(journal)
            let start = rig.fileSystem.calls.count
            let fileSystem = rig.fileSystem
            let calls = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<[String], any Error>) in
                do {
                    try journal.commitSynced { result in
                        let calls = Array(fileSystem.calls.dropFirst(start))
                        continuation.resume(with: result.map { calls }.mapError { $0 as any Error })
                    }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
            let written = try #require(calls.lastIndex(of: "write"))
            // The file itself, the one before it, and their names.
            #expect(calls[written...].contains("fdatasync"))
            #expect(calls.filter { $0 == "fdatasync" }.count == 2)
            #expect(calls.last == "fsync")
        }
        journal.close()
    }

    @Test func aFailedSyncPoisonsTheJournal() async throws {
        let rig = try Rig()
        let journal = try rig.makeJournal(nil)
        rig.fileSystem.change {
            $0.operation = "fdatasync"
            $0.callsBeforeFailure = 0
        }
        try Writer(id, clock: rig.clock).start(journal)
        let failed = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Bool, any Error>) in
            do {
                try journal.commitSynced { result in
                    if case .failure = result { continuation.resume(returning: true) } else { continuation.resume(returning: false) }
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
        #expect(failed)
        rig.fileSystem.change { $0.callsBeforeFailure = nil }
        #expect(throws: JournalError.self) { try journal.commit() }
        try journal.reset()
        try journal.commit()
        journal.close()
    }

    @Test func recordsReadBackAsWritten() throws {
        let rig = try Rig()
        let journal = try rig.makeJournal(nil)
        let time = rig.clock.wallTime()
        let ruling = VerdictRecord.Ruling(
            verdict: Verdict(decision: .deny, rule: "no-drop", reason: "never"), kinds: ["drop.table", "drop"], policyVersion: "7")
        let writer = Writer(id, clock: rig.clock)
        try writer.start(journal)
        let stream = try #require(writer.stream)
        stream.appendVerdict(action: 9, statement: 2, ruling: try ruling.encoded(), time: time)
        let mask = Substitution(direction: .server, items: 2, seenBytes: 40, recordedBytes: 6, note: "ssn – redact")
        stream.append(.masked, time: time, substitution: mask)
        stream.appendInjected(.init(bytes: [1, 2, 3]), reason: "no-drop", time: time)
        try stream.append(.notice, time: time, json: SessionNote(code: "idle-timeout", message: "m"))
        try journal.commit()
        let found = Array(try frames(in: rig.configuration.journalDirectory + "/0-000000000001.gj", rig).dropFirst(2))
        #expect(try VerdictRecord(payload: found[0].payload) == VerdictRecord(action: 9, statement: 2, ruling: ruling))
        #expect(try Substitution(payload: found[1].payload, of: .masked) == mask)
        #expect(try Injection(payload: found[2].payload) == Injection(reason: "no-drop", bytes: [1, 2, 3]))
        #expect(try found[3].decode(SessionNote.self) == SessionNote(code: "idle-timeout", message: "m"))
    }

    @Test func payloadsThatAreCutOffAreErrors() throws {
        #expect(throws: PayloadError.self) { try VerdictRecord(payload: [1, 2]) }
        #expect(throws: PayloadError.self) { try Substitution(payload: [UInt8](repeating: 0, count: 31), of: .gap) }
        #expect(throws: PayloadError.self) { try Substitution(payload: [9] + [UInt8](repeating: 0, count: 31), of: .gap) }
        #expect(throws: PayloadError.self) { try Injection(payload: [255, 255, 255, 255, 1]) }
    }
}
