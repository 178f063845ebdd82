import GatehouseCore
import MySQLSyntax
import NIOCore
import Policy
import Recording
import Relay

/// What was decided of a text, or of a command that has none.
final class MySQLJudgement {
    let actions: [Action]
    let verdict: Verdict
    /// The decision as the recording keeps it: JSON, made once.
    let record: [UInt8]
    let epoch: Epoch
    /// The file of the client's that LOAD DATA LOCAL names; the server may ask for no other.
    let localFile: [UInt8]?
    /// KILL of a number.
    let kill: KillRequest?
    /// Where passwords stand in the text.
    let secrets: [Range<Int>]

    var isDenied: Bool { verdict.decision == .deny }
    var isHeld: Bool { verdict.decision == .hold }
    /// More than a plain yes: others are told of it.
    var isNotable: Bool { verdict.decision != .allow || verdict.approval != nil }

    /// What the decision depends on beside the text.
    struct Epoch: Hashable {
        var configuration: UInt64
        var time: UInt64
        var database: String?
        var mode: SQLMode
        /// Grows when the views that are known are other ones.
        var views: UInt64
    }

    init(
        actions: [Action], verdict: Verdict, policyVersion: String, epoch: Epoch, localFile: [UInt8]? = nil, kill: KillRequest? = nil,
        secrets: [Range<Int>] = []
    ) {
        self.secrets = secrets
        self.actions = actions
        self.verdict = verdict
        let ruling = VerdictRecord.Ruling(
            verdict: verdict, kinds: Set(actions.flatMap(\.kinds)), policyVersion: policyVersion,
            flags: actions.reduce(into: []) { $0.formUnion($1.flags) })
        record = (try? ruling.encoded()) ?? []
        self.epoch = epoch
        self.localFile = localFile
        self.kill = kill
    }

    /// `text` with `****` in the place of passwords.
    func shown(_ text: ByteBuffer) -> ByteBuffer {
        guard !secrets.isEmpty else { return text }
        let bytes = Array(text.readableBytesView)
        var shown = ByteBuffer()
        var end = 0
        for range in secrets.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let start = min(max(range.lowerBound, end), bytes.count)
            shown.writeBytes(bytes[end..<start])
            shown.writeString("'****'")
            end = min(max(range.upperBound, start), bytes.count)
        }
        shown.writeBytes(bytes[end...])
        return shown
    }
}

/// What the session's state is made of that decides how its texts are read.
struct MySQLSessionState: Hashable {
    var server: Server
    /// The default database.
    var database: String?
    /// Names of tables and databases are the same in any case.
    var lowercasesTables = false
    /// Texts are UTF-8; of others only those are read that have no byte above ASCII, since names could not be compared.
    var readsUTF8 = true
}

/// Decides for one session: asks policy, and keeps what it said. Confined to the session's event loop.
final class MySQLJudge {
    /// Kept decisions; more are forgotten all at once, which costs only time.
    private static let keptDecisions = 4_096
    /// A longer text's decision is not kept.
    private static let keptTextBytes = 16_384

    let gateway: Gateway
    private var configuration: LiveConfiguration
    private(set) var permit: Permit
    private let analyzer: MySQLAnalyzer
    private var budgets: [BudgetAccount]
    private var dependsOnTime = false
    /// The budget that ends the session, once it is spent.
    private(set) var ending: SpentBudget?
    /// What the server last told.
    var state: MySQLSessionState
    /// Views by their databases: what they read is not known.
    var views: Set<QualifiedName> = [] { didSet { if views != oldValue { viewsEpoch &+= 1 } } }
    private var viewsEpoch: UInt64 = 0
    private var kept: [ByteBuffer: MySQLJudgement] = [:]

    init(gateway: Gateway, permit: Permit, admittedUnder: UInt64, state: MySQLSessionState, limits: Limits) {
        self.gateway = gateway
        configuration = gateway.configuration
        configuration.generation = admittedUnder
        self.permit = permit
        self.state = state
        analyzer = MySQLAnalyzer(statementBytes: limits.statementBytes)
        budgets = configuration.policy.budgets(for: permit)
        dependsOnTime = configuration.policy.dependsOnTime(permit)
    }

