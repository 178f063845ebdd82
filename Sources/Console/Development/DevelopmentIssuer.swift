import Crypto
import Foundation
public import GatehouseCore
import Hummingbird
import Identity
public import Logging
import Synchronization

/// An OIDC issuer for trying Gatehouse out on one machine: discovery, one key made at start and never written, and a token
/// endpoint that signs for whoever is named. It asks for no password, so it is off unless a command asks for it and listens on
/// loopback addresses only. The gateway trusts it no differently than any issuer: through discovery, keys and claims.
public final class DevelopmentIssuer: Sendable {
    public struct Failure: Error, CustomStringConvertible, Sendable {
        public var description: String
    }

    static let lifetime = 3_600

    private let users: [String: [String]]
    private let audience: String
    private let host: String
    private let requestedPort: Int
    private let clock: any GatewayClock
    private let logger: Logger
    private let key = P256.Signing.PrivateKey()
    private let url = Mutex<String?>(nil)

    /// - Parameters:
    ///   - users: The people that it knows, with their groups.
    ///   - audience: The `aud` of its tokens.
    ///   - host: A loopback address.
    ///   - port: 0: a free one.
    /// - Throws: `Failure` when `host` is not a loopback address.
    public init(
        users: [String: [String]], audience: String, host: String = "127.0.0.1", port: Int = 0,
        clock: any GatewayClock = SystemClock(), logger: Logger
    ) throws(Failure) {
        guard ConsoleSettings.isLoopback(host) else {
            throw Failure(
                description: "the development issuer gives tokens to anybody who asks; it listens on loopback addresses only, not \(host)")
        }
        self.users = users
        self.audience = audience
        self.host = host
        requestedPort = port
        self.clock = clock
        self.logger = logger
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameter onReady: Called once, with the issuer's URL.
    public func run(onReady: @escaping @Sendable (String) async -> Void = { _ in }) async throws {
        try await application(onReady: onReady).run()
    }

    func application(
        onReady: @escaping @Sendable (String) async -> Void = { _ in }
    ) -> Application<RouterResponder<ConsoleContext>> {
        let router = Router(context: ConsoleContext.self)
        router.add(middleware: Answering())
        // Pages of other sites must not get tokens either.
        router.add(middleware: BrowserGuard(hosts: ["localhost", "127.0.0.1", "::1", host]))
        router.get(".well-known/openid-configuration") { _, _ in try self.discovery() }
        router.get("keys") { _, _ in try self.keys() }
        router.post("token") { request, context in try await self.token(request, context) }
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: router.buildResponder(), server: .accepting(),
            configuration: .init(address: .hostname(host, port: requestedPort)),
            onServerRunning: { channel in
                let name = self.host.contains(":") ? "[\(self.host)]" : self.host
                let issuer = "http://\(name):\(channel.localAddress?.port ?? self.requestedPort)"
                self.url.withLock { $0 = issuer }
                await onReady(issuer)
            }, logger: logger)
    }

    private func issuer() throws -> String {
        guard let issuer = url.withLock({ $0 }) else { throw Problem(.serviceUnavailable, "not started yet") }
        return issuer
    }

    private func discovery() throws -> Response {
        let issuer = try issuer()
        return try API.json(
            [
                "issuer": .string(issuer), "jwks_uri": .string(issuer + "/keys"), "token_endpoint": .string(issuer + "/token"),
                "response_types_supported": .list(["none"]), "subject_types_supported": .list(["public"]),
                "grant_types_supported": .list(["password"]), "id_token_signing_alg_values_supported": .list(["ES256"]),
            ] as [String: Claim])
    }

    private func keys() throws -> Response {
        let point = key.publicKey.rawRepresentation
        return try API.json([
            "keys": [
                [
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": keyID, "x": Base64URL.encode(point.prefix(32)),
                    "y": Base64URL.encode(point.suffix(32)),
                ]
            ]
        ])
    }

    private var keyID: String { Base64URL.encode(SHA256.hash(data: key.publicKey.rawRepresentation).prefix(8)) }

    /// The resource owner password grant (RFC 6749 section 4.3), the password not looked at.
    private func token(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let body = try await request.body.collect(upTo: context.maxUploadSize)
        guard let form = URLComponents(string: "?" + String(buffer: body))?.queryItems else {
            throw Problem(.badRequest, "the body must be a form with grant_type=password and username")
        }
        let fields = Dictionary(form.map { ($0.name, $0.value ?? "") }) { first, _ in first }
        guard fields["grant_type"] == "password", let user = fields["username"], let groups = users[user] else {
            throw Problem(
                .badRequest, "ask with grant_type=password and username=NAME, one of \(users.keys.sorted().joined(separator: ", "))",
                code: "invalid_grant")
        }
        let token = try sign(user: user, groups: groups)
        return try API.json(
            [
                "access_token": .string(token), "id_token": .string(token), "token_type": .string("Bearer"),
                "expires_in": .number(Self.lifetime),
            ] as [String: Claim])
    }

    private func sign(user: String, groups: [String]) throws -> String {
        let now = clock.wallTime().seconds
        let header: [String: Claim] = ["alg": .string("ES256"), "typ": .string("JWT"), "kid": .string(keyID)]
        let claims: [String: Claim] = [
            "iss": .string(try issuer()), "sub": .string("dev-\(user)"), "preferred_username": .string(user), "aud": .string(audience),
            "groups": .list(groups), "iat": .number(now), "nbf": .number(now), "exp": .number(now + Self.lifetime),
            "jti": .string(UUID().uuidString),
        ]
        let signed = Base64URL.encode(try API.encoder.encode(header)) + "." + Base64URL.encode(try API.encoder.encode(claims))
        let signature = try key.signature(for: Data(signed.utf8)).rawRepresentation
        return signed + "." + Base64URL.encode(signature)
    }

    private enum Claim: Encodable {
        case string(String)
        case number(Int)
        case list([String])

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .string(let value): try container.encode(value)
            case .number(let value): try container.encode(value)
            case .list(let value): try container.encode(value)
            }
        }
    }
}
