import Analysis
import GatehouseCore
import Masking
import NIOCore
import Policy
import Recording
import Relay

/// Decides for one session: asks policy, keeps what it said, and knows what the session has done to the meaning of names.
///
/// Confined to the session's event loop.
final class SessionJudge: RelayJudge {
    /// Kept decisions; more are forgotten all at once, which costs only time.
    private static let keptDecisions = 4_096
    /// Names that SQL gave, and the bytes of what they stand for. Beyond these no further name is given.
    private static let keptNames = 4_096
    private static let keptNameBytes = 16 * 1_048_576

    let gateway: Gateway
    var configuration: LiveConfiguration
    private(set) var permit: Permit
    let catalog: TargetCatalog?
    /// Makes every reader of this database's catalog read it again, those of other roles too.
    private let invalidateCatalogs: () -> Void
    private let isReplication: Bool
    /// The masks that are in force, those of each view, and what of them is lifted.
    var maskRules: [ColumnMaskRule] = []
    var viewRules = ViewRules()
    var lifted: [LiftedMasks] = []
    /// Which of them keep originals.
    var keeping = KeepingMasks()
    /// When approvals that were granted to this session end.
    var grants: [String: Approval] = [:]
    /// Told when masks are lifted, and when they are back.
    var masksChanged: ((LiftedMasks, ApprovalRecord.Event) -> Void)?
    /// What looks into all text that goes to the client.
    private(set) var redactor: Redactor?
    /// It is asked for, and could not be made: then nothing runs.
    private(set) var lacksRedactor = false
    /// A rule that applies has times; kept, since the epoch is asked for at each message.
    private var dependsOnTime = false
    /// What the session spends from.
    private(set) var budgets: [BudgetAccount]
    /// The budget that ends the session, once it is spent.
    var ending: SpentBudget?
    var hasBudgets: Bool { !budgets.isEmpty }

    var kept: [ObjectIdentifier: Judgement] = [:]
    private var catalogGeneration: UInt64 = 0
    private var lastSnapshot: ObjectIdentifier?
    /// What SQL gave names to. Never shortened: a name stands for everything that it ever stood for.
    private var named: [ServerName: [Action]] = [:]
    /// What the session last gave as its reason (`SET gatehouse.reason = '...'`).
    private(set) var reason: String?
    private var namedBytes = 0
    var meaning: UInt64 = 0
    var searchPathIsKnown: Bool
    private var schemaChanged = false
    var ranUnknownCode = false
    private var unknownCodeSinceReady = false
    /// The catalog was read again on behalf of the statement now judged; it is not read twice for one.
    var hasRefreshed = false

    /// Relations were made or changed in this session: a side connection may know others by their names.
    var changedRelations = false
    private let hasEstimator: Bool

    init(
        gateway: Gateway, permit: Permit, admittedUnder: UInt64, catalog: TargetCatalog?, isReplication: Bool, searchPathIsKnown: Bool,
        hasEstimator: Bool, invalidateCatalogs: @escaping () -> Void
    ) {
        self.invalidateCatalogs = invalidateCatalogs
        self.hasEstimator = hasEstimator
        self.gateway = gateway
        configuration = gateway.configuration
        // The permit is of the configuration that admitted the session: if that has changed since, `follow` asks anew.
        configuration.generation = admittedUnder
        self.permit = permit
        self.catalog = catalog
        self.isReplication = isReplication
        self.searchPathIsKnown = searchPathIsKnown
        (redactor, lacksRedactor) = Detecting.redactor(configuration.policy, permit, key: gateway.maskKey)
        budgets = configuration.policy.budgets(for: permit)
        dependsOnTime = configuration.policy.dependsOnTime(permit)
        takeMasks()
    }

    /// Takes a new configuration over. The refusal, when the session may not go on under it.
    func follow() -> Refusal? {
        guard gateway.generation != configuration.generation else { return nil }
        configuration = gateway.configuration
        kept.removeAll()
        guard let target = configuration.targets[permit.target.name], target == permit.target else {
            return Refusal.noAccess(to: permit.target.name)
        }
        switch configuration.policy.readmit(permit) {
        case .failure(let refusal): return refusal
        case .success(let permit):
            self.permit = permit
            takeMasks()
            (redactor, lacksRedactor) = Detecting.redactor(configuration.policy, permit, key: gateway.maskKey)
            budgets = configuration.policy.budgets(for: permit)
            dependsOnTime = configuration.policy.dependsOnTime(permit)
            return nil
        }
    }

    var context: StatementContext {
        StatementContext(searchPath: searchPathIsKnown ? catalog?.snapshot?.searchPath : nil, schemaChanged: schemaChanged)
    }

    var epoch: Judgement.Epoch {
        if !lifted.isEmpty { endLifted() }
        let snapshot = catalog?.snapshot?.identity
        if snapshot != lastSnapshot {
            lastSnapshot = snapshot
            catalogGeneration &+= 1
            kept.removeAll()
        }
        return Judgement.Epoch(
            configuration: configuration.generation, catalog: catalogGeneration, meaning: meaning,
            time: dependsOnTime ? configuration.policy.timeEpoch(for: permit, at: gateway.clock.wallTime()) : 0)
    }

