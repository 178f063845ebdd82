import Analysis
import GatehouseCore
import Masking
import NIOCore
import Recording
import Relay

@testable import Postgres

/// Keeps what the machine decided.
final class CollectingSink: RelaySink {
    private(set) var toServer: [UInt8] = []
    private(set) var toClient: [UInt8] = []
    /// What the recording has of the server.
    private(set) var recordedOfServer: [UInt8] = []
    private(set) var held: [UInt8] = []
    /// Bytes of the client's that went on or were held, and bytes of the server's that were dealt with.
    private(set) var clientBytes = 0
    private(set) var serverBytes = 0
    /// What the recording has of the client, and what of it stands for something else.
    private(set) var recorded: [UInt8] = []
    private(set) var hiddenBytes = 0
    private(set) var hiddenValues = 0
    private(set) var reasons: [HiddenMessage.Reason] = []
    /// Of what was hidden: whether it is kept for break-glass recipients.
    private(set) var keepsHidden: [Bool] = []
    private(set) var injected: [String] = []
    private(set) var replaced: [Replacement] = []
    private(set) var swallowed = 0
    /// What was kept, and what of `toClient` stands for it.
    private(set) var originals: [(bytes: [UInt8], at: Int, recorded: Int)] = []
    /// `rule@offset`
    private(set) var verdicts: [String] = []

    func passToServer(_ bytes: ByteBuffer) { passToServer(bytes, hiding: []) }

    func passToServer(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        clientBytes += bytes.readableBytes
        toServer += bytes.readableBytesView
        record(bytes, hidden)
    }

    func hold(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        clientBytes += bytes.readableBytes
        held += bytes.readableBytesView
        record(bytes, hidden)
    }

    private func record(_ bytes: ByteBuffer, _ hidden: [HiddenMessage]) {
        let all = Array(bytes.readableBytesView)
        var at = 0
        for message in hidden {
            recorded += all[at..<message.offset]
            recorded += message.recorded.readableBytesView
            at = message.offset + message.length
            hiddenBytes += message.length
            hiddenValues += message.items
            keepsHidden.append(message.keepsOriginal)
            if reasons.last != message.reason { reasons.append(message.reason) }
        }
        recorded += all[at...]
    }

    func inject(_ bytes: ByteBuffer, because reason: String) {
        toServer += bytes.readableBytesView
        injected.append(reason)
    }

    func record(_ judgement: Judgement, at offset: UInt64) { verdicts.append("\(judgement.verdict.rule)@\(offset)") }

    func passToClient(_ bytes: ByteBuffer) {
        serverBytes += bytes.readableBytes
        toClient += bytes.readableBytesView
        recordedOfServer += bytes.readableBytesView
    }

    func replaceForClient(original: Int, by bytes: ByteBuffer, recording recorded: ByteBuffer, because reason: Replacement) {
        serverBytes += original
        toClient += bytes.readableBytesView
        recordedOfServer += recorded.readableBytesView
        if replaced.last != reason { replaced.append(reason) }
    }

    func original(_ direction: Direction, _ bytes: ByteBuffer, recorded: Int) {
        originals.append((Array(bytes.readableBytesView), recordedOfServer.count, recorded))
    }

    func swallow(_ count: Int) {
        serverBytes += count
        swallowed += count
    }

    func forget() {
        originals = []
        toServer = []
        toClient = []
        recordedOfServer = []
        replaced = []
        held = []
        recorded = []
        reasons = []
        keepsHidden = []
        hiddenBytes = 0
        hiddenValues = 0
        verdicts = []
        injected = []
    }
}

/// Denies some kinds, and masks every column that is called `ssn`.
final class ScriptedJudge: RelayJudge {
    var deniedKinds: Set<String> = ["drop.table"]
    var heldKinds: Set<String> = []
    var deniedRequests: Set<String> = []
    var epoch = Judgement.Epoch(configuration: 1, catalog: 1, meaning: 1)
    /// How many more questions are answered with `needsCatalog`.
    var catalogsNeeded = 0
    var rowCatalogsNeeded = 0
    /// What is kept of masked rows and copy data.
    var original = OriginalView<[ColumnMask?]>.nothing
    /// Who must not see `ssn`.
    var views = Views.both
    var stringSettingIsUncertain = false
    /// Looks into every column of text, and into messages; then every result's columns must be known.
    var redactor: Redactor?
    var sqlNames: Set<String> = []
    private var kept: [ObjectIdentifier: Judgement] = [:]
    private(set) var forwardedTexts: [String] = []
    private(set) var completedTexts: [String] = []
    private(set) var idleTimes = 0

