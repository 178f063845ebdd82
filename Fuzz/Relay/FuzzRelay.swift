import Analysis
import CFuzz
import GatehouseCore
import Masking
import NIOCore
import Recording
import Relay

@testable import Postgres

/// Feeds both sides of the relay machine, turn about, with cuts that the input chooses.
///
/// The input is a row of turns: a byte whose highest bit says who speaks and whose other bits say how many of the bytes behind
/// it that side then says. What must hold: nothing traps; no text that was denied reaches the server; every byte that was taken
/// off the input is passed, held, replaced or swallowed, and is so counted.
@main
enum FuzzRelay {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            FuzzRelay.one(Array(UnsafeBufferPointer(start: bytes, count: count)))
        }
    }

    private static func one(_ input: [UInt8]) -> Int32 {
        var bench = Bench()
        var rest = input[...]
        while let turn = rest.popFirst() {
            let said = Array(rest.prefix(Int(turn & 0x7F)))
            rest = rest.dropFirst(said.count)
            guard bench.take(said, fromServer: turn & 0x80 != 0) else { break }
        }
        return 0
    }
}

/// A machine, and the sums of what it was given and what it did.
private struct Bench {
    let judge = Judge()
    let sink = Sink()
    var machine: RelayMachine
    var clientInput = ByteBuffer()
    var serverInput = ByteBuffer()
    var clientBytes = 0
    var serverBytes = 0

    init() {
        var limits = Limits()
        limits.messageBytes = 4_096
        limits.pipelineDepth = 64
        limits.statementsPerSession = 8
        machine = RelayMachine(
            judge: judge, analyzer: StatementAnalyzer(statementBytes: 4_096, inlineBytes: 4_096, cacheEntries: 64), limits: limits,
            isReplication: false)
    }

    /// False: the session is over.
    mutating func take(_ bytes: [UInt8], fromServer: Bool) -> Bool {
        var sink = sink
        do throws(ProtocolViolation) {
            if fromServer {
                serverInput.writeBytes(bytes)
                serverBytes += bytes.count
                _ = try machine.receiveFromServer(&serverInput, sink: &sink)
                precondition(sink.server == serverBytes - serverInput.readableBytes, "bytes of the server are not accounted for")
            } else {
                clientInput.writeBytes(bytes)
                clientBytes += bytes.count
            }
            sink.isSkipping = machine.pending.isSkipping
            let progress = try machine.receiveFromClient(&clientInput, sink: &sink)
            precondition(sink.client == clientBytes - clientInput.readableBytes, "bytes of the client are not accounted for")
            switch progress {
            case .needsBytes, .needsServer: return true
            case .terminated, .needsAnalysis, .needsCatalog, .needsEstimate, .needsApproval: return false
            }
        } catch {
            return false
        }
    }
}

private final class Sink: RelaySink {
    var client = 0
    var server = 0
    /// The server ignores what comes now, up to a Sync, so it may be anything.
    var isSkipping = false
    /// What went to the server and is not yet a whole message.
    private var toServer = ByteBuffer()

    func passToServer(_ bytes: ByteBuffer) {
        client += bytes.readableBytes
        look(at: bytes)
    }

    func passToServer(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        check(hidden, in: bytes)
        passToServer(bytes)
    }

    func hold(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage]) {
        check(hidden, in: bytes)
        client += bytes.readableBytes
    }

    /// What is recorded otherwise lies inside, in order, and is whole messages.
    private func check(_ hidden: [HiddenMessage], in bytes: ByteBuffer) {
        var end = 0
        for message in hidden {
            precondition(message.offset >= end && message.length > 0, "hidden messages overlap")
            end = message.offset + message.length
            precondition(end <= bytes.readableBytes, "a hidden message goes beyond what it is in")
            var recorded = message.recorded
            while recorded.readableBytes > 0 {
                guard let length: Int32 = recorded.getInteger(at: recorded.readerIndex + 1),
                    recorded.readSlice(length: Int(length) + 1) != nil
                else { preconditionFailure("a message is recorded that is none") }
            }
        }
    }

    func inject(_ bytes: ByteBuffer, because reason: String) {
        precondition(toServer.readableBytes == 0, "injected amid a message")
    }
    func record(_ judgement: Judgement, at offset: UInt64) {}
    func passToClient(_ bytes: ByteBuffer) { server += bytes.readableBytes }
    func replaceForClient(original: Int, by bytes: ByteBuffer, recording recorded: ByteBuffer, because reason: Replacement) {
        server += original
    }
    func swallow(_ count: Int) { server += count }
    func original(_ direction: Direction, _ bytes: ByteBuffer, recorded: Int) {}

    /// Reads the client's messages as the server does, and analyses their texts anew.
    private func look(at bytes: ByteBuffer) {
        toServer.writeImmutableBuffer(bytes)
        while let length: Int32 = toServer.getInteger(at: toServer.readerIndex + 1),
            let message = toServer.readSlice(length: Int(length) + 1), let type: UInt8 = message.getInteger(at: message.readerIndex)
        {
            if type == Frontend.sync { isSkipping = false }
            guard !isSkipping, type == Frontend.query || type == Frontend.parse else { continue }
            var strings = message.readableBytesView.dropFirst(5).split(separator: 0, omittingEmptySubsequences: false)[...]
            if type == Frontend.parse { strings.removeFirst() }
            guard let text = strings.first else { continue }
            let analysis = Array(text).withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: 4_096) }
            precondition(!Judge.denies(analysis), "a denied text reached the server")
        }
    }
}

