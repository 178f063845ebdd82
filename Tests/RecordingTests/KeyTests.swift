import Crypto
import Foundation
import GatehouseCore
import Testing

@testable import Recording

@Suite struct KeyTests {
    private let id = SessionID(high: 0x0196_5BBF_C000_7001, low: 0x8000_0000_0000_0002)

    @Test func aWrappedKeyOpensForItsRecipientAndSessionAlone() throws {
        let auditor = try RecipientPrivateKey()
        let reviewer = try RecipientPrivateKey()
        let stranger = try RecipientPrivateKey()
        let key = SessionKey(session: id)
        let wrapped = try key.wrapped(to: [auditor.publicKey, reviewer.publicKey])
        let plain: [UInt8] = [1, 2, 3]
        let header: [UInt8] = [9]
        var sealed = [UInt8](repeating: 0, count: plain.count + SessionKey.tagSize)
        try plain.withUnsafeBytes { plain in
            try header.withUnsafeBytes { header in
                try sealed.withUnsafeMutableBytes { target in
                    try key.batchCipher(seals: true).seal(
                        plain, stream: .batches, sequence: 4, header: header, to: #require(target.baseAddress))
                }
            }
        }
        func open(_ keys: RecipientKeys, _ session: SessionID, stream: SealedStream = .batches, sequence: UInt64 = 4, header: [UInt8] = [9])
            -> [UInt8]?
        {
            guard let cipher = try? keys.sessionKey(of: session, wrapped)?.batchCipher(seals: false) else { return nil }
            var output: [UInt8] = []
            let isOpen = sealed.withUnsafeBytes { sealed in
                header.withUnsafeBytes { cipher.open(sealed, stream: stream, sequence: sequence, header: $0, into: &output) }
            }
            #expect(isOpen || output.isEmpty)
            return isOpen ? output : nil
        }
        #expect(open(RecipientKeys([auditor]), id) == plain)
        #expect(open(RecipientKeys([stranger, reviewer]), id) == plain)
        #expect(open(RecipientKeys([stranger]), id) == nil)
        #expect(open(RecipientKeys(), id) == nil)
        #expect(open(RecipientKeys([auditor]), SessionID(high: id.high, low: id.low + 1)) == nil)
        #expect(open(RecipientKeys([auditor]), id, stream: .originals) == nil)
        #expect(open(RecipientKeys([auditor]), id, sequence: 5) == nil)
        #expect(open(RecipientKeys([auditor]), id, header: [8]) == nil)
    }

    @Test func privateKeysAreNotPrinted() throws {
        let key = try RecipientPrivateKey()
        #expect("\(key.line)" == "<secret>")
        #expect(try RecipientPrivateKey(line: key.line).publicKey == key.publicKey)
        #expect(RecipientPublicKey(line: key.publicKey.line) == key.publicKey)
        #expect(throws: KeyFileError.self) { try RecipientPrivateKey(line: "gatehouse-recipient-key-x25519 00") }
        #expect(RecipientPublicKey(line: key.publicKey.line.replacing("gatehouse-recipient", with: "gatehouse")) == nil)
    }

    @Test func keysAreNeverWrittenOver() throws {
        let directory = try TemporaryDirectory()
        let key = try KeyFiles.makeRecipient(directory: directory.path, name: "auditor")
        #expect(throws: KeyFileError.self) { try KeyFiles.makeRecipient(directory: directory.path, name: "auditor") }
        #expect(try KeyFiles.recipientPrivateKey(file: directory.path + "/auditor.key").publicKey == key.publicKey)
        #expect(try KeyFiles.recipientPublicKey(file: directory.path + "/auditor.pub") == key.publicKey)
        let mode = try #require(FileManager.default.attributesOfItem(atPath: directory.path + "/auditor.key")[.posixPermissions] as? Int)
        #expect(mode == 0o600)
    }

    /// What was recorded under the keys before is read and verified with what rotation kept.
    @Test func rotationLeavesOldEvidenceAsItWas() throws {
        let rig = try Rig()
        let keys = rig.directory.path + "/keys"
        let first = try KeyFiles.recipient(directory: keys)
        func record() throws -> SessionID {
            let recipient = try KeyFiles.recipient(directory: keys)
            let sealing = Sealing(recipients: [recipient.publicKey])
            let vault = try Vault(
                configuration: rig.configuration, store: rig.store, signer: ManifestSigner(directory: keys), sealing: sealing, log: nil,
                clock: rig.clock)
            let journal = try Journal(
                directory: rig.configuration.journalDirectory, loop: 0, node: "n", clock: rig.clock, sealing: sealing, log: nil,
                vault: vault)
            let writer = Writer(SessionID(at: rig.clock.wallTime()), clock: rig.clock)
            try writer.start(journal)
            try writer.end()
            journal.close()
            vault.flush()
            return writer.session
        }
        let old = try record()
        let oldSigner = try ManifestSigner(directory: keys).publicKey
        #expect(try KeyFiles.rotate(directory: keys, name: "manifest", keepsPrivate: false) != oldSigner.id)
        #expect(try KeyFiles.rotate(directory: keys, name: "recipient", keepsPrivate: true) != first.publicKey.id)
        let new = try record()
        let names = try #require(try LocalFileSystem().list(keys))
        let signers = names.filter { $0.hasSuffix(".pub") }.compactMap { name in
            (try? String(contentsOfFile: keys + "/" + name, encoding: .utf8)).flatMap { ManifestPublicKey(line: $0) }
        }
        let recipients = RecipientKeys(
            try names.filter { $0.hasPrefix("recipient") && $0.hasSuffix(".key") }.map {
                try KeyFiles.recipientPrivateKey(file: keys + "/" + $0)
            })
        #expect(names.filter { $0.hasPrefix("manifest") && $0.hasSuffix(".key") } == ["manifest.key"])
        let verifier = Verifier(store: rig.store, keys: signers, recipients: recipients)
        #expect(verifier.verify(old).status == .verified && verifier.verify(new).status == .verified)
        let reader = try SessionReader(session: old, store: rig.store, keys: recipients)
        #expect(try reader.next()?.kind == .start)
        let onlyNew = RecipientKeys([try KeyFiles.recipient(directory: keys)])
        #expect(throws: Finding.self) { try SessionReader(session: old, store: rig.store, keys: onlyNew).next() }
    }
}
