import Foundation
import GatehouseCore
import NIOCore
import NIOEmbedded
import Recording
import Relay
import Testing

@testable import Postgres

/// Evidence before effect: nothing is written to a channel before the journal has it.
@Suite struct SessionOutputTests {
    private final class EmbeddedOutlet: ByteOutlet {
        let channel = EmbeddedChannel()

        func send(_ buffers: Outgoing) {
            for buffer in [buffers.first].compactMap(\.self) + buffers.others { channel.writeAndFlush(buffer, promise: nil) }
        }
    }

    /// A session reduced to what it sends.
    private final class Sender: CommitWaiter {
        let durability: Target.Durability
        let output: StagedOutput
        let sink: SessionOutput
        let client = EmbeddedOutlet()
        let server = EmbeddedOutlet()
        private(set) var failures = 0
        /// What the channels had been given when the commit began.
        private(set) var sentBeforeCommit: [ByteBuffer] = []

        init(_ recorder: SessionRecorder, durability: Target.Durability = .written) {
            self.durability = durability
            output = StagedOutput(recorder: recorder)
            sink = SessionOutput(output)
        }

        var isRecorded: Bool { output.recorder.isRecorded }

        func commitBegins() {
            sentBeforeCommit += sent()
            output.commitBegins()
        }

        func commitEnded() { output.commitEnded(client: client, server: server) }

        func recordingFailed(_ error: any Error) {
            failures += 1
            output.drop()
        }

        func sent() -> [ByteBuffer] {
            var result: [ByteBuffer] = []
            while let bytes = try? server.channel.readOutbound(as: ByteBuffer.self) { result.append(bytes) }
            while let bytes = try? client.channel.readOutbound(as: ByteBuffer.self) { result.append(bytes) }
            return result
        }
    }

    private let directory = NSTemporaryDirectory() + "gatehouse-output-" + UUID().uuidString

    private func recorder(_ journal: Journal) throws -> SessionRecorder {
        try SessionRecorder(
            session: SessionID(at: WallTime(seconds: 1)), journal: journal, clock: SystemClock(),
            start: {
                SessionStart(
                    listener: "l", clientAddress: "127.0.0.1:1", target: "t", protocolName: .postgres, isEncrypted: false,
                    durability: .written, node: "n", gatewayVersion: "0", monotonicNanoseconds: $0)
            },
            identity: SessionIdentity(
                principal: Principal(
                    issuer: "i", subject: "s", user: "u", groups: [], credential: .token(id: nil),
                    expires: WallTime(seconds: 2_000_000_000)), grantingRule: "access[0]", policyVersion: "1"))
    }

    private func makeJournal(_ sealing: Sealing = Sealing()) throws -> Journal {
        try Journal(directory: directory, loop: 0, node: "n", clock: SystemClock(), sealing: sealing, log: nil, vault: nil)
    }

