import ArgumentParser
import Foundation
import GatehouseCore
import Policy

extension PolicyCommand {
    /// For scripts/bench: microseconds that the engine takes for an action under many rules.
    struct Bench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "bench", abstract: "Measure how long judging takes.", shouldDisplay: false)

        @Option(help: "How many rules apply to the caller.")
        var rules = 1_000
        @Option(help: "How many actions are judged.")
        var actions = 200_000

        func validate() throws {
            guard (1...100_000).contains(rules), (1...100_000_000).contains(actions) else {
                throw ValidationError("--rules and --actions must be positive, and not absurd")
            }
        }

        func run() throws {
            let clock = SystemClock()
            let target = Target(
                name: "bench", protocolName: .postgres, host: "db", port: 5432, database: "db",
                roles: [Target.Role(name: "r", user: "u", password: nil)])
            let engine = PolicyEngine(
                PolicyDocument(
                    access: [AccessRule(who: Who(), where: Where(), roles: ["*"])], rules: try manyRules(),
                    defaultDecisions: ["bench": .allow]))
            let caller = Principal(
                issuer: "i", subject: "s", user: "u", groups: ["g"], credential: .token(id: nil), expires: WallTime(nanoseconds: .max))
            let permit = try engine.admit(caller, to: target, role: nil, at: clock.wallTime()).get()
            let samples = Self.sampleActions
            let time = clock.wallTime()
            var denied = 0
            let started = clock.monotonicNanoseconds()
            for number in 0..<actions {
                let verdict = engine.judge(samples[number % samples.count], under: permit, resolver: NamesAsWritten(), at: time)
                if verdict.decision == .deny { denied += 1 }
            }
            let nanoseconds = Double(clock.monotonicNanoseconds() - started) / Double(actions)
            print(String(format: "%.4f", nanoseconds / 1_000))
            printNote("# \(rules) rules, \(actions) actions, \(denied) denied")
        }

        /// Tables, functions, settings, kinds and flags in turn, as a large policy has them; a few hold for the samples.
        private func manyRules() throws -> [Rule] {
            try (0..<rules).map { number in
                var what = What()
                switch number % 8 {
                case 0, 1, 2: what.tables = [try NamePattern("app.table_\(number)")]
                case 3: what = What(kinds: ["update", "delete"], tables: [try NamePattern("table_\(number)")])
                case 4: what.functions = [try NamePattern("function_\(number)")]
                case 5: what.settings = [Glob("setting_\(number)")]
                case 6: what = What(kinds: [KindPattern("drop.object_\(number)")])
                default: what = What(kinds: ["select"], tables: [try NamePattern("private_\(number).data_\(number)")])
                }
                return Rule(id: "rule-\(number)", what: what, effect: number % 5 == 4 ? .allow : .deny)
            }
        }

        private static var sampleActions: [Action] {
            (0..<64).map { number in
                let table = QualifiedName(schema: number % 2 == 0 ? "app" : nil, name: "table_\(number * 16)")
                let other = QualifiedName(name: "items_\(number)")
                return Action(
                    kinds: number % 4 == 3 ? ["update", "select"] : ["select"],
                    objects: [
                        ObjectReference(name: table, access: number % 4 == 3 ? .write : .read), ObjectReference(name: other, access: .read),
                    ],
                    functions: [QualifiedName(name: "count"), QualifiedName(name: "lower")], columns: ["id", "name"])
            }
        }
    }
}
