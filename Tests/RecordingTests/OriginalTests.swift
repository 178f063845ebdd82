import Foundation
import GatehouseCore
import Testing

@testable import Recording

/// What masks took out: sealed beside what stands for it, for break-glass recipients and nobody else.
@Suite struct OriginalTests {
    private static let secret = Array("row of 078-05-1120, in clear;".utf8)
    private static let masked = Array("row of ****;".utf8)

    /// A session of which the client got masked rows; what it would have got without.
    private func record(_ rig: Rig, _ journal: Journal, commits: () throws -> Void = {}) throws -> (session: SessionID, truth: [UInt8]) {
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        var truth: [UInt8] = []
        for index in 0..<20 {
            let plain = Array("plain \(index);".utf8)
            writer.pass(plain)
            // Also what nothing stands for, and what is cut into pieces.
            let original = index == 7 ? Self.long : Self.secret
            writer.replace(original, by: index % 5 == 4 ? [] : Self.masked)
            truth += plain + original
            if index % 3 == 0 {
                try journal.commit()
                try commits()
            }
        }
        try writer.end()
        return (writer.session, truth)
    }

    private static let long = (0..<(2 << 20) + 77).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }

    private func finished(_ rig: Rig) throws -> (session: SessionID, truth: [UInt8]) {
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let recorded = try record(rig, journal) { vault.pass() }
        journal.close()
        vault.flush()
        return recorded
    }

    private func glass(_ rig: Rig) -> RecipientKeys { RecipientKeys(rig.breakGlass.map { [$0] } ?? []) }

    private func wrapped(_ session: SessionID, _ rig: Rig) throws -> [WrappedKey] {
        try #require(try Manifest.load(session, from: rig.store)?.originalKeys)
    }

    private func stream(_ frames: [Frame]) -> [UInt8] { frames.filter { $0.kind == .serverMessages }.flatMap(\.payload) }

    /// The server's stream with originals in place.
    private func opened(_ session: SessionID, _ rig: Rig) throws -> [UInt8] {
        let reader = try OriginalReader(session: session, keys: glass(rig), wrapped: try wrapped(session, rig))
        var splicer = OriginalSplicer()
        return stream(try rig.read(session).compactMap { try splicer.splice($0, open: reader.open) })
    }

    @Test(arguments: [true, false]) func theKeyOpensWhatTheServerSaid(isSealed: Bool) throws {
        let rig = try Rig(isSealed: isSealed, keepsOriginals: true) { $0.segmentBytes = 300_000 }
        let (session, truth) = try finished(rig)
        #expect(try opened(session, rig) == truth)
        let recorded = stream(try rig.read(session))
        #expect(recorded.count < 1_000 && !recorded.contains(Self.secret))
        let report = rig.verify(session)
        #expect(report.status == .verified, "\(report.findings)")
        // 20, of which one is of three pieces; known without any key.
        let manifest = try #require(try Manifest.load(session, from: rig.store))
        #expect(manifest.frames["original"] == 22)
        #expect(manifest.accounting.server.replacedByMasks == UInt64(19 * Self.secret.count + Self.long.count))
        #expect(rig.verify(session, opening: false).status == .verified)
        let log = try #require(rig.log)
        #expect(try rig.verifyAll().failed == 0 && log.size > 0)
    }

    /// Also where the recording itself is not sealed.
    @Test func nothingOfItIsInTheClear() throws {
        let rig = try Rig(isSealed: false, keepsOriginals: true)
        let journal = try rig.makeJournal(nil)
        _ = try record(rig, journal)
        journal.close()
        let names = try rig.journalFiles
        #expect(!names.isEmpty)
        for name in names {
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: rig.configuration.journalDirectory + "/" + name)))
            #expect(bytes.contains(Self.masked) && !bytes.contains(Array("078-05-1120".utf8)) && !bytes.contains(Array("in clear".utf8)))
        }
    }

    @Test func noOtherKeyOpensIt() throws {
        let rig = try Rig(keepsOriginals: true)
        let (session, _) = try finished(rig)
        let keys = try wrapped(session, rig)
        for other in [rig.recipientKeys, RecipientKeys([try RecipientPrivateKey()]), RecipientKeys()] {
            let finding = #expect(throws: Finding.self) { try OriginalReader(session: session, keys: other, wrapped: keys) }
            #expect(finding?.kind == .sealed)
        }
        // The session's id is authenticated with its keys.
        #expect(throws: Finding.self) {
            try OriginalReader(session: SessionID(at: rig.clock.wallTime()), keys: glass(rig), wrapped: keys)
        }
        // The break-glass key alone opens no recording, nor does one kind of wrapped key open as the other.
        let manifest = try #require(try Manifest.load(session, from: rig.store))
        #expect(glass(rig).sessionKey(of: session, manifest.keys) == nil)
        #expect(glass(rig).sessionKey(of: session, keys) == nil)
    }

    @Test func whatWasChangedOrMovedDoesNotOpen() throws {
        let rig = try Rig(keepsOriginals: true)
        let (session, _) = try finished(rig)
        let reader = try OriginalReader(session: session, keys: glass(rig), wrapped: try wrapped(session, rig))
        let frames = try rig.read(session).filter { $0.kind == .original }
        let frame = try #require(frames.first)
        #expect(try reader.open(frame) == Self.secret)
        for index in frame.payload.indices {
            var changed = frame
            changed.payload[index] ^= 1
            #expect(throws: Finding.self, "byte \(index)") { try reader.open(changed) }
        }
        var moved = frame
        moved.sequence += 1
        #expect(throws: Finding.self) { try reader.open(moved) }
        var exchanged = frame
        exchanged.payload = frames[1].payload
        #expect(throws: Finding.self) { try reader.open(exchanged) }
        var cut = frame
        cut.payload.removeLast()
        #expect(throws: Finding.self) { try reader.open(cut) }
        cut.payload = Array(frame.payload.prefix(23))
        #expect(throws: Finding.self) { try reader.open(cut) }
    }

    /// An original that does not stand in front of what it is about.
    @Test(arguments: [(1, 0), (0, 4_000), (UInt64.max, 1)] as [(UInt64, UInt64)])
    func aWrongPlaceIsFound(offset: UInt64, recorded: UInt64) throws {
        let rig = try Rig(keepsOriginals: true)
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        let prefix = SealedOriginal.Prefix(direction: .server, offset: offset, recordedBytes: recorded)
        let payload = prefix.withBytes { Array($0) } + [UInt8](repeating: 7, count: 40)
        payload.withUnsafeBytes { writer.stream?.append(.original, time: rig.clock.wallTime(), payload: $0) }
        writer.pass([1, 2, 3])
        try writer.end()
        journal.close()
        vault.flush()
        #expect(rig.verify(writer.session).findings.map(\.kind) == [.originalWrong])
        // Nobody can tell who has no key.
        #expect(rig.verify(writer.session, opening: false).status == .verified)
    }

    /// With the break-glass key the verifier opens each.
    @Test func theVerifierOpensWhatItCan() throws {
        let rig = try Rig(keepsOriginals: true)
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
        try writer.start(journal)
        let prefix = SealedOriginal.Prefix(direction: .server, offset: 0, recordedBytes: 3)
        let forged = prefix.withBytes { Array($0) } + [UInt8](repeating: 7, count: 40)
        forged.withUnsafeBytes { writer.stream?.append(.original, time: rig.clock.wallTime(), payload: $0) }
        writer.pass([1, 2, 3])
        try writer.end()
        journal.close()
        vault.flush()
        #expect(rig.verify(writer.session).status == .verified)
        let verifier = Verifier(
            store: rig.store, keys: [rig.signer.publicKey],
            recipients: RecipientKeys([try #require(rig.recipient), try #require(rig.breakGlass)]))
        #expect(verifier.verify(writer.session).findings.map(\.kind) == [.originalWrong])
        let (session, _) = try finished(try Rig(of: rig))
        #expect(verifier.verify(session).status == .verified)
    }

    /// The next run has none of the keys.
    @Test(arguments: [true, false]) func itSurvivesAKill(isSealed: Bool) throws {
        let rig = try Rig(isSealed: isSealed, keepsOriginals: true)
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let (session, truth) = try record(rig, journal)
        try journal.commit()
        _ = Unmanaged.passRetained(journal)
        let next = try rig.survivor()
        #expect(try next.makeVault().recover().interrupted == 0)
        #expect(try opened(session, next) == truth)
        #expect(next.verify(session).status == .verified)
    }

    @Test func withoutARecipientNothingIsKept() throws {
        let rig = try Rig()
        let (session, _) = try finished(rig)
        let manifest = try #require(try Manifest.load(session, from: rig.store))
        #expect(manifest.originalKeys == nil && manifest.frames["original"] == nil)
        #expect(rig.verify(session).status == .verified)
        let finding = #expect(throws: Finding.self) { try OriginalReader(session: session, keys: rig.recipientKeys, wrapped: []) }
        #expect(finding?.message.contains("no break-glass recipient") == true)
    }

    /// Streams of any cut come out the same.
    @Test func splicingDoesNotDependOnHowTheStreamIsCut() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<200 {
            var frames: [Frame] = []
            var truth: [UInt8] = []
            var recorded: [UInt8] = []
            var originals: [UInt64: [UInt8]] = [:]
            let session = SessionID(high: 1, low: 2)
            func add(_ kind: RecordKind, _ payload: [UInt8]) {
                frames.append(
                    Frame(
                        kind: kind, session: session, sequence: UInt64(frames.count + 1), time: WallTime(nanoseconds: 0), payload: payload))
            }
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let mask = generator.bytes(Int.random(in: 0...9, using: &generator), compressible: false)
                if Bool.random(using: &generator) {
                    let prefix = SealedOriginal.Prefix(
                        direction: .server, offset: UInt64(recorded.count), recordedBytes: UInt64(mask.count))
                    let original = generator.bytes(Int.random(in: 0...9, using: &generator), compressible: false)
                    add(.original, prefix.withBytes { Array($0) } + [UInt8](repeating: 0, count: 16))
                    originals[UInt64(frames.count)] = original
                    truth += original
                } else {
                    truth += mask
                }
                recorded += mask
                let cut = Int.random(in: 0...mask.count, using: &generator)
                add(.serverMessages, Array(mask[..<cut]))
                add(.serverMessages, Array(mask[cut...]))
            }
            var splicer = OriginalSplicer()
            let spliced = try frames.compactMap { try splicer.splice($0) { originals[$0.sequence] ?? [] } }
            #expect(stream(spliced) == truth && splicer.count == originals.count)
        }
    }

    /// A reader that shares nothing with this code opens the same.
    @Test func aReaderWrittenFromTheDocumentOpensThem() throws {
        let rig = try Rig(keepsOriginals: true)
        let (session, _) = try finished(rig)
        let recipient = rig.directory.path + "/recipient.key"
        let glass = rig.directory.path + "/glass.key"
        try Data(try #require(rig.recipient).line.reveal().utf8).write(to: URL(fileURLWithPath: recipient))
        try Data(try #require(rig.breakGlass).line.reveal().utf8).write(to: URL(fileURLWithPath: glass))
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let process = Process()
        process.executableURL = here.appendingPathComponent("../../.build-venv/bin/python")
        process.arguments = [
            here.appendingPathComponent("reader.py").path, rig.store.directory(of: session), rig.directory.path + "/keys/manifest.pub",
            recipient, glass,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("16 ") }
        let reader = try OriginalReader(session: session, keys: self.glass(rig), wrapped: try wrapped(session, rig))
        let wanted = try rig.read(session).filter { $0.kind == .original }.map { frame in
            let original = try SealedOriginal(payload: frame.payload)
            let bytes = try reader.open(frame).hexadecimal
            return
                "16 \(frame.session) \(frame.sequence) \(frame.time.nanoseconds) 1 \(original.offset) \(original.recordedBytes) \(bytes)"
        }
        let isSame = lines.map(String.init) == wanted
        #expect(isSame && wanted.count == 22, "\(lines.count) lines, \(wanted.count) wanted")
    }
}
