import AsyncHTTPClient
import Foundation
import GatehouseCore
import NIOCore
import NIOSSL
import Settings

/// The OAuth 2.0 device authorization grant (RFC 8628): the person proves who he is in a browser, anywhere, while this
/// program waits.
struct DeviceFlow {
    /// Documents and tokens of an issuer; larger answers are not ones.
    private static let largestAnswer = 1_048_576

    var issuer: String
    var clientID: String
    var clientSecret: Secret?
    var scope: String
    var http: HTTPClient

    struct Tokens {
        var identity: Secret?
        var access: Secret?
    }

    private struct Started {
        var deviceCode: Secret
        var interval: Int
        var lifetime: Int
    }

    /// - Parameter ask: Tells the person where to go, and the code to type there.
    func run(ask: (_ uri: String, _ code: String, _ completeURI: String?) -> Void) async throws -> Tokens {
        guard isSafe(issuer) else {
            throw CommandFailure(.usage, "\(issuer) is not protected: use an https:// issuer (http:// is for loopback addresses alone)")
        }
        let metadata = try await discover()
        let authorization = try await endpoint("device_authorization_endpoint", of: metadata)
        let token = try await endpoint("token_endpoint", of: metadata)
        let (status, answer) = try await post(authorization, ["client_id": clientID, "scope": scope])
        guard status == 200, let code = answer["device_code"]?.string, let userCode = answer["user_code"]?.string,
            let uri = answer["verification_uri"]?.string
        else { throw refusal("the issuer does not start a device login", answer) }
        ask(uri, userCode, answer["verification_uri_complete"]?.string)
        // Section 3.2: five seconds where the issuer does not say; half an hour is our own bound on a forgotten login.
        let started = Started(
            deviceCode: Secret(code), interval: min(max(answer["interval"]?.integer ?? 5, 1), 60),
            lifetime: min(max(answer["expires_in"]?.integer ?? 600, 1), 1_800))
        return try await poll(token, started)
    }

    private func discover() async throws -> JSON {
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let (status, document) = try await send(HTTPClientRequest(url: base + "/.well-known/openid-configuration"))
        guard status == 200 else { throw CommandFailure(.failure, "\(issuer) has no discovery document (HTTP \(status))") }
        // OpenID Connect Discovery 1.0 section 4.3: otherwise somebody else's document is taken for this issuer's.
        guard document["issuer"]?.string == issuer else {
            throw CommandFailure(
                .failure, "the discovery document of \(issuer) says it is of another issuer; check the issuer's exact name")
        }
        return document
    }

    private func endpoint(_ name: String, of metadata: JSON) async throws -> String {
        guard let url = metadata[name]?.string else {
            throw CommandFailure(
                .failure, "\(issuer) has no \(name): it does not do device logins; use --token-stdin with a token from elsewhere")
        }
        guard isSafe(url) else { throw CommandFailure(.failure, "the \(name) of \(issuer) is not https") }
        return url
    }

    private func poll(_ endpoint: String, _ started: Started) async throws -> Tokens {
        var interval = started.interval
        let end = ContinuousClock.now + .seconds(started.lifetime)
        while ContinuousClock.now < end {
            try await Task.sleep(for: .seconds(interval))
            let (status, answer) = try await post(
                endpoint,
                [
                    "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": started.deviceCode.reveal(),
                    "client_id": clientID,
                ])
            if status == 200 {
                return Tokens(
                    identity: answer["id_token"]?.string.map { Secret($0) }, access: answer["access_token"]?.string.map { Secret($0) })
            }
            switch answer["error"]?.string {
            case "authorization_pending": continue
            // Section 3.5: wait five seconds longer from now on.
            case "slow_down": interval += 5
            case "access_denied": throw CommandFailure(.refused, "the login was refused in the browser")
            case "expired_token": throw CommandFailure(.failure, "the code has expired; run `gatehouse login` again")
            default: throw refusal("the issuer gives no token", answer)
            }
        }
        throw CommandFailure(.failure, "nobody confirmed the login in time; run `gatehouse login` again")
    }

    private func post(_ url: String, _ fields: [String: String]) async throws -> (Int, JSON) {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        if let clientSecret {
            // RFC 6749 section 2.3.1: both parts form-encoded first.
            let pair = percentEncoded(clientID) + ":" + percentEncoded(clientSecret.reveal())
            request.headers.add(name: "Authorization", value: "Basic " + Data(pair.utf8).base64EncodedString())
        }
        let body = fields.sorted { $0.key < $1.key }.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
        request.body = .bytes(ByteBuffer(string: body))
        return try await send(request)
    }

    private func send(_ request: HTTPClientRequest) async throws -> (Int, JSON) {
        var request = request
        request.headers.add(name: "Accept", value: "application/json")
        do {
            let response = try await http.execute(request, timeout: .seconds(30))
            let body = try await response.body.collect(upTo: Self.largestAnswer)
            return (Int(response.status.code), (try? JSON.parse(Data(body.readableBytesView))) ?? .null)
        } catch {
            throw CommandFailure(.unreachable, "no answer from the issuer \(issuer); check its name and the network")
        }
    }

    private func refusal(_ what: String, _ answer: JSON) -> CommandFailure {
        let said = answer["error_description"]?.string ?? answer["error"]?.string ?? "no reason given"
        return CommandFailure(.refused, "\(what): \(forTerminal(said))")
    }

    private func isSafe(_ url: String) -> Bool {
        guard let parts = URLComponents(string: url), let host = parts.host else { return false }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        return parts.scheme == "https" || (parts.scheme == "http" && isLoopbackHost(bare))
    }
}
