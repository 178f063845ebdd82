public import GatehouseCore
import Synchronization

/// What the gateway can do to a session from outside of it. Methods may be called on any thread.
public protocol LiveSession: AnyObject, Sendable {
    var id: SessionID { get }
    var principal: Principal { get }
    var targetName: String { get }
    /// Ends the session with an error that its client can show.
    func end(reason: String)
    /// Ends the session as soon as nothing is under way in it.
    func drain(reason: String)
    /// The configuration has changed: ends the session if it may not be there any more.
    func recheck()
}

/// A session whose target is still being connected: it can already be told to end.
public final class ConnectingSession: LiveSession {
    public let id: SessionID
    public let principal: Principal
    public let targetName: String
    private let reason = Mutex<String?>(nil)

    public init(id: SessionID, principal: Principal, targetName: String) {
        self.id = id
        self.principal = principal
        self.targetName = targetName
    }

    public var endReason: String? { reason.withLock { $0 } }

    public func end(reason: String) {
        self.reason.withLock { $0 = reason }
    }

    public func drain(reason: String) {}

    /// It is checked once it is connected.
    public func recheck() {}
}

/// Who is inside: enforces the limits on how many, and finds sessions to end.
public final class SessionRegistry: Sendable {
    public enum Refusal: Error, Sendable, Hashable {
        case draining
        case tooManySessions(limit: Int)
        case tooManySessionsOfPrincipal(limit: Int)
    }

    fileprivate struct PrincipalKey: Hashable {
        let issuer: String
        let subject: String
    }

    private struct State {
        var sessions: [SessionID: any LiveSession] = [:]
        var reserved: [PrincipalKey: Int] = [:]
        var total = 0
        var isDraining = false
        var limits: Limits
    }

    /// A place among the sessions, taken before the session starts. Give it back with `SessionRegistry.leave`.
    public struct Place: Sendable {
        fileprivate let key: PrincipalKey
    }

    private let state: Mutex<State>

    public init(limits: Limits) {
        state = Mutex(State(limits: limits))
    }

    public func update(limits: Limits) {
        state.withLock { $0.limits = limits }
    }

    /// Takes a place for one more session, which is still to be connected. From now on it can be ended.
    public func enter(_ session: ConnectingSession) throws(Refusal) -> Place {
        let key = PrincipalKey(issuer: session.principal.issuer, subject: session.principal.subject)
        let outcome: Result<Place, Refusal> = state.withLock { state in
            if state.isDraining { return .failure(.draining) }
            if state.total >= state.limits.sessions { return .failure(.tooManySessions(limit: state.limits.sessions)) }
            let taken = state.reserved[key, default: 0]
            if taken >= state.limits.sessionsPerPrincipal {
                return .failure(.tooManySessionsOfPrincipal(limit: state.limits.sessionsPerPrincipal))
            }
            state.reserved[key] = taken + 1
            state.total += 1
            state.sessions[session.id] = session
            return .success(Place(key: key))
        }
        return try outcome.get()
    }

    /// The session is connected. If it was to end meanwhile, it is ended now.
    public func add(_ session: any LiveSession) {
        let (before, isDraining) = state.withLock { state in
            (state.sessions.updateValue(session, forKey: session.id) as? ConnectingSession, state.isDraining)
        }
        if let reason = before?.endReason { session.end(reason: reason) }
        // The configuration that admitted it may be an old one by now.
        session.recheck()
        if isDraining { session.drain(reason: "Gatehouse is shutting down") }
    }

    /// Gives the place back, and forgets the session if it was added.
    public func leave(_ place: Place, session: SessionID) {
        state.withLock { state in
            state.sessions[session] = nil
            state.total -= 1
            let left = state.reserved[place.key, default: 1] - 1
            state.reserved[place.key] = left > 0 ? left : nil
        }
    }

    public var count: Int { state.withLock { $0.total } }

    public func find(_ id: SessionID) -> (any LiveSession)? { state.withLock { $0.sessions[id] } }

    /// Ends every session that `matches`; returns which they were.
    @discardableResult
    public func end(reason: String, where matches: (any LiveSession) -> Bool) -> [SessionID] {
        let chosen = state.withLock { $0.sessions.values.filter(matches) }
        for session in chosen {
            session.end(reason: reason)
        }
        return chosen.map(\.id)
    }

    /// From now on nobody new comes in, and each session ends as soon as it has nothing under way.
    public func drain(reason: String) {
        let live = state.withLock { state in
            state.isDraining = true
            return Array(state.sessions.values)
        }
        for session in live {
            session.drain(reason: reason)
        }
    }

    /// Every session finds out now, and not at its next action, whether it may stay.
    public func recheck() {
        let live = state.withLock { Array($0.sessions.values) }
        for session in live {
            session.recheck()
        }
    }
}
