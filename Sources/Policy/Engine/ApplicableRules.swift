import GatehouseCore

/// The rules of one policy that are about one caller at one target, in the order in which they are asked.
final class ApplicableRules: Sendable {
    /// Keeps the engine alive, so that comparing by identity is safe.
    private let engine: PolicyEngine
    let rules: [CompiledRule]
    let masks: [MaskRule]
    let dependOnNames: Bool
    /// nil where no rule has a time.
    let windows: TimeWindows?
    private let index: RuleIndex
    private let options: TargetOptions
    private let defaultVerdict: Verdict

    init(
        engine: PolicyEngine, rules: [CompiledRule], masks: [MaskRule], defaultDecision: Rule.Effect, options: TargetOptions,
        target: String
    ) {
        self.engine = engine
        self.rules = rules
        self.masks = masks
        self.options = options
        dependOnNames = rules.contains { $0.dependsOnNames }
        windows = TimeWindows(rules.map(\.rule))
        index = RuleIndex(rules)
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
        return !(first.isEverything && first.rule.effect == .deny && first.rule.whens.isEmpty)
    }

    // MARK: Judging

    /// - Parameter usingIndex: false asks every rule; the verdict is the same.
    func judge(_ action: Action, _ resolver: any NameResolver, at time: WallTime, usingIndex: Bool = true) -> Verdict {
        var facts = Facts(action, resolver)
        if let verdict = builtInVerdict(facts) { return verdict }
        var asking = Asking(facts)
        var verdict: Verdict?
        candidates(&facts, at: time, usingIndex: usingIndex).forEach { number in
            if case .stop(let decided) = ask(rules[number], &facts, &asking) { verdict = decided }
            return verdict == nil
        }
        return verdict ?? fallback(facts, asking)
    }

    func needsRowEstimate(_ action: Action, _ resolver: any NameResolver, at time: WallTime) -> Bool {
        var facts = Facts(action, resolver)
        if facts.isUnparsed || facts.isOpaque || builtInVerdict(facts) != nil { return false }
        var asking = Asking(facts)
        var needs = false
        candidates(&facts, at: time, usingIndex: true).forEach { number in
            needs = rules[number].asksForRows && rules[number].holds(&facts) != .no
            if !needs, case .stop = ask(rules[number], &facts, &asking) { return false }
            return !needs
        }
        return needs
    }

    /// Whether the rule that decided lets masked values be copied.
    func allowsMaskedCopies(_ verdict: Verdict) -> Bool {
        verdict.decision != .deny && rules.contains { $0.rule.id == verdict.rule && $0.namesMaskedCopies }
    }

    private func candidates(_ facts: inout Facts, at time: WallTime, usingIndex: Bool) -> RuleSetBits {
        var found = usingIndex ? index.candidates(&facts) : index.all
        if let windows { found.subtract(windows.state(at: time).closed) }
        return found
    }

    private func builtInVerdict(_ facts: Facts) -> Verdict? {
        BuiltIn.lexingVerdict(facts) ?? BuiltIn.optionsVerdict(facts, options)
    }

    /// What asking rule after rule gathers.
    private struct Asking {
        let restricted: [String]
        let opensSession: Bool
        /// What an allowing rule was passed over for, because what it asks for is hidden.
        var passedOver: Verdict?

        init(_ facts: Facts) {
            restricted = BuiltIn.restrictedKinds(facts)
            opensSession = facts.action.kinds == ["session"]
        }
    }

    private enum Answer {
        case goOn(Explanation.Outcome)
        case stop(Verdict)
    }

    private func ask(_ rule: CompiledRule, _ facts: inout Facts, _ asking: inout Asking) -> Answer {
        if asking.opensSession, !rule.namesSession { return .goOn(.what("kinds")) }
        var failed: What.Part?
        switch (rule.holds(&facts, failed: &failed), rule.rule.effect) {
        case (.no, _):
            return .goOn(.what(failed?.rawValue ?? "what"))
        case (.yes, .deny):
            return .stop(rule.verdict)
        case (.unknown, .deny), (.unknown, .hold):
            return .stop(rule.verdictWhereHidden(facts))
        case (.unknown, .allow):
            let verdict = rule.verdictWhereHidden(facts)
            if asking.passedOver == nil { asking.passedOver = verdict }
            return .goOn(.hidden(verdict.rule))
        case (.yes, .hold), (.yes, .allow):
            if let kind = asking.restricted.first(where: { kind in !rule.rule.what.kinds.contains { $0.names(kind) } }) {
                return .goOn(.mustName(kind))
            }
            return .stop(maskedVerdict(rule.verdict, facts, namesUnparsed: rule.namesUnparsed, namesOpaque: rule.namesOpaque))
        }
    }

    /// What is said where no rule decides.
    private func fallback(_ facts: Facts, _ asking: Asking) -> Verdict {
        if asking.opensSession { return Verdict(decision: .allow, rule: "gatehouse.default") }
        if let kind = asking.restricted.first { return BuiltIn.restricted(kind) }
        if let verdict = asking.passedOver { return verdict }
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

    // MARK: Explaining

    /// - Parameter all: Every rule of the policy, in the order in which they are asked; those that are about this caller and
    ///   target are `rules`.
    func explain(_ action: Action, _ resolver: any NameResolver, at time: WallTime, among all: [Rule], _ permit: Permit) -> Explanation {
        var facts = Facts(action, resolver)
        var steps: [Explanation.Step] = []
        if let verdict = builtInVerdict(facts) { return Explanation(verdict: verdict, steps: steps) }
        var asking = Asking(facts)
        let closed = windows?.state(at: time).closed
        var number = 0
        for rule in all {
            func note(_ outcome: Explanation.Outcome) {
                steps.append(Explanation.Step(rule: rule.id, effect: rule.effect, line: rule.sourceLine, outcome: outcome))
            }
            guard rule.applies(at: permit.target) else {
                note(.elsewhere)
                continue
            }
            guard rule.applies(to: permit.principal) else {
                note(.someoneElse)
                continue
            }
            defer { number += 1 }
            guard closed?.contains(number) != true else {
                note(.outOfTime)
                continue
            }
            switch ask(rules[number], &facts, &asking) {
            case .goOn(let outcome): note(outcome)
            case .stop(let verdict):
                note(verdict.rule == rule.id ? .decided : .hidden(verdict.rule))
                return Explanation(verdict: verdict, steps: steps)
            }
        }
        return Explanation(verdict: fallback(facts, asking), steps: steps)
    }
}
