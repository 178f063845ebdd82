import GatehouseCore
import NIOCore

/// The gateway's way from a fresh connection to a server that is ready for queries, as a value: bytes in, actions out.
///
/// PostgreSQL documentation, "Message Flow", Start-up, seen from the client.
struct UpstreamHandshake {
    struct Ready {
        /// ParameterStatus and NoticeResponse messages as the server sent them, and the first ReadyForQuery.
        var greeting: ByteBuffer
        var ready: ByteBuffer
        var parameters: [String: String]
        var key: StartupPacket.CancelKey?
    }

    enum Action {
        case send(ByteBuffer)
        /// The server agreed to TLS: put it in front, then call `tlsIsUp`.
        case startTLS
        /// Compute away from the event loop, then call `derived`.
        case derive(SaltedPasswordRequest)
        case ready(Ready)
        case fail(HandshakeError)
    }

    private enum State {
        case connecting
        case awaitingTLSAnswer
        case upgrading
        case authenticating(ServerAuthentication)
        case starting(Ready)
        case done
    }

    private let role: Target.Role
    private let startup: ByteBuffer
    private let requiresTLS: Bool
    private let limits: Limits
    private var state = State.connecting
    private var input = ByteBuffer()

    init(role: Target.Role, startup: ByteBuffer, requiresTLS: Bool, limits: Limits) {
        self.role = role
        self.startup = startup
        self.requiresTLS = requiresTLS
        self.limits = limits
    }

    mutating func connected() -> [Action] {
        if requiresTLS {
            state = .awaitingTLSAnswer
            return [.send(UpstreamStartup.sslRequest())]
        }
        return authenticate(over: .plaintext)
    }

    mutating func tlsIsUp(_ channel: ServerAuthentication.Channel) -> [Action] {
        guard case .upgrading = state else { return [] }
        return authenticate(over: channel)
    }

    private mutating func authenticate(over channel: ServerAuthentication.Channel) -> [Action] {
        state = .authenticating(ServerAuthentication(user: role.user, password: role.password, channel: channel, inlineIterations: 0))
        return [.send(startup)]
    }

    mutating func derived(_ salted: SaltedPassword) -> [Action] {
        guard case .authenticating(var authentication) = state else { return [] }
        let action = authentication.derived(salted)
        state = .authenticating(authentication)
        return translate(action)
    }

    mutating func receive(_ bytes: ByteBuffer) -> [Action] {
        input.writeImmutableBuffer(bytes)
        var actions: [Action] = []
        do throws(HandshakeError) {
            while let more = try step() {
                actions += more
                if case .done = state { break }
            }
        } catch {
            state = .done
            actions.append(.fail(error))
        }
        return actions
    }

    /// Whatever came behind the first ReadyForQuery.
    mutating func takeRest() -> ByteBuffer {
        defer { input = ByteBuffer() }
        return input
    }

    private mutating func step() throws(HandshakeError) -> [Action]? {
        switch state {
        case .connecting, .upgrading, .done:
            guard input.readableBytes == 0 else { throw .protocolViolation("the server spoke out of turn") }
            return nil
        case .awaitingTLSAnswer:
            guard let agreed = try UpstreamStartup.readTLSAnswer(&input) else { return nil }
            guard agreed else {
                throw HandshakeError(
                    sqlState: SQLState.connectionFailure.rawValue, message: "the target does not speak TLS",
                    hint: "Turn on ssl there, or set the target's tls.mode to disable.")
            }
            input.clear()
            state = .upgrading
            return [.startTLS]
        case .authenticating(var authentication):
            guard let (header, received) = try nextMessage() else { return nil }
            var body = received
            switch header.type {
            case Backend.authentication:
                let action = authentication.receive(try AuthenticationRequest(body: body))
                state = .authenticating(authentication)
                return translate(action)
            case Backend.errorResponse: throw refusal(&body)
            case Backend.noticeResponse: return []
            default: throw .protocolViolation("the server sent message '\(printable(header.type))' amid authentication")
            }
        case .starting(var ready):
            let whole = input
            guard let (header, received) = try nextMessage() else { return nil }
            var body = received
            let message = whole.getSlice(at: whole.readerIndex, length: header.totalLength) ?? ByteBuffer()
            return try receiveStarting(header, message, &body, &ready)
        }
    }

