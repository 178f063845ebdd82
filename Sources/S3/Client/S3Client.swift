import AsyncHTTPClient
import GatehouseCore
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Recording
import Synchronization

/// Signs requests for one bucket, sends them, and tries again where that can help. Calls block.
final class S3Client: Sendable {
    let endpoint: S3Endpoint
    let configuration: S3Configuration
    let surroundings: S3Surroundings
    private let credentials: Mutex<S3Credentials>
    private let http: HTTPClient

    init(_ configuration: S3Configuration, _ surroundings: S3Surroundings) throws(StoreError) {
        if let problem = configuration.problem { throw StoreError("the S3 store's configuration: \(problem)") }
        self.configuration = configuration
        self.surroundings = surroundings
        endpoint = try S3Endpoint(configuration)
        credentials = Mutex(configuration.credentials)
        var settings = HTTPClient.Configuration(tlsConfiguration: try Self.tls(configuration))
        // A redirect leads where the signature is no good, or where nobody configured.
        settings.redirectConfiguration = .disallow
        settings.httpVersion = .http1Only
        settings.timeout = .init(
            connect: .init(configuration.connectTimeout), read: .init(configuration.idleTimeout), write: .init(configuration.idleTimeout))
        // Tries are counted here.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.connectionPool.idleTimeout = .seconds(20)
        if let name = endpoint.nameToOverride { settings.dnsOverride = [name: "127.0.0.1"] }
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    deinit { http.shutdown { _ in } }

    private static func tls(_ configuration: S3Configuration) throws(StoreError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        guard let file = configuration.authorityFile else { return tls }
        guard let authorities = try? NIOSSLCertificate.fromPEMFile(file), !authorities.isEmpty else {
            throw StoreError("\(file) holds no certificate that could be read: it is to hold the S3 server's authorities in PEM")
        }
        tls.trustRoots = .certificates(authorities)
        return tls
    }

    func replaceCredentials(_ new: S3Credentials) {
        credentials.withLock { $0 = new }
    }

    /// Sends a request until `read` makes something of an answer of 2xx.
    /// - Parameter attempts: at most; nil for what is configured.
    func send<Value>(
        _ request: S3Request, attempts: Int? = nil, _ read: (S3Answer) throws(S3Failure) -> Value
    ) throws(S3Failure) -> Value {
        let begin = surroundings.clock.monotonicNanoseconds()
        var failures = 0
        while true {
            do throws(S3Failure) {
                return try read(try sendOnce(request))
            } catch {
                failures += 1
                let elapsed = Duration.nanoseconds(Int64(clamping: surroundings.clock.monotonicNanoseconds() &- begin))
                var retries = configuration.retries
                retries.attempts = attempts ?? retries.attempts
                guard error.isTransient, let pause = retries.pause(after: failures, elapsed: elapsed, jitter: surroundings.jitter()) else {
                    throw failures == 1 ? error : error.adding("; tried \(failures) times")
                }
                surroundings.logger?.notice("S3: \(self.describe(request, error)); trying again")
                surroundings.sleep(pause)
            }
        }
    }

    /// Does with any answer of 2xx.
    func send(_ request: S3Request, attempts: Int? = nil) throws(S3Failure) -> S3Answer {
        try send(request, attempts: attempts) { answer throws(S3Failure) in answer }
    }

    /// One try.
    private func sendOnce(_ request: S3Request) throws(S3Failure) -> S3Answer {
        let credentials = self.credentials.withLock(\.self)
        let signed = SignatureV4(credentials: credentials, region: configuration.region)
            .signed(request, endpoint: endpoint, at: surroundings.clock.wallTime())
        let answer: S3Answer
        do {
            let message = try HTTPClient.Request(
                url: signed.url, method: request.method, headers: HTTPHeaders(signed.headers.map { ($0.name, $0.value) }),
                body: request.body.map { .byteBuffer($0) })
            let collector = ResponseAccumulator(request: message, maxBodySize: request.maximumAnswer)
            let task = http.execute(request: message, delegate: collector, deadline: .now() + .init(configuration.requestTimeout))
            let response = try task.wait()
            answer = S3Answer(
                status: Int(response.status.code), headers: response.headers, body: response.body.map { Array($0.readableBytesView) } ?? [])
        } catch {
            throw Self.failure(error)
        }
        guard (200..<300).contains(answer.status) else { throw failure(answer, credentials) }
        return answer
    }

    private func failure(_ answer: S3Answer, _ credentials: S3Credentials) -> S3Failure {
        S3Failure(answer, secrets: [credentials.secretAccessKey.reveal(), credentials.sessionToken?.reveal() ?? ""])
    }

    /// What an error that came with 200 says.
    func failure(_ answer: S3Answer) -> S3Failure { failure(answer, credentials.withLock(\.self)) }

    /// - Parameter error: of the connection.
    private static func failure(_ error: any Error) -> S3Failure {
        func lasting(_ message: String) -> S3Failure { S3Failure(kind: .noAnswer, message: message, isTransient: false) }
        if error is ResponseAccumulator.ResponseTooBigError { return .wrong("the answer is larger than what was asked for") }
        if let error = error as? NIOSSLError, case .handshakeFailed(let cause) = error {
            return lasting(
                "no TLS connection (\(String(describing: cause).prefix(160))): the server's certificate must be of a known authority and name "
                    + "the host; a private authority's certificate can be configured")
        }
        if error is NIOSSLExtraError { return lasting("no TLS connection: the server's certificate does not name the host") }
        if let error = error as? HTTPClientError {
            return S3Failure(kind: .noAnswer, message: "no whole answer (\(error.shortDescription))", isTransient: true)
        }
        return S3Failure(kind: .noAnswer, message: "no whole answer (\(String(describing: error).prefix(160)))", isTransient: true)
    }

    func describe(_ request: S3Request, _ failure: S3Failure) -> String {
        "bucket '\(configuration.bucket)' at \(endpoint.url), \(request.description): \(failure.message)"
    }

    /// For whoever called the store.
    func storeError(_ request: S3Request, _ failure: S3Failure) -> StoreError {
        StoreError("the S3 store, \(describe(request, failure))")
    }

    /// `send`, for whoever called the store.
    func ask<Value>(_ request: S3Request, _ read: (S3Answer) throws(S3Failure) -> Value) throws(StoreError) -> Value {
        do throws(S3Failure) { return try send(request, read) } catch { throw storeError(request, error) }
    }
}

extension S3Failure {
    fileprivate func adding(_ text: String) -> S3Failure {
        var copy = self
        copy.message += text
        return copy
    }
}

/// What a store takes from the world besides its bucket, so that tests decide it.
struct S3Surroundings: Sendable {
    var clock: any GatewayClock
    /// Waits on the calling thread.
    var sleep: @Sendable (Duration) -> Void
    /// From 0 to 1.
    var jitter: @Sendable () -> Double
    var logger: Logger?
}
