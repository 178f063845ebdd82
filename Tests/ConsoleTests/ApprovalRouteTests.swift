import Catalog
import Foundation
import GatehouseCore
import Hummingbird
import HummingbirdTesting
import Identity
import Policy
import Synchronization
import Testing

@testable import Console

/// bob (deploy-bots) asks; alice (dba, sre) and carol (managers) are what a test makes them.
@Suite(.timeLimit(.minutes(2))) struct ApprovalRouteTests {
    private static let approver = RoleSettings(groups: [.approver: ["sre"], .auditor: ["managers"]])

    private func ask(
        _ bench: Bench, as user: String = "bob", _ text: String = "DELETE FROM orders WHERE id = $1", number: Int = 0,
        target: String = "orders", terms: HoldTerms = HoldTerms(approvers: ["sre"])
    ) async throws -> Approval {
        let session = SessionID(at: WallTime(seconds: 1_767_225_600 + number))
        let request = ApprovalRequest(
            subject: .action, node: "n1", session: session, protocolName: .postgres, target: target, role: "writer", database: "shop",
            requester: try await bench.principal(user), application: "psql", rule: "deletes", ruleReason: "Deletes wait.",
            policyVersion: "v1", terms: terms, normalized: "DELETE FROM orders WHERE id = $1", content: [Array(text.utf8)],
            inTransaction: false)
        let (opened, tell) = AsyncStream<Approval>.makeStream()
        _ = bench.approvals.open(
            request, text: HeldText(statement: text, parameters: ["4711", nil]), reason: "", opened: { tell.yield($0) },
            ended: { _ in tell.finish() })
        return try #require(await opened.first { _ in true })
    }

    private func refusals(_ bench: Bench) async throws -> [[String: String]] {
        try await bench.audited("administration.refused").map(\.detail)
    }

    // MARK: - Seeing

    @Test func theRequesterSeesHisOwnWithItsText() async throws {
        let bench = try await Bench()
        let approval = try await ask(bench)
        try await bench.test { (client: Client) async throws in
            let answer = try await client.ask("/api/v1/approvals/\(approval.id)", as: "bob")
            let shown = try answer.json
            #expect(shown["statement"] as? String == "DELETE FROM orders WHERE id = $1")
            #expect(answer.text.contains("\"parameters\":[\"4711\",null]"))
            #expect(shown["state"] as? String == "pending" && shown["required"] as? Int == 1 && shown["approved"] as? Int == 0)
            #expect(shown["may"] as? [String] == ["reason"])
            #expect(shown["user"] as? String == "bob@example.com" && shown["rule_reason"] as? String == "Deletes wait.")
            #expect(try await client.ask("/api/v1/approvals?mine=true&state=pending", as: "bob").ids("approvals") == [approval.id])
            let list = try await client.ask("/api/v1/approvals", as: "bob").text
            #expect(!list.contains("4711"), "lists carry no values")
            #expect(try await bench.audited("approval.read").isEmpty)
        }
    }

    /// Who may not know of it hears the same as of one that there is not.
    @Test func nobodyLearnsOfOnesThatHeMayNotSee() async throws {
        // alice approves, but not for this rule; carol is nobody.
        let bench = try await Bench(roles: RoleSettings(groups: [.approver: ["sre"]]))
        let approval = try await ask(bench, terms: HoldTerms(approvers: ["others"]))
        try await bench.test { (client: Client) async throws in
            for user in ["alice", "carol"] {
                for id in [approval.id, "apr-22222222222y", "x", "%00"] {
                    let shown = try await client.ask("/api/v1/approvals/\(id)", as: user)
                    #expect(shown.status == 404)
                    #expect(try shown.json["detail"] as? String == "there is no approval that you may see")
                    for act in ["approve", "deny", "reason", "break-glass"] {
                        let answer = try await client.ask("/api/v1/approvals/\(id)/\(act)", .post, as: user, body: "{\"reason\":\"x\"}")
                        #expect(answer.status == 404 && answer.text == shown.text)
                    }
                }
                #expect(try await client.ask("/api/v1/approvals", as: user).ids("approvals") == [])
                #expect(try await client.ask("/api/v1/approvals?session=\(approval.request.session)", as: user).ids("approvals") == [])
                let cursors = try await [approval.id, "apr-22222222222y"].asyncMap {
                    try await client.ask("/api/v1/approvals?cursor=\($0)", as: user)
                }
                #expect(cursors.map(\.status) == [400, 400] && cursors[0].text == cursors[1].text)
            }
        }
        #expect(try await refusals(bench).count { $0["approval"] == approval.id } == 10)
        #expect(try await bench.approvals.approval(id: approval.id) == approval)
    }

    @Test func listsAreFilteredAndComeInPages() async throws {
        let bench = try await Bench(roles: Self.approver)
        var made: [Approval] = []
        for number in 0..<12 {
            made.append(
                try await ask(
                    bench, "DELETE \(number)", number: number, target: number < 4 ? "stock" : "orders",
                    terms: HoldTerms(approvers: [number % 2 == 0 ? "sre" : "others"])))
        }
        let all = made
        let newest = all.reversed().map(\.id)
        let ofAlice = all.enumerated().filter { $0.offset % 2 == 0 }.map(\.element.id).reversed()
        _ = try await bench.approvals.decide(id: all[2].id, .deny, by: try await bench.principal("alice"), comment: "")
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/api/v1/approvals", as: "carol").ids("approvals") == newest)
            #expect(try await client.ask("/api/v1/approvals", as: "bob").ids("approvals") == newest)
            #expect(try await client.ask("/api/v1/approvals", as: "alice").ids("approvals") == Array(ofAlice))
            #expect(try await client.ask("/api/v1/approvals?mine=true", as: "alice").ids("approvals") == [])
            #expect(try await client.ask("/api/v1/approvals?state=denied", as: "alice").ids("approvals") == [all[2].id])
            #expect(try await client.ask("/api/v1/approvals?target=stock", as: "carol").ids("approvals") == newest.suffix(4))
            #expect(
                try await client.ask("/api/v1/approvals?session=\(all[5].request.session)", as: "carol").ids("approvals") == [all[5].id])
            for user in ["alice", "carol"] {
                var seen: [String] = []
                var cursor = ""
                while true {
                    let page = try await client.ask("/api/v1/approvals?limit=5" + cursor, as: user)
                    seen += try page.ids("approvals")
                    guard let next = try page.json["next"] as? String else { break }
                    cursor = "&cursor=\(next)"
                }
                #expect(seen == (user == "carol" ? newest : Array(ofAlice)))
            }
            for query in ["state=open", "session=x", "mine=yes", "limit=0", "cursor=x", "user=bob"] {
                #expect(try await client.status("/api/v1/approvals?\(query)", as: "carol") == 400, "\(query)")
            }
        }
    }

    @Test func auditorsReadTheTextAdministratorsDoNot() async throws {
        let bench = try await Bench()
        let approval = try await ask(bench)
        try await bench.test { (client: Client) async throws in
            let auditor = try await client.ask("/api/v1/approvals/\(approval.id)", as: "carol").json
            #expect(auditor["statement"] as? String != nil && auditor["may"] as? [String] == [])
            let administrator = try await client.ask("/api/v1/approvals/\(approval.id)", as: "alice").json
            #expect(administrator["statement"] == nil && administrator["statement_note"] as? String != nil)
            #expect(administrator["normalized"] as? String == "DELETE FROM orders WHERE id = $1")
        }
        let read = try await bench.audited("approval.read")
        #expect(read.map(\.actor) == ["carol@example.com"] && read.first?.detail["approval"] == approval.id)
    }

    // MARK: - Deciding

    /// Neither role decides, whatever groups the rule names.
    @Test func auditorsAndAdministratorsDoNotDecide() async throws {
        let bench = try await Bench()
        let approval = try await ask(bench, terms: HoldTerms(approvers: ["dba", "managers", "deploy-bots"]))
        try await bench.test { (client: Client) async throws in
            for user in ["alice", "carol", "bob"] {
                for act in ["approve", "deny"] {
                    let answer = try await client.ask("/api/v1/approvals/\(approval.id)/\(act)", .post, as: user)
                    #expect(answer.status == 403)
                    #expect(try answer.json["code"] as? String == "role")
                }
            }
        }
        #expect(try await refusals(bench).count == 6)
        #expect(try await bench.approvals.approval(id: approval.id)?.votes.isEmpty == true)
    }

    @Test func anApproverDecides() async throws {
        let bench = try await Bench(roles: Self.approver)
        let one = try await ask(bench, number: 1)
        let two = try await ask(bench, "DELETE 2", number: 2)
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/api/v1/approvals/\(one.id)", as: "alice").json["may"] as? [String] == ["approve", "deny"])
            let approved = try await client.ask("/api/v1/approvals/\(one.id)/approve", .post, as: "alice", body: "{\"comment\":\"fine\"}")
            #expect(approved.status == 200)
            let votes = try #require(try approved.json["votes"] as? [[String: any Sendable]])
            #expect(votes.first?["user"] as? String == "alice@example.com" && votes.first?["comment"] as? String == "fine")
            let again = try await client.ask("/api/v1/approvals/\(one.id)/deny", .post, as: "alice")
            #expect(again.status == 409)
            #expect(try again.json["code"] as? String == "not_pending")
            let denied = try await client.ask("/api/v1/approvals/\(two.id)/deny", .post, as: "alice", body: "{}")
            #expect(try denied.json["state"] as? String == "denied")
        }
        // The desk writes these; nobody writes them twice.
        #expect(try await bench.audited("approval.approved").count == 1)
        #expect(try await bench.audited("approval.denied").count == 1)
        #expect(try await refusals(bench).map { $0["code"] } == ["not_pending"])
    }

    @Test func nobodyDecidesHisOwnAndOthersOfTheGroupMay() async throws {
        let bench = try await Bench(roles: RoleSettings(groups: [.approver: ["sre", "managers"]]))
        let approval = try await ask(bench, as: "alice", terms: HoldTerms(approvers: ["sre", "managers"], required: 2, needsReason: true))
        try await bench.test { (client: Client) async throws in
            let path = "/api/v1/approvals/\(approval.id)"
            let own = try await client.ask(path + "/approve", .post, as: "alice")
            #expect(own.status == 403)
            #expect(try own.json["code"] as? String == "own_request")
            let early = try await client.ask(path + "/approve", .post, as: "carol")
            #expect(early.status == 422)
            #expect(try early.json["code"] as? String == "needs_reason")
            #expect(try early.json["detail"] as? String == "a reason is needed first: gatehouse approvals reason \(approval.id) TEXT")
            let foreign = try await client.ask(path + "/reason", .post, as: "carol", body: "{\"reason\":\"x\"}")
            #expect(foreign.status == 403)
            #expect(try foreign.json["code"] as? String == "not_requester")
            #expect(try await client.ask(path + "/reason", .post, as: "alice", body: "{\"reason\":\" \"}").status == 422)
            let said = try await client.ask(path + "/reason", .post, as: "alice", body: "{\"reason\":\"erasure\"}")
            #expect(try said.json["reason"] as? String == "erasure")
            #expect(try await client.ask(path + "/approve", .post, as: "carol").status == 200)
            let twice = try await client.ask(path + "/approve", .post, as: "carol")
            #expect(twice.status == 409)
            #expect(try twice.json["code"] as? String == "voted_already")
        }
        #expect(
            Set(try await refusals(bench).compactMap { $0["code"] }) == ["own_request", "needs_reason", "not_requester", "voted_already"])
    }

    @Test func aTicketDecidesNothingAndBreaksNoGlass() async throws {
        let bench = try await Bench(roles: RoleSettings(groups: [.approver: ["sre"]]))
        let terms = HoldTerms(approvers: ["sre"], breakGlass: ["deploy-bots"])
        let approval = try await ask(bench, terms: terms)
        let ofAlice = try await bench.office.mint(for: bench.principal("alice"), target: nil).text.reveal()
        let ofBob = try await bench.office.mint(for: bench.principal("bob"), target: nil).text.reveal()
        try await bench.test { (client: Client) async throws in
            let path = "/api/v1/approvals/\(approval.id)"
            #expect(try await client.ask(path + "/approve", .post, secret: ofAlice).status == 404)
            let glass = try await client.ask(path + "/break-glass", .post, secret: ofBob, body: "{\"reason\":\"outage\"}")
            #expect(glass.status == 403)
            #expect(try glass.json["code"] as? String == "needs_token")
            // The same person with his token may.
            #expect(try await client.ask(path, as: "bob").json["may"] as? [String] == ["reason", "break-glass"])
            #expect(try await client.ask(path + "/break-glass", .post, as: "bob", body: "{}").status == 422)
            let broken = try await client.ask(path + "/break-glass", .post, as: "bob", body: "{\"reason\":\"outage\"}")
            #expect(broken.status == 200)
            #expect(try broken.json["state"] as? String == "approved" && broken.json["reason"] as? String == "outage")
        }
        #expect(try await bench.audited("approval.broke_glass").map(\.actor) == ["bob@example.com"])
    }

    @Test(arguments: [
        ("[]", 400), ("{", 400), ("{\"comment\":1}", 400), ("{\"coment\":\"x\"}", 400), ("{\"comment\":\"a\\u0000b\"}", 422),
        ("{\"comment\":\"\\u001b[31m\"}", 422), ("", 200), ("{}", 200), ("{\"comment\":null}", 200), ("{\"comment\":\"two\\nlines\"}", 200),
    ])
    func bodiesAreReadStrictly(_ body: String, _ status: Int) async throws {
        let bench = try await Bench(roles: Self.approver)
        let approval = try await ask(bench)
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/api/v1/approvals/\(approval.id)/deny", .post, as: "alice", body: body).status == status)
            #expect(try await bench.approvals.approval(id: approval.id)?.state == (status == 200 ? .denied : .pending))
        }
    }

    @Test func whatIsOverCannotBeDecided() async throws {
        let clock = SteppingClock()
        let bench = try await Bench(roles: Self.approver, clock: clock)
        let approval = try await ask(bench, terms: HoldTerms(approvers: ["sre"], validSeconds: 60))
        clock.advance(60)
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/api/v1/approvals?state=pending", as: "alice").ids("approvals") == [])
            #expect(try await client.ask("/api/v1/approvals/\(approval.id)", as: "alice").json["state"] as? String == "expired")
            let late = try await client.ask("/api/v1/approvals/\(approval.id)/approve", .post, as: "alice")
            #expect(late.status == 409)
        }
    }

    @Test func whatCannotBeWrittenDownIsNotDone() async throws {
        let bench = try await Bench(roles: Self.approver, evidence: { _, _, _ in throw CatalogFailure.closed })
        let approval = try await ask(bench)
        try await bench.test { (client: Client) async throws in
            #expect(try await client.status("/api/v1/approvals/\(approval.id)", as: "alice") == 503)
            #expect(try await client.status("/api/v1/approvals/\(approval.id)", as: "bob") == 200)
        }
    }
}

/// The machine's time, moved on by a test.
final class SteppingClock: GatewayClock {
    private let offset = Mutex(0)
    func advance(_ seconds: Int) { offset.withLock { $0 += seconds } }
    func wallTime() -> WallTime { SystemClock().wallTime().advanced(by: .seconds(offset.withLock { $0 })) }
    func monotonicNanoseconds() -> UInt64 { SystemClock().monotonicNanoseconds() }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ body: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await body(element)) }
        return values
    }
}
