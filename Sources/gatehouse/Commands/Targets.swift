import ArgumentParser

struct Targets: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The systems behind the gateway.", subcommands: [List.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the targets that you may use, each with the client line for it.",
            discussion: """
                EXAMPLES
                  gatehouse targets list
                  gatehouse targets list --format json
                """)

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let targets = try await remote.withClient { try await $0.list("/targets", "targets") }
            guard output.format == .text else { return print(try JSON.array(targets).text(pretty: true)) }
            guard !targets.isEmpty else { return printNote("There is no target that you may use.") }
            var table = TextTable("TARGET", "PROTOCOL", "ROLES", "LABELS", "CONNECT WITH")
            for target in targets {
                table.add(
                    target["name"]?.string ?? "?", target["protocol"]?.string ?? target["protocol_name"]?.string ?? "?",
                    roles(target), labels(target), clientLine(target))
            }
            table.lines().forEach { print($0) }
        }

        private func roles(_ target: JSON) -> String {
            (target["roles"]?.elements ?? []).compactMap { $0.string ?? $0["name"]?.string }.joined(separator: ",")
        }

        private func labels(_ target: JSON) -> String {
            guard case .object(let labels)? = target["labels"] else { return "" }
            return labels.keys.sorted().map { "\($0)=\(labels[$0]?.string ?? "")" }.joined(separator: ",")
        }

        private func clientLine(_ target: JSON) -> String {
            for key in ["connect", "client_line", "command", "client"] {
                if let line = target[key]?.string { return line }
            }
            return "-"
        }
    }
}
