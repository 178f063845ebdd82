/// A system behind the gateway.
public struct Target: Sendable, Hashable {
    public enum ProtocolName: String, Sendable, Hashable, Codable, CaseIterable {
        case postgres, mysql, ssh, http
    }

    /// How the gateway asks a client for its proof.
    public enum ClientAuthentication: String, Sendable, Hashable, Codable, CaseIterable {
        /// The token or ticket travels where a password goes.
        case password
        /// SASL OAUTHBEARER (RFC 7628), for libpq 18 and later.
        case oauth
    }

    /// When a record is safe enough for the action to go on.
    public enum Durability: String, Sendable, Hashable, Codable, CaseIterable {
        /// The kernel has it: survives a killed process.
        case written
        /// The disk has it: survives a power loss.
        case synced
    }

    /// One of the upstream's own accounts, chosen by the role in the login name.
    public struct Role: Sendable, Hashable {
        public var name: String
        public var user: String
        /// The account's password; nil when it has none, or when it is got from `source` as a session connects.
        public var password: Secret?
        public var source: SecretSource?

        public init(name: String, user: String, password: Secret?, source: SecretSource? = nil) {
            self.name = name
            self.user = user
            self.password = password
            self.source = source
        }

        /// The same account with its password in place.
        public func with(password: Secret) -> Role {
            var role = self
            role.password = password
            return role
        }
    }

    public var name: String
    public var protocolName: ProtocolName
    public var host: String
    public var port: Int
    /// The database that a session opens (PostgreSQL).
    public var database: String
    /// Further databases that a client may name instead.
    public var otherDatabases: [String]
    public var labels: [String: String]
    public var tls: UpstreamTLS
    public var durability: Durability
    /// nil: as the listener says.
    public var clientAuthentication: ClientAuthentication?
    /// In the file's order; the first is used when the login name has no role.
    public var roles: [Role]
    /// How the target is asked for the number of rows of a statement; nil: it is not.
    public var estimates: RowEstimates?

    public init(
        name: String, protocolName: ProtocolName, host: String, port: Int, database: String, otherDatabases: [String] = [],
        labels: [String: String] = [:], tls: UpstreamTLS = UpstreamTLS(), durability: Durability = .written,
        clientAuthentication: ClientAuthentication? = nil, roles: [Role], estimates: RowEstimates? = nil
    ) {
        self.name = name
        self.protocolName = protocolName
        self.host = host
        self.port = port
        self.database = database
        self.otherDatabases = otherDatabases
        self.labels = labels
        self.tls = tls
        self.durability = durability
        self.clientAuthentication = clientAuthentication
        self.roles = roles
        self.estimates = estimates
    }
}

/// `EXPLAIN` on a side connection.
public struct RowEstimates: Sendable, Hashable {
    /// The target's role that explains: it should be able to read, and nothing else.
    public var role: String
    /// Milliseconds; a number that is not there by then is not known.
    public var timeout: Int

    public init(role: String, timeout: Int) {
        self.role = role
        self.timeout = timeout
    }
}

/// How the connection to a target is protected. The default verifies everything.
public struct UpstreamTLS: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        /// No TLS at all.
        case disable
        /// TLS, the certificate not looked at.
        case require
        /// The certificate must come from a trusted authority.
        case verifyCA = "verify-ca"
        /// ... and name the host.
        case verifyFull = "verify-full"
    }

    public var mode: Mode
    /// PEM file of the authorities to trust instead of the system's.
    public var authorityFile: String?

    public init(mode: Mode = .verifyFull, authorityFile: String? = nil) {
        self.mode = mode
        self.authorityFile = authorityFile
    }
}

/// What a client gives as its user name: `[role@]target`.
public struct LoginName: Sendable, Hashable {
    public var role: String?
    public var target: String

    /// Splits at the last `@`; nil when a part is empty, or longer than 128 bytes (names in a configuration are shorter).
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= 257 else { return nil }
        if let at = text.lastIndex(of: "@") {
            let role = String(text[..<at])
            let target = String(text[text.index(after: at)...])
            guard !role.isEmpty, !target.isEmpty, role.utf8.count <= 128, target.utf8.count <= 128 else { return nil }
            self.role = role
            self.target = target
        } else {
            guard text.utf8.count <= 128 else { return nil }
            role = nil
            target = text
        }
    }
}
