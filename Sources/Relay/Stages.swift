public import GatehouseCore
public import Identity
public import Policy

/// The first stage: a connection is there, nothing is known of who it is.
public struct Accepted: Sendable {
    /// The listener's name in the configuration.
    public let listener: String
    /// The peer's address, without a port.
    public let address: String
    /// The peer is this machine.
    public let isLoopback: Bool
    public let at: WallTime

    public init(listener: String, address: String, isLoopback: Bool, at: WallTime) {
        self.listener = listener
        self.address = address
        self.isLoopback = isLoopback
        self.at = at
    }
}

/// The second stage: an issuer vouched for the caller, who named a target. Only `identify` makes one.
public struct Identified: Sendable {
    public let accepted: Accepted
    public let principal: Principal
    public let login: LoginName

    /// Checks `secret` and says who brought it.
    public static func identify(
        _ accepted: Accepted, secret: Secret, login: LoginName, with authenticator: any Authenticator
    ) async throws(AuthenticationFailure) -> Identified {
        let principal = try await authenticator.authenticate(secret, from: accepted.address, asking: login.target)
        return Identified(accepted: accepted, principal: principal, login: login)
    }

    private init(accepted: Accepted, principal: Principal, login: LoginName) {
        self.accepted = accepted
        self.principal = principal
        self.login = login
    }
}

/// The third stage: policy let the caller in. Holds the permit, which only policy makes.
public struct Permitted: Sendable {
    public let identified: Identified
    public let permit: Permit
    public let session: SessionID
    /// The configuration's generation that let it in.
    public let generation: UInt64
    public var target: Target { permit.target }

    public init(_ identified: Identified, permit: Permit, session: SessionID, generation: UInt64) {
        self.generation = generation
        self.identified = identified
        self.permit = permit
        self.session = session
    }
}
