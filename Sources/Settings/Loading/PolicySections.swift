import GatehouseCore
import Policy

/// access, rules, rule sets in use, and masks.
extension SettingsReader {
    func readPolicy(_ root: Section, _ targets: [ReadTarget]) -> PolicyDocument {
        let access = root.sections("access").compactMap { readAccess($0, targets) }
        let ruleSections = root.sections("rules")
        let maskSections = root.sections("masks")
        let sets = readRuleSets(root, targets)
        let rules = ruleSections.compactMap { readRule($0, targets) }
        let used = readUses(root, sets, targets)
        let masks = maskSections.compactMap { readMask($0, targets) }
        let (detect, detectors) = readDetection(root, targets)
        checkUnique(ids(of: ruleSections + maskSections), "rule or mask id")
        checkUnique(used.map { ($0.rule.id, $0.place) }, "rule (use the set `as` another name)")
        if access.isEmpty, !targets.isEmpty {
            problems.warning(root.place(of: "access"), "`access` lets nobody in to any target")
        }
        let defaults = targets.map { ($0.target.name, $0.defaultDecision) }
        let options = targets.filter { $0.options != TargetOptions() }.map { ($0.target.name, $0.options) }
        return PolicyDocument(
            access: access, rules: rules + used.map(\.rule), masks: masks,
            defaultDecisions: Dictionary(defaults, uniquingKeysWith: { first, _ in first }),
            targetOptions: Dictionary(options, uniquingKeysWith: { first, _ in first }), budgets: readBudgets(root, targets),
            detect: detect, detectors: detectors)
    }

    func ids(of sections: [Section]) -> [(name: String, place: Place)] {
        sections.compactMap { section in
            section.has("id") ? section.scalar("id").map { ($0.text, $0.place) } : nil
        }
    }

    private func readAccess(_ section: Section, _ targets: [ReadTarget]) -> AccessRule? {
        defer { section.finish() }
        let who = readWho(section)
        let place = readWhere(section, targets)
        if who == Who() {
            problems.error(section.place, "`\(section.path)` names nobody: give groups, users or claims (groups: [\"*\"] for every group)")
        }
        guard let roles = section.list("roles") else {
            if !section.has("roles") { _ = section.required("roles", like: "[reader]") }
            return nil
        }
        let reached = targets.map(\.target).filter(place.matches)
        let known = Set(reached.flatMap(\.roles).map(\.name))
        for role in roles where !reached.isEmpty && !known.contains(where: Glob(role.text).matches) {
            problems.error(
                role.place,
                "`\(section.name("roles"))`: no target that this rule is about has a role `\(role.written)`\(suggestion(for: role.text, among: known))"
            )
        }
        return AccessRule(who: who, where: place, roles: roles.map { Glob($0.text) }, sourceLine: section.place.line)
    }

    func readRule(_ section: Section, _ targets: [ReadTarget]) -> Rule? {
        defer { section.finish() }
        let id = readID(section)
        let priority = section.integer("priority", within: 0...1_000_000) ?? Rule.defaultPriority
        let who = readOptionalWho(section, "who") ?? Who()
        let place = readOptionalWhere(section, targets) ?? Where()
        let when = readWhen(section)
        let what = section.section("what").map { readWhole($0, readWhat) } ?? What()
        if !section.has("effect") { _ = section.required("effect", like: "deny") }
        let effect: Rule.Effect? = section.choice("effect")
        let hold = readHold(section, effect)
        let reason = section.scalar("reason")?.text ?? ""
        let hint = section.scalar("hint")?.text ?? ""
        guard let id, let effect, effect != .hold || hold != nil else { return nil }
        return Rule(
            id: id, priority: priority, who: who, where: place, what: what, when: when, effect: effect, hold: hold, reason: reason,
            hint: hint,
            sourceLine: section.place.line)
    }

    func readWhole<Value>(_ section: Section, _ read: (Section) -> Value) -> Value {
        defer { section.finish() }
        return read(section)
    }

    func readID(_ section: Section) -> String? {
        guard let scalar = section.required("id", like: "no-drop"), let id = checkedName(scalar, section.name("id")) else { return nil }
        guard !id.hasPrefix("gatehouse.") else {
            problems.error(scalar.place, "`\(section.name("id"))`: ids that begin with `gatehouse.` are built in; choose another")
            return nil
        }
        return id
    }

    func readOptionalWho(_ section: Section, _ key: String) -> Who? {
        section.section(key).map { readWhole($0, readWho) }
    }

    func readOptionalWhere(_ section: Section, _ targets: [ReadTarget]) -> Where? {
        section.section("where").map { readWhole($0) { readWhere($0, targets) } }
    }