    /// Where nobody may have originals, the recording says so once.
    @Test(arguments: [true, false]) func originalsStandInFrontOfWhatStandsForThem(isKept: Bool) throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let key = try RecipientPrivateKey()
        let journal = try makeJournal(Sealing(breakGlass: isKept ? [key.publicKey] : []))
        let sender = Sender(try recorder(journal))
        for _ in 0..<2 {
            sender.sink.original(.server, ByteBuffer(string: "secret"), recorded: answer.readableBytes)
            sender.sink.replaceForClient(original: 6, by: answer, recording: answer, because: .mask)
        }
        try journal.commit()
        journal.close()
        let reader = try SessionReader(
            session: sender.output.recorder.session, store: LocalStore(root: directory + "/store"), journalDirectory: directory)
        var frames: [Frame] = []
        while let frame = try reader.next() { frames.append(frame) }
        let one: [RecordKind] = [.original, .masked, .serverMessages]
        #expect(
            frames.dropFirst(2).map(\.kind) == (isKept ? one + one : [.notice, .masked, .serverMessages, .masked, .serverMessages]))
        #expect(sender.output.recorder.accounting.server.seen == 12)
        guard isKept else {
            #expect(try frames[2].decode(SessionNote.self).code == "originals-not-kept")
            return
        }
        let original = try SealedOriginal(payload: frames[5].payload)
        #expect(original.offset == UInt64(answer.readableBytes) && original.recordedBytes == UInt64(answer.readableBytes))
        let opener = try OriginalReader(
            session: sender.output.recorder.session, keys: RecipientKeys([key]), wrapped: reader.originalKeys)
        #expect(try opener.open(frames[5]) == Array("secret".utf8))
    }

    private let query = ByteBuffer(bytes: Message.query("select 1").bytes)
    private let answer = ByteBuffer(bytes: Message.ready().bytes)

    @Test func nothingLeavesBeforeTheCommit() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let loop = EmbeddedEventLoop()
        let recorder = LoopRecorder(eventLoop: loop) { try makeJournal() }
        let journal = try recorder.journal()
        let sender = Sender(try self.recorder(journal))
        sender.sink.passToServer(query)
        sender.sink.hold(query, hiding: [])
        sender.sink.inject(query, because: "rule")
        sender.sink.passToClient(answer)
        sender.sink.replaceForClient(original: 9, by: answer, recording: answer, because: .mask)
        sender.sink.swallow(4)
        #expect(sender.output.isDirty)
        #expect(sender.output.heldBytes == 2 * query.readableBytes + 2 * answer.readableBytes)
        recorder.schedule(sender)
        #expect(sender.sent().isEmpty && journal.hasPending)
        loop.run()
        #expect(sender.sentBeforeCommit.isEmpty)
        #expect(sender.sent() == [query, query, answer, answer])
        #expect(!journal.hasPending)
        #expect(sender.output.heldBytes == 0 && !sender.output.isDirty)
        let flow = sender.output.recorder.accounting
        #expect(flow.client.seen == UInt64(2 * query.readableBytes))
        #expect(flow.server.seen == UInt64(answer.readableBytes + 9 + 4))
        #expect(flow.client.isBalanced && flow.server.isBalanced)
    }

    /// The server gets it as it is; the recording has other words, and counts what they stand for.
    @Test func whatIsHiddenIsCountedApart() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let sender = Sender(try recorder(try makeJournal()))
        var three = query
        three.writeImmutableBuffer(query)
        three.writeImmutableBuffer(query)
        let length = query.readableBytes
        let masked = HiddenMessage(offset: length, length: length, recorded: answer, items: 2, reason: .literals)
        let lost = HiddenMessage(offset: 0, length: length, recorded: ByteBuffer(), items: 1, reason: .unreadable)
        sender.sink.passToServer(three, hiding: [masked])
        sender.sink.hold(query, hiding: [lost])
        sender.output.commitBegins()
        sender.output.commitEnded(client: sender.client, server: sender.server)
        #expect(sender.sent() == [three])
        let flow = sender.output.recorder.accounting.client
        #expect(flow.seen == UInt64(4 * length) && flow.verbatim == UInt64(2 * length))
        #expect(flow.replacedByMasks == UInt64(length) && flow.withheldSecrets == UInt64(length) && flow.isBalanced)
    }

    /// What is staged while a commit is under way waits for the next one.
    @Test func batchesGoOutOneCommitAtATime() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let sender = Sender(try recorder(try makeJournal()))
        sender.sink.passToServer(query)
        sender.output.commitBegins()
        sender.sink.passToClient(answer)
        sender.output.commitEnded(client: sender.client, server: sender.server)
        #expect(sender.sent() == [query])
        #expect(sender.output.isDirty && sender.output.heldBytes == answer.readableBytes)
        sender.output.commitEnded(client: sender.client, server: sender.server)
        #expect(sender.sent().isEmpty)
        sender.output.commitBegins()
        sender.output.commitEnded(client: sender.client, server: sender.server)
        #expect(sender.sent() == [answer])
    }

    @Test func aFailedJournalDropsWhatWaits() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let loop = EmbeddedEventLoop()
        let recorder = LoopRecorder(eventLoop: loop) { try makeJournal() }
        let journal = try recorder.journal()
        let sender = Sender(try self.recorder(journal))
        let silent = Sender(try self.recorder(journal))
        sender.sink.passToServer(query)
        journal.close()
        recorder.schedule(sender)
        loop.run()
        #expect(sender.failures == 1)
        #expect(sender.sent().isEmpty && sender.output.heldBytes == 0)

        // A new session brings a new journal; its commits are no evidence for those of the old one.
        let next = Sender(try self.recorder(try recorder.journal()))
        next.sink.passToServer(query)
        silent.sink.passToServer(query)
        recorder.schedule(next)
        recorder.schedule(silent)
        loop.run()
        #expect(next.failures == 0)
        #expect(next.sent() == [query])
        #expect(silent.failures == 1)
        #expect(silent.sent().isEmpty)
    }
}
