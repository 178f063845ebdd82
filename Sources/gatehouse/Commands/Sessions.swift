import ArgumentParser
import Foundation

struct Sessions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sessions, live and past, and their recordings.",
        subcommands: [List.self, Show.self, Tail.self, Original.self, Export.self, End.self, Delete.self], defaultSubcommand: List.self)
}

extension Sessions {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List sessions, newest first: your own, or all for an auditor or administrator.",
            discussion: """
                EXAMPLES
                  gatehouse sessions list
                  gatehouse sessions list --state live --target orders
                  gatehouse sessions list --user ci-bot --since 24h --format json
                """)

        enum State: String, ExpressibleByArgument, CaseIterable {
            case live, ended, interrupted, failed
        }

        @Option(help: "Of this target only.")
        var target: String?

        @Option(help: "Of this user only.")
        var user: String?

        @Option(help: "In this state only.")
        var state: State?

        @Option(help: ArgumentHelp("Begun since then: 30m, 24h, 7d, or a time as in 2026-05-01T12:00:00Z.", valueName: "time"))
        var since: String?

        @Option(help: "At most so many.")
        var limit = 100

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 100000") }
            if let since, timeSince(since, now: Date()) == nil {
                throw ValidationError("--since \(since) is neither a span (30m, 24h, 7d) nor a time (2026-05-01T12:00:00Z)")
            }
        }

        func run() async throws {
            let from = since.flatMap { timeSince($0, now: Date()) }.map { ISO8601DateFormatter().string(from: $0) }
            let query = [("target", target), ("user", user), ("state", state?.rawValue), ("since", from)]
            let sessions = try await remote.withClient { try await $0.list("/sessions", "sessions", query, limit: limit) }
            guard output.format == .text else { return print(try JSON.array(sessions).text(pretty: true)) }
            guard !sessions.isEmpty else { return printNote("No session matches.") }
            var table = TextTable("ID", "STARTED", "LASTED", "STATE", "USER", "TARGET", "ROLE", "STATEMENTS", "DENIED", "ROWS")
            for session in sessions {
                let counts = session["counts"] ?? session
                table.add(
                    session["id"]?.string ?? "?", forPeople(session["started"]?.time), lasted(session),
                    (session["state"]?.string ?? "?") + (session["recording_deleted"] == nil ? "" : ", deleted"),
                    session["user"]?.string ?? session["principal"]?["user"]?.string ?? "?", session["target"]?.string ?? "?",
                    session["role"]?.string ?? "?", counts["statements"]?.string ?? "-", counts["denied"]?.string ?? "-",
                    counts["rows"]?.string ?? "-")
            }
            table.lines().forEach { print($0) }
        }

        private func lasted(_ session: JSON) -> String {
            guard let started = session["started"]?.time else { return "-" }
            return forPeople(seconds: (session["ended"]?.time ?? Date()).timeIntervalSince(started))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a session's recording: what was asked, decided and answered.",
            discussion: """
                EXAMPLES
                  gatehouse sessions show 01932c5e-7c1a-7000-8000-0123456789ab --key-file auditor.key
                  gatehouse sessions show ID --full               long values whole
                  gatehouse sessions show ID --format json        the events, as an array
                """)

        @Argument(help: "The session's id.")
        var id: String

        @Flag(help: "Print long values whole.")
        var full = false

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(id, "a session") }

        func run() async throws {
            var printer = EventPrinter(renderer: EventRenderer(cellWidth: full ? nil : 60), format: output.format)
            let keys = try keys.keys()
            try await remote.withClient { client in
                try await client.events(of: id, follow: false, keys: keys) { try printer.print($0) }
            }
            printer.finish()
        }
    }

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow a live session until it ends.",
            discussion: """
                EXAMPLES
                  gatehouse sessions tail ID --key-file auditor.key
                  gatehouse sessions tail ID --format json        one event a line
                """)

        @Argument(help: "The session's id.")
        var id: String

        @Flag(help: "Print long values whole.")
        var full = false

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(id, "a session") }

        func run() async throws {
            let renderer = EventRenderer(cellWidth: full ? nil : 60)
            let keys = try keys.keys()
            try await remote.withClient { client in
                try await client.events(of: id, follow: true, keys: keys) { line in
                    switch output.format {
                    case .text: try events(in: line).flatMap(renderer.lines).forEach { print($0) }
                    case .json: print(String(decoding: line, as: UTF8.self))
                    }
                    // A pipe is not a terminal, and yet what happens now is wanted now.
                    fflush(nil)
                }
            }
        }
    }
}

func events(in line: Data) throws -> [JSON] {
    guard let event = try? JSON.parse(line) else {
        throw CommandFailure(.failure, "the gateway sent an event that is not JSON; do its version and this program's match?")
    }
    return [event]
}

/// Ids go into a path.
func checkID(_ id: String, _ what: String) throws {
    guard !id.isEmpty, id.utf8.count <= 128, id.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }) else {
        throw ValidationError("`\(forTerminal(id))` is not the id of \(what)")
    }
}

/// A span before now, or a time.
func timeSince(_ text: String, now: Date) -> Date? {
    if let seconds = spanInSeconds(text) { return now.addingTimeInterval(-Double(seconds)) }
    return parseTime(text)
}

/// `30m`, `24h`, `7d`, at most ten years.
func spanInSeconds(_ text: String) -> Int? {
    guard let unit = text.last, let factor = ["s": 1, "m": 60, "h": 3_600, "d": 86_400][String(unit)], let number = Int(text.dropLast()),
        number > 0, number <= 3_650 * 86_400 / factor
    else { return nil }
    return number * factor
}
