public import GatehouseCore
import NIOCore

/// A session as the registry sees it.
public final class PairedSessionHandle: LiveSession {
    public let id: SessionID
    public let principal: Principal
    public let targetName: String
    private let session: NIOLoopBound<PairedSession>
    private let eventLoop: any EventLoop

    public init(_ session: PairedSession) {
        id = session.permitted.session
        principal = session.permitted.identified.principal
        targetName = session.permitted.target.name
        eventLoop = session.eventLoop
        self.session = NIOLoopBound(session, eventLoop: session.eventLoop)
    }

    public func end(reason: String) {
        eventLoop.execute { self.session.value.end(.killed(reason)) }
    }

    public func drain(reason: String) {
        eventLoop.execute { self.session.value.drain(reason) }
    }

    public func recheck() {
        eventLoop.execute { self.session.value.recheck() }
    }
}
