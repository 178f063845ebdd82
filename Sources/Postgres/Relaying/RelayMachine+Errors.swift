import GatehouseCore
import Masking
import NIOCore

/// What the server says went wrong: rewritten where the gateway brought it about, withheld where it may quote a masked value.
extension RelayMachine {
    mutating func receiveError(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        let original = body
        let head = pending.head
        rowMask = nil
        rowMaskIsDecided = false
        copyMask = nil
        copy = .none
        let fields = try ErrorFields(&body)
        let isFatal = fields.severity == "FATAL" || fields.severity == "PANIC"
        if let head, !isFatal {
            head.judgements.forEach(judge.completed)
            switch head.kind {
            case .query, .functionCall, .sync: break
            case .parse, .bind, .describeStatement, .describePortal, .execute, .closeStatement, .closePortal, .copyEnd:
                var dropped: [PendingRequest] = []
                pending.failToSync { dropped.append($0) }
                for request in dropped {
                    retract(request)
                }
            }
        }
        if !isFatal, let denied = head?.denial {
            return .replace(denial(denied.verdict), .denial)
        }
        if !isFatal, fields.code == SQLState.queryCanceled.rawValue, let stoppedBy {
            self.stoppedBy = nil
            return .replace(denial(stoppedBy), .denial)
        }
        if mayQuoteMasked(head), !MaskPlanner.isSafe(sqlState: fields.code, pointsAtStatement: fields.pointsAtStatement) {
            return .replace(withoutValues(fields, as: Backend.errorResponse), .withheldMessage)
        }
        return try redacted(original, as: Backend.errorResponse)
    }

    /// Whether an error or notice that answers `head` may quote a masked value: by what the request is about, or, where it is about
    /// nothing of its own (a commit, a Sync), by what its transaction did before.
    private func mayQuoteMasked(_ head: PendingRequest?) -> Bool {
        guard let head else { return transactionMayEcho }
        if head.mayEchoMasked { return true }
        return transactionMayEcho && head.judgements.allSatisfy { $0.actions.allSatisfy(\.objects.isEmpty) }
    }

    private mutating func retract(_ request: PendingRequest) {
        switch request.kind {
        case .parse: statements.retract(request.proposal, as: request.name)
        case .bind: portals.retract(request.proposal, as: request.name)
        case .query, .describeStatement, .describePortal, .execute, .closeStatement, .closePortal, .sync, .functionCall, .copyEnd: break
        }
    }

    mutating func receiveNotice(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        guard mayQuoteMasked(pending.head) else { return try redacted(body, as: Backend.noticeResponse) }
        return .replace(withoutValues(try ErrorFields(&body), as: Backend.noticeResponse), .withheldMessage)
    }

    /// The denial in place of the error that the injected message brought about.
    private func denial(_ verdict: Verdict) -> ByteBuffer {
        var buffer = ByteBuffer()
        if verdict.rule == "gatehouse.cancelled" {
            ErrorFields(code: .queryCanceled, message: verdict.reason, detail: Denial(verdict).json).write(to: &buffer)
            return buffer
        }
        ErrorFields(
            code: .insufficientPrivilege,
            message: verdict.reason.isEmpty
                ? "denied by Gatehouse rule \"\(verdict.rule)\"" : "denied by Gatehouse rule \"\(verdict.rule)\": \(verdict.reason)",
            detail: Denial(verdict).json, hint: verdict.hint
        ).write(to: &buffer)
        return buffer
    }

    /// An error or notice of a statement over masked columns: its text may quote a value, so only what it is remains.
    private func withoutValues(_ fields: ErrorFields, as type: UInt8) -> ByteBuffer {
        var fields = fields
        fields.message = "the server's message (\(fields.code)) is withheld, since the statement can reach masked columns"
        fields.detail = nil
        fields.hint = nil
        var buffer = ByteBuffer()
        fields.write(to: &buffer, as: type)
        return buffer
    }
}
