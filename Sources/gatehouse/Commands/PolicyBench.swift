import Analysis
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
        @Flag(help: "Instead, microseconds for the lineage of a query of two kilobytes.")
        var lineage = false

        func validate() throws {
            guard (1...100_000).contains(rules), (1...100_000_000).contains(actions) else {
                throw ValidationError("--rules and --actions must be positive, and not absurd")
            }
        }

        func run() throws {
            if lineage { return try measureLineage() }
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

        /// A report as a tool writes it: joins, common tables, windows, many computed columns.
        private func measureLineage() throws {
            let columns = (1...24).map { "sum(CASE WHEN o.c\($0) > 0 THEN o.c\($0) * l.c\($0) ELSE 0 END) AS total_\($0)" }
            let text = Array(
                """
                WITH recent AS (SELECT * FROM app.orders WHERE c1 > now() - interval '30 days'), ranked AS (SELECT r.*, row_number() OVER
                (PARTITION BY r.c2 ORDER BY r.c3 DESC) AS place FROM recent r) SELECT u.c1, upper(u.c2), \(columns.joined(separator: ", "))
                FROM ranked o JOIN app.lines l ON l.c1 = o.c1 LEFT JOIN app.users u USING (c5) WHERE o.place < 10 AND EXISTS (SELECT 1
                FROM app.users x WHERE x.c1 = o.c2) GROUP BY u.c1, 2 HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 100
                """.utf8)
            let analysis = text.withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: 1 << 20) }
            guard let source = analysis.actions.first?.source else { throw ValidationError("the query was not analysed") }
            let clock = SystemClock()
            let rounds = 500
            var (analysing, following) = (UInt64(0), UInt64(0))
            for _ in 0..<rounds {
                // As the gateway meets a new text: what it says first, and then, from the same tree, where its columns come from.
                let started = clock.monotonicNanoseconds()
                _ = text.withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: 1 << 20) }
                let analysed = clock.monotonicNanoseconds()
                guard Lineage.of(source, in: BenchCatalog())?.columns?.count == 26 else {
                    throw ValidationError("the query has no lineage")
                }
                analysing += analysed - started
                following += clock.monotonicNanoseconds() - analysed
            }
            print(String(format: "%.1f", Double(following) / Double(rounds) / 1_000))
            printNote("# \(text.count) bytes, \(rounds) rounds; to analyse it \(analysing / UInt64(rounds) / 1_000) us besides")
        }

        /// Three tables of forty columns.
        private struct BenchCatalog: LineageCatalog {
            private static let relations = ["orders", "lines", "users"].enumerated().map { number, name in
                (name, LineageRelation(oid: UInt32(number), columns: (1...40).map { LineageRelation.Column(attnum: $0, name: "c\($0)") }))
            }

            func relations(named name: QualifiedName) -> [LineageRelation] {
                Self.relations.filter { $0.0 == name.name }.map(\.1)
            }
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
