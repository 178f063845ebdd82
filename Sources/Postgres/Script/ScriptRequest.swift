import NIOCore
import Recording

/// Format codes as Bind gives them: none for text, one for all, or one each.
struct ScriptFormats {
    var codes: [Int16] = []

    func isBinary(_ index: Int) -> Bool {
        codes.count == 1 ? codes[0] == 1 : index < codes.count && codes[index] == 1
    }
}

/// A request of the client's, and what came of it.
final class ScriptRequest {
    enum Kind {
        case query, parse, bind, execute, describe, close, sync, functionCall
    }

    enum Outcome {
        case completed
        case failed(code: String, message: String)
        case denied(VerdictRecord.Ruling)
        /// Behind an error, so that the server passed over it.
        case skipped
        /// The recording ends before the answer.
        case unanswered
    }

    struct Parameter {
        var bytes: [UInt8]?
        var isBinary: Bool
    }

    /// What a COPY took in.
    struct CopyData {
        var bytes: [UInt8] = []
        var isTooLarge = false
    }

    /// Copy data, and rows, that are kept of one request; of more, the script says that it is not there.
    static let maximumBytes = 64 << 20

    let kind: Kind
    var text: [UInt8]
    let denial: VerdictRecord.Ruling?
    var prepared: PostgresScript.Prepared?
    var parameters: [Parameter] = []
    var resultFormats = ScriptFormats()
    /// Of an Execute or a Describe: the Bind that made its portal.
    var bound: ScriptRequest?
    var hasRun = false
    var tags: [String] = []
    var outcome: Outcome?
    var columns: [ResultColumn] = []
    var rows: [String] = []
    private var rowBytes = 0
    private var rowsLeftOut: UInt64 = 0
    private(set) var copies: [CopyData] = []
    private(set) var hasBinaryCopy = false
    /// What the recording has of it, or of its copy data, stands for what the client said.
    var isMasked = false
    private var copiesBegun = 0
    private var current = CopyData()

    init(_ kind: Kind, _ text: [UInt8], _ denial: VerdictRecord.Ruling?) {
        self.kind = kind
        self.text = text
        self.denial = denial
    }

    var resultColumns: [ResultColumn] {
        [columns, bound?.columns ?? [], bound?.prepared?.columns ?? []].first { !$0.isEmpty } ?? []
    }

    func takesMoreRows() -> Bool {
        if rowBytes < Self.maximumBytes { return true }
        rowsLeftOut &+= 1
        return false
    }

    func add(row: String) {
        rowBytes += row.utf8.count
        rows.append(row)
    }

    func copyBegins(isBinary: Bool) {
        copiesBegun += 1
        hasBinaryCopy = hasBinaryCopy || isBinary
    }

    var awaitsCopyData: Bool { copies.count < copiesBegun }

    func copyData(_ bytes: some Sequence<UInt8>) {
        if current.bytes.count > Self.maximumBytes { current.isTooLarge = true } else { current.bytes += bytes }
    }

    func copyDone() {
        copies.append(current)
        current = CopyData()
    }

    func item(_ outcome: Outcome) -> ScriptItem {
        let source = bound ?? self
        return ScriptItem(
            text: text, isSimple: kind == .query, isStandard: source.prepared?.isStandard ?? true, parameters: source.parameters,
            types: source.prepared?.types ?? [], outcome: outcome, tags: tags, copies: copies, hasBinaryCopy: hasBinaryCopy, rows: rows,
            rowsLeftOut: rowsLeftOut, isMasked: isMasked || source.isMasked || source.prepared?.isMasked == true)
    }
}

/// A request as the script tells of it.
struct ScriptItem {
    var text: [UInt8]
    /// A simple query: perhaps several statements in one.
    var isSimple: Bool
    /// The `standard_conforming_strings` that it was prepared under.
    var isStandard: Bool
    var parameters: [ScriptRequest.Parameter]
    /// The parameters' types, as far as they are known.
    var types: [UInt32]
    var outcome: ScriptRequest.Outcome
    /// What its statements completed with.
    var tags: [String]
    var copies: [ScriptRequest.CopyData]
    var hasBinaryCopy: Bool
    var rows: [String]
    var rowsLeftOut: UInt64
    var isMasked = false

    var isCompleted: Bool { if case .completed = outcome { true } else { false } }
    var isFailure: Bool {
        switch outcome {
        case .failed, .denied: true
        case .completed, .skipped, .unanswered: false
        }
    }
    /// Whether one of its statements began or ended a transaction.
    var controlsTransaction: Bool { endsTransaction || tags.contains { ["BEGIN", "START TRANSACTION"].contains($0) } }
    var endsTransaction: Bool { tags.contains { ["COMMIT", "ROLLBACK", "PREPARE TRANSACTION"].contains($0) } }
}
