import GatehouseCore
import Logging
import MySQLSyntax
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Relay

/// Opens a connection to a target and takes it to the point where it is ready for commands, with its session's state known.
struct MySQLConnector: Sendable {
    let target: Target
    let role: Target.Role
    let tls: UpstreamTLSContext?
    let limits: Limits
    let settings: UpstreamHandshake.Settings

    struct Connection {
        let channel: any Channel
        let session: UpstreamHandshake.Session
        let link: UpstreamLink
        let setup: SessionSetup
        let isEncrypted: Bool

        /// The server as its texts are read.
        var server: Server {
            Server(flavour: session.greeting.family == .mariadb ? .mariadb : .mysql, version: Self.version(session.greeting.plainVersion))
        }

        /// `10.11.19-MariaDB` is 101119, `8.0.36` is 80036.
        static func version(_ text: String) -> Int? {
            let parts = text.prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap { Int($0) }
            guard parts.count >= 3, parts[0] < 100, parts[1] < 100, parts[2] < 100 else { return nil }
            return parts[0] * 10_000 + parts[1] * 100 + parts[2]
        }
    }

    /// Resolves on `loop`. Fails with `HandshakeError`.
    func connect(on loop: any EventLoop) -> EventLoopFuture<Connection> {
        let promise = loop.makePromise(of: Connection.self)
        let target = target
        let connector = self
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(MySQLConnectHandler(connector: connector, promise: promise))
                }
            }
            .connect(host: target.host, port: target.port)
            .whenFailure { _ in
                promise.fail(
                    HandshakeError(
                        .unknownError, "target \(target.name) cannot be reached",
                        hint: "Is it up? The gateway tried \(target.host):\(target.port)"))
            }
        return promise.futureResult
    }

    /// Has the server stop what `thread` runs, over a connection of its own.
    func cancel(_ thread: UInt32, on loop: any EventLoop, secrets: any SecretResolver, logger: Logger) -> EventLoopFuture<Void> {
        connect(on: loop, secrets: secrets, logger: logger).flatMap { connection in
            var link = connection.link
            let text = ByteBuffer(string: "KILL QUERY \(thread)")
            guard let payload = try? Command.query(QueryRequest(text: text)).payload(for: link.capabilities),
                let bytes = try? link.send(.query, payload)
            else { return connection.channel.close() }
            let channel = connection.channel
            // Its answer is of no interest; a moment for the server to take the order.
            return channel.writeAndFlush(bytes).flatMap { loop.scheduleTask(in: .milliseconds(50)) {}.futureResult }.flatMap {
                channel.close()
            }
        }
    }

    func with(password: Secret) -> MySQLConnector {
        var settings = settings
        settings.password = password
        return MySQLConnector(target: target, role: role.with(password: password), tls: tls, limits: limits, settings: settings)
    }
}

