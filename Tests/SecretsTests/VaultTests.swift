import Foundation
import GatehouseCore
import ServerSupport
import Synchronization
import Testing

@testable import Secrets

/// Against a server that answers as Vault's API documentation says Vault does. Vault itself is not run.
@Suite struct VaultTests {
    private let clock = StillClock()

    private func secret(
        _ server: LocalServer, kv: VaultSecret.Engine = .two, path: String = "orders/reader", field: String = "password",
        login: VaultSecret.Login = .token("hvs.token"), namespace: String? = nil, authority: String? = nil
    ) -> SecretSource {
        .vault(
            VaultSecret(
                address: server.url, mount: "secret", path: path, field: field, engine: kv, login: login, namespace: namespace,
                authorityFile: authority ?? server.authorityFile))
    }

    @Test func versionTwoIsRead() async throws {
        let vault = FakeVault()
        let server = try await vault.start()
        #expect(await outcome(SecretKeeper(clock: clock), secret(server, namespace: "team-a/")) == "pass-2")
        let call = try #require(server.calls.first)
        #expect(call.method == "GET" && call.path == "/v1/secret/data/orders/reader")
        #expect(call.headers["x-vault-token"] == "hvs.token" && call.headers["x-vault-namespace"] == "team-a/")
        #expect(call.headers["x-vault-request"] == "true")
    }

    @Test func versionOneIsRead() async throws {
        let vault = FakeVault()
        let server = try await vault.start()
        #expect(await outcome(SecretKeeper(clock: clock), secret(server, kv: .one)) == "pass-1")
        #expect(server.calls.first?.path == "/v1/secret/orders/reader")
    }

    @Test func theWrongVersionIsTold() async throws {
        let vault = FakeVault()
        let server = try await vault.start()
        let said = await outcome(SecretKeeper(clock: clock), secret(server, path: "one-as-two"))
        #expect(said.contains("has not the form of kv version 2"))
    }

    @Test func whatIsNotThereIsTold() async throws {
        let vault = FakeVault()
        let server = try await vault.start()
        let keeper = SecretKeeper(clock: clock)
        #expect(await outcome(keeper, secret(server, path: "none")).contains("there is no secret at this path"))
        #expect(await outcome(keeper, secret(server, path: "deleted")).contains("current version was deleted"))
        #expect(await outcome(keeper, secret(server, field: "other")).contains("has no field other"))
        #expect(await outcome(keeper, secret(server, field: "port")).contains("is not text"))
    }

    @Test func refusalsCarryVaultsWordsAndNoSecrets() async throws {
        let vault = FakeVault()
        let server = try await vault.start()
        let said = await outcome(SecretKeeper(clock: clock), secret(server, login: .token("hvs.wrong-one")))
        #expect(said.contains("(403): permission denied for ..."))
        #expect(!said.contains("hvs.wrong-one"))
        vault.change { $0.isSealed = true }
        #expect(await outcome(SecretKeeper(clock: clock), secret(server)).contains("503): Vault is sealed"))
    }

    @Test func redirectsAreNotFollowed() async throws {
        let other = try await LocalServer.start { _ in .init(200, "{}") }
        let server = try await LocalServer.start { _ in .init(307, location: other.url + "/v1/secret/data/orders") }
        let said = await outcome(SecretKeeper(clock: clock), secret(server))
        #expect(said.contains("redirected (307)"))
        #expect(other.calls.isEmpty)
    }

    @Test func theTokenFileIsReadEachTime() async throws {
        let folder = try Folder()
        let file = try folder.write("hvs.old\n", to: "token")
        let vault = FakeVault()
        let server = try await vault.start()
        let keeper = SecretKeeper(clock: clock)
        #expect(await outcome(keeper, secret(server, login: .tokenFile(file))).contains("403"))
        try folder.write("hvs.token\n", to: "token")
        #expect(await outcome(keeper, secret(server, login: .tokenFile(file))) == "pass-2")
    }

    private func appRole(_ folder: Folder) throws -> VaultSecret.Login {
        .appRole(id: "role-1", secretFile: try folder.write("secret-id-1\n", to: "secret-id"), mount: "approle")
    }

    @Test func appRoleLogsInOnceAndRenews() async throws {
        let folder = try Folder()
        let vault = FakeVault()
        let server = try await vault.start()
        let keeper = SecretKeeper(clock: clock)
        let source = secret(server, login: try appRole(folder))
        #expect(await outcome(keeper, source) == "pass-2")
        clock.advance(301)
        #expect(await outcome(keeper, source) == "pass-2")
        #expect(vault.logins == 1 && vault.renewals == 0)
        // Of its 1,200 seconds more than two thirds have gone.
        clock.advance(600)
        #expect(await outcome(keeper, source) == "pass-2")
        #expect(vault.logins == 1 && vault.renewals == 1)
        clock.advance(5_000)
        #expect(await outcome(keeper, source) == "pass-2")
        #expect(vault.logins == 2 && vault.renewals == 1)
        let login = try #require(server.calls.first { $0.path == "/v1/auth/approle/login" })
        #expect(login.method == "POST" && login.json["role_id"] as? String == "role-1")
        #expect(login.json["secret_id"] as? String == "secret-id-1" && login.headers["x-vault-token"] == nil)
    }

