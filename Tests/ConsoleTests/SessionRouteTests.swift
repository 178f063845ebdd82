import Catalog
import Foundation
import GatehouseCore
import Hummingbird
import HummingbirdTesting
import Identity
import NIOCore
import Synchronization
import Testing

@testable import Console

@Suite struct SessionRouteTests {
    @Test func listsAreFilteredAndComeInPages() async throws {
        let bench = try await Bench()
        var all: [SessionRecord] = []
        for number in 0..<25 {
            all.append(
                try await bench.session(of: number % 2 == 0 ? "bob" : "carol", number: number, target: number < 5 ? "stock" : "orders"))
        }
        let newest = all.reversed().map(\.id.description)
        let ofBob = all.filter { $0.principal.user == "bob@example.com" }.reversed().map(\.id.description)
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/api/v1/sessions", as: "alice").ids("sessions") == newest)
            #expect(try await client.ask("/api/v1/sessions", as: "bob").ids("sessions") == ofBob)
            // A filter of somebody else's name shows an agent nothing of his.
            #expect(try await client.ask("/api/v1/sessions?user=carol@example.com", as: "bob").ids("sessions") == [])
            #expect(try await client.ask("/api/v1/sessions?user=bob%40example.com", as: "carol").ids("sessions") == ofBob)
            #expect(
                try await client.ask("/api/v1/sessions?target=stock&state=live", as: "alice").ids("sessions") == Array(newest.suffix(5)))
            #expect(try await client.ask("/api/v1/sessions?state=ended", as: "alice").ids("sessions") == [])
            #expect(
                try await client.ask("/api/v1/sessions?since=2026-01-01T00:00:20Z", as: "alice").ids("sessions") == Array(newest.prefix(5)))
            #expect(
                try await client.ask("/api/v1/sessions?until=2026-01-01T00:00:05.000Z", as: "alice").ids("sessions")
                    == Array(newest.suffix(5)))
            var seen: [String] = []
            var cursor = ""
            while true {
                let page = try await client.ask("/api/v1/sessions?limit=7" + cursor, as: "alice")
                seen += try page.ids("sessions")
                guard let next = try page.json["next"] as? String else { break }
                cursor = "&cursor=\(next)"
            }
            #expect(seen == newest)
        }
    }

    @Test(arguments: [
        "limit=0", "limit=-1", "limit=x", "state=dead", "since=yesterday", "cursor=1", "tarfet=orders", "limit=1&limit=2", "=",
        "since=2026",
        "user=" + String(repeating: "u", count: 600),
    ])
    func badQueriesAreNamed(_ query: String) async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let answer = try await client.ask("/api/v1/sessions?" + query, as: "alice")
            #expect(answer.status == 400)
            #expect(try answer.json["detail"] as? String != nil)
        }
    }

    @Test func aSessionIsShownWhole() async throws {
        let bench = try await Bench()
        let session = try await bench.session(of: "bob")
        bench.catalog.sessionEnded(
            SessionEnd(
                id: session.id, at: WallTime(nanoseconds: 1_767_225_660_500_000_000), state: .ended,
                counts: SessionCounts(statements: 3, denied: 1, rows: 9, bytesIn: 10, bytesOut: 20), reason: "the client left"))
        try await bench.test { (client: Client) async throws in
            let shown = try await client.ask("/api/v1/sessions/\(session.id)", as: "bob").json
            #expect(shown["started"] as? String == "2026-01-01T00:00:00.000Z")
            #expect(shown["ended"] as? String == "2026-01-01T00:01:00.500Z")
            #expect(shown["state"] as? String == "ended")
            #expect(shown["user"] as? String == "bob@example.com")
            #expect(shown["end_reason"] as? String == "the client left")
            #expect(shown["counts"] as? [String: Int] == ["statements": 3, "denied": 1, "rows": 9, "bytes_in": 10, "bytes_out": 20])
            for id in ["x", "00000000-0000-7000-8000-000000000000", "..%2f..%2fetc", "%00"] {
                #expect(try await client.status("/api/v1/sessions/\(id)", as: "alice") == 404)
            }
        }
    }

    @Test func recordingsAreLinesAndReadingThemIsOnRecord() async throws {
        let bench = try await Bench()
        let session = try await bench.session(of: "bob")
        try await bench.test { (client: Client) async throws in
            let events = try await client.ask("/api/v1/sessions/\(session.id)/events", as: "bob")
            #expect(events.headers[.contentType] == "application/jsonl")
            #expect(events.text == "{\"type\":\"start\"}\n{\"type\":\"end\"}\n")
            #expect(try await bench.audited("session.read").isEmpty)
            #expect(try await client.status("/api/v1/sessions/\(session.id)/events", as: "carol") == 200)
            let entry = try #require(try await bench.audited("session.read").first)
            #expect(entry.actor == "carol@example.com" && entry.detail["session"] == session.id.description)
            let verified = try await client.ask("/api/v1/sessions/\(session.id)/verification", as: "bob")
            #expect(try verified.json["verified"] as? Bool == true)
        }
    }

    /// The reason is written down before anything is sent, and nobody opens what was masked for himself.
    @Test func openingOriginalsIsOnRecord() async throws {
        let bench = try await Bench()
        let session = try await bench.session(of: "bob")
        let own = try await bench.session(of: "carol")
        try await bench.test { (client: Client) async throws in
            let path = "/api/v1/sessions/\(session.id)/originals"
            for (user, status) in [("bob", 403), ("alice", 403)] {
                #expect(try await client.ask(path, .post, as: user, body: "{\"reason\":\"case\"}").status == status, "\(user)")
            }
            #expect(
                try await client.ask("/api/v1/sessions/\(own.id)/originals", .post, as: "carol", body: "{\"reason\":\"case\"}").status
                    == 403)
            #expect(try await client.ask(path, .post, as: "carol", body: "{}").status == 422)
            #expect(try await client.ask(path, .post, as: "carol", body: "{\"reason\":\" \"}").status == 422)
            #expect(try await client.ask(path, .post, as: "carol", body: "{\"why\":\"case\"}").status == 400)
            #expect(try await bench.audited("originals.opened").isEmpty)
            let answer = try await client.ask(path, .post, as: "carol", body: "{\"reason\":\"case 4711\"}")
            #expect(answer.status == 200 && answer.text == "{\"type\":\"start\"}\n{\"type\":\"end\"}\n")
            let entry = try #require(try await bench.audited("originals.opened").first)
            #expect(entry.actor == "carol@example.com")
            #expect(entry.detail["session"] == session.id.description && entry.detail["reason"] == "case 4711")
            #expect(entry.detail["owner"] == "bob@example.com")
            #expect(try await bench.audited("administration.refused").contains { $0.detail["act"] == "session.originals" })
        }
    }

    @Test func aRecordingThatCannotBeOpenedIsAnError() async throws {
        let bench = try await Bench()
        let session = try await bench.session(of: "bob")
        bench.deeds.withLock { $0.lines = nil }
        try await bench.test { (client: Client) async throws in
            let answer = try await client.ask("/api/v1/sessions/\(session.id)/events", as: "bob")
            #expect(answer.status == 500)
            #expect(!answer.text.contains("recording"), "details are for the log")
        }
    }

    /// The head is long gone: the last line says why, and the body has no end.
    @Test func aRecordingThatBreaksOffDoesNotLookWhole() async throws {
        let bench = try await Bench()
        let session = try await bench.session(of: "bob")
        bench.deeds.withLock { $0.failsAfterLines = true }
        let token = try bench.token("bob")
        try await withServer(bench) { (port: Int) async throws in
            let request = "GET /api/v1/sessions/\(session.id)/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n\r\n"
            let text = try await RawConnection.with(port, send: request) { inbound in
                var text = ""
                while let part = try? await inbound.next() { text += String(buffer: part) }
                return text
            }
            #expect(text.contains("\"type\":\"failure\"") && text.contains("checksum of frame 7 is wrong"))
            #expect(!text.hasSuffix("0\r\n\r\n"))
        }
    }

    /// 64 MiB of events, while the server holds a few lines at a time.
    @Test func largeRecordingsPassWhole() async throws {
        let bench = try await Bench()
        let session = try await bench.session(of: "bob")
        let line = "{\"type\":\"rows\",\"text\":\"" + String(repeating: "x", count: 65_000) + "\"}"
        bench.deeds.withLock { $0.lines = Array(repeating: line, count: 200) }
        try await bench.test { (client: Client) async throws in
            let events = try await client.ask("/api/v1/sessions/\(session.id)/events", as: "bob")
            #expect(events.text.utf8.count == 200 * (line.utf8.count + 1))
        }
    }

    @Test func aFollowerWhoLeavesIsForgotten() async throws {
        let bench = try await Bench()
        let session = try await bench.session(of: "bob")
        let token = try bench.token("bob")
        try await withServer(bench) { (port: Int) async throws in
            let request = "GET /api/v1/sessions/\(session.id)/tail HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n\r\n"
            let text = try await RawConnection.with(port, send: request) { inbound in
                var text = ""
                while !text.contains("\"end\""), let part = try await inbound.next() { text += String(buffer: part) }
                return text
            }
            #expect(text.contains("{\"type\":\"start\"}\n"))
            for _ in 0..<500 where bench.deeds.withLock({ $0.followersLeft }) == 0 { try await Task.sleep(for: .milliseconds(20)) }
            #expect(bench.deeds.withLock { $0.followersLeft } == 1)
        }
    }

    @Test func endingASessionSaysWhoDidIt() async throws {
        let bench = try await Bench()
        let own = try await bench.session(of: "bob", number: 1)
        let other = try await bench.session(of: "carol", number: 2)
        let done = try await bench.session(of: "bob", number: 3)
        bench.catalog.sessionEnded(SessionEnd(id: done.id, at: done.started, state: .ended, counts: SessionCounts(), reason: ""))
        try await bench.test { (client: Client) async throws in
            #expect(try await client.status("/api/v1/sessions/\(own.id)", .delete, as: "bob") == 204)
            #expect(try await client.status("/api/v1/sessions/\(other.id)", .delete, as: "alice") == 204)
            #expect(try await client.status("/api/v1/sessions/\(done.id)", .delete, as: "bob") == 409)
        }
        let ended = bench.deeds.withLock { $0.ended }
        #expect(ended == [own.id: "ended by its owner", other.id: "ended by an administrator, alice@example.com"])
        #expect(try await bench.audited("session.killed").map(\.actor) == ["alice@example.com", "bob@example.com"])
    }

    @Test func administratorsEndAllSessionsOfSomebody() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let path = "/api/v1/sessions/end"
            for user in ["bob", "carol"] {
                let refused = try await client.ask(path, .post, as: user, body: "{\"user\":\"bob@example.com\",\"reason\":\"x\"}")
                #expect(refused.status == 403)
            }
            for (body, status) in [
                ("", 422), ("{\"reason\":\"x\"}", 422), ("{\"user\":\"bob\"}", 422), ("{\"user\":\"bob\",\"reason\":\" \"}", 422),
                ("{\"issuer\":\"i\",\"reason\":\"x\"}", 422), ("{\"usr\":\"bob\",\"reason\":\"x\"}", 400),
            ] {
                #expect(try await client.ask(path, .post, as: "alice", body: body).status == status, "\(body)")
            }
            #expect(bench.deeds.withLock { $0.endedMany.isEmpty })
            let body = "{\"user\":\"bob@example.com\",\"target\":\"orders\",\"reason\":\"leaked\"}"
            let answer = try await client.ask(path, .post, as: "alice", body: body)
            #expect(answer.status == 200)
            #expect(try answer.json["ended"] as? Int == 0)
        }
        let deeds = bench.deeds.withLock { $0.endedMany.map { "\($0.0.user ?? "") \($0.0.target ?? ""): \($0.1)" } }
        #expect(deeds == ["bob@example.com orders: ended by an administrator, alice@example.com: leaked"])
        let entry = try #require(try await bench.audited("session.killed.many").first)
        #expect(entry.detail == ["user": "bob@example.com", "target": "orders", "reason": "leaked"])
    }

    /// Each act is in the log of evidence too; reading lists is none.
    @Test func actsAreInTheLogOfEvidence() async throws {
        let acts = Mutex<[String]>([])
        let bench = try await Bench(evidence: { action, by, detail in
            acts.withLock { $0.append("\(action) by \(by) from \(detail["actor_address"] ?? "?")") }
        })
        let session = try await bench.session(of: "bob")
        try await bench.test { (client: Client) async throws in
            for path in ["sessions", "sessions/\(session.id)", "audit", "tickets", "targets", "whoami", "retention/plan", "approvals"] {
                #expect(try await client.status("/api/v1/\(path)", as: "alice") == 200)
            }
            #expect(acts.withLock { $0.isEmpty })
            #expect(try await client.status("/api/v1/sessions/\(session.id)/events", as: "carol") == 200)
            #expect(try await client.status("/api/v1/sessions/\(session.id)", .delete, as: "alice") == 204)
        }
        #expect(
            acts.withLock { $0 } == [
                "admin.session.read by carol@example.com from 127.0.0.1", "admin.session.killed by alice@example.com from 127.0.0.1",
            ])
    }

    /// Evidence before effect: what cannot be written down is not done.
    @Test func nothingIsDoneThatIsNoEvidence() async throws {
        let bench = try await Bench(evidence: { _, _, _ in throw CatalogFailure.closed })
        let session = try await bench.session(of: "bob")
        try await bench.test { (client: Client) async throws in
            #expect(try await client.status("/api/v1/sessions/\(session.id)", .delete, as: "alice") == 503)
            #expect(try await client.status("/api/v1/sessions/\(session.id)/events", as: "carol") == 503)
            let all = try await client.ask("/api/v1/sessions/end", .post, as: "alice", body: "{\"user\":\"b\",\"reason\":\"x\"}")
            #expect(all.status == 503)
        }
        #expect(bench.deeds.withLock { $0.ended.isEmpty && $0.endedMany.isEmpty })
        #expect(try await bench.audited("session").isEmpty)
    }

    /// Evidence before effect: what cannot be written down is not done.
    @Test func nothingIsDoneThatCannotBeAudited() async throws {
        let bench = try await Bench(audit: BrokenAuditLog())
        let session = try await bench.session(of: "bob")
        let ticket = try await bench.office.mint(for: bench.principal("bob"), target: nil).record
        try await bench.test { (client: Client) async throws in
            #expect(try await client.status("/api/v1/sessions/\(session.id)", .delete, as: "alice") == 503)
            #expect(try await client.status("/api/v1/tickets/\(ticket.id)", .delete, as: "alice") == 503)
            #expect(try await client.status("/api/v1/sessions/\(session.id)/events", as: "carol") == 503)
            let minted = try await client.ask("/api/v1/tickets", .post, as: "bob", body: "{}")
            #expect(minted.status == 503 && !minted.text.contains("ght_"))
        }
        #expect(bench.deeds.withLock { $0.ended.isEmpty && $0.revoked.isEmpty })
        #expect(try await bench.catalog.ticket(id: ticket.id)?.revoked == nil)
    }
}

/// A log on a disk that is full.
private struct BrokenAuditLog: AuditLog {
    struct Full: Error {}
    func append(_ entry: AuditEntry) async throws { throw Full() }
    func note(_ entry: AuditEntry) throws(CatalogFailure) { throw .backlog(waiting: 1, because: "full") }
    func entries(_ filter: AuditFilter, before: Int64?, limit: Int) async throws -> [AuditEntry] { throw Full() }
}
