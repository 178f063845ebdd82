import GatehouseCore
import Policy
import Testing

private func rows(_ action: Action, _ estimate: Int?) -> Action {
    var action = action
    action.estimatedRows = estimate
    return action
}

@Suite struct RowEstimateTests {
    private let large = deny(What(kinds: ["select"], estimatedRows: .above(10_000)), id: "large")

    @Test func conditionsAreRead() {
        #expect(RowCondition(">10000") == .above(10_000))
        #expect(RowCondition("<= 5") == .atMost(5))
        #expect(RowCondition(">=0") == .atLeast(0))
        #expect(RowCondition("<7") == .below(7))
        #expect(RowCondition("unknown") == .unknown)
        for text in ["", "10", "=5", ">", ">-1", "> 1e3", ">99999999999999999999", "Unknown"] {
            #expect(RowCondition(text) == nil, "\(text)")
        }
    }

    @Test func aKnownEstimateDecides() throws {
        #expect(try judge(rows(action("select"), 10_001), by: [large, allow(priority: 99)]).rule == "large")
        #expect(try judge(rows(action("select"), 10_000), by: [large, allow(priority: 99)]).rule == "yes")
        #expect(try judge(rows(action("delete"), 99_999), by: [large, allow(priority: 99)]).rule == "yes")
    }

    @Test func anUnknownOneIsDeniedUnlessARuleNamesIt() throws {
        #expect(try judge(action("select"), by: [large, allow(priority: 99)]).rule == "gatehouse.unknown-estimate")
        let named = allow(What(kinds: ["select"], estimatedRows: .unknown), id: "named", priority: 10)
        #expect(try judge(action("select"), by: [large, named]).rule == "named")
        #expect(try judge(rows(action("select"), 20_000), by: [large, named]).rule == "large")
    }

    @Test func statementsWithoutRowsAreNotAskedFor() throws {
        let any = deny(What(estimatedRows: .above(1)), id: "any")
        #expect(try judge(action("transaction.begin"), by: [any, allow(priority: 99)]).rule == "yes")
        #expect(try judge(action("explain", "explain.select"), by: [any, allow(priority: 99)]).rule == "yes")
        #expect(try judge(action("do", flags: .opaque), by: [any, allow(priority: 99)]).rule == "gatehouse.opaque")
    }

    @Test func anAllowingRuleNeedsToKnow() throws {
        let few = allow(What(kinds: ["select"], estimatedRows: .atMost(100)), id: "few")
        #expect(try judge(rows(action("select"), 100), by: [few]).rule == "few")
        #expect(try judge(rows(action("select"), 101), by: [few]).rule == "gatehouse.default")
        #expect(try judge(action("select"), by: [few], default: .allow).rule == "gatehouse.unknown-estimate")
    }

    @Test func anEstimateIsAskedForOnlyWhereItMatters() throws {
        let engine = engine([deny(What(tables: try names("audit.*")), id: "audit", priority: 1), large, allow(priority: 99)])
        let permit = try engine.admit(principal(), to: target(), role: nil, at: now).get()
        func needs(_ action: Action) -> Bool { engine.needsRowEstimate(action, under: permit, resolver: Shop(), at: now) }
        #expect(needs(action("select", reading: ["customers"])))
        #expect(!needs(action("select", reading: ["audit.log"])))
        #expect(!needs(action("delete", writing: ["customers"])))
        #expect(!needs(rows(action("select"), 5)))
        #expect(!needs(action("set")))
    }
}

@Suite struct NewFactTests {
    @Test(arguments: [
        (What(multiStatement: true), action("select", flags: .multiStatement), true), (What(multiStatement: true), action("select"), false),
        (What(multiStatement: true), action("do", flags: .opaque), false), (What(multiStatement: false), action("select"), true),
        (What(callsProcedure: true), action("call", flags: [.opaque, .callsProcedure]), true),
        (What(callsProcedure: true), action("select"), false),
        (What(movesData: true), action("insert", "select", flags: .movesData), true), (What(movesData: true), action("insert"), false),
        (What(unboundedRead: true), action("select", flags: .unboundedRead), true), (What(unboundedRead: true), action("select"), false),
        (What(copiesMaskedData: true), action("insert", flags: .copiesMaskedData), true),
        (What(copiesMaskedData: true), action("insert"), false),
        (What(probesMaskedData: true), action("select", flags: .probesMaskedData), true),
        (What(probesMaskedData: true), action("select"), false),
        (What(kinds: ["alter.*.change_owner"]), action("alter.table.change_owner"), true),
        (What(kinds: ["alter.*.change_owner"]), action("alter.table.add_column"), false),
    ])
    func deniesByFact(_ what: What, _ action: Action, _ denied: Bool) throws {
        let opaque = allow(What(opaque: true), id: "yes", priority: 60)
        #expect(try judge(action, by: [deny(what), opaque, allow(priority: 99)]).rule == (denied ? "no" : "yes"))
    }

