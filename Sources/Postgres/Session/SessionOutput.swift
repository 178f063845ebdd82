import GatehouseCore
import NIOCore
import Recording
import Relay

/// Where one side's bytes go out.
protocol ByteOutlet: AnyObject {
    /// Sends all of `buffers`, now and in this order.
    func send(_ buffers: Outgoing)
}

/// Buffers in order. Nearly always there is one: it needs no array.
struct Outgoing {
    private(set) var first: ByteBuffer?
    private(set) var others: [ByteBuffer] = []

    var isEmpty: Bool { first == nil }

    mutating func append(_ buffer: ByteBuffer) {
        if first == nil { first = buffer } else { others.append(buffer) }
    }
}

/// What a session wants to send, kept back until the record of it is committed. Confined to the session's event loop.
final class SessionOutput: RelaySink {
    private struct Batch {
        var toServer = Outgoing()
        var toClient = Outgoing()
        var bytes = 0
    }

    let recorder: SessionRecorder
    /// Told of each verdict that is more than a plain yes.
    private let report: (Judgement) -> Void
    private var staged = Batch()
    private var committing = CircularBuffer<Batch>(initialCapacity: 2)
    /// Bytes recorded or about to be, and not yet sent.
    private(set) var heldBytes = 0
    /// Something was recorded or staged since the last commit began.
    private(set) var isDirty = false

    init(recorder: SessionRecorder, report: @escaping (Judgement) -> Void = { _ in }) {
        self.recorder = recorder
        self.report = report
    }

    // MARK: - RelaySink

    func passToServer(_ bytes: ByteBuffer) {
        recorder.recordClient(bytes)
        stageForServer(bytes)
    }

    func passToServer(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        record(bytes, hiding: hidden)
        stageForServer(bytes)
    }

    func hold(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        record(bytes, hiding: hidden)
        isDirty = true
    }

    private func record(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        var rest = bytes
        for message in hidden {
            let before = message.offset - (rest.readerIndex - bytes.readerIndex)
            guard before >= 0, let plain = rest.readSlice(length: before), let original = rest.readSlice(length: message.length) else {
                // Never so; and then nothing that may be secret is shown.
                recordHidden(
                    HiddenMessage(copyData: nil, offset: 0, length: rest.readableBytes, values: 1), insteadOf: rest)
                return
            }
            if plain.readableBytes > 0 { recorder.recordClient(plain) }
            recordHidden(message, insteadOf: original)
        }
        if rest.readableBytes > 0 { recorder.recordClient(rest) }
    }

    /// The one place where what the client said is recorded in other words.
    private func recordHidden(_ message: HiddenMessage, insteadOf original: ByteBuffer) {
        if message.keepsOriginal { recorder.recordOriginal(.client, original, recorded: message.recorded.readableBytes) }
        recorder.recordClient(
            message.recorded, insteadOf: original, values: message.items, isWithheld: message.reason == .unreadable,
            because: message.reason.rawValue)
    }

    func inject(_ bytes: ByteBuffer, because reason: String) {
        recorder.recordInjected(bytes, because: reason)
        stageForServer(bytes)
    }

    func record(_ judgement: Judgement, at offset: UInt64) {
        recorder.recordVerdict(at: offset, ruling: judgement.record)
        isDirty = true
        if judgement.isNotable { report(judgement) }
    }

    func passToClient(_ bytes: ByteBuffer) {
        recorder.recordServer(bytes)
        stageForClient(bytes)
    }

    func replaceForClient(original: Int, by bytes: ByteBuffer, recording recorded: ByteBuffer, because reason: Replacement) {
        recorder.recordServer(recorded, insteadOf: original, because: reason.rawValue)
        stageForClient(bytes)
    }

    func original(_ direction: Direction, _ bytes: ByteBuffer, recorded: Int) {
        recorder.recordOriginal(direction, bytes, recorded: recorded)
        isDirty = true
    }

    func swallow(_ count: Int) {
        recorder.recordGap(.server, count: count, because: "answer to the gateway's own request")
        isDirty = true
    }

    /// Bytes of the gateway's own for the client.
    func tellClient(_ bytes: ByteBuffer, because reason: String) {
        recorder.recordOwn(bytes, because: reason)
        stageForClient(bytes)
    }

    private func stageForServer(_ bytes: ByteBuffer) {
        staged.toServer.append(bytes)
        staged.bytes += bytes.readableBytes
        heldBytes += bytes.readableBytes
        isDirty = true
    }

    private func stageForClient(_ bytes: ByteBuffer) {
        staged.toClient.append(bytes)
        staged.bytes += bytes.readableBytes
        heldBytes += bytes.readableBytes
        isDirty = true
    }

    // MARK: - Commit

    func markDirty() { isDirty = true }

    func commitBegins() {
        committing.append(staged)
        staged = Batch()
        isDirty = false
    }

    func commitEnded(client: (some ByteOutlet)?, server: (some ByteOutlet)?) {
        guard let batch = committing.popFirst() else { return }
        heldBytes -= batch.bytes
        if !batch.toServer.isEmpty { server?.send(batch.toServer) }
        if !batch.toClient.isEmpty { client?.send(batch.toClient) }
    }

    /// Everything that waits is dropped: it was never recorded, so it never goes out.
    func drop() {
        staged = Batch()
        committing.removeAll()
        heldBytes = 0
    }
}
