import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A request that came to the proxy.
struct Call: Sendable {
    /// From 0.
    var number: Int
    var method: HTTPMethod
    var uri: String
    var headers: HTTPHeaders
    var body: [UInt8]

    var isComplete: Bool { method == .POST && uri.contains("uploadId=") }
    var isPart: Bool { method == .PUT && uri.contains("partNumber=") }
}

struct Reply: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders = [:]
    var body: [UInt8] = []

    static func error(_ status: Int, _ code: String, _ message: String = "as the test wants it") -> Reply {
        Reply(
            status: .init(statusCode: status), headers: ["content-type": "application/xml"],
            body: Array("<Error><Code>\(code)</Code><Message>\(message)</Message></Error>".utf8))
    }
}

enum Fault: Sendable {
    /// The server never sees the request.
    case answer(Reply)
    /// The server does what it was asked, and the client sees another answer.
    case change(@Sendable (inout Reply) -> Void)
    case reset
    /// The server does what it was asked, and the answer gets lost.
    case resetAfter
    /// Half of the body comes, then the connection ends.
    case truncate
    /// Nothing comes for as long as the client waits.
    case stall
}

/// An HTTP server in front of a real one. What it passes on, it does not change, so that signatures hold.
final class FaultProxy: Sendable {
    private let upstream: String
    private let channel: any Channel
    private let state = Mutex<State>(State())
    private let http = HTTPClient(eventLoopGroupProvider: .singleton)

    private struct State {
        var plan: @Sendable (Call) -> Fault? = { _ in nil }
        var calls: [Call] = []
    }

    init(_ upstream: String) throws {
        self.upstream = upstream
        let box = Box()
        channel = try ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(
                        Collector { call in
                            box.handler.withLock(\.self)?(call, channel)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        box.handler.withLock { $0 = { [weak self] call, channel in self?.handle(call, channel) } }
    }

    /// Filled once the proxy is whole.
    private final class Box: Sendable {
        let handler = Mutex<(@Sendable (Call, any Channel) -> Void)?>(nil)
    }

    deinit {
        channel.close(promise: nil)
        http.shutdown { _ in }
    }

    var endpoint: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    var calls: [Call] { state.withLock(\.calls) }

    /// Decides for every call from now on; the calls so far are forgotten.
    func plan(_ plan: @escaping @Sendable (Call) -> Fault?) {
        state.withLock { $0 = State(plan: plan) }
    }

    private func handle(_ received: Call, _ channel: any Channel) {
        let (call, fault) = state.withLock {
            var call = received
            call.number = $0.calls.count
            $0.calls.append(call)
            return (call, $0.plan(call))
        }
        switch fault {
        case .answer(let reply): Self.send(reply, to: channel, of: call)
        case .reset: Self.reset(channel)
        case .stall: break
        case .change, .resetAfter, .truncate, nil:
            forward(call) { reply in
                guard var reply else { return Self.reset(channel) }
                if case .resetAfter = fault { return Self.reset(channel) }
                if case .truncate = fault { return Self.send(reply, to: channel, of: call, isTruncated: true) }
                if case .change(let change) = fault { change(&reply) }
                Self.send(reply, to: channel, of: call)
            }
        }
    }

    private func forward(_ call: Call, _ then: @escaping @Sendable (Reply?) -> Void) {
        guard
            let request = try? HTTPClient.Request(
                url: upstream + call.uri, method: call.method, headers: call.headers, body: .bytes(call.body))
        else { return then(nil) }
        http.execute(request: request).whenComplete { result in
            then(
                (try? result.get()).map {
                    Reply(status: $0.status, headers: $0.headers, body: $0.body.map { Array($0.readableBytesView) } ?? [])
                })
        }
    }

    private static func reset(_ channel: any Channel) {
        if let options = channel as? any SocketOptionProvider {
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        } else {
            channel.close(promise: nil)
        }
    }

    private static func send(_ reply: Reply, to channel: any Channel, of call: Call, isTruncated: Bool = false) {
        var headers = reply.headers
        headers.remove(name: "transfer-encoding")
        if call.method != .HEAD { headers.replaceOrAdd(name: "content-length", value: String(reply.body.count)) }
        channel.write(HTTPServerResponsePart.head(.init(version: .http1_1, status: reply.status, headers: headers)), promise: nil)
        let body = isTruncated ? Array(reply.body.prefix(reply.body.count / 2)) : reply.body
        if call.method != .HEAD { channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil) }
        guard !isTruncated else {
            channel.flush()
            return channel.close(promise: nil)
        }
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    }
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    private let handle: (Call) -> Void
    private var call: Call?

    init(_ handle: @escaping (Call) -> Void) { self.handle = handle }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): call = Call(number: 0, method: head.method, uri: head.uri, headers: head.headers, body: [])
        case .body(let part): call?.body += Array(part.readableBytesView)
        case .end: if let call { handle(call) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
