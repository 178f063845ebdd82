import Console
import Foundation
import Hummingbird
import Logging
import Synchronization

/// An issuer's web server on loopback whose answers a test decides: discovery document and key set.
final class LocalIssuer: Sendable {
    struct Answers: Sendable {
        var status = HTTPResponse.Status.ok
        var keySet = "{\"keys\":[]}"
        var discovery: String?
        var cacheControl: String?
        var location: String?
        var delay: Duration = .zero
    }

    private struct State {
        var answers = Answers()
        var discoveries = 0
        var fetches = 0
    }

    private let state = Mutex(State())
    let port: Int
    private let server: Task<Void, any Error>

    var issuer: String { "http://127.0.0.1:\(port)" }
    /// How often the key set was asked for.
    var fetches: Int { state.withLock { $0.fetches } }
    var discoveries: Int { state.withLock { $0.discoveries } }

    static func start(keys: [[String: Any]]) async throws -> LocalIssuer {
        let box = Box()
        let router = Router()
        router.get("/.well-known/openid-configuration") { _, _ in try await box.owner().answer(isKeySet: false) }
        router.get("/keys") { _, _ in try await box.owner().answer(isKeySet: true) }
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        let app = Application(
            router: router, server: .accepting(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in found.yield(channel.localAddress?.port ?? 0) },
            logger: Logger(label: "issuer", factory: { _ in SwiftLogNoOpLogHandler() }))
        let server = Task { try await app.run() }
        var iterator = ports.makeAsyncIterator()
        let local = LocalIssuer(port: await iterator.next() ?? 0, server: server)
        box.set(local)
        try local.publish(keys)
        return local
    }

    private init(port: Int, server: Task<Void, any Error>) {
        self.port = port
        self.server = server
    }

    deinit { server.cancel() }

    func publish(_ keys: [[String: Any]]) throws {
        let text = String(decoding: try JSONSerialization.data(withJSONObject: ["keys": keys]), as: UTF8.self)
        change { $0.keySet = text }
    }

    func change(_ body: (inout Answers) -> Void) {
        state.withLock { body(&$0.answers) }
    }

    private func answer(isKeySet: Bool) async throws -> Response {
        let answers = state.withLock { state in
            if isKeySet { state.fetches += 1 } else { state.discoveries += 1 }
            return state.answers
        }
        if answers.delay > .zero { try await Task.sleep(for: answers.delay) }
        var headers = HTTPFields()
        if let cacheControl = answers.cacheControl { headers[.cacheControl] = cacheControl }
        if let location = answers.location { headers[.location] = location }
        let discovery = answers.discovery ?? "{\"issuer\":\"\(issuer)\",\"jwks_uri\":\"\(issuer)/keys\"}"
        return Response(
            status: answers.status, headers: headers,
            body: .init(byteBuffer: ByteBuffer(string: isKeySet ? answers.keySet : discovery)))
    }

    /// The routes are there before the server that they ask.
    private final class Box: Sendable {
        private let value = Mutex<Weak>(Weak())
        struct Weak { weak var issuer: LocalIssuer? }
        struct Gone: Error {}

        func set(_ issuer: LocalIssuer) { value.withLock { $0.issuer = issuer } }
        func owner() throws -> LocalIssuer {
            guard let issuer = value.withLock({ $0.issuer }) else { throw Gone() }
            return issuer
        }
    }
}
