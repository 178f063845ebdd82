import Catalog
import GatehouseCore
import Identity
import Testing

/// What every `SessionIndex` must do, written against the protocol alone.
enum SessionIndexConformance {
    static func check(_ index: any SessionIndex) async throws {
        try await readsWhatWasNoted(index)
        try await filtersAndPages(index)
        try await endsOnce(index)
        try await interruptsOneNode(index)
        try await remembersDeletions(index)
    }

    private static func remembersDeletions(_ index: any SessionIndex) async throws {
        let one = session(300, user: "deleted")
        try index.sessionStarted(one)
        let time = WallTime(seconds: start + 1_000)
        index.recordingDeleted(one.id, at: time)
        // The first time stays, and what is not known is nothing.
        index.recordingDeleted(one.id, at: WallTime(seconds: start + 2_000))
        index.recordingDeleted(SessionID(high: 1, low: 2), at: time)
        #expect(try await index.session(one.id)?.recordingDeleted == time)
        #expect(try await index.session(SessionID(high: 1, low: 2)) == nil)
    }

    private static func readsWhatWasNoted(_ index: any SessionIndex) async throws {
        let one = session(1, user: "reader", target: "conformance-a", ticket: "ticket-1")
        try index.sessionStarted(one)
        #expect(try await index.session(one.id) == one)
        #expect(try await index.session(SessionID(high: 1, low: 2)) == nil)
        var counts = SessionCounts(statements: 5, denied: 1, rows: 100, bytesIn: 1_000, bytesOut: .max)
        index.sessionProgressed(one.id, counts: counts)
        // What cannot be stored exactly is kept as large as can be.
        counts.bytesOut = UInt64(Int64.max)
        #expect(try await index.session(one.id)?.counts == counts)
        #expect(index.problem == nil)
    }

    private static func filtersAndPages(_ index: any SessionIndex) async throws {
        let many = (10..<60).map { session($0, user: $0 % 2 == 0 ? "even" : "odd", target: $0 % 5 == 0 ? "fives" : "rest") }
        for one in many { try index.sessionStarted(one) }
        func ids(_ filter: SessionFilter, before: SessionID? = nil, limit: Int = 1_000) async throws -> [SessionID] {
            try await index.sessions(filter, before: before, limit: limit).map(\.id)
        }
        func expected(_ matches: (SessionRecord) -> Bool) -> [SessionID] { many.filter(matches).map(\.id).reversed() }
        #expect(try await ids(.init(user: "even")) == expected { $0.principal.user == "even" })
        #expect(try await ids(.init(target: "fives")) == expected { $0.target == "fives" })
        #expect(try await ids(.init(target: "fives", user: "odd")) == expected { $0.target == "fives" && $0.principal.user == "odd" })
        let odd = TicketOwner(issuer: "https://login.example.com", subject: "sub-odd")
        #expect(try await ids(.init(owner: odd)) == expected { $0.principal.user == "odd" })
        #expect(try await ids(.init(owner: TicketOwner(issuer: "https://other.example", subject: "sub-odd"))) == [])
        #expect(try await ids(.init(target: "rest", state: .ended)) == [])
        #expect(try await ids(.init(ticket: "ticket-1")).count == 1)
        #expect(try await ids(.init(user: "' OR 1=1 --")) == [])
        let middle = WallTime(seconds: start + 30)
        #expect(try await ids(.init(user: "even", since: middle)) == expected { $0.principal.user == "even" && $0.started >= middle })
        #expect(try await ids(.init(user: "even", until: middle)) == expected { $0.principal.user == "even" && $0.started < middle })
        var seen: [SessionID] = []
        while true {
            let page = try await ids(.init(user: "even"), before: seen.last, limit: 7)
            if page.isEmpty { break }
            #expect(page.count <= 7)
            seen += page
        }
        #expect(seen == expected { $0.principal.user == "even" })
        #expect(try await ids(.init(user: "even"), limit: -5).count == 1)
    }

    private static func endsOnce(_ index: any SessionIndex) async throws {
        let one = session(100, user: "ender")
        try index.sessionStarted(one)
        let end = SessionEnd(
            id: one.id, at: WallTime(seconds: start + 200), state: .failed, counts: SessionCounts(statements: 3), reason: "target went away"
        )
        index.sessionEnded(end)
        index.sessionEnded(
            SessionEnd(id: one.id, at: WallTime(seconds: start + 300), state: .ended, counts: SessionCounts(), reason: "late"))
        index.sessionProgressed(one.id, counts: SessionCounts(statements: 99))
        let read = try #require(try await index.session(one.id))
        #expect(read.state == .failed && read.ended == end.at && read.endReason == end.reason && read.counts.statements == 3)
    }

