import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import ServerSupport
import Synchronization

/// A syslog receiver on loopback, over UDP, TCP or TLS. Reads frames as RFC 6587 section 3.4.1 says.
final class SyslogReceiver: Sendable {
    private struct State {
        var messages: [String] = []
        var malformed = 0
        var connections = 0
        var channels: [any Channel] = []
    }

    private final class Box: Sendable {
        let state = Mutex(State())
    }

    let port: Int
    private let box: Box
    private let channel: any Channel

    var messages: [String] { box.state.withLock(\.messages) }
    var malformed: Int { box.state.withLock(\.malformed) }
    var connections: Int { box.state.withLock(\.connections) }

    static func stream(tls: TestAuthority? = nil, port: Int = 0) async throws -> SyslogReceiver {
        let box = Box()
        let context = try tls.map { try NIOSSLContext(configuration: $0.serverConfiguration) }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context)) }
                    try channel.pipeline.syncOperations.addHandler(Frames(box: box))
                    box.state.withLock { $0.channels.append(channel) }
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return SyslogReceiver(box, channel)
    }

    /// On a port that the system gives to nobody by itself (they begin at 32768), so that it is still free later.
    static func comingBack() async throws -> SyslogReceiver {
        for _ in 0..<100 {
            if let receiver = try? await stream(port: .random(in: 20_000..<32_000)) { return receiver }
        }
        return try await stream()
    }

    static func datagrams() async throws -> SyslogReceiver {
        let box = Box()
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(Datagrams(box: box)) }
            .bind(host: "127.0.0.1", port: 0).get()
        return SyslogReceiver(box, channel)
    }

    private init(_ box: Box, _ channel: any Channel) {
        self.box = box
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    /// Stops listening, and closes what is open.
    func stop() async throws {
        try? await channel.close()
        for channel in box.state.withLock(\.channels) { try? await channel.close() }
    }

    private final class Frames: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let box: Box
        private var input = ByteBuffer()

        init(box: Box) { self.box = box }

        func channelActive(context: ChannelHandlerContext) { box.state.withLock { $0.connections += 1 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            input.writeImmutableBuffer(unwrapInboundIn(data))
            while let blank = input.readableBytesView.firstIndex(of: UInt8(ascii: " ")) {
                let digits = input.getString(at: input.readerIndex, length: blank - input.readerIndex) ?? ""
                guard let length = Int(digits), digits.first != "0" else {
                    box.state.withLock { $0.malformed += 1 }
                    context.close(promise: nil)
                    return
                }
                guard input.readableBytes >= digits.utf8.count + 1 + length else { return }
                input.moveReaderIndex(forwardBy: digits.utf8.count + 1)
                let message = input.readString(length: length) ?? ""
                box.state.withLock { $0.messages.append(message) }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private final class Datagrams: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>

        private let box: Box

        init(box: Box) { self.box = box }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let message = String(buffer: unwrapInboundIn(data).data)
            box.state.withLock { $0.messages.append(message) }
        }
    }
}
