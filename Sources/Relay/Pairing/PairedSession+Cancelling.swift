public import NIOCore
import Recording

/// Cancel requests, which come on connections of their own.
extension PairedSession {
    /// A client asked to cancel what runs: recorded first, then the target is told. One request at a time; more are the same.
    public func passCancelOn() {
        guard !isEnding, wantedCancel == nil, !cancelIsUnderWay else { return }
        cancelNow(code: "cancel-request", message: "", cancelUpstream)
    }

    /// Records a cancel, and then calls `send`.
    public func cancelNow(code: String, message: String, _ send: (() -> EventLoopFuture<Void>)?) {
        if wantedCancel == nil { wantedCancel = send }
        output.recorder.tick()
        output.recorder.record(.cancel, note: SessionNote(code: code, message: message))
        output.markDirty()
        schedule()
    }

    func cancelIfWanted() {
        guard let send = wantedCancel, !isScheduled else { return }
        wantedCancel = nil
        cancelIsUnderWay = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        send().whenComplete { _ in bound.value.cancelIsUnderWay = false }
    }

    /// A server that is busy does not notice that its client has gone: it is told to stop, and `finish` is called a
    /// little later: a connection that is closed meanwhile cannot be told.
    func cancelWhatRuns(then finish: @escaping () -> Void) {
        let pending = state.pending
        guard let cancelUpstream, pending > 0 else { return finish() }
        // What is pipelined behind the statement that is cancelled runs next, and is cancelled then.
        cancel(times: min(pending, 8), by: cancelUpstream)
        let bound = NIOLoopBound(finish, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(500)) { bound.value() }
    }

    private func cancel(times: Int, by send: @escaping () -> EventLoopFuture<Void>) {
        guard times > 0 else { return }
        let bound = NIOLoopBound((self, send), eventLoop: eventLoop)
        let loop = eventLoop
        send().whenComplete { _ in
            loop.scheduleTask(in: .milliseconds(50)) {
                let (session, send) = bound.value
                session.cancel(times: times - 1, by: send)
            }
        }
    }
}