    /// Takes a new configuration over; the refusal, when the session may not go on under it.
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
            budgets = configuration.policy.budgets(for: permit)
            dependsOnTime = configuration.policy.dependsOnTime(permit)
            return configuration.policy.unmaskable(permit)
        }
    }

    private var epoch: MySQLJudgement.Epoch {
        MySQLJudgement.Epoch(
            configuration: configuration.generation,
            time: dependsOnTime ? configuration.policy.timeEpoch(for: permit, at: gateway.clock.wallTime()) : 0,
            database: state.database, mode: state.server.mode, views: viewsEpoch)
    }

    // MARK: - Judging

    /// - Parameter text: of a COM_QUERY or COM_STMT_PREPARE.
    func judge(_ text: ByteBuffer) -> MySQLJudgement {
        let epoch = epoch
        if let judgement = kept[text], judgement.epoch == epoch { return judgement }
        let facts = analyzer.analyze(text, state)
        let judgement = decide(facts, epoch)
        if text.readableBytes <= Self.keptTextBytes {
            if kept.count >= Self.keptDecisions { kept.removeAll() }
            // A copy: the text itself is a piece of all that was read with it.
            kept[ByteBuffer(bytes: text.readableBytesView)] = judgement
        }
        return judgement
    }

    /// The same decision if it still holds, or a new one.
    func confirm(_ judgement: MySQLJudgement, of text: ByteBuffer) -> MySQLJudgement {
        judgement.epoch == epoch ? judgement : judge(text)
    }

    /// - Parameter action: of a command that has no text.
    func judge(_ action: Action, kill: KillRequest? = nil) -> MySQLJudgement { decide(MySQLFacts(actions: [action], kill: kill), epoch) }

    /// A judgement on the session as a whole, which `verdict` holds.
    func heldSession(_ verdict: Verdict) -> MySQLJudgement { make(MySQLFacts(actions: [Action(kinds: ["session"])]), verdict, epoch) }

    private func decide(_ facts: MySQLFacts, _ epoch: MySQLJudgement.Epoch) -> MySQLJudgement {
        let resolver = MySQLNames(views: views, lowercases: state.lowercasesTables)
        var verdict = Verdict(decision: .allow, rule: "gatehouse.empty")
        let now = gateway.clock.wallTime()
        for (index, action) in facts.actions.enumerated() {
            let next = reserved(action) ?? configuration.policy.judge(action, under: permit, resolver: resolver, at: now)
            // The strictest counts, and of several as strict the first.
            if index == 0 || next.decision.isStricter(than: verdict.decision) { verdict = next }
            if verdict.decision == .deny { break }
        }
        return make(facts, verdict, epoch)
    }

    private func make(_ facts: MySQLFacts, _ verdict: Verdict, _ epoch: MySQLJudgement.Epoch) -> MySQLJudgement {
        MySQLJudgement(
            actions: facts.actions, verdict: verdict, policyVersion: configuration.policy.version, epoch: epoch,
            localFile: facts.localFile, kill: facts.kill, secrets: facts.secrets)
    }

    /// The same statement under another verdict.
    private func make(_ judgement: MySQLJudgement, _ verdict: Verdict, _ epoch: MySQLJudgement.Epoch) -> MySQLJudgement {
        MySQLJudgement(
            actions: judgement.actions, verdict: verdict, policyVersion: configuration.policy.version, epoch: epoch,
            localFile: judgement.localFile, kill: judgement.kill, secrets: judgement.secrets)
    }

    /// What the gateway keeps to itself: it would no longer know how texts are read.
    private func reserved(_ action: Action) -> Verdict? {
        for setting in action.settings {
            guard let name = setting.name, name.hasPrefix("session_track_") else { continue }
            return Verdict(
                decision: .deny, rule: "gatehouse.session-tracking", reason: "Gatehouse has the server track the session's state.",
                hint: "Leave \(name) as it is.", category: .reserved)
        }
        for setting in action.settings where ["character_set_client", "names", "character_set"].contains(setting.name ?? "") {
            guard let value = setting.value, !CharacterSets.isSafe(value) else { continue }
            return Verdict(
                decision: .deny, rule: "gatehouse.character-set",
                reason: "Texts in \(value) cannot be read with certainty: bytes of quotes may be parts of characters.",
                hint: "Use utf8mb4.", category: .reserved)
        }
        return nil
    }

    func settled(_ judgement: MySQLJudgement, by outcome: HoldOutcome) -> MySQLJudgement {
        var verdict: Verdict
        switch outcome {
        case .refused(let refusal): verdict = refusal
        case .granted(let approval):
            verdict = judgement.verdict
            verdict.decision = .allow
            verdict.hold = nil
            verdict.approval = approval
        }
        return make(judgement, verdict, epoch)
    }

    // MARK: - Budgets

    var hasBudgets: Bool { !budgets.isEmpty }

    /// The same statement denied or held, where a budget is spent; nil where it may run. What ends a transaction always may.
    func overBudget(_ judgement: MySQLJudgement) -> MySQLJudgement? {
        guard !budgets.isEmpty, !judgement.isDenied, !Self.onlyEndsTransactions(judgement.actions) else { return nil }
        let isAsked = judgement.isHeld || judgement.verdict.approval != nil
        guard let spent = gateway.budgets.spent(of: isAsked ? budgets.filter { $0.budget.effect != .hold } : budgets) else { return nil }
        if spent.budget.effect == .end { ending = spent }
        return make(judgement, spent.verdict, judgement.epoch)
    }

    private static func onlyEndsTransactions(_ actions: [Action]) -> Bool {
        !actions.isEmpty
            && actions.allSatisfy { action in
                !action.kinds.isEmpty
                    && action.kinds.allSatisfy { $0.hasPrefix("transaction.commit") || $0.hasPrefix("transaction.rollback") }
            }
    }

    /// The statement runs, or was denied.
    func spend(on judgement: MySQLJudgement) {
        guard !budgets.isEmpty else { return }
        guard judgement.isDenied else {
            return gateway.budgets.charge(BudgetAmounts(actions: UInt64(max(judgement.actions.count, 1))), to: budgets)
        }
        switch judgement.verdict.category {
        case .budget, .approval: break
        case .rule, .notGranted, .unknown, .reserved, .masking, .limit: gateway.budgets.charge(BudgetAmounts(denied: 1), to: budgets)
        }
    }

    /// Counts what the client gets, and tells the budget that it thereby spent, if it did.
    func spend(rows: UInt64, bytes: UInt64) -> SpentBudget? {
        guard !budgets.isEmpty else { return nil }
        gateway.budgets.charge(BudgetAmounts(rows: rows, bytes: bytes), to: budgets)
        return gateway.budgets.spent(of: budgets)
    }
}

