import GatehouseCore
import Testing

@testable import Policy

/// A small generator with a fixed seed (xorshift64*), so that a failure can be had again.
private struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed | 1 }
    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}

@Suite struct IndexTests {
    private static let kinds = [
        "select", "insert", "update", "delete", "drop.table", "drop.schema", "create.function", "create.table", "set", "do", "grant",
        "copy.to", "set.role",
    ]
    private static let tables = ["customers", "customer_names", "orders", "orders_2025", "log", "not_there"]
    private static let functions = ["count", "pg_read_file", "lower", "total"]
    private static let settings = ["search_path", "work_mem", "row_security"]

    private static func some<T>(_ items: [T], upTo most: Int, _ random: inout Seeded) -> [T] {
        (0..<Int.random(in: 0...most, using: &random)).compactMap { _ in items.randomElement(using: &random) }
    }

    private static func flag(_ random: inout Seeded) -> Bool? {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: true
        case 1: false
        default: nil
        }
    }

    private static func randomRule(_ number: Int, _ random: inout Seeded) throws -> Rule {
        var what = What()
        if Bool.random(using: &random) {
            what.kinds = some(kinds + ["drop", "*", "create", "alter.*.x", "unparsed", "cre*"], upTo: 3, &random).map { KindPattern($0) }
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
            what.tables = try some(tables + ["public.customers", "audit.log", "app.orders", "cust*", "*", "app.*"], upTo: 3, &random).map {
                try NamePattern($0)
            }
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            what.functions = try some(functions + ["pg_catalog.pg_read_file", "pg_*", "app.total"], upTo: 2, &random).map {
                try NamePattern($0)
            }
        }
        if Int.random(in: 0..<6, using: &random) == 0 {
            what.settings = some(settings + ["*", "work_*"], upTo: 2, &random).map { Glob($0) }
        }
        (what.missingWhere, what.opaque, what.unparsed) = (flag(&random), flag(&random), flag(&random))
        (what.copyProgram, what.copyFile, what.unknownFunction) = (flag(&random), flag(&random), flag(&random))
        (what.multiStatement, what.callsProcedure, what.movesData) = (flag(&random), flag(&random), flag(&random))
        (what.unboundedRead, what.copiesMaskedData, what.probesMaskedData) = (flag(&random), flag(&random), flag(&random))
        if Int.random(in: 0..<10, using: &random) == 0 {
            what.estimatedRows = [.above(100), .atMost(5), .unknown].randomElement(using: &random)
        }
        let effect = Rule.Effect.allCases.randomElement(using: &random) ?? .deny
        let when =
            Int.random(in: 0..<8, using: &random) == 0 ? When(from: WallTime(seconds: Int.random(in: 0...2_000, using: &random))) : nil
        return Rule(
            id: "rule-\(number)", priority: Int.random(in: 1...3, using: &random), what: what, when: when, effect: effect,
            hold: effect == .hold ? HoldTerms(approvers: ["managers"]) : nil)
    }

    private static func randomAction(_ random: inout Seeded) -> Action {
        if Int.random(in: 0..<12, using: &random) == 0 { return .unparsed(because: "syntax") }
        var flags = Action.Flags(
            rawValue: UInt32.random(in: 0..<(1 << 15), using: &random) & UInt32.random(in: 0..<(1 << 15), using: &random))
        flags.remove(.unparsed)
        if Bool.random(using: &random) { flags.remove(.opaque) }
        let schemas: [String?] = [nil, nil, "public", "app", "audit"]
        return Action(
            kinds: Set(some(kinds, upTo: 3, &random)),
            objects: some(tables, upTo: 3, &random).map { name in
                ObjectReference(
                    name: QualifiedName(schema: schemas.randomElement(using: &random) ?? nil, name: name),
                    access: [.read, .write, .define].randomElement(using: &random) ?? .read)
            },
            functions: some(functions, upTo: 2, &random).map {
                QualifiedName(schema: [nil, "app", "pg_catalog"].randomElement(using: &random) ?? nil, name: $0)
            },
            flags: flags, settings: some(settings, upTo: 1, &random).map { SettingChange(name: $0, value: "x", isLocal: false) },
            estimatedRows: [nil, 3, 5_000].randomElement(using: &random) ?? nil)
    }

    /// The index may only leave out rules that do not hold.
    @Test(arguments: 1...60)
    func indexedAndPlainAgree(_ seed: Int) throws {
        var random = Seeded(UInt64(seed) &* 0x9e37_79b9_7f4a_7c15)
        let rules = try (0..<Int.random(in: 0...150, using: &random)).map { try Self.randomRule($0, &random) }
        let engine = engine(rules, default: Bool.random(using: &random) ? .allow : .deny)
        let permit = try engine.admit(principal(), to: target(), role: nil, at: now).get()
        for _ in 0..<200 {
            let action = Self.randomAction(&random)
            let resolver: any NameResolver = Int.random(in: 0..<5, using: &random) == 0 ? Unreadable() : Shop()
            let indexed = permit.applicable.judge(action, resolver, at: now)
            let plain = permit.applicable.judge(action, resolver, at: now, usingIndex: false)
            if indexed != plain { Issue.record("seed \(seed): \(action): \(indexed.rule), not \(plain.rule)") }
            let explained = engine.explain(action, under: permit, resolver: resolver, at: now)
            if explained.verdict != plain { Issue.record("seed \(seed): explained as \(explained.verdict.rule), not \(plain.rule)") }
        }
    }

    /// A rule that is filed under something must not be asked for an action that has nothing of it.
    @Test func mostRulesAreNotAsked() throws {
        let rules = try (0..<1_000).map { CompiledRule(deny(What(tables: try names("app.table_\($0)")), id: "r\($0)")) }
        var facts = Facts(action("select", reading: ["app.table_7", "other"]), Shop())
        var asked: [Int] = []
        RuleIndex(rules).candidates(&facts).forEach { number in
            asked.append(number)
            return true
        }
        #expect(asked == [7])
    }
}
