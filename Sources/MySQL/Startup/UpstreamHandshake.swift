import GatehouseCore
import NIOCore

/// The gateway's own login to a server, as a value: bytes in, actions out ("Connection Phase").
struct UpstreamHandshake: Sendable {
    struct Settings: Sendable {
        var user: String
        /// nil when none is configured: a server that asks for one is then left.
        var password: Secret?
        var database: String?
        var attributes: [ConnectAttribute] = []
        var tls: UpstreamTLS.Mode
        var publicKey = PublicKeySource.refused
        /// What the client's side has (``CapabilityPlan/negotiated(client:offered:)``), and what it was told the server is.
        var client: Capabilities
        var listener: ServerFamily
        /// 45 is utf8mb4_general_ci, which all servers know.
        var collation: UInt8 = 45
        /// Of one packet, as told to the server.
        var messageBytes: Int
    }

    /// Where the RSA key comes from that hides a password on a connection without TLS.
    enum PublicKeySource: Sendable, Hashable {
        /// None: such a password is not sent.
        case refused
        /// PEM.
        case pinned(String)
        /// Whatever key the server says is its own: someone between can say so as well, and read the password.
        case fetched
    }

    /// What the server turned out to be.
    struct Session: Sendable {
        let greeting: Greeting
        let plan: CapabilityPlan
        let ok: OKPacket
        /// The plugin that proved the password.
        let plugin: String
    }

    enum Action: Sendable {
        case send(ByteBuffer)
        /// Begin TLS on the connection, then call ``tlsIsUp()``.
        case startTLS
        case authenticated(Session)
        case fail(HandshakeError)
    }

    private enum State: Sendable {
        case greeting, upgrading, authenticating, done, failed
    }

    /// The server's greeting, keys and errors are short.
    private static let maximumBytes = 65_536

    private let settings: Settings
    private var framer = PacketFramer(maximumBytes: Self.maximumBytes)
    private var state = State.greeting
    private var greeting: Greeting?
    private var plan: CapabilityPlan?
    private var exchange: PluginExchange
    private var sequence: UInt8 = 0

    init(_ settings: Settings) {
        self.settings = settings
        exchange = PluginExchange(settings.password, .plaintext, settings.publicKey)
    }

    mutating func receive(_ bytes: ByteBuffer) -> [Action] {
        framer.append(bytes)
        do throws(HandshakeError) {
            switch state {
            case .upgrading: throw HandshakeError(.badHandshake, "the server sent unencrypted bytes before TLS")
            case .failed: return []
            case .done: throw HandshakeError(.badHandshake, "the server sent more than its answer to the login")
            case .greeting, .authenticating: break
            }
            var actions: [Action] = []
            while let packet = try nextPacket() {
                sequence = packet.sequence &+ 1
                switch state {
                case .greeting: actions += try takeGreeting(packet.payload)
                case .authenticating: actions += try takeAnswer(packet.payload)
                case .upgrading, .done, .failed: throw HandshakeError(.badHandshake, "the server sent a packet out of place")
                }
            }
            return actions
        } catch {
            state = .failed
            return [.fail(error)]
        }
    }

    /// TLS is up, and as far as the mode asks for it the certificate was verified.
    mutating func tlsIsUp() -> [Action] {
        guard case .upgrading = state, let greeting else { return [] }
        do throws(HandshakeError) {
            return try respond(to: greeting, channel: settings.tls == .require ? .unverifiedTLS : .verifiedTLS)
        } catch {
            state = .failed
            return [.fail(error)]
        }
    }

    private mutating func nextPacket() throws(HandshakeError) -> Packet? {
        do throws(ProtocolViolation) { return try framer.next() } catch { throw HandshakeError(error) }
    }

    private mutating func takeGreeting(_ payload: ByteBuffer) throws(HandshakeError) -> [Action] {
        if payload.getInteger(at: payload.readerIndex, as: UInt8.self) == ErrorPacket.header {
            let error = try Self.reading { () throws(ProtocolViolation) in try ErrorPacket(payload) }
            throw PluginExchange.refusal(error, user: settings.user)
        }
        let greeting = try Self.reading { () throws(ProtocolViolation) in try Greeting(payload) }
        guard !framer.hasRest else { throw HandshakeError(.badHandshake, "the server sent bytes behind its greeting") }
        self.greeting = greeting
        let usesTLS = settings.tls != .disable
        if usesTLS, !greeting.capabilities.contains(.tls) {
            throw HandshakeError(
                .badHandshake, "the target's server offers no TLS", hint: "Set it up there, or tls.mode: disable for the target")
        }
        plan = try CapabilityPlan(
            client: settings.client, listener: settings.listener, server: greeting, usesTLS: usesTLS,
            namesDatabase: settings.database != nil)
        guard usesTLS else { return try respond(to: greeting, channel: .plaintext) }
        state = .upgrading
        var request = ByteBuffer()
        response().writeFixed(to: &request)
        return [.send(packet(request)), .startTLS]
    }

    private func response() -> HandshakeResponse {
        var response = HandshakeResponse(
            capabilities: plan?.upstream ?? [], maximumPacket: UInt32(clamping: settings.messageBytes), collation: settings.collation,
            user: settings.user)
        response.database = settings.database
        response.attributes = settings.attributes
        return response
    }

    private mutating func respond(to greeting: Greeting, channel: PluginExchange.Channel) throws(HandshakeError) -> [Action] {
        guard let plan else { throw HandshakeError(.badHandshake, "no greeting") }
        guard !settings.user.utf8.contains(0), !(settings.database?.utf8.contains(0) ?? false) else {
            throw HandshakeError(.accessDenied, "the account's name or database holds a NUL")
        }
        exchange = PluginExchange(settings.password, channel, settings.publicKey)
        var response = response()
        response.plugin = greeting.plugin
        // The default may not be the account's own plugin. What cannot be answered yet is left to the server's switch.
        if let plugin = AuthenticationPlugin(rawValue: greeting.plugin), PluginExchange.opensWithHash(plugin) {
            response.authentication = try exchange.begin(plugin, nonce: greeting.nonce)
        } else {
            response.plugin = AuthenticationPlugin.native.rawValue
            response.authentication = try exchange.begin(.native, nonce: greeting.nonce)
        }
        guard plan.upstream.contains(.encodedAuthentication) || response.authentication.count <= 255 else {
            throw HandshakeError(.badHandshake, "the server takes no long authentication data")
        }
        state = .authenticating
        var payload = ByteBuffer()
        response.write(to: &payload)
        return [.send(packet(payload))]
    }

    private mutating func takeAnswer(_ payload: ByteBuffer) throws(HandshakeError) -> [Action] {
        guard let plan, let greeting else { throw HandshakeError(.badHandshake, "no greeting") }
        let upstream = plan.upstream
        let packet = try Self.reading { () throws(ProtocolViolation) in try AuthenticationPacket(payload, upstream) }
        let answer = try exchange.answer(packet, user: settings.user)
        if case .ok(let ok) = packet {
            state = .done
            return [.authenticated(Session(greeting: greeting, plan: plan, ok: ok, plugin: exchange.plugin.rawValue))]
        }
        return answer.map { [.send(self.packet(ByteBuffer(bytes: $0)))] } ?? []
    }

    private static func reading<T>(_ body: () throws(ProtocolViolation) -> T) throws(HandshakeError) -> T {
        do throws(ProtocolViolation) { return try body() } catch { throw HandshakeError(error) }
    }

    private mutating func packet(_ payload: ByteBuffer) -> ByteBuffer {
        defer { framer.expect(sequence) }
        return .packet(payload, sequence: &sequence)
    }
}
