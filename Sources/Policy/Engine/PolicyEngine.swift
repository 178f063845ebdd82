public import GatehouseCore

/// Decides who may open a session, and every action in it. It never changes: a new policy is a new engine.
public final class PolicyEngine: Sendable {
    public let document: PolicyDocument
    /// By priority, then in the file's order.
    private let rules: [Rule]

    public init(_ document: PolicyDocument) {
        self.document = document
        // `sorted` is stable in fact but not by promise, so the place in the file is compared too.
        rules = document.rules.enumerated()
            .sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }
            .map(\.element)
    }

    public var version: String { document.version }

    /// Lets `principal` in to `target`, or says why not.
    ///
    /// - Parameters:
    ///   - role: As in the login name; nil is the target's first role.
    ///   - time: Now. A proof that has ended admits nobody.
    public func admit(_ principal: Principal, to target: Target, role: String?, at time: WallTime) -> Result<Permit, Refusal> {
        guard time < principal.expires else {
            return .failure(
                Refusal(
                    rule: "gatehouse.expired", reason: "The token or ticket has expired.",
                    hint: "Get a new one, for example with `gatehouse login`."))
        }
        return admit(principal, to: target, role: role)
    }

    /// Admits the holder of a permit of an earlier policy under this one; a session that it refuses must end. The end of the
    /// caller's proof does not matter here: it gates starts, not sessions that run.
    public func readmit(_ permit: Permit) -> Result<Permit, Refusal> {
        admit(permit.principal, to: permit.target, role: permit.role.name)
    }

    private func admit(_ principal: Principal, to target: Target, role: String?) -> Result<Permit, Refusal> {
        let grants = document.access.enumerated().filter { $0.element.place.matches(target) && $0.element.who.matches(principal) }
        guard !grants.isEmpty else { return .failure(.noAccess(to: target.name)) }
        let wanted = role.map { name in target.roles.first { $0.name == name } } ?? target.roles.first
        guard let wanted, let grant = grants.first(where: { _, rule in rule.roles.contains { $0.matches(wanted.name) } }) else {
            return .failure(roleRefusal(target, asked: role, granted: grants.map(\.element)))
        }
        let line = grant.element.sourceLine.map { " (line \($0))" } ?? ""
        return .success(
            Permit(
                principal: principal, target: target, role: wanted,
                grantedBy: Permit.Grant(
                    rule: "access rule \(grant.offset + 1)\(line)", group: grant.element.who.matchingGroup(of: principal)),
                applicable: applicableRules(principal, target)))
    }

    private func roleRefusal(_ target: Target, asked: String?, granted: [AccessRule]) -> Refusal {
        let usable = target.roles.map(\.name).filter { name in granted.contains { $0.roles.contains { $0.matches(name) } } }
        let asked = asked.map { "role \($0)" } ?? "the default role"
        return Refusal(
            rule: "gatehouse.role", reason: "You may not use \(asked) of target \(target.name).",
            hint: usable.isEmpty
                ? "No role of this target is open to you; ask for access."
                : "Log in as one of: \(usable.map { "\($0)@\(target.name)" }.joined(separator: ", ")).")
    }

    /// Decides one action. The same action under the same permit gets the same verdict until the engine changes,
    /// ``timeEpoch(for:at:)`` does or, where ``judgementDependsOnNames(_:under:)`` says so, the resolver's answers do.
    ///
    /// An action of the kind `session` is the opening of one: only rules that name the kind are asked, and where none decides
    /// it is allowed, for `access` has let the caller in.
    ///
    /// A permit of another engine is judged by this engine's rules, at the cost of finding them anew: callers should
    /// ``readmit(_:)`` once when the policy changes.
    public func judge(_ action: Action, under permit: Permit, resolver: any NameResolver, at time: WallTime) -> Verdict {
        rules(for: permit).judge(action, resolver, at: time)
    }

    /// A number that is another one whenever the verdicts under `permit` may be others because a rule's time began or ended.
    /// `time` is asked for only where an applicable rule has one.
    public func timeEpoch(for permit: Permit, at time: @autoclosure () -> WallTime) -> UInt64 {
        guard let windows = rules(for: permit).windows else { return 0 }
        return windows.state(at: time()).epoch
    }

    /// Whether ``timeEpoch(for:at:)`` can be another one at another time.
    public func dependsOnTime(_ permit: Permit) -> Bool { rules(for: permit).windows != nil }

    /// Whether the verdict on `action` depends on how many rows the server expects it to work on, which is not known: asked
    /// after every rule that goes before has passed, so that nothing is estimated that is denied anyway.
    public func needsRowEstimate(_ action: Action, under permit: Permit, resolver: any NameResolver, at time: WallTime) -> Bool {
        guard action.estimatedRows == nil, action.worksOnRows else { return false }
        return rules(for: permit).needsRowEstimate(action, resolver, at: time)
    }

    /// Whether the rule that gave `verdict` says that masked values may be copied (`copies_masked_data: true`): without such a rule
    /// what copies them is denied, whatever else allows it.
    public func allowsMaskedCopies(_ verdict: Verdict, under permit: Permit) -> Bool {
        rules(for: permit).allowsMaskedCopies(verdict)
    }

    /// Decides one action as ``judge(_:under:resolver:at:)`` does, and tells what became of each rule on the way.
    public func explain(_ action: Action, under permit: Permit, resolver: any NameResolver, at time: WallTime) -> Explanation {
        rules(for: permit).explain(action, resolver, at: time, among: rules, permit)
    }

    /// Whether a verdict on `action` may change when the resolver's answers do. If not, it may be kept as long as the engine.
    public func judgementDependsOnNames(_ action: Action, under permit: Permit) -> Bool {
        !action.objects.isEmpty && rules(for: permit).dependOnNames
    }

    /// The masks that apply to the holder of `permit`, in the file's order; for a column the first that matches counts.
    public func masks(for permit: Permit) -> [MaskRule] {
        rules(for: permit).masks
    }

    /// What is looked for in the text that the holder of `permit` gets; nil: nothing.
    public func detection(for permit: Permit) -> Detection? {
        let rules = document.detect.filter { $0.applies(to: permit.principal, at: permit.target) }
        return rules.isEmpty ? nil : Detection(rules: rules, definitions: document.detectors)
    }

    /// The masks of the target that do not apply to the holder of `permit`, by their ids.
    public func exceptedMasks(for permit: Permit) -> [String] {
        document.masks.filter { $0.place.matches(permit.target) && $0.except?.matches(permit.principal) == true }.map(\.id)
    }

    /// The budgets that the holder of `permit` spends from, in the file's order.
    public func budgets(for permit: Permit) -> [BudgetAccount] {
        document.budgets.filter { $0.place.matches(permit.target) && $0.who.matches(permit.principal) }
            .map { $0.account(of: permit.principal) }
    }

    /// Whether any verdict depends on what a statement does. It nearly always does, since changes of role and of the settings
    /// that text is read by are decided by content; not where the first rule that applies denies everything.
    public func needsAnalysis(_ permit: Permit) -> Bool {
        rules(for: permit).needAnalysis
    }

    private func rules(for permit: Permit) -> ApplicableRules {
        permit.applicable.document == ObjectIdentifier(self)
            ? permit.applicable : applicableRules(permit.principal, permit.target)
    }

    private func applicableRules(_ principal: Principal, _ target: Target) -> ApplicableRules {
        ApplicableRules(
            engine: self,
            rules: rules.filter { $0.applies(to: principal) && $0.applies(at: target) }.map(CompiledRule.init),
            masks: document.masks.filter { $0.applies(to: principal, at: target) },
            defaultDecision: document.defaultDecisions[target.name] ?? .deny,
            options: document.targetOptions[target.name] ?? TargetOptions(), target: target.name)
    }
}

extension Rule {
    func applies(to principal: Principal) -> Bool {
        who.matches(principal) && scope?.who.matches(principal) ?? true
    }

    func applies(at target: Target) -> Bool {
        place.matches(target) && scope?.place.matches(target) ?? true
    }
}
