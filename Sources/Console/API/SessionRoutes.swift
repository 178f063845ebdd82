import Catalog
import Foundation
import GatehouseCore
import Hummingbird
import Identity

/// `/api/v1/sessions`: lists, recordings, ends.
struct SessionRoutes: Sendable {
    let backend: ConsoleBackend
    let auditor: Auditor

    func add(to group: RouterGroup<ConsoleContext>) {
        group.get("sessions", use: list)
        group.get("sessions/:id", use: show)
        group.delete("sessions/:id", use: end)
        group.post("sessions/end", use: endAll)
        group.get("sessions/:id/events") { try await stream($0, $1, follow: false) }
        group.get("sessions/:id/tail") { try await stream($0, $1, follow: true) }
        group.get("sessions/:id/verification", use: verify)
        group.post("sessions/:id/originals", use: originals)
    }

    private struct List: Encodable {
        var sessions: [SessionView]
        var next: SessionID?
    }

    @Sendable private func list(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        let query = try Query(request, known: ["target", "user", "state", "node", "ticket", "since", "until", "cursor", "limit"])
        let limit = try query.limit()
        var filter = SessionFilter(
            target: query.text("target"), user: query.text("user"),
            state: try query.value("state", "live, ended, interrupted or failed", SessionRecord.State.init(rawValue:)),
            node: query.text("node"), ticket: query.text("ticket"),
            since: try query.value("since", "a time as in 2026-05-01T12:00:00Z", API.parseTime),
            until: try query.value("until", "a time as in 2026-05-01T12:00:00Z", API.parseTime))
        if !caller.seesAllSessions { filter.owner = TicketOwner(caller.principal) }
        let before = try query.value("cursor", "a cursor of an earlier answer") { SessionID($0) }
        let page = Page(try await backend.sessions.sessions(filter, before: before, limit: limit + 1), limit: limit)
        return try API.json(
            List(sessions: page.items.map(SessionView.init), next: page.hasMore ? page.items.last?.id : nil))
    }

    @Sendable private func show(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        try API.json(SessionView(session: try await session(context, for: "show") { $0.sees(sessionOf: $1) }))
    }

    /// The session that the path names, if `may` says so. Who may not know of it is told that there is none.
    private func session(
        _ context: ConsoleContext, for act: String, _ may: (Caller, Principal) -> Bool
    ) async throws -> SessionRecord {
        let caller = try context.requireCaller()
        guard let id = context.parameters.get("id").flatMap({ SessionID($0) }), let session = try await backend.sessions.session(id) else {
            throw Problem.notFound("session")
        }
        if may(caller, session.principal) { return session }
        auditor.refused(caller, act: "session.\(act)", ["session": session.id.description])
        guard caller.sees(sessionOf: session.principal) else { throw Problem.notFound("session") }
        throw Problem(.forbidden, Self.refusal(act), code: "role")
    }

    private static func refusal(_ act: String) -> String {
        switch act {
        case "end": "to end sessions of others you need the administrator's role"
        case "originals": "to open what was masked you need the auditor's role, and the session must not be one of yourself"
        default: "to read recordings of others you need the auditor's role"
        }
    }

    private func stream(_ request: Request, _ context: ConsoleContext, follow: Bool) async throws -> Response {
        let session = try await session(context, for: follow ? "tail" : "events") { $0.reads(recordingOf: $1) }
        try Self.checkThereIs(session)
        try await noteReading(context, session, how: follow ? "tail" : "events")
        return try await evidence(of: session, request, follow: follow)
    }

