import Catalog
import Dispatch
import Foundation
import GatehouseCore
import Hummingbird
import Recording
import Review

/// `/api/v1/retention`, `/legal-holds`, and the deletion of a recording by hand.
struct RetentionRoutes: Sendable {
    let backend: ConsoleBackend
    let auditor: Auditor

    func add(to group: RouterGroup<ConsoleContext>) {
        group.get("retention/plan", use: plan)
        group.post("retention/runs", use: run)
        group.get("legal-holds", use: list)
        group.post("legal-holds", use: place)
        group.post("legal-holds/:id/lift", use: lift)
        group.post("sessions/:id/deletion", use: delete)
    }

    // MARK: Retention

    @Sendable private func plan(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        try allow(try context.requireCaller(), \.seesRetention, "retention.plan", "the auditor's or the administrator's")
        let retention = backend.retention
        return try API.json(RetentionPlanView(try await blocking { try retention.plan() }))
    }

    private struct RunOrder: Decodable {
        var confirmClock: Bool?
        enum CodingKeys: String, CodingKey { case confirmClock = "confirm_clock" }
    }

    @Sendable private func run(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        try allow(caller, \.runsRetention, "retention.run", "the administrator's")
        let order: RunOrder = try await body(request, context, "confirm_clock (true or false), which may be left out")
        let confirms = order.confirmClock ?? false
        try await auditor.did(caller, .retentionRun, ["confirm_clock": String(confirms)])
        let (retention, by) = (backend.retention, caller.principal.user)
        return try API.json(RetentionReportView(try await blocking { try retention.run(by: by, confirmsClock: confirms) }))
    }

    // MARK: Holds

    @Sendable private func list(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        try allow(try context.requireCaller(), \.seesRetention, "legal-holds.list", "the auditor's or the administrator's")
        let holds = backend.retention.holds
        return try API.json(["legal_holds": try await blocking { try holds.all() }.map(LegalHoldView.init)])
    }

    private struct HoldOrder: Decodable {
        var session: SessionID?
        var target: String?
        var user: String?
        var since: String?
        var until: String?
        var reason: String?
    }

    @Sendable private func place(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        try allow(caller, \.placesHolds, "legal-hold.place", "the auditor's or the administrator's")
        let order: HoldOrder = try await body(request, context, "reason, and what is held: session, target, user, since, until")
        func time(_ text: String?) throws -> WallTime? {
            try text.map { text in
                guard let time = API.parseTime(text) else {
                    throw Problem(.badRequest, "since and until are times as in 2026-05-01T12:00:00Z", code: "bad_body")
                }
                return time
            }
        }
        let scope = LegalHold.Scope(
            session: order.session, target: order.target, user: order.user, since: try time(order.since), until: try time(order.until))
        guard scope != LegalHold.Scope() else {
            throw Problem(
                .unprocessableContent, "say what is held: a session, a target (\"*\" for all), a user, since or until", code: "invalid")
        }
        let (holds, reason, by) = (backend.retention.holds, order.reason ?? "", caller.principal.user)
        try await auditor.did(caller, .holdPlaced, ["reason": String(reason.prefix(1_000))])
        return try API.json(LegalHoldView(try await blocking { try holds.place(scope, reason: reason, by: by) }), status: .created)
    }

    private struct ReasonOrder: Decodable { var reason: String? }

    @Sendable private func lift(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        try allow(caller, \.liftsHolds, "legal-hold.lift", "the auditor's")
        let order: ReasonOrder = try await body(request, context, "reason")
        let (holds, reason, by) = (backend.retention.holds, order.reason ?? "", caller.principal.user)
        let id = context.parameters.get("id") ?? ""
        try await auditor.did(caller, .holdLifted, ["hold": String(id.prefix(64)), "reason": String(reason.prefix(1_000))])
        try await blocking { try holds.lift(id, reason: reason, by: by) }
        return Response(status: .noContent)
    }

    // MARK: By hand

    @Sendable private func delete(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        guard let text = context.parameters.get("id"), let id = SessionID(text), let session = try await backend.sessions.session(id),
            caller.sees(sessionOf: session.principal)
        else { throw Problem.notFound("session") }
        guard caller.deletes(recordingOf: session.principal) else {
            auditor.refused(caller, act: "recording.delete", ["session": id.description])
            throw Problem(
                .forbidden, "to delete a recording you need the administrator's role, and it must not be one of yourself", code: "role")
        }
        guard session.state != .live else { throw Problem(.conflict, "the session is live", code: "live") }
        let order: ReasonOrder = try await body(request, context, "reason")
        let (retention, reason, by) = (backend.retention, order.reason ?? "", caller.principal.user)
        try await auditor.did(
            caller, .recordingDeleted,
            ["session": id.description, "owner": session.principal.user, "reason": String(reason.prefix(1_000))])
        let settle = backend.settle
        try await blocking {
            // A session that has just ended is finished in the store first.
            settle()
            try retention.delete(id, reason: reason, by: by)
        }
        return Response(status: .noContent)
    }

