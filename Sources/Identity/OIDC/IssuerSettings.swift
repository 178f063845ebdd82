/// One OIDC issuer that is trusted to say who calls.
public struct IssuerSettings: Sendable, Hashable {
    /// For logs and messages; the issuer's own URL when the operator gave no name.
    public var name: String
    /// The exact `iss` of its tokens. `https`, or `http` on a loopback address.
    public var issuer: String
    /// A token must name one of these in `aud`. Never empty.
    public var audiences: [String]
    /// JWS names (RFC 7518 section 3.1). `none` and `HS*` are never accepted, whatever stands here.
    public var algorithms: [String]
    /// The clients that a token may have been issued to (`azp`). Empty: not restricted.
    public var authorizedParties: [String]
    /// PEM file of the authorities to trust for this issuer's TLS instead of the system's.
    public var caFile: String?
    /// Where the discovery document is. nil: `issuer` + `/.well-known/openid-configuration`.
    public var discovery: String?
    /// The claim that people know a caller by; `sub` stands in where a token has none.
    public var userClaim: String
    /// The claim that lists groups. A name with dots also reaches into objects (`realm_access.roles`).
    public var groupsClaim: String
    /// What separates groups when the claim is one string.
    public var groupsDelimiter: String
    /// Claims that are kept for rules: `repository`, `ref`, ...
    public var workloadClaims: [String]

    public init(
        name: String? = nil, issuer: String, audiences: [String], algorithms: [String] = ["RS256", "ES256"],
        authorizedParties: [String] = [], caFile: String? = nil, discovery: String? = nil, userClaim: String = "sub",
        groupsClaim: String = "groups", groupsDelimiter: String = ",", workloadClaims: [String] = []
    ) {
        self.name = name ?? issuer
        self.issuer = issuer
        self.audiences = audiences
        self.algorithms = algorithms
        self.authorizedParties = authorizedParties
        self.caFile = caFile
        self.discovery = discovery
        self.userClaim = userClaim
        self.groupsClaim = groupsClaim
        self.groupsDelimiter = groupsDelimiter
        self.workloadClaims = workloadClaims
    }

    /// Where discovery starts (OpenID Connect Discovery 1.0 section 4).
    var discoveryURL: String {
        discovery ?? (issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer) + "/.well-known/openid-configuration"
    }

    /// What makes these settings unusable, in words for the operator; nil when nothing does.
    public var problem: String? {
        if let reason = SafeURL.problem(of: issuer) { return "issuer \(quoted(issuer)): \(reason)" }
        if let discovery, let reason = SafeURL.problem(of: discovery) { return "discovery \(quoted(discovery)): \(reason)" }
        if audiences.isEmpty { return "issuer \(quoted(issuer)): name at least one audience" }
        if algorithms.isEmpty { return "issuer \(quoted(issuer)): name at least one algorithm" }
        for algorithm in algorithms where SignatureAlgorithm(rawValue: algorithm) == nil {
            return "issuer \(quoted(issuer)): algorithm \(quoted(algorithm)) is not one of "
                + SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
        }
        if groupsDelimiter.isEmpty { return "issuer \(quoted(issuer)): the groups delimiter is empty" }
        return nil
    }
}