    func changePolicy(denying kinds: Set<String> = [], holding held: Set<String> = []) {
        deniedKinds = kinds
        heldKinds = held
        epoch.configuration += 1
        kept = [:]
    }

    func known(_ analysis: Analysis) -> Judgement? { nil }
    func holds(_ judgement: Judgement) -> Bool { judgement.epoch == epoch }

    func judge(_ analysis: Analysis, prepared: (ServerName) -> [Action]) -> JudgeOutcome {
        if catalogsNeeded > 0 {
            catalogsNeeded -= 1
            return .needsCatalog
        }
        if let judgement = kept[ObjectIdentifier(analysis)] { return .ready(judgement) }
        let judgement = make(analysis.actions, analysis)
        kept[ObjectIdentifier(analysis)] = judgement
        return .ready(judgement)
    }

    func confirm(_ judgement: Judgement, prepared: (ServerName) -> [Action]) -> JudgeOutcome {
        guard judgement.epoch != epoch, let analysis = judgement.analysis else { return .ready(judgement) }
        return judge(analysis, prepared: prepared)
    }

    func judge(request kind: String, of name: ServerName) -> Judgement {
        let denied = deniedRequests.contains(kind) || deniedRequests.contains(name.text)
        return Judgement(
            actions: [Action(kinds: [kind])], verdict: Verdict(decision: denied ? .deny : .allow, rule: "request-\(kind)"), record: [],
            epoch: epoch, mayRevealMasked: sqlNames.contains(name.text), analysis: nil,
            hidden: hidesUnjudged && kind != "fetch" ? HiddenLiterals() : nil)
    }

    /// What cannot be read may reveal and echo, as it may to the gateway's own judge.
    var revealsUnparsed = false
    /// The constants and parameters of what names `ssn`, or touches customers, are hidden.
    var hidesUnjudged = false

    /// Detectors look into the data of every COPY .. FROM STDIN.
    var searchesCopies = false

    private func hidden(_ actions: [Action], _ analysis: Analysis?) -> HiddenLiterals? {
        if searchesCopies, let redactor, let options = CopyOptions() {
            return HiddenLiterals(hidingOnly: [.masked(CopyMaskPlan(options: options, columns: nil, redactor: redactor))])
        }
        guard hidesUnjudged else { return nil }
        let hidden = actions.map { action in
            action.columns.contains("ssn") || action.objects.contains { $0.name.name == "customers" }
                || !action.flags.isDisjoint(with: [.opaque, .unparsed])
        }
        guard hidden.contains(true) else { return nil }
        let copies = actions.filter { $0.kinds.contains("copy.from") }.map { action -> HiddenLiterals.CopyIn in
            guard let options = action.copy.flatMap({ CopyOptions(input: $0.options.map { ($0.name, $0.value) }) }) else {
                return .withheld
            }
            return .masked(CopyMaskPlan(options: options, columns: [nil, Self.mask]))
        }
        return HiddenLiterals(analysis: analysis, copies: copies) {
            LiteralPlan.find(in: $0, hidden: hidden, catalog: Customers()) { $0.attnum == 3 }
        }
    }

    private struct Customers: LineageCatalog {
        func relations(named name: QualifiedName) -> [LineageRelation] {
            guard name.name == "customers" else { return [] }
            let columns = ["id", "name", "ssn"].enumerated().map { LineageRelation.Column(attnum: Int16($0.offset + 1), name: $0.element) }
            return [LineageRelation(oid: 16_400, columns: columns)]
        }
    }

