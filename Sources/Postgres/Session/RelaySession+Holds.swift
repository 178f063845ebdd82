import GatehouseCore
import NIOCore
import Policy
import Recording

/// The request that waits for a person now.
final class ActiveHold {
    let held: HeldAction
    var wait: HoldWait?
    /// Once people can decide.
    var approval: Approval?
    /// The client asked for it not to run: then it does not, whatever is decided.
    var isCancelled = false
    /// What the session's clock will do about it.
    private var timers: [Scheduled<Void>] = []

    init(_ held: HeldAction) {
        self.held = held
    }

    func keep(_ timer: Scheduled<Void>) {
        timers.append(timer)
    }

    func cancelTimers() {
        for timer in timers { timer.cancel() }
        timers.removeAll()
    }
}

/// A request waits for an approval: the client is told so, and nothing more is read from it.
extension RelaySession {
    /// Clients show notices; one now and then also keeps the connection from looking dead.
    private static let noticeInterval = Duration.seconds(30)

    func begin(_ held: HeldAction) {
        guard let terms = held.judgement.verdict.hold else {
            // A verdict that holds without terms is nothing that anybody could approve.
            return settle(held, by: .refused(refusal(held, because: "nobody may approve it", hint: "")))
        }
        let hold = ActiveHold(held)
        self.hold = hold
        clientWaits = true
        output.record(held.judgement, at: held.offset)
        let loop = eventLoop
        let bound = NIOLoopBound((self, hold), eventLoop: loop)
        hold.wait = gateway.approvals.open(
            request(held, terms), text: text(held),
            reason: judge.unmaskReason(held.judgement) ?? judge.reason ?? statedReason(inApplicationName: facts.application),
            opened: { approval in
                loop.execute {
                    let (session, hold) = bound.value
                    session.opened(hold, approval)
                }
            },
            ended: { outcome in
                loop.execute {
                    let (session, hold) = bound.value
                    session.ended(hold, outcome)
                }
            })
        let seconds = held.isInTransaction ? min(terms.transactionWaitSeconds, terms.waitSeconds) : terms.waitSeconds
        hold.keep(after(.seconds(seconds)) { $0.timeIsOver(for: hold) })
        schedule()
    }

    private func request(_ held: HeldAction, _ terms: HoldTerms) -> ApprovalRequest {
        let permit = permitted.permit
        var content: [[UInt8]] = []
        if case .statement(let text, let types, let parameters) = held.what {
            content = [withoutEnd(text), Array("types \(types)".utf8)] + (parameters?.content ?? [])
        }
        // Where names may mean something else another time, an approval is good for this once only.
        let names = judge.namesAreOrdinary ? "names \(judge.searchPath)" : "names of \(permitted.session) at \(held.offset)"
        content.append(Array(names.utf8))
        // Clear values are for this session alone.
        if judge.unmaskReason(held.judgement) != nil { content.append(Array("clear values of \(permitted.session)".utf8)) }
        return ApprovalRequest(
            subject: held.what == .session ? .session : .action, node: gateway.node, session: permitted.session,
            protocolName: permit.target.protocolName, target: permit.target.name, role: permit.role.name, database: facts.database,
            requester: permit.principal, application: facts.application, rule: held.judgement.verdict.rule,
            ruleReason: held.judgement.verdict.reason, policyVersion: permit.policyVersion, terms: terms,
            normalized: held.what == .session ? "session" : held.judgement.actions.map(\.normalized).joined(separator: "; "),
            content: content, inTransaction: held.isInTransaction)
    }

