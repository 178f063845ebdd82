import GatehouseCore

/// Finds the rules that could hold for an action without asking each.
///
/// Every rule is filed under one thing that it cannot hold without: a table, function or setting by its literal name, a
/// flag, or its kinds; or under nothing, and is then always asked. What is found is always enough, never exact: the rules
/// themselves decide. Where facts are hidden, every rule that denies or holds is found, for hidden code may do anything.
struct RuleIndex: Sendable {
    /// Every rule.
    private(set) var all: RuleSetBits
    /// Filed under nothing.
    private var always: RuleSetBits
    /// Rules that deny or hold.
    private var strict: RuleSetBits
    /// Rules that can hold for a text that was not understood.
    private var unparsed: RuleSetBits
    private var byTable: [String: RuleSetBits] = [:]
    private var byFunction: [String: RuleSetBits] = [:]
    private var bySetting: [String: RuleSetBits] = [:]
    private var byKind: [String: RuleSetBits] = [:]
    private var byFlag: [(flags: Action.Flags, rules: RuleSetBits)] = []
    /// Strict rules that are filed under tables: an action may touch tables that it does not name.
    private var strictByTable: RuleSetBits
    /// Allowing rules that are filed under tables: they may let through what touches none.
    private var allowingByTable: RuleSetBits
    private var everyBySetting: RuleSetBits
    private let none: RuleSetBits

    init(_ rules: [CompiledRule]) {
        none = RuleSetBits(count: rules.count)
        (all, always, strict, unparsed) = (none, none, none, none)
        (strictByTable, allowingByTable, everyBySetting) = (none, none, none)
        for (number, rule) in rules.enumerated() { file(rule, number) }
    }

    private mutating func file(_ rule: CompiledRule, _ number: Int) {
        all.insert(number)
        let isStrict = rule.rule.effect != .allow
        if isStrict { strict.insert(number) }
        var text = Facts(.unparsed(because: ""), UnresolvedNames())
        if rule.holds(&text) != .no { unparsed.insert(number) }

        let what = rule.rule.what
        let tables = what.tables.compactMap(\.name.literal)
        let functions = what.functions.compactMap(\.name.literal)
        let settings = what.settings.compactMap(\.literal)
        if !tables.isEmpty, tables.count == what.tables.count {
            for name in tables { byTable[name, default: none].insert(number) }
            if isStrict { strictByTable.insert(number) } else { allowingByTable.insert(number) }
        } else if !functions.isEmpty, functions.count == what.functions.count {
            for name in functions { byFunction[name, default: none].insert(number) }
        } else if !settings.isEmpty, settings.count == what.settings.count {
            for name in settings { bySetting[name, default: none].insert(number) }
            everyBySetting.insert(number)
        } else if !what.neededFlags.isEmpty {
            let flags = what.neededFlags
            if let place = byFlag.firstIndex(where: { $0.flags == flags }) {
                byFlag[place].rules.insert(number)
            } else {
                var rules = none
                rules.insert(number)
                byFlag.append((flags, rules))
            }
        } else if !what.kinds.isEmpty, what.kinds.allSatisfy(\.isLiteral) {
            for kind in what.kinds { byKind[kind.description, default: none].insert(number) }
        } else {
            always.insert(number)
        }
    }

    /// Every rule that could hold for the action, and perhaps some that do not.
    func candidates(_ facts: inout Facts) -> RuleSetBits {
        if facts.isUnparsed { return unparsed }
        var found = always
        if facts.isOpaque || facts.storesCode { found.formUnion(strict) }
        for entry in byFlag where facts.action.flags.isSuperset(of: entry.flags) { found.formUnion(entry.rules) }
        if !byKind.isEmpty { addKinds(facts, &found) }
        if !byFunction.isEmpty {
            for function in facts.action.functions { add(byFunction[function.name], &found) }
        }
        if !bySetting.isEmpty {
            for change in facts.action.settings {
                if let name = change.name { add(bySetting[name], &found) } else { found.formUnion(everyBySetting) }
            }
        }
        if !byTable.isEmpty { addTables(&facts, &found) }
        return found
    }

    private func add(_ rules: RuleSetBits?, _ found: inout RuleSetBits) {
        if let rules { found.formUnion(rules) }
    }

    /// A kind is found under its own word and every word above it.
    private func addKinds(_ facts: Facts, _ found: inout RuleSetBits) {
        for kind in facts.action.kinds {
            add(byKind[kind], &found)
            var rest = kind[...]
            while let dot = rest.utf8.lastIndex(of: UInt8(ascii: ".")) {
                rest = rest[..<dot]
                add(byKind[String(rest)], &found)
            }
        }
        if facts.setsQuietly { add(byKind["set"], &found) }
    }

    private func addTables(_ facts: inout Facts, _ found: inout RuleSetBits) {
        if facts.isWholesale { found.formUnion(strictByTable) }
        if facts.action.objects.isEmpty { found.formUnion(allowingByTable) }
        for object in facts.objects() {
            add(byTable[object.reference.name.name], &found)
            guard let reached = object.reached else {
                found.formUnion(strictByTable)
                continue
            }
            for relation in reached where relation.name != object.reference.name.name { add(byTable[relation.name], &found) }
        }
    }
}

/// Stands in where no name is looked up.
private struct UnresolvedNames: NameResolver {
    func relations(reachedBy name: QualifiedName) -> Set<Relation>? { nil }
}