    private func make(_ actions: [Action], _ analysis: Analysis?) -> Judgement {
        let denied = actions.contains { !$0.kinds.isDisjoint(with: deniedKinds) }
        let verdict =
            actions.contains { !$0.kinds.isDisjoint(with: heldKinds) } && !denied
            ? Verdict(decision: .hold, rule: "ask", reason: "Ask first.", hold: HoldTerms(approvers: ["managers"]))
            : denied
                ? Verdict(decision: .deny, rule: "no-drop", reason: "Tables stay.", hint: "Ask a DBA.")
                : Verdict(decision: .allow, rule: "rest")
        let names = actions.contains {
            $0.columns.contains("ssn") || !$0.kinds.contains("copy.from") && $0.copy?.columns?.contains("ssn") == true
        }
        let echoes = names || revealsUnparsed && actions.contains { $0.flags.contains(.unparsed) }
        let reveals = redactor != nil || names
        let copies = actions.contains { $0.kinds.contains("copy.to") }
        let plan = CopyOptions().map { options in
            let columns: [ColumnMask?]? = redactor == nil || echoes ? [nil, ScriptedJudge.mask] : nil
            return CopyMaskPlan(
                options: options, columns: views.contains(.client) ? columns : nil, redactor: redactor,
                recording: views == .both ? .asSent : .columns(views.contains(.recording) ? columns : nil), original: original)
        }
        return Judgement(
            actions: actions, verdict: verdict, record: Array(verdict.rule.utf8), epoch: epoch, mayRevealMasked: reveals,
            mayEchoMasked: echoes ? views : [], copyMask: reveals && copies ? plan : nil, analysis: analysis,
            hidden: hidden(actions, analysis))
    }

    static let mask = ColumnMask(type: 25, format: .text, strategy: .redact)

    func rowMask(for columns: [ResultColumn], of judgements: [Judgement]) -> RowMaskOutcome {
        if rowCatalogsNeeded > 0 {
            rowCatalogsNeeded -= 1
            return .needsCatalog
        }
        let kept: OriginalView<RowMask> =
            switch original {
            case .nothing: .nothing
            case .asItCame: .asItCame
            case .masked(let columns): .masked(RowMask(columns: columns))
            }
        let mask = RowMask(columns: columns.map { $0.name == "ssn" ? Self.mask : nil })
        if let redactor {
            let names = columns.map { column in FoundText(type: column.typeOID, format: .text).map { (form: $0, name: column.name) } }
            let searched = zip(names, columns).map { $1.name == "ssn" ? nil : $0 }
            let hasMask = columns.contains { $0.name == "ssn" }
            let seen = RowView(mask: hasMask ? mask : nil, detection: RowDetection(redactor: redactor, columns: searched))
            return .mask(row(seen, RowView(mask: nil, detection: RowDetection(redactor: redactor, columns: names)), kept))
        }
        guard judgements.contains(where: \.mayRevealMasked), columns.contains(where: { $0.name == "ssn" }) else { return .pass }
        return .mask(row(RowView(mask: mask), RowView(mask: nil), kept))
    }

    private func row(_ masked: RowView, _ clear: RowView, _ kept: OriginalView<RowMask>) -> PostgresRowMask {
        guard views != .both else { return PostgresRowMask(masked, original: kept) }
        return PostgresRowMask(
            views.contains(.client) ? masked : clear, recording: views.contains(.recording) ? masked : clear, original: kept)
    }

    func forwarded(_ judgement: Judgement) { forwardedTexts += judgement.actions.map(\.normalized) }
    func completed(_ judgement: Judgement) { completedTexts += judgement.actions.map(\.normalized) }
    func serverIsIdle() { idleTimes += 1 }
    func isNamedBySQL(_ name: ServerName) -> Bool { sqlNames.contains(name.text) }

    func settled(_ judgement: Judgement, by outcome: HoldOutcome) -> Judgement {
        let verdict: Verdict =
            switch outcome {
            case .refused(let verdict): verdict
            case .granted(let approval): Verdict(decision: .allow, rule: judgement.verdict.rule, approval: approval)
            }
        return Judgement(
            actions: judgement.actions, verdict: verdict, record: [], epoch: epoch, mayRevealMasked: judgement.mayRevealMasked,
            analysis: judgement.analysis, hidden: hidden(judgement.actions, judgement.analysis))
    }

    var canEstimate = false
    func estimated(_ judgement: Judgement, rows: Int?) -> Judgement { judgement }
    var overspent: Verdict?
    func overBudget(_ judgement: Judgement) -> Judgement? {
        overspent.map {
            Judgement(
                actions: judgement.actions, verdict: $0, record: [], epoch: epoch, mayRevealMasked: false, analysis: judgement.analysis)
        }
    }
    private(set) var spent: [String] = []
    func spend(on judgement: Judgement) { spent.append(judgement.verdict.rule) }
    var countsMaskedValues = false
    var keepsTexts = false
    var keepsClientOriginals = false