    // MARK: - Judging

    func known(_ analysis: Analysis) -> Judgement? {
        // First, since it may forget what is kept.
        let epoch = epoch
        guard let judgement = kept[ObjectIdentifier(analysis)], judgement.epoch == epoch else { return nil }
        return judgement
    }

    func holds(_ judgement: Judgement) -> Bool {
        !judgement.runsNames && judgement.epoch == epoch
    }

    func judge(_ analysis: Analysis, prepared: (ServerName) -> [Action]) -> JudgeOutcome {
        let epoch = epoch
        if let judgement = known(analysis) { return .ready(judgement) }
        var actions = analysis.actions
        if actions.isEmpty { actions = [Action(kinds: ["empty"])] }
        if isReplication, analysis.failure != nil { actions = [Action(kinds: ["replication"])] }
        let refersToNames = actions.contains { $0.runs != nil }
        if refersToNames { actions = actions.flatMap { expanded($0, prepared) } }
        if needsFreshCatalog(for: actions) { return .needsCatalog }
        hasRefreshed = false
        let judgement = decide(actions, epoch, analysis)
        if !refersToNames {
            if kept.count >= Self.keptDecisions { kept.removeAll() }
            kept[ObjectIdentifier(analysis)] = judgement
        }
        return .ready(judgement)
    }

    func confirm(_ judgement: Judgement, prepared: (ServerName) -> [Action]) -> JudgeOutcome {
        if holds(judgement) { return .ready(judgement) }
        guard let analysis = judgement.analysis else { return .ready(decide(judgement.actions, epoch, nil)) }
        return judge(analysis, prepared: prepared)
    }

    func isNamedBySQL(_ name: ServerName) -> Bool { !named.isEmpty && named[name] != nil }

    func judge(request kind: String, of name: ServerName) -> Judgement {
        if kind != "function_call" {
            if let actions = named[name], !actions.isEmpty { return decide(actions, epoch, nil) }
            if !ranUnknownCode {
                // Nothing made such a name: the server itself will say so.
                return make([Action(kinds: [kind])], Verdict(decision: .allow, rule: "gatehouse.unknown-name"), epoch, nil)
            }
            return decide([Action(kinds: [kind], flags: [.opaque])], epoch, nil)
        }
        return decide([Action(kinds: [kind], flags: [.callsUnknownFunction])], epoch, nil)
    }

    func denyUncertainStrings(_ analysis: Analysis) -> Judgement {
        let verdict = Verdict(
            decision: .deny, rule: "gatehouse.string-setting",
            reason:
                "This text holds a backslash in a plain string, and code that ran before it in the same pipeline may have changed how the server reads it.",
            hint: "Send a Sync first, or write the string as E'..'.", category: .reserved)
        return make(analysis.actions, verdict, epoch, analysis)
    }

    /// `EXECUTE x` and `FETCH .. FROM x` do what x was made to do. An x that nobody is known to have made is opaque.
    private func expanded(_ action: Action, _ prepared: (ServerName) -> [Action]) -> [Action] {
        guard let text = action.runs else { return [action] }
        let name = ServerName(known: text)
        let definitions = (named[name] ?? []) + prepared(name)
        var own = action
        if definitions.isEmpty {
            own.flags.insert(.opaque)
        } else {
            own.flags.remove(.opaque)
        }
        return [own] + definitions
    }

    func settled(_ judgement: Judgement, by outcome: HoldOutcome) -> Judgement {
        var verdict: Verdict
        switch outcome {
        case .refused(let refusal): verdict = refusal
        case .granted(let approval):
            verdict = judgement.verdict
            verdict.decision = .allow
            verdict.hold = nil
            verdict.approval = approval
        }
        return make(judgement.actions, verdict, epoch, judgement.analysis)
    }

    func heldSession(_ verdict: Verdict) -> Judgement {
        make([Action(kinds: ["session"])], verdict, epoch, nil)
    }

    private func needsFreshCatalog(for actions: [Action]) -> Bool {
        guard let catalog, !hasRefreshed else { return false }
        guard catalog.snapshot != nil else {
            hasRefreshed = true
            return true
        }
        guard let planner = catalog.planner(for: maskRules) else { return false }
        let context = context
        guard actions.contains(where: { planner.needsRefresh(for: $0, in: context) }) else { return false }
        hasRefreshed = true
        return true
    }

