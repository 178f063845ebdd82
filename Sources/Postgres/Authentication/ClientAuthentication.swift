public import GatehouseCore
public import NIOCore

/// The gateway's side of a client's authentication ("Message Flow", section "Start-up"; "SASL Authentication"). It
/// asks, takes the proof, hands it out to be verified, and says what to send: it reads and waits for nothing itself.
///
/// One call, one action. Messages that come while a proof is being verified are held back by the caller.
public struct ClientAuthentication: Sendable {
    /// How the proof travels.
    public enum Method: Sendable, Hashable {
        /// AuthenticationCleartextPassword: the token or ticket is in the password's place.
        case password
        /// AuthenticationSASL with OAUTHBEARER alone.
        case oauth(Discovery)
    }

    /// What a client without a token is told (RFC 7628 section 3.2.2), so that it may get one.
    public struct Discovery: Sendable, Hashable {
        /// The URL of the issuer's discovery document.
        public var configurationURL: String
        /// Space-separated scopes to ask the issuer for; "" names none.
        public var scope: String

        public init(configurationURL: String, scope: String) {
            self.configurationURL = configurationURL
            self.scope = scope
        }

        /// The document at its usual place (OpenID Connect Discovery 1.0 section 4).
        public init(issuer: String, scope: String) {
            let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
            self.init(configurationURL: base + "/.well-known/openid-configuration", scope: scope)
        }
    }

    public enum Action: Sendable, Hashable {
        /// Send these messages, then feed what the client answers.
        case send(ByteBuffer)
        /// Verify this token or ticket; then call ``verified()`` or ``refused(_:)``.
        case verify(Secret)
        /// The client is who it says. AuthenticationOk is left to the caller, who may yet have to refuse it.
        case done
        /// Send this as a FATAL ErrorResponse and close.
        case fail(HandshakeError)
    }

    private enum State {
        case idle
        case awaitingPassword
        case awaitingInitialResponse(Discovery)
        /// The client named the mechanism and sent no response with it: it was asked for one (RFC 4422 section 3.3).
        case awaitingResponse(Discovery)
        case verifyingPassword
        case verifyingToken(Discovery)
        /// The refusal was sent; the client acknowledges it (RFC 7628 section 3.2.3), then comes the error.
        case awaitingAcknowledgement(HandshakeError)
        case done
        case failed
    }

    private var state = State.idle
    private let maximumBytes: Int
    /// Whether the client came without a token to ask where to get one. The failure that ends this connection is then
    /// no failed login: the client comes again.
    public private(set) var isDiscovery = false

    /// - Parameter maximumBytes: of one message's body (`Limits.authenticationMessageBytes`).
    public init(maximumBytes: Int = Limits().authenticationMessageBytes) {
        self.maximumBytes = maximumBytes
    }

    /// Asks for the proof. Called once, first.
    public mutating func begin(_ method: Method) -> Action {
        guard case .idle = state else { return fail(.protocolViolation("authentication has already begun")) }
        switch method {
        case .password:
            state = .awaitingPassword
            return .send(AuthenticationRequest.cleartextPassword.message)
        case .oauth(let discovery):
            state = .awaitingInitialResponse(discovery)
            return .send(AuthenticationRequest.sasl(mechanisms: [OAuthBearerMessage.mechanism]).message)
        }
    }

    /// Takes the client's next message.
    /// - Parameters:
    ///   - type: its type byte.
    ///   - body: what follows its length.
    public mutating func receive(type: UInt8, body: ByteBuffer) -> Action {
        guard type == UInt8(ascii: "p") else {
            return fail(.protocolViolation("expected an authentication response, got a message of type \(type)"))
        }
        guard body.readableBytes <= maximumBytes else {
            return fail(.protocolViolation("the authentication response is longer than \(maximumBytes) bytes"))
        }
        do throws(HandshakeError) {
            return try take(body)
        } catch {
            return fail(error)
        }
    }

