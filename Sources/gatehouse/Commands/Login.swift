import ArgumentParser
import AsyncHTTPClient
import Foundation
import GatehouseCore
import NIOSSL

struct Login: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Log in at an OIDC issuer and store the token for the other commands.",
        discussion: """
            A code is shown to be confirmed in a browser, on any machine (OAuth device flow). The token goes to \
            ~/.config/gatehouse/token, readable by you alone, and is what to give where a native client asks for a password.

            EXAMPLES
              gatehouse login --issuer https://login.example.com --client-id gatehouse-cli
              gatehouse login --token-stdin < token.txt
              PGPASSWORD=$(cat ~/.config/gatehouse/token) psql -h gateway -U orders
            """)

    @Option(help: ArgumentHelp("The issuer; GATEHOUSE_ISSUER.", valueName: "url"))
    var issuer: String?

    @Option(name: .customLong("client-id"), help: ArgumentHelp("This program's name at the issuer; GATEHOUSE_CLIENT_ID.", valueName: "id"))
    var clientID: String?

    @Option(help: ArgumentHelp("A file with the client's secret, where the issuer wants one.", valueName: "file"))
    var clientSecretFile: String?

    @Option(help: "The scopes to ask for.")
    var scope = "openid profile email"

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case id, access
    }

    @Option(help: "Which of the issuer's tokens to keep: the ID token or the access token, as the gateway's audience wants.")
    var keep = Kind.id

    @Option(help: ArgumentHelp("PEM file of the authorities to trust for the issuer.", valueName: "file"))
    var caFile: String?

    @Option(help: ArgumentHelp("Where to store the token.", valueName: "file"))
    var tokenFile: String?

    @Flag(help: "Store a token that is read from standard input.")
    var tokenStdin = false

    func run() async throws {
        let store = TokenStore(environment: ProcessInfo.processInfo.environment)
        let token = tokenStdin ? try readToken(store) : try await deviceLogin(store)
        let file = try store.write(token, to: tokenFile)
        print("Logged in; the token is in \(file).")
    }

    private func readToken(_ store: TokenStore) throws -> Secret {
        let data = try FileHandle.standardInput.read(upToCount: 65_536) ?? Data()
        return try store.checked(String(decoding: data, as: UTF8.self), from: "standard input")
    }

    private func deviceLogin(_ store: TokenStore) async throws -> Secret {
        let environment = ProcessInfo.processInfo.environment
        guard let issuer = issuer ?? environment["GATEHOUSE_ISSUER"], let clientID = clientID ?? environment["GATEHOUSE_CLIENT_ID"] else {
            throw CommandFailure(
                .usage, "name --issuer and --client-id (or GATEHOUSE_ISSUER and GATEHOUSE_CLIENT_ID), or use --token-stdin")
        }
        let secret = try clientSecretFile.map { file in
            guard let data = FileManager.default.contents(atPath: file) else { throw CommandFailure(.usage, "cannot read \(file)") }
            return Secret(String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        if let caFile { tls.trustRoots = .file(caFile) }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.redirectConfiguration = .disallow
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let flow = DeviceFlow(issuer: issuer, clientID: clientID, clientSecret: secret, scope: scope, http: http)
        let tokens: DeviceFlow.Tokens
        do {
            tokens = try await flow.run { uri, code, complete in
                printNote("Open \(forTerminal(complete ?? uri)) in a browser and confirm the code \(forTerminal(code)).")
            }
            try await http.shutdown()
        } catch {
            try? await http.shutdown()
            throw error
        }
        guard let token = keep == .id ? tokens.identity : tokens.access else {
            throw CommandFailure(
                .failure,
                "the issuer gave no \(keep.rawValue) token; is `openid` among the scopes, or is --keep \(keep == .id ? "access" : "id") meant?"
            )
        }
        return try store.checked(token.reveal(), from: "the issuer's answer")
    }
}

struct WhoAmI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "whoami", abstract: "Show who the gateway takes you for, and your roles.")

    @OptionGroup var remote: RemoteOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await remote.withClient { try await $0.get("/whoami") }
        guard output.format == .text else { return print(try answer.text(pretty: true)) }
        let principal = answer["principal"] ?? answer
        var table = TextTable()
        table.add("user", principal["user"]?.string ?? "-")
        table.add("issuer", principal["issuer"]?.string ?? "-")
        table.add("subject", principal["subject"]?.string ?? "-")
        table.add("groups", (principal["groups"]?.strings ?? []).joined(separator: ", "))
        table.add("roles", (answer["roles"]?.strings ?? []).joined(separator: ", "))
        table.lines().dropFirst().forEach { print($0) }
    }
}
