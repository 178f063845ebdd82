import GatehouseCore
import NIOCore
import Policy
import Recording
import Relay

/// A request waits for an approval: the client is told so, and nothing more is read from it.
extension RelaySession {
    func begin(_ held: HeldAction) {
        sink.record(held.judgement, at: held.offset)
        wait(
            for: held.judgement.verdict, isInTransaction: held.isInTransaction, text: text(held),
            reason: judge.unmaskReason(held.judgement) ?? judge.reason ?? statedReason(inApplicationName: facts.application),
            request: { self.request(held, $0) }, settle: { self.settle(held, by: $0) })
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

    /// The request goes on, or is answered by a denial.
    private func settle(_ held: HeldAction, by outcome: HoldOutcome) {
        switch (held.what, outcome) {
        case (.session, .granted): machine.sessionHold = nil
        case (.session, .refused(let verdict)):
            sink.record(judge.settled(held.judgement, by: outcome), at: held.offset)
            end(.refused("\(verdict.reason) \(verdict.hint)"))
        case (.statement, _): machine.finishedHold = (held.offset, held.judgement.verdict.rule, outcome)
        }
    }
}