    /// groups, users, issuers and claims, in the section that is given.
    private func readWho(_ section: Section) -> Who {
        var who = Who()
        who.groups = section.list("groups")?.map { Glob($0.text) } ?? []
        who.users = section.list("users")?.map { Glob($0.text) } ?? []
        who.issuers = section.list("issuers")?.map { Glob($0.text) } ?? []
        if let claims = section.section("claims") {
            for name in claims.keys { who.claims[name] = claims.list(name)?.map { Glob($0.text) } ?? [] }
        }
        return who
    }

    /// targets and labels, in the section that is given, checked against the targets that there are.
    func readWhere(_ section: Section, _ targets: [ReadTarget]) -> Where {
        var place = Where()
        let names = targets.map(\.target.name)
        for scalar in section.list("targets") ?? [] {
            let pattern = Glob(scalar.text)
            place.targets.append(pattern)
            guard !names.contains(where: pattern.matches) else { continue }
            let message =
                "`\(section.name("targets"))`: there is no target `\(scalar.written)`\(suggestion(for: scalar.text, among: names))"
            if pattern.isLiteral { problems.error(scalar.place, message) } else { problems.warning(scalar.place, message) }
        }
        if let labels = section.section("labels") {
            for name in labels.keys {
                guard let value = labels.scalar(name) else { continue }
                place.labels[name] = Glob(value.text)
            }
            let values = Where(labels: place.labels)
            if !targets.contains(where: { values.matches($0.target) }) {
                problems.warning(labels.place, "`\(labels.path)`: no target has these labels")
            }
        }
        return place
    }

    private func readWhat(_ section: Section) -> What {
        var what = What()
        what.kinds = (section.list("kinds") ?? []).map { scalar in
            let first = String(scalar.text.lowercased().prefix { $0 != "." })
            if first != "*", !knownKinds.contains(first) {
                problems.error(
                    scalar.place,
                    "`\(section.name("kinds"))`: there is no kind `\(scalar.written)`\(suggestion(for: first, among: knownKinds)); docs/policy.md lists them"
                )
            }
            return KindPattern(scalar.text)
        }
        what.tables = readNames(section, "tables")
        what.functions = readNames(section, "functions")
        what.settings = section.list("settings")?.map { Glob($0.text.lowercased()) } ?? []
        what.missingWhere = section.boolean("missing_where")
        what.opaque = section.boolean("opaque")
        what.unparsed = section.boolean("unparsed")
        what.copyProgram = section.boolean("copy_program")
        what.copyFile = section.boolean("copy_file")
        what.unknownFunction = section.boolean("unknown_function")
        what.multiStatement = section.boolean("multi_statement")
        what.callsProcedure = section.boolean("calls_procedure")
        what.movesData = section.boolean("moves_data")
        what.unboundedRead = section.boolean("unbounded_read")
        what.copiesMaskedData = section.boolean("copies_masked_data")
        what.probesMaskedData = section.boolean("probes_masked_data")
        what.estimatedRows = section.value("estimated_rows") { text throws(ValueError) in
            guard let condition = RowCondition(text) else {
                throw ValueError(message: "is not a condition on rows: write \">10000\", \"<=500\" or unknown")
            }
            return condition
        }
        if section.keys.isEmpty {
            problems.error(section.place, "`\(section.path)` names nothing; leave it out where a rule is about everything")
        }
        return what
    }

    func readNames(_ section: Section, _ key: String) -> [NamePattern] {
        (section.list(key) ?? []).compactMap { scalar in
            context.parse(scalar, section.name(key)) { text throws(ValueError) in
                do { return try NamePattern(text) } catch { throw ValueError(message: "cannot be read: \(error)") }
            }
        }
    }
}

/// The first words of all kinds of action (docs/policy.md). A rule with a word that no action has would never hold, and
/// nobody would notice.
let knownKinds: Set<String> = [
    "alter", "analyze", "call", "checkpoint", "close", "cluster", "comment", "copy", "create", "deallocate", "declare", "delete",
    "discard", "do", "drop", "execute", "explain", "fetch", "function_call", "grant", "import_foreign_schema", "insert", "listen",
    "load", "lock", "merge", "move", "notify", "other", "prepare", "reassign_owned", "refresh", "reindex", "replication", "reset",
    "revoke", "security_label", "select", "session", "set", "show", "transaction", "truncate", "unlisten", "unparsed", "update", "vacuum",
    // Of MySQL and MariaDB.
    "administration", "binlog", "cache", "change", "check", "checksum", "clone", "compound", "flush", "get_diagnostics", "handler", "help",
    "import", "install", "kill", "optimize", "purge", "rename", "repair", "replace", "resignal", "restart", "shutdown", "signal", "start",
    "stop", "uninstall", "unlock", "use", "xa",
]