    private static func interruptsOneNode(_ index: any SessionIndex) async throws {
        let ours = session(200, user: "crash", node: "node-a")
        let done = session(201, user: "crash", node: "node-a")
        let theirs = session(202, user: "crash", node: "node-b")
        for one in [ours, done, theirs] { try index.sessionStarted(one) }
        index.sessionEnded(
            SessionEnd(id: done.id, at: WallTime(seconds: start + 210), state: .ended, counts: SessionCounts(), reason: "bye"))
        let now = WallTime(seconds: start + 999)
        #expect(try await index.interruptSessions(ofNode: "node-a", at: now) == 1)
        #expect(try await index.interruptSessions(ofNode: "node-a", at: now) == 0)
        #expect(try await index.session(ours.id)?.state == .interrupted)
        #expect(try await index.session(ours.id)?.ended == now)
        #expect(try await index.session(done.id)?.state == .ended)
        #expect(try await index.session(theirs.id)?.state == .live)
    }
}

/// What every `TicketStore` must do.
enum TicketStoreConformance {
    static func check(_ store: any TicketStore) async throws {
        let now = WallTime(seconds: start + 50)
        let mine = (0..<20).map { ticket($0, user: "minter", target: $0 % 2 == 0 ? "orders" : nil) }
        let other = ticket(5, user: "other")
        for one in mine + [other] { try await store.insert(one) }
        #expect(try await store.ticket(withHash: mine[3].hash) == mine[3])
        #expect(try await store.ticket(id: mine[4].id) == mine[4])
        #expect(try await store.ticket(withHash: [UInt8](repeating: 0, count: 32)) == nil)
        #expect(try await store.ticket(withHash: []) == nil)
        #expect(try await store.ticket(id: "nobody's") == nil)

        var sameHash = ticket(21)
        sameHash.hash = mine[0].hash
        await #expect(throws: (any Error).self) { try await store.insert(sameHash) }
        await #expect(throws: (any Error).self) { try await store.insert(mine[0]) }

        let owner = TicketOwner(mine[0].owner)
        #expect(try await store.tickets(of: owner, before: nil, limit: 100) == mine.reversed())
        #expect(try await store.tickets(of: owner, before: mine[10].id, limit: 3) == Array(mine[7..<10].reversed()))
        #expect(try await store.tickets(of: nil, before: nil, limit: 100).count == 21)
        #expect(try await store.usableTickets(of: owner, at: now) == 20)

        #expect(try await store.revokeTicket(id: mine[2].id, at: now)?.revoked == now)
        #expect(try await store.revokeTicket(id: mine[2].id, at: now.advanced(by: .seconds(9)))?.revoked == now)
        #expect(try await store.revokeTicket(id: "nobody's", at: now) == nil)
        #expect(try await store.ticket(withHash: mine[2].hash)?.revoked == now)
        #expect(try await store.usableTickets(of: owner, at: now) == 19)
        #expect(try await store.usableTickets(of: owner, at: WallTime(seconds: start + 3_600)) == 18)
        #expect(try await store.usableTickets(of: owner, at: WallTime(seconds: start + 3_603)) == 16)

        try await store.ticketUsed(id: mine[1].id, at: now)
        try await store.ticketUsed(id: mine[1].id, at: WallTime(seconds: start))
        #expect(try await store.ticket(id: mine[1].id)?.lastUsed == now)
    }
}

/// What every `AuditLog` must do.
enum AuditLogConformance {
    static func check(_ log: any AuditLog) async throws {
        let first = AuditEntry(
            time: WallTime(seconds: start), principal: principal("carol"), address: "192.0.2.7", kind: .ticketCreated,
            detail: ["ticket": "id-1", "odd": "quotes ' \" \\ and \n lines"])
        try await log.append(first)
        try log.note(AuditEntry(time: WallTime(seconds: start + 1), principal: nil, kind: .authenticationFailed))
        try log.note(AuditEntry(time: WallTime(seconds: start + 2), principal: principal("dave"), kind: .ticketRevoked))
        try log.note(AuditEntry(time: WallTime(seconds: start + 3), principal: nil, kind: "ticketing"))
        let all = try await log.entries(AuditFilter(), before: nil, limit: 100)
        #expect(all.map(\.kind.rawValue) == ["ticketing", "ticket.revoked", "authentication.failed", "ticket.created"])
        #expect(all.map(\.id) == all.map(\.id).sorted(by: >) && Set(all.map(\.id)).count == 4)
        var expected = first
        expected.id = all[3].id
        #expect(all[3] == expected)
        #expect(try await log.entries(AuditFilter(kind: "ticket"), before: nil, limit: 100).count == 2)
        #expect(try await log.entries(AuditFilter(kind: "ticket.created"), before: nil, limit: 100).count == 1)
        #expect(try await log.entries(AuditFilter(kind: "tick"), before: nil, limit: 100).isEmpty)
        #expect(try await log.entries(AuditFilter(kind: "ticket", actor: "dave"), before: nil, limit: 100).map(\.actor) == ["dave"])
        #expect(try await log.entries(AuditFilter(since: WallTime(seconds: start + 2)), before: nil, limit: 100).count == 2)
        #expect(try await log.entries(AuditFilter(), before: all[1].id, limit: 1).map(\.id) == [all[2].id])
    }
}
