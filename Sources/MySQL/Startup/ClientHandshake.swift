import GatehouseCore
import NIOCore

/// What a client brings to its login.
struct ClientLogin: Sendable {
    /// As sent: `[role@]target`.
    let user: String
    /// The token or ticket. Never empty.
    let secret: Secret
    let database: String?
    let attributes: [ConnectAttribute]
    /// What both sides have from here on.
    let capabilities: Capabilities
    let collation: UInt8
}

/// A client's way from the greeting to a verified secret, as a value: bytes in, actions out ("Connection Phase").
///
/// The secret comes in the clear, inside TLS alone: by caching_sha2_password's full exchange, whose fast path would need a
/// verifier of a password that the gateway does not have, or by mysql_clear_password.
struct ClientHandshake: Sendable {
    struct Rules: Sendable {
        var family: ServerFamily
        /// As clients see it; those of MariaDB know theirs by the word `MariaDB` in it.
        var version: String
        /// What clients are asked for that bring no fitting answer of their own: `cachingSHA2` or `clear`.
        var plugin = AuthenticationPlugin.cachingSHA2
        var startupPacketBytes: Int
        var authenticationMessageBytes: Int
    }

    enum Action: Sendable {
        case send(ByteBuffer)
        /// TLS starts with the client's next bytes; `replay` holds those that it already sent of it.
        case startTLS(replay: ByteBuffer)
        /// Find out whether the secret is good, then call `accepted` or `refused`.
        case verify(ClientLogin)
        /// Send these last words, if any, and close.
        case fail(HandshakeError, lastWords: ByteBuffer?)
    }

    private enum State: Sendable {
        case response
        case upgrading
        case scramble, password(AuthenticationPlugin)
        case verifying
        case done, failed
    }

    private let rules: Rules
    private let offered: Capabilities
    private let threadID: UInt32
    private let nonce: [UInt8]
    private var framer: PacketFramer
    private var state = State.response
    private(set) var usesTLS = false
    private var response: HandshakeResponse?
    private var capabilities: Capabilities = []
    /// The number of the next packet to the client.
    private(set) var sequence: UInt8 = 0

    /// - Parameters:
    ///   - threadID: of the session, the gateway's own.
    ///   - nonce: tests alone give one.
    init(rules: Rules, threadID: UInt32, nonce: [UInt8]? = nil) {
        self.rules = rules
        self.threadID = threadID
        self.nonce = nonce ?? Greeting.freshNonce()
        offered = CapabilityPlan.offered(rules.family)
        framer = PacketFramer(maximumBytes: max(rules.startupPacketBytes, rules.authenticationMessageBytes), expecting: 1)
    }

    /// A login in the place of another on the same connection (COM_CHANGE_USER): whatever the client sent of it, it is asked anew,
    /// and the nonce is a new one. `capabilities` are those of the connection.
    init(rules: Rules, again request: ChangeUserRequest, _ capabilities: Capabilities, nonce: [UInt8]? = nil) {
        self.init(rules: rules, threadID: 0, nonce: nonce)
        var response = HandshakeResponse(
            capabilities: capabilities, maximumPacket: 0, collation: UInt8(clamping: request.collation ?? 0), user: request.user)
        response.database = request.database.isEmpty ? nil : request.database
        response.attributes = request.attributes
        self.response = response
        self.capabilities = capabilities
        usesTLS = true
        sequence = 1
    }

    /// The first bytes to the client: the greeting, or for COM_CHANGE_USER the question for the new proof.
    mutating func start() -> [Action] {
        guard response == nil else { return ask(rules.plugin) }
        let greeting = Greeting(
            version: rules.version, threadID: threadID, nonce: nonce, capabilities: offered,
            plugin: rules.plugin.rawValue)
        return [.send(packet(greeting.payload))]
    }

    mutating func receive(_ bytes: ByteBuffer) -> [Action] {
        switch state {
        case .upgrading: return fail(HandshakeError(.badHandshake, "bytes outside of TLS"), says: false)
        case .failed: return []
        // Until it hears that it is in, a client has nothing to say.
        case .verifying, .done: return fail(HandshakeError(.badHandshake, "a packet before the end of authentication"))
        case .response, .scramble, .password: break
        }
        framer.append(bytes)
        do throws(ProtocolViolation) {
            guard let packet = try framer.next() else { return [] }
            sequence = packet.sequence &+ 1
            return try take(packet.payload)
        } catch {
            return fail(HandshakeError(error))
        }
    }

    /// TLS is up: the response itself comes through it.
    mutating func tlsIsUp() -> [Action] {
        guard case .upgrading = state else { return [] }
        usesTLS = true
        state = .response
        return []
    }

    /// The secret is good. Say so with ``welcome(_:)`` as soon as the session can start.
    mutating func accepted() {
        if case .verifying = state { state = .done }
    }

    /// The OK packet that ends the handshake.
    mutating func welcome(_ ok: OKPacket = OKPacket()) -> ByteBuffer {
        var payload = ByteBuffer()
        ok.write(to: &payload, capabilities)
        return packet(payload)
    }

    /// The secret is not good, or there is no place for the session.
    mutating func refused(_ error: HandshakeError) -> [Action] { fail(error) }