    @Test func hiddenCodeMayCallProceduresToo() throws {
        #expect(
            try judge(action("do", flags: .opaque), by: [deny(What(callsProcedure: true)), allow(priority: 99)]).rule == "gatehouse.opaque")
    }

    /// What keeps code under a name is as hidden as the code.
    @Test(arguments: ["create.function", "create.rule", "create.operator", "create.aggregate", "create.cast", "alter.function.rename"])
    func codeThatIsKeptIsHidden(_ kind: String) throws {
        #expect(try judge(action(kind), by: [deny(What(kinds: ["delete"])), allow(priority: 99)]).rule == "gatehouse.opaque")
    }
}

@Suite struct SessionKindTests {
    private let opening = action("session")

    @Test func onlyRulesThatNameItAreAsked() throws {
        #expect(try judge(opening, by: []).decision == .allow)
        #expect(try judge(opening, by: [deny(What())]).decision == .allow)
        #expect(try judge(opening, by: [deny(What(kinds: ["*"]))]).decision == .allow)
        #expect(try judge(opening, by: [deny(What(kinds: ["session"]), id: "closed")]).rule == "closed")
        #expect(try judge(opening, by: [allow(What(kinds: ["session"]), id: "open"), deny(What(kinds: ["session"]))]).rule == "open")
    }

    @Test func aHoldCarriesItsTerms() throws {
        let terms = HoldTerms(approvers: ["managers"], required: 2, needsReason: true)
        let verdict = try judge(opening, by: [Rule(id: "ask", what: What(kinds: ["session"]), effect: .hold, hold: terms)])
        #expect(verdict.decision == .hold && verdict.hold == terms && verdict.category == .approval)
    }
}

@Suite struct HoldTests {
    private let hold = Rule(
        id: "ask", priority: 50, what: What(kinds: ["delete"]), effect: .hold, hold: HoldTerms(approvers: ["managers"]), reason: "why",
        hint: "how")

    @Test func aHoldAppliesAsADenialDoes() throws {
        let verdict = try judge(action("select", "delete"), by: [hold, allow(priority: 99)])
        #expect(verdict == Verdict(decision: .hold, rule: "ask", reason: "why", hint: "how", category: .approval, hold: hold.hold))
        #expect(try judge(action("select"), by: [hold, allow(priority: 99)]).rule == "yes")
    }

    /// Nobody could know what he approves.
    @Test func whatCannotBeKnownIsDeniedNotHeld() throws {
        #expect(try judge(action("do", flags: .opaque), by: [hold, allow(priority: 99)]).rule == "gatehouse.opaque")
        #expect(try judge(.unparsed(because: "x"), by: [hold, allow(priority: 99)]).rule == "gatehouse.unparsed")
        let opaque = Rule(id: "opaque", what: What(opaque: true), effect: .hold, hold: hold.hold)
        #expect(try judge(action("do", flags: .opaque), by: [opaque]).decision == .hold)
    }

    @Test func whatIsReservedNeedsARuleThatNamesIt() throws {
        let all = Rule(id: "all", what: What(), effect: .hold, hold: hold.hold)
        #expect(try judge(action("set.role"), by: [all]).rule == "gatehouse.set-role")
        let named = Rule(id: "named", what: What(kinds: ["set.role"]), effect: .hold, hold: hold.hold)
        #expect(try judge(action("set.role"), by: [named]).decision == .hold)
    }

    @Test func theFirstOfHoldAndDenyDecides() throws {
        #expect(try judge(action("delete"), by: [hold, deny(What(kinds: ["delete"]))]).decision == .hold)
        #expect(try judge(action("delete"), by: [deny(What(kinds: ["delete"]), priority: 10), hold]).decision == .deny)
        #expect(Verdict.Decision.hold.isStricter(than: .allow) && Verdict.Decision.deny.isStricter(than: .hold))
    }
}

