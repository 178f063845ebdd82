public import NIOCore

/// One side of a session: hands its bytes over, reads only when the other side can take them, and sends what the session lets go.
///
/// Sends from its own place in the pipeline, so that what it sends does not pass through it again.
public final class PairHandler: ChannelDuplexHandler, ByteOutlet {
    public typealias InboundIn = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    public enum Side: Sendable { case client, server }

    private let session: PairedSession
    private let side: Side
    private var context: ChannelHandlerContext?
    /// A read was asked for when none was allowed.
    private var wantsRead = true
    /// Whether the channel takes more, as it last said.
    public private(set) var isWritable = true

    public init(session: PairedSession, side: Side) {
        self.session = session
        self.side = side
    }

    public func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isWritable = context.channel.isWritable
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    // MARK: - From the channel

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch side {
        case .client: session.receiveFromClient(bytes)
        case .server: session.receiveFromServer(bytes)
        }
    }

    public func read(context: ChannelHandlerContext) {
        wantsRead = !mayRead
        if !wantsRead { context.read() }
    }

    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        session.resumeReads()
        context.fireChannelWritabilityChanged()
    }

    public func channelInactive(context: ChannelHandlerContext) {
        session.end(side == .client ? .clientGone : .serverGone)
        context.fireChannelInactive()
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
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
    public func send(_ buffers: Outgoing) {
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
            // A moment for what the other side has on its way; see `PairedSession.mayReadClient`.
            loop.scheduleTask(in: .milliseconds(100)) { channel.close(promise: nil) }
        }
    }
}