    func heldSession(_ verdict: Verdict) -> Judgement {
        Judgement(actions: [Action(kinds: ["session"])], verdict: verdict, record: [], epoch: epoch, mayRevealMasked: false, analysis: nil)
    }

    func denyUncertainStrings(_ analysis: Analysis) -> Judgement {
        Judgement(
            actions: analysis.actions, verdict: Verdict(decision: .deny, rule: "strings"), record: [], epoch: epoch,
            mayRevealMasked: false, analysis: analysis)
    }
}

/// A machine between a client and a server that are played by the test.
final class RelayBench {
    let judge = ScriptedJudge()
    let sink = CollectingSink()
    var machine: RelayMachine
    private(set) var clientInput = ByteBuffer()
    private(set) var serverInput = ByteBuffer()
    private(set) var progress = RelayMachine.ClientProgress.needsBytes

    init(isReplication: Bool = false, limits: (inout Limits) -> Void = { _ in }) {
        var chosen = Limits()
        limits(&chosen)
        machine = RelayMachine(
            judge: judge,
            analyzer: StatementAnalyzer(
                statementBytes: chosen.statementBytes, inlineBytes: chosen.inlineStatementBytes, cacheEntries: 256),
            limits: chosen, isReplication: isReplication)
        machine.hasBudgets = true
    }

    @discardableResult
    func client(_ messages: Message...) throws(ProtocolViolation) -> RelayMachine.ClientProgress {
        try client(bytes: messages.flatMap(\.bytes))
    }

    @discardableResult
    func client(bytes: [UInt8]) throws(ProtocolViolation) -> RelayMachine.ClientProgress {
        clientInput.writeBytes(bytes)
        var sink = sink
        progress = try machine.receiveFromClient(&clientInput, sink: &sink)
        return progress
    }

    @discardableResult
    func server(_ messages: Message...) throws(ProtocolViolation) -> RelayMachine.ServerProgress {
        try server(bytes: messages.flatMap(\.bytes))
    }

    /// As the session does: what the client said may have waited for the answer.
    @discardableResult
    func server(bytes: [UInt8]) throws(ProtocolViolation) -> RelayMachine.ServerProgress {
        serverInput.writeBytes(bytes)
        var sink = sink
        let progress = try machine.receiveFromServer(&serverInput, sink: &sink)
        if clientInput.readableBytes > 0 { try client(bytes: []) }
        return progress
    }

    /// What the machine waits for, if that is a person.
    var held: HeldAction? {
        if case .needsApproval(let held) = progress { held } else { nil }
    }

    /// Somebody decided.
    func settle(_ outcome: HoldOutcome) throws(ProtocolViolation) {
        guard let held else { return }
        machine.finishedHold = (held.offset, held.judgement.verdict.rule, outcome)
        try client(bytes: [])
    }

    var toServer: [Message] { Message.split(sink.toServer) }
    var recorded: [Message] { Message.split(sink.recorded) }
    var toClient: [Message] { Message.split(sink.toClient) }
    var kept: [Message] { Message.split(sink.held) }

    func forget() { sink.forget() }
}

extension Message {
    static func injected(_ message: InjectedMessage) -> Message { Message(message.bytes) }
    static func injectedDescribe(_ portal: String) -> Message { Message(InjectedMessage.describe(portal: portal)) }

    /// The denial that `ScriptedJudge` brings about.
    static let denial: Message = {
        var buffer = ByteBuffer()
        ErrorFields(
            code: .insufficientPrivilege, message: "denied by Gatehouse rule \"no-drop\": Tables stay.",
            detail: #"{"gatehouse":{"allowed":"Ask a DBA.","category":"rule","reason":"Tables stay.","retry":false,"rule":"no-drop"}}"#,
            hint: "Ask a DBA."
        ).write(to: &buffer)
        return Message(buffer)
    }()

    /// What the server makes of an injected message.
    static let syntaxError = error("42601", "syntax error at or near \"denied\"")
}

/// An analysis made away from the machine.
enum StatementAnalysis {
    static func of(_ text: UnsafeRawBufferPointer) -> Analysis { StatementAnalyzer.analyze(text, statementBytes: 1 << 20) }
}
