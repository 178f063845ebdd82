import NIOCore
import Relay

/// Records what the relay decided, and stages what goes on. Confined to the session's event loop.
final class MySQLOutput: MySQLSink {
    private let output: StagedOutput
    /// Told of each verdict that is more than a plain yes.
    private let report: (MySQLJudgement) -> Void

    init(_ output: StagedOutput, report: @escaping (MySQLJudgement) -> Void = { _ in }) {
        self.output = output
        self.report = report
    }

    func passToServer(_ bytes: ByteBuffer) {
        output.recorder.recordClient(bytes)
        output.stageForServer(bytes)
    }

    func passToServer(_ bytes: ByteBuffer, sending sent: ByteBuffer) {
        output.recorder.recordClient(bytes)
        output.stageForServer(sent)
    }

    func passToServer(_ bytes: ByteBuffer, sending sent: ByteBuffer, recording recorded: ByteBuffer, secrets: Int) {
        hide(bytes, recorded, secrets)
        output.stageForServer(sent)
    }

    func keep(_ bytes: ByteBuffer, recording recorded: ByteBuffer?, secrets: Int) {
        if let recorded { hide(bytes, recorded, secrets) } else { output.recorder.recordClient(bytes) }
        output.markDirty()
    }

    private func hide(_ bytes: ByteBuffer, _ recorded: ByteBuffer, _ secrets: Int) {
        output.recorder.recordClient(recorded, insteadOf: bytes, values: secrets, isWithheld: false, because: "passwords")
    }

    func release(_ bytes: ByteBuffer) { output.stageForServer(bytes) }

    func record(_ judgement: MySQLJudgement, at offset: UInt64) {
        output.recorder.recordVerdict(at: offset, ruling: judgement.record)
        output.markDirty()
        if judgement.isNotable { report(judgement) }
    }

    func passToClient(_ bytes: ByteBuffer) {
        output.recorder.recordServer(bytes)
        output.stageForClient(bytes)
    }

    func translate(original: Int, to bytes: ByteBuffer) {
        output.recorder.recordServer(bytes, insteadOf: original, because: "translation")
        output.stageForClient(bytes)
    }

    func inject(_ bytes: ByteBuffer, because reason: String) {
        output.recorder.recordInjected(bytes, because: reason)
        output.stageForServer(bytes)
    }

    func swallow(_ count: Int) {
        output.recorder.recordGap(.server, count: count, because: "answer to the gateway's own request")
        output.markDirty()
    }

    func answer(_ bytes: ByteBuffer, because reason: String) { output.tellClient(bytes, because: reason) }
}
