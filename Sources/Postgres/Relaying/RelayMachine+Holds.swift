import GatehouseCore
import NIOCore

/// Requests that wait for a person.
///
/// What waits is decided on where it is exact: a text as a whole, a prepared statement when it is bound, since then its
/// parameters are there. Its Parse, and what else came before it since the last message that runs something, is kept from the
/// server until then, so that no transaction is open, and no lock held, only because somebody thinks.
extension RelayMachine {
    enum Settled {
        case wait(ClientProgress)
        /// Allowed under an approval, or denied.
        case settled(Judgement)
    }

    /// What to do about a held text or Bind at the front of the client's stream.
    mutating func settle(
        _ judgement: Judgement, text: ByteBuffer?, types: [UInt32] = [], parameters: BoundParameters? = nil
    ) -> Settled {
        // Under a new policy another rule may hold it, which is another question.
        if let hold = finishedHold, hold.offset == clientOffset, hold.rule == judgement.verdict.rule {
            finishedHold = nil
            return .settled(judge.settled(judgement, by: hold.outcome))
        }
        // What a name stands for is not in the text, and may be another thing by the time that it runs.
        guard let text, !judgement.runsNames else {
            return .settled(judge.settled(judgement, by: .refused(Self.unknownText(judgement.verdict))))
        }
        withholdsTail = true
        // Whether a transaction is open is known when all that ends one is answered.
        if pending.awaitsReady { return .wait(.needsServer) }
        return .wait(
            .needsApproval(
                HeldAction(
                    offset: clientOffset, judgement: judgement, what: .statement(text: text, types: types, parameters: parameters),
                    isInTransaction: transaction != .idle || sentSegmentMessages > 0)))
    }

    /// A portal that is run was not approved when it was bound: the policy has changed since, or SQL made it.
    func unapproved(_ judgement: Judgement) -> Judgement {
        guard judgement.isHeld else { return judgement }
        return judge.settled(judgement, by: .refused(Self.unknownText(judgement.verdict)))
    }

    private static func unknownText(_ verdict: Verdict) -> Verdict {
        // A budget that asks is spent, and denies where nobody can be asked.
        if verdict.category == .budget {
            var denied = verdict
            (denied.decision, denied.hold) = (.deny, nil)
            return denied
        }
        return Verdict(
            decision: .deny, rule: verdict.rule,
            reason: "\(verdict.reason) What exactly would run is not certain, so nobody can approve it.",
            hint: "Send the statement itself, in a request of its own.", category: .approval)
    }

    /// The same, unless the client cancelled it while something was found out about it.
    func unlessCancelled(_ judgement: Judgement) -> Judgement {
        guard cancelledOffset == clientOffset, judgement.verdict.decision != .deny else { return judgement }
        return judge.settled(
            judgement,
            by: .refused(
                Verdict(
                    decision: .deny, rule: "gatehouse.cancelled", reason: "canceled before it ran, as asked.", category: .approval)))
    }

    /// The session itself waits: nothing of it is looked at before.
    func heldSession(_ verdict: Verdict) -> ClientProgress {
        .needsApproval(
            HeldAction(
                offset: clientOffset, judgement: judge.heldSession(verdict), what: .session, isInTransaction: transaction != .idle))
    }

    /// The client's requests of the open segment that the server has not seen, because one of them waits.
    mutating func withhold(_ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink) {
        let boundary = min(max(run.boundary, run.start), run.cursor)
        if boundary > run.start {
            // What was withheld before came first.
            releaseWithheld(&sink)
            if let bytes = input.getSlice(at: run.start, length: boundary - run.start) {
                sink.passToServer(bytes, hiding: run.hidden.take(in: run.start..<boundary))
            }
        }
        if run.cursor > boundary, let bytes = input.getSlice(at: boundary, length: run.cursor - boundary) {
            for var message in run.hidden.take(in: boundary..<run.cursor) {
                message.offset += withheld.readableBytes
                hiddenOfWithheld.append(message)
            }
            withheld.writeImmutableBuffer(bytes)
        }
        run.start = run.cursor
    }

    /// Hands on what was read, and before it what was withheld.
    mutating func flush(_ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink) {
        releaseWithheld(&sink)
        run.flushToServer(input, &sink)
        sentSegmentMessages = segmentMessages
    }

    private mutating func releaseWithheld(_ sink: inout some RelaySink) {
        guard withheld.readableBytes > 0 else { return }
        sink.passToServer(withheld, hiding: hiddenOfWithheld)
        withheld = ByteBuffer()
        hiddenOfWithheld = []
    }

    /// The session ends: they are recorded, and go nowhere.
    mutating func dropWithheld(_ sink: inout some RelaySink) {
        guard withheld.readableBytes > 0 else { return }
        sink.hold(withheld, hiding: hiddenOfWithheld)
        withheld = ByteBuffer()
        hiddenOfWithheld = []
    }

    /// Counts what the client says since its last Sync, and where the server may be given less than all of it.
    mutating func note(_ type: UInt8, _ run: inout Run) {
        switch type {
        case Frontend.parse, Frontend.bind, Frontend.describe, Frontend.close:
            segmentMessages &+= 1
        case Frontend.execute:
            // It was judged now, so it runs now.
            segmentMessages &+= 1
            run.boundary = run.cursor
            sentSegmentMessages = segmentMessages
        case Frontend.query, Frontend.sync, Frontend.functionCall:
            run.boundary = run.cursor
            segmentMessages = 0
            sentSegmentMessages = 0
        default:
            // A Flush, and what ends copy data, must go out, and leave the segment open.
            run.boundary = run.cursor
            sentSegmentMessages = segmentMessages
        }
    }
}
