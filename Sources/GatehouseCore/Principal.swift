/// Who calls, as an issuer vouched for it.
public struct Principal: Sendable, Hashable, Codable {
    /// How the caller proved who it is.
    public enum Credential: Sendable, Hashable, Codable {
        /// An OIDC token; `id` is its `jti`, if it has one.
        case token(id: String?)
        /// A ticket minted earlier from an OIDC identity.
        case ticket(id: String)
    }

    /// The `iss` of the token.
    public var issuer: String
    /// The `sub` of the token.
    public var subject: String
    /// The name that people know the caller by (a claim of the issuer's choosing; `sub` if it has none).
    public var user: String
    public var groups: [String]
    /// Claims of a workload's token that rules may name: repository, ref, environment.
    public var workload: [String: String]
    /// Who acts on whose behalf, nearest actor first (`act`, RFC 8693 section 4.1).
    public var delegation: [Actor]
    public var credential: Credential
    /// When the proof ends. It gates starts, not sessions that run.
    public var expires: WallTime

    public struct Actor: Sendable, Hashable, Codable {
        public var issuer: String?
        public var subject: String

        public init(issuer: String?, subject: String) {
            self.issuer = issuer
            self.subject = subject
        }
    }

    public init(
        issuer: String, subject: String, user: String, groups: [String], workload: [String: String] = [:],
        delegation: [Actor] = [], credential: Credential, expires: WallTime
    ) {
        self.issuer = issuer
        self.subject = subject
        self.user = user
        self.groups = groups
        self.workload = workload
        self.delegation = delegation
        self.credential = credential
        self.expires = expires
    }
}