@Suite struct TargetOptionTests {
    private func judge(_ action: Action, _ options: TargetOptions, by rules: [Rule] = [allow()]) throws -> Verdict {
        let engine = PolicyEngine(
            PolicyDocument(access: [everybody], rules: rules, defaultDecisions: ["orders": .allow], targetOptions: ["orders": options]))
        let permit = try engine.admit(principal(), to: target(), role: nil, at: now).get()
        return engine.judge(action, under: permit, resolver: Shop(), at: now)
    }

    @Test func opaqueCodeIsDeniedWhateverTheRulesSay() throws {
        let named = [allow(What(opaque: true))]
        #expect(try judge(action("do", flags: .opaque), TargetOptions(opaque: .deny), by: named).rule == "gatehouse.opaque")
        #expect(try judge(action("do", flags: .opaque), TargetOptions(opaque: .rules), by: named).rule == "yes")
        #expect(try judge(.unparsed(because: "x"), TargetOptions(opaque: .deny)).rule == "gatehouse.unparsed")
        #expect(try judge(action("select"), TargetOptions(opaque: .deny)).rule == "yes")
    }

    @Test func onlyListedFunctionsAreCalled() throws {
        let options = TargetOptions(functions: try names("app.total", "report_*"))
        func calls(_ functions: String..., unknown: Bool = true) throws -> String {
            var action = action("select", flags: unknown ? .callsUnknownFunction : [])
            action.functions = functions.map { text in
                let parts = text.split(separator: ".").map(String.init)
                return QualifiedName(schema: parts.count == 2 ? parts[0] : nil, name: parts.last ?? "")
            }
            return try judge(action, options).rule
        }
        #expect(try calls("app.total") == "yes")
        #expect(try calls("report_daily") == "yes")
        #expect(try calls("app.purge") == "gatehouse.functions")
        #expect(try calls("app.total", "app.purge") == "gatehouse.functions")
        #expect(try calls("total") == "gatehouse.functions")
        #expect(try calls() == "gatehouse.functions")
        #expect(try calls("lower", unknown: false) == "yes")
    }

    @Test func theOptionsAreOfTheVersion() {
        let plain = PolicyDocument(access: [everybody])
        let strict = PolicyDocument(access: [everybody], targetOptions: ["orders": TargetOptions(opaque: .deny)])
        #expect(plain.version != strict.version)
    }
}

@Suite struct ExplanationTests {
    @Test func everyRuleOnTheWaySaysWhatBecameOfIt() throws {
        let rules = [
            deny(What(), id: "elsewhere", where: Where(targets: ["billing"])), deny(What(), id: "others", who: Who(groups: ["humans"])),
            Rule(id: "later", priority: 50, what: What(), when: When(from: WallTime(seconds: 5_000)), effect: .deny),
            deny(What(kinds: ["drop"]), id: "kinds"), deny(What(kinds: ["select"], tables: try names("audit.*")), id: "tables"),
            deny(What(missingWhere: true), id: "flag"), allow(id: "last", priority: 60), deny(What(), id: "never", priority: 70),
        ]
        let engine = engine(rules)
        let permit = try engine.admit(principal(), to: target(), role: nil, at: now).get()
        let told = engine.explain(action("select", reading: ["customers"]), under: permit, resolver: Shop(), at: now)
        #expect(told.verdict.rule == "last")
        #expect(told.steps.map(\.rule) == ["elsewhere", "others", "later", "kinds", "tables", "flag", "last"])
        #expect(
            told.steps.map(\.outcome) == [
                .elsewhere, .someoneElse, .outOfTime, .what("kinds"), .what("tables"), .what("missing_where"), .decided,
            ])
    }

    @Test func hiddenFactsAndReservedKindsAreTold() throws {
        let engine = engine([allow(What(kinds: ["do"]), id: "allowing"), deny(What(kinds: ["drop"]), id: "denying", priority: 60)])
        let permit = try engine.admit(principal(), to: target(), role: nil, at: now).get()
        let told = engine.explain(action("do", flags: .opaque), under: permit, resolver: Shop(), at: now)
        #expect(told.steps.map(\.outcome) == [.hidden("gatehouse.opaque"), .hidden("gatehouse.opaque")])
        #expect(told.verdict.rule == "gatehouse.opaque")
        let role = engine.explain(action("set.role"), under: permit, resolver: Shop(), at: now)
        #expect(role.verdict.rule == "gatehouse.set-role")
    }
}
