import Foundation
import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import MySQL

/// The gateway's end towards a real server: a socket under the machines under test. Its methods block, for tests that are plain
/// functions.
final class Upstream {
    private let channel: any Channel
    private let inbox: Inbox
    private let user: String
    /// For COM_CHANGE_USER to the same account.
    private var exchange: PluginExchange
    private(set) var session: UpstreamHandshake.Session
    private(set) var link: UpstreamLink
    /// The handshake in numbers, for tests of which way it went.
    private(set) var packetsSent = 0

    static func settings(
        user: String, password: String?, tls: UpstreamTLS.Mode = .disable, key: UpstreamHandshake.PublicKeySource = .refused,
        database: String? = nil, family: ServerFamily = .mariadb, client: Capabilities? = nil
    ) -> UpstreamHandshake.Settings {
        UpstreamHandshake.Settings(
            user: user, password: password.map { Secret($0) }, database: database,
            attributes: [ConnectAttribute(name: "program_name", value: "gatehouse")], tls: tls, publicKey: key,
            client: client ?? CapabilityPlan.offered(family), listener: family, messageBytes: 64 << 20)
    }

    init(_ server: LiveServer, _ settings: UpstreamHandshake.Settings) throws {
        let inbox = Inbox()
        self.inbox = inbox
        user = settings.user
        exchange = PluginExchange(settings.password, settings.tls == .disable ? .plaintext : .verifiedTLS, settings.publicKey)
        channel = try ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(InboxHandler(inbox)) }
            }
            .connect(host: "127.0.0.1", port: server.port).wait()
        var handshake = UpstreamHandshake(settings)
        var result: UpstreamHandshake.Session?
        do {
            while result == nil {
                var actions = handshake.receive(try inbox.take())
                while !actions.isEmpty {
                    switch actions.removeFirst() {
                    case .send(let bytes):
                        packetsSent += 1
                        try channel.writeAndFlush(bytes).wait()
                    case .startTLS:
                        try Self.startTLS(channel, try server.context)
                        actions += handshake.tlsIsUp()
                    case .authenticated(let session): result = session
                    case .fail(let error): throw error
                    }
                }
            }
        } catch {
            try? channel.close().wait()
            throw error
        }
        guard let result else { throw TestFailure(description: "no session") }
        session = result
        link = UpstreamLink(result.plan.upstream, messageBytes: 64 << 20, depth: 100)
    }

    private static func startTLS(_ channel: any Channel, _ context: NIOSSLContext) throws {
        try channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(
                try NIOSSLClientHandler(context: context, serverHostname: "localhost"), position: .first)
        }.wait()
    }

    /// Sends a command and reads its whole answer.
    @discardableResult
    func run(_ command: Command, file: [String] = []) throws -> [Response] {
        try send(command)
        return try answer(file: file)
    }

    @discardableResult
    func query(_ text: String, file: [String] = []) throws -> [Response] {
        try run(.query(QueryRequest(text: ByteBuffer(string: text))), file: file)
    }

    func send(_ command: Command) throws {
        let payload = try command.payload(for: link.capabilities)
        try channel.writeAndFlush(try link.send(command.code, payload)).wait()
    }

    /// Reads until the server has answered all.
    func answer(file: [String] = []) throws -> [Response] {
        var responses: [Response] = []
        while !link.isReady {
            guard let response = try link.next() else {
                link.append(try inbox.take())
                continue
            }
            responses.append(response)
            if case .localInfile = response {
                for piece in file + [""] { try channel.writeAndFlush(try link.sendFile(ByteBuffer(string: piece))).wait() }
            }
            if case .authentication(let packet) = response, let answer = try exchange.answer(packet, user: user) {
                try channel.writeAndFlush(link.sendAnswer(ByteBuffer(bytes: answer))).wait()
            }
        }
        return responses
    }

    func close() { try? channel.close().wait() }
}

/// Bytes from the event loop to a thread that waits for them.
final class Inbox: Sendable {
    private let state = Mutex<(bytes: [ByteBuffer], isClosed: Bool)>(([], false))
    private let signal = DispatchSemaphore(value: 0)

    func put(_ bytes: ByteBuffer?) {
        state.withLock { state in
            if let bytes { state.bytes.append(bytes) } else { state.isClosed = true }
        }
        signal.signal()
    }

    func take() throws -> ByteBuffer {
        while true {
            guard signal.wait(timeout: .now() + 60) == .success else { throw TestFailure(description: "nothing came within a minute") }
            let (bytes, isClosed) = state.withLock { state in (state.bytes.isEmpty ? nil : state.bytes.removeFirst(), state.isClosed) }
            if let bytes { return bytes }
            if isClosed { throw TestFailure(description: "the server closed the connection") }
        }
    }
}

final class InboxHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { inbox.put(unwrapInboundIn(data)) }
    func channelInactive(context: ChannelHandlerContext) { inbox.put(nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.put(nil)
        context.close(promise: nil)
    }
}

extension [Response] {
    var errors: [ErrorPacket] { compactMap { if case .error(let error) = $0 { error } else { nil } } }
    var columns: [ColumnDefinition] { compactMap { if case .column(let column) = $0 { column } else { nil } } }
    var oks: [OKPacket] { compactMap { if case .ok(let ok) = $0 { ok } else { nil } } }
    var ends: [OKPacket] { compactMap { if case .rowsEnd(let ok) = $0 { ok } else { nil } } }
    var prepared: PreparedResponse? { compactMap { if case .prepared(let prepared) = $0 { prepared } else { nil } }.first }
    var rows: [(payload: ByteBuffer, isBinary: Bool)] {
        compactMap { if case .row(let row, let isBinary) = $0 { (row, isBinary) } else { nil } }
    }

    /// Cells of text rows as strings.
    func texts() throws -> [[String?]] {
        let count = columns.count
        return try rows.map { try TextRow($0.payload, columns: count).cells.map { $0.map { String(buffer: $0) } } }
    }
}