    /// What a client hears whose secret is not good: the same for all reasons.
    static func accessDenied(user: String) -> HandshakeError {
        let shown = String(user.unicodeScalars.prefix(80).map { $0.value < 0x20 ? "?" : Character($0) })
        return HandshakeError(.accessDenied, "Access denied for user '\(shown)'", hint: "Give a valid token or ticket as the password")
    }

    private mutating func take(_ payload: ByteBuffer) throws(ProtocolViolation) -> [Action] {
        switch state {
        case .response: return try takeResponse(payload)
        case .scramble: return takeScramble(Array(payload.readableBytesView), plugin: rules.plugin)
        case .password(let plugin): return takePassword(Array(payload.readableBytesView), plugin)
        case .upgrading, .verifying, .done, .failed: return []
        }
    }

    private mutating func takeResponse(_ payload: ByteBuffer) throws(ProtocolViolation) -> [Action] {
        if !usesTLS, HandshakeResponse.isTLSRequest(payload) {
            state = .upgrading
            let rest = framer.takeRest()
            // A TLS record of type handshake (RFC 8446 section 5.1), or nothing yet.
            guard rest.getInteger(at: rest.readerIndex, as: UInt8.self) ?? 0x16 == 0x16 else {
                return fail(HandshakeError(.badHandshake, "unencrypted bytes behind the request for TLS"), says: false)
            }
            return [.startTLS(replay: rest)]
        }
        guard payload.readableBytes <= rules.startupPacketBytes + rules.authenticationMessageBytes else {
            throw ProtocolViolation("a handshake response of \(payload.readableBytes) bytes", code: .packetTooLarge)
        }
        guard usesTLS else {
            return fail(
                HandshakeError(
                    .secureTransportRequired, "Gatehouse takes tokens over TLS only",
                    hint: "Connect with --ssl-mode=REQUIRED (MySQL) or --ssl (MariaDB)"))
        }
        let response = try HandshakeResponse(payload)
        self.response = response
        do throws(HandshakeError) {
            capabilities = try CapabilityPlan.negotiated(client: response.capabilities, offered: offered)
        } catch {
            return fail(error)
        }
        guard !response.user.isEmpty else {
            return fail(HandshakeError(.accessDenied, "the login name is empty", hint: "Give the target, or role@target, as the user name"))
        }
        guard !framer.hasRest else { throw ProtocolViolation("bytes behind the handshake response") }
        switch response.plugin.flatMap(AuthenticationPlugin.init(rawValue:)) {
        case .clear where !response.authentication.isEmpty: return takePassword(response.authentication, .clear)
        case .cachingSHA2 where rules.plugin == .cachingSHA2 && !response.authentication.isEmpty:
            return takeScramble(response.authentication, plugin: .cachingSHA2)
        default:
            guard capabilities.contains(.pluginAuthentication) else {
                return fail(HandshakeError(.badHandshake, "the client knows no authentication plugins", hint: "Use a newer client"))
            }
            return ask(rules.plugin)
        }
    }

    private mutating func ask(_ plugin: AuthenticationPlugin) -> [Action] {
        state = plugin == .cachingSHA2 ? .scramble : .password(.clear)
        return [.send(packet(AuthenticationPacket.switchRequest(plugin: plugin, nonce: nonce)))]
    }

    /// caching_sha2_password's scramble is of no use here; what matters is that the client has a password to send.
    private mutating func takeScramble(_ bytes: [UInt8], plugin: AuthenticationPlugin) -> [Action] {
        guard bytes.count == 32 else { return emptySecret() }
        state = .password(.cachingSHA2)
        var more = ByteBuffer()
        // AuthMoreData, perform_full_authentication.
        more.writeBytes([0x01, 0x04])
        return [.send(packet(more))]
    }

    private mutating func takePassword(_ bytes: [UInt8], _ plugin: AuthenticationPlugin) -> [Action] {
        guard bytes.count <= rules.authenticationMessageBytes else {
            return fail(
                HandshakeError(
                    .packetTooLarge, "a password of \(bytes.count) bytes", hint: "Tokens may have \(rules.authenticationMessageBytes) bytes"
                ))
        }
        guard !framer.hasRest else { return fail(HandshakeError(.badHandshake, "bytes behind the password")) }
        let text = bytes.last == 0 ? bytes.dropLast() : bytes[...]
        guard !text.isEmpty else { return emptySecret() }
        guard let response, !text.contains(0), let secret = String(validating: text, as: UTF8.self) else {
            return fail(Self.accessDenied(user: response?.user ?? ""))
        }
        state = .verifying
        return [
            .verify(
                ClientLogin(
                    user: response.user, secret: Secret(secret), database: response.database, attributes: response.attributes,
                    capabilities: capabilities, collation: response.collation))
        ]
    }

    private mutating func emptySecret() -> [Action] { fail(Self.accessDenied(user: response?.user ?? "")) }

    private mutating func fail(_ error: HandshakeError, says: Bool = true) -> [Action] {
        if case .failed = state { return [] }
        state = .failed
        return [.fail(error, lastWords: says ? packet(error.packet.payload) : nil)]
    }

    private mutating func packet(_ payload: ByteBuffer) -> ByteBuffer {
        defer { framer.expect(sequence) }
        return .packet(payload, sequence: &sequence)
    }
}
