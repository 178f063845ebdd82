import GatehouseCore
import Settings
import Testing

/// Each pack against its own corpus: techniques that begin with `deny` are denied by it, those with `pass` are not.
@Suite struct PackTests {
    @Test(arguments: RulePack.shipped.map(\.name))
    func aPackDeniesWhatItIsAboutAndNothingElse(_ pack: String) throws {
        let court = try Court(packs: [pack])
        let cases = try corpus(pack + ".txt")
        var counts = ["deny": 0, "pass": 0]
        for entry in cases {
            let sort = String(entry.technique.prefix(4))
            counts[sort, default: 0] += 1
            for (step, verdict) in zip(entry.steps, court.verdicts(on: entry.steps)) {
                if (verdict.decision == .deny) != (sort == "deny") {
                    Issue.record("\(entry.testDescription): \(step): \(verdict.decision) by \(verdict.rule)")
                }
                if sort == "deny", !verdict.rule.hasPrefix(pack + "/"), !verdict.rule.hasPrefix("gatehouse.") {
                    Issue.record("\(entry.testDescription): denied by \(verdict.rule)")
                }
            }
        }
        #expect(counts.keys.sorted() == ["deny", "pass"], "techniques begin with deny or pass")
        #expect(counts["deny", default: 0] > 50 && counts["pass", default: 0] > 50, "\(counts)")
        #expect(Set(cases.map(\.steps)).count == cases.count, "a case stands twice")
    }

    /// The pack's own rules must do the work, not the built-in ones: most of what is denied is denied by them, by each at least once.
    @Test(arguments: RulePack.shipped.map(\.name))
    func everyRuleOfAPackIsProven(_ pack: String) throws {
        let court = try Court(packs: [pack])
        let rules = try corpus(pack + ".txt").flatMap { entry in entry.steps.map { court.verdict(on: $0).rule } }
        let settings = try GatehouseSettings.load(
            configurationUsing(pack), file: "packs.yaml", directory: "/nowhere", environment: [:]
        ).settings
        for rule in settings.policy.rules where !rules.contains(rule.id) { Issue.record("no case is denied by \(rule.id)") }
    }

    private func configurationUsing(_ pack: String) -> String {
        """
        node: n
        data_directory: /nowhere
        issuers: [{ issuer: "https://login.example.com", audiences: [gatehouse] }]
        listeners: [{ name: pg, protocol: postgres, listen: "127.0.0.1:0" }]
        targets: [{ name: shop, protocol: postgres, address: db, database: shop, roles: [{ name: r, user: u }] }]
        access: [{ groups: ["*"], roles: [r] }]
        use: [{ set: \(pack) }]
        """
    }
}

/// All packs together against ways around them, and against what people send all day.
@Suite struct EvasionCorpusTests {
    private static let all = RulePack.shipped.map(\.name)

    @Test func everyEvasionIsDenied() throws {
        let court = try Court(packs: Self.all)
        let cases = try corpus("evasions.txt")
        for entry in cases {
            let verdicts = court.verdicts(on: entry.steps)
            if !verdicts.contains(where: { $0.decision == .deny }) { Issue.record("\(entry.testDescription): \(entry.steps) passes") }
        }
        #expect(cases.count >= 500)
        #expect(Set(cases.map(\.technique)).count >= 60)
        #expect(Set(cases.map(\.steps)).count == cases.count, "a case stands twice")
    }

    @Test func everyHarmlessStatementPasses() throws {
        let court = try Court(packs: Self.all)
        let cases = try corpus("harmless.txt")
        for entry in cases {
            for (step, verdict) in zip(entry.steps, court.verdicts(on: entry.steps)) {
                if verdict.decision != .allow { Issue.record("\(entry.testDescription): \(step): \(verdict.rule)") }
            }
        }
        #expect(cases.count >= 500)
        #expect(Set(cases.map(\.steps)).count == cases.count, "a case stands twice")
    }
}
