import GatehouseCore
import Policy
import Testing

@Suite struct OrderTests {
    @Test func nothingMatchesMeansTheTargetsDefault() throws {
        #expect(try judge(action("select"), by: []).rule == "gatehouse.default")
        #expect(try judge(action("select"), by: []).decision == .deny)
        #expect(try judge(action("select"), by: [], default: .allow).decision == .allow)
    }

    @Test func lowerPriorityGoesFirstThenTheFilesOrder() throws {
        let late = allow(id: "late", priority: 90)
        let early = deny(What(), id: "early", priority: 10)
        #expect(try judge(action("select"), by: [late, early]).rule == "early")
        let first = allow(id: "first", priority: 10)
        #expect(try judge(action("select"), by: [first, early]).rule == "first")
        #expect(try judge(action("select"), by: [early, first]).rule == "early")
    }

    @Test func rulesOfOthersAndOfOtherTargetsDoNotCount() throws {
        let rules = [
            deny(What(), id: "others", who: Who(groups: ["humans"])), deny(What(), id: "elsewhere", where: Where(targets: ["billing"])),
            deny(What(), id: "labelled", where: Where(labels: ["env": "staging"])), allow(),
        ]
        #expect(try judge(action("select"), by: rules).rule == "yes")
    }

    @Test func aDenialSaysWhyAndWhatIsAllowed() throws {
        let verdict = try judge(action("drop.table", defining: ["customers"]), by: [deny(What(kinds: ["drop"]), id: "no-drop")])
        #expect(verdict == Verdict(decision: .deny, rule: "no-drop", reason: "because", hint: "ask"))
        let fallback = try judge(action("drop.table"), by: [allow(What(kinds: ["select"], tables: try names("public.*")), id: "read")])
        #expect(fallback.hint == "Allowed here: select on public.* (rule read).")
    }
}

@Suite struct DenyTests {
    /// Each denied by the rule with everything else allowed, and each harmless one let through.
    @Test(arguments: [
        (What(kinds: ["drop"]), action("drop.table", defining: ["customers"]), true),
        (What(kinds: ["drop"]), action("select", "drop.table"), true),
        (What(kinds: ["drop"]), action("select", reading: ["customers"]), false),
        (What(kinds: ["delete"]), action("select", "delete", writing: ["customers"]), true),
        (What(kinds: ["delete"], missingWhere: true), action("delete", writing: ["customers"], flags: .unboundedWrite), true),
        (What(kinds: ["delete"], missingWhere: true), action("delete", writing: ["customers"]), false),
        (What(kinds: ["delete"], missingWhere: true), action("update", writing: ["customers"], flags: .unboundedWrite), false),
        (What(missingWhere: false), action("delete", flags: .unboundedWrite), false),
        (What(copyProgram: true), action("copy.to", flags: .copyProgram), true),
        (What(copyProgram: true), action("copy.to"), false),
        (What(copyFile: true), action("copy.from", flags: .copyFile), true),
        (What(copyFile: true), action("copy.from", flags: .copyProgram), false),
        (What(opaque: true), action("do", flags: .opaque), true),
        (What(opaque: true), action("create.function"), false),
        (What(unknownFunction: true), action("select", calling: ["app.f"], flags: .callsUnknownFunction), true),
        (What(unknownFunction: true), action("select"), false),
        (What(settings: ["search_path"]), action("set", settings: [setting("search_path", "x")]), true),
        (What(settings: ["search_path"]), action("set", settings: [setting("work_mem", "x")]), false),
        (What(kinds: ["set"]), action("select", calling: ["set_config"], settings: [setting("work_mem", "1")]), true),
        (What(kinds: ["set"]), action("select"), false),
    ])
    func denies(_ what: What, _ action: Action, _ denied: Bool) throws {
        let verdict = try judge(action, by: [deny(what), allow(priority: 99)])
        #expect(verdict.rule == (denied ? "no" : "yes"))
    }

