import ArgumentParser
import Foundation
import GatehouseCore
import Recording

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

struct OutputOptions: ParsableArguments {
    @Option(help: "How to print: text for people, json for programs.")
    var format = OutputFormat.text
}

/// Where the gateway is, and with whose token it is asked.
struct RemoteOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The gateway's admin address; GATEHOUSE_ADDRESS, else http://127.0.0.1:9090.", valueName: "url"))
    var address: String?

    @Option(help: ArgumentHelp("A file that holds the token; else GATEHOUSE_TOKEN, else what `gatehouse login` stored.", valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("PEM file of the authorities to trust for the admin address; GATEHOUSE_CA_FILE.", valueName: "file"))
    var caFile: String?

    func client() throws -> AdminClient {
        let environment = ProcessInfo.processInfo.environment
        let token = try TokenStore(environment: environment).token(file: tokenFile)
        return try AdminClient(
            address: address ?? environment["GATEHOUSE_ADDRESS"] ?? "http://127.0.0.1:9090", token: token,
            authorityFile: caFile ?? environment["GATEHOUSE_CA_FILE"])
    }

    /// Runs `body` with a client that is shut down afterwards, whatever happens.
    func withClient<Value>(_ body: (AdminClient) async throws -> Value) async throws -> Value {
        let client = try client()
        do {
            let value = try await body(client)
            await client.shutdown()
            return value
        } catch {
            await client.shutdown()
            throw error
        }
    }
}

/// The private keys that recordings are opened with. Never the key itself: arguments are seen by everybody on the machine.
struct KeyOptions: ParsableArguments {
    @Option(
        name: .customLong("key-file"),
        help: ArgumentHelp(
            "A private key that opens sealed recordings; may be given again. Else GATEHOUSE_KEY_FILE, or the key itself in GATEHOUSE_KEY.",
            valueName: "file"))
    var files: [String] = []

    /// Those, and the break-glass keys that the environment names.
    func keysWithBreakGlass(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> RecipientKeys {
        do {
            var more = try environment["GATEHOUSE_BREAK_GLASS_KEY_FILE"].map { [try KeyFiles.recipientPrivateKey(file: $0)] } ?? []
            if let line = environment["GATEHOUSE_BREAK_GLASS_KEY"] { more.append(try RecipientPrivateKey(line: Secret(line))) }
            return try keys(environment: environment).adding(more)
        } catch let error as KeyFileError {
            throw CommandFailure(.usage, error.message)
        }
    }

    func keys(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> RecipientKeys {
        do {
            let named = files.isEmpty ? environment["GATEHOUSE_KEY_FILE"].map { [$0] } ?? [] : files
            var keys = try named.map { try KeyFiles.recipientPrivateKey(file: $0) }
            if files.isEmpty, let line = environment["GATEHOUSE_KEY"] { keys.append(try RecipientPrivateKey(line: Secret(line))) }
            return RecipientKeys(keys)
        } catch let error as KeyFileError {
            throw CommandFailure(.usage, error.message)
        }
    }
}
