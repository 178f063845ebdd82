import Catalog
import Foundation
import GatehouseCore
import Hummingbird
import Policy

/// `/api/v1/approvals`: what waits for a person, and what people say to it.
struct ApprovalRoutes: Sendable {
    let backend: ConsoleBackend
    let auditor: Auditor

    /// Approvals that are looked through for one page: an approver sees some of all, by patterns that no index knows.
    static let examined = 10_000

    func add(to group: RouterGroup<ConsoleContext>) {
        group.get("approvals", use: list)
        group.get("approvals/:id", use: show)
        group.post("approvals/:id/approve") { try await decide($0, $1, .approve) }
        group.post("approvals/:id/deny") { try await decide($0, $1, .deny) }
        group.post("approvals/:id/reason", use: explain)
        group.post("approvals/:id/break-glass", use: breakGlass)
    }

    // MARK: - Seeing

    private struct List: Encodable {
        var approvals: [ApprovalView]
        var next: String?
    }

    @Sendable private func list(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        let query = try Query(request, known: ["state", "target", "session", "mine", "cursor", "limit"])
        let limit = try query.limit()
        var filter = ApprovalFilter(
            state: try query.value("state", "pending, approved, denied, expired or withdrawn", Approval.State.init(rawValue:)),
            target: query.text("target"), session: try query.value("session", "the id of a session") { SessionID($0) })
        let mine = try query.value("mine", "true or false") { Bool($0) } ?? false
        if mine || !caller.seesOthersApprovals { (filter.issuer, filter.subject) = (caller.principal.issuer, caller.principal.subject) }
        let before = query.text("cursor")
        if let before {
            // One that the caller may not see must look like one that there is not.
            guard let approval = try await backend.approvals.approval(id: before), caller.sees(approval) else {
                throw Problem(.badRequest, "the parameter cursor must be a cursor of an earlier answer", code: "bad_parameter")
            }
        }
        let now = backend.clock.wallTime()
        let page = Page(try await visible(filter, to: caller, before: before, atLeast: limit + 1, at: now), limit: limit)
        return try API.json(
            List(
                approvals: page.items.map { ApprovalView($0, for: caller, at: now) }, next: page.hasMore ? page.items.last?.id : nil))
    }

    private func visible(
        _ filter: ApprovalFilter, to caller: Caller, before: String?, atLeast count: Int, at now: WallTime
    ) async throws -> [Approval] {
        var found: [Approval] = []
        var (before, examined) = (before, 0)
        while found.count < count, examined < Self.examined {
            let size = caller.seesAllApprovals || filter.subject != nil ? count : 1_000
            let part = try await backend.approvals.approvals(filter, before: before, limit: size)
            // One whose time is over is closed a little later.
            found += part.filter { caller.sees($0) && (filter.state == nil || $0.state(at: now) == filter.state) }
            examined += part.count
            guard part.count == size else { break }
            before = part.last?.id
        }
        return found
    }

    /// The approval that the path names. Who may not know of it is told that there is none.
    private func approval(_ context: ConsoleContext, for act: String) async throws -> (Caller, Approval) {
        let caller = try context.requireCaller()
        guard let id = context.parameters.get("id"), let approval = try await backend.approvals.approval(id: id) else {
            throw Problem.notFound("approval")
        }
        guard caller.sees(approval) else {
            auditor.refused(caller, act: "approval.\(act)", ["approval": approval.id])
            throw Problem.notFound("approval")
        }
        return (caller, approval)
    }

    @Sendable private func show(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let (caller, approval) = try await approval(context, for: "show")
        return try API.json(try await view(approval, for: caller))
    }

    private func view(_ approval: Approval, for caller: Caller) async throws -> ApprovalView {
        var view = ApprovalView(approval, for: caller, at: backend.clock.wallTime())
        let isAllowed = caller.readsText(of: approval)
        let text = isAllowed ? backend.approvals.text(of: approval.id) : nil
        view.add(text, isAllowed: isAllowed)
        if view.statement != nil, !caller.isSame(as: approval.request.requester) {
            // Values of others are read, as in a recording; and what an approver had before him is of interest later.
            try await auditor.did(
                caller, .approvalRead,
                ["approval": approval.id, "session": approval.request.session.description, "owner": approval.request.requester.user])
        }
        return view
    }

    // MARK: - Deciding

    private func decide(_ request: Request, _ context: ConsoleContext, _ choice: Approval.Vote.Choice) async throws -> Response {
        let (caller, approval) = try await approval(context, for: choice.rawValue)
        guard caller.has(.approver) else {
            auditor.refused(caller, act: "approval.\(choice.rawValue)", ["approval": approval.id, "code": "role"])
            throw Problem(.forbidden, Self.needsApprover(caller), code: "role")
        }
        let comment = try await Members(request, context, known: ["comment"]).text("comment")
        return try await change(caller, approval, choice.rawValue) {
            try await backend.approvals.decide(id: approval.id, choice, by: caller.principal, comment: comment)
        }
    }

    private static func needsApprover(_ caller: Caller) -> String {
        caller.cameWithTicket
            ? "a ticket does not decide; come with a token (gatehouse login)" : "to decide you need the approver's role"
    }

    @Sendable private func explain(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let (caller, approval) = try await approval(context, for: "reason")
        let reason = try await Members(request, context, known: ["reason"]).text("reason")
        return try await change(caller, approval, "reason") {
            try await backend.approvals.explain(id: approval.id, reason, by: caller.principal)
        }
    }

    @Sendable private func breakGlass(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let (caller, approval) = try await approval(context, for: "break-glass")
        guard !caller.cameWithTicket else {
            auditor.refused(caller, act: "approval.break-glass", ["approval": approval.id, "code": "needs_token"])
            throw Problem(.forbidden, "a ticket does not break the glass; come with a token (gatehouse login)", code: "needs_token")
        }
        let reason = try await Members(request, context, known: ["reason"]).text("reason")
        return try await change(caller, approval, "break-glass") {
            try await backend.approvals.decide(id: approval.id, .breakGlass, by: caller.principal, comment: reason)
        }
    }

    /// The desk writes the evidence of what is done; what it refuses is written here.
    private func change(
        _ caller: Caller, _ approval: Approval, _ act: String, _ body: () async throws -> Approval
    ) async throws -> Response {
        do {
            let changed = try await body()
            return try API.json(ApprovalView(changed, for: caller, at: backend.clock.wallTime()))
        } catch let refusal as ApprovalRefusal {
            auditor.refused(caller, act: "approval.\(act)", ["approval": approval.id, "code": refusal.code])
            throw Problem(refusal, id: approval.id)
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(.serviceUnavailable, "this could not be written down, so it was not done", code: "not_recorded")
        }
    }
}

extension Problem {
    fileprivate init(_ refusal: ApprovalRefusal, id: String) {
        let status: HTTPResponse.Status =
            switch refusal {
            case .notFound: .notFound
            case .notAnApprover, .ownRequest, .notRequester, .noBreakGlass: .forbidden
            case .notPending, .votedAlready, .notUsable: .conflict
            case .needsReason: .unprocessableContent
            }
        self.init(status, refusal.description.replacing("ID", with: id), code: refusal.code)
    }
}
