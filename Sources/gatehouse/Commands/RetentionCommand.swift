import ArgumentParser
import Foundation
import NIOCore

struct RetentionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retention", abstract: "Recordings whose time is over: what would go, and letting it go.",
        subcommands: [Plan.self, Run.self], defaultSubcommand: Plan.self)

    struct Plan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell what a retention run would delete now, and what legal holds keep. Changes nothing (auditors, administrators).",
            discussion: """
                EXAMPLES
                  gatehouse retention plan
                  gatehouse retention plan --format json
                """)

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let plan = try await remote.withClient { try await $0.get("/retention/plan", patience: .seconds(3_600)) }
            guard output.format == .text else { return print(try plan.text(pretty: true)) }
            let items = plan["items"]?.elements ?? []
            if !items.isEmpty {
                var table = TextTable("SESSION", "ENDED", "TARGET", "USER", "BYTES", "DECISION", "BECAUSE OF")
                for item in items {
                    let why =
                        item["problem"]?.string
                        ?? (item["holds"]?.elements.compactMap(\.string).joined(separator: " ")).map { "hold \($0)" }
                        ?? item["rule"]?.string.map { "rule \($0)" } ?? ""
                    table.add(
                        item["session"]?.string ?? "?", forPeople(item["ended"]?.time), item["target"]?.string ?? "?",
                        item["user"]?.string ?? "?", item["bytes"]?.string ?? "?", item["decision"]?.string ?? "?", why)
                }
                table.lines().forEach { print($0) }
            }
            let due = plan["due"]?.integer ?? 0
            print(
                "\(count(due, "recording")) due (\(plan["due_bytes"]?.string ?? "0") bytes), \(plan["held"]?.string ?? "0") held, "
                    + "\(plan["unreadable"]?.string ?? "0") unreadable.")
            if let obstacle = plan["obstacle"]?.string { printNote("A run would delete nothing now: \(forTerminal(obstacle))") }
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete the recordings that are due, and leave a tombstone of each in the log (administrators).",
            discussion: """
                `gatehouse retention plan` tells before what will go. What the store refuses to delete, because it is locked there, is told
                and tried again by the next run. Exit status 1 when anything was refused.

                EXAMPLES
                  gatehouse retention run
                  gatehouse retention run --confirm-clock    after a long silence: yes, it really is that late
                """)

        @Flag(help: "The gateway's clock is right, though the newest recording is a month older or the clock was set.")
        var confirmClock = false

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let body = JSON.object(["confirm_clock": .boolean(confirmClock)])
            let report = try await remote.withClient { try await $0.post("/retention/runs", body, patience: .seconds(24 * 3_600)) }
            let refused = report["refused_count"]?.integer ?? 0
            if output.format == .json {
                print(try report.text(pretty: true))
            } else {
                for refusal in report["refused"]?.elements ?? [] {
                    print(forTerminal("\(refusal["session"]?.string ?? "?"): not deleted: \(refusal["reason"]?.string ?? "")"))
                }
                print(
                    "\(count(report["deleted"]?.integer ?? 0, "recording")) deleted (\(report["deleted_bytes"]?.string ?? "0") bytes), "
                        + "\(report["held"]?.string ?? "0") held, \(report["unreadable"]?.string ?? "0") unreadable, \(refused) refused.")
            }
            if refused > 0 {
                throw CommandFailure(.failure, output.format == .json ? "" : "\(count(refused, "recording")) could not be deleted")
            }
        }
    }
}

