import GatehouseCore

/// Whether a rule's `what` holds for an action, as far as can be known.
enum Holding {
    case yes
    case no
    /// The facts that would tell are hidden: the text was not understood, or it runs code that was not seen.
    case unknown

    func and(_ other: @autoclosure () -> Holding) -> Holding {
        switch self {
        case .no: .no
        case .yes: other()
        case .unknown: other() == .no ? .no : .unknown
        }
    }
}

/// A rule that is about this caller and this target, with what judging needs worked out.
final class CompiledRule: Sendable {
    let rule: Rule
    private let what: What
    let verdict: Verdict
    let isEverything: Bool
    /// The kinds that the rule names are all writes of rows: its tables are then those that are written.
    private let writesOnly: Bool

    init(_ rule: Rule) {
        self.rule = rule
        what = rule.what
        isEverything = rule.what.isEverything
        writesOnly = !what.kinds.isEmpty && what.kinds.allSatisfy { rowWrites.contains($0.description) }
        verdict =
            switch rule.effect {
            case .allow: Verdict(decision: .allow, rule: rule.id, reason: rule.reason, hint: rule.hint)
            case .hold:
                Verdict(
                    decision: .hold, rule: rule.id, reason: rule.reason.isEmpty ? "Rule \(rule.id) asks for an approval." : rule.reason,
                    hint: rule.hint, category: .approval, hold: rule.hold)
            case .deny:
                Verdict(
                    decision: .deny, rule: rule.id, reason: rule.reason.isEmpty ? "Rule \(rule.id) denies this." : rule.reason,
                    hint: rule.hint)
            }
    }

    var namesUnparsed: Bool { what.unparsed == true || what.kinds.contains { $0.names("unparsed") } }
    var namesOpaque: Bool { what.opaque == true }
    var dependsOnNames: Bool { !what.tables.isEmpty }

    func holds(_ facts: inout Facts) -> Holding {
        if isEverything { return .yes }
        switch rule.effect {
        case .deny, .hold: return holdsToDeny(&facts)
        case .allow: return holdsToAllow(&facts)
        }
    }

    // MARK: A rule that denies or holds applies when any fact is on its lists, and when that cannot be ruled out.

    private func holdsToDeny(_ facts: inout Facts) -> Holding {
        if facts.isUnparsed { return holdsForUnparsed() }
        if what.unparsed == true { return .no }
        if let wanted = what.opaque, wanted != facts.isOpaque { return .no }
        // What is not seen may hold anything, unless the rule is about hidden code as such.
        let hidden = (facts.isOpaque || facts.storesCode) && what.opaque != true
        let absent: Holding = hidden ? .unknown : .no

        var result = Holding.yes
        func check(_ present: Bool) {
            result = result.and(present ? .yes : absent)
        }
        if !what.kinds.isEmpty { check(namesAKind(of: facts)) }
        func check(_ wanted: Bool?, _ flag: Action.Flags) {
            guard let wanted else { return }
            let present = facts.action.flags.contains(flag)
            if wanted { check(present) } else { result = result.and(present ? .no : hidden ? .unknown : .yes) }
        }
        check(what.missingWhere, .unboundedWrite)
        check(what.copyProgram, .copyProgram)
        check(what.copyFile, .copyFile)
        check(what.unknownFunction, .callsUnknownFunction)
        if !what.settings.isEmpty { check(facts.action.settings.contains { namesSetting($0) ?? true }) }
        if !what.functions.isEmpty {
            check(facts.action.functions.contains { name in what.functions.contains { $0.mayMatch(name) } })
        }
        if !what.tables.isEmpty, result != .no { check(touchesATable(&facts)) }
        return result
    }

    private func namesAKind(of facts: Facts) -> Bool {
        facts.action.kinds.contains { kind in what.kinds.contains { $0.matches(kind) } }
            || facts.setsQuietly && what.kinds.contains { $0.matches("set") }
    }

