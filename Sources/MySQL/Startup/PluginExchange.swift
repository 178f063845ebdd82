import GatehouseCore

/// One plugin's part of a login to a server: what to answer to its data.
struct PluginExchange: Sendable {
    enum Channel: Sendable, Hashable {
        case plaintext
        case unverifiedTLS
        /// The certificate was held against trusted authorities.
        case verifiedTLS
    }

    private enum Step: Sendable {
        case started
        /// caching_sha2_password: the hash was sent, and is either known to the server or not.
        case hashSent
        case keyAsked
        /// Nothing but the server's verdict is to come.
        case passwordSent
    }

    /// A server that sends an account from plugin to plugin (MariaDB: `IDENTIFIED VIA a OR b`) does so this often at most.
    private static let maximumSwitches = 8

    private var switches = 0
    private let password: Secret?
    private let channel: Channel
    private let publicKey: UpstreamHandshake.PublicKeySource
    private(set) var plugin = AuthenticationPlugin.native
    private var nonce: [UInt8] = []
    private var step = Step.started

    init(_ password: Secret?, _ channel: Channel, _ publicKey: UpstreamHandshake.PublicKeySource) {
        self.password = password
        self.channel = channel
        self.publicKey = publicKey
    }

    /// Whether the plugin's first answer can go out before the server has chosen the account's plugin: it tells nobody the
    /// password, and needs no other nonce than the greeting's.
    static func opensWithHash(_ plugin: AuthenticationPlugin) -> Bool { plugin == .native || plugin == .cachingSHA2 }

    /// The first answer of `plugin`.
    mutating func begin(_ plugin: AuthenticationPlugin, nonce: [UInt8]) throws(HandshakeError) -> [UInt8] {
        self.plugin = plugin
        self.nonce = nonce
        step = .passwordSent
        let password = password ?? ""
        guard !password.reveal().utf8.contains(0) else { throw HandshakeError(.accessDenied, "the account's password holds a NUL") }
        switch plugin {
        case .native:
            try checkNonce(Greeting.nonceBytes)
            return PasswordProof.native(password, nonce: self.nonce)
        case .cachingSHA2:
            try checkNonce(Greeting.nonceBytes)
            step = .hashSent
            return PasswordProof.cachingSHA2(password, nonce: self.nonce)
        case .sha256: return try beginSHA256(password)
        case .clear:
            guard channel == .verifiedTLS else {
                throw HandshakeError(
                    .accessDenied, "the account's plugin mysql_clear_password would send its password to a server that is not verified",
                    hint: "Set tls.mode: verify-full for the target, or another plugin for the account")
            }
            return PasswordProof.clear(password)
        case .ed25519:
            try checkNonce(32)
            return try PasswordProof.ed25519(password, nonce: self.nonce)
        }
    }

    /// The answer to what the server says in the middle of a login, or of a COM_CHANGE_USER (``Response/authentication(_:)``);
    /// nil where nothing is to be said.
    /// - Throws: `HandshakeError` for what cannot be answered, and for a refusal.
    mutating func answer(_ packet: AuthenticationPacket, user: String) throws(HandshakeError) -> [UInt8]? {
        switch packet {
        case .more(let data): return try receive(data)
        case .switchTo(let name, let data):
            switches += 1
            guard switches <= Self.maximumSwitches else { throw HandshakeError(.badHandshake, "the server switches plugins without end") }
            guard let plugin = AuthenticationPlugin(rawValue: name) else { throw Self.unknownPlugin(name) }
            return try begin(plugin, nonce: data)
        case .ok:
            guard case .keyAsked = step else { return nil }
            throw HandshakeError(.badHandshake, "the server ended the login in place of its public key")
        case .error(let error): throw Self.refusal(error, user: user)
        case .nextFactor:
            throw HandshakeError(
                .accessDenied, "the server asks for a second factor", hint: "Give Gatehouse's account one password alone")
        }
    }

    /// The answer to the plugin's further data; nil where nothing is to be said.
    private mutating func receive(_ data: [UInt8]) throws(HandshakeError) -> [UInt8]? {
        switch (plugin, step, data.first) {
        case (.cachingSHA2, .hashSent, 0x03) where data.count == 1:
            step = .passwordSent
            return nil
        case (.cachingSHA2, .hashSent, 0x04) where data.count == 1:
            // 0x02 asks for the key; sha256_password asks with 0x01.
            return try sendPassword(askingWith: 0x02)
        case (.cachingSHA2, .keyAsked, _), (.sha256, .keyAsked, _):
            step = .passwordSent
            return try PasswordProof.rsa(password ?? "", nonce: nonce, publicKey: String(decoding: data, as: UTF8.self))
        default: throw HandshakeError(.badHandshake, "the server's plugin \(plugin.rawValue) said something out of place")
        }
    }

    private mutating func beginSHA256(_ password: Secret) throws(HandshakeError) -> [UInt8] {
        guard !password.isEmpty else { return [0] }
        try checkNonce(Greeting.nonceBytes)
        return try sendPassword(askingWith: 0x01)
    }

    /// The password itself: inside TLS as it is, otherwise hidden by the server's key.
    private mutating func sendPassword(askingWith request: UInt8) throws(HandshakeError) -> [UInt8] {
        step = .passwordSent
        let password = password ?? ""
        switch (channel, publicKey) {
        case (.verifiedTLS, _), (.unverifiedTLS, _): return PasswordProof.clear(password)
        case (.plaintext, .pinned(let key)): return try PasswordProof.rsa(password, nonce: nonce, publicKey: key)
        case (.plaintext, .fetched):
            step = .keyAsked
            return [request]
        case (.plaintext, .refused):
            throw HandshakeError(
                .accessDenied, "the account's plugin \(plugin.rawValue) needs TLS, or the server's RSA public key, to take the password",
                hint: "Set tls.mode for the target; or give its server's public key")
        }
    }

    private mutating func checkNonce(_ bytes: Int) throws(HandshakeError) {
        guard nonce.count >= bytes else {
            throw HandshakeError(.badHandshake, "the server's nonce for \(plugin.rawValue) has \(nonce.count) bytes, not \(bytes)")
        }
        nonce = Array(nonce.prefix(bytes))
    }

    /// The server's own words, with what to do where that is known.
    static func refusal(_ error: ErrorPacket, user: String) -> HandshakeError {
        let text = String(error.text.prefix(300))
        switch error.number {
        case 1045, 1698:
            return HandshakeError(
                .accessDenied, "the target's server refuses the login as \(user): \(text)",
                hint: "Check the account's password, and from where the server lets it in", refusesPassword: true)
        case 3159:
            return HandshakeError(.secureTransportRequired, "the target's server takes TLS only", hint: "Set tls.mode for the target")
        default:
            return HandshakeError(ErrorCode(error.number, error.sqlState ?? "HY000"), "the target's server says: \(text)")
        }
    }

    private static func unknownPlugin(_ name: String) -> HandshakeError {
        let shown = String(name.unicodeScalars.prefix(64).map { (0x21...0x7E).contains($0.value) ? Character($0) : "?" })
        return HandshakeError(
            .accessDenied, "the account's authentication plugin \(shown) is not supported by Gatehouse",
            hint: "Use caching_sha2_password (MySQL) or ed25519 (MariaDB) for the account")
    }
}