    /// Semicolons and blanks at the end say nothing, and clients add them as they like.
    private func withoutEnd(_ text: ByteBuffer) -> [UInt8] {
        var bytes = Array(text.readableBytesView)
        while let last = bytes.last, [0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ";")].contains(last) { bytes.removeLast() }
        return bytes
    }

    private func text(_ held: HeldAction) -> HeldText {
        switch held.what {
        case .session: HeldText(statement: "")
        case .statement(let text, _, let parameters):
            // What it is bound to (`request`) is the text itself.
            HeldText(
                statement: held.judgement.shown(text, judge.redactor),
                parameters: parameters.map { held.judgement.shown($0, judge.redactor) } ?? [])
        }
    }

    // MARK: - What comes of it

    private func opened(_ hold: ActiveHold, _ approval: Approval) {
        guard self.hold === hold else { return }
        hold.approval = approval
        recordApproval(approval, .requested)
        tellOfWaiting(hold)
    }

    /// At once, and again every half minute.
    private func tellOfWaiting(_ hold: ActiveHold) {
        guard self.hold === hold, let approval = hold.approval else { return }
        hold.keep(after(Self.noticeInterval) { $0.tellOfWaiting(hold) })
        // Amid a message of the server's a notice would tear it.
        guard machine.serverRemainder == 0 else { return }
        let terms = approval.request.terms
        let needsReason = terms.needsReason && approval.reason.isEmpty
        var message = ByteBuffer()
        ErrorFields(
            severity: "NOTICE", code: .successfulCompletion,
            message: "\(approval.request.subject == .session ? "this session" : "this statement") waits for an approval (\(approval.id))",
            detail:
                "Rule \(approval.request.rule): \(approval.request.ruleReason) It can be approved by \(approvers(terms)), at \(gateway.approvalLink(approval.id)) or with: gatehouse approvals approve \(approval.id)",
            hint: needsReason
                ? "Say why first: gatehouse approvals reason \(approval.id) \"...\", or SET gatehouse.reason before the statement."
                : "Wait, or cancel the statement to withdraw the request."
        ).write(to: &message, as: Backend.noticeResponse)
        output.tellClient(message, because: "approval")
        schedule()
    }

    private func approvers(_ terms: HoldTerms) -> String {
        let groups = terms.approvers.joined(separator: ", ")
        return terms.required > 1 ? "\(terms.required) of \(groups)" : groups
    }

    private func timeIsOver(for hold: ActiveHold) {
        guard self.hold === hold, let wait = hold.wait else { return }
        guard hold.held.isInTransaction, let approval = hold.approval else {
            return gateway.approvals.end(wait, as: .expired)
        }
        gateway.approvals.leave(wait)
        recordApproval(approval, .left)
        settle(
            hold.held,
            by: .refused(
                refusal(
                    hold.held, approval: approval,
                    because: "An open transaction keeps locks, so it is not waited for longer. The request \(approval.id) stays open.",
                    hint:
                        "Roll back. When it is approved, run exactly the same statement again, within \(approval.request.terms.validSeconds) s of the request."
                )))
    }

    private func ended(_ hold: ActiveHold, _ outcome: ApprovalDesk.Outcome) {
        guard self.hold === hold else { return }
        switch outcome {
        case .granted(let approval):
            recordApproval(approval, .granted)
            judge.granted(approval)
            settle(hold.held, by: hold.isCancelled ? .refused(cancelled(hold.held, approval)) : .granted(approval: approval.id))
        case .refused(let approval):
            recordApproval(approval, approval.state == .denied ? .denied : approval.state == .expired ? .expired : .withdrawn)
            settle(hold.held, by: .refused(hold.isCancelled ? cancelled(hold.held, approval) : refusal(hold.held, approval)))
        case .failed(let reason):
            settle(
                hold.held, by: .refused(refusal(hold.held, because: "No approval could be asked for: \(reason).", hint: "Try again later."))
            )
        }
    }

    /// The request goes on, or is answered by a denial.
    private func settle(_ held: HeldAction, by outcome: HoldOutcome) {
        hold?.cancelTimers()
        hold = nil
        clientWaits = false
        guard !isEnding else { return }
        output.recorder.tick()
        output.markDirty()
        switch (held.what, outcome) {
        case (.session, .granted): machine.sessionHold = nil
        case (.session, .refused(let verdict)):
            output.record(judge.settled(held.judgement, by: outcome), at: held.offset)
            return end(.refused("\(verdict.reason) \(verdict.hint)"))
        case (.statement, _): machine.finishedHold = (held.offset, held.judgement.verdict.rule, outcome)
        }
        pumpClient()
        schedule()
        resumeReads()
    }

    // MARK: - Words

    private func refusal(_ held: HeldAction, _ approval: Approval) -> Verdict {
        switch approval.state {
        case .denied:
            let vote = approval.votes.last
            let comment = vote.map { $0.comment.isEmpty ? "" : ": \($0.comment)" } ?? ""
            return refusal(
                held, approval: approval, because: "\(vote?.user ?? "Somebody") did not approve it\(comment).",
                hint: "Ask \(vote?.user ?? "the approver"), or do something else; the same statement can be asked for again.")
        case .expired:
            return refusal(
                held, approval: approval, because: "Nobody decided on it in time (\(approval.id)).",
                hint: "Ask \(approvers(approval.request.terms)), then run it again.")
        case .withdrawn, .pending, .approved:
            return refusal(held, approval: approval, because: "The request \(approval.id) was withdrawn.", hint: "Run it again.")
        }
    }

    private func cancelled(_ held: HeldAction, _ approval: Approval) -> Verdict {
        Verdict(
            decision: .deny, rule: "gatehouse.cancelled", reason: "canceled while it waited for an approval (\(approval.id)), as asked.",
            category: .approval, approval: approval.id)
    }

    private func refusal(_ held: HeldAction, approval: Approval? = nil, because text: String, hint: String) -> Verdict {
        Verdict(
            decision: .deny, rule: held.judgement.verdict.rule, reason: "\(held.judgement.verdict.reason) \(text)", hint: hint,
            category: .approval, approval: approval?.id)
    }

    private func recordApproval(_ approval: Approval, _ event: ApprovalRecord.Event) {
        output.recorder.tick()
        output.recorder.record(
            approval: ApprovalRecord(
                approval: approval.id, event: event, rule: approval.request.rule, reason: approval.reason,
                votes: approval.votes.map { .init(user: $0.user, issuer: $0.issuer, choice: $0.choice.rawValue, comment: $0.comment) }))
        output.markDirty()
        schedule()
    }

    // MARK: - Ending

    /// The client cancelled what waits. True when something did.
    func cancelHold() -> Bool {
        guard let hold, let wait = hold.wait else { return false }
        hold.isCancelled = true
        gateway.approvals.end(wait, as: .withdrawn)
        return true
    }

    /// The session ends: nobody waits any more.
    func withdrawHold() {
        var sink = output
        machine.dropWithheld(&sink)
        guard let hold else { return }
        hold.cancelTimers()
        self.hold = nil
        if let wait = hold.wait { gateway.approvals.end(wait, as: .withdrawn) }
    }
}

/// A client that can say nothing else may give its reason in its own name: `psql; reason=quarterly report`.
func statedReason(inApplicationName name: String) -> String {
    guard let range = name.firstRange(of: "reason=") else { return "" }
    return String(name[range.upperBound...]).trimmingPrefix(while: \.isWhitespace).description
}
