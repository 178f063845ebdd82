public import GatehouseCore

/// Checks tokens of any number of OIDC issuers, each by its own keys and rules.
public struct OIDCAuthenticator: Authenticator {
    private let issuers: [String: Issuer]

    /// Settings that cannot be used.
    public struct SettingsFailure: Error, CustomStringConvertible, Sendable {
        public var description: String
    }

    /// - Throws: `SettingsFailure` when an issuer's settings have a `problem` or two have the same issuer.
    public init(_ settings: [IssuerSettings], clock: any GatewayClock = SystemClock()) throws(SettingsFailure) {
        try self.init(settings, clock: clock, fetcher: HTTPDocumentFetcher(), bounds: KeySetCache.Bounds())
    }

    init(
        _ settings: [IssuerSettings], clock: any GatewayClock, fetcher: any DocumentFetcher, bounds: KeySetCache.Bounds
    ) throws(SettingsFailure) {
        var issuers: [String: Issuer] = [:]
        for one in settings {
            if let problem = one.problem { throw SettingsFailure(description: problem) }
            guard issuers[one.issuer] == nil else {
                throw SettingsFailure(description: "issuer \(quoted(one.issuer)) is configured twice")
            }
            issuers[one.issuer] = Issuer(settings: one, fetcher: fetcher, clock: clock, bounds: bounds)
        }
        self.issuers = issuers
    }

    public func authenticate(
        _ secret: Secret, from address: String, asking login: String
    ) async throws(AuthenticationFailure) -> Principal {
        let token = try CompactToken(secret)
        // Not yet believed: it only says by whose keys the signature must hold, and is checked against these settings after.
        guard let name = token.claims["iss"]?.string else { throw CompactToken.malformed("it names no issuer (iss)") }
        guard let issuer = issuers[name] else {
            throw AuthenticationFailure(
                .unknownIssuer, client: "The token's issuer is not accepted here.", audit: "issuer \(quoted(name)) is not configured")
        }
        return try await issuer.authenticate(token)
    }

    /// Asks each issuer for its keys, unless they are there. What is wrong, by issuer name; empty when all is well.
    public func unreachableIssuers() async -> [String: String] {
        await withTaskGroup(of: (String, String?).self) { group in
            for issuer in issuers.values { group.addTask { (issuer.settings.name, await issuer.warm()) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}
