import Relay

extension HandshakeError {
    /// Why there is no place for one more session.
    init(_ refusal: SessionRegistry.Refusal) {
        switch refusal {
        case .draining: self.init(sqlState: SQLState.cannotConnectNow.rawValue, message: "Gatehouse is shutting down")
        case .tooManySessions(let limit):
            self.init(sqlState: SQLState.tooManyConnections.rawValue, message: "Gatehouse has its limit of \(limit) sessions")
        case .tooManySessionsOfPrincipal(let limit):
            self.init(
                sqlState: SQLState.tooManyConnections.rawValue, message: "you have your limit of \(limit) sessions",
                hint: "Close some, or ask for a higher limits.sessions_per_principal.")
        }
    }
}
