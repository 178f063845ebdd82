import ArgumentParser
import Foundation

struct Tickets: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Short secrets for clients that cannot carry a token.",
        subcommands: [Create.self, List.self, Revoke.self], defaultSubcommand: List.self)
}

extension Tickets {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Mint a ticket from your own identity. It is shown once.",
            discussion: """
                The ticket goes to standard output and everything else to standard error, so that it can be caught:

                EXAMPLES
                  gatehouse tickets create --target orders --lifetime 8h
                  PGPASSWORD=$(gatehouse tickets create --target orders) psql -h gateway -U orders
                """)

        @Option(help: "The one target that it opens; else any that you may use.")
        var target: String?

        @Option(help: ArgumentHelp("How long it is good for: 30m, 8h, 7d. The gateway may allow less.", valueName: "span"))
        var lifetime = "8h"

        @Option(help: "What to call it in lists.")
        var label: String?

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard spanInSeconds(lifetime) != nil else {
                throw ValidationError("--lifetime \(lifetime) is not a span; write for example 30m, 8h or 7d")
            }
        }

        func run() async throws {
            var body: [String: JSON] = ["lifetime_seconds": .integer(spanInSeconds(lifetime) ?? 0)]
            body["target"] = target.map(JSON.string)
            body["label"] = label.map(JSON.string)
            let answer = try await remote.withClient { try await $0.post("/tickets", .object(body)) }
            guard output.format == .text else { return print(try answer.text(pretty: true)) }
            guard let secret = answer["ticket"]?.string ?? answer["secret"]?.string else {
                throw CommandFailure(.failure, "the gateway's answer holds no ticket; do its version and this program's match?")
            }
            printNote(
                "Ticket \(forTerminal(answer["id"]?.string ?? "?")) for \(target ?? "any target that you may use"), good until "
                    + "\(forPeople(answer["expires"]?.time)). It is not shown again.")
            print(forTerminal(secret))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List tickets: your own, or all for an administrator.",
            discussion: """
                EXAMPLE
                  gatehouse tickets list --format json
                """)

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let tickets = try await remote.withClient { try await $0.list("/tickets", "tickets") }
            guard output.format == .text else { return print(try JSON.array(tickets).text(pretty: true)) }
            guard !tickets.isEmpty else { return printNote("There is no ticket.") }
            var table = TextTable("ID", "LABEL", "OWNER", "TARGET", "STATE", "CREATED", "EXPIRES", "LAST USED")
            for ticket in tickets {
                table.add(
                    ticket["id"]?.string ?? "?", ticket["label"]?.string ?? "",
                    ticket["user"]?.string ?? ticket["owner"]?.string
                        ?? ticket["owner"]?["user"]?.string ?? "?", ticket["target"]?.string ?? "any", state(ticket),
                    forPeople(ticket["created"]?.time), forPeople(ticket["expires"]?.time), forPeople(ticket["last_used"]?.time))
            }
            table.lines().forEach { print($0) }
        }

        private func state(_ ticket: JSON) -> String {
            if let state = ticket["state"]?.string { return state }
            if ticket["revoked"] != nil { return "revoked" }
            return ticket["expires"]?.time.map { $0 > Date() ? "usable" : "expired" } ?? "?"
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a ticket; sessions that it opened end.",
            discussion: """
                EXAMPLE
                  gatehouse tickets revoke ID
                """)

        @Argument(help: "The ticket's id, not the ticket itself.")
        var id: String

        @OptionGroup var remote: RemoteOptions

        func validate() throws {
            guard !id.hasPrefix("ght_") else {
                throw ValidationError("give the ticket's id (`gatehouse tickets list`), not the ticket itself")
            }
            try checkID(id, "a ticket")
        }

        func run() async throws {
            try await remote.withClient { try await $0.delete("/tickets/\(id)") }
            print("Ticket \(id) is revoked.")
        }
    }
}