    func decide(
        _ actions: [Action], _ epoch: Judgement.Epoch, _ analysis: Analysis?, isEstimated: Bool = false
    ) -> Judgement {
        let resolver: any NameResolver = catalog?.snapshot?.resolver(searchPath: context.searchPath) ?? UnknownNames()
        let actions = withMaskFacts(actions)
        /// The places of actions that a rule lets copy masked values.
        var copying: Set<Int> = []
        var verdict = Verdict(decision: .allow, rule: "gatehouse.empty")
        let now = gateway.clock.wallTime()
        for (index, action) in actions.enumerated() {
            let next = configuration.policy.judge(action, under: permit, resolver: resolver, at: now)
            if configuration.policy.allowsMaskedCopies(next, under: permit) { copying.insert(index) }
            // The strictest counts, and of several as strict the first.
            if index == 0 || next.decision.isStricter(than: verdict.decision) { verdict = next }
            if verdict.decision == .deny { break }
        }
        if verdict.decision != .deny, hasTooManyNames, actions.contains(where: { $0.defines != nil }) {
            verdict = Verdict(
                decision: .deny, rule: "gatehouse.names", reason: "This session has named too many statements and cursors.",
                hint: "Connect anew, or use the same names again.", category: .limit)
        }
        if verdict.decision != .deny, let refused = maskRefusal(actions, copying: copying) ?? detectionRefusal(actions) {
            verdict = refused
        }
        if verdict.decision == .allow, let question = unmaskVerdict(actions) { verdict = question }
        let needsEstimate =
            hasEstimator && !isEstimated && actions.count == 1
            && configuration.policy.needsRowEstimate(
                actions[0], under: permit, resolver: resolver, at: gateway.clock.wallTime())
        return make(actions, verdict, epoch, analysis, needsEstimate: needsEstimate)
    }

    func make(
        _ actions: [Action], _ verdict: Verdict, _ epoch: Judgement.Epoch, _ analysis: Analysis?, needsEstimate: Bool = false
    ) -> Judgement {
        let kinds = Set(actions.flatMap(\.kinds))
        let ruling = VerdictRecord.Ruling(
            verdict: verdict, kinds: kinds, policyVersion: configuration.policy.version,
            flags: actions.reduce(into: []) { $0.formUnion($1.flags) })
        let planner = catalog?.planner(for: maskRules)
        let context = context
        var reveals = mayRevealMasked(actions)
        var copyMask: CopyMaskPlan?
        if reveals, planner != nil, actions.count == 1, actions[0].kinds.contains("copy.to") {
            switch copyPlan(of: actions[0], among: actions, context) {
            case .pass: reveals = false
            case .mask(let plan): copyMask = plan
            case .deny: break
            }
        }
        return Judgement(
            actions: actions, verdict: verdict, record: (try? ruling.encoded()) ?? [], epoch: epoch,
            mayRevealMasked: reveals || redactor != nil, mayEchoMasked: echoing(actions, context),
            copyMask: detecting(copyMask, in: actions),
            needsEstimate: needsEstimate, analysis: analysis, hidden: hiddenLiterals(of: actions, analysis, context))
    }

    private func mayRevealMasked(_ actions: [Action]) -> Bool {
        guard !maskRules.isEmpty else { return false }
        guard let planner = catalog?.planner(for: maskRules) else { return true }
        let context = context
        return actions.contains { planner.mayRevealMasked($0, in: context) }
    }

    // MARK: - What statements do to the session

    private func remember(_ text: String, _ action: Action) {
        let name = ServerName(known: text)
        var known = named[name, default: []]
        guard !known.contains(action) else { return }
        known.append(action)
        namedBytes += text.utf8.count + action.normalized.utf8.count + 256
        named[name] = known
    }

    /// A session that gave too many names gets no more: each is remembered for as long as it lives.
    private var hasTooManyNames: Bool { named.count >= Self.keptNames || namedBytes >= Self.keptNameBytes }

    func forwarded(_ judgement: Judgement) {
        let effects = judgement.effects
        if effects.isEmpty { return }
        if effects.contains(.changesSchema) {
            changedRelations = true
            schemaChanged = true
            invalidateCatalogs()
        }
        if effects.contains(.changesSearchPath) { searchPathIsKnown = false }
        if effects.contains(.runsUnknownCode) {
            ranUnknownCode = true
            schemaChanged = true
            unknownCodeSinceReady = true
        }
        if effects.contains(.givesReason) {
            for change in judgement.actions.flatMap(\.settings) where change.name == reasonSetting { reason = change.value }
        }
        if effects.contains(.changesMasks) { changeMasks(judgement) }
        if effects.contains(.definesNames) {
            for action in judgement.actions {
                if let name = action.defines { remember(name, action) }
            }
        }
        meaning &+= 1
        kept.removeAll()
    }

    func completed(_ judgement: Judgement) {
        if judgement.effects.contains(.changesSchema) { invalidateCatalogs() }
    }

    func serverIsIdle() {
        unknownCodeSinceReady = false
    }

    /// The open transaction may have changed the schema.
    var awaitsTransactionEnd: Bool { schemaChanged }

    /// The transaction that may have changed the schema has ended: the catalog shows its work.
    func transactionEnded() {
        guard schemaChanged else { return }
        schemaChanged = false
        meaning &+= 1
        kept.removeAll()
    }

    var stringSettingIsUncertain: Bool { unknownCodeSinceReady }
}
