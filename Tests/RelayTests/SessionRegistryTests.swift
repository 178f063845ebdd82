import GatehouseCore
import Synchronization
import Testing

@testable import Relay

private final class Session: LiveSession {
    let id: SessionID
    let principal: Principal
    let targetName: String
    private let heard = Mutex<[String]>([])

    init(_ number: UInt64, _ principal: Principal, target: String = "orders") {
        id = SessionID(high: number, low: number)
        self.principal = principal
        targetName = target
    }

    var said: [String] { heard.withLock(\.self) }
    func end(reason: String) { heard.withLock { $0.append("end \(reason)") } }
    func drain(reason: String) { heard.withLock { $0.append("drain \(reason)") } }
    func recheck() { heard.withLock { $0.append("recheck") } }
}

@Suite struct SessionRegistryTests {
    private func principal(_ subject: String, issuer: String = "https://issuer.example") -> Principal {
        Principal(
            issuer: issuer, subject: subject, user: "same", groups: [], credential: .token(id: nil),
            expires: WallTime(seconds: 2_000_000_000))
    }

    private func connecting(_ principal: Principal) -> ConnectingSession {
        ConnectingSession(id: SessionID(at: WallTime(seconds: 1_700_000_000)), principal: principal, targetName: "orders")
    }

    @Test func aSessionThatConnectsCanBeEnded() throws {
        let registry = SessionRegistry(limits: limits(10, 10))
        let session = Session(7, principal("ada"))
        _ = try registry.enter(ConnectingSession(id: session.id, principal: session.principal, targetName: "orders"))
        #expect(registry.end(reason: "revoked") { $0.principal.subject == "ada" }.count == 1)
        registry.add(session)
        #expect(session.said == ["end revoked", "recheck"])
    }

    private func limits(_ sessions: Int, _ perPrincipal: Int) -> Limits {
        var limits = Limits()
        limits.sessions = sessions
        limits.sessionsPerPrincipal = perPrincipal
        return limits
    }

    @Test func bothLimitsHoldAndPlacesComeBack() throws {
        let registry = SessionRegistry(limits: limits(3, 2))
        let ada = principal("ada")
        let first = try registry.enter(connecting(ada))
        _ = try registry.enter(connecting(ada))
        #expect(throws: SessionRegistry.Refusal.tooManySessionsOfPrincipal(limit: 2)) { try registry.enter(connecting(ada)) }
        // A refusal takes no place. The same subject of another issuer is another person.
        _ = try registry.enter(connecting(principal("ada", issuer: "https://other.example")))
        #expect(registry.count == 3)
        #expect(throws: SessionRegistry.Refusal.tooManySessions(limit: 3)) { try registry.enter(connecting(principal("bob"))) }
        registry.leave(first, session: SessionID(high: 1, low: 1))
        #expect(registry.count == 2)
        _ = try registry.enter(connecting(ada))
    }

    @Test func newLimitsHoldForThoseWhoComeNext() throws {
        let registry = SessionRegistry(limits: limits(10, 10))
        let ada = principal("ada")
        _ = try registry.enter(connecting(ada))
        _ = try registry.enter(connecting(ada))
        registry.update(limits: limits(10, 1))
        #expect(throws: SessionRegistry.Refusal.tooManySessionsOfPrincipal(limit: 1)) { try registry.enter(connecting(ada)) }
        #expect(registry.count == 2)
    }

    @Test func sessionsAreFoundEndedAndForgotten() throws {
        let registry = SessionRegistry(limits: limits(10, 10))
        let (ada, bob) = (principal("ada"), principal("bob"))
        let sessions = [Session(1, ada), Session(2, bob, target: "ledger")]
        let places = try sessions.map {
            try registry.enter(ConnectingSession(id: $0.id, principal: $0.principal, targetName: $0.targetName))
        }
        for session in sessions { registry.add(session) }
        #expect(registry.find(sessions[0].id) === sessions[0])
        #expect(registry.end(reason: "revoked") { $0.targetName == "ledger" }.count == 1)
        #expect(sessions[0].said == ["recheck"] && sessions[1].said == ["recheck", "end revoked"])
        registry.recheck()
        #expect(sessions[0].said == ["recheck", "recheck"])
        registry.leave(places[0], session: sessions[0].id)
        #expect(registry.find(sessions[0].id) == nil)
        #expect(registry.end(reason: "all") { _ in true }.count == 1)
    }

    @Test func drainingLetsNobodyIn() throws {
        let registry = SessionRegistry(limits: limits(10, 10))
        let session = Session(1, principal("ada"))
        _ = try registry.enter(connecting(session.principal))
        registry.add(session)
        registry.drain(reason: "restart")
        #expect(session.said == ["recheck", "drain restart"])
        #expect(throws: SessionRegistry.Refusal.draining) { try registry.enter(connecting(principal("bob"))) }
    }

    @Test func placesAreCountedRightFromManyThreads() async throws {
        let registry = SessionRegistry(limits: limits(50, 1_000))
        let ada = principal("ada")
        let entered = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<200 { group.addTask { (try? registry.enter(connecting(ada))) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(entered == 50)
        #expect(registry.count == 50)
    }
}