    @Test func aTokenThatCannotBeRenewedIsReplaced() async throws {
        let folder = try Folder()
        let vault = FakeVault()
        vault.change { $0.refusesRenewals = true }
        let server = try await vault.start()
        let keeper = SecretKeeper(clock: clock)
        let source = secret(server, login: try appRole(folder))
        #expect(await outcome(keeper, source) == "pass-2")
        clock.advance(900)
        #expect(await outcome(keeper, source) == "pass-2")
        #expect(vault.logins == 2)
    }

    @Test func aRevokedTokenIsReplacedAtOnce() async throws {
        let folder = try Folder()
        let vault = FakeVault()
        let server = try await vault.start()
        let keeper = SecretKeeper(clock: clock)
        let source = secret(server, login: try appRole(folder))
        #expect(await outcome(keeper, source) == "pass-2")
        vault.change { $0.tokens = [] }
        clock.advance(301)
        #expect(await outcome(keeper, source) == "pass-2")
        #expect(vault.logins == 2)
    }

    @Test func aWrongSecretIDIsTold() async throws {
        let folder = try Folder()
        let vault = FakeVault()
        let server = try await vault.start()
        let file = try folder.write("wrong-secret-id\n", to: "wrong")
        let login = VaultSecret.Login.appRole(id: "role-1", secretFile: file, mount: "approle")
        let said = await outcome(SecretKeeper(clock: clock), secret(server, login: login))
        #expect(said.contains("the AppRole login was refused (400): invalid secret id"))
        #expect(!said.contains("wrong-secret-id"))
    }

    @Test func theCertificateIsChecked() async throws {
        let vault = FakeVault()
        let server = try await vault.start(tls: try TestAuthority())
        let keeper = SecretKeeper(clock: clock)
        #expect(await outcome(keeper, secret(server)) == "pass-2")
        let stranger = try TestAuthority()
        let said = await outcome(keeper, secret(server, authority: stranger.file))
        #expect(said.contains("no answer"))
        #expect(vault.reads == 1)
    }

    @Test func anAnswerWithoutEndIsLeft() async throws {
        let server = try await LocalServer.start { _ in .init(200, String(repeating: "x", count: 2_000_000)) }
        #expect(await outcome(SecretKeeper(clock: clock), secret(server)).contains("larger than"))
    }
}

/// The parts of Vault's HTTP API that the gateway uses, with the answers of its documentation.
private final class FakeVault: Sendable {
    struct State: Sendable {
        var tokens: Set<String> = ["hvs.token"]
        var isSealed = false
        var refusesRenewals = false
        var logins = 0
        var renewals = 0
        var reads = 0
    }

    private let state = Mutex(State())

    var logins: Int { state.withLock(\.logins) }
    var renewals: Int { state.withLock(\.renewals) }
    var reads: Int { state.withLock(\.reads) }

    func change(_ body: (inout sending State) -> Void) { state.withLock { body(&$0) } }

    func start(tls: TestAuthority? = nil) async throws -> LocalServer {
        try await LocalServer.start(tls: tls) { [self] call in state.withLock { Self.answer(call, &$0) } }
    }

    private static func answer(_ call: LocalServer.Call, _ state: inout State) -> LocalServer.Answer {
        func error(_ status: Int, _ words: String...) -> LocalServer.Answer {
            .init(status, "{\"errors\":[\(words.map { "\"\($0)\"" }.joined(separator: ","))]}\n")
        }
        if state.isSealed { return error(503, "Vault is sealed") }
        if call.method == "POST", call.path == "/v1/auth/approle/login" {
            guard call.json["role_id"] as? String == "role-1" else { return error(400, "invalid role ID") }
            guard call.json["secret_id"] as? String == "secret-id-1" else { return error(400, "invalid secret id") }
            state.logins += 1
            let token = "hvs.approle-\(state.logins)"
            state.tokens.insert(token)
            return .init(200, auth(token))
        }
        let token = call.headers["x-vault-token"] ?? ""
        guard state.tokens.contains(token) else { return error(403, "permission denied for \(token)") }
        switch (call.method, call.path) {
        case ("POST", "/v1/auth/token/renew-self"):
            if state.refusesRenewals { return error(400, "lease is not renewable") }
            state.renewals += 1
            return .init(200, auth(token))
        case ("GET", "/v1/secret/orders/reader"), ("GET", "/v1/secret/data/one-as-two"):
            state.reads += 1
            return .init(
                200,
                #"{"request_id":"r","auth":null,"data":{"user":"app_ro","password":"pass-1"},"lease_duration":2764800,"lease_id":"","renewable":false}"#
            )
        case ("GET", "/v1/secret/data/orders/reader"):
            state.reads += 1
            return .init(
                200,
                #"{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":{"password":"pass-2","port":5432},"metadata":{"created_time":"2018-03-22T02:24:06.945319214Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":2}},"wrap_info":null,"warnings":null,"auth":null}"#
            )
        case ("GET", "/v1/secret/data/deleted"):
            return .init(
                404,
                #"{"request_id":"r","data":{"data":null,"metadata":{"created_time":"2018-03-22T02:24:06.945319214Z","deletion_time":"2018-03-22T02:36:43.986212308Z","destroyed":false,"version":1}}}"#
            )
        default: return error(404)
        }
    }

    private static func auth(_ token: String) -> String {
        #"{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":null,"auth":{"client_token":"\#(token)","accessor":"a","policies":["default"],"token_policies":["default"],"metadata":{"role_name":"r"},"lease_duration":1200,"renewable":true,"entity_id":"e","token_type":"service","orphan":true}}"#
    }
}
