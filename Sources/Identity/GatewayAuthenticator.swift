public import GatehouseCore

/// The one way in: the throttle, then a ticket by its prefix, else a token.
public struct GatewayAuthenticator: Authenticator {
    private let tokens: any Authenticator
    private let tickets: any Authenticator
    private let throttle: Throttle

    public init(tokens: any Authenticator, tickets: any Authenticator, throttle: Throttle) {
        self.tokens = tokens
        self.tickets = tickets
        self.throttle = throttle
    }

    public func authenticate(
        _ secret: Secret, from address: String, asking login: String
    ) async throws(AuthenticationFailure) -> Principal {
        try throttle.check(address: address, login: login)
        do {
            let way = TicketText.claims(secret) ? tickets : tokens
            let principal = try await way.authenticate(secret, from: address, asking: login)
            throttle.succeeded(login: login)
            return principal
        } catch {
            if error.code.countsAsGuess { throttle.failed(address: address, login: login) }
            throw error
        }
    }
}
