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
    /// Whether the rule is about opening a session.
    let namesSession: Bool
    private let flags: [(part: What.Part, wanted: Bool, flag: Action.Flags)]

    init(_ rule: Rule) {
        self.rule = rule
        what = rule.what
        isEverything = rule.what.isEverything
        writesOnly = !what.kinds.isEmpty && what.kinds.allSatisfy { rowWrites.contains($0.description) }
        flags = what.flags
        namesSession = what.kinds.contains { $0.names("session") }
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
    var namesMaskedCopies: Bool { what.copiesMaskedData == true }
    var asksForRows: Bool { what.estimatedRows != nil }

    func holds(_ facts: inout Facts) -> Holding {
        var failed: What.Part?
        return holds(&facts, failed: &failed)
    }

    /// - Parameter failed: What did not hold, where the answer is no.
    func holds(_ facts: inout Facts, failed: inout What.Part?) -> Holding {
        if isEverything { return .yes }
        if facts.isUnparsed {
            let holding = holdsForUnparsed()
            if holding == .no { failed = .unparsed }
            return holding
        }
        switch rule.effect {
        case .deny, .hold: return holdsToDeny(&facts, &failed)
        case .allow: return holdsToAllow(&facts, &failed)
        }
    }

    /// What is said where the rule's facts are hidden.
    func verdictWhereHidden(_ facts: Facts) -> Verdict {
        if facts.isUnparsed { return BuiltIn.unparsed }
        let hidden = (facts.isOpaque || facts.storesCode) && what.opaque != true
        return hidden || what.estimatedRows == nil ? BuiltIn.opaque : BuiltIn.unknownEstimate
    }

    // MARK: A rule that denies or holds applies when any fact is on its lists, and when that cannot be ruled out.

    private func holdsToDeny(_ facts: inout Facts, _ failed: inout What.Part?) -> Holding {
        if what.unparsed == true { return fails(.unparsed, &failed) }
        if let wanted = what.opaque, wanted != facts.isOpaque { return fails(.opaque, &failed) }
        // How many statements a text holds is seen whatever they do.
        if let wanted = what.multiStatement, wanted != facts.action.flags.contains(.multiStatement) {
            return fails(.multiStatement, &failed)
        }
        // What is not seen may hold anything, unless the rule is about hidden code as such.
        let hidden = (facts.isOpaque || facts.storesCode) && what.opaque != true
        let absent: Holding = hidden ? .unknown : .no

        var result = Holding.yes
        func check(_ part: What.Part, _ answer: Holding) {
            result = result.and(answer)
            if result == .no { failed = part }
        }
        if !what.kinds.isEmpty { check(.kinds, namesAKind(of: facts) ? .yes : absent) }
        for (part, wanted, flag) in flags where result != .no {
            let present = facts.action.flags.contains(flag)
            check(part, wanted ? (present ? .yes : absent) : (present ? .no : hidden ? .unknown : .yes))
        }
        if result != .no, !what.settings.isEmpty {
            check(.settings, facts.action.settings.contains { namesSetting($0) ?? !facts.onlyResets } ? .yes : absent)
        }
        if result != .no, !what.functions.isEmpty {
            check(.functions, facts.action.functions.contains { name in what.functions.contains { $0.mayMatch(name) } } ? .yes : absent)
        }
        if result != .no, let condition = what.estimatedRows { check(.estimatedRows, estimate(condition, facts, orElse: absent)) }
        if result != .no, !what.tables.isEmpty { check(.tables, touchesATable(&facts) ? .yes : absent) }
        return result
    }

    private func fails(_ part: What.Part, _ failed: inout What.Part?) -> Holding {
        failed = part
        return .no
    }

    /// - Parameter absent: The answer for statements that have no number of rows, and for estimates that do not fit.
    private func estimate(_ condition: RowCondition, _ facts: Facts, orElse absent: Holding) -> Holding {
        guard facts.action.worksOnRows else { return absent }
        return condition.holds(for: facts.action.estimatedRows).map { $0 ? .yes : absent } ?? .unknown
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

    private func holdsToAllow(_ facts: inout Facts, _ failed: inout What.Part?) -> Holding {
        if what.unparsed == true { return fails(.unparsed, &failed) }
        if let wanted = what.opaque, wanted != facts.isOpaque { return fails(.opaque, &failed) }
        let known: Holding = facts.isOpaque && what.opaque != true ? .unknown : .yes

        let flags = facts.action.flags
        if let wanted = what.multiStatement, wanted != flags.contains(.multiStatement) { return fails(.multiStatement, &failed) }
        for (part, wanted, flag) in self.flags where wanted != flags.contains(flag) { return fails(part, &failed) }
        // The server's own files and programs have no table's name: a rule that lets them through says so.
        if what.copyProgram == nil, flags.contains(.copyProgram) { return fails(.copyProgram, &failed) }
        if what.copyFile == nil, flags.contains(.copyFile) { return fails(.copyFile, &failed) }
        if !what.kinds.isEmpty, !namesEveryKind(of: facts) { return fails(.kinds, &failed) }
        if !what.settings.isEmpty {
            let changes = facts.action.settings
            guard !changes.isEmpty, changes.allSatisfy({ namesSetting($0) ?? false }) else { return fails(.settings, &failed) }
        }
        if !what.functions.isEmpty, !namesEveryFunction(of: facts) { return fails(.functions, &failed) }
        if !what.tables.isEmpty, !coversEveryTable(&facts) { return fails(.tables, &failed) }
        guard let condition = what.estimatedRows else { return known }
        let rows = estimate(condition, facts, orElse: .no)
        if rows == .no { failed = .estimatedRows }
        return known.and(rows)
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

extension What {
    /// The keys of `what`, as a configuration writes them.
    enum Part: String {
        case kinds, tables, functions, settings, opaque, unparsed
        case missingWhere = "missing_where"
        case copyProgram = "copy_program"
        case copyFile = "copy_file"
        case unknownFunction = "unknown_function"
        case multiStatement = "multi_statement"
        case callsProcedure = "calls_procedure"
        case movesData = "moves_data"
        case unboundedRead = "unbounded_read"
        case copiesMaskedData = "copies_masked_data"
        case probesMaskedData = "probes_masked_data"
        case estimatedRows = "estimated_rows"
    }

    /// The facts that are a flag of the action and that hidden code hides.
    fileprivate var flags: [(part: Part, wanted: Bool, flag: Action.Flags)] {
        let all: [(Part, Bool?, Action.Flags)] = [
            (.missingWhere, missingWhere, .unboundedWrite), (.copyProgram, copyProgram, .copyProgram), (.copyFile, copyFile, .copyFile),
            (.unknownFunction, unknownFunction, .callsUnknownFunction), (.callsProcedure, callsProcedure, .callsProcedure),
            (.movesData, movesData, .movesData), (.unboundedRead, unboundedRead, .unboundedRead),
            (.copiesMaskedData, copiesMaskedData, .copiesMaskedData), (.probesMaskedData, probesMaskedData, .probesMaskedData),
        ]
        return all.compactMap { part, wanted, flag in wanted.map { (part, $0, flag) } }
    }

    /// The flags without which the rule cannot hold for a text that was understood and hides nothing.
    var neededFlags: Action.Flags {
        var needed = flags.reduce(into: Action.Flags()) { if $1.wanted { $0.insert($1.flag) } }
        if opaque == true { needed.insert(.opaque) }
        if multiStatement == true { needed.insert(.multiStatement) }
        return needed
    }
}
