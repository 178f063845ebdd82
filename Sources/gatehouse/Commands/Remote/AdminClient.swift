import AsyncHTTPClient
import Foundation
import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import Settings

/// Asks a running gateway's admin API, with the caller's own token.
struct AdminClient {
    /// Answers that are read whole: lists and single things.
    private static let largestAnswer = 64 * 1_048_576
    /// One event of a stream; a message of the largest size that a gateway may be told to take, written as JSON.
    private static let largestLine = 1_024 * 1_048_576

    private enum Method {
        case get, post, delete
    }

    private let address: String
    private let token: Secret
    private let http: HTTPClient

    init(address: String, token: Secret, authorityFile: String?) throws {
        self.address = try Self.checked(address)
        self.token = token
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authorityFile { tls.trustRoots = .file(authorityFile) }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        // A redirect could carry the token elsewhere.
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(10))
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func shutdown() async {
        try? await http.shutdown()
    }

    /// - Parameter patience: how long the answer may take.
    func get(_ path: String, _ query: [(String, String?)] = [], patience: TimeAmount = .seconds(60)) async throws -> JSON {
        try await answer(.get, path, query, body: nil, deadline: patience)
    }

    func post(_ path: String, _ body: JSON, patience: TimeAmount = .seconds(60)) async throws -> JSON {
        try await answer(.post, path, [], body: body, deadline: patience)
    }

    func delete(_ path: String) async throws {
        _ = try await answer(.delete, path, [], body: nil, deadline: .seconds(60))
    }

    /// All items of a list, page after page. A page is an array, or an object with the array under `name` and, where there
    /// are more, a `next` to give back as `cursor`.
    func list(_ path: String, _ name: String, _ query: [(String, String?)] = [], limit: Int? = nil) async throws -> [JSON] {
        var items: [JSON] = []
        var cursor: String?
        repeat {
            let page = try await get(path, query + [("cursor", cursor), ("limit", limit.map { String($0 - items.count) })])
            if case .array(let all) = page { return all }
            guard case .array(let found)? = page[name] else {
                throw CommandFailure(.failure, "the gateway's answer to \(path) is not a list; do its version and this program's match?")
            }
            items += found
            let next = page["next"]?.string
            cursor = found.isEmpty || next == cursor ? nil : next
        } while cursor != nil && items.count < limit ?? .max
        return items
    }

    /// Hands on the lines of a stream (JSON lines, or server-sent events) as they come.
    /// - Parameter order: what is posted to get it; nil: it is only read.
    func lines(_ path: String, posting order: JSON? = nil, _ body: (Data) throws -> Void) async throws {
        let response = try await response(order == nil ? .get : .post, path, [], body: order, deadline: .hours(24 * 3_650))
        var pending = Data()
        do {
            for try await part in response.body {
                // Lines may be long: only what is new is looked through.
                var unseen = pending.count
                pending.append(contentsOf: part.readableBytesView)
                while let end = pending[unseen...].firstIndex(of: UInt8(ascii: "\n")) {
                    if let line = Self.payload(pending[..<end]) { try body(line) }
                    pending = Data(pending[pending.index(after: end)...])
                    unseen = 0
                }
                guard pending.count <= Self.largestLine else { throw CommandFailure(.failure, "an event is larger than 1 GiB") }
            }
            if let line = Self.payload(pending) { try body(line) }
        } catch let failure as CommandFailure {
            throw failure
        } catch let error as HTTPClientError {
            throw CommandFailure(.unreachable, "the connection to \(address) broke: \(error.shortDescription)")
        }
    }

    /// The JSON of one line; nil for empty lines and for the other fields of a server-sent event.
    private static func payload(_ line: Data) -> Data? {
        var text = line
        if text.last == UInt8(ascii: "\r") { text = text.dropLast() }
        if text.starts(with: Data("data:".utf8)) { text = text.dropFirst(5) }
        text = text.drop { $0 == UInt8(ascii: " ") }
        return text.first == UInt8(ascii: "{") ? Data(text) : nil
    }