    private mutating func take(_ body: ByteBuffer) throws(HandshakeError) -> Action {
        switch state {
        case .awaitingPassword:
            let password = try Self.password(in: body)
            state = .verifyingPassword
            return .verify(password)
        case .awaitingInitialResponse(let discovery):
            guard let response = try Self.initialResponse(in: body) else {
                state = .awaitingResponse(discovery)
                return .send(AuthenticationRequest.saslContinue([]).message)
            }
            return try take(OAuthBearerMessage(response.readableBytesView), discovery)
        case .awaitingResponse(let discovery):
            return try take(OAuthBearerMessage(body.readableBytesView), discovery)
        case .awaitingAcknowledgement(let refusal):
            guard body.readableBytesView.elementsEqual([OAuthBearerMessage.separator]) else {
                throw .protocolViolation("expected the acknowledgement of a refused OAUTHBEARER token")
            }
            return fail(refusal)
        case .idle, .verifyingPassword, .verifyingToken, .done, .failed:
            throw .protocolViolation("an authentication response that was not asked for")
        }
    }

    private mutating func take(_ message: OAuthBearerMessage, _ discovery: Discovery) -> Action {
        switch message {
        case .token(let token):
            state = .verifyingToken(discovery)
            return .verify(token)
        case .discovery:
            isDiscovery = true
            return refuseToken(
                .authorization("an OAuth bearer token is required", hint: "Get one from the issuer, then connect again."), discovery)
        }
    }

    /// The proof handed out is good.
    public mutating func verified() -> Action {
        switch state {
        case .verifyingPassword, .verifyingToken:
            state = .done
            return .done
        case .idle, .awaitingPassword, .awaitingInitialResponse, .awaitingResponse, .awaitingAcknowledgement, .done, .failed:
            return fail(.authorization("there is no proof to be accepted"))
        }
    }

    /// The proof handed out is not accepted; `error` is what the client is told, sooner or later.
    public mutating func refused(_ error: HandshakeError) -> Action {
        switch state {
        case .verifyingToken(let discovery): return refuseToken(error, discovery)
        case .verifyingPassword, .idle, .awaitingPassword, .awaitingInitialResponse, .awaitingResponse, .awaitingAcknowledgement, .done,
            .failed:
            return fail(error)
        }
    }

    private mutating func refuseToken(_ error: HandshakeError, _ discovery: Discovery) -> Action {
        state = .awaitingAcknowledgement(error)
        return .send(AuthenticationRequest.saslContinue(OAuthBearerMessage.refusal(discovery)).message)
    }

    private mutating func fail(_ error: HandshakeError) -> Action {
        state = .failed
        return .fail(error)
    }

    /// PasswordMessage: one NUL-terminated string, nothing more.
    private static func password(in body: ByteBuffer) throws(HandshakeError) -> Secret {
        var body = body
        guard let bytes = body.readNullTerminatedBytes(), body.readableBytes == 0 else {
            throw .protocolViolation("invalid password packet size")
        }
        guard bytes.readableBytes > 0 else {
            throw HandshakeError(sqlState: "28P01", message: "empty password", hint: "Give a token or a ticket as the password.")
        }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw HandshakeError(sqlState: "28P01", message: "the password is not UTF-8")
        }
        return Secret(text)
    }

    /// SASLInitialResponse: mechanism, length (-1: none), response; nil where there is none.
    private static func initialResponse(in body: ByteBuffer) throws(HandshakeError) -> ByteBuffer? {
        var body = body
        guard let name = body.readNullTerminatedBytes(), let length = body.readInteger(as: Int32.self) else {
            throw .protocolViolation("invalid SASLInitialResponse")
        }
        guard name.readableBytesView.elementsEqual(OAuthBearerMessage.mechanism.utf8) else {
            throw .protocolViolation("client selected an invalid SASL authentication mechanism", hint: "Gatehouse offers OAUTHBEARER here.")
        }
        if length == -1, body.readableBytes == 0 { return nil }
        guard length >= 0, body.readableBytes == Int(length) else { throw .protocolViolation("invalid SASLInitialResponse") }
        return body
    }
}