    @Test(arguments: [
        ("public.customers", action("select", reading: ["customers"]), true),
        ("public.customers", action("select", reading: ["public.customers"]), true),
        ("public.customers", action("select", reading: ["customer_names"]), true),
        ("app.orders", action("select", reading: ["orders_2026"]), true),
        ("app.orders_2026", action("select", reading: ["orders"]), true),
        ("customers", action("select", reading: ["orders", "customers"]), true),
        ("audit.*", action("select", reading: ["customers"]), false),
        ("audit.*", action("select", reading: ["audit.log"]), true),
        ("audit.*", action("select", reading: ["audit.not_seen_yet"]), true),
        ("audit.secret", action("create.table", defining: ["secret"]), true),
        ("app.customers", action("select", reading: ["customers"]), false),
        ("app.customers", action("drop.table", defining: ["customers"]), false),
        ("app.customers", action("create.table", defining: ["customers"]), true),
        ("customers", action("select"), false),
        ("audit.*", action("drop.schema"), true),
        ("audit.*", action("grant"), true),
        ("audit.*", action("grant", defining: ["customers"]), false),
        ("app.\"Mixed\"", action("select", reading: ["app.Mixed"]), true),
        ("app.mixed", action("select", reading: ["app.Mixed"]), false),
    ])
    func deniesByTable(_ pattern: String, _ action: Action, _ denied: Bool) throws {
        let rules = [deny(What(tables: try names(pattern))), allow(priority: 99)]
        #expect(try judge(action, by: rules).rule == (denied ? "no" : "yes"))
    }

    @Test func anUnreadableCatalogMayHoldAnything() throws {
        let rules = [deny(What(tables: try names("audit.*"))), allow(priority: 99)]
        #expect(try judge(action("select", reading: ["customers"]), by: rules, resolver: Unreadable()).rule == "no")
        #expect(try judge(action("select"), by: rules, resolver: Unreadable()).rule == "yes")
    }

    @Test func aRuleOfWritesLooksAtWrittenTables() throws {
        let rules = [deny(What(kinds: ["delete", "update"], tables: try names("customers"))), allow(priority: 99)]
        #expect(try judge(action("delete", writing: ["customers"]), by: rules).rule == "no")
        #expect(try judge(action("delete", reading: ["customers"], writing: ["orders"]), by: rules).rule == "yes")
        let reads = [deny(What(kinds: ["select", "delete"], tables: try names("customers"))), allow(priority: 99)]
        #expect(try judge(action("select", "delete", reading: ["customers"], writing: ["orders"]), by: reads).rule == "no")
    }

    @Test(arguments: [
        ("pg_read_file", "pg_read_file", true), ("pg_read_file", "pg_catalog.pg_read_file", true),
        ("pg_read_file", "evil.pg_read_file", true),
        ("pg_catalog.pg_read_file", "pg_read_file", true), ("pg_catalog.pg_read_file", "app.pg_read_file", false),
        ("dblink*", "dblink_exec", true),
        ("dblink*", "public.dblink", true), ("lo_*", "count", false), ("pg_read_file", "pg_read_files", false),
    ])
    func deniesByFunction(_ pattern: String, _ called: String, _ denied: Bool) throws {
        let rules = [deny(What(functions: try names(pattern))), allow(priority: 99)]
        #expect(try judge(action("select", calling: ["count", called]), by: rules).rule == (denied ? "no" : "yes"))
    }
}

