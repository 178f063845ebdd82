import GatehouseCore
import Policy
import Testing

private let unparsed = Action.unparsed(because: "syntax")
private let opaque = action("do", flags: .opaque)
private let noDrop = deny(What(kinds: ["drop"]), id: "no-drop", priority: 20)

@Suite struct UnparsedTests {
    @Test func isDeniedWhereARuleNeedsTheFacts() throws {
        #expect(try judge(unparsed, by: [noDrop, allow(priority: 99)]).rule == "gatehouse.unparsed")
        #expect(try judge(unparsed, by: [noDrop], default: .allow).rule == "gatehouse.unparsed")
        #expect(try judge(unparsed, by: [allow(What(kinds: ["select"]))]).rule == "gatehouse.unparsed")
        #expect(try judge(unparsed, by: [allow(What(kinds: ["select"]))], default: .allow).rule == "gatehouse.unparsed")
        #expect(try judge(unparsed, by: [allow(What(kinds: ["*"]))]).rule == "gatehouse.unparsed")
    }

    @Test func passesWhereNoRuleNeedsThem() throws {
        #expect(try judge(unparsed, by: [allow()]).decision == .allow)
        #expect(try judge(unparsed, by: [], default: .allow).decision == .allow)
        #expect(try judge(unparsed, by: [deny(What(kinds: ["drop"]), who: Who(groups: ["others"])), allow()]).decision == .allow)
        #expect(try judge(unparsed, by: [allow(priority: 10), noDrop]).decision == .allow)
    }

    @Test func aRuleThatNamesItDecidesInItsTurn() throws {
        let permitted = allow(What(unparsed: true), id: "trust", priority: 10)
        #expect(try judge(unparsed, by: [permitted, noDrop]).rule == "trust")
        #expect(try judge(unparsed, by: [noDrop, allow(What(unparsed: true), id: "trust", priority: 30)]).rule == "gatehouse.unparsed")
        #expect(try judge(unparsed, by: [deny(What(unparsed: true), id: "never"), allow()]).rule == "never")
        #expect(try judge(unparsed, by: [allow(What(kinds: ["unparsed"]), id: "kind", priority: 10), noDrop]).rule == "kind")
        #expect(try judge(action("select"), by: [deny(What(unparsed: true)), allow(priority: 99)]).rule == "yes")
        // Naming it beside a fact that is not known does not help.
        #expect(try judge(unparsed, by: [allow(What(kinds: ["select"], unparsed: true))]).rule == "gatehouse.unparsed")
    }
}

@Suite struct OpaqueTests {
    @Test func isDeniedWhereARuleNeedsTheFacts() throws {
        #expect(try judge(opaque, by: [noDrop, allow(priority: 99)]).rule == "gatehouse.opaque")
        #expect(try judge(opaque, by: [deny(What(tables: try names("audit.*"))), allow(priority: 99)]).rule == "gatehouse.opaque")
        #expect(try judge(opaque, by: [allow(What(kinds: ["do"]))]).rule == "gatehouse.opaque")
        #expect(try judge(opaque, by: [deny(What(kinds: ["drop"], missingWhere: true)), allow(priority: 99)]).rule == "gatehouse.opaque")
        let select = action("select", calling: ["query_to_xml"], flags: .opaque)
        #expect(try judge(select, by: [allow(What(kinds: ["select"]))]).rule == "gatehouse.opaque")
        #expect(try judge(select, by: [noDrop], default: .allow).rule == "gatehouse.opaque")
    }

    @Test func whatIsSeenStillDecides() throws {
        #expect(try judge(opaque, by: [deny(What(kinds: ["do"]), id: "no-do"), allow(priority: 99)]).rule == "no-do")
        #expect(try judge(opaque, by: [allow(), noDrop]).rule == "gatehouse.opaque")
        #expect(try judge(opaque, by: [allow(priority: 10), noDrop]).rule == "yes")
    }

    @Test func aRuleThatNamesItDecidesInItsTurn() throws {
        let permitted = allow(What(kinds: ["do"], opaque: true), id: "trust", priority: 10)
        #expect(try judge(opaque, by: [permitted, noDrop]).rule == "trust")
        #expect(try judge(action("call", flags: .opaque), by: [permitted, noDrop]).rule == "gatehouse.opaque")
        #expect(try judge(action("do"), by: [permitted]).rule == "gatehouse.default")
    }

    @Test func storedCodeIsNotSeenEither() throws {
        let create = action("create.function")
        #expect(try judge(create, by: [noDrop, allow(priority: 99)]).rule == "gatehouse.opaque")
        #expect(try judge(create, by: [allow(What(kinds: ["create.function"]), id: "trust", priority: 10), noDrop]).rule == "trust")
        #expect(try judge(create, by: [allow()]).decision == .allow)
        #expect(try judge(action("create.table"), by: [noDrop, allow(priority: 99)]).decision == .allow)
    }
}

@Suite struct MaskTests {
    private func mask(_ id: String = "ssn", except: Who? = nil, where place: Where = Where()) throws -> MaskRule {
        MaskRule(id: id, columns: [try ColumnPattern("public.customers.ssn")], strategy: .redact, except: except, where: place)
    }

    @Test func applyByPlaceAndException() throws {
        let masks = [
            try mask("all"), try mask("not-agents", except: Who(groups: ["agents"])),
            try mask("elsewhere", where: Where(targets: ["billing"])),
        ]
        let engine = engine([], masks: masks)
        let agent = try engine.admit(principal(), to: target(), role: nil, at: now).get()
        let human = try engine.admit(principal(groups: ["people"]), to: target(), role: nil, at: now).get()
        #expect(engine.masks(for: agent).map(\.id) == ["all"])
        #expect(engine.masks(for: human).map(\.id) == ["all", "not-agents"])
    }

