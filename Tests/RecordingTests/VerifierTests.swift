import Foundation
import GatehouseCore
import Testing

@testable import Recording

/// One change to a stored set, and what a verifier may call it.
private struct Mutation {
    var name: String
    var session: SessionID
    /// Files that are changed, to be put back after.
    var files: [String]
    var expected: Set<Finding.Kind>
    /// The file that a finding must name.
    var blamed: String?
    var apply: (String) throws -> Void
}

private let files = FileManager.default

private func load(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }
private func save(_ bytes: [UInt8], _ path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

@Suite struct VerifierTests {
    private let rig: Rig
    private let sessions: [SessionID]

    /// Three sessions of several segments each, and a short one.
    init() throws {
        var generator = SeededGenerator(seed: 41)
        let rig = try Rig { $0.segmentBytes = 4_000 }
        let vault = try rig.makeVault()
        let journal = try rig.makeJournal(vault)
        let writers = (0..<4).map { _ in Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock) }
        for (index, writer) in writers.enumerated() {
            try writer.start(journal)
            for _ in 0..<(index == 3 ? 3 : 110) {
                try writer.write(using: &generator)
                try journal.commit()
                vault.pass()
            }
            try writer.end()
        }
        journal.close()
        vault.flush()
        self.rig = rig
        sessions = writers.map(\.session)
    }

    private func directory(_ session: SessionID) -> String { rig.store.directory(of: session) }

    private func segments(_ session: SessionID) throws -> [String] { try rig.store.list(session).filter { $0.hasSuffix(".seg") } }

    /// What changing the bytes of a file may be called.
    private func kinds(for file: String) -> Set<Finding.Kind> {
        switch file {
        case ObjectName.manifestFile: [.signatureWrong]
        case ObjectName.signatureFile: [.signatureWrong, .signatureMalformed, .unknownKey]
        default: [.segmentDamaged]
        }
    }

    private func blame(_ file: String) -> String { file == ObjectName.manifestFile ? ObjectName.signatureFile : file }

    private func random(using generator: inout SeededGenerator) throws -> Mutation {
        let session = sessions[Int.random(in: 0..<3, using: &generator)]
        let all = try rig.store.list(session)
        let segments = try segments(session)
        let file = all[Int.random(in: 0..<all.count, using: &generator)]
        let segment = segments[Int.random(in: 0..<segments.count, using: &generator)]
        let other = segments.filter { $0 != segment }[Int.random(in: 0..<segments.count - 1, using: &generator)]
        let stranger = sessions.first { $0 != session } ?? session
        let size = try load(directory(session) + "/" + file).count
        let seed = generator.next()
        switch Int.random(in: 0..<12, using: &generator) {
        case 0, 1, 2:
            return Mutation(name: "flip", session: session, files: [file], expected: kinds(for: file), blamed: blame(file)) { directory in
                var bytes = try load(directory + "/" + file)
                let bit = Int(seed % UInt64(bytes.count * 8))
                bytes[bit / 8] ^= 1 << (bit % 8)
                try save(bytes, directory + "/" + file)
            }
        case 3:
            let expected: Set<Finding.Kind> = file.hasSuffix(".seg") ? [.segmentTruncated] : kinds(for: file)
            return Mutation(name: "truncate", session: session, files: [file], expected: expected, blamed: blame(file)) { directory in
                try save(Array(load(directory + "/" + file).prefix(Int(seed % UInt64(size)))), directory + "/" + file)
            }
        case 4:
            return Mutation(name: "append", session: session, files: [file], expected: kinds(for: file), blamed: blame(file)) { directory in
                try save(load(directory + "/" + file) + [UInt8(truncatingIfNeeded: seed)], directory + "/" + file)
            }
        case 5:
            let expected: Finding.Kind =
                switch file {
                case ObjectName.manifestFile: .manifestMissing
                case ObjectName.signatureFile: .signatureMissing
                default: .segmentMissing
                }
            let blamed = file == ObjectName.manifestFile ? nil : file
            return Mutation(name: "delete", session: session, files: [file], expected: [expected], blamed: blamed) { directory in
                try files.removeItem(atPath: directory + "/" + file)
            }
        case 6:
            return Mutation(
                name: "swap", session: session, files: [segment, other], expected: [.segmentMisplaced], blamed: segment
            ) { directory in
                let (first, second) = (try load(directory + "/" + segment), try load(directory + "/" + other))
                try save(second, directory + "/" + segment)
                try save(first, directory + "/" + other)
            }
        case 7:
            // Segments of a session begin alike: a cut there puts the other one in place whole.
            return Mutation(
                name: "splice", session: session, files: [segment], expected: [.segmentDamaged, .segmentTruncated, .segmentMisplaced],
                blamed: segment
            ) { directory in
                let (first, second) = (try load(directory + "/" + segment), try load(directory + "/" + other))
                let cut = 1 + Int(seed % UInt64(min(first.count, second.count) - 1))
                try save(Array(first.prefix(cut) + second.dropFirst(cut)), directory + "/" + segment)
            }
        case 8:
            let copy = [ObjectName.segmentFile(UInt32(segments.count + 1)), "copy.seg", other][Int(seed % 3)]
            let expected: Finding.Kind = copy == "copy.seg" ? .unexpectedFile : copy == other ? .segmentMisplaced : .segmentUnlisted
            return Mutation(name: "duplicate", session: session, files: [copy], expected: [expected], blamed: copy) { directory in
                try save(load(directory + "/" + segment), directory + "/" + copy)
            }
        case 9:
            let from = self.directory(stranger) + "/" + ObjectName.segmentFile(1 + UInt32(seed % 2))
            return Mutation(name: "graft", session: session, files: [segment], expected: [.foreignSegment], blamed: segment) { directory in
                try save(load(from), directory + "/" + segment)
            }
        case 10:
            let from = self.directory(stranger)
            return Mutation(
                name: "foreign manifest", session: session, files: [ObjectName.manifestFile, ObjectName.signatureFile],
                expected: [.foreignManifest], blamed: ObjectName.manifestFile
            ) { directory in
                for file in [ObjectName.manifestFile, ObjectName.signatureFile] {
                    try save(load(from + "/" + file), directory + "/" + file)
                }
            }
        default:
            return Mutation(name: "reseal", session: session, files: [segment], expected: [.segmentReplaced], blamed: segment) {
                directory in
                try save(self.resealed(directory + "/" + segment, session, seed), directory + "/" + segment)
            }
        }
    }

    /// A segment without one of its frames (or, if it has but one, with another time in it), with all its own checksums and hashes made anew: what somebody who can write to the
    /// store, and has no key, would put there.
    private func resealed(_ path: String, _ session: SessionID, _ seed: UInt64) throws -> [UInt8] {
        let file = String(path.split(separator: "/").last ?? "")
        let object = try #require(try rig.store.open(ObjectName(session: session, file: file)))
        let decoder = try SegmentDecoder(object, keys: rig.recipientKeys)
        var frames: [Frame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        if frames.count > 1 { frames.remove(at: Int(seed % UInt64(frames.count))) } else { frames[0].time.nanoseconds += 1 }
        let bytes = frames.flatMap(encodeFrame)
        let first = try #require(frames.first)
        let last = try #require(frames.last)
        var content = decoder.content
        content.summary = FrameSummary()
        for frame in frames { content.summary.add(frame) }
        content.gaps = zip(frames, frames.dropFirst()).filter { $0.sequence + 1 != $1.sequence }.map {
            Manifest.Gap(after: $0.sequence, before: $1.sequence, reason: "missing frames")
        }
        let header = SegmentHeader(
            session: session, ordinal: decoder.header.ordinal, frameCount: UInt32(frames.count), firstSequence: first.sequence,
            lastSequence: last.sequence, uncompressedBytes: 0, storedBytes: 0, previous: decoder.header.previous)
        return try bytes.withUnsafeBytes {
            try SegmentBuilder().build(
                header, content, .frames($0, rig.recipientKeys.sessionKey(of: session, content.keys))
            ).bytes
        }
    }

    /// - Parameter opening: with a recipient's private key; without, from public keys alone.
    @Test(arguments: [false, true]) func everyMutationIsFoundAndNamed(opening: Bool) throws {
        let verifier = Verifier(store: rig.store, keys: [rig.signer.publicKey], recipients: opening ? rig.recipientKeys : RecipientKeys())
        let untouched = try verifier.verifyAll(log: false)
        #expect(untouched.verified == 4 && untouched.failed == 0 && untouched.incomplete == 0)
        for session in sessions.prefix(3) { #expect(try segments(session).count >= 3) }
        var generator = SeededGenerator(seed: 42)
        var seen: [String: Int] = [:]
        for number in 0..<(480 * soakFactor) {
            let mutation = try random(using: &generator)
            seen[mutation.name, default: 0] += 1
            let directory = directory(mutation.session)
            let before = Dictionary(uniqueKeysWithValues: mutation.files.map { ($0, try? load(directory + "/" + $0)) })
            try mutation.apply(directory)
            let isChanged = mutation.files.contains { before[$0] != (try? load(directory + "/" + $0)) }
            let report = verifier.verify(mutation.session)
            if isChanged {
                let label = "\(number) \(mutation.name) of \(mutation.files): \(report.findings)"
                #expect(report.status != .verified, "\(label)")
                #expect(report.status == (mutation.expected == [.manifestMissing] ? .incomplete : .failed), "\(label)")
                #expect(
                    report.findings.contains { mutation.expected.contains($0.kind) && $0.file == mutation.blamed }, "\(label)")
                // Those that read it are told, too, unless only the seal of the whole is broken.
                if mutation.files.allSatisfy({ $0.hasSuffix(".seg") && $0 != "copy.seg" }), mutation.name != "duplicate",
                    mutation.name != "delete", mutation.name != "reseal"
                {
                    #expect(throws: Finding.self) { _ = try rig.read(mutation.session) }
                }
            }
            for (file, bytes) in before {
                if let bytes { try save(bytes, directory + "/" + file) } else { try? files.removeItem(atPath: directory + "/" + file) }
            }
        }
        #expect(seen.count == 10)
        #expect(try verifier.verifyAll(log: false).verified == 4)
    }

    /// Without a manifest the chain alone still finds everything but a cut at the end.
    @Test func aLiveSessionIsCheckedByItsChain() throws {
        let session = sessions[0]
        let directory = directory(session)
        try files.removeItem(atPath: directory + "/" + ObjectName.manifestFile)
        try files.removeItem(atPath: directory + "/" + ObjectName.signatureFile)
        let verifier = Verifier(store: rig.store, keys: [rig.signer.publicKey])
        #expect(verifier.verify(session, isLive: true).status == .live)
        #expect(verifier.verify(session, isLive: true).findings.isEmpty)
        #expect(verifier.verify(session).status == .incomplete)
        #expect(try verifier.verifyAll(live: [session], log: false).live == 1)
        let second = directory + "/" + ObjectName.segmentFile(2)
        let bytes = try load(second)
        try save(try resealed(second, session, 3), second)
        let report = verifier.verify(session, isLive: true)
        #expect(report.status == .failed)
        #expect(report.findings.contains { $0.kind == .segmentReplaced && $0.file == ObjectName.segmentFile(3) })
        try files.removeItem(atPath: second)
        #expect(verifier.verify(session, isLive: true).findings.map(\.kind) == [.segmentMissing])
        try save(bytes, second)
        #expect(verifier.verify(session, isLive: true).status == .live)
    }

    @Test func anotherKeyVouchesForNothing() throws {
        let stranger = try ManifestSigner(directory: rig.directory.path + "/other")
        let report = Verifier(store: rig.store, keys: [stranger.publicKey]).verify(sessions[1])
        #expect(report.status == .failed && report.findings.map(\.kind) == [.unknownKey])
        // A manifest that somebody signed with a key of his own, under the name of the real one.
        let path = directory(sessions[1]) + "/" + ObjectName.signatureFile
        let manifest = try load(directory(sessions[1]) + "/" + ObjectName.manifestFile)
        let forged = try #require(SignatureFile(try stranger.signatureFile(for: manifest)))
        try save(SignatureFile(key: rig.signer.publicKey.id, signature: forged.signature).encoded(), path)
        #expect(rig.verify(sessions[1]).findings.map(\.kind) == [.signatureWrong])
    }

    @Test func theReportIsJSON() throws {
        let report = try Verifier(store: rig.store, keys: [rig.signer.publicKey]).verifyAll(log: false)
        #expect(try VerificationReport.fromJSON(try canonicalJSON(report)) == report)
    }

    /// A reader that shares nothing with this code but docs/recording-format.md comes to the same frames.
    @Test func aReaderWrittenFromTheDocumentAgrees() throws {
        for session in sessions { try expectReaderAgrees(session, rig) }
    }

    /// The same of sessions that were recovered from a journal, by somebody who has no key to it.
    @Test(arguments: [false, true]) func aReaderWrittenFromTheDocumentAgreesOnWhatWasRecovered(isSealed: Bool) throws {
        let rig = try Rig(isSealed: isSealed)
        let journal = try rig.makeJournal(nil)
        var generator = SeededGenerator(seed: 43)
        let writer = Writer(SessionID(at: rig.clock.wallTime(), using: &generator), clock: rig.clock)
        try writer.start(journal)
        for _ in 0..<40 {
            try writer.write(using: &generator)
            try journal.commit()
        }
        _ = Unmanaged.passRetained(journal)
        _ = try rig.survivor().makeVault().recover()
        let frames = try rig.read(writer.session)
        expectSame(frames, writer.frames)
        try expectReaderAgrees(writer.session, rig)
    }

    private func expectReaderAgrees(_ session: SessionID, _ rig: Rig) throws {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let keyFile = rig.directory.path + "/recipient.key"
        try Data((rig.recipient?.line.reveal() ?? "").utf8).write(to: URL(fileURLWithPath: keyFile))
        let process = Process()
        process.executableURL = here.appendingPathComponent("../../.build-venv/bin/python")
        process.arguments = [
            here.appendingPathComponent("reader.py").path, rig.store.directory(of: session), rig.directory.path + "/keys/manifest.pub",
            keyFile,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
        let wanted = try rig.read(session).map {
            "\($0.kind.rawValue) \($0.session) \($0.sequence) \($0.time.nanoseconds) \($0.payload.hexadecimal)"
        }
        let isSame = lines == wanted
        #expect(isSame, "\(lines.count) lines, \(wanted.count) wanted")
    }
}