    private func touchesATable(_ facts: inout Facts) -> Bool {
        if facts.isWholesale { return true }
        let creates = facts.creates
        return facts.objects().contains { object in
            let reference = object.reference
            if writesOnly, reference.access == .read { return false }
            // The catalog could not be read: it may be any table.
            guard let reached = object.reached else { return true }
            // A name that reaches nothing yet, is about to be made, or says its schema itself is compared as written too.
            let asWritten = reached.isEmpty || reference.name.schema != nil || (creates && reference.access == .define)
            return what.tables.contains { pattern in
                reached.contains { pattern.matches($0) } || (asWritten && pattern.mayMatch(reference.name))
            }
        }
    }

    // MARK: A rule that allows holds when every fact is on its lists, and that is known.

    private func holdsToAllow(_ facts: inout Facts) -> Holding {
        if facts.isUnparsed { return holdsForUnparsed() }
        if what.unparsed == true { return .no }
        if let wanted = what.opaque, wanted != facts.isOpaque { return .no }
        let known: Holding = facts.isOpaque && what.opaque != true ? .unknown : .yes

        let flags = facts.action.flags
        if let wanted = what.missingWhere, wanted != flags.contains(.unboundedWrite) { return .no }
        if let wanted = what.unknownFunction, wanted != flags.contains(.callsUnknownFunction) { return .no }
        // The server's own files and programs have no table's name: a rule that lets them through says so.
        guard (what.copyProgram ?? false) == flags.contains(.copyProgram) else { return .no }
        guard (what.copyFile ?? false) == flags.contains(.copyFile) else { return .no }
        if !what.kinds.isEmpty, !namesEveryKind(of: facts) { return .no }
        if !what.settings.isEmpty {
            let changes = facts.action.settings
            guard !changes.isEmpty, changes.allSatisfy({ namesSetting($0) ?? false }) else { return .no }
        }
        if !what.functions.isEmpty, !namesEveryFunction(of: facts) { return .no }
        if !what.tables.isEmpty, !coversEveryTable(&facts) { return .no }
        return known
    }

    private func namesEveryKind(of facts: Facts) -> Bool {
        guard !facts.action.kinds.isEmpty else { return false }
        if facts.setsQuietly, !what.kinds.contains(where: { $0.matches("set") }) { return false }
        return facts.action.kinds.allSatisfy { kind in what.kinds.contains { $0.matches(kind) } }
    }

    private func namesEveryFunction(of facts: Facts) -> Bool {
        let called = facts.action.functions
        func isNamed(_ name: QualifiedName) -> Bool { what.functions.contains { $0.surelyMatches(name) } }
        // Among harmless functions of the server's own one named is enough; otherwise each must be.
        return facts.action.flags.contains(.callsUnknownFunction)
            ? !called.isEmpty && called.allSatisfy(isNamed) : called.contains(where: isNamed)
    }

    private func coversEveryTable(_ facts: inout Facts) -> Bool {
        // A function of unknown working may reach any table.
        if facts.action.flags.contains(.callsUnknownFunction), what.functions.isEmpty { return false }
        if facts.action.objects.isEmpty {
            // `SELECT 1`, `SELECT version()`: reads no table. Anything else without a table is about something else.
            return !facts.setsQuietly && facts.action.kinds.allSatisfy { $0 == "select" }
        }
        return facts.objects().allSatisfy { object in
            guard let reached = object.reached else { return false }
            if reached.isEmpty { return what.tables.contains { $0.surelyMatches(object.reference.name) } }
            return reached.allSatisfy { relation in what.tables.contains { $0.matches(relation) } }
        }
    }

    // MARK: Both

    /// nil: the setting's name is computed.
    private func namesSetting(_ change: SettingChange) -> Bool? {
        change.name.map { name in what.settings.contains { $0.matches(name) } }
    }

    /// Of a text that was not understood nothing is known but that.
    private func holdsForUnparsed() -> Holding {
        var others = rule.what
        others.unparsed = nil
        let named = others.kinds.contains { rule.effect != .allow ? $0.matches("unparsed") : $0.names("unparsed") }
        if named { others.kinds = [] }
        switch what.unparsed {
        case false: return .no
        case true, nil: return others.isEverything ? .yes : .unknown
        }
    }
}

private let rowWrites: Set<String> = ["insert", "update", "delete", "merge", "truncate", "copy.from"]
