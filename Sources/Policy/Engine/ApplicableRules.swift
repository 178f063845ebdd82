import GatehouseCore

/// The rules of one policy that are about one caller at one target, in the order in which they are asked.
final class ApplicableRules: Sendable {
    /// Keeps the engine alive, so that comparing by identity is safe.
    private let engine: PolicyEngine
    let rules: [CompiledRule]
    let masks: [MaskRule]
    let dependOnNames: Bool
    private let defaultVerdict: Verdict

    init(engine: PolicyEngine, rules: [CompiledRule], masks: [MaskRule], defaultDecision: Rule.Effect, target: String) {
        self.engine = engine
        self.rules = rules
        self.masks = masks
        dependOnNames = rules.contains { $0.dependsOnNames }
        defaultVerdict =
            switch defaultDecision {
            case .allow: Verdict(decision: .allow, rule: "gatehouse.default")
            // A hold needs terms, which a default has none of.
            case .hold, .deny:
                Verdict(
                    decision: .deny, rule: "gatehouse.default", reason: "No rule allows this on target \(target).",
                    hint: Self.allowedInstead(rules), category: .notGranted)
            }
    }

    var document: ObjectIdentifier { ObjectIdentifier(engine) }
    var version: String { engine.version }

    var needAnalysis: Bool {
        guard let first = rules.first else { return true }
        return !(first.isEverything && first.rule.effect == .deny)
    }

    func judge(_ action: Action, _ resolver: any NameResolver) -> Verdict {
        var facts = Facts(action, resolver)
        if let verdict = BuiltIn.lexingVerdict(facts) { return verdict }
        let restricted = BuiltIn.restrictedKinds(facts)
        /// An allowing rule was passed over because what it asks for is hidden.
        var passedOver = false

        for rule in rules {
            switch (rule.holds(&facts), rule.rule.effect) {
            case (.no, _):
                continue
            case (.yes, .deny):
                return rule.verdict
            case (.unknown, .deny), (.unknown, .hold):
                return facts.isUnparsed ? BuiltIn.unparsed : BuiltIn.opaque
            case (.unknown, .allow):
                passedOver = true
            case (.yes, .hold), (.yes, .allow):
                if !restricted.allSatisfy({ kind in rule.rule.what.kinds.contains { $0.names(kind) } }) { continue }
                return maskedVerdict(rule.verdict, facts, namesUnparsed: rule.namesUnparsed, namesOpaque: rule.namesOpaque)
            }
        }
        if let kind = restricted.first { return BuiltIn.restricted(kind) }
        if passedOver { return facts.isUnparsed ? BuiltIn.unparsed : BuiltIn.opaque }
        if defaultVerdict.decision == .deny { return defaultVerdict }
        return maskedVerdict(defaultVerdict, facts, namesUnparsed: false, namesOpaque: false)
    }

    /// A mask needs to know where a result comes from. What hides that is denied, unless a rule allowed it by name; the
    /// masking itself then withholds what it cannot place.
    private func maskedVerdict(_ verdict: Verdict, _ facts: Facts, namesUnparsed: Bool, namesOpaque: Bool) -> Verdict {
        guard !masks.isEmpty else { return verdict }
        if facts.isUnparsed, !namesUnparsed { return BuiltIn.unparsed }
        if facts.isOpaque, !namesOpaque { return BuiltIn.opaque }
        return verdict
    }

    /// For the hint of a denial: what the caller may do, from the first few rules that allow something.
    private static func allowedInstead(_ rules: [CompiledRule]) -> String {
        let allowing = rules.filter { $0.rule.effect == .allow }
        guard !allowing.isEmpty else { return "Nothing is allowed here by a rule; ask for one." }
        let shown = allowing.prefix(3).map { compiled in
            var parts: [String] = []
            let what = compiled.rule.what
            if !what.kinds.isEmpty { parts.append(what.kinds.map(\.description).joined(separator: ", ")) }
            if !what.tables.isEmpty { parts.append("on " + what.tables.map(\.description).joined(separator: ", ")) }
            if !what.functions.isEmpty { parts.append("calling " + what.functions.map(\.description).joined(separator: ", ")) }
            let text = parts.isEmpty ? "some actions" : parts.joined(separator: " ")
            return "\(text) (rule \(compiled.rule.id))"
        }
        return "Allowed here: " + shown.joined(separator: "; ") + (allowing.count > shown.count ? "; and more." : ".")
    }
}
