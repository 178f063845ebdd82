import Catalog
import Foundation
import GatehouseCore
import Policy
import Testing

/// What every `ApprovalStore` must do, written against the protocol alone.
enum ApprovalStoreConformance {
    static func check(_ store: any ApprovalStore) async throws {
        try await readsWhatWasInserted(store)
        try await filtersAndPages(store)
        try await findsWhatIsOpen(store)
        try await countsAndFindsOverdueOnes(store)
        try await changesOneAtATime(store)
        try await approveOrExpireNeverBoth(store)
        try await aUseIsTakenOnce(store)
        try await whatThrowsChangesNothing(store)
    }

    private static func readsWhatWasInserted(_ store: any ApprovalStore) async throws {
        let one = approval("reader", at: 1, reason: "quotes ' \" \\ and \n lines")
        try await store.insert(one)
        #expect(try await store.approval(id: one.id) == one)
        #expect(try await store.approval(id: "apr-nobodys") == nil)
        #expect(try await store.approval(id: "' OR 1=1 --") == nil)
        await #expect(throws: (any Error).self) { try await store.insert(one) }
        await #expect(throws: ApprovalRefusal.notFound) { try await store.changeApproval(id: "apr-nobodys") { _ in } }
    }

    private static func filtersAndPages(_ store: any ApprovalStore) async throws {
        var many: [Approval] = []
        for number in 100..<150 {
            let one = approval(number % 2 == 0 ? "even" : "odd", at: number, target: number % 5 == 0 ? "fives" : "rest")
            try await store.insert(one)
            many.append(one)
        }
        func ids(_ filter: ApprovalFilter, before: String? = nil, limit: Int = 1_000) async throws -> [String] {
            try await store.approvals(filter, before: before, limit: limit).map(\.id)
        }
        func expected(_ matches: (Approval) -> Bool) -> [String] { many.filter(matches).map(\.id).reversed() }
        #expect(try await ids(.init(target: "fives")) == expected { $0.request.target == "fives" })
        #expect(try await ids(.init(subject: "sub-odd")) == expected { $0.request.requester.user == "odd" })
        #expect(try await ids(.init(issuer: "https://other.example", subject: "sub-odd")) == [])
        #expect(try await ids(.init(state: .denied, target: "fives")) == [])
        #expect(try await ids(.init(session: many[3].request.session)) == [many[3].id])
        #expect(try await ids(.init(target: "' OR 1=1 --")) == [])
        var seen: [String] = []
        while true {
            let page = try await ids(.init(subject: "sub-even"), before: seen.last, limit: 7)
            if page.isEmpty { break }
            seen += page
        }
        #expect(seen == expected { $0.request.requester.user == "even" })
        #expect(try await ids(.init(subject: "sub-even"), limit: -5).count == 1)
        #expect(try await ids(.init(), before: "apr-nobodys") == [])
    }

    private static func findsWhatIsOpen(_ store: any ApprovalStore) async throws {
        let first = approval("opener", at: 200, content: "delete")
        let digest = first.request.digest
        try await store.insert(first)
        let second = approval("opener", at: 201, content: "delete")
        try await store.insert(second)
        #expect(second.request.digest == digest)
        let now = time(210)
        #expect(try await store.openApproval(digest: digest, at: now)?.id == second.id, "the newest that waits")
        _ = try await store.changeApproval(id: first.id) { try $0.vote(.approve, by: person("ann"), comment: "", at: now) }
        #expect(try await store.openApproval(digest: digest, at: now)?.id == first.id, "what is approved goes before")
        _ = try await store.changeApproval(id: first.id) { try $0.use(at: now) }
        #expect(try await store.openApproval(digest: digest, at: now)?.id == second.id, "what is used up is over")
        _ = try await store.changeApproval(id: second.id) { try $0.vote(.deny, by: person("ann"), comment: "", at: now) }
        #expect(try await store.openApproval(digest: digest, at: now) == nil)
        let third = approval("opener", at: 202, content: "delete")
        try await store.insert(third)
        #expect(try await store.openApproval(digest: digest, at: third.expires) == nil, "from its end on")
        #expect(try await store.openApproval(digest: "", at: now) == nil)
    }

    private static func countsAndFindsOverdueOnes(_ store: any ApprovalStore) async throws {
        let before = try await store.pendingApprovals(ofIssuer: issuer, subject: "sub-counter", at: time(300))
        let many = (0..<4).map { approval("counter", at: 300 + $0, content: "\($0)") }
        for one in many { try await store.insert(one) }
        _ = try await store.changeApproval(id: many[0].id) { $0.end(as: .withdrawn, at: time(310)) }
        let after = try await store.pendingApprovals(ofIssuer: issuer, subject: "sub-counter", at: time(320))
        #expect(before.own == 0 && after.own == 3 && after.all == before.all + 3)
        #expect(try await store.pendingApprovals(ofIssuer: "https://other.example", subject: "sub-counter", at: time(320)).own == 0)
        #expect(try await store.pendingApprovals(ofIssuer: issuer, subject: "sub-counter", at: many[2].expires).own == 1)
        let overdue = try await store.overdueApprovals(at: many[2].expires).map(\.id)
        #expect(overdue.contains(many[1].id) && overdue.contains(many[2].id))
        #expect(!overdue.contains(many[0].id) && !overdue.contains(many[3].id))
    }

