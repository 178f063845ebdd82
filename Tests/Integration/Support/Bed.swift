import Foundation

/// What the integration tests share, made once, when the first of them asks: a server with the shop's data, a provider,
/// and a gateway in between. A test that stops or starves a gateway makes its own with `ownGateway`.
struct Bed: Sendable {
    let server: PostgresServer
    let provider: IdentityProvider
    let gateway: Gateway
    /// dba and sre: everything, as the writer.
    let alice: String
    /// deploy-bots: the shop, as the reader.
    let bob: String
    /// managers: nothing.
    let carol: String
    let backstage: Backstage

    static func shared() async throws -> Bed { try await Keeper.shared.bed() }

    /// The gateway's way to `login` for alice, and the server's own, for comparison.
    func through(_ login: String = "orders", as token: String? = nil) -> Endpoint {
        gateway.endpoint(login, token: token ?? alice)
    }

    func direct(_ database: String = "orders", writer: Bool = true) -> Endpoint { backstage.direct(database, writer: writer) }
}

/// The parts behind a gateway, which every gateway of a test run shares.
struct Backstage: Sendable {
    let server: PostgresServer
    let provider: IdentityProvider
    let readerPassword: String
    let writerPassword: String
    let folder: TemporaryDirectory

    static func shared() async throws -> Backstage { try await Keeper.shared.backstage() }

    /// Straight to the server, as the gateway itself would go.
    func direct(_ database: String = "orders", writer: Bool = true) -> Endpoint {
        server.direct(user: writer ? "app_rw" : "app_ro", password: writer ? writerPassword : readerPassword, database: database)
    }

    /// A configuration with free ports and an empty data directory.
    func configuration(dataDirectory: String? = nil) throws -> GatewayConfiguration {
        let data = try dataDirectory ?? TemporaryDirectory().file("data")
        return GatewayConfiguration(
            dataDirectory: data, port: try freePort(), adminPort: try freePort(), issuer: provider.issuer, audience: provider.audience,
            server: server,
            readerPassword: readerPassword, writerPasswordFile: folder.file("writer-password"))
    }

    fileprivate static func make() async throws -> Backstage {
        async let provider = IdentityProvider.start()
        let server = try await PostgresServer.start()
        let folder = try TemporaryDirectory()
        let reader = UUID().uuidString
        let writer = UUID().uuidString
        let file = folder.file("writer-password")
        try Data(writer.utf8).write(to: URL(fileURLWithPath: file))
        chmod(file, 0o600)
        _ = try await Shell.need(
            "psql", ["-X", "-q", "-f", Project.root + "/demo/data.sql"],
            environment: server.direct().environment.merging(
                ["GATEHOUSE_READER_PASSWORD": reader, "GATEHOUSE_WRITER_PASSWORD": writer]) { $1 })
        try await server.execute("CREATE DATABASE bench OWNER app_rw")
        let made = Backstage(
            server: server, provider: try await provider, readerPassword: reader, writerPassword: writer, folder: folder)
        let filled = try await made.direct("bench").pgbench(["-i", "-s", "2", "-q", "-I", "dtGvp"])
        guard filled.succeeded else { throw HarnessError("pgbench -i: \(filled.errors)") }
        return made
    }
}

/// Makes each shared part once, however many tests ask at the same time.
private actor Keeper {
    static let shared = Keeper()
    private var behind: Task<Backstage, any Error>?
    private var whole: Task<Bed, any Error>?

    func backstage() async throws -> Backstage {
        let task = behind ?? Task { try await Backstage.make() }
        behind = task
        return try await task.value
    }

    func bed() async throws -> Bed {
        let task =
            whole
            ?? Task {
                let backstage = try await self.backstage()
                let gateway = try await Gateway.start(try backstage.configuration())
                return Bed(
                    server: backstage.server, provider: backstage.provider, gateway: gateway,
                    alice: try backstage.provider.token(for: "alice"), bob: try backstage.provider.token(for: "bob"),
                    carol: try backstage.provider.token(for: "carol"), backstage: backstage)
            }
        whole = task
        return try await task.value
    }
}
