import GatehouseCore
import NIOCore
import Relay

/// The session as the registry sees it.
final class RelaySessionHandle: LiveSession {
    let id: SessionID
    let principal: Principal
    let targetName: String
    private let session: NIOLoopBound<RelaySession>
    private let eventLoop: any EventLoop

    init(_ session: RelaySession, eventLoop: any EventLoop) {
        id = session.permitted.session
        principal = session.permitted.identified.principal
        targetName = session.permitted.target.name
        self.session = NIOLoopBound(session, eventLoop: eventLoop)
        self.eventLoop = eventLoop
    }

    func end(reason: String) {
        eventLoop.execute { self.session.value.end(.killed(reason)) }
    }

    func drain(reason: String) {
        eventLoop.execute { self.session.value.drain(reason) }
    }
}

/// One side of a session: hands bytes over, and reads only when the other side can take them.
final class RelayHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    enum Side { case client, server }

    private let session: RelaySession
    private let side: Side
    private var wantsRead = false

    init(session: RelaySession, side: Side) {
        self.session = session
        self.side = side
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch side {
        case .client: session.receiveFromClient(bytes)
        case .server: session.receiveFromServer(bytes)
        }
    }

    func read(context: ChannelHandlerContext) {
        let mayRead = side == .client ? session.mayReadClient : session.mayReadServer
        wantsRead = !mayRead
        if mayRead { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        session.resumeReads()
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        session.end(side == .client ? .clientGone : .serverGone)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