    /// Many vote at once: each sees what those before did.
    private static func changesOneAtATime(_ store: any ApprovalStore) async throws {
        let one = approval("popular", at: 400, required: 5)
        try await store.insert(one)
        let outcomes = await withTaskGroup(of: ApprovalRefusal?.self) { group in
            for number in 0..<20 {
                // Two tasks for each person: his second vote must be refused.
                group.addTask {
                    do {
                        _ = try await store.changeApproval(id: one.id) {
                            try $0.vote(.approve, by: person("voter\(number / 2)"), comment: "", at: time(401))
                        }
                        return nil
                    } catch { return error as? ApprovalRefusal }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let read = try #require(try await store.approval(id: one.id))
        #expect(read.state == .approved && read.approvals == 5)
        #expect(Set(read.votes.map(\.user)).count == 5)
        #expect(outcomes.count { $0 == nil } == 5)
        #expect(outcomes.allSatisfy { $0 == nil || $0 == .votedAlready || $0 == .notPending(.approved) })
    }

    /// Approve against expiry, and approve against deny: one of them wins, and the other is told so.
    private static func approveOrExpireNeverBoth(_ store: any ApprovalStore) async throws {
        for round in 0..<20 {
            let one = approval("racer", at: 500 + round, content: "\(round)")
            try await store.insert(one)
            async let vote = outcome {
                try await store.changeApproval(id: one.id) {
                    try $0.vote(round % 2 == 0 ? .approve : .deny, by: person("ann"), comment: "", at: time(600))
                }
            }
            async let end = outcome {
                try await store.changeApproval(id: one.id) { approval in
                    guard approval.state == .pending else { throw ApprovalRefusal.notPending(approval.state) }
                    approval.end(as: .expired, at: time(600))
                }
            }
            let outcomes = await [vote, end]
            let read = try #require(try await store.approval(id: one.id))
            #expect(outcomes.count { $0 == nil } == 1)
            #expect(read.state == (outcomes[0] == nil ? (round % 2 == 0 ? .approved : .denied) : .expired))
            #expect(read.votes.count == (outcomes[0] == nil ? 1 : 0))
        }
    }

    private static func aUseIsTakenOnce(_ store: any ApprovalStore) async throws {
        let one = approval("user", at: 700)
        try await store.insert(one)
        _ = try await store.changeApproval(id: one.id) { try $0.vote(.approve, by: person("ann"), comment: "", at: time(701)) }
        let taken = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 {
                group.addTask { await outcome { try await store.changeApproval(id: one.id) { try $0.use(at: time(702)) } } == nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken == 1)
        #expect(try await store.approval(id: one.id)?.uses == 1)
    }

    private static func whatThrowsChangesNothing(_ store: any ApprovalStore) async throws {
        struct Full: Error {}
        let one = approval("unlucky", at: 800)
        try await store.insert(one)
        await #expect(throws: Full.self) {
            try await store.changeApproval(id: one.id) { approval in
                try approval.vote(.approve, by: person("ann"), comment: "", at: time(801))
                throw Full()
            }
        }
        #expect(try await store.approval(id: one.id) == one)
    }

    private static func outcome(_ body: () async throws -> Approval) async -> ApprovalRefusal? {
        do {
            _ = try await body()
            return nil
        } catch { return error as? ApprovalRefusal ?? .notFound }
    }

    // MARK: - Samples

    private static let issuer = "https://login.example.com"

    private static func time(_ seconds: Int) -> WallTime { WallTime(seconds: start + seconds) }

    private static func person(_ user: String) -> Principal {
        Principal(
            issuer: issuer, subject: "sub-\(user)", user: user, groups: ["sre"], credential: .token(id: nil),
            expires: WallTime(seconds: start + 300))
    }

    private static func approval(
        _ user: String, at seconds: Int, target: String = "orders", required: Int = 1, reason: String = "", content: String = "x"
    ) -> Approval {
        var generator = SystemRandomNumberGenerator()
        let request = ApprovalRequest(
            subject: .action, node: "n1", session: SessionID(at: time(seconds)), protocolName: .postgres, target: target, role: "writer",
            database: "shop", requester: person(user), application: "psql", rule: "big-deletes", ruleReason: "Deletes wait.",
            policyVersion: "v1", terms: HoldTerms(approvers: ["sre"], required: required), normalized: "DELETE FROM orders",
            content: [Array(content.utf8)], inTransaction: false)
        return Approval(request, reason: reason, at: time(seconds), using: &generator)
    }
}
