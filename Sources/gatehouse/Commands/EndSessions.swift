import ArgumentParser
import Foundation

extension Sessions {
    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End live sessions now: one, or all of somebody, of a ticket or of a target (administrators).",
            discussion: """
                What runs on the target is cancelled. A session of one's own can be ended by anybody, by its id. It keeps nobody
                from coming back: take the access away, or revoke the ticket, first.

                EXAMPLES
                  gatehouse sessions end ID
                  gatehouse sessions end --user ci-bot@example.com --reason "token leaked"
                  gatehouse sessions end --issuer https://login.example.com --subject 7c2f --reason "left the company"
                  gatehouse sessions end --ticket 01932c5e-7c1a-7000-8000-0123456789ab --reason "found in a log"
                  gatehouse sessions end --target orders --reason "maintenance"
                """,
            aliases: ["kill"])

        @Argument(help: "The session's id; without it, say whose sessions.")
        var id: String?

        @Option(help: "All sessions of this user.")
        var user: String?

        @Option(help: "With --subject: all sessions of whoever has it from this issuer.")
        var issuer: String?

        @Option(help: "With --issuer.")
        var subject: String?

        @Option(help: "All sessions that the ticket with this id opened.")
        var ticket: String?

        @Option(help: "All sessions of this target; of others of these options, those that fit all.")
        var target: String?

        @Option(help: "Why: its clients are told, and it is kept in the log. Needed for more than one session.")
        var reason: String?

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        private var choice: [(String, String?)] {
            [("user", user), ("issuer", issuer), ("subject", subject), ("ticket", ticket), ("target", target)]
        }

        func validate() throws {
            let isChosen = choice.contains { $0.1 != nil }
            guard (id != nil) != isChosen else {
                throw ValidationError("give the id of a session, or else --user, --issuer and --subject, --ticket or --target")
            }
            if let id {
                guard reason == nil else { throw ValidationError("--reason goes with --user, --ticket and the like") }
                return try checkID(id, "a session")
            }
            guard (issuer == nil) == (subject == nil) else { throw ValidationError("--issuer and --subject go together") }
            guard let reason, !reason.allSatisfy(\.isWhitespace) else { throw ValidationError("say why: --reason TEXT") }
        }

        func run() async throws {
            if let id {
                try await remote.withClient { try await $0.delete("/sessions/\(id)") }
                return print("Session \(id) ends.")
            }
            var body = ["reason": JSON.string(reason ?? "")]
            for (name, value) in choice { body[name] = value.map(JSON.string) }
            let answer = try await remote.withClient { try await $0.post("/sessions/end", .object(body)) }
            guard output.format == .text else { return print(try answer.text(pretty: true)) }
            let count = answer["ended"]?.integer ?? 0
            print(count == 1 ? "1 session ends." : "\(count) sessions end.")
        }
    }
}