/// Denies whatever drops, deletes or cannot be read, and masks columns called `ssn`.
private final class Judge: RelayJudge {
    private let epoch = Judgement.Epoch(configuration: 1, catalog: 1, meaning: 1)

    static func denies(_ analysis: Analysis) -> Bool {
        analysis.actions.contains { action in
            action.flags.contains(.unparsed) || action.kinds.contains { $0.hasPrefix("drop") || $0.hasPrefix("delete") }
        }
    }

    func known(_ analysis: Analysis) -> Judgement? { nil }
    func holds(_ judgement: Judgement) -> Bool { true }

    func judge(_ analysis: Analysis, prepared: (ServerName) -> [Action]) -> JudgeOutcome {
        let decision: Verdict.Decision = Self.denies(analysis) ? .deny : .allow
        let reveals = analysis.actions.contains { $0.columns.contains("ssn") || $0.kinds.contains("copy.to") }
        let plan = CopyOptions().map {
            let columns: [ColumnMask?] = [nil, ColumnMask(type: 25, format: .text, strategy: .redact)]
            // Of both views, of the client alone, of the recording alone.
            switch analysis.actions.count % 3 {
            case 1: return CopyMaskPlan(options: $0, columns: columns)
            case 2: return CopyMaskPlan(options: $0, columns: columns, recording: .columns(nil))
            default: return CopyMaskPlan(options: $0, columns: nil, recording: .columns(columns))
            }
        }
        return .ready(
            Judgement(
                actions: analysis.actions, verdict: Verdict(decision: decision, rule: "r"), record: [], epoch: epoch,
                mayRevealMasked: reveals, mayEchoMasked: reveals ? Views(rawValue: UInt8(1 + analysis.actions.count % 3)) : [],
                copyMask: plan, analysis: analysis,
                hidden: HiddenLiterals(analysis: analysis, copies: plan.map { [.masked($0)] } ?? []) {
                    LiteralPlan.find(in: $0, hidden: [], catalog: Tables()) { $0.attnum == 3 }
                }))
    }

    private struct Tables: LineageCatalog {
        func relations(named name: QualifiedName) -> [LineageRelation] {
            let columns = ["id", "name", "ssn"].enumerated().map { LineageRelation.Column(attnum: Int16($0.offset + 1), name: $0.element) }
            return [LineageRelation(oid: UInt32(truncatingIfNeeded: name.name.utf8.count + 1), columns: columns)]
        }
    }

    func confirm(_ judgement: Judgement, prepared: (ServerName) -> [Action]) -> JudgeOutcome { .ready(judgement) }

    func judge(request kind: String, of name: ServerName) -> Judgement {
        Judgement(
            actions: [Action(kinds: [kind])], verdict: Verdict(decision: name.text == "x" ? .deny : .allow, rule: "r"), record: [],
            epoch: epoch, mayRevealMasked: false, analysis: nil, hidden: HiddenLiterals())
    }

    var hidesUnjudged: Bool { true }

    // Nothing is held, estimated or counted here.
    var canEstimate: Bool { false }
    var keepsTexts: Bool { false }
    var countsMaskedValues: Bool { false }
    func estimated(_ judgement: Judgement, rows: Int?) -> Judgement { judgement }
    func settled(_ judgement: Judgement, by outcome: HoldOutcome) -> Judgement { judgement }
    func heldSession(_ verdict: Verdict) -> Judgement { judge(request: "session", of: ServerName(known: "x")) }
    func overBudget(_ judgement: Judgement) -> Judgement? { nil }
    func spend(on judgement: Judgement) {}

    func isNamedBySQL(_ name: ServerName) -> Bool { name.text == "y" }

    func rowMask(for columns: [ResultColumn], of judgements: [Judgement]) -> RowMaskOutcome {
        guard columns.contains(where: { $0.name == "ssn" }) else { return .pass }
        let masked = RowView(
            mask: RowMask(
                columns: columns.map { $0.name == "ssn" ? ColumnMask(type: $0.typeOID, format: .text, strategy: .partial) : nil }))
        let clear = RowView(mask: nil)
        switch columns.count % 3 {
        case 1: return .mask(PostgresRowMask(masked, original: .asItCame))
        case 2: return .mask(PostgresRowMask(masked, recording: clear))
        default: return .mask(PostgresRowMask(clear, recording: masked, original: .asItCame))
        }
    }

    func forwarded(_ judgement: Judgement) { precondition(!judgement.isDenied, "a denied statement is told as passed on") }
    func completed(_ judgement: Judgement) {}
    func serverIsIdle() {}
    var stringSettingIsUncertain: Bool { false }
    func denyUncertainStrings(_ analysis: Analysis) -> Judgement { judge(request: "strings", of: ServerName(known: "x")) }
}
