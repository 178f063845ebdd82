/// Where a secret is got from when it is needed, instead of once when the configuration is read.
public enum SecretSource: Sendable, Hashable {
    /// A file's content, without its last line end. Read each time.
    case file(String)
    case command(SecretCommand)
    case vault(VaultSecret)
}

/// A program that prints a secret.
public struct SecretCommand: Sendable, Hashable {
    /// An absolute path, run without a shell.
    public var program: String
    public var arguments: [String]
    /// How long what it printed is used before it is run again.
    public var lifetime: Duration

    public init(program: String, arguments: [String] = [], lifetime: Duration = .seconds(300)) {
        self.program = program
        self.arguments = arguments
        self.lifetime = lifetime
    }
}

/// A field of a secret in HashiCorp Vault's key-value store.
public struct VaultSecret: Sendable, Hashable {
    /// The two forms of the key-value engine.
    public enum Engine: Int, Sendable, Hashable, CaseIterable {
        case one = 1
        /// With versions; the current one is read.
        case two = 2
    }

    /// How the gateway proves itself to Vault.
    public enum Login: Sendable, Hashable {
        case token(Secret)
        /// A file that holds a token (an agent's sink). Read each time.
        case tokenFile(String)
        /// AppRole: the id of the role, a file that holds the secret id, and where the method is mounted.
        case appRole(id: String, secretFile: String, mount: String)
    }

    /// `https://host:port`, without a path; plain http on a loopback address only.
    public var address: String
    /// Where the engine is mounted, `secret`.
    public var mount: String
    /// The secret's path below it.
    public var path: String
    /// The member of the secret that is wanted.
    public var field: String
    public var engine: Engine
    public var login: Login
    /// `X-Vault-Namespace` of Vault Enterprise.
    public var namespace: String?
    /// PEM file of the authorities to trust instead of the system's.
    public var authorityFile: String?
    /// How long what was read is used before it is read again.
    public var lifetime: Duration

    public init(
        address: String, mount: String, path: String, field: String, engine: Engine = .two, login: Login, namespace: String? = nil,
        authorityFile: String? = nil, lifetime: Duration = .seconds(300)
    ) {
        self.address = address
        self.mount = mount
        self.path = path
        self.field = field
        self.engine = engine
        self.login = login
        self.namespace = namespace
        self.authorityFile = authorityFile
        self.lifetime = lifetime
    }
}

extension SecretSource: CustomStringConvertible {
    /// What messages call it; without arguments, which people put secrets into after all.
    public var description: String {
        switch self {
        case .file(let path): "the file \(path)"
        case .command(let command): "the program \(command.program)"
        case .vault(let vault): "Vault's \(vault.mount)/\(vault.path) at \(vault.address)"
        }
    }

    /// It is got by running something, or over the network.
    public var isRemote: Bool {
        if case .file = self { false } else { true }
    }
}

/// A secret could not be got. The reason holds no part of any secret; it is for the gateway's log and not for clients.
public struct SecretFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public var source: String
    public var reason: String

    public init(_ source: SecretSource, _ reason: String) {
        self.source = source.description
        self.reason = reason
    }

    public var description: String { "\(source): \(reason)" }
}

/// Gets secrets from their sources, and remembers them for as long as the source says.
public protocol SecretResolver: Sendable {
    func secret(from source: SecretSource) async throws(SecretFailure) -> Secret

    /// Another value in the place of one that did not work, got anew. nil when there is none: the source still says the same,
    /// or it was asked only a moment ago.
    func replacement(for refused: Secret, from source: SecretSource) async throws(SecretFailure) -> Secret?
}

/// Where no source is to be asked.
public struct NoSecrets: SecretResolver {
    public init() {}

    public func secret(from source: SecretSource) async throws(SecretFailure) -> Secret {
        throw SecretFailure(source, "nothing asks it here")
    }

    public func replacement(for refused: Secret, from source: SecretSource) async throws(SecretFailure) -> Secret? { nil }
}
