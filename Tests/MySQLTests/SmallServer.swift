import Foundation
import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import MySQL

/// A server that does the gateway's part for clients as they are, with the machines under test: the handshake, and answers to
/// what they send: a row of the login's facts for every SELECT, OK for the rest.
final class SmallServer: Sendable {
    let port: Int
    let authority: String
    private let channel: any Channel
    private let log = Log()

    fileprivate final class Log: Sendable {
        let logins = Mutex<[ClientLogin]>([])
        let failures = Mutex<[String]>([])
    }

    /// What connections came to.
    var logins: [ClientLogin] { log.logins.withLock { $0 } }
    var failures: [String] { log.failures.withLock { $0 } }

    /// - Parameter secret: the only one that is let in.
    init(_ family: ServerFamily, plugin: AuthenticationPlugin = .cachingSHA2, secret: String, folder: String) throws {
        authority = folder + "/ca.crt"
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(folder + "/server.crt").map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: folder + "/server.key", format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        let context = try NIOSSLContext(configuration: configuration)
        let rules = ClientHandshake.Rules(
            family: family, version: family == .mysql ? "9.7.0-Gatehouse" : "5.5.5-10.11.19-MariaDB-Gatehouse", plugin: plugin,
            startupPacketBytes: 65_536, authenticationMessageBytes: 65_536)
        let log = log
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SmallServerHandler(rules, context, secret, log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = channel.localAddress?.port ?? 0
    }

    func stop() { try? channel.close().wait() }
}

private final class SmallServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let context: NIOSSLContext
    private let secret: String
    private let log: SmallServer.Log
    private var handshake: ClientHandshake
    private var login: ClientLogin?
    private var link: ClientLink?
    private let rules: ClientHandshake.Rules
    private var statements = StatementRegistry(maximumStatements: 100, maximumLongData: 1 << 20)
    private var nextStatement: UInt32 = 1

    init(_ rules: ClientHandshake.Rules, _ context: NIOSSLContext, _ secret: String, _ log: SmallServer.Log) {
        self.context = context
        self.secret = secret
        self.log = log
        self.rules = rules
        handshake = ClientHandshake(rules: rules, threadID: 4711)
    }

