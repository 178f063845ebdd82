import Foundation
import GatehouseCore
import Hummingbird
import HummingbirdTesting
import Testing

@testable import Console

@Suite struct ConsoleAuthenticationTests {
    @Test func nobodyGetsInWithoutAGoodTokenOrTicket() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let none = try await client.ask("/api/v1/whoami")
            #expect(none.status == 401)
            #expect(none.headers[.wwwAuthenticate] == "Bearer realm=\"gatehouse\"")
            #expect(try none.json["detail"] as? String != nil)
            let token = try bench.token("alice")
            for value in ["Basic \(token)", token, "Bearer", "Bearer ", "Bearer\(token)"] {
                #expect(try await client.ask("/api/v1/whoami", headers: [.authorization: value]).status == 401)
            }
            var two: HTTPFields = [.authorization: "Bearer \(token)"]
            two.append(.init(name: .authorization, value: "Bearer \(token)"))
            #expect(try await client.ask("/api/v1/whoami", headers: two).status == 401)
            let bad = try await client.ask("/api/v1/whoami", secret: String(token.dropLast(4)) + "AAAA")
            #expect(bad.status == 401)
            #expect(try bad.json["code"] as? String == "bad_signature")
            // Only what was presented and found wrong is a failed try.
            let entries = try await bench.audited("authentication.failed")
            #expect(entries.first?.detail["reason"] == "bad_signature")
            #expect(entries.first?.address == "127.0.0.1")
            #expect(entries.allSatisfy { !$0.detail.values.contains { $0.contains(token.suffix(20)) } })
            for path in ["/api/v1/sessions", "/api/v1/tickets", "/api/v1/targets", "/api/v1/audit", "/api/v1/sessions/x/events"] {
                #expect(try await client.status(path) == 401)
            }
        }
    }

    @Test func guessesAreSlowed() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            for _ in 0..<10 { #expect(try await client.ask("/api/v1/whoami", secret: "guess").status == 401) }
            let slowed = try await client.ask("/api/v1/whoami", as: "alice")
            #expect(slowed.status == 429)
            #expect(Int(slowed.headers[.retryAfter] ?? "") ?? 0 > 0)
        }
    }

    @Test func sayWhoTheCallerIs() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let alice = try await client.ask("/api/v1/whoami", as: "alice").json
            #expect(alice["user"] as? String == "alice@example.com")
            #expect(alice["roles"] as? [String] == ["agent", "administrator"])
            #expect(alice["groups"] as? [String] == ["dba", "sre"])
            #expect(try await client.ask("/api/v1/whoami", as: "bob").json["roles"] as? [String] == ["agent"])
            #expect(try await client.ask("/api/v1/whoami", as: "carol").json["roles"] as? [String] == ["agent", "auditor"])
        }
    }

    @Test func aTicketMakesNobodyAnAdministrator() async throws {
        let bench = try await Bench()
        let anywhere = try await bench.office.mint(for: bench.principal("alice"), target: nil)
        let orders = try await bench.office.mint(for: bench.principal("alice"), target: "orders")
        let other = try await bench.session(of: "bob")
        try await bench.test { (client: Client) async throws in
            let whoami = try await client.ask("/api/v1/whoami", secret: anywhere.text.reveal()).json
            #expect(whoami["roles"] as? [String] == ["agent"])
            #expect(whoami["ticket"] as? String == anywhere.record.id)
            #expect(try await client.ask("/api/v1/sessions/\(other.id)", .delete, secret: anywhere.text.reveal()).status == 404)
            #expect(try await client.ask("/api/v1/audit", secret: anywhere.text.reveal()).status == 403)
            let wrong = try await client.ask("/api/v1/whoami", secret: orders.text.reveal())
            #expect(wrong.status == 401)
            #expect(try wrong.json["code"] as? String == "ticket_wrong_target")
            let more = try await client.ask("/api/v1/tickets", .post, secret: anywhere.text.reveal(), body: "{}")
            #expect(more.status == 403)
        }
    }

    @Test func whoHasNoRoleIsRefusedWhereAgentsAreNamed() async throws {
        let bench = try await Bench(roles: RoleSettings(groups: [.agent: ["deploy-bots"], .auditor: ["managers"]]))
        try await bench.test { (client: Client) async throws in
            #expect(try await client.status("/api/v1/whoami", as: "bob") == 200)
            #expect(try await client.status("/api/v1/whoami", as: "carol") == 200)
            #expect(try await client.status("/api/v1/whoami", as: "alice") == 403)
            #expect(try await bench.audited("administration.refused").first?.actor == "alice@example.com")
        }
    }
}

