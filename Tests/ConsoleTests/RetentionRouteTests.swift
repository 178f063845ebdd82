import Catalog
import Foundation
import GatehouseCore
import Testing

@testable import Console

/// alice administrates, carol audits, bob is an agent.
@Suite struct RetentionRouteTests {
    @Test func whoMayDoWhat() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let asked: [(String, Bool, String?, alice: Int, carol: Int, bob: Int)] = [
                ("retention/plan", false, nil, 200, 200, 403), ("legal-holds", false, nil, 200, 200, 403),
                ("retention/runs", true, "{}", 200, 403, 403),
                ("legal-holds", true, "{\"user\":\"nobody\",\"reason\":\"case 1\"}", 201, 201, 403),
                ("legal-holds/0190163d-8694-739b-aea5-966c26f8ad91/lift", true, "{\"reason\":\"over\"}", 403, 404, 403),
            ]
            for (path, isPost, body, alice, carol, bob) in asked {
                for (user, expected) in [("alice", alice), ("carol", carol), ("bob", bob)] {
                    let answer = try await client.ask("/api/v1/\(path)", isPost ? .post : .get, as: user, body: body)
                    #expect(answer.status == expected, "\(user) at \(path): \(answer.text)")
                }
                #expect(try await client.ask("/api/v1/\(path)", isPost ? .post : .get, body: body).status == 401)
            }
        }
    }

    @Test func aHoldIsPlacedListedAndLifted() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let placed = try await client.ask(
                "/api/v1/legal-holds", .post, as: "carol",
                body: "{\"target\":\"pay-*\",\"since\":\"2026-01-02T03:04:05Z\",\"reason\":\"case 7\"}")
            let id = try #require(try placed.json["id"] as? String)
            let listed = try await client.ask("/api/v1/legal-holds", as: "alice")
            #expect(try listed.ids("legal_holds") == [id])
            #expect(listed.text.contains("pay-*") && listed.text.contains("2026-01-02T03:04:05") && listed.text.contains("case 7"))
            // An administrator can delete, so that he cannot lift.
            #expect(try await client.ask("/api/v1/legal-holds/\(id)/lift", .post, as: "alice", body: "{\"reason\":\"x\"}").status == 403)
            #expect(try await client.ask("/api/v1/legal-holds/\(id)/lift", .post, as: "carol", body: "{}").status == 422)
            #expect(
                try await client.ask("/api/v1/legal-holds/\(id)/lift", .post, as: "carol", body: "{\"reason\":\"over\"}").status == 204)
            #expect(try await client.ask("/api/v1/legal-holds", as: "carol").ids("legal_holds") == [])
            #expect(try await bench.audited("legal-hold").map(\.kind).contains(.holdLifted))
        }
    }

    @Test(arguments: [
        ("{}", 422), ("{\"reason\":\"r\"}", 422), ("{\"user\":\"a\"}", 422), ("[]", 400), ("{\"user\":1}", 400),
        ("{\"since\":\"yesterday\",\"reason\":\"r\"}", 400), ("{\"session\":\"x\",\"reason\":\"r\"}", 400),
        ("{\"since\":\"2026-01-02T00:00:00Z\",\"until\":\"2026-01-01T00:00:00Z\",\"reason\":\"r\"}", 422),
    ])
    func holdsAreReadStrictly(_ body: String, _ status: Int) async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/api/v1/legal-holds", .post, as: "carol", body: body).status == status)
            #expect(try await client.ask("/api/v1/legal-holds", as: "carol").ids("legal_holds") == [])
        }
    }

    @Test func aRecordingIsDeletedByAnotherAdministratorWithAReason() async throws {
        let bench = try await Bench()
        let mine = try await bench.session(of: "alice")
        let bobs = try await bench.session(of: "bob", number: 1)
        let reason = "{\"reason\":\"asked for\"}"
        try await bench.test { (client: Client) async throws in
            // Nobody deletes the evidence of himself, and an agent none at all.
            #expect(try await client.ask("/api/v1/sessions/\(mine.id)/deletion", .post, as: "alice", body: reason).status == 403)
            #expect(try await client.ask("/api/v1/sessions/\(bobs.id)/deletion", .post, as: "bob", body: reason).status == 403)
            #expect(try await client.ask("/api/v1/sessions/\(bobs.id)/deletion", .post, as: "carol", body: reason).status == 403)
            // It lives, and then has nothing in the store.
            let live = try await client.ask("/api/v1/sessions/\(bobs.id)/deletion", .post, as: "alice", body: reason)
            #expect(live.status == 409 && live.text.contains("live"))
            bench.catalog.sessionEnded(
                SessionEnd(id: bobs.id, at: bobs.started, state: .ended, counts: SessionCounts(), reason: "client-closed"))
            let answer = try await client.ask("/api/v1/sessions/\(bobs.id)/deletion", .post, as: "alice", body: reason)
            #expect(answer.status == 409 && answer.text.contains("not finished in the store"))
            #expect(try await client.ask("/api/v1/sessions/\(bobs.id)/deletion", .post, as: "alice", body: "{}").status == 422)
            #expect(try await bench.audited("recording").first?.actor == "alice@example.com")
            #expect(try await bench.audited("administration.refused").contains { $0.detail["act"] == "recording.delete" })
        }
    }
}
