import Console
import Crypto
import Foundation
import Hummingbird
import HummingbirdTLS
import Logging
import NIOCore
public import NIOSSL
import Synchronization
import X509

/// A web server on loopback whose answers a test decides, and which keeps what it was asked.
public final class LocalServer: Sendable {
    public struct Call: Sendable {
        public var method: String
        public var path: String
        /// By names in lower case.
        public var headers: [String: String]
        public var body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }
        public var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
        }
    }

    public struct Answer: Sendable {
        public var status: Int
        public var location: String?
        public var retryAfter: Int?
        public var body: String
        /// Before anything is said.
        public var delay: Duration

        public init(_ status: Int, _ body: String = "", location: String? = nil, retryAfter: Int? = nil, delay: Duration = .zero) {
            self.status = status
            self.location = location
            self.retryAfter = retryAfter
            self.body = body
            self.delay = delay
        }
    }

    public typealias Handler = @Sendable (Call) async -> Answer

    private final class Log: Sendable {
        let calls = Mutex<[Call]>([])
    }

    public let port: Int
    /// `https://localhost:port` or `http://127.0.0.1:port`, whose certificate's authority is `authorityFile`.
    public let url: String
    public let authorityFile: String?
    /// Kept, since its files go with it.
    private let authority: TestAuthority?
    private let log: Log
    private let task: Task<Void, any Error>

    public var calls: [Call] { log.calls.withLock { $0 } }

    public static func start(tls: TestAuthority? = nil, _ handler: @escaping Handler) async throws -> LocalServer {
        let log = Log()
        let responder = CallbackResponder { (request: Request, _: BasicRequestContext) in
            var request = request
            let body = try await request.collectBody(upTo: 4_194_304)
            let headers = Dictionary(request.headers.map { ($0.name.canonicalName.lowercased(), $0.value) }) { "\($0), \($1)" }
            let call = Call(
                method: request.method.rawValue, path: request.uri.string, headers: headers, body: Array(body.readableBytesView))
            log.calls.withLock { $0.append(call) }
            let answer = await handler(call)
            if answer.delay > .zero { try await Task.sleep(for: answer.delay) }
            var response = Response(status: .init(code: answer.status), body: .init(byteBuffer: ByteBuffer(string: answer.body)))
            if let location = answer.location { response.headers[.location] = location }
            if let seconds = answer.retryAfter { response.headers[.retryAfter] = String(seconds) }
            return response
        }
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        let app = Application(
            responder: responder, server: try tls.map { try .tls(.accepting(), tlsConfiguration: $0.serverConfiguration) } ?? .accepting(),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in found.yield(channel.localAddress?.port ?? 0) },
            logger: Logger(label: "local", factory: { _ in SwiftLogNoOpLogHandler() }))
        let task = Task { try await app.run() }
        var iterator = ports.makeAsyncIterator()
        return LocalServer(port: await iterator.next() ?? 0, log: log, task: task, tls: tls)
    }

    private init(port: Int, log: Log, task: Task<Void, any Error>, tls: TestAuthority?) {
        self.port = port
        self.log = log
        self.task = task
        url = tls == nil ? "http://127.0.0.1:\(port)" : "https://localhost:\(port)"
        authority = tls
        authorityFile = tls?.file
    }

    deinit { task.cancel() }

    /// Waits until it was asked `count` times.
    public func calls(atLeast count: Int, within limit: Duration = .seconds(120)) async throws -> [Call] {
        let end = ContinuousClock.now + limit
        while calls.count < count, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(5)) }
        return calls
    }
}

/// A certificate for localhost that is its own authority, made for one test; its file is gone with it.
public final class TestAuthority: Sendable {
    public let file: String
    /// PEM, too.
    public let keyFile: String
    private let certificate: NIOSSLCertificate
    private let key: NIOSSLPrivateKey

    public init() throws {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("localhost") }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: Date() - 60,
            notValidAfter: Date() + 3_600, issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions { SubjectAlternativeNames([.dnsName("localhost")]) }, issuerPrivateKey: .init(key))
        let pem = try certificate.serializeAsPEM().pemString
        file = FileManager.default.temporaryDirectory.appendingPathComponent("gatehouse-authority-\(UUID().uuidString).pem").path
        try Data(pem.utf8).write(to: URL(fileURLWithPath: file))
        keyFile = file + ".key"
        try Data(key.pemRepresentation.utf8).write(to: URL(fileURLWithPath: keyFile))
        self.certificate = try NIOSSLCertificate(bytes: Array(pem.utf8), format: .pem)
        self.key = try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: file)
        try? FileManager.default.removeItem(atPath: keyFile)
    }

    public var serverConfiguration: TLSConfiguration {
        .makeServerConfiguration(certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
    }
}
