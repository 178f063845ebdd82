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
        copyOut = nil
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
            return .replace(ServerReplacement(bytes: denial(denied.verdict), reason: .denial))
        }
        if !isFatal, fields.code == SQLState.queryCanceled.rawValue, let stoppedBy {
            self.stoppedBy = nil
            return .replace(ServerReplacement(bytes: denial(stoppedBy), reason: .denial))
        }
        let isSafe = MaskPlanner.isSafe(sqlState: fields.code, pointsAtStatement: fields.pointsAtStatement) && !quotesHidden(head, fields)
        return try told(original, fields, as: Backend.errorResponse, withheldFrom: isSafe ? [] : quoted(head))
    }

    /// Who must not see an error or notice that answers `head`, since it may quote a masked value: by what the request is about, or,
    /// where it is about nothing of its own (a commit, a Sync), by what its transaction did before.
    private func quoted(_ head: PendingRequest?) -> Views {
        guard let head else { return transactionMayEcho }
        let isItsOwn = head.judgements.contains { $0.actions.contains { !$0.objects.isEmpty } }
        return head.mayEchoMasked.union(isItsOwn ? [] : transactionMayEcho)
    }

    /// An error or notice, as each may see it.
    private func told(
        _ body: BodyReader, _ fields: ErrorFields, as type: UInt8, withheldFrom views: Views
    ) throws(ProtocolViolation) -> ServerStep {
        let clear = try redacted(body, as: type)
        guard !views.isEmpty else { return clear.map { .replace(ServerReplacement(bytes: $0, reason: .mask)) } ?? .pass }
        let withheld = withoutValues(fields, as: type)
        switch views {
        case .client:
            let recorded = clear.map { Recorded.other($0) } ?? .asItCame
            return .replace(ServerReplacement(bytes: withheld, reason: .withheldMessage, recorded: recorded))
        case .recording:
            let sent: ByteBuffer
            if let clear { sent = clear } else { sent = try message(body, as: type) }
            return .replace(ServerReplacement(bytes: sent, reason: .withheldMessage, recorded: .other(withheld)))
        default: return .replace(ServerReplacement(bytes: withheld, reason: .withheldMessage))
        }
    }

    private func message(_ body: BodyReader, as type: UInt8) throws(ProtocolViolation) -> ByteBuffer {
        var body = body
        let bytes = try body.bytes(body.remaining)
        var buffer = ByteBuffer()
        writeMessage(type, to: &buffer) { $0.writeImmutableBuffer(bytes) }
        return buffer
    }

    /// `syntax error at or near "'078-05-1120'"`: a text that the gateway could not read either, and whose constants it hides.
    private func quotesHidden(_ head: PendingRequest?, _ fields: ErrorFields) -> Bool {
        fields.code == "42601" && head?.judgements.contains { $0.hidden != nil && $0.analysis?.failure != nil } == true
    }

    private mutating func retract(_ request: PendingRequest) {
        switch request.kind {
        case .parse: statements.retract(request.proposal, as: request.name)
        case .bind: portals.retract(request.proposal, as: request.name)
        case .query, .describeStatement, .describePortal, .execute, .closeStatement, .closePortal, .sync, .functionCall, .copyEnd: break
        }
    }

    mutating func receiveNotice(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        let original = body
        return try told(original, try ErrorFields(&body), as: Backend.noticeResponse, withheldFrom: quoted(pending.head))
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
