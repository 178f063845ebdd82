import ArgumentParser
import Foundation
import GatehouseCore
import Settings

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Try a policy out: from the configuration alone, without a gateway or a server.",
        subcommands: [Test.self, Explain.self, Packs.self, Bench.self])

    /// What the answers of these commands cannot take into account.
    static let caveat =
        "Table names are taken as written: no search path, views or partitions are followed, and masks are not judged."
}

extension PolicyCommand {
    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Judge a file of cases and compare with what each expects.",
            discussion: """
                The format of the file is in docs/policy.md. No secret that the configuration names is needed. Exit status 0: \
                every case is as expected; 1: one is not; 2: a file cannot be read.

                EXAMPLES
                  gatehouse policy test cases.yaml --config gatehouse.yaml
                  gatehouse policy test cases.yaml --config gatehouse.yaml --format json
                """)

        @Argument(help: "The file of cases.")
        var file: String

        @Option(name: .shortAndLong, help: ArgumentHelp("The configuration file.", valueName: "file"))
        var config: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            let trial = PolicyTrial(try loadPolicy(config))
            let cases: [PolicyCase]
            do {
                cases = try PolicyCase.load(file: file)
            } catch {
                throw CommandFailure(.usage, "the cases cannot be used:\n\(error.description)")
            }
            var failed = 0
            var rows: [JSON] = []
            for wanted in cases {
                let outcome = try trial.judge(wanted)
                let isRight = outcome.decision == wanted.expect && (wanted.rule.map { $0 == outcome.rule } ?? true)
                if !isRight { failed += 1 }
                rows.append(json(wanted, outcome, isRight))
                if output.format == .text, !isRight { print(forTerminal(complaint(wanted, outcome))) }
            }
            switch output.format {
            case .json:
                let report: JSON = .object([
                    "cases": .array(rows), "failed": .integer(failed), "policy_version": .string(trial.file.policy.version),
                    "note": .string(PolicyCommand.caveat),
                ])
                print(try report.text(pretty: true))
            case .text:
                print(
                    "\(count(cases.count, "case")), \(failed == 0 ? "all as expected" : "\(failed) not as expected"), policy \(trial.file.policy.version)"
                )
                printNote(PolicyCommand.caveat)
            }
            if failed > 0 { throw CommandFailure(.failure, "") }
        }

        private func complaint(_ wanted: PolicyCase, _ outcome: PolicyTrial.Outcome) -> String {
            let expected = wanted.expect.rawValue + (wanted.rule.map { " by \($0)" } ?? "")
            return
                "\(file):\(wanted.line): \(wanted.name ?? wanted.statement): expected \(expected), got \(outcome.decision.rawValue) by \(outcome.rule)"
        }

        private func json(_ wanted: PolicyCase, _ outcome: PolicyTrial.Outcome, _ isRight: Bool) -> JSON {
            .object([
                "name": wanted.name.map(JSON.string) ?? .null, "line": .integer(wanted.line), "statement": .string(wanted.statement),
                "expected": .string(wanted.expect.rawValue), "expected_rule": wanted.rule.map(JSON.string) ?? .null,
                "decision": .string(outcome.decision.rawValue), "rule": .string(outcome.rule), "passed": .boolean(isRight),
            ])
        }
    }

    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say which rule decides over a statement, and why the others do not.",
            discussion: """
                EXAMPLES
                  gatehouse policy explain --config gatehouse.yaml --user alice --group agents --target orders 'DROP TABLE x'
                  gatehouse policy explain --config gatehouse.yaml --user ci --claim repository=acme/shop --target orders 'SELECT 1'
                """)

        @Option(name: .shortAndLong, help: ArgumentHelp("The configuration file.", valueName: "file"))
        var config: String
        @Option(help: "The caller's name.")
        var user: String
        @Option(help: ArgumentHelp("A group of the caller; may be given again.", valueName: "name"))
        var group: [String] = []
        @Option(help: ArgumentHelp("The issuer of the caller's token.", valueName: "url"))
        var issuer = ""
        @Option(help: ArgumentHelp("A workload claim of the caller; may be given again.", valueName: "name=value"))
        var claim: [String] = []
        @Option(help: "The target.")
        var target: String
        @Option(help: "The target's role; else its first.")
        var role: String?
        @Option(help: ArgumentHelp("How many rows the server would expect.", valueName: "n"))
        var estimatedRows: Int?
        @Option(help: ArgumentHelp("The instant to judge at, as in 2026-05-01T18:00:00Z; else now.", valueName: "time"))
        var at: String?

        @Argument(help: "The statement.")
        var statement: String

        @OptionGroup var output: OutputOptions

        func validate() throws {
            if let at, parseTime(at) == nil { throw ValidationError("--at: `\(at)` is not an instant, as in 2026-05-01T18:00:00Z") }
            for text in claim where !text.contains("=") { throw ValidationError("--claim: `\(text)` is not name=value") }
        }

        func run() throws {
            let trial = PolicyTrial(try loadPolicy(config))
            let claims = claim.compactMap { text in
                text.firstIndex(of: "=").map { (String(text[..<$0]), String(text[text.index(after: $0)...])) }
            }
            let time = at.flatMap(parseTime).map { WallTime(seconds: Int(max($0.timeIntervalSince1970, 0))) }
            let outcome = try trial.judge(
                PolicyCase(
                    user: user, groups: group, issuer: issuer, claims: Dictionary(claims) { _, last in last }, target: target, role: role,
                    statement: statement, estimatedRows: estimatedRows, time: time, expect: .allow))
            switch output.format {
            case .json: print(try json(outcome, trial.file.policy.version).text(pretty: true))
            case .text: printText(outcome)
            }
        }

        private func printText(_ outcome: PolicyTrial.Outcome) {
            if let failure = outcome.failure { print("The statement could not be analysed: \(forTerminal(failure))") }
            for (number, explanation) in outcome.explanations.enumerated() {
                if outcome.explanations.count > 1 { print("Statement \(number + 1):") }
                for step in explanation.steps {
                    let place = step.line.map { " (line \($0))" } ?? ""
                    print(forTerminal("  \(step.effect.rawValue) \(step.rule)\(place): \(step.outcome.description)"))
                }
                print(forTerminal("  -> \(explanation.verdict.decision.rawValue) by \(explanation.verdict.rule)"))
            }
            print(forTerminal("\(outcome.decision.rawValue) by \(outcome.rule)\(outcome.reason.isEmpty ? "" : ": \(outcome.reason)")"))
            if !outcome.hint.isEmpty { print(forTerminal("hint: \(outcome.hint)")) }
            printNote(PolicyCommand.caveat)
        }

        private func json(_ outcome: PolicyTrial.Outcome, _ version: String) -> JSON {
            let statements = outcome.explanations.map { explanation in
                JSON.object([
                    "decision": .string(explanation.verdict.decision.rawValue), "rule": .string(explanation.verdict.rule),
                    "steps": .array(
                        explanation.steps.map { step in
                            .object([
                                "rule": .string(step.rule), "effect": .string(step.effect.rawValue),
                                "line": step.line.map(JSON.integer) ?? .null, "outcome": .string(step.outcome.description),
                            ])
                        }),
                ])
            }
            return .object([
                "decision": .string(outcome.decision.rawValue), "rule": .string(outcome.rule), "reason": .string(outcome.reason),
                "hint": .string(outcome.hint), "statements": .array(statements), "policy_version": .string(version),
                "unparsed": outcome.failure.map(JSON.string) ?? .null, "note": .string(PolicyCommand.caveat),
            ])
        }
    }

    struct Packs: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The rule sets that come with the program.",
            discussion: """
                A pack is put in force by `use` in the configuration (docs/policy.md).

                EXAMPLES
                  gatehouse policy packs                    names, and what each is about
                  gatehouse policy packs destructive-sql    its rules, as a configuration would write them
                """)

        @Argument(help: "The pack to show.")
        var name: String?

        @OptionGroup var output: OutputOptions

        func run() throws {
            if let name {
                guard let pack = RulePack.named(name) else {
                    throw CommandFailure(.usage, "there is no pack `\(name)`; `gatehouse policy packs` lists them")
                }
                guard output.format == .json else { return print(pack.text, terminator: "") }
                return print(try Self.json(pack, withText: true).text(pretty: true))
            }
            guard output.format == .text else {
                return print(try JSON.array(RulePack.shipped.map { Self.json($0, withText: false) }).text(pretty: true))
            }
            var table = TextTable("PACK", "IS ABOUT")
            for pack in RulePack.shipped { table.add(pack.name, pack.summary) }
            table.lines().forEach { print($0) }
        }

        private static func json(_ pack: RulePack, withText: Bool) -> JSON {
            var fields: [String: JSON] = ["name": .string(pack.name), "summary": .string(pack.summary)]
            if withText { fields["text"] = .string(pack.text) }
            return .object(fields)
        }
    }
}

private func loadPolicy(_ file: String) throws -> PolicyFile {
    do {
        return try PolicyFile.load(file: file)
    } catch {
        throw CommandFailure(.usage, "the configuration cannot be used:\n\(error.description)")
    }
}
