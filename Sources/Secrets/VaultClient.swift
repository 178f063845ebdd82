import AsyncHTTPClient
import Foundation
import GatehouseCore
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Reads secrets of HashiCorp Vault's key-value engines, over its HTTP API.
///
/// https://developer.hashicorp.com/vault/api-docs: `secret/kv/kv-v1` and `kv-v2` ("Read secret"), `auth/approle` ("Login with
/// AppRole"), `auth/token` ("Renew a token (self)").
final class VaultClient: Sendable {
    /// A secret's answer is a few hundred bytes.
    static let mostBytes = 1_048_576
    static let timeout: Duration = .seconds(4)

    /// A token that AppRole gave.
    private struct Token {
        var secret: Secret
        /// Monotonic nanoseconds: when it was given, and for how long.
        var at: UInt64
        var lease: Duration
        var isRenewable: Bool
    }

    /// Whose tokens they are.
    private struct Account: Hashable {
        var address: String
        var namespace: String?
        var login: VaultSecret.Login

        init(_ secret: VaultSecret) {
            address = secret.address
            namespace = secret.namespace
            login = secret.login
        }
    }

    private let clock: any GatewayClock
    private let http: HTTPClient
    private let tokens = Mutex<[Account: Token]>([:])

    init(clock: any GatewayClock) {
        self.clock = clock
        var configuration = HTTPClient.Configuration()
        // A redirect would carry the token where nobody configured.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout = .init(connect: .seconds(3), read: .seconds(4), write: .seconds(4))
        configuration.connectionPool.idleTimeout = .seconds(15)
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit { http.shutdown { _ in } }

    func read(_ secret: VaultSecret) async throws(SecretProblem) -> Secret {
        let (token, wasKept) = try await token(for: secret)
        var answer = try await get(secret, token)
        if answer.status == 403, wasKept {
            // It was revoked, or ended before its time.
            tokens.withLock { $0[Account(secret)] = nil }
            answer = try await get(secret, try await self.token(for: secret).token)
        }
        return try Self.field(of: answer, secret)
    }

    // MARK: - The secret

    private func get(_ secret: VaultSecret, _ token: Secret) async throws(SecretProblem) -> VaultAnswer {
        let middle = secret.engine == .two ? "/data/" : "/"
        return try await ask(secret, .GET, "/v1/" + secret.mount + middle + secret.path, token: token)
    }

    private static func field(of answer: VaultAnswer, _ secret: VaultSecret) throws(SecretProblem) -> Secret {
        // A deleted version is answered with 404 and its metadata; nothing at all with 404 and no errors.
        if answer.status == 404 {
            let inner = answer.body["data"] as? [String: Any]
            if inner?["metadata"] != nil { throw SecretProblem("the secret's current version was deleted") }
            throw SecretProblem("there is no secret at this path\(answer.explanation); check mount, path and kv")
        }
        guard answer.status == 200 else { throw answer.refusal(of: "the read") }
        var data = answer.body["data"] as? [String: Any]
        if secret.engine == .two { data = data?["data"] as? [String: Any] }
        guard let data else { throw SecretProblem("the answer has not the form of kv version \(secret.engine.rawValue); check kv") }
        guard let value = data[secret.field] else { throw SecretProblem("the secret has no field \(secret.field)") }
        guard let text = value as? String else { throw SecretProblem("the field \(secret.field) is not text") }
        guard !text.isEmpty, !text.utf8.contains(0), text.utf8.count <= SecretText.mostBytes else {
            throw SecretProblem("the field \(secret.field) is empty, too long or holds a NUL")
        }
        return Secret(text)
    }

    // MARK: - The token

    /// A token, and whether it is one that was kept.
    private func token(for secret: VaultSecret) async throws(SecretProblem) -> (token: Secret, wasKept: Bool) {
        switch secret.login {
        case .token(let token): return (token, false)
        case .tokenFile(let path):
            do throws(SecretProblem) {
                return (try SecretText.read(file: path), false)
            } catch {
                throw SecretProblem("the token file \(path): \(error.reason)")
            }
        case .appRole(let id, let file, let mount):
            let account = Account(secret)
            if let kept = tokens.withLock({ $0[account] }) {
                let age = Duration.nanoseconds(Int64(clamping: clock.monotonicNanoseconds() &- kept.at))
                // A lease of 0 does not end. Past two thirds it is renewed; past nine tenths it may end on its way.
                if kept.lease == .zero || age * 3 < kept.lease * 2 { return (kept.secret, true) }
                if kept.isRenewable, age * 10 < kept.lease * 9, let renewed = await renew(kept, secret) {
                    tokens.withLock { $0[account] = renewed }
                    return (renewed.secret, true)
                }
            }
            let token = try await logIn(secret, id: id, secretFile: file, mount: mount)
            tokens.withLock { tokens in
                if tokens.count >= 256 { tokens.removeAll() }
                tokens[account] = token
            }
            return (token.secret, false)
        }
    }

    private func logIn(_ secret: VaultSecret, id: String, secretFile: String, mount: String) async throws(SecretProblem) -> Token {
        let secretID: Secret
        do throws(SecretProblem) {
            secretID = try SecretText.read(file: secretFile)
        } catch {
            throw SecretProblem("the secret id file \(secretFile): \(error.reason)")
        }
        let answer = try await ask(
            secret, .POST, "/v1/auth/" + mount + "/login", body: ["role_id": id, "secret_id": secretID.reveal()])
        guard answer.status == 200 else { throw answer.refusal(of: "the AppRole login") }
        guard let token = token(from: answer) else { throw SecretProblem("the AppRole login was answered without a token") }
        return token
    }

    /// nil when it cannot be: a new login is tried then.
    private func renew(_ token: Token, _ secret: VaultSecret) async -> Token? {
        guard let answer = try? await ask(secret, .POST, "/v1/auth/token/renew-self", token: token.secret, body: [:]),
            answer.status == 200, let renewed = self.token(from: answer), renewed.lease > .zero
        else { return nil }
        return renewed
    }

    private func token(from answer: VaultAnswer) -> Token? {
        guard let auth = answer.body["auth"] as? [String: Any], let text = auth["client_token"] as? String, !text.isEmpty,
            let lease = auth["lease_duration"] as? Int, lease >= 0
        else { return nil }
        return Token(
            secret: Secret(text), at: clock.monotonicNanoseconds(), lease: .seconds(lease), isRenewable: auth["renewable"] as? Bool ?? false
        )
    }

    // MARK: - Requests

    private func ask(
        _ secret: VaultSecret, _ method: HTTPMethod, _ path: String, token: Secret? = nil, body: [String: String]? = nil
    ) async throws(SecretProblem) -> VaultAnswer {
        do {
            return try await withThrowingTaskGroup(of: VaultAnswer.self) { group in
                group.addTask { try await self.send(secret, method, path, token, body) }
                group.addTask {
                    try await Task.sleep(for: Self.timeout)
                    throw SecretProblem("no answer within \(Self.timeout)")
                }
                defer { group.cancelAll() }
                guard let answer = try await group.next() else { throw SecretProblem("no answer") }
                return answer
            }
        } catch let problem as SecretProblem {
            throw problem
        } catch {
            throw SecretProblem("no answer: \(SecretText.printable(String(describing: error).utf8, limit: 200))")
        }
    }

    private func send(
        _ secret: VaultSecret, _ method: HTTPMethod, _ path: String, _ token: Secret?, _ body: [String: String]?
    ) async throws -> VaultAnswer {
        var request = HTTPClientRequest(url: secret.address + path)
        request.method = method
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "gatehouse")
        // An agent may ask for it, against requests that a browser was made to send.
        request.headers.add(name: "X-Vault-Request", value: "true")
        if let namespace = secret.namespace { request.headers.add(name: "X-Vault-Namespace", value: namespace) }
        if let token {
            // As it would break the request, or its message would show it.
            guard token.reveal().utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw SecretProblem("the token is no token") }
            request.headers.add(name: "X-Vault-Token", value: token.reveal())
        }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONSerialization.data(withJSONObject: body)))
        }
        if let file = secret.authorityFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(file)
            request.tlsConfiguration = tls
        }
        let response = try await http.execute(request, timeout: .init(Self.timeout))
        let bytes: ByteBuffer
        do {
            bytes = try await response.body.collect(upTo: Self.mostBytes)
        } catch is NIOTooManyBytesError {
            throw SecretProblem("the answer is larger than \(Self.mostBytes) bytes")
        }
        let object = try? JSONSerialization.jsonObject(with: Data(bytes.readableBytesView))
        var answer = VaultAnswer(status: Int(response.status.code), body: object as? [String: Any] ?? [:])
        for secret in [token?.reveal() ?? ""] + Array((body ?? [:]).values) where secret.count >= 4 {
            answer.words = answer.words.replacing(secret, with: "...")
        }
        return answer
    }
}

/// What Vault said. Confined to the task that asked.
private struct VaultAnswer: @unchecked Sendable {
    var status: Int
    /// JSON values; never changed.
    var body: [String: Any]
    /// Vault's own, `{"errors": ["permission denied"]}`.
    var words: String

    init(status: Int, body: [String: Any]) {
        self.status = status
        self.body = body
        words = (body["errors"] as? [String] ?? []).joined(separator: "; ")
    }

    var explanation: String {
        words.isEmpty ? "" : ": " + SecretText.printable(words.utf8, limit: 300)
    }

    func refusal(of what: String) -> SecretProblem {
        switch status {
        case 300..<400: SecretProblem("\(what) was redirected (\(status)), which is not followed: name the active server in address")
        case 503: SecretProblem("Vault is sealed or not ready (503)\(explanation)")
        default: SecretProblem("\(what) was refused (\(status))\(explanation)")
        }
    }
}