@Suite struct RoleMatrixTests {
    /// The table of `GatehouseRole`, asked over HTTP: bob is an agent, carol an auditor, alice an administrator.
    @Test func everyRowOfTheTableHolds() async throws {
        let bench = try await Bench()
        let ofBob = try await bench.session(of: "bob", number: 1)
        let ofCarol = try await bench.session(of: "carol", number: 2)
        let ticketOfBob = try await bench.office.mint(for: bench.principal("bob"), target: nil).record.id
        let ticketOfCarol = try await bench.office.mint(for: bench.principal("carol"), target: nil).record.id
        let rows: [(HTTPRequest.Method, String, bob: Int, carol: Int, alice: Int)] = [
            (.get, "targets", 200, 200, 200),
            (.get, "sessions/\(ofBob.id)", 200, 200, 200),
            (.get, "sessions/\(ofBob.id)/events", 200, 200, 403),
            (.get, "sessions/\(ofBob.id)/verification", 200, 200, 403),
            (.get, "sessions/\(ofCarol.id)", 404, 200, 200),
            (.get, "sessions/\(ofCarol.id)/events", 404, 200, 403),
            (.get, "sessions/\(ofCarol.id)/tail", 404, 0, 403),
            (.get, "sessions/\(ofCarol.id)/verification", 404, 200, 403),
            (.get, "audit", 403, 200, 200),
            (.get, "retention/plan", 403, 200, 200),
            (.get, "approvals", 200, 200, 200),
            (.post, "sessions/end", 403, 403, 422),
            (.delete, "sessions/\(ofCarol.id)", 404, 204, 204),
            (.delete, "sessions/\(ofBob.id)", 204, 403, 204),
            (.delete, "tickets/\(ticketOfCarol)", 404, 204, 204),
            (.delete, "tickets/\(ticketOfBob)", 204, 403, 204),
        ]
        try await bench.test { (client: Client) async throws in
            for row in rows {
                let path = "/api/v1/" + row.1
                #expect(try await client.status(path, row.0, as: "bob") == row.bob, "bob \(row.0) \(row.1)")
                if row.carol > 0 { #expect(try await client.status(path, row.0, as: "carol") == row.carol, "carol \(row.0) \(row.1)") }
                #expect(try await client.status(path, row.0, as: "alice") == row.alice, "alice \(row.0) \(row.1)")
            }
        }
        // Every refusal above is on record, with who was refused what.
        let refused = try await bench.audited("administration.refused")
        let expected = rows.flatMap { [$0.bob, $0.carol, $0.alice] }.count { $0 == 404 || $0 == 403 }
        #expect(refused.count == expected)
        #expect(refused.allSatisfy { !$0.actor.isEmpty && $0.detail["act"] != nil })
    }

    /// Who is taken out of a role has lost it with his next request.
    @Test func rolesAreExchangedWhileItRuns() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            #expect(try await client.status("/api/v1/audit", as: "alice") == 200)
            bench.server.use(RoleSettings(groups: [.auditor: ["managers"], .agent: ["managers"]]))
            #expect(try await client.status("/api/v1/audit", as: "alice") == 403)
            #expect(try await client.status("/api/v1/whoami", as: "alice") == 403, "no role at all")
            #expect(try await client.status("/api/v1/audit", as: "carol") == 200)
        }
    }
}