@Suite struct AllowTests {
    /// What a rule that allows lets through on a target that denies by default.
    @Test(arguments: [
        (What(kinds: ["select"]), action("select", reading: ["customers"]), true),
        (What(kinds: ["select"]), action("select", "delete", writing: ["customers"]), false),
        (What(kinds: ["select", "delete"]), action("select", "delete"), true),
        (What(kinds: ["select"]), Action(kinds: []), false),
        (What(kinds: ["copy"]), action("copy.to"), true),
        (What(kinds: ["copy"]), action("copy.to", flags: .copyProgram), false),
        (What(kinds: ["copy"]), action("copy.to", flags: .copyFile), false),
        (What(kinds: ["copy"], copyFile: true), action("copy.to", flags: .copyFile), true),
        (What(kinds: ["copy"], copyFile: true), action("copy.to"), false),
        (What(kinds: ["delete"], missingWhere: false), action("delete"), true),
        (What(kinds: ["delete"], missingWhere: false), action("delete", flags: .unboundedWrite), false),
        (What(kinds: ["select"]), action("select", settings: [setting("row_security", "off")]), false),
        (What(kinds: ["select", "set"]), action("select", settings: [setting("row_security", "off")]), true),
        (What(settings: ["work_mem", "statement_*"]), action("set", settings: [setting("statement_timeout", "1s")]), true),
        (What(settings: ["work_mem"]), action("set", settings: [setting("work_mem", "1"), setting("search_path", "x")]), false),
        (What(settings: ["*"]), action("select"), false),
        (What(kinds: ["create.function"]), action("create.function"), true),
        (What(kinds: ["select"], unknownFunction: false), action("select", flags: .callsUnknownFunction), false),
    ])
    func allows(_ what: What, _ action: Action, _ allowed: Bool) throws {
        #expect(try judge(action, by: [allow(what)]).decision == (allowed ? .allow : .deny))
    }

    @Test(arguments: [
        (["public.customers"], action("select", reading: ["customers"]), true),
        (["public.*"], action("select", reading: ["customer_names"]), true),
        (["public.customer_names"], action("select", reading: ["customer_names"]), false),
        (["public.customers"], action("select", reading: ["customers", "audit.log"]), false),
        (["public.customers", "audit.log"], action("select", reading: ["customers", "audit.log"]), true),
        (["app.orders"], action("select", reading: ["orders"]), false),
        (["app.orders*"], action("select", reading: ["orders"]), true),
        (["public.new"], action("select", reading: ["new"]), false),
        (["public.new"], action("select", reading: ["public.new"]), true),
        (["new"], action("select", reading: ["new"]), true),
        (["public.*"], action("select"), true),
        (["public.*"], action("select", calling: ["now"]), true),
        (["public.*"], action("select", calling: ["app.f"], flags: .callsUnknownFunction), false),
        (["public.*"], action("alter.system"), false),
        (["public.*"], action("select", settings: [setting("x", "y")]), false),
    ])
    func allowsByTable(_ patterns: [String], _ action: Action, _ allowed: Bool) throws {
        let what = What(tables: try patterns.map { try NamePattern($0) })
        #expect(try judge(action, by: [allow(what)]).decision == (allowed ? .allow : .deny))
    }

    @Test func anUnreadableCatalogAllowsNothingByTable() throws {
        let rule = allow(What(tables: try names("*.*")))
        #expect(try judge(action("select", reading: ["customers"]), by: [rule], resolver: Unreadable()).decision == .deny)
    }

    @Test(arguments: [
        (["app.total"], action("select", calling: ["app.total"], flags: .callsUnknownFunction), true),
        (["app.total"], action("select", calling: ["app.total", "app.purge"], flags: .callsUnknownFunction), false),
        (["app.total"], action("select", calling: ["total"], flags: .callsUnknownFunction), false),
        (["total"], action("select", calling: ["total"], flags: .callsUnknownFunction), true),
        (["*.total"], action("select", calling: ["total"], flags: .callsUnknownFunction), true),
        (["app.total"], action("select", calling: ["count"]), false),
        (["count"], action("select", calling: ["count", "sum"]), true),
        (["app.total"], action("delete", writing: ["customers"]), false),
        (["app.total"], action("select", flags: .callsUnknownFunction), false),
    ])
    func allowsByFunction(_ patterns: [String], _ action: Action, _ allowed: Bool) throws {
        let what = What(functions: try patterns.map { try NamePattern($0) })
        #expect(try judge(action, by: [allow(what)]).decision == (allowed ? .allow : .deny))
    }
}
