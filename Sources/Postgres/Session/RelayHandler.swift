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

    func recheck() {
        eventLoop.execute { self.session.value.recheck() }
    }
}

/// One side of a session: hands its bytes over, reads only when the other side can take them, and sends what the session lets go.
///
/// Sends from its own place in the pipeline, so that what it sends does not pass through it again.
final class RelayHandler: ChannelDuplexHandler, ByteOutlet {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Side { case client, server }

    private let session: RelaySession
    private let side: Side
    private var context: ChannelHandlerContext?
    /// A read was asked for when none was allowed.
    private var wantsRead = true
    /// Whether the channel takes more, as it last said.
    private(set) var isWritable = true

    init(session: RelaySession, side: Side) {
        self.session = session
        self.side = side
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isWritable = context.channel.isWritable
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    // MARK: - From the channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch side {
        case .client: session.receiveFromClient(bytes)
        case .server: session.receiveFromServer(bytes)
        }
    }

    func read(context: ChannelHandlerContext) {
        wantsRead = !mayRead
        if !wantsRead { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
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

    private var mayRead: Bool { side == .client ? session.mayReadClient : session.mayReadServer }

    // MARK: - From the session

    /// Reads, if a read was put off and is now allowed.
    func resumeRead() {
        guard wantsRead, mayRead, let context else { return }
        wantsRead = false
        context.read()
    }

    /// Writes all of `buffers` and flushes.
    func send(_ buffers: Outgoing) {
        guard let context, let first = buffers.first else { return }
        if buffers.others.isEmpty {
            context.writeAndFlush(wrapOutboundOut(first), promise: nil)
            return
        }
        context.write(wrapOutboundOut(first), promise: nil)
        for buffer in buffers.others {
            context.write(wrapOutboundOut(buffer), promise: nil)
        }
        context.flush()
    }

    /// Writes `last` and closes once all that was written has gone out: a slow reader still gets the last answer and the reason.
    /// One that does not read at all is not waited for.
    func closeWhenSent(last: ByteBuffer) {
        guard let context else { return }
        let channel = context.channel
        let loop = context.eventLoop
        let deadline = loop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(last)).whenComplete { _ in
            deadline.cancel()
            // A moment for what the other side has on its way; see `RelaySession.mayReadClient`.
            loop.scheduleTask(in: .milliseconds(100)) { channel.close(promise: nil) }
        }
    }
}