    func channelActive(context: ChannelHandlerContext) { act(handshake.start(), context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard link != nil else {
            act(handshake.receive(bytes), context)
            return
        }
        link?.append(bytes)
        do {
            while let request = try link?.next() {
                if case .changeUser(let again) = request.command {
                    handshake = ClientHandshake(rules: rules, again: again, link?.capabilities ?? [])
                    link = nil
                    act(handshake.start(), context)
                    return
                }
                answer(request, context)
            }
        } catch {
            log.failures.withLock { $0.append("\(error)") }
            context.close(promise: nil)
        }
    }

    private func act(_ actions: [ClientHandshake.Action], _ context: ChannelHandlerContext) {
        for action in actions {
            switch action {
            case .send(let bytes): context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            case .startTLS(let replay):
                let handler = NIOSSLServerHandler(context: self.context)
                do { try context.pipeline.syncOperations.addHandler(handler, position: .first) } catch { context.close(promise: nil) }
                act(handshake.tlsIsUp(), context)
                if replay.readableBytes > 0 { context.pipeline.fireChannelRead(replay) }
            case .verify(let login):
                guard constantTimeEquals(login.secret.reveal().utf8, secret.utf8) else {
                    act(handshake.refused(ClientHandshake.accessDenied(user: login.user)), context)
                    return
                }
                handshake.accepted()
                self.login = login
                log.logins.withLock { $0.append(login) }
                link = ClientLink(login.capabilities, messageBytes: 64 << 20)
                context.writeAndFlush(wrapOutboundOut(handshake.welcome()), promise: nil)
            case .fail(let error, let words):
                log.failures.withLock { $0.append("\(error)") }
                if let words { context.writeAndFlush(wrapOutboundOut(words), promise: nil) }
                context.close(promise: nil)
            }
        }
    }

    private func answer(_ request: ClientLink.Request, _ context: ChannelHandlerContext) {
        guard let login else { return }
        var responses: [Response] = []
        switch request.command {
        case .quit:
            context.close(promise: nil)
            return
        case .longData, .closeStatement: return
        // MySQL's client asks so whether dollar quotes are known, and reads nothing but an error.
        case .query(let query) where String(buffer: query.text).contains("$$"):
            responses = [.error(ErrorPacket(ErrorCode(1054, "42S22"), "Unknown column '$$' in 'field list'"))]
        case .query(let query) where isSelect(query.text): responses = result(String(buffer: query.text), isBinary: false)
        case .prepare(let text):
            let count = UInt16(clamping: text.readableBytesView.filter { $0 == UInt8(ascii: "?") }.count)
            let columns: UInt16 = isSelect(text) ? 2 : 0
            statements.prepared(nextStatement, text: text, parameterCount: count, columnCount: columns)
            responses = [.prepared(PreparedResponse(statement: nextStatement, columns: columns, parameters: count))]
            responses += (0..<count).map { _ in .parameter(ColumnDefinition(name: "?", type: .varString)) }
            if columns > 0 { responses += [.column(column("user")), .column(column("text"))] }
            nextStatement += 1
        case .execute(let execute):
            guard let statement = statements[execute.statement], let block = try? execute.parameters(of: statement, login.capabilities)
            else {
                responses = [.error(.unknownStatement(execute.statement))]
                break
            }
            statements.executed(execute.statement, block)
            let values = block.parameters.map { (try? $0.value()).map { "\($0)" } ?? "?" }.joined(separator: ",")
            responses =
                isSelect(statement.text)
                ? result(values.isEmpty ? "none" : "\(block.parameters.count) values", isBinary: true) : [.ok(OKPacket())]
        case .statistics: responses = [.statistics(ByteBuffer(string: "Uptime: 1"))]
        case .other, .processKill, .fieldList: responses = [.error(ErrorPacket(.unknownCommand, "not here"))]
        default: responses = [.ok(OKPacket())]
        }
        // As if a server of this year had said it.
        var writer = ResponseWriter(
            client: login.capabilities, server: login.capabilities.union(.deprecateEOF), sequence: request.answerSequence)
        var bytes = ByteBuffer()
        for response in responses { writer.write(response, status: .autocommit, to: &bytes) }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func isSelect(_ text: ByteBuffer) -> Bool {
        String(buffer: text).trimmingCharacters(in: .whitespacesAndNewlines).uppercased().hasPrefix("SELECT")
            || String(buffer: text).hasPrefix("SHOW")
    }

    private func column(_ name: String) -> ColumnDefinition {
        var column = ColumnDefinition(name: name, type: .varString)
        column.length = 1_000
        return column
    }

    /// Connector/J asks for settings at once, and takes numbers where it asked for them.
    private func settings(_ text: String) -> [Response] {
        let names = text.dropFirst("SELECT ".count).split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let cells = names.map { ByteBuffer(string: $0.contains("zone") ? "SYSTEM" : $0.contains("packet") ? "16777216" : "1") }
        let row = ByteBuffer.written { TextRow(cells: cells).write(to: &$0) }
        return [.columnCount(names.count)] + names.map { .column(column($0)) } + [.row(row, isBinary: false), .rowsEnd(OKPacket())]
    }

    private func result(_ text: String, isBinary: Bool) -> [Response] {
        if text.hasPrefix("SELECT @@") { return settings(text) }
        let values = [login?.user ?? "", text]
        let row = ByteBuffer.written { buffer in
            if isBinary {
                BinaryRow(cells: values.map { BinaryValue.bytes(ByteBuffer(string: $0)).cell(as: .varString) }).write(to: &buffer)
            } else {
                TextRow(cells: values.map { ByteBuffer(string: $0) }).write(to: &buffer)
            }
        }
        return [.columnCount(2), .column(column("user")), .column(column("text")), .row(row, isBinary: isBinary), .rowsEnd(OKPacket())]
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension ByteBuffer {
    fileprivate static func written(_ body: (inout ByteBuffer) -> Void) -> ByteBuffer { Samples.written(body) }
}
