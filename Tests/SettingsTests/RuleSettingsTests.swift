import Foundation
import GatehouseCore
import Policy
import Settings
import Testing

private func rules(_ text: String, other: String = "") throws -> [Rule] {
    try load(configuration(rules: text, other: other)).settings.policy.rules
}

@Suite struct HoldSettingsTests {
    @Test func theTermsOfAnApprovalAreRead() throws {
        let rule = try #require(
            try rules(
                """
                rules:
                  - id: ask
                    what: { kinds: [delete] }
                    effect: hold
                    approval: { approvers: [managers, "sre-*"], required: 2, reason: true, wait: 10m, wait_in_transaction: 20s, valid: 2h, use: window, break_glass: [sre] }
                """
            ).first)
        #expect(rule.effect == .hold)
        #expect(
            rule.hold
                == HoldTerms(
                    approvers: ["managers", "sre-*"], required: 2, needsReason: true, waitSeconds: 600, transactionWaitSeconds: 20,
                    validSeconds: 7_200, use: .window, breakGlass: ["sre"]))
    }

    @Test func whatIsNotSaidHasItsDefault() throws {
        let rule = try #require(try rules("rules:\n  - { id: ask, effect: hold, approval: { approvers: [managers] } }").first)
        #expect(rule.hold == HoldTerms(approvers: ["managers"]))
    }

    @Test(arguments: [
        ("{ id: a, effect: hold }", "`rules[1]` holds, and must say who approves"),
        ("{ id: a, effect: hold, approval: { required: 2 } }", "`rules[1].approval.approvers` is missing"),
        ("{ id: a, effect: hold, approval: { approvers: [] } }", "empty list"),
        ("{ id: a, effect: hold, approval: { approvers: [x], required: 0 } }", "out of range: 1 to 100"),
        ("{ id: a, effect: hold, approval: { approvers: [x], wait: none } }", "must end"),
        ("{ id: a, effect: hold, approval: { approvers: [x], wait: 500ms } }", "whole seconds"),
        ("{ id: a, effect: hold, approval: { approvers: [x], wait: 2h, valid: 1h } }", "wait is longer than valid"),
        ("{ id: a, effect: hold, approval: { approvers: [x], use: twice } }", "must be once or window"),
        ("{ id: a, effect: deny, approval: { approvers: [x] } }", "belongs to a rule with effect: hold"),
        ("{ id: a, effect: hold, approval: { approvers: [x], expires: 1h } }", "unknown key `rules[1].approval.expires`"),
    ])
    func mistakesAreTold(_ rule: String, _ message: String) {
        let told = errors(configuration(rules: "rules:\n  - \(rule)"))
        #expect(told.contains { $0.contains(message) && $0.hasPrefix("gw.yaml:") }, "\(told)")
    }
}

@Suite struct WhenSettingsTests {
    private func when(_ text: String) throws -> When? {
        try rules("rules:\n  - { id: a, effect: deny, when: \(text) }").first?.when
    }

    @Test func everyPartIsRead() throws {
        let when = try when(
            "{ days: [mon-wed, sat], hours: [\"09:00-17:30\", \"22:00-06:00\", \"18:00-24:00\"], time_zone: Europe/Berlin, from: 2026-05-01T10:00:00Z, until: \"2026-06-01T10:00:00+02:00\" }"
        )
        #expect(when?.days == [1, 2, 3, 6])
        #expect(
            when?.hours == [
                When.Hours(start: 540, end: 1_050), When.Hours(start: 1_320, end: 360), When.Hours(start: 1_080, end: 1_440),
            ])
        #expect(when?.timeZone == "Europe/Berlin")
        #expect(when?.from == WallTime(seconds: 1_777_629_600))
        #expect(when?.until == WallTime(seconds: 1_780_300_800))
        #expect(try self.when("{ days: [sat-mon] }")?.days == [6, 7, 1])
    }

    @Test(arguments: [
        ("{ days: [someday] }", "is not a day"), ("{ days: [mon-tue-wed] }", "is not a day"),
        ("{ hours: [\"9-17\"] }", "is not a part of the day"),
        ("{ hours: [\"09:00-09:00\"] }", "is empty"), ("{ hours: [\"25:00-26:00\"] }", "is not a part of the day"),
        ("{ hours: [\"09:60-10:00\"] }", "is not a part of the day"), ("{ days: [mon], time_zone: Berlin }", "is not a time zone"),
        ("{ days: [mon], time_zone: Europe/Nowhere }", "is not a time zone"), ("{ from: tomorrow }", "is not an instant"),
        ("{ from: 2026-05-01T10:00:00 }", "is not an instant"),
        ("{ from: 2026-05-02T00:00:00Z, until: 2026-05-01T00:00:00Z }", "would never hold"),
        ("{ weekdays: [mon] }", "unknown key"), ("{}", "names nothing"),
    ])
    func mistakesAreTold(_ text: String, _ message: String) {
        let told = errors(configuration(rules: "rules:\n  - { id: a, effect: deny, when: \(text) }"))
        #expect(told.contains { $0.contains(message) }, "\(told)")
    }
}

