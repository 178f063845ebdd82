import GatehouseCore
import Policy
import Yams

/// rule_sets and use.
extension SettingsReader {
    /// The effects that a set may be given where it is used.
    private enum UseEffect: String, CaseIterable {
        case deny, hold
    }

    struct ReadSet {
        var rules: [Rule]
        var place: Place
    }

    func readRuleSets(_ root: Section, _ targets: [ReadTarget]) -> [String: ReadSet] {
        var sets: [String: ReadSet] = [:]
        for section in root.sections("rule_sets") {
            let name = section.required("name", like: "baseline").flatMap { checkedName($0, section.name("name")) }
            let rules = readRules(section, targets)
            section.finish()
            guard let name else { continue }
            let place = section.place(of: "name")
            if let first = sets[name] {
                problems.error(place, "rule set `\(name)` is already defined in line \(first.place.line); names are unique")
            } else if RulePack.named(name) != nil {
                problems.error(place, "`\(name)` is a rule set that comes with the program; choose another name")
            } else {
                sets[name] = ReadSet(rules: rules, place: place)
            }
        }
        return sets
    }

    private func readRules(_ section: Section, _ targets: [ReadTarget]) -> [Rule] {
        if !section.has("rules") { problems.error(section.place, "`\(section.path)` has no rules; add `rules:` and a list of them") }
        let sections = section.sections("rules")
        checkUnique(ids(of: sections), "rule id")
        return sections.compactMap { readRule($0, targets) }
    }

    /// The rules of the sets that are in use, as the rules that they come to, and where each was put in force.
    func readUses(_ root: Section, _ sets: [String: ReadSet], _ targets: [ReadTarget]) -> [(rule: Rule, place: Place)] {
        var used: Set<String> = []
        let rules = root.sections("use").flatMap { section -> [(Rule, Place)] in
            defer { section.finish() }
            let name = section.required("set", like: "destructive-sql")
            let prefix = section.has("as") ? section.scalar("as").flatMap { checkedName($0, section.name("as")) } : name?.text
            let priority = section.integer("priority", within: 0...1_000_000)
            let scope = RuleScope(
                who: readOptionalWho(section, "who") ?? Who(), where: readOptionalWhere(section, targets) ?? Where(),
                when: readWhen(section))
            let useEffect: UseEffect? = section.choice("effect")
            let effect = useEffect.flatMap { Rule.Effect(rawValue: $0.rawValue) }
            let terms = readHold(section, effect)
            if section.has("approval"), !section.has("effect") {
                problems.error(section.place(of: "approval"), "`\(section.name("approval"))` belongs to effect: hold; add that")
            }
            guard let name, let prefix else { return [] }
            used.insert(name.text)
            guard let members = members(of: name, sets, section) else { return [] }
            return ordered(members, under: priority).map { rule in
                var rule = rule
                rule.id = "\(prefix)/\(rule.id)"
                rule.sourceLine = section.place.line
                rule.scope = scope == RuleScope() ? nil : scope
                // A set's exceptions stay what they are.
                if let effect, rule.effect != .allow {
                    rule.effect = effect
                    rule.hold = effect == .hold ? terms : nil
                }
                return (rule, section.place)
            }
        }
        for (name, set) in sets where !used.contains(name) {
            problems.warning(set.place, "rule set `\(name)` is not in force anywhere; `use` puts it there")
        }
        return rules
    }

    private func members(of name: Scalar, _ sets: [String: ReadSet], _ section: Section) -> [Rule]? {
        if let set = sets[name.text] { return set.rules }
        if let pack = RulePack.named(name.text) { return pack.rules }
        let names = RulePack.shipped.map(\.name) + sets.keys
        problems.error(
            name.place,
            "`\(section.name("set"))`: there is no rule set `\(name.written)`\(suggestion(for: name.text, among: names)); "
                + "`gatehouse policy packs` lists those that come with the program")
        return nil
    }

    /// Under one priority the rules of a set keep their order among themselves.
    private func ordered(_ rules: [Rule], under priority: Int?) -> [Rule] {
        guard let priority else { return rules }
        return rules.enumerated().sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }.map { _, rule in
            var rule = rule
            rule.priority = priority
            return rule
        }
    }
}

extension RulePack {
    /// The rules of the text; nil were it not right, which a test rules out.
    var rules: [Rule]? {
        let problems = ProblemList(file: "pack \(name)")
        let context = ReadingContext(problems: problems, environment: [:], directory: "/")
        guard let node = try? Yams.compose(yaml: text), let root = Section(node, path: "", context) else { return nil }
        let rules = root.sections("rules").compactMap { SettingsReader(context).readRule($0, []) }
        root.finish()
        return problems.problems.isEmpty ? rules : nil
    }
}
