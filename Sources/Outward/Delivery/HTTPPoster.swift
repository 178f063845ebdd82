import AsyncHTTPClient
import GatehouseCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// Posts over HTTP: TLS checked, no redirects followed, time bounded, and of the answer only so much read.
final class HTTPPoster: Sendable {
    struct Answer: Sendable {
        var status: Int
        /// Of 429 and 503, where it is a number of seconds (RFC 9110 section 10.2.3).
        var retryAfter: Duration?
        /// At most `mostRead` bytes.
        var head: [UInt8]
    }

    /// Of an answer's body. The rest is not read, and the connection not used again.
    static let mostRead = 16_384

    private let timeout: Duration
    private let http: HTTPClient

    init(timeout: Duration = .seconds(10)) {
        self.timeout = timeout
        var configuration = HTTPClient.Configuration()
        // A redirect leads where nobody configured.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout = .init(connect: .seconds(5), read: .init(timeout), write: .init(timeout))
        configuration.connectionPool.idleTimeout = .seconds(30)
        // Tries are counted by whoever calls.
        configuration.connectionPool.retryConnectionEstablishment = false
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit { http.shutdown { _ in } }

    /// - Throws: `DeliveryError` when there is no answer.
    func post(
        _ url: String, headers: [(String, String)], body: [UInt8], authorityFile: String?
    ) async throws(DeliveryError) -> Answer {
        do {
            return try await withThrowingTaskGroup(of: Answer.self) { group in
                group.addTask { try await self.send(url, headers, body, authorityFile) }
                group.addTask { [timeout] in
                    try await Task.sleep(for: timeout)
                    throw DeliveryError("no answer within \(timeout)")
                }
                defer { group.cancelAll() }
                guard let answer = try await group.next() else { throw DeliveryError("no answer") }
                return answer
            }
        } catch let error as DeliveryError {
            throw error
        } catch {
            // Never the request, whose URL may be a secret.
            throw DeliveryError("no answer: \(Self.words(error))")
        }
    }

    private func send(
        _ url: String, _ headers: [(String, String)], _ body: [UInt8], _ authorityFile: String?
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = HTTPHeaders([("content-type", "application/json"), ("user-agent", "gatehouse")] + headers)
        request.body = .bytes(ByteBuffer(bytes: body))
        if let authorityFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(authorityFile)
            request.tlsConfiguration = tls
        }
        let response = try await http.execute(request, timeout: .init(timeout))
        var head: [UInt8] = []
        for try await part in response.body {
            head += part.readableBytesView.prefix(Self.mostRead - head.count)
            if head.count >= Self.mostRead { break }
        }
        let retryAfter = response.headers.first(name: "retry-after").flatMap(Int64.init).map { Duration.seconds(min(max($0, 0), 3_600)) }
        return Answer(status: Int(response.status.code), retryAfter: retryAfter, head: head)
    }

    private static func words(_ error: any Error) -> String {
        if let error = error as? HTTPClientError { return error.shortDescription }
        if let error = error as? NIOSSLError, case .handshakeFailed(let cause) = error {
            return
                "no TLS connection (\(String(describing: cause).prefix(160))): the certificate must be of a known authority and name the host"
        }
        if error is NIOSSLExtraError { return "no TLS connection: the certificate does not name the host" }
        return String(String(describing: error).prefix(160))
    }

    /// For names of sinks: the host and port alone, without what may be secret in a URL.
    static func host(of url: String) -> String {
        let rest = url.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2).first ?? ""
        return rest.split(separator: "@").last.map(String.init) ?? ""
    }
}

/// What an answer means for those who may try again.
extension HTTPPoster.Answer {
    var isSuccess: Bool { (200..<300).contains(status) }

    var error: DeliveryError {
        switch status {
        case 300..<400: DeliveryError("it answered with a redirect (\(status)), which is not followed", isTransient: false)
        case 408, 425, 429, 500...: DeliveryError("it answered \(status)", retryAfter: retryAfter)
        default: DeliveryError("it answered \(status)", isTransient: false)
        }
    }
}