    private func answer(
        _ method: Method, _ path: String, _ query: [(String, String?)], body: JSON?, deadline: TimeAmount
    ) async throws -> JSON {
        let response = try await response(method, path, query, body: body, deadline: deadline)
        let bytes = try await collect(response)
        if bytes.isEmpty { return .null }
        guard let json = try? JSON.parse(bytes) else {
            throw CommandFailure(.failure, "the answer of \(address) is not JSON; is it a gateway's admin address?")
        }
        return json
    }

    private func collect(_ response: HTTPClientResponse) async throws -> Data {
        do {
            return Data((try await response.body.collect(upTo: Self.largestAnswer)).readableBytesView)
        } catch {
            throw CommandFailure(.failure, "the answer of \(address) broke off or is larger than 64 MiB")
        }
    }

    private func response(
        _ method: Method, _ path: String, _ query: [(String, String?)], body: JSON?, deadline: TimeAmount
    ) async throws -> HTTPClientResponse {
        let asked = query.compactMap { name, value in value.map { "\(name)=\(percentEncoded($0))" } }.joined(separator: "&")
        var request = HTTPClientRequest(url: address + "/api/v1" + path + (asked.isEmpty ? "" : "?" + asked))
        switch method {
        case .get: request.method = .GET
        case .post: request.method = .POST
        case .delete: request.method = .DELETE
        }
        request.headers.add(name: "Authorization", value: "Bearer \(token.reveal())")
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "gatehouse/\(gatehouseVersion)")
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: try body.text(pretty: false)))
        }
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, timeout: deadline)
        } catch {
            throw CommandFailure(
                .unreachable,
                "no answer from \(address) (\(Self.reason(error))); check that the gateway runs, and --address or GATEHOUSE_ADDRESS")
        }
        guard response.status.code / 100 == 2 else { throw await refusal(response, path) }
        return response
    }

    /// What an RFC 9457 problem document says, with what to do.
    private func refusal(_ response: HTTPClientResponse, _ path: String) async -> CommandFailure {
        let problem = (try? await collect(response)).flatMap { try? JSON.parse($0) }
        let said = (problem?["detail"]?.string ?? problem?["title"]?.string ?? response.status.reasonPhrase)
        let text = forTerminal(said)
        switch response.status.code {
        case 401: return CommandFailure(.refused, "the gateway does not accept this token: \(text). Get a new one with `gatehouse login`.")
        case 403: return CommandFailure(.refused, "you may not do this: \(text)")
        case 404: return CommandFailure(.failure, "not found: \(text)")
        case 429: return CommandFailure(.refused, "too many tries: \(text). Wait a little and try again.")
        default: return CommandFailure(.failure, "the gateway answered \(response.status.code): \(text)")
        }
    }

    /// Never the request: it holds the token.
    private static func reason(_ error: any Error) -> String {
        if let error = error as? HTTPClientError { return error.shortDescription }
        if let error = error as? NIOConnectionError {
            return error.connectionErrors.first.map { "\($0.error)" } ?? "cannot connect to \(error.host):\(error.port)"
        }
        if error is NIOSSLError || error is BoringSSLError { return "TLS failed: \(error)" }
        return "\(error)"
    }

    /// https, or http to this machine alone: the token travels with every request.
    private static func checked(_ address: String) throws -> String {
        let trimmed = address.hasSuffix("/") ? String(address.dropLast()) : address
        guard let parts = URLComponents(string: trimmed), let host = parts.host, parts.path.isEmpty, parts.query == nil, parts.user == nil
        else {
            throw CommandFailure(.usage, "\(address) is not an admin address; write for example https://gateway.example.com:9090")
        }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        guard parts.scheme == "https" || (parts.scheme == "http" && isLoopbackHost(bare)) else {
            throw CommandFailure(
                .usage, "\(address) would carry the token in clear; use https:// (http:// is for loopback addresses alone)")
        }
        return trimmed
    }
}

/// Everything but letters, digits and `-._~` (RFC 3986 section 2.3) as %XX.
func percentEncoded(_ text: String) -> String {
    text.utf8.map { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            String(UnicodeScalar(byte))
        default: String(format: "%%%02X", byte)
        }
    }.joined()
}