/// Runs an `UpstreamHandshake` and a `SessionSetup` on a channel, and then takes itself out.
private final class MySQLConnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private var machine: UpstreamHandshake
    private let connector: MySQLConnector
    private let promise: EventLoopPromise<MySQLConnector.Connection>
    private var tlsHandler: NIOSSLClientHandler?
    /// Once the login is over.
    private var session: UpstreamHandshake.Session?
    private var link: UpstreamLink?
    private var setup: SessionSetup?
    private var isDone = false

    init(connector: MySQLConnector, promise: EventLoopPromise<MySQLConnector.Connection>) {
        self.connector = connector
        self.promise = promise
        machine = UpstreamHandshake(connector.settings)
    }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(10)) {
            let (handler, context) = bound.value
            handler.fail(HandshakeError(.unknownError, "the target did not answer in 10 s"), context)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if link == nil { return run(machine.receive(bytes), context) }
        link?.append(bytes)
        readSetup(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { run(machine.tlsIsUp(), context) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(HandshakeError(.unknownError, "the target closed the connection"), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let described = TLSError.handshake(error, with: connector.target.name)
        fail(HandshakeError(.unknownError, described.message, hint: described.hint), context)
    }

    private func run(_ actions: [UpstreamHandshake.Action], _ context: ChannelHandlerContext) {
        for action in actions {
            switch action {
            case .send(let bytes): context.writeAndFlush(NIOAny(bytes), promise: nil)
            case .startTLS:
                do {
                    guard let handler = try connector.tls?.makeHandler() else { continue }
                    tlsHandler = handler
                    try context.pipeline.syncOperations.addHandler(handler, position: .first)
                } catch {
                    fail(HandshakeError(.unknownError, "TLS with the target could not be started"), context)
                }
            case .authenticated(let session): begin(session, context)
            case .fail(let error): fail(error, context)
            }
        }
    }

    // MARK: - The session's state

    private func begin(_ session: UpstreamHandshake.Session, _ context: ChannelHandlerContext) {
        self.session = session
        link = UpstreamLink(session.plan.upstream, messageBytes: connector.limits.messageBytes, depth: 4)
        setup = SessionSetup()
        ask(context)
    }

    private func ask(_ context: ChannelHandlerContext) {
        guard let text = setup?.next, let link else { return finish(context) }
        do {
            let payload = try Command.query(QueryRequest(text: ByteBuffer(string: text))).payload(for: link.capabilities)
            guard let bytes = try self.link?.send(.query, payload) else { return }
            context.writeAndFlush(NIOAny(bytes), promise: nil)
        } catch {
            fail(HandshakeError(.unknownError, "the target cannot be asked for its session's state: \(error)"), context)
        }
    }

    private func readSetup(_ context: ChannelHandlerContext) {
        do throws(ProtocolViolation) {
            while let response = try link?.next() {
                try setup?.take(response)
                if link?.isReady == true { ask(context) }
            }
        } catch {
            fail(HandshakeError(error), context)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard !isDone, let session, let link, let setup else { return }
        isDone = true
        let connection = MySQLConnector.Connection(
            channel: context.channel, session: session, link: link, setup: setup, isEncrypted: tlsHandler != nil)
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

extension MySQLConnector {
    /// Connects with the password that the role's source gives; where the server does not take it, once more with another, if the
    /// source has one. Fails with `HandshakeError`.
    func connect(on loop: any EventLoop, secrets: any SecretResolver, logger: Logger) -> EventLoopFuture<Connection> {
        guard let source = role.source else { return connect(on: loop) }
        let connector = self
        return connector.password(on: loop, logger) { () async throws(SecretFailure) in try await secrets.secret(from: source) }
            .flatMap { password in
                guard let password else { return connector.connect(on: loop) }
                return connector.with(password: password).connect(on: loop).flatMapError { error in
                    guard let error = error as? HandshakeError, error.refusesPassword else { return loop.makeFailedFuture(error) }
                    logger.notice(
                        "the target refused the password; asking its source again",
                        metadata: ["target": "\(connector.target.name)", "role": "\(connector.role.name)"])
                    return connector.password(on: loop, logger) { () async throws(SecretFailure) in
                        try await secrets.replacement(for: password, from: source)
                    }.flatMap { another in
                        another.map { connector.with(password: $0).connect(on: loop) } ?? loop.makeFailedFuture(error)
                    }
                }
            }
    }

    /// The reason is for the log; a client has no business with where passwords come from.
    private func password(
        on loop: any EventLoop, _ logger: Logger, _ get: @escaping @Sendable () async throws(SecretFailure) -> Secret?
    ) -> EventLoopFuture<Secret?> {
        let connector = self
        return loop.makeFutureWithTask {
            do throws(SecretFailure) {
                return try await get()
            } catch {
                logger.error(
                    "the target's password could not be got",
                    metadata: ["target": "\(connector.target.name)", "role": "\(connector.role.name)", "reason": "\(error)"])
                throw HandshakeError(
                    .unknownError, "the password of the target's account could not be got",
                    hint: "Ask whoever runs this gateway to look at its log")
            }
        }
    }
}