@Suite struct RuleSetSettingsTests {
    private let sets = """
        rule_sets:
          - name: baseline
            rules:
              - { id: no-drop, priority: 20, what: { kinds: [drop] }, effect: deny }
              - { id: migrations, priority: 10, who: { groups: [migrators] }, what: { kinds: [drop] }, effect: allow }
        """

    @Test func aSetIsUsedWithItsOwnScopeAndOrder() throws {
        let all = try rules(
            "rules:\n  - { id: own, effect: allow }",
            other: sets
                + "\nuse:\n  - { set: baseline, priority: 5, who: { groups: [agents] }, where: { targets: [orders] }, when: { days: [mon] } }"
        )
        #expect(all.map(\.id) == ["own", "baseline/migrations", "baseline/no-drop"])
        #expect(all.dropFirst().allSatisfy { $0.priority == 5 })
        #expect(
            all.dropFirst().allSatisfy {
                $0.scope == RuleScope(who: Who(groups: ["agents"]), where: Where(targets: ["orders"]), when: When(days: [1]))
            })
        #expect(all[1].who == Who(groups: ["migrators"]))
    }

    @Test func anotherEffectIsForWhatTheSetForbids() throws {
        let all = try rules("", other: sets + "\nuse:\n  - { set: baseline, effect: hold, approval: { approvers: [managers] } }")
        #expect(all.map(\.effect) == [.hold, .allow])
        #expect(all[0].hold == HoldTerms(approvers: ["managers"]))
        #expect(all[1].hold == nil)
    }

    @Test func aSetMayBeUsedTwiceUnderTwoNames() throws {
        let all = try rules(
            "", other: sets + "\nuse:\n  - { set: baseline, where: { targets: [orders] } }\n  - { set: baseline, as: strict, priority: 1 }")
        #expect(all.map(\.id) == ["baseline/no-drop", "baseline/migrations", "strict/migrations", "strict/no-drop"])
    }

    @Test(arguments: [
        ("use: [{ set: basline }]", "there is no rule set `basline` (did you mean `baseline`?)"),
        ("use: [{ set: baseline }, { set: baseline }]", "is already defined"),
        ("use: [{ set: baseline, effect: hold }]", "must say who approves"),
        ("use: [{ set: baseline, effect: allow }]", "must be deny or hold"),
        ("use: [{ set: baseline, approval: { approvers: [x] } }]", "belongs to effect: hold"),
        ("use: [{ priority: 3 }]", "`use[1].set` is missing"),
        ("use: [{ set: baseline, what: { kinds: [drop] } }]", "unknown key"),
    ])
    func mistakesAreTold(_ use: String, _ message: String) {
        let told = errors(configuration(other: sets + "\n" + use))
        #expect(told.contains { $0.contains(message) }, "\(told)")
    }

    @Test func namesOfSetsAreUniqueAndNotThoseOfPacks() {
        #expect(
            errors(configuration(other: sets + sets.dropFirst("rule_sets:".count))).contains {
                $0.contains("rule set `baseline` is already defined")
            })
        let pack = "rule_sets:\n  - { name: bulk-export, rules: [{ id: a, effect: deny }] }"
        #expect(errors(configuration(other: pack)).contains { $0.contains("comes with the program") })
    }

    @Test func aSetThatIsNotUsedIsWarnedOf() throws {
        #expect(try load(configuration(other: sets)).warnings.contains { $0.message.contains("is not in force anywhere") })
    }

    @Test(arguments: RulePack.shipped)
    func everyPackCanBeUsed(_ pack: RulePack) throws {
        let loaded = try load(configuration(other: "use:\n  - { set: \(pack.name) }"))
        #expect(loaded.warnings.isEmpty)
        #expect(!loaded.settings.policy.rules.isEmpty)
        #expect(loaded.settings.policy.rules.allSatisfy { $0.id.hasPrefix(pack.name + "/") && !$0.reason.isEmpty })
        // A person may copy the text into a set of his own.
        let own = pack.text.replacingOccurrences(of: "\n", with: "\n    ")
        #expect(
            try !load(configuration(other: "rule_sets:\n  - name: mine\n    \(own)\nuse: [{ set: mine }]")).settings.policy.rules.isEmpty)
    }

    @Test func optionsOfATargetAreRead() throws {
        let targets = standardTargets + "\n    opaque: deny\n    functions: [app.total, \"report_*\"]"
        let options = try load(configuration(targets: targets)).settings.policy.targetOptions["orders"]
        #expect(options == TargetOptions(opaque: .deny, functions: [try NamePattern("app.total"), try NamePattern("report_*")]))
        #expect(try load(configuration()).settings.policy.targetOptions.isEmpty)
        #expect(errors(configuration(targets: standardTargets + "\n    opaque: maybe")).contains { $0.contains("must be deny or rules") })
    }

    @Test func newFactsAreRead() throws {
        let what = try rules(
            "rules:\n  - { id: a, effect: deny, what: { multi_statement: true, calls_procedure: false, moves_data: true, unbounded_read: true, copies_masked_data: true, probes_masked_data: false, estimated_rows: \">10000\" } }"
        ).first?.what
        #expect(
            what
                == What(
                    multiStatement: true, callsProcedure: false, movesData: true, unboundedRead: true, copiesMaskedData: true,
                    probesMaskedData: false, estimatedRows: .above(10_000)))
        let told = errors(configuration(rules: "rules:\n  - { id: a, effect: deny, what: { estimated_rows: many } }"))
        #expect(told.contains { $0.contains("is not a condition on rows") })
    }
}

