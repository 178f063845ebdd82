public import GatehouseCore
public import Policy

/// The whole configuration, read, checked, and with its secrets in place.
public struct GatehouseSettings: Sendable, Hashable {
    /// Names this gateway in evidence.
    public var node: String
    /// Absolute path: journal, store, catalog, keys.
    public var dataDirectory: String
    public var log: LogSettings
    public var recording: RecordingSettings
    public var store: StoreSettings
    public var retention: RetentionSettings
    public var admin: AdminSettings
    public var issuers: [TrustedIssuer]
    public var listeners: [ListenerSettings]
    public var targets: [Target]
    public var policy: PolicyDocument
    public var limits: Limits
    /// Where events go.
    public var events: [EventSink] = []
    public var webhooks: [Webhook] = []
    /// The key of masks that depend on one; nil: one made at first start, kept in the data directory.
    public var maskKey: Secret?
}

public struct LogSettings: Sendable, Hashable {
    public enum Format: String, Sendable, Hashable, CaseIterable {
        case text, json
    }

    /// As swift-log names them, without `critical`.
    public enum Level: String, Sendable, Hashable, CaseIterable {
        case trace, debug, info, notice, warning, error
    }

    public var format: Format = .json
    public var level: Level = .info
}

/// The HTTP interface for people and machines that run the gateway.
public struct AdminSettings: Sendable, Hashable {
    /// Gatehouse's own roles.
    public enum Role: String, Sendable, Hashable, CaseIterable {
        case agent, approver, auditor, administrator
    }

    public var listen: ListenAddress
    /// Never nil when `listen` is not a loopback address.
    public var tls: ServerTLSFiles?
    /// The groups that have each role.
    public var roles: [Role: [String]]
    /// What people open from outside, without a slash at the end; nil: the listener's own address.
    public var publicURL: String?
}

/// PEM files of a server's certificate (chain) and key.
public struct ServerTLSFiles: Sendable, Hashable {
    public var certificateFile: String
    public var privateKeyFile: String
}

/// An OIDC issuer whose tokens are accepted.
public struct TrustedIssuer: Sendable, Hashable {
    /// The exact `iss` of its tokens; https, or http on a loopback address.
    public var issuer: String
    /// Of which a token must name one.
    public var audiences: [String]
    /// JWS algorithms (RFC 7518 section 3.1) that are accepted.
    public var algorithms: [String]
    /// Allowed values of `azp`; empty: any.
    public var authorizedParties: [String]
    /// PEM file of the authorities to trust for the issuer's own TLS instead of the system's.
    public var authorityFile: String?
    /// nil: the issuer's URL and `/.well-known/openid-configuration`.
    public var discovery: String?
    public var userClaim: String
    public var groupsClaim: String
    public var groupsDelimiter: String
    public var workloadClaims: [String]
}

/// A port for native clients.
public struct ListenerSettings: Sendable, Hashable {
    public enum Plaintext: String, Sendable, Hashable, CaseIterable {
        /// A client that does not ask for TLS is refused before it is asked for its token.
        case refuse
        /// Taken from loopback addresses.
        case loopback
    }

    public var name: String
    public var protocolName: Target.ProtocolName
    public var listen: ListenAddress
    public var auth: Target.ClientAuthentication
    public var plaintext: Plaintext
    /// nil: self-signed, made at first start.
    public var tls: ServerTLSFiles?
    /// Of MySQL: what clients take it for.
    public var family = Family.mysql

    public enum Family: String, Sendable, Hashable, CaseIterable {
        case mysql, mariadb
    }
}

/// Where to listen: an IP address or `localhost`, and a port (0: any free one).
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    public var isLoopback: Bool { isLoopbackHost(host) }
}

/// Whether `host` can only mean this machine.
public func isLoopbackHost(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || (host.hasPrefix("127.") && isIPAddress(host))
}
