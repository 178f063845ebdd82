import ArgumentParser
import Settings

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the gateway.",
        discussion: """
            SIGHUP reads the configuration again and takes over what can change while running; SIGTERM lets sessions end, up to a \
            deadline, and stops.

            EXAMPLE
              gatehouse serve --config /etc/gatehouse/gatehouse.yaml
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The configuration file.", valueName: "file"))
    var config = "/etc/gatehouse/gatehouse.yaml"

    func run() async throws {
        let loaded = try loadSettings(config)
        loaded.warnings.forEach { printNote($0.description) }
        try await serve(loaded.settings, configurationPath: config)
    }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a configuration file as `serve` would read it.",
        discussion: """
            Every error is told at once, as file:line:column: message. Secrets in the environment and in files are looked up too, so \
            run it where and as whom the gateway runs. Nothing is run and nothing is fetched: passwords from programs and from Vault \
            are named as not checked. Exit status 0: it can be used; 2: it cannot.

            EXAMPLES
              gatehouse check gatehouse.yaml
              gatehouse check --strict gatehouse.yaml    warnings count as errors
            """)

    @Argument(help: "The configuration file.")
    var file: String

    @Flag(help: "Count warnings as errors.")
    var strict = false

    @OptionGroup var output: OutputOptions

    func run() throws {
        let loaded: GatehouseSettings.Loaded
        do {
            loaded = try GatehouseSettings.load(file: file)
        } catch {
            try report(error.problems, policy: nil, unchecked: [])
            throw CommandFailure(.usage, output.format == .json ? "" : "\(count(error.problems.count, "error")) in \(file)")
        }
        let unchecked = unchecked(loaded.settings)
        try report(loaded.warnings, policy: loaded.settings.policy.version, unchecked: unchecked)
        if strict, !loaded.warnings.isEmpty {
            throw CommandFailure(.usage, output.format == .json ? "" : "\(count(loaded.warnings.count, "warning")) in \(file)")
        }
        if output.format == .text {
            let settings = loaded.settings
            unchecked.forEach { printNote("not checked: \($0)") }
            print(
                "\(file) is right: \(count(settings.listeners.count, "listener")), \(count(settings.targets.count, "target")), "
                    + "\(count(settings.policy.rules.count, "rule")), \(count(settings.policy.masks.count, "mask")), policy \(settings.policy.version)"
            )
        }
    }

    /// What only a session that connects finds out.
    private func unchecked(_ settings: GatehouseSettings) -> [String] {
        settings.targets.flatMap { target in
            target.roles.compactMap { role in
                guard let source = role.source, source.isRemote else { return nil }
                return "target \(target.name), role \(role.name): the password comes from \(source)"
            }
        }
    }

    private func report(_ problems: [Problem], policy: String?, unchecked: [String]) throws {
        guard output.format == .json else {
            problems.forEach { printNote($0.description) }
            return
        }
        let items = problems.map { problem in
            JSON.object([
                "severity": .string(problem.severity.rawValue), "file": .string(problem.file), "line": .integer(problem.line),
                "column": .integer(problem.column), "message": .string(problem.message),
            ])
        }
        let report: [String: JSON] = [
            "problems": .array(items), "policy_version": policy.map(JSON.string) ?? .null,
            "not_checked": .array(unchecked.map(JSON.string)),
        ]
        print(try JSON.object(report).text(pretty: true))
    }
}

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    @OptionGroup var output: OutputOptions

    func run() throws {
        switch output.format {
        case .text: print("gatehouse \(gatehouseVersion)")
        case .json: print(try JSON.object(["version": .string(gatehouseVersion)]).text(pretty: false))
        }
    }
}

/// The version of this program (CHANGELOG.md).
let gatehouseVersion = "0.1.0"

func loadSettings(_ file: String) throws -> GatehouseSettings.Loaded {
    do {
        return try GatehouseSettings.load(file: file)
    } catch {
        throw CommandFailure(.usage, "the configuration cannot be used:\n\(error.description)")
    }
}

func count(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
}