struct LegalHoldsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "legal-holds", abstract: "Keep recordings from being deleted, whatever the rules say.",
        subcommands: [List.self, Add.self, Remove.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the legal holds (auditors, administrators).",
            discussion: """
                EXAMPLE
                  gatehouse legal-holds list
                """)

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let holds = try await remote.withClient { try await $0.list("/legal-holds", "legal_holds") }
            guard output.format == .text else { return print(try JSON.array(holds).text(pretty: true)) }
            guard !holds.isEmpty else { return printNote("There is no legal hold.") }
            var table = TextTable("ID", "PLACED", "BY", "HOLDS", "REASON")
            for hold in holds {
                let scope = ["session", "target", "user", "since", "until"].compactMap { key in
                    hold[key]?.string.map { "\(key) \($0)" }
                }
                table.add(
                    hold["id"]?.string ?? "?", forPeople(hold["created"]?.time), hold["by"]?.string ?? "?",
                    scope.joined(separator: ", "), hold["reason"]?.string ?? "")
            }
            table.lines().forEach { print($0) }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Place a legal hold (auditors, administrators).",
            discussion: """
                What is given must all apply to a session for it to be held. What is not known of a session may be what is asked for.

                EXAMPLES
                  gatehouse legal-holds add --session ID --reason "case 4711"
                  gatehouse legal-holds add --target 'payments-*' --since 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --reason "audit"
                  gatehouse legal-holds add --user ci-bot --reason "incident 12"
                """)

        @Option(help: "This session.")
        var session: String?

        @Option(help: "Sessions of this target; a pattern (* and ?).")
        var target: String?

        @Option(help: "Sessions of this user.")
        var user: String?

        @Option(
            help: ArgumentHelp("Sessions that ended then or later: 30m, 24h, 7d, or a time as in 2026-05-01T12:00:00Z.", valueName: "time"))
        var since: String?

        @Option(help: ArgumentHelp("Sessions that began before: as --since.", valueName: "time"))
        var until: String?

        @Option(help: "Why; it is kept in the log.")
        var reason: String

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            if let session { try checkID(session, "a session") }
            for (name, value) in [("since", since), ("until", until)] {
                if let value, timeSince(value, now: Date()) == nil {
                    throw ValidationError("--\(name) \(value) is neither a span (30m, 24h, 7d) nor a time (2026-05-01T12:00:00Z)")
                }
            }
            guard [session, target, user, since, until].contains(where: { $0 != nil }) else {
                throw ValidationError("say what is held: --session, --target ('*' for all), --user, --since or --until")
            }
        }

        func run() async throws {
            var body = ["reason": JSON.string(reason)]
            body["session"] = session.map(JSON.string)
            body["target"] = target.map(JSON.string)
            body["user"] = user.map(JSON.string)
            for (name, value) in [("since", since), ("until", until)] {
                body[name] = value.flatMap { timeSince($0, now: Date()) }.map { .string(ISO8601DateFormatter().string(from: $0)) }
            }
            let hold = try await remote.withClient { try await $0.post("/legal-holds", .object(body)) }
            guard output.format == .text else { return print(try hold.text(pretty: true)) }
            print(forTerminal(hold["id"]?.string ?? "?"))
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lift a legal hold (auditors).",
            discussion: """
                EXAMPLE
                  gatehouse legal-holds remove ID --reason "case closed"
                """)

        @Argument(help: "The hold's id.")
        var id: String

        @Option(help: "Why; it is kept in the log.")
        var reason: String

        @OptionGroup var remote: RemoteOptions

        func validate() throws { try checkID(id, "a legal hold") }

        func run() async throws {
            _ = try await remote.withClient { try await $0.post("/legal-holds/\(id)/lift", .object(["reason": .string(reason)])) }
            print("Legal hold \(id) is lifted.")
        }
    }
}

extension Sessions {
    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a session's recording now, and leave a tombstone in the log (administrators; never of oneself).",
            discussion: """
                Refused while a legal hold covers it, or where the store has it locked.

                EXAMPLE
                  gatehouse sessions delete ID --reason "erasure request 88"
                """)

        @Argument(help: "The session's id.")
        var id: String

        @Option(help: "Why; it is kept in the log.")
        var reason: String

        @OptionGroup var remote: RemoteOptions

        func validate() throws { try checkID(id, "a session") }

        func run() async throws {
            _ = try await remote.withClient { try await $0.post("/sessions/\(id)/deletion", .object(["reason": .string(reason)])) }
            print("The recording of session \(id) is deleted.")
        }
    }
}
