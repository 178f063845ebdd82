import AsyncHTTPClient
import Dispatch
import GatehouseCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// A document as its server sent it.
struct FetchedDocument: Sendable {
    var bytes: [UInt8]
    /// `max-age` of `Cache-Control`, 0 with `no-store` or `no-cache`; nil where it says nothing.
    var maxAge: Duration?
}

/// Gets an issuer's documents.
protocol DocumentFetcher: Sendable {
    func fetch(_ url: String, authorities: String?) async throws(FetchFailure) -> FetchedDocument
}

struct FetchFailure: Error, Sendable {
    var reason: String
}

/// Over HTTP: TLS checked, no redirects followed (they lead where nobody configured), size and time bounded.
final class HTTPDocumentFetcher: DocumentFetcher {
    /// Key sets take some 10 KiB.
    static let maximumBytes = 1_048_576
    /// A client waits meanwhile, within the handshake's 10 seconds; two documents may be needed.
    static let timeout: Duration = .seconds(4)

    private let client: HTTPClient

    init() {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(3), read: .seconds(4), write: .seconds(4))
        configuration.connectionPool.idleTimeout = .seconds(15)
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit {
        client.shutdown { _ in }
    }

    func fetch(_ url: String, authorities: String?) async throws(FetchFailure) -> FetchedDocument {
        if let problem = SafeURL.problem(of: url) { throw FetchFailure(reason: "\(quoted(url)): \(problem)") }
        do {
            return try await withThrowingTaskGroup(of: FetchedDocument.self) { group in
                group.addTask { try await self.get(url, authorities: authorities) }
                group.addTask {
                    try await Task.sleep(for: Self.timeout)
                    throw FetchFailure(reason: "no answer within \(Self.timeout)")
                }
                defer { group.cancelAll() }
                guard let document = try await group.next() else { throw FetchFailure(reason: "no answer") }
                return document
            }
        } catch let failure as FetchFailure {
            throw FetchFailure(reason: "\(quoted(url)): \(failure.reason)")
        } catch {
            throw FetchFailure(reason: "\(quoted(url)): \(String(describing: error).prefix(200))")
        }
    }

    private func get(_ url: String, authorities: String?) async throws -> FetchedDocument {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "gatehouse")
        if let authorities {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(authorities)
            request.tlsConfiguration = tls
        }
        let response = try await client.execute(request, timeout: .seconds(4))
        guard response.status == .ok else { throw FetchFailure(reason: "the server answered \(response.status.code)") }
        let body: ByteBuffer
        do {
            body = try await response.body.collect(upTo: Self.maximumBytes)
        } catch is NIOTooManyBytesError {
            throw FetchFailure(reason: "the answer is larger than \(Self.maximumBytes) bytes")
        }
        return FetchedDocument(bytes: Array(body.readableBytesView), maxAge: Self.maxAge(response.headers[canonicalForm: "cache-control"]))
    }

    /// RFC 9111 section 5.2.2; what cannot be read is as if it were not there.
    static func maxAge(_ directives: [some StringProtocol]) -> Duration? {
        var age: Duration?
        for directive in directives {
            let parts = directive.lowercased().split(separator: "=", maxSplits: 1)
            let name = parts.first.map { $0.filter { $0 != " " } }
            if name == "no-store" || name == "no-cache" { return .zero }
            guard name == "max-age", parts.count == 2 else { continue }
            let digits = parts[1].filter { $0 != " " && $0 != "\"" }
            guard let seconds = UInt32(digits) else { continue }
            age = .seconds(Int64(seconds))
        }
        return age
    }
}
