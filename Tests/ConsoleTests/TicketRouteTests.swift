import Foundation
import GatehouseCore
import Hummingbird
import HummingbirdTesting
import Testing

@testable import Console

@Suite struct TicketRouteTests {
    @Test func aTicketIsMintedShownOnceUsedAndRevoked() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let order = "{\"target\":\"orders\",\"label\":\"nightly\",\"lifetime_seconds\":600}"
            let minted = try await client.ask("/api/v1/tickets", .post, as: "bob", body: order)
            #expect(minted.status == 201)
            let ticket = try #require(try minted.json["ticket"] as? String)
            let id = try #require(try minted.json["id"] as? String)
            let principal = try await bench.office.authenticate(Secret(ticket), from: "192.0.2.1", asking: "orders")
            #expect(principal.user == "bob@example.com" && principal.groups == ["deploy-bots"])

            let listed = try await client.ask("/api/v1/tickets", as: "bob")
            #expect(try listed.ids("tickets") == [id])
            #expect(!listed.text.contains(ticket) && listed.text.contains("\"state\":\"usable\"") && listed.text.contains("last_used"))
            #expect(try await client.ask("/api/v1/tickets", as: "alice").ids("tickets") == [id])
            #expect(try await client.ask("/api/v1/tickets?owner=me", as: "alice").ids("tickets") == [])

            #expect(try await client.status("/api/v1/tickets/\(id)", .delete, as: "bob") == 204)
            await #expect(throws: (any Error).self) {
                try await bench.office.authenticate(Secret(ticket), from: "192.0.2.1", asking: "orders")
            }
            #expect(bench.deeds.withLock { $0.revoked } == [id])
            #expect(try await client.ask("/api/v1/tickets", as: "bob").text.contains("\"state\":\"revoked\""))
            let entries = try await bench.audited("ticket")
            #expect(entries.map(\.kind) == [.ticketRevoked, .ticketCreated])
            #expect(entries.allSatisfy { $0.actor == "bob@example.com" && $0.detail["ticket"] == id })
            #expect(entries.allSatisfy { !$0.detail.values.contains(ticket) })
        }
    }

    @Test(arguments: [
        ("[]", 400), ("{", 400), ("null", 400), ("{\"target\":1}", 400), ("{\"lifetime_seconds\":\"1h\"}", 400), ("{\"lifetime\":1}", 400),
        ("{\"lifetime_seconds\":1.5}", 400), ("{\"lifetime_seconds\":0}", 422), ("{\"lifetime_seconds\":-9223372036854775808}", 422),
        ("{\"lifetime_seconds\":9223372036854775807}", 422), ("{\"target\":\"secret-target\"}", 422), ("{\"target\":\"\"}", 422),
        ("{\"label\":\"a\\u0000b\"}", 422), ("", 201), ("{}", 201),
    ])
    func ordersAreReadStrictly(_ body: String, _ status: Int) async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/api/v1/tickets", .post, as: "bob", body: body).status == status)
        }
    }

    @Test func bodiesAreBounded() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let body = "{\"label\":\"" + String(repeating: "x", count: 100_000) + "\"}"
            let answer = try await client.ask("/api/v1/tickets", .post, as: "bob", body: body)
            #expect(answer.status == 413)
        }
    }

    @Test func targetsAreThoseOfTheCaller() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let answer = try await client.ask("/api/v1/targets", as: "bob").json
            let targets = try #require(answer["targets"] as? [[String: any Sendable]])
            #expect(targets.first?["name"] as? String == "orders")
            #expect(targets.first?["connect"] as? String == "psql -U orders")
            #expect(targets.first?["protocol"] as? String == "postgres")
        }
    }

    @Test func theAuditLogIsReadInPages() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            for _ in 0..<5 { _ = try await client.ask("/api/v1/tickets", .post, as: "bob", body: "{}") }
            let first = try await client.ask("/api/v1/audit?kind=ticket&limit=3", as: "carol").json
            #expect((first["entries"] as? [[String: any Sendable]])?.count == 3)
            let next = try #require(first["next"] as? String)
            let second = try await client.ask("/api/v1/audit?kind=ticket&limit=3&cursor=\(next)", as: "carol").json
            #expect((second["entries"] as? [[String: any Sendable]])?.count == 2)
            #expect(second["next"] == nil)
        }
    }
}