extension PolicyEngine {
    /// Masks and detectors that this protocol does not have yet: a session that they apply to is refused, never shown clear values.
    func unmaskable(_ permit: Permit) -> Refusal? {
        guard !masks(for: permit).isEmpty || detection(for: permit) != nil else { return nil }
        return Refusal(
            rule: "gatehouse.mask", reason: "Masks or detectors apply to you here, and Gatehouse cannot yet mask what MySQL sends.",
            hint: "Use a role or target that none applies to.")
    }
}

/// What names reach, as far as the session knows: a table reaches itself; what a view reads is not known.
struct MySQLNames: NameResolver {
    let views: Set<QualifiedName>
    let lowercases: Bool

    func relations(reachedBy name: QualifiedName) -> Set<Relation>? {
        let known = QualifiedName(
            schema: name.schema.map { lowercases ? $0.lowercased() : $0 }, name: lowercases ? name.name.lowercased() : name.name)
        guard let schema = known.schema, !views.contains(known) else { return nil }
        return [Relation(schema: schema, name: known.name)]
    }
}

/// Character sets in which no byte below 0x80 is ever part of a longer character, so that texts can be cut without knowing them.
enum CharacterSets {
    private static let unsafe: Set<String> = ["big5", "cp932", "gb18030", "gb2312", "gbk", "sjis", "ucs2", "utf16", "utf16le", "utf32"]
    private static let safe: Set<String> = [
        "armscii8", "ascii", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8", "default", "eucjpms",
        "euckr", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7", "macce",
        "macroman", "tis620", "ujis", "utf8", "utf8mb3", "utf8mb4",
    ]

    static func isUTF8(_ name: String) -> Bool { ["utf8", "utf8mb3", "utf8mb4", "ascii"].contains(name.lowercased()) }

    static func isSafe(_ name: String) -> Bool {
        let name = name.lowercased()
        return safe.contains(name) && !unsafe.contains(name)
    }
}
