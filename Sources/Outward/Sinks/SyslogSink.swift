import GatehouseCore
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Sends events to a syslog receiver. Over TCP and TLS syslog has no answers: what the kernel took counts as delivered, so that
/// what is on its way when a connection breaks can be lost. OTLP has answers.
final class SyslogSink: Deliverer {
    static let patience = Patience(batch: 64)
    /// For connecting, and for the receiver to take a batch.
    static let timeout: TimeAmount = .seconds(10)

    private let syslog: EventSink.Syslog
    private let source: EventSource
    private let tls: NIOSSLContext?
    private let process = getpid()
    private let connected = Mutex<(any Channel)?>(nil)

    init(_ syslog: EventSink.Syslog, _ source: EventSource) throws(OutwardError) {
        self.syslog = syslog
        self.source = source
        guard syslog.transport == .tls else {
            tls = nil
            return
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        do {
            if let file = syslog.authorityFile {
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
            }
            tls = try NIOSSLContext(configuration: configuration)
        } catch {
            throw OutwardError("syslog \(syslog.host): TLS cannot be set up (\(error)); is ca_file a PEM file of certificates?")
        }
    }

    func deliver(_ events: [OutwardEvent]) async throws(DeliveryError) {
        let messages = events.map { SyslogMessage.bytes($0, from: source, facility: syslog.facility, process: process) }
        do {
            let channel = try await channel()
            let watch = channel.eventLoop.scheduleTask(in: Self.timeout) { channel.close(promise: nil) }
            defer { watch.cancel() }
            if syslog.transport == .udp {
                for message in messages { try await channel.writeAndFlush(ByteBuffer(bytes: message)) }
            } else {
                try await channel.writeAndFlush(ByteBuffer(bytes: messages.flatMap(SyslogMessage.framed)))
            }
        } catch let error as DeliveryError {
            throw error
        } catch {
            let broken = connected.withLock { channel in
                defer { channel = nil }
                return channel
            }
            broken?.close(promise: nil)
            throw DeliveryError("\(syslog.host):\(syslog.port): \(String(describing: error).prefix(200))")
        }
    }

    /// The connection that there is, or a new one. One delivery asks at a time.
    private func channel() async throws -> any Channel {
        if let channel = connected.withLock({ $0 }), channel.isActive { return channel }
        let channel = syslog.transport == .udp ? try await datagrams() : try await stream()
        connected.withLock { $0 = channel }
        return channel
    }

    private func datagrams() async throws -> any Channel {
        try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(Deaf()) }
            .connect(host: syslog.host, port: syslog.port).get()
    }

    private func stream() async throws -> any Channel {
        let host = syslog.host
        let tls = tls
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(Self.timeout)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        // An IP address is held against the connection's own.
                        let name = (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try channel.pipeline.syncOperations.addHandler(Deaf())
                }
            }
            .connect(host: host, port: syslog.port).get()
    }

    func close() async {
        let channel = connected.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await channel?.close()
    }

    /// Receivers say nothing; what one says all the same is dropped, and an error closes.
    private final class Deaf: ChannelInboundHandler, Sendable {
        typealias InboundIn = Any

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            // ICMP's word that nobody listens there now (connected datagrams): somebody may soon.
            if let error = error as? IOError, error.errnoCode == ECONNREFUSED { return }
            context.close(promise: nil)
        }
    }
}
