import NIOCore
import Recording

/// Cancel requests, which come on connections of their own.
extension RelaySession {
    /// A client asked to cancel what runs: recorded first, then `send` is called. One request at a time; more are the same.
    func cancelRequested(_ send: @escaping () -> EventLoopFuture<Void>) {
        guard !isEnding, wantedCancel == nil, !cancelIsUnderWay else { return }
        wantedCancel = send
        output.recorder.tick()
        output.recorder.record(.cancel, note: SessionNote(code: "cancel-request", message: ""))
        output.markDirty()
        // What waits has not reached the server: there is nothing there to cancel.
        if cancelHold() { wantedCancel = nil }
        schedule()
    }

    func cancelIfWanted() {
        guard let send = wantedCancel, !isScheduled else { return }
        wantedCancel = nil
        cancelIsUnderWay = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        send().whenComplete { _ in bound.value.cancelIsUnderWay = false }
    }
}