    // MARK: What they share

    private func allow(_ caller: Caller, _ right: KeyPath<Caller, Bool>, _ act: String, _ whose: String) throws {
        guard caller[keyPath: right] else {
            auditor.refused(caller, act: act, [:])
            throw Problem(.forbidden, "for this you need \(whose) role", code: "role")
        }
    }

    private func body<Order: Decodable>(_ request: Request, _ context: ConsoleContext, _ members: String) async throws -> Order {
        let bytes = try await request.body.collect(upTo: context.maxUploadSize)
        do {
            return try JSONDecoder().decode(Order.self, from: bytes.readableBytes == 0 ? Data("{}".utf8) : Data(bytes.readableBytesView))
        } catch {
            throw Problem(.badRequest, "the body must be a JSON object with \(members)", code: "bad_body")
        }
    }

    /// The store blocks, for minutes maybe, so that this is no place for the pool that all requests share.
    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await withCheckedThrowingContinuation { continuation in
                DispatchQueue.global().async { continuation.resume(with: Result(catching: body)) }
            }
        } catch let error as RetentionError {
            let status: HTTPResponse.Status =
                switch error.code {
                case .invalid: .unprocessableContent
                case .notFound: .notFound
                case .held, .unfinished, .refused, .unsafe: .conflict
                }
            throw Problem(status, error.message, code: error.code.rawValue)
        } catch let error as StoreError {
            throw Problem(.serviceUnavailable, "the store does not do it: \(error.message)", code: "store")
        }
    }
}

/// A plan as the API writes it.
struct RetentionPlanView: Encodable {
    struct Item: Encodable {
        var session: SessionID
        var target: String?
        var user: String?
        var started: String
        var ended: String
        var bytes: UInt64
        /// `due`, `held`, `unreadable`
        var decision: String
        var rule: String?
        var holds: [String]?
        var problem: String?
    }

    var items: [Item]
    var due: Int
    var dueBytes: UInt64
    var held: Int
    var unreadable: Int
    var examined: Int
    var obstacle: String?

    enum CodingKeys: String, CodingKey {
        case items, due, held, unreadable, examined, obstacle
        case dueBytes = "due_bytes"
    }

    init(_ plan: RetentionPlan) {
        items = plan.items.map { item in
            let session = item.session
            var view = Item(
                session: session.id, target: session.target, user: session.user, started: API.time(session.started),
                ended: API.time(session.ended), bytes: session.bytes, decision: "due")
            switch item.decision {
            case .due(let rule): view.rule = rule
            case .held(let rule, let holds): (view.decision, view.rule, view.holds) = ("held", rule, holds)
            case .unreadable(let problem): (view.decision, view.problem) = ("unreadable", problem)
            }
            return view
        }
        due = plan.due
        dueBytes = plan.dueBytes
        held = plan.held
        unreadable = plan.unreadable
        examined = plan.examined
        obstacle = plan.obstacle
    }
}

/// What a run did, as the API writes it.
struct RetentionReportView: Encodable {
    struct Refusal: Encodable {
        var session: SessionID
        var reason: String
    }

    var deleted: Int
    var deletedBytes: UInt64
    var held: Int
    var unreadable: Int
    var refusedCount: Int
    var refused: [Refusal]

    enum CodingKeys: String, CodingKey {
        case deleted, held, unreadable, refused
        case deletedBytes = "deleted_bytes"
        case refusedCount = "refused_count"
    }

    init(_ report: Retention.Report) {
        deleted = report.deleted
        deletedBytes = report.deletedBytes
        held = report.held
        unreadable = report.unreadable
        refusedCount = report.refusedCount
        refused = report.refused.map { Refusal(session: $0.session, reason: $0.reason) }
    }
}

struct LegalHoldView: Encodable {
    var id: String
    var session: SessionID?
    var target: String?
    var user: String?
    var since: String?
    var until: String?
    var reason: String
    var by: String
    var created: String

    init(_ hold: LegalHold) {
        id = hold.id
        session = hold.scope.session
        target = hold.scope.target
        user = hold.scope.user
        since = hold.scope.since.map(API.time)
        until = hold.scope.until.map(API.time)
        reason = hold.reason
        by = hold.by
        created = API.time(hold.created)
    }
}
