import GatehouseCore
import NIOCore

/// A client's way from its first byte to a verified proof, as a value: bytes in, actions out.
///
/// PostgreSQL documentation, "Message Flow", Start-up, and "SSL Session Encryption".
struct ClientHandshake {
    struct Rules: Sendable {
        /// Passwords may travel without TLS: only where the listener says so, and the peer is this machine.
        var allowsPlaintext: Bool
        /// How the client of this login name is asked for its proof.
        var method: @Sendable (LoginName) -> ClientAuthentication.Method
        var startupPacketBytes: Int
        var authenticationMessageBytes: Int
    }

    enum Action {
        case send(ByteBuffer)
        /// TLS starts with the client's next bytes; `replay` holds those that it already sent of it.
        case startTLS(replay: ByteBuffer)
        case cancel(StartupPacket.CancelKey)
        /// Find out whether this proof is good, then call `verified` or `refused`.
        case verify(Secret)
        /// Say `negotiation` (if any) and that the client is authenticated, as soon as the session can start.
        case authenticated
        case fail(HandshakeError)
    }

    private enum State {
        case startup(StartupFramer)
        case upgrading(isDirect: Bool)
        case authenticating(ClientAuthentication)
        case done
    }

    private let rules: Rules
    private var state: State
    private var isEncrypted = false
    private var isDirectTLS = false
    private var input = ByteBuffer()
    private(set) var startup: ClientStartup?
    private(set) var login: LoginName?

    init(rules: Rules) {
        self.rules = rules
        state = .startup(StartupFramer(maximumBytes: rules.startupPacketBytes))
    }

    var usesTLS: Bool { isEncrypted }
    var isDiscovery: Bool {
        if case .authenticating(let authentication) = state { authentication.isDiscovery } else { false }
    }

    mutating func receive(_ bytes: ByteBuffer) -> [Action] {
        switch state {
        case .startup(var framer):
            framer.append(bytes)
            return readStartup(&framer)
        case .upgrading:
            return [.fail(.protocolViolation("bytes outside of TLS"))]
        case .authenticating(var authentication):
            input.writeImmutableBuffer(bytes)
            return readAuthentication(&authentication)
        case .done:
            // Until it hears that it is in, a client has nothing to say.
            return [.fail(.protocolViolation("a message before the end of authentication"))]
        }
    }

    /// TLS is up; `negotiated` is the ALPN name.
    mutating func tlsIsUp(negotiated: String?) -> [Action] {
        guard case .upgrading(let isDirect) = state else { return [] }
        if isDirect {
            do throws(HandshakeError) { try PostgresTLS.checkDirect(negotiated: negotiated) } catch { return [.fail(error)] }
        }
        isEncrypted = true
        state = .startup(StartupFramer(insideTLS: true, maximumBytes: rules.startupPacketBytes))
        return []
    }

    mutating func verified() -> [Action] {
        guard case .authenticating(var authentication) = state else { return [] }
        let action = authentication.verified()
        state = .authenticating(authentication)
        return translate(action)
    }

    mutating func refused(_ error: HandshakeError) -> [Action] {
        guard case .authenticating(var authentication) = state else { return [.fail(error)] }
        let action = authentication.refused(error)
        state = .authenticating(authentication)
        return translate(action)
    }

    private mutating func readStartup(_ framer: inout StartupFramer) -> [Action] {
        var actions: [Action] = []
        do throws(HandshakeError) {
            while let packet = try framer.next() {
                switch packet {
                case .directTLS:
                    state = .upgrading(isDirect: true)
                    return actions + [.startTLS(replay: framer.takeRest())]
                case .sslRequest:
                    guard !framer.hasRest else {
                        throw .protocolViolation("unencrypted bytes behind the request for TLS: someone between may have put them there")
                    }
                    state = .upgrading(isDirect: false)
                    return actions + [.send(ByteBuffer(string: "S")), .startTLS(replay: ByteBuffer())]
                case .gssEncRequest:
                    guard !framer.hasRest else { throw .protocolViolation("bytes behind the request for GSS encryption") }
                    actions.append(.send(ByteBuffer(string: "N")))
                case .cancelRequest(let key):
                    state = .done
                    return actions + [.cancel(key)]
                case .startup(let version, let parameters):
                    guard !framer.hasRest else { throw .protocolViolation("bytes behind the startup packet") }
                    return actions + (try begin(ClientStartup(version: version, parameters: parameters)))
                }
            }
        } catch {
            state = .done
            return actions + [.fail(error)]
        }
        state = .startup(framer)
        return actions
    }

    private mutating func begin(_ startup: ClientStartup) throws(HandshakeError) -> [Action] {
        guard isEncrypted || rules.allowsPlaintext else {
            throw HandshakeError(
                sqlState: SQLState.invalidAuthorization.rawValue, message: "Gatehouse takes tokens over TLS only",
                hint: "Connect with sslmode=require or stronger.")
        }
        guard let login = LoginName(startup.user) else {
            throw HandshakeError(
                sqlState: SQLState.invalidAuthorization.rawValue, message: "the user name must say where to: [role@]target",
                hint: "For example: psql -U orders, or psql -U writer@orders.")
        }
        self.startup = startup
        self.login = login
        var authentication = ClientAuthentication(maximumBytes: rules.authenticationMessageBytes)
        let action = authentication.begin(rules.method(login))
        state = .authenticating(authentication)
        return (startup.negotiation.map { [.send($0)] } ?? []) + translate(action)
    }

    private mutating func readAuthentication(_ authentication: inout ClientAuthentication) -> [Action] {
        let header: MessageHeader?
        do throws(ProtocolViolation) {
            header = try MessageHeader(at: input.readerIndex, in: input, maximum: rules.authenticationMessageBytes)
        } catch {
            return [.fail(.protocolViolation(error.reason))]
        }
        guard let header, input.readableBytes >= header.totalLength else { return [] }
        guard input.readableBytes == header.totalLength else {
            return [.fail(.protocolViolation("bytes behind an authentication response"))]
        }
        input.moveReaderIndex(forwardBy: MessageHeader.size)
        let body = input
        input = ByteBuffer()
        let action = authentication.receive(type: header.type, body: body)
        state = .authenticating(authentication)
        return translate(action)
    }

    private mutating func translate(_ action: ClientAuthentication.Action) -> [Action] {
        switch action {
        case .send(let bytes): return [.send(bytes)]
        case .verify(let secret): return [.verify(secret)]
        case .done:
            state = .done
            return [.authenticated]
        case .fail(let error): return [.fail(error)]
        }
    }
}
