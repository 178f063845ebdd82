import Analysis
import GatehouseCore
import Masking
import NIOCore
import Relay

/// The setting by which a session says why it does something that must be approved.
let reasonSetting = "gatehouse.reason"
/// The setting by which a session asks for clear values of masked columns, and says why; empty or reset, the masks are back.
let unmaskSetting = "gatehouse.unmask"

/// What was decided of one statement text (or of one protocol request that is not text).
///
/// A class, since a prepared statement, its portals and the requests waiting for answers all share one.
final class Judgement {
    let actions: [Action]
    let verdict: Verdict
    /// The decision as the recording keeps it: JSON, made once.
    let record: [UInt8]
    /// The configuration and the catalog under which it was reached; stale when either moved on.
    let epoch: Epoch
    /// A result of this statement may hold values that must be masked, so rows may not pass before their columns are known.
    let mayRevealMasked: Bool
    /// Who must not see the server's words about this statement, since they may quote a masked value.
    let mayEchoMasked: Views
    /// How what a COPY .. TO STDOUT sends is masked.
    let copyMask: CopyMaskPlan?
    /// How what the client says of it is told to people; nil: as it is.
    let hidden: HiddenLiterals?
    let effects: Effects
    /// The text's analysis, nil for requests that have none.
    let analysis: Analysis?

    /// How many times running the statement makes the server ask the client for copy data.
    let copyIns: Int
    /// The verdict depends on how many rows the statement works on, which can be asked for.
    let needsEstimate: Bool
    /// It runs what a name stands for, which may be another thing each time.
    let runsNames: Bool

    /// More than a plain yes: others are told of it.
    let isNotable: Bool

    /// It may not go on as it is: denied, or not yet approved.
    var isDenied: Bool { verdict.decision != .allow }
    /// A person must approve it first.
    var isHeld: Bool { verdict.decision == .hold }
    /// Whether it may run is decided when it is bound, where its parameters are known.
    var waitsForBind: Bool { isHeld || needsEstimate }

    init(
        actions: [Action], verdict: Verdict, record: [UInt8], epoch: Epoch, mayRevealMasked: Bool, mayEchoMasked: Views = [],
        copyMask: CopyMaskPlan? = nil, needsEstimate: Bool = false, analysis: Analysis?, hidden: HiddenLiterals? = nil
    ) {
        self.hidden = hidden
        self.needsEstimate = needsEstimate
        self.actions = actions
        self.verdict = verdict
        isNotable = verdict.decision != .allow || verdict.approval != nil
        self.record = record
        self.epoch = epoch
        self.mayRevealMasked = mayRevealMasked
        self.mayEchoMasked = mayEchoMasked
        self.copyMask = copyMask
        self.analysis = analysis
        effects = Effects(of: actions)
        runsNames = analysis?.actions.contains { $0.runs != nil } == true
        copyIns = actions.count { $0.kinds.contains("copy.from") && $0.flags.isDisjoint(with: [.copyFile, .copyProgram]) }
    }

    struct Epoch: Hashable {
        var configuration: UInt64
        var catalog: UInt64
        /// Grows whenever the session does something that may give names another meaning.
        var meaning: UInt64
        /// Another one when a rule's time has begun or ended.
        var time: UInt64 = 0
    }

    /// What running the statement may change in what the gateway knows of the server.
    struct Effects: OptionSet {
        let rawValue: UInt8
        static let changesSchema = Effects(rawValue: 1 << 0)
        static let changesSearchPath = Effects(rawValue: 1 << 1)
        /// Runs code that may change settings unseen.
        static let runsUnknownCode = Effects(rawValue: 1 << 2)
        static let definesNames = Effects(rawValue: 1 << 3)
        static let freesNames = Effects(rawValue: 1 << 4)
        static let givesReason = Effects(rawValue: 1 << 5)
        /// Asks for clear values, or for no more of them.
        static let changesMasks = Effects(rawValue: 1 << 6)

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(of actions: [Action]) {
            var effects: Effects = []
            for action in actions {
                if action.flags.contains(.changesSchema) { effects.insert([.changesSchema]) }
                if !action.flags.isDisjoint(with: [.opaque, .callsUnknownFunction, .unparsed]) {
                    effects.insert([.runsUnknownCode, .changesSearchPath])
                }
                if action.defines != nil { effects.insert(.definesNames) }
                if !action.kinds.isDisjoint(with: ["deallocate", "close", "discard"]) { effects.insert(.freesNames) }
                if action.settings.contains(where: { $0.name == reasonSetting }) { effects.insert(.givesReason) }
                if action.settings.contains(where: { $0.name == nil || $0.name == unmaskSetting }) { effects.insert(.changesMasks) }
                let named = action.settings.contains { $0.name == nil || $0.name == "search_path" || $0.name == "role" }
                if named || action.kinds.contains("discard") || action.kinds.contains("set.role") { effects.insert(.changesSearchPath) }
            }
            self = effects
        }
    }
}

