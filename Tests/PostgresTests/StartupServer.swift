import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization
import Testing

@testable import Postgres
@testable import Relay

/// A server that does the gateway's part up to the first ReadyForQuery, with the machines under test, for clients as
/// they are. It answers every query with an empty result.
final class StartupServer: Sendable {
    let port: Int
    private let channel: any Channel
    private let seen: Log

    private final class Log: Sendable {
        let value = Mutex<[Seen]>([])
    }

    /// What one connection came to.
    struct Seen: Sendable {
        var startup: ClientStartup?
        var isTLS = false
        var isDirect = false
        var isDiscovery = false
        var isDone = false
        var failure: HandshakeError?
    }

    var connections: [Seen] { seen.value.withLock { $0 } }

    static func start(
        tls: ServerTLS?, method: ClientAuthentication.Method, verify: @escaping @Sendable (Secret) -> HandshakeError?
    ) async throws -> StartupServer {
        let seen = Log()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        StartupServerHandler(tls: tls, method: method, verify: verify) { one in seen.value.withLock { $0.append(one) } })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return StartupServer(channel: channel, port: try #require(channel.localAddress?.port), seen: seen)
    }

    private init(channel: any Channel, port: Int, seen: Log) {
        self.channel = channel
        self.port = port
        self.seen = seen
    }

    func stop() async throws {
        try await channel.close()
    }
}

private final class StartupServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase {
        case starting, authenticating, ready, ended
    }

    private let tls: ServerTLS?
    private let method: ClientAuthentication.Method
    private let verify: @Sendable (Secret) -> HandshakeError?
    private let report: @Sendable (StartupServer.Seen) -> Void
    private var phase = Phase.starting
    private var framer = StartupFramer()
    private var authentication = ClientAuthentication()
    private var input = ByteBuffer()
    private var seen = StartupServer.Seen()

    init(
        tls: ServerTLS?, method: ClientAuthentication.Method, verify: @escaping @Sendable (Secret) -> HandshakeError?,
        report: @escaping @Sendable (StartupServer.Seen) -> Void
    ) {
        self.tls = tls
        self.method = method
        self.verify = verify
        self.report = report
    }

    func channelInactive(context: ChannelHandlerContext) {
        if phase != .ended { report(seen) }
        phase = .ended
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let negotiated) = event else { return }
        do throws(HandshakeError) {
            if seen.isDirect { try PostgresTLS.checkDirect(negotiated: negotiated) }
        } catch {
            fail(error, context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        do throws(HandshakeError) {
            switch phase {
            case .starting:
                framer.append(bytes)
                while phase == .starting, let packet = try framer.next() { try take(packet, context) }
            case .authenticating, .ready:
                input.writeImmutableBuffer(bytes)
                while let (type, body) = nextMessage() { take(type, body, context) }
            case .ended: break
            }
        } catch {
            fail(error, context)
        }
    }

    private func take(_ packet: StartupPacket, _ context: ChannelHandlerContext) throws(HandshakeError) {
        switch packet {
        case .gssEncRequest: context.writeAndFlush(NIOAny(ByteBuffer(string: "N")), promise: nil)
        case .cancelRequest: context.close(promise: nil)
        case .sslRequest:
            guard !framer.hasRest else { throw .protocolViolation("bytes before the TLS upgrade") }
            guard let tls else { return context.writeAndFlush(NIOAny(ByteBuffer(string: "N")), promise: nil) }
            context.writeAndFlush(NIOAny(ByteBuffer(string: "S")), promise: nil)
            startTLS(tls, ByteBuffer(), context)
        case .directTLS:
            guard let tls else { throw .protocolViolation("no TLS here") }
            seen.isDirect = true
            startTLS(tls, framer.takeRest(), context)
        case .startup(let version, let parameters):
            let startup = try ClientStartup(version: version, parameters: parameters)
            seen.startup = startup
            if let negotiation = startup.negotiation { context.writeAndFlush(NIOAny(negotiation), promise: nil) }
            phase = .authenticating
            act(authentication.begin(method), context)
        }
    }

    private func startTLS(_ tls: ServerTLS, _ rest: ByteBuffer, _ context: ChannelHandlerContext) {
        seen.isTLS = true
        framer = StartupFramer(insideTLS: true)
        do {
            try context.pipeline.syncOperations.addHandler(tls.makeHandler(), position: .first)
        } catch {
            context.close(promise: nil)
        }
        if rest.readableBytes > 0 { context.pipeline.fireChannelRead(rest) }
    }

    private func nextMessage() -> (UInt8, ByteBuffer)? {
        guard phase != .ended, let type = input.getInteger(at: input.readerIndex, as: UInt8.self),
            let length = input.getInteger(at: input.readerIndex + 1, as: UInt32.self), length >= 4, length < 100_000,
            input.readableBytes > Int(length)
        else { return nil }
        input.moveReaderIndex(forwardBy: 5)
        return input.readSlice(length: Int(length) - 4).map { (type, $0) }
    }

    private func take(_ type: UInt8, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
        if phase == .authenticating { return act(authentication.receive(type: type, body: body), context) }
        if type == UInt8(ascii: "X") { return context.close(promise: nil) }
        var reply = ByteBuffer()
        if type == UInt8(ascii: "Q") { reply.writeHandshakeMessage(type: UInt8(ascii: "C")) { $0.writeNullTerminatedString("SELECT 0") } }
        if type == UInt8(ascii: "Q") || type == UInt8(ascii: "S") {
            reply.writeHandshakeMessage(type: UInt8(ascii: "Z")) { $0.writeString("I") }
        }
        context.writeAndFlush(NIOAny(reply), promise: nil)
    }

    private func act(_ action: ClientAuthentication.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .send(let bytes): context.writeAndFlush(NIOAny(bytes), promise: nil)
        case .verify(let secret): act(verify(secret).map { authentication.refused($0) } ?? authentication.verified(), context)
        case .fail(let error): fail(error, context)
        case .done:
            seen.isDone = true
            phase = .ready
            var greeting = AuthenticationRequest.ok.message
            for (name, value) in [("server_version", "15.0"), ("client_encoding", "UTF8"), ("standard_conforming_strings", "on")] {
                greeting.writeHandshakeMessage(type: UInt8(ascii: "S")) { body in
                    body.writeNullTerminatedString(name)
                    body.writeNullTerminatedString(value)
                }
            }
            greeting.writeHandshakeMessage(type: UInt8(ascii: "Z")) { $0.writeString("I") }
            context.writeAndFlush(NIOAny(greeting), promise: nil)
        }
    }

    private func fail(_ error: HandshakeError, _ context: ChannelHandlerContext) {
        guard phase != .ended else { return }
        seen.isDiscovery = authentication.isDiscovery
        seen.failure = error
        report(seen)
        phase = .ended
        var message = ByteBuffer()
        message.writeHandshakeMessage(type: UInt8(ascii: "E")) { body in
            for (field, value) in [("S", "FATAL"), ("V", "FATAL"), ("C", error.sqlState), ("M", error.message)] {
                body.writeString(field)
                body.writeNullTerminatedString(value)
            }
            body.writeInteger(UInt8(0))
        }
        let channel = context.channel
        context.writeAndFlush(NIOAny(message)).whenComplete { _ in channel.close(promise: nil) }
    }
}
