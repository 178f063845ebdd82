import Catalog
import Foundation
import GatehouseCore
import Hummingbird
import Identity

/// `/api/v1/tickets`: minted with a token, listed, revoked.
struct TicketRoutes: Sendable {
    let backend: ConsoleBackend
    let auditor: Auditor

    func add(to group: RouterGroup<ConsoleContext>) {
        group.get("tickets", use: list)
        group.post("tickets", use: create)
        group.delete("tickets/:id", use: revoke)
    }

    private struct List: Encodable {
        var tickets: [TicketView]
        var next: String?
    }

    private struct Order: Decodable {
        var target: String?
        var label: String?
        var lifetimeSeconds: Int?

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case target, label
            case lifetimeSeconds = "lifetime_seconds"
        }

        /// Any name at all, to find those that mean nothing.
        private struct AnyKey: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            for key in try decoder.container(keyedBy: AnyKey.self).allKeys where CodingKeys(stringValue: key.stringValue) == nil {
                throw DecodingError.dataCorrupted(.init(codingPath: [key], debugDescription: "unknown member"))
            }
            let container = try decoder.container(keyedBy: CodingKeys.self)
            target = try container.decodeIfPresent(String.self, forKey: .target)
            label = try container.decodeIfPresent(String.self, forKey: .label)
            lifetimeSeconds = try container.decodeIfPresent(Int.self, forKey: .lifetimeSeconds)
        }
    }

    @Sendable private func list(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        let query = try Query(request, known: ["cursor", "limit", "owner"])
        let limit = try query.limit()
        let mine = try query.value("owner", "`me`") { $0 == "me" ? true : nil } ?? false
        let owner = mine || !caller.seesAllTickets ? TicketOwner(caller.principal) : nil
        let page = Page(try await backend.tickets.tickets(of: owner, before: query.text("cursor"), limit: limit + 1), limit: limit)
        let now = backend.clock.wallTime()
        return try API.json(
            List(tickets: page.items.map { TicketView($0, at: now) }, next: page.hasMore ? page.items.last?.id : nil))
    }

    @Sendable private func create(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        let body = try await request.body.collect(upTo: context.maxUploadSize)
        let order: Order
        do {
            order = try JSONDecoder().decode(Order.self, from: body.readableBytes == 0 ? Data("{}".utf8) : Data(body.readableBytesView))
        } catch {
            throw Problem(
                .badRequest,
                "the body must be a JSON object with target, label (text) and lifetime_seconds (a whole number), each optional",
                code: "bad_body")
        }
        if let target = order.target {
            guard await backend.targets(caller.principal).contains(where: { $0.name == target }) else {
                throw Problem(.unprocessableContent, "there is no target of that name that you may use", code: "unknown_target")
            }
        }
        do {
            let lifetime = order.lifetimeSeconds.map { Duration.seconds($0) }
            let (text, record) = try await backend.ticketOffice.mint(
                for: caller.principal, target: order.target, lifetime: lifetime, label: order.label ?? "")
            // If this cannot be written the text is never shown, and so the ticket of no use.
            try await auditor.did(
                caller, .ticketCreated,
                ["ticket": record.id, "target": record.target ?? "any", "label": record.label, "expires": API.time(record.expires)])
            return try API.json(TicketView(record, at: backend.clock.wallTime(), text: text), status: .created)
        } catch let failure as TicketOffice.MintFailure {
            if failure == .needsToken { auditor.refused(caller, act: "ticket.create", [:]) }
            throw Problem(failure == .needsToken ? .forbidden : .unprocessableContent, failure.description, code: "ticket_refused")
        }
    }

    @Sendable private func revoke(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let caller = try context.requireCaller()
        guard let id = context.parameters.get("id"), let ticket = try await backend.tickets.ticket(id: id) else {
            throw Problem.notFound("ticket")
        }
        guard caller.revokes(ticketOf: ticket.owner) else {
            auditor.refused(caller, act: "ticket.revoke", ["ticket": ticket.id])
            guard caller.seesAllTickets else { throw Problem.notFound("ticket") }
            throw Problem(.forbidden, "to revoke tickets of others you need the administrator's role", code: "role")
        }
        try await auditor.did(caller, .ticketRevoked, ["ticket": ticket.id, "owner": ticket.owner.user])
        _ = try await backend.tickets.revokeTicket(id: ticket.id, at: backend.clock.wallTime())
        await backend.ticketRevoked(ticket.id)
        return Response(status: .noContent)
    }
}
