import ArgumentParser
import Foundation

/// The program. `gatehouse serve` is the gateway; everything else is for the people who run or use one.
@main
struct Gatehouse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gatehouse",
        abstract: "An open gateway between agents, CI and engineers and their databases: who, may they, and evidence of it all.",
        discussion: """
            EXAMPLES
              gatehouse check gatehouse.yaml            is this configuration right?
              gatehouse serve --config gatehouse.yaml   run the gateway
              gatehouse policy explain ...              which rule decides over a statement?
              gatehouse login --issuer https://login.example.com --client-id gatehouse-cli
              gatehouse targets list                    what may I use, and how?
              gatehouse sessions show ID                what happened in that session?
              gatehouse approvals list --state pending  what waits for me?
              gatehouse verify /var/lib/gatehouse       is the evidence whole?

            Commands that ask a running gateway take its admin address from --address or GATEHOUSE_ADDRESS (default \
            http://127.0.0.1:9090) and the caller's token from --token-file, GATEHOUSE_TOKEN or `gatehouse login`.

            EXIT STATUS
            \(ExitStatus.table(indent: "  "))
            """,
        version: gatehouseVersion,
        subcommands: [
            Serve.self, Check.self, PolicyCommand.self, DetectorsCommand.self, Targets.self, Sessions.self, Tickets.self, Approvals.self,
            Verify.self, Proofs.self,
            Keys.self,
            RetentionCommand.self,
            LegalHoldsCommand.self, Login.self, WhoAmI.self, Version.self,
            DevelopmentIssuerCommand.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            finish(error)
        }
    }

    /// Tells what went wrong and ends with the status that says so to scripts.
    private static func finish(_ error: any Error) -> Never {
        if let failure = error as? CommandFailure {
            if !failure.message.isEmpty { printError(failure.message) }
            Foundation.exit(failure.status.rawValue)
        }
        let code = exitCode(for: error)
        if code.isSuccess { exit(withError: error) }
        if code == .validationFailure {
            FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
            Foundation.exit(ExitStatus.usage.rawValue)
        }
        printError("\(error)")
        Foundation.exit(ExitStatus.failure.rawValue)
    }
}
