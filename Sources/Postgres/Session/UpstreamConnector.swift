import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Relay

/// Opens a connection to a target and takes it to the point where it is ready for queries.
struct UpstreamConnector: Sendable {
    let target: Target
    let role: Target.Role
    let tls: UpstreamTLSContext?
    let limits: Limits

    struct Connection {
        let channel: any Channel
        let ready: UpstreamHandshake.Ready
        let rest: ByteBuffer
        let isEncrypted: Bool
    }

    /// Resolves on `loop`. Fails with `HandshakeError`.
    func connect(on loop: any EventLoop, startup: ByteBuffer) -> EventLoopFuture<Connection> {
        let promise = loop.makePromise(of: Connection.self)
        let target = target
        let connector = self
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let machine = UpstreamHandshake(
                        role: connector.role, startup: startup, requiresTLS: connector.tls != nil, limits: connector.limits)
                    try channel.pipeline.syncOperations.addHandler(
                        UpstreamHandshakeHandler(machine: machine, connector: connector, promise: promise))
                }
            }
            .connect(host: target.host, port: target.port)
            .whenFailure { error in
                promise.fail(
                    HandshakeError(
                        sqlState: SQLState.connectionFailure.rawValue, message: "target \(target.name) cannot be reached",
                        hint: "Is it up? The gateway tried \(target.host):\(target.port)."))
                _ = error
            }
        return promise.futureResult
    }

    /// Opens a connection only to cancel what runs on another one.
    func cancel(_ key: StartupPacket.CancelKey, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let connector = self
        return ClientBootstrap(group: loop)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CancelHandler(key: key, tls: connector.tls))
                }
            }
            .connect(host: target.host, port: target.port)
            .flatMap { $0.closeFuture }
    }
}

/// Runs an `UpstreamHandshake` on a channel, and then takes itself out.
private final class UpstreamHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private var machine: UpstreamHandshake
    private let connector: UpstreamConnector
    private let promise: EventLoopPromise<UpstreamConnector.Connection>
    private var tlsHandler: NIOSSLClientHandler?
    private var isDone = false

    init(machine: UpstreamHandshake, connector: UpstreamConnector, promise: EventLoopPromise<UpstreamConnector.Connection>) {
        self.machine = machine
        self.connector = connector
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        loop.assumeIsolated().scheduleTask(in: .seconds(10)) {
            let (handler, context) = bound.value
            handler.fail(.init(sqlState: SQLState.connectionFailure.rawValue, message: "the target did not answer in 10 s"), context)
        }
        run(machine.connected(), context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        run(machine.receive(unwrapInboundIn(data)), context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event, let tlsHandler, let tls = connector.tls {
            do {
                run(machine.tlsIsUp(try tls.channel(of: tlsHandler)), context)
            } catch {
                fail(.init(sqlState: SQLState.connectionFailure.rawValue, message: error.description), context)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.init(sqlState: SQLState.connectionFailure.rawValue, message: "the target closed the connection"), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let described = TLSError.handshake(error, with: connector.target.name)
        fail(.init(sqlState: SQLState.connectionFailure.rawValue, message: described.message, hint: described.hint), context)
    }

    private func run(_ actions: [UpstreamHandshake.Action], _ context: ChannelHandlerContext) {
        for action in actions {
            switch action {
            case .send(let bytes): context.writeAndFlush(NIOAny(bytes), promise: nil)
            case .startTLS:
                do {
                    guard let handler = try connector.tls?.makeHandler() else { return }
                    tlsHandler = handler
                    try context.pipeline.syncOperations.addHandler(handler, position: .first)
                } catch {
                    fail(.init(sqlState: SQLState.connectionFailure.rawValue, message: "TLS with the target could not be started"), context)
                }
            case .derive(let request): derive(request, context)
            case .ready(let ready): succeed(ready, context)
            case .fail(let error): fail(error, context)
            }
        }
    }

    /// SCRAM's key derivation is milliseconds of work that an event loop must not do.
    private func derive(_ request: SaltedPasswordRequest, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        NIOThreadPool.singleton.submit { _ in
            let result = Result { try request.compute() }
            loop.execute {
                let (handler, context) = bound.value
                switch result {
                case .success(let salted): handler.run(handler.machine.derived(salted), context)
                case .failure:
                    handler.fail(
                        .init(sqlState: SQLState.connectionFailure.rawValue, message: "the SCRAM keys could not be derived"), context)
                }
            }
        }
    }

    private func succeed(_ ready: UpstreamHandshake.Ready, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        let connection = UpstreamConnector.Connection(
            channel: context.channel, ready: ready, rest: machine.takeRest(), isEncrypted: tlsHandler != nil)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        promise.succeed(connection)
    }

    private func fail(_ error: HandshakeError, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        promise.fail(error)
        context.close(promise: nil)
    }
}

/// Sends one CancelRequest, over TLS where the target wants it, and waits for the server to close.
private final class CancelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let key: StartupPacket.CancelKey
    private let tls: UpstreamTLSContext?
    private var answer = ByteBuffer()

    init(key: StartupPacket.CancelKey, tls: UpstreamTLSContext?) {
        self.key = key
        self.tls = tls
    }

    func channelActive(context: ChannelHandlerContext) {
        let request = tls == nil ? UpstreamStartup.cancelRequest(key) : UpstreamStartup.sslRequest()
        context.writeAndFlush(NIOAny(request), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(10)) { bound.value.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answer.writeImmutableBuffer(unwrapInboundIn(data))
        guard let tls, (try? UpstreamStartup.readTLSAnswer(&answer)) == true, let handler = try? tls.makeHandler() else {
            context.close(promise: nil)
            return
        }
        try? context.pipeline.syncOperations.addHandler(handler, position: .first)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted = event else { return }
        context.writeAndFlush(NIOAny(UpstreamStartup.cancelRequest(key)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
