import GatehouseCore
import Testing

@testable import Identity

@Suite struct TicketTests {
    private let clock = TestClock()
    private let store = MemoryTicketStore()
    private let office: TicketOffice
    private let owner = Principal(
        issuer: "https://a.example", subject: "user-1", user: "alice", groups: ["dba"], workload: ["ref": "main"],
        credential: .token(id: nil), expires: WallTime(seconds: TestClock.start + 60))

    init() {
        office = TicketOffice(store: store, clock: clock)
    }

    private func code(_ secret: Secret, asking login: String = "orders") async -> AuthenticationFailure.Code? {
        do throws(AuthenticationFailure) {
            _ = try await office.authenticate(secret, from: "192.0.2.1", asking: login)
            return nil
        } catch {
            #expect(!(error.clientMessage + error.auditDetail).contains(secret.reveal()))
            return error.code
        }
    }

    @Test func textsAreShortRandomAndCheckable() throws {
        var seen: Set<String> = []
        for _ in 0..<1_000 {
            let text = TicketText.random().secret.reveal()
            #expect(text.utf8.count == 48 && text.utf8.allSatisfy { $0 < 0x80 } && text.hasPrefix("ght_"))
            #expect(TicketText(Secret(text))?.secret.reveal() == text)
            #expect(seen.insert(text).inserted)
        }
        // Every position takes many values: no part is constant.
        for position in 4..<48 {
            #expect(Set(seen.map { Array($0.utf8)[position] }).count > 16)
        }
    }

    @Test func slipsAreFoundBeforeTheStoreIsAsked() async throws {
        let (text, _) = try await office.mint(for: owner, target: nil)
        let clear = text.reveal()
        store.isBroken.withLock { $0 = true }
        var slips = ["ght_", clear.uppercased(), clear + "0", String(clear.dropLast()), " " + clear, clear + "\n"]
        slips.append(clear.replacingOccurrences(of: "ght_", with: "ght-"))
        for slip in slips { #expect(await code(Secret(slip)) == .ticketUnknown) }
        for index in 4..<48 {
            var bytes = Array(clear.utf8)
            bytes[index] = bytes[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            let changed = await code(Secret(String(decoding: bytes, as: UTF8.self)))
            // One in a million slips passes the check characters and is looked up.
            #expect(changed == .ticketUnknown || changed == .unavailable)
        }
        #expect(await code(text) == .unavailable)
    }

    @Test func onlyTheHashIsKept() async throws {
        let (text, record) = try await office.mint(for: owner, target: "orders", label: "ci")
        var kept = ""
        dump(record, to: &kept)
        #expect(!kept.contains(text.reveal()) && !kept.contains(text.reveal().dropFirst(4).prefix(20)))
        #expect(record.hash.count == 32)
    }

    @Test func carriesItsOwnerGroupsAndItsOwnExpiry() async throws {
        let (text, record) = try await office.mint(for: owner, target: nil, lifetime: .seconds(7_200))
        clock.advance(3_600)
        let principal = try await office.authenticate(text, from: "192.0.2.1", asking: "writer@orders")
        #expect(principal.groups == ["dba"] && principal.user == "alice" && principal.workload == ["ref": "main"])
        #expect(principal.credential == .ticket(id: record.id))
        #expect(principal.expires == WallTime(seconds: TestClock.start + 7_200))
        #expect(try await store.ticket(id: record.id)?.lastUsed == clock.wallTime())
    }

    @Test func endsWithItsLife() async throws {
        let (text, _) = try await office.mint(for: owner, target: nil, lifetime: .seconds(10))
        clock.advance(9.9)
        #expect(await code(text) == nil)
        clock.advance(0.1)
        #expect(await code(text) == .ticketExpired)
    }

    @Test func endsWhenRevoked() async throws {
        let (text, record) = try await office.mint(for: owner, target: nil)
        _ = try await store.revokeTicket(id: record.id, at: clock.wallTime())
        #expect(await code(text) == .ticketRevoked)
    }

    @Test func opensItsTargetOnly() async throws {
        let (text, _) = try await office.mint(for: owner, target: "orders")
        #expect(await code(text, asking: "orders") == nil)
        #expect(await code(text, asking: "writer@orders") == nil)
        for other in ["stock", "orders@stock", "writer@orders@stock", "", "Orders", "orders ", "@orders"] {
            #expect(await code(text, asking: other) == .ticketWrongTarget)
        }
    }

    @Test func unknownTicketsAreUnknown() async throws {
        #expect(await code(TicketText.random().secret) == .ticketUnknown)
    }

    @Test func ticketsBegetNoTickets() async throws {
        var byTicket = owner
        byTicket.credential = .ticket(id: "t")
        await #expect(throws: TicketOffice.MintFailure.needsToken) { try await office.mint(for: byTicket, target: nil) }
    }

    @Test func mintingIsBounded() async throws {
        for bad: Duration in [.zero, .seconds(-1), .milliseconds(999), .seconds(43_201)] {
            await #expect(throws: TicketOffice.MintFailure.lifetime(.seconds(43_200))) {
                try await office.mint(for: owner, target: nil, lifetime: bad)
            }
        }
        await #expect(throws: TicketOffice.MintFailure.label) { try await office.mint(for: owner, target: nil, label: "a\nb") }
        await #expect(throws: TicketOffice.MintFailure.target) { try await office.mint(for: owner, target: "") }
        for _ in 0..<100 { _ = try await office.mint(for: owner, target: nil, lifetime: .seconds(60)) }
        await #expect(throws: TicketOffice.MintFailure.tooMany(100)) { try await office.mint(for: owner, target: nil) }
        clock.advance(61)
        _ = try await office.mint(for: owner, target: nil)
    }
}