/// What a judge says when asked.
enum JudgeOutcome {
    case ready(Judgement)
    /// The target's catalog must be read again first; ask once more when it was.
    case needsCatalog
}

enum RowMaskOutcome {
    case pass
    case mask(PostgresRowMask)
    case needsCatalog
}

/// Who decides, as the relay machine sees it.
protocol RelayJudge: AnyObject {
    /// What was decided of the text before, if it still holds; nil says nothing. Asked first, since it is cheap.
    func known(_ analysis: Analysis) -> Judgement?
    /// Whether a decision is known to hold still; false says nothing. Asked before `confirm`, since it is cheap.
    func holds(_ judgement: Judgement) -> Bool
    /// Decides on a text. `prepared` tells what a name that the protocol gave (to a statement or portal) stands for.
    func judge(_ analysis: Analysis, prepared: (ServerName) -> [Action]) -> JudgeOutcome
    /// The same decision if it still holds, or a new one.
    func confirm(_ judgement: Judgement, prepared: (ServerName) -> [Action]) -> JudgeOutcome
    /// Decides on a request that has no text: `function_call`, or `bind` and `fetch` of a `name` that the protocol did not
    /// make (it may be one that SQL made).
    func judge(request kind: String, of name: ServerName) -> Judgement
    /// Numbers of rows can be known now: nothing that the session did makes its names mean something else elsewhere.
    var canEstimate: Bool { get }
    /// The same statement, with the number of rows that it works on; nil where nobody knows.
    func estimated(_ judgement: Judgement, rows: Int?) -> Judgement
    /// The same statement, as it came out of a hold.
    func settled(_ judgement: Judgement, by outcome: HoldOutcome) -> Judgement
    /// A judgement on the session as a whole, which `verdict` holds.
    func heldSession(_ verdict: Verdict) -> Judgement
    /// The same statement denied or held, where a budget is spent; nil where it may run.
    func overBudget(_ judgement: Judgement) -> Judgement?
    /// The statement runs, or was denied.
    func spend(on judgement: Judgement)
    /// What is bound may have to be approved although its text was not: a budget that holds may be spent by then.
    var keepsTexts: Bool { get }
    /// Masked values are to be told apart.
    var countsMaskedValues: Bool { get }
    /// SQL gave this name to a statement or cursor at some time.
    func isNamedBySQL(_ name: ServerName) -> Bool
    /// How the rows of a result must be masked.
    func rowMask(for columns: [ResultColumn], of judgements: [Judgement]) -> RowMaskOutcome
    /// What looks into all text that goes to the client; nil: nothing does.
    var redactor: Redactor? { get }
    /// The statement was passed on.
    func forwarded(_ judgement: Judgement)
    /// A statement that was passed on has ended (well or not).
    func completed(_ judgement: Judgement)
    /// The server waits for a request, and nothing is on its way to it.
    func serverIsIdle()
    /// Masks apply, or detectors look: what nobody judges may say what they hide.
    var hidesUnjudged: Bool { get }
    /// What the client says of masked columns is kept for break-glass recipients.
    var keepsClientOriginals: Bool { get }
    /// Statement texts that would be lexed differently under another `standard_conforming_strings` are denied.
    var stringSettingIsUncertain: Bool { get }
    func denyUncertainStrings(_ analysis: Analysis) -> Judgement
}

extension RelayJudge {
    var redactor: Redactor? { nil }
    var keepsClientOriginals: Bool { false }
}
