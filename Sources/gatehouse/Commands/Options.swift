import ArgumentParser
import Foundation

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