@Suite struct PolicyCaseTests {
    @Test func casesTakeWhatTheDefaultsSay() throws {
        let cases = try PolicyCase.load(
            """
            defaults: { user: alice, groups: [agents], target: orders }
            cases:
              - { statement: SELECT 1, expect: allow }
              - { name: other, user: ci, groups: [bots], claims: { repository: acme/shop }, role: writer, statement: DROP TABLE x, at: 2026-05-01T10:00:00Z, estimated_rows: 7, expect: deny, rule: a/b }
            """, file: "cases.yaml")
        #expect(cases.count == 2)
        #expect(cases[0] == PolicyCase(user: "alice", groups: ["agents"], target: "orders", statement: "SELECT 1", expect: .allow, line: 3))
        #expect(
            cases[1]
                == PolicyCase(
                    name: "other", user: "ci", groups: ["bots"], claims: ["repository": "acme/shop"], target: "orders", role: "writer",
                    statement: "DROP TABLE x", estimatedRows: 7, time: WallTime(seconds: 1_777_629_600), expect: .deny, rule: "a/b", line: 4
                ))
    }

    @Test(arguments: [
        ("cases: []", "missing or empty"), ("cases: [{ user: a, target: t, statement: s }]", "`cases[1].expect` is missing"),
        ("cases: [{ user: a, target: t, statement: s, expect: maybe }]", "must be"),
        ("cases: [{ target: t, statement: s, expect: deny }]", "user` is missing"),
        ("cases: [{ user: a, target: t, statement: s, expect: deny, wrong: 1 }]", "unknown key"), ("case: []", "unknown key"),
    ])
    func mistakesAreTold(_ text: String, _ message: String) {
        let error = #expect(throws: SettingsError.self) { try PolicyCase.load(text, file: "cases.yaml") }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }

    @Test func aPolicyIsReadWithoutItsSecrets() throws {
        let folder = try Folder()
        let targets =
            standardTargets.replacingOccurrences(of: "${env:READER}", with: "${env:NOT_SET}")
            + "\n    tls: { ca_file: /nowhere.pem }"
        let file = try folder.write(configuration(targets: targets, rules: "rules:\n  - { id: a, effect: deny }"), to: "gw.yaml")
        #expect(throws: SettingsError.self) { try GatehouseSettings.load(file: file, environment: [:]) }
        let read = try PolicyFile.load(file: file, environment: [:])
        #expect(read.targets.map(\.name) == ["orders"])
        #expect(read.policy.rules.map(\.id) == ["a"])
    }
}
