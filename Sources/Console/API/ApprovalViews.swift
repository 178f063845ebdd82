import Foundation
import GatehouseCore
import Policy

/// An approval as the API shows it to a caller.
struct ApprovalView: Encodable {
    struct Vote: Encodable {
        var user: String
        var issuer: String
        var subject: String
        var choice: Approval.Vote.Choice
        var comment: String
        var at: String
    }

    var id: String
    /// `action` or `session`
    var kind: Approval.Subject
    var state: Approval.State
    var created: String
    var expires: String
    var closed: String?

    var node: String
    var session: SessionID
    var `protocol`: Target.ProtocolName
    var target: String
    var role: String
    var database: String
    var application: String
    var inTransaction: Bool

    var user: String
    var issuer: String
    var subject: String
    var groups: [String]
    var workload: [String: String]?
    /// Nearest actor first.
    var delegation: [Principal.Actor]?
    var ticket: String?

    var rule: String
    var ruleReason: String
    var policy: String
    var reason: String

    var normalized: String
    var digest: String
    /// The exact text and what it is given: of single approvals, for those who may read it, while this gateway knows it.
    var statement: String?
    var parameters: [String?]?
    /// Why there is no exact text.
    var statementNote: String?

    var approvers: [String]
    var breakGlass: [String]
    var needsReason: Bool
    var required: Int
    var approved: Int
    var votes: [Vote]
    var use: HoldTerms.Use
    var uses: Int
    var lastUsed: String?
    /// What this caller may do with it now: `approve`, `deny`, `reason`, `break-glass`.
    var may: [String]

    private enum CodingKeys: String, CodingKey {
        case id, kind, state, created, expires, closed, node, session, `protocol`, target, role, database, application
        case inTransaction = "in_transaction"
        case user, issuer, subject, groups, workload, delegation, ticket, rule
        case ruleReason = "rule_reason"
        case policy, reason, normalized, digest, statement, parameters
        case statementNote = "statement_note"
        case approvers
        case breakGlass = "break_glass"
        case needsReason = "needs_reason"
        case required, approved, votes, use, uses
        case lastUsed = "last_used"
        case may
    }

    init(_ approval: Approval, for caller: Caller, at now: WallTime) {
        let request = approval.request
        let requester = request.requester
        (id, kind, state) = (approval.id, request.subject, approval.state(at: now))
        (created, expires) = (API.time(approval.created), API.time(approval.expires))
        closed = approval.closed.map(API.time)
        (node, session, `protocol`) = (request.node, request.session, request.protocolName)
        (target, role, database) = (request.target, request.role, request.database)
        (application, inTransaction) = (request.application, request.inTransaction)
        (user, issuer, subject, groups) = (requester.user, requester.issuer, requester.subject, requester.groups)
        workload = requester.workload.isEmpty ? nil : requester.workload
        delegation = requester.delegation.isEmpty ? nil : requester.delegation
        if case .ticket(let id) = requester.credential { ticket = id }
        (rule, ruleReason, policy, reason) = (request.rule, request.ruleReason, request.policyVersion, approval.reason)
        (normalized, digest) = (request.normalized, request.digest)
        let terms = request.terms
        (approvers, breakGlass, needsReason) = (terms.approvers, terms.breakGlass, terms.needsReason)
        (required, approved) = (max(terms.required, 1), approval.approvals)
        votes = approval.votes.map {
            Vote(user: $0.user, issuer: $0.issuer, subject: $0.subject, choice: $0.choice, comment: $0.comment, at: API.time($0.at))
        }
        (use, uses, lastUsed) = (terms.use, approval.uses, approval.lastUsed.map(API.time))
        may = caller.acts(on: approval, at: now)
    }

    /// Adds the exact text, or says why there is none.
    mutating func add(_ text: HeldText?, isAllowed: Bool) {
        if kind == .session {
            statementNote = "A whole session waits; it has asked for nothing yet."
        } else if !isAllowed {
            statementNote = "To read the exact text of others' statements you need the auditor's role, or to be one of its approvers."
        } else if let text {
            (statement, parameters) = (text.statement, text.parameters)
        } else {
            statementNote =
                state == .pending
                ? "This gateway does not know the exact text: the request is of an earlier run, or of the gateway \(node). "
                    + "What is approved is the text of the digest, without its values as in `normalized`."
                : "The exact text is known here only while it waits. The session's recording holds it."
        }
    }
}
