public import GatehouseCore
import NIOCore
public import Policy
import Recording

/// The request that waits for a person now.
public final class ActiveHold {
    /// What holds it.
    let verdict: Verdict
    /// An open transaction may keep locks while it waits.
    let isInTransaction: Bool
    /// Told what came of it, once.
    let settle: (HoldOutcome) -> Void
    var wait: HoldWait?
    /// Once people can decide.
    var approval: Approval?
    /// The client asked for it not to run: then it does not, whatever is decided.
    var isCancelled = false
    /// What the session's clock will do about it.
    private var timers: [Scheduled<Void>] = []

    init(_ verdict: Verdict, isInTransaction: Bool, settle: @escaping (HoldOutcome) -> Void) {
        self.verdict = verdict
        self.isInTransaction = isInTransaction
        self.settle = settle
    }

    func keep(_ timer: Scheduled<Void>) {
        timers.append(timer)
    }

    func cancelTimers() {
        for timer in timers { timer.cancel() }
        timers.removeAll()
    }
}

/// What became of what waited.
public enum HoldOutcome: Equatable, Sendable {
    case granted(approval: String)
    /// Why not, for the client.
    case refused(Verdict)
}

/// What a client that waits is told, where its protocol can say something.
public struct WaitingWords: Sendable {
    public let message: String
    public let detail: String
    public let hint: String
}

/// A request waits for an approval.
extension PairedSession {
    /// Clients show notices; one now and then also keeps the connection from looking dead.
    private static let noticeInterval = Duration.seconds(30)

    /// Has people asked, and reads nothing more from the client until they, or the time, have decided.
    ///
    /// - Parameters:
    ///   - request: what they are asked, made from the terms.
    ///   - settle: told what came of it, once, unless the session ends first.
    public func wait(
        for verdict: Verdict, isInTransaction: Bool, text: HeldText, reason: String, request: (HoldTerms) -> ApprovalRequest,
        settle: @escaping (HoldOutcome) -> Void
    ) {
        let hold = ActiveHold(verdict, isInTransaction: isInTransaction, settle: settle)
        self.hold = hold
        guard let terms = verdict.hold else {
            // A verdict that holds without terms is nothing that anybody could approve.
            return self.settle(hold, by: .refused(refusal(verdict, because: "nobody may approve it", hint: "")))
        }
        clientWaits = true
        let loop = eventLoop
        let bound = NIOLoopBound((self, hold), eventLoop: loop)
        hold.wait = gateway.approvals.open(
            request(terms), text: text, reason: reason,
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
        let seconds = isInTransaction ? min(terms.transactionWaitSeconds, terms.waitSeconds) : terms.waitSeconds
        hold.keep(after(.seconds(seconds)) { $0.timeIsOver(for: hold) })
        schedule()
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
        let terms = approval.request.terms
        let needsReason = terms.needsReason && approval.reason.isEmpty
        tellOfWaiting(
            WaitingWords(
                message:
                    "\(approval.request.subject == .session ? "this session" : "this statement") waits for an approval (\(approval.id))",
                detail:
                    "Rule \(approval.request.rule): \(approval.request.ruleReason) It can be approved by \(approvers(terms)), at \(gateway.approvalLink(approval.id)) or with: gatehouse approvals approve \(approval.id)",
                hint: needsReason
                    ? "Say why first: gatehouse approvals reason \(approval.id) \"...\", or SET gatehouse.reason before the statement."
                    : "Wait, or cancel the statement to withdraw the request."))
        schedule()
    }

    private func approvers(_ terms: HoldTerms) -> String {
        let groups = terms.approvers.joined(separator: ", ")
        return terms.required > 1 ? "\(terms.required) of \(groups)" : groups
    }

    private func timeIsOver(for hold: ActiveHold) {
        guard self.hold === hold, let wait = hold.wait else { return }
        guard hold.isInTransaction, let approval = hold.approval else { return gateway.approvals.end(wait, as: .expired) }
        gateway.approvals.leave(wait)
        recordApproval(approval, .left)
        settle(
            hold,
            by: .refused(
                refusal(
                    hold.verdict, approval: approval,
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
            granted(approval)
            settle(hold, by: hold.isCancelled ? .refused(cancelled(approval)) : .granted(approval: approval.id))
        case .refused(let approval):
            recordApproval(approval, approval.state == .denied ? .denied : approval.state == .expired ? .expired : .withdrawn)
            settle(hold, by: .refused(hold.isCancelled ? cancelled(approval) : refusal(hold.verdict, approval)))
        case .failed(let reason):
            settle(
                hold, by: .refused(refusal(hold.verdict, because: "No approval could be asked for: \(reason).", hint: "Try again later.")))
        }
    }

    /// The request goes on, or is answered by a denial.
    private func settle(_ hold: ActiveHold, by outcome: HoldOutcome) {
        hold.cancelTimers()
        self.hold = nil
        clientWaits = false
        guard !isEnding else { return }
        output.recorder.tick()
        output.markDirty()
        hold.settle(outcome)
        guard !isEnding else { return }
        pumpClient()
        schedule()
        resumeReads()
    }

    // MARK: - Words

    private func refusal(_ verdict: Verdict, _ approval: Approval) -> Verdict {
        switch approval.state {
        case .denied:
            let vote = approval.votes.last
            let comment = vote.map { $0.comment.isEmpty ? "" : ": \($0.comment)" } ?? ""
            return refusal(
                verdict, approval: approval, because: "\(vote?.user ?? "Somebody") did not approve it\(comment).",
                hint: "Ask \(vote?.user ?? "the approver"), or do something else; the same statement can be asked for again.")
        case .expired:
            return refusal(
                verdict, approval: approval, because: "Nobody decided on it in time (\(approval.id)).",
                hint: "Ask \(approvers(approval.request.terms)), then run it again.")
        case .withdrawn, .pending, .approved:
            return refusal(verdict, approval: approval, because: "The request \(approval.id) was withdrawn.", hint: "Run it again.")
        }
    }

    private func cancelled(_ approval: Approval) -> Verdict {
        Verdict(
            decision: .deny, rule: "gatehouse.cancelled", reason: "canceled while it waited for an approval (\(approval.id)), as asked.",
            category: .approval, approval: approval.id)
    }

    private func refusal(_ verdict: Verdict, approval: Approval? = nil, because text: String, hint: String) -> Verdict {
        Verdict(
            decision: .deny, rule: verdict.rule, reason: "\(verdict.reason) \(text)", hint: hint, category: .approval,
            approval: approval?.id)
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
    public func cancelHold() -> Bool {
        guard let hold, let wait = hold.wait else { return false }
        hold.isCancelled = true
        gateway.approvals.end(wait, as: .withdrawn)
        return true
    }

    /// The session ends: nobody waits any more.
    func withdrawHold() {
        dropWithheld()
        guard let hold else { return }
        hold.cancelTimers()
        self.hold = nil
        if let wait = hold.wait { gateway.approvals.end(wait, as: .withdrawn) }
    }
}

/// A client that can say nothing else may give its reason in its own name: `psql; reason=quarterly report`.
public func statedReason(inApplicationName name: String) -> String {
    guard let range = name.firstRange(of: "reason=") else { return "" }
    return String(name[range.upperBound...]).trimmingPrefix(while: \.isWhitespace).description
}