    @Test func needTheFactsToo() throws {
        let masks = [try mask()]
        #expect(try judge(unparsed, by: [allow()], masks: masks).rule == "gatehouse.unparsed")
        #expect(try judge(opaque, by: [allow()], masks: masks).rule == "gatehouse.opaque")
        #expect(try judge(opaque, by: [], masks: masks, default: .allow).rule == "gatehouse.opaque")
        #expect(try judge(unparsed, by: [], masks: masks, default: .allow).rule == "gatehouse.unparsed")
        #expect(try judge(action("select", reading: ["customers"]), by: [allow()], masks: masks).decision == .allow)
        #expect(try judge(opaque, by: [allow(What(opaque: true))], masks: masks).decision == .allow)
        #expect(try judge(unparsed, by: [allow(What(unparsed: true))], masks: masks).decision == .allow)
        let forOthers = [try mask(except: Who(groups: ["agents"]))]
        #expect(try judge(opaque, by: [allow()], masks: forOthers).decision == .allow)
    }
}

@Suite struct BuiltInTests {
    @Test(arguments: [
        ("set", "standard_conforming_strings", "off", "gatehouse.string-setting"),
        ("set", "standard_conforming_strings", "on", nil),
        ("set", "standard_conforming_strings", "TRUE", nil),
        ("set", "standard_conforming_strings", "o", "gatehouse.string-setting"),
        ("set", "standard_conforming_strings", nil, "gatehouse.string-setting"),
        ("reset", "standard_conforming_strings", nil, nil),
        ("alter.role", "standard_conforming_strings", "off", "gatehouse.string-setting"),
        ("select", "standard_conforming_strings", "off", "gatehouse.string-setting"),
        ("set", "client_encoding", "LATIN1", "gatehouse.client-encoding"),
        ("set", "client_encoding", "UTF8", nil), ("set", "client_encoding", "utf-8", nil), ("set", "client_encoding", "Unicode", nil),
        ("set", "client_encoding", "SQL_ASCII", "gatehouse.client-encoding"), ("set", "client_encoding", nil, "gatehouse.client-encoding"),
        ("select", nil, "x", "gatehouse.computed-setting"), ("update", nil, nil, "gatehouse.computed-setting"), ("reset", nil, nil, nil),
        ("discard", nil, nil, nil), ("set", "work_mem", "1MB", nil), ("select", "role", "postgres", "gatehouse.set-role"),
        ("set", "session_authorization", "postgres", "gatehouse.set-role"), ("reset", "role", nil, nil),
    ])
    func settings(_ kind: String, _ name: String?, _ value: String?, _ rule: String?) throws {
        let verdict = try judge(action(kind, settings: [setting(name, value)]), by: [allow()])
        #expect(verdict.rule == rule ?? "yes")
        // No rule can open what the reading of text rests on.
        if let rule, rule != "gatehouse.set-role" {
            let named = allow(What(kinds: ["*"], settings: ["*"]), priority: 1)
            #expect(try judge(action(kind, settings: [setting(name, value)]), by: [named, allow()]).rule == rule)
        }
    }

    @Test(arguments: [
        ("set.role", "gatehouse.set-role"), ("function_call", "gatehouse.function-call"), ("replication", "gatehouse.replication"),
        ("replication.start", "gatehouse.replication"),
    ])
    func onlyARuleThatNamesTheKindAllowsIt(_ kind: String, _ builtIn: String) throws {
        let restricted = String(kind.split(separator: ".").prefix(kind.hasPrefix("set") ? 2 : 1).joined(separator: "."))
        for rules in [[], [allow()], [allow(What(kinds: ["*"]))], [allow(What(kinds: ["set", "function", "select"]))]] {
            #expect(try judge(action(kind), by: rules, default: .allow).rule == builtIn)
        }
        #expect(
            try judge(action(kind), by: [allow(priority: 1), allow(What(kinds: [KindPattern(restricted)]), id: "named")]).rule == "named")
        #expect(try judge(action(kind), by: [deny(What(), id: "shut"), allow(What(kinds: [KindPattern(restricted)]))]).rule == "shut")
    }

    @Test func namingOneRestrictedKindDoesNotOpenAnother() throws {
        #expect(try judge(action("set.role", "replication"), by: [allow(What(kinds: ["*", "set.role"]))]).decision == .deny)
    }
}

@Suite struct CachingTests {
    @Test func onlyTableRulesDependOnNames() throws {
        let byTable = engine([deny(What(tables: try names("audit.*")))])
        let byKind = engine([deny(What(kinds: ["drop"]))])
        let read = action("select", reading: ["customers"])
        for (engine, action, expected) in [(byTable, read, true), (byTable, action("select"), false), (byKind, read, false)] {
            let permit = try engine.admit(principal(), to: target(), role: nil, at: now).get()
            #expect(engine.judgementDependsOnNames(action, under: permit) == expected)
        }
    }

    @Test func analysisIsNeededUnlessAllIsDenied() throws {
        for (rules, needed) in [([], true), ([allow()], true), ([deny(What())], false), ([deny(What(kinds: ["drop"]))], true)]
            as [([Rule], Bool)]
        {
            let engine = engine(rules)
            #expect(engine.needsAnalysis(try engine.admit(principal(), to: target(), role: nil, at: now).get()) == needed)
        }
    }
}
