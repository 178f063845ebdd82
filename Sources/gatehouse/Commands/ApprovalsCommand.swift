import ArgumentParser
import Foundation

struct Approvals: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What waits for a person: see it, decide it, say why.",
        subcommands: [List.self, Show.self, Approve.self, Deny.self, Reason.self, BreakGlass.self, Watch.self],
        defaultSubcommand: List.self)

    enum State: String, ExpressibleByArgument, CaseIterable {
        case pending, approved, denied, expired, withdrawn
    }
}

extension Approvals {
    /// Which approvals are meant.
    struct Choice: ParsableArguments {
        @Option(help: "Of this target only.")
        var target: String?

        @Option(help: ArgumentHelp("Of the session with this id only.", valueName: "id"))
        var session: String?

        @Flag(help: "Those that you asked for yourself only.")
        var mine = false

        func validate() throws {
            if let session { try checkID(session, "a session") }
        }

        var query: [(String, String?)] { [("target", target), ("session", session), ("mine", mine ? "true" : nil)] }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List approvals, newest first: your own, those that you may decide, or all for an auditor or administrator.",
            discussion: """
                EXAMPLES
                  gatehouse approvals list --state pending
                  gatehouse approvals list --mine
                  gatehouse approvals list --target orders --limit 20 --format json
                """)

        @Option(help: "In this state only.")
        var state: State?

        @OptionGroup var choice: Choice

        @Option(help: "At most so many.")
        var limit = 100

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 100000") }
        }

        func run() async throws {
            let query = choice.query + [("state", state?.rawValue)]
            let approvals = try await remote.withClient { try await $0.list("/approvals", "approvals", query, limit: limit) }
            guard output.format == .text else { return print(try JSON.array(approvals).text(pretty: true)) }
            guard !approvals.isEmpty else { return printNote("No approval matches.") }
            var table = TextTable("ID", "STATE", "ASKED", "UNTIL", "USER", "TARGET", "RULE", "VOTES", "WHAT")
            for approval in approvals {
                let view = ApprovalText(approval)
                table.add(
                    view.id, view.state, forPeople(approval["created"]?.time), forPeople(approval["expires"]?.time), view.text("user"),
                    view.text("target"), view.text("rule"), view.progress, view.summary)
            }
            table.lines().forEach { print($0) }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print one approval: the exact statement, who asks, why, until when, and what is still needed.",
            discussion: """
                The exact text and its parameters are shown to its approvers, to auditors and to the requester, while it waits.

                EXAMPLE
                  gatehouse approvals show apr-7h3kq2m9x4pd
                """)

        @Argument(help: "The approval's id.")
        var id: String

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(id, "an approval") }

        func run() async throws {
            let approval = try await remote.withClient { try await $0.get("/approvals/\(id)") }
            guard output.format == .text else { return print(try approval.text(pretty: true)) }
            ApprovalText(approval).lines().forEach { print($0) }
        }
    }

    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Approve it: what waits runs, once enough have approved (approvers).",
            discussion: """
                Look at it first: gatehouse approvals show ID

                EXAMPLES
                  gatehouse approvals approve apr-7h3kq2m9x4pd
                  gatehouse approvals approve apr-7h3kq2m9x4pd --comment "ticket OPS-81"
                """)

        @Argument(help: "The approval's id.")
        var id: String

        @Option(help: "For the record.")
        var comment: String?

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(id, "an approval") }

        func run() async throws { try await act("approve", on: id, "comment", comment, remote, output) }
    }

    struct Deny: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deny it: what waits does not run, and its client is told who said so, and why (approvers).",
            discussion: """
                EXAMPLE
                  gatehouse approvals deny apr-7h3kq2m9x4pd --comment "not before the backup"
                """)

        @Argument(help: "The approval's id.")
        var id: String

        @Option(help: "Why; the requester is told.")
        var comment: String?

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(id, "an approval") }

        func run() async throws { try await act("deny", on: id, "comment", comment, remote, output) }
    }

    struct Reason: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say why you ask for it (requesters).",
            discussion: """
                EXAMPLE
                  gatehouse approvals reason apr-7h3kq2m9x4pd "customer 4711 asked for erasure"
                """)

        @Argument(help: "The approval's id.")
        var id: String

        @Argument(help: "Why.")
        var reason: String

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(id, "an approval") }

        func run() async throws { try await act("reason", on: id, "reason", reason, remote, output) }
    }

    struct BreakGlass: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let your own request through, where its rule lets you; it raises an alarm (requesters).",
            discussion: """
                EXAMPLE
                  gatehouse approvals break-glass apr-7h3kq2m9x4pd --reason "outage, nobody answers the pager"
                """)

        @Argument(help: "The approval's id.")
        var id: String

        @Option(help: "Why it cannot wait.")
        var reason: String

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(id, "an approval") }

        func run() async throws { try await act("break-glass", on: id, "reason", reason, remote, output) }
    }
}

/// Says something to one approval, and tells how it stands then.
private func act(
    _ act: String, on id: String, _ member: String, _ text: String?, _ remote: RemoteOptions, _ output: OutputOptions
) async throws {
    let body = JSON.object(text.map { [member: .string($0)] } ?? [:])
    let approval = try await remote.withClient { try await $0.post("/approvals/\(id)/\(act)", body) }
    guard output.format == .text else { return print(try approval.text(pretty: true)) }
    print(ApprovalText(approval).standing)
}
