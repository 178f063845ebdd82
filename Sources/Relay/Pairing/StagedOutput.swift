public import NIOCore

/// What a session wants to send, kept back until the record of it is committed (evidence before effect). Confined to the session's
/// event loop.
///
/// A protocol records what passes with `recorder`, and stages what is to be sent for it.
public final class StagedOutput {
    private struct Batch {
        var toServer = Outgoing()
        var toClient = Outgoing()
        var bytes = 0
    }

    public let recorder: SessionRecorder
    private var staged = Batch()
    private var committing = CircularBuffer<Batch>(initialCapacity: 2)
    /// Bytes recorded or about to be, and not yet sent.
    public private(set) var heldBytes = 0
    /// Something was recorded or staged since the last commit began.
    public private(set) var isDirty = false

    public init(recorder: SessionRecorder) {
        self.recorder = recorder
    }

    public func stageForServer(_ bytes: ByteBuffer) {
        staged.toServer.append(bytes)
        count(bytes)
    }

    public func stageForClient(_ bytes: ByteBuffer) {
        staged.toClient.append(bytes)
        count(bytes)
    }

    private func count(_ bytes: ByteBuffer) {
        staged.bytes += bytes.readableBytes
        heldBytes += bytes.readableBytes
        isDirty = true
    }

    /// Bytes of the gateway's own for the client, recorded as such.
    public func tellClient(_ bytes: ByteBuffer, because reason: String) {
        recorder.recordOwn(bytes, because: reason)
        stageForClient(bytes)
    }

    // MARK: - Commit

    /// Something was recorded that must be committed.
    public func markDirty() { isDirty = true }

    public func commitBegins() {
        committing.append(staged)
        staged = Batch()
        isDirty = false
    }

    public func commitEnded(client: (some ByteOutlet)?, server: (some ByteOutlet)?) {
        guard let batch = committing.popFirst() else { return }
        heldBytes -= batch.bytes
        if !batch.toServer.isEmpty { server?.send(batch.toServer) }
        if !batch.toClient.isEmpty { client?.send(batch.toClient) }
    }

    /// Everything that waits is dropped: it was never recorded, so it never goes out.
    public func drop() {
        staged = Batch()
        committing.removeAll()
        heldBytes = 0
    }
}