    private func evidence(of session: SessionRecord, _ request: Request, follow: Bool) async throws -> Response {
        let next = try await backend.events(session, follow)
        let body = ResponseBody { writer in
            if follow {
                // A reader that leaves must not be waited on until the session ends.
                try await request.body.consumeWithCancellationOnInboundClose { _ in try await Self.copy(next, to: &writer) }
            } else {
                try await Self.copy(next, to: &writer)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/jsonl"], body: body)
    }

    private static func checkThereIs(_ session: SessionRecord) throws {
        guard let deleted = session.recordingDeleted else { return }
        throw Problem(.gone, "the recording was deleted at \(API.time(deleted)); its tombstone is in the log", code: "deleted")
    }

    private static func copy(_ next: ConsoleBackend.EventLines, to writer: inout any ResponseBodyWriter) async throws {
        do {
            while var line = try await next() {
                line.append(UInt8(ascii: "\n"))
                try await writer.write(ByteBuffer(bytes: line))
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // The head said 200 long ago: a last line says what is wrong, and the broken connection that it is not all.
            let line = try API.encoder.encode(["type": "failure", "message": "the recording cannot be read further: \(error)"])
            try? await writer.write(ByteBuffer(bytes: line + Data("\n".utf8)))
            throw error
        }
    }

    /// Who reads what others did is on record himself.
    private func noteReading(_ context: ConsoleContext, _ session: SessionRecord, how: String) async throws {
        let caller = try context.requireCaller()
        guard !caller.isSame(as: session.principal) else { return }
        try await auditor.did(
            caller, .sessionRead, ["session": session.id.description, "owner": session.principal.user, "how": how])
    }

    /// Leave to open what was masked: written down first, with the reason, then the evidence is sent, sealed as it is. The key that opens the
    /// originals never comes here.
    @Sendable private func originals(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let session = try await session(context, for: "originals") { $0.opensOriginals(of: $1) }
        try Self.checkThereIs(session)
        let reason = try await Members(request, context, known: ["reason"]).text("reason")
        guard !reason.allSatisfy(\.isWhitespace) else { throw Problem(.unprocessableContent, "a reason is needed", code: "needs_reason") }
        try await auditor.did(
            try context.requireCaller(), .originalsOpened,
            ["session": session.id.description, "owner": session.principal.user, "target": session.target, "reason": reason])
        return try await evidence(of: session, request, follow: false)
    }

    @Sendable private func verify(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let session = try await session(context, for: "verification") { $0.reads(recordingOf: $1) }
        try Self.checkThereIs(session)
        let result = try await backend.verify(session)
        return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(bytes: result)))
    }

    @Sendable private func end(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let session = try await session(context, for: "end") { $0.ends(sessionOf: $1) }
        let caller = try context.requireCaller()
        guard session.state == .live else { throw Problem(.conflict, "the session has ended already", code: "not_live") }
        try await auditor.did(
            caller, .sessionKilled, ["session": session.id.description, "owner": session.principal.user, "target": session.target])
        let who = caller.isSame(as: session.principal) ? "its owner" : "an administrator, \(caller.principal.user)"
        guard await backend.end(session.id, "ended by \(who)") else {
            let detail =
                session.node == backend.node
                ? "the session has ended just now" : "the session runs on the gateway \(session.node); ask there"
            throw Problem(.conflict, detail, code: "not_here")
        }
        return Response(status: .noContent)
    }

    private struct Ended: Encodable {
        var ended: Int
        var sessions: [SessionID]
    }

    /// Everything that somebody has running here, now.
    @Sendable private func endAll(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        guard caller.endsManySessions else {
            auditor.refused(caller, act: "sessions.end", [:])
            throw Problem(.forbidden, "to end sessions of others you need the administrator's role", code: "role")
        }
        let order = try await Members(request, context, known: ["user", "issuer", "subject", "ticket", "target", "reason"])
        let choice = ConsoleBackend.SessionChoice(
            user: try order.name("user"), issuer: try order.name("issuer"), subject: try order.name("subject"),
            ticket: try order.name("ticket"), target: try order.name("target"))
        guard choice != ConsoleBackend.SessionChoice() else {
            throw Problem(
                .unprocessableContent, "say whose sessions end: user, issuer and subject, ticket, or target", code: "nothing_chosen")
        }
        guard (choice.issuer == nil) == (choice.subject == nil) else {
            throw Problem(.unprocessableContent, "issuer and subject are given together", code: "half_chosen")
        }
        let reason = try order.text("reason")
        guard !reason.allSatisfy(\.isWhitespace) else { throw Problem(.unprocessableContent, "a reason is needed", code: "needs_reason") }
        var detail = ["reason": reason]
        for (name, value) in [
            ("user", choice.user), ("issuer", choice.issuer), ("subject", choice.subject), ("ticket", choice.ticket),
            ("target", choice.target),
        ] {
            detail[name] = value
        }
        try await auditor.did(caller, .sessionsKilled, detail)
        let ended = await backend.endAll(choice, "ended by an administrator, \(caller.principal.user): \(reason)")
        return try API.json(Ended(ended: ended.count, sessions: ended))
    }
}
