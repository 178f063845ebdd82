import GatehouseCore
import NIOCore
import Recording
import Relay

/// Records what the relay machine decided, and stages what goes on. Confined to the session's event loop.
final class SessionOutput: RelaySink {
    private let output: StagedOutput
    /// Told of each verdict that is more than a plain yes.
    private let report: (Judgement) -> Void

    init(_ output: StagedOutput, report: @escaping (Judgement) -> Void = { _ in }) {
        self.output = output
        self.report = report
    }

    // MARK: - RelaySink

    func passToServer(_ bytes: ByteBuffer) {
        output.recorder.recordClient(bytes)
        output.stageForServer(bytes)
    }

    func passToServer(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        record(bytes, hiding: hidden)
        output.stageForServer(bytes)
    }

    func hold(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        record(bytes, hiding: hidden)
        output.markDirty()
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
            if plain.readableBytes > 0 { output.recorder.recordClient(plain) }
            recordHidden(message, insteadOf: original)
        }
        if rest.readableBytes > 0 { output.recorder.recordClient(rest) }
    }

    /// The one place where what the client said is recorded in other words.
    private func recordHidden(_ message: HiddenMessage, insteadOf original: ByteBuffer) {
        if message.keepsOriginal { output.recorder.recordOriginal(.client, original, recorded: message.recorded.readableBytes) }
        output.recorder.recordClient(
            message.recorded, insteadOf: original, values: message.items, isWithheld: message.reason == .unreadable,
            because: message.reason.rawValue)
    }

    func inject(_ bytes: ByteBuffer, because reason: String) {
        output.recorder.recordInjected(bytes, because: reason)
        output.stageForServer(bytes)
    }

    func record(_ judgement: Judgement, at offset: UInt64) {
        output.recorder.recordVerdict(at: offset, ruling: judgement.record)
        output.markDirty()
        if judgement.isNotable { report(judgement) }
    }

    func passToClient(_ bytes: ByteBuffer) {
        output.recorder.recordServer(bytes)
        output.stageForClient(bytes)
    }

    func replaceForClient(original: Int, by bytes: ByteBuffer, recording recorded: ByteBuffer, because reason: Replacement) {
        output.recorder.recordServer(recorded, insteadOf: original, because: reason.rawValue)
        output.stageForClient(bytes)
    }

    func original(_ direction: Direction, _ bytes: ByteBuffer, recorded: Int) {
        output.recorder.recordOriginal(direction, bytes, recorded: recorded)
        output.markDirty()
    }

    func swallow(_ count: Int) {
        output.recorder.recordGap(.server, count: count, because: "answer to the gateway's own request")
        output.markDirty()
    }
}