    private mutating func receiveStarting(
        _ header: MessageHeader, _ message: ByteBuffer, _ body: inout ByteBuffer, _ ready: inout Ready
    ) throws(HandshakeError) -> [Action] {
        switch header.type {
        case Backend.parameterStatus:
            guard let name = body.readNullTerminatedBytes(), let value = body.readNullTerminatedBytes() else {
                throw .protocolViolation("the server sent a malformed ParameterStatus")
            }
            ready.parameters[String(buffer: name)] = String(buffer: value)
            guard ready.greeting.readableBytes < 1_048_576 else { throw .protocolViolation("the server's greeting does not end") }
            ready.greeting.writeImmutableBuffer(message)
            state = .starting(ready)
            return []
        case Backend.noticeResponse:
            guard ready.greeting.readableBytes < 1_048_576 else { throw .protocolViolation("the server's greeting does not end") }
            ready.greeting.writeImmutableBuffer(message)
            state = .starting(ready)
            return []
        case Backend.backendKeyData:
            guard let processID = body.readInteger(as: Int32.self), StartupPacket.CancelKey.secretBytes.contains(body.readableBytes),
                let secret = body.readBytes(length: body.readableBytes)
            else { throw .protocolViolation("the server sent malformed BackendKeyData") }
            ready.key = StartupPacket.CancelKey(processID: processID, secret: secret)
            state = .starting(ready)
            return []
        case Backend.readyForQuery:
            ready.ready = message
            state = .done
            return [.ready(ready)]
        case Backend.errorResponse: throw refusal(&body)
        default: throw .protocolViolation("the server sent message '\(printable(header.type))' before it was ready")
        }
    }

    private mutating func nextMessage() throws(HandshakeError) -> (MessageHeader, ByteBuffer)? {
        let header: MessageHeader?
        do throws(ProtocolViolation) {
            header = try MessageHeader(at: input.readerIndex, in: input, maximum: limits.authenticationMessageBytes)
        } catch {
            throw .protocolViolation(error.reason)
        }
        guard let header, input.readableBytes >= header.totalLength,
            let body = input.getSlice(at: input.readerIndex + MessageHeader.size, length: header.bodyLength)
        else { return nil }
        input.moveReaderIndex(forwardBy: header.totalLength)
        return (header, body)
    }

    private mutating func translate(_ action: ServerAuthentication.Action) -> [Action] {
        switch action {
        case .send(let bytes): return [.send(bytes)]
        case .derive(let request): return [.derive(request)]
        case .wait: return []
        case .done:
            state = .starting(Ready(greeting: ByteBuffer(), ready: ByteBuffer(), parameters: [:], key: nil))
            return []
        case .fail(let error):
            state = .done
            return [.fail(error)]
        }
    }

    /// What the server said against the connection. Its text may name the account, which a client has no business to know; the
    /// classes that a client can do something about are passed on, the others only by their code.
    private func refusal(_ body: inout ByteBuffer) -> HandshakeError {
        var fields: [UInt8: String] = [:]
        while let type = body.readInteger(as: UInt8.self), type != 0, let value = body.readNullTerminatedBytes() {
            fields[type] = String(buffer: value)
        }
        let code = fields[UInt8(ascii: "C")] ?? SQLState.connectionFailure.rawValue
        if code.hasPrefix("53") || code.hasPrefix("57") || code == SQLState.invalidCatalogName.rawValue || code.hasPrefix("22") {
            return HandshakeError(sqlState: code, message: "the target refused the connection: \(fields[UInt8(ascii: "M")] ?? "")")
        }
        var error = HandshakeError(
            sqlState: SQLState.connectionFailure.rawValue, message: "the target refused the gateway's account (\(code))",
            hint: "Ask whoever runs this gateway to look at the target's role and its password.")
        error.refusesPassword = code == SQLState.invalidPassword.rawValue || code == SQLState.invalidAuthorization.rawValue
        return error
    }
}
