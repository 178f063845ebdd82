import Foundation
import GatehouseCore
import Policy
import Settings
import Testing

@Suite struct BudgetSectionTests {
    private func budgets(_ text: String) throws -> [Budget] {
        try load(configuration(other: "budgets:\n  - \(text)")).settings.policy.budgets
    }

    @Test func aBudgetIsReadWhole() throws {
        let budget = try #require(
            try budgets(
                "{ id: b, who: { groups: [agents] }, where: { targets: [orders] }, per: \"claim:task\", window: 2h, rows: 10, bytes: 1MiB, "
                    + "masked_values: 3, effect: hold, approval: { approvers: [managers] }, reason: Slowly. }"
            ).first)
        #expect(budget.id == "b" && budget.claim == "task" && budget.window == 7_200 && budget.effect == .hold)
        #expect(budget.limits == [.rows: 10, .bytes: 1_048_576, .maskedValues: 3])
        #expect(budget.hold == HoldTerms(approvers: ["managers"]) && budget.reason == "Slowly." && budget.sourceLine != nil)
        #expect(try budgets("{ id: b, window: 1m, actions: 0, effect: end }").first?.claim == nil)
    }

    @Test func budgetsAreOfThePolicysVersion() throws {
        let without = try load(configuration()).settings.policy.version
        let with = try load(configuration(other: "budgets:\n  - { id: b, window: 1m, rows: 1, effect: deny }")).settings.policy.version
        #expect(without != with)
    }

    @Test(arguments: [
        ("{ window: 1h, rows: 1, effect: deny }", "`budgets[1].id` is missing"),
        ("{ id: b, rows: 1, effect: deny }", "`budgets[1].window` is missing"),
        ("{ id: b, window: 10s, rows: 1, effect: deny }", "must be between 1m and 90d"),
        ("{ id: b, window: none, rows: 1, effect: deny }", "must end"),
        ("{ id: b, window: 1h, effect: deny }", "limits nothing"),
        ("{ id: b, window: 1h, rows: many, effect: deny }", "is not a whole number"),
        ("{ id: b, window: 1h, rows: 1 }", "`budgets[1].effect` is missing"),
        ("{ id: b, window: 1h, rows: 1, effect: hold }", "must say who approves"),
        ("{ id: b, window: 1h, rows: 1, effect: deny, approval: { approvers: [x] } }", "belongs to a rule with effect: hold"),
        ("{ id: b, window: 1h, rows: 1, effect: deny, per: task }", "must be principal, or claim:NAME"),
        ("{ id: b, window: 1h, masked_values: 1000000, effect: deny }", "which are held in memory"),
        ("{ id: b, window: 1h, row: 1, effect: deny }", "(did you mean `rows`?)"),
        ("{ id: gatehouse.b, window: 1h, rows: 1, effect: deny }", "are built in"),
    ])
    func whatIsWrongIsSaid(_ text: String, _ message: String) {
        let found = errors(configuration(other: "budgets:\n  - \(text)"))
        #expect(found.contains { $0.contains(message) }, "\(found)")
    }

    @Test(arguments: [
        ("estimates: {}", "`targets[1].estimates.role` is missing"),
        ("estimates: { role: raeder }", "(did you mean `reader`?)"),
        ("estimates: { role: reader, timeout: 1m }", "must be between 10ms and 10s"),
    ])
    func estimatesNameARoleOfTheTarget(_ line: String, _ message: String) {
        let targets = standardTargets.replacingOccurrences(of: "    roles:", with: "    \(line)\n    roles:")
        let found = errors(configuration(targets: targets))
        #expect(found.contains { $0.contains(message) }, "\(found)")
    }
}
