import GatehouseCore
import Identity
import NIOCore
import Policy
import Recording
import Relay

/// One MySQL client and one server, joined: the stage where commands pass. Owns the relay.
final class MySQLSession: PairedSession {
    let sink: MySQLOutput
    let judge: MySQLJudge
    let facts: Facts
    var machine: MySQLRelay
    /// Of the session's budgets: what was counted already.
    private var spentRows: UInt64 = 0
    private var spentBytes: UInt64 = 0

    /// What approvers are told of the session.
    struct Facts {
        var database: String
        var application: String
    }

    init(
        permitted: Permitted, gateway: Gateway, eventLoop: any EventLoop, loopRecorder: LoopRecorder, recorder: SessionRecorder,
        judge: MySQLJudge, machine: MySQLRelay, facts: Facts, onEnd: @escaping (SessionTotals) -> Void
    ) {
        self.judge = judge
        self.machine = machine
        self.facts = facts
        let output = StagedOutput(recorder: recorder)
        sink = MySQLOutput(output) { judgement in
            gateway.observer.verdict(
                VerdictReport(
                    permitted, at: gateway.clock.wallTime(), verdict: judgement.verdict, actions: judgement.actions,
                    policyVersion: gateway.configuration.policy.version))
        }
        super.init(
            permitted: permitted, gateway: gateway, eventLoop: eventLoop, loopRecorder: loopRecorder, output: output, onEnd: onEnd)
    }

    override var state: State {
        var state = State()
        state.isQuiet = machine.isQuiet
        state.pending = machine.pending == nil ? 0 : 1
        // Answers go on in whole packets; amid one a client would still take an error for a row.
        state.isAmidMessage = false
        state.statements = machine.counters.statements
        state.denied = machine.counters.denied
        state.rows = machine.counters.rows
        return state
    }

    override func follow() -> Refusal? { judge.follow() }

    // MARK: - Passing on

    override func pumpClient() {
        guard !clientWaits, !isEnding else { return }
        var sink = sink
        do throws(ProtocolViolation) {
            switch try machine.receiveFromClient(&clientInput, sink: &sink) {
            case .needsBytes: clientIsBlocked = false
            case .needsServer: clientIsBlocked = true
            case .needsApproval(let held): begin(held)
            case .terminated: end(.terminated)
            }
        } catch {
            end(.violation(error.reason, sqlState: error.code.sqlState, byClient: true))
        }
        if let spent = judge.ending { end(.refused("\(spent.verdict.reason) \(spent.verdict.hint)")) }
        schedule()
    }

    override func pumpServer() {
        guard !serverWaits, !isEnding, serverInput.readableBytes > 0 else { return }
        var sink = sink
        do throws(ProtocolViolation) {
            try machine.receiveFromServer(&serverInput, sink: &sink)
        } catch {
            end(.violation(error.reason, sqlState: error.code.sqlState, byClient: false))
        }
        spend()
        endIfDrained()
        schedule()
        let wasBlocked = clientIsBlocked
        pumpClient()
        if wasBlocked, !clientIsBlocked { resumeReads() }
    }

    /// After something came from the server: what is over a budget is stopped.
    private func spend() {
        guard judge.hasBudgets, !isEnding else { return }
        let rows = machine.counters.rows &- spentRows
        let bytes = output.recorder.accounting.server.seen &- spentBytes
        spentRows = machine.counters.rows
        spentBytes = output.recorder.accounting.server.seen
        guard rows > 0 || bytes > 0, let spent = judge.spend(rows: rows, bytes: bytes) else { return }
        if spent.budget.effect == .end { return end(.refused("\(spent.verdict.reason) \(spent.verdict.hint)")) }
        let isApproved = machine.pending?.judgement?.verdict.approval != nil
        guard machine.pending != nil, let cancelUpstream, !(isApproved && spent.budget.effect == .hold) else { return }
        cancelNow(code: "budget", message: spent.verdict.reason, cancelUpstream)
    }

    // MARK: - Holds

    private func begin(_ held: MySQLHeldAction) {
        guard hold == nil else { return }
        wait(
            for: held.judgement.verdict, isInTransaction: held.isInTransaction,
            text: HeldText(
                statement: held.command.map { String(buffer: $0.text) } ?? "", parameters: held.command?.parameters ?? []),
            reason: statedReason(inApplicationName: facts.application), request: { self.request(held, $0) },
            settle: { self.settle(held, by: $0) })
    }

    private func request(_ held: MySQLHeldAction, _ terms: HoldTerms) -> ApprovalRequest {
        let permit = permitted.permit
        return ApprovalRequest(
            subject: held.command == nil ? .session : .action, node: gateway.node, session: permitted.session,
            protocolName: .mysql, target: permit.target.name, role: permit.role.name, database: judge.state.database ?? facts.database,
            requester: permit.principal, application: facts.application, rule: held.judgement.verdict.rule,
            ruleReason: held.judgement.verdict.reason, policyVersion: permit.policyVersion, terms: terms,
            normalized: held.command == nil ? "session" : held.judgement.actions.map(\.normalized).joined(separator: "; "),
            content: (held.command?.content ?? []) + [Array("sql_mode \(judge.state.server.mode.rawValue)".utf8)],
            inTransaction: held.isInTransaction)
    }

    private func settle(_ held: MySQLHeldAction, by outcome: HoldOutcome) {
        machine.outcome = outcome
        guard held.command == nil, case .refused(let verdict) = outcome else { return }
        sink.record(judge.settled(held.judgement, by: outcome), at: held.offset)
        machine.held = nil
        end(.refused("\(verdict.reason) \(verdict.hint)"))
    }

    override func dropWithheld() { machine.held = nil }

    // MARK: - Words

    override func farewell(_ ending: SessionEnding) -> ByteBuffer? {
        guard let (text, hint) = ending.words else { return nil }
        let code: ErrorCode
        switch ending {
        case .terminated, .clientGone: return nil
        case .serverGone: code = .serverGone
        case .idle: code = .idle
        case .lifetime, .killed: code = .serverShutdown
        case .refused: code = .accessDenied
        case .violation(_, let sqlState, _): code = ErrorCode(ErrorCode.unknownError.number, sqlState)
        }
        return message(ErrorPacket(code, hint.map { "\(text). \($0)" } ?? text))
    }

    override func recorderFailure() -> ByteBuffer {
        message(ErrorPacket(.serverShutdown, "Gatehouse cannot record this session, so it is stopped. Ask whoever runs this gateway."))
    }

    /// In the place of the answer's next packet, or unasked, which clients read when they next ask something.
    private func message(_ error: ErrorPacket) -> ByteBuffer {
        var sequence = machine.pending?.writer.sequence ?? 0
        return .packet(error.payload, sequence: &sequence)
    }

    override var goodbye: ByteBuffer? {
        var payload = ByteBuffer()
        payload.writeInteger(CommandCode.quit.rawValue)
        var sequence: UInt8 = 0
        return .packet(payload, sequence: &sequence)
    }
}

extension ErrorCode {
    /// MySQL's own words for a connection that it closes for being idle.
    static let idle = ErrorCode(4031, "HY000")
    static let serverGone = ErrorCode(2013, "08S01")
}
