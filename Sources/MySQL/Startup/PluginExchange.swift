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

    /// The answer to the plugin's further data; nil where nothing is to be said.
    mutating func receive(_ data: [UInt8]) throws(HandshakeError) -> [UInt8]? {
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

    /// The server let the gateway in. That it does so before the plugin is through is its own matter (an account without a
    /// password), but not while it has a question open.
    func mayEnd() throws(HandshakeError) {
        guard case .keyAsked = step else { return }
        throw HandshakeError(.badHandshake, "the server ended the login in place of its public key")
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
}
