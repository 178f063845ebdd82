import Crypto
public import GatehouseCore
public import NIOCore

/// The gateway's side of its own authentication to a server ("Message Flow", section "Start-up"; "SASL
/// Authentication"). Fed with the server's messages of type `R`, it says what to send: it reads and waits for nothing
/// itself. Other messages (ErrorResponse, NoticeResponse, NegotiateProtocolVersion) are the caller's.
public struct ServerAuthentication: Sendable {
    /// What the connection underneath is.
    public enum Channel: Sendable, Hashable {
        case plaintext
        /// - Parameters:
        ///   - certificate: the server's own, DER.
        ///   - isVerified: it was held against trusted authorities.
        case tls(certificate: [UInt8], isVerified: Bool)
    }

    public enum Action: Sendable {
        /// Send this, then feed what the server answers.
        case send(ByteBuffer)
        /// Compute this away from the event loop; then call ``derived(_:)``.
        case derive(SaltedPasswordRequest)
        /// The server's next message is needed; nothing is to be sent.
        case wait
        /// The server has let the gateway in.
        case done
        /// Close; the server's last words, if there are any, say more.
        case fail(HandshakeError)
    }

    private enum State {
        case idle
        /// A password, clear or hashed.
        case passwordSent
        case firstSent(SCRAMExchange, Secret)
        case deriving(SCRAMExchange)
        case finalSent(SCRAMExchange, SaltedPassword)
        /// The server has proved that it knows the password's verifier.
        case serverVerified
        case done
        case failed
    }

    private var state = State.idle
    private let user: String
    private let password: Secret?
    private let channel: Channel
    private let nonce: String
    private let inlineIterations: Int

    /// - Parameters:
    ///   - password: the account's; nil when none is configured: a server that asks for one is then left.
    ///   - inlineIterations: SCRAM's work up to this many iterations is done at once; for more, ``Action/derive(_:)``.
    ///     20,000 take some 6 ms. 0 gives all of it to the caller, who may remember results.
    ///   - nonce: the client nonce. Tests alone give one.
    public init(
        user: String, password: Secret?, channel: Channel, inlineIterations: Int = 20_000, nonce: String? = nil
    ) {
        self.user = user
        self.password = password
        self.channel = channel
        self.inlineIterations = inlineIterations
        self.nonce = nonce ?? SCRAMExchange.freshNonce()
    }

    public mutating func receive(_ request: AuthenticationRequest) -> Action {
        do throws(HandshakeError) {
            switch request {
            case .ok: return try accept()
            case .cleartextPassword: return try answerCleartext()
            case .md5Password(let salt): return try answerMD5(salt)
            case .sasl(let mechanisms): return try startSCRAM(mechanisms)
            case .saslContinue(let message): return try continueSCRAM(message)
            case .saslFinal(let message): return try finishSCRAM(message)
            case .unsupported(let code): throw Self.unsupported(code)
            }
        } catch {
            return fail(error)
        }
    }

    /// Takes what ``Action/derive(_:)`` asked for.
    public mutating func derived(_ salted: SaltedPassword) -> Action {
        guard case .deriving(let exchange) = state else { return fail(.protocolViolation("no SCRAM keys were asked for")) }
        return sendFinal(exchange, salted)
    }

    private mutating func fail(_ error: HandshakeError) -> Action {
        state = .failed
        return .fail(error)
    }

    private mutating func accept() throws(HandshakeError) -> Action {
        switch state {
        case .idle, .passwordSent, .serverVerified:
            state = .done
            return .done
        case .firstSent, .deriving, .finalSent:
            throw .protocolViolation(
                "the server ended the SCRAM exchange without proof that it knows the role's password",
                hint: "Something else may answer in the server's place; use TLS mode verify-full.")
        case .done, .failed:
            throw Self.outOfPlace("AuthenticationOk")
        }
    }

    private mutating func answerCleartext() throws(HandshakeError) -> Action {
        guard case .idle = state else { throw Self.outOfPlace("AuthenticationCleartextPassword") }
        guard case .tls = channel else {
            throw .authorization(
                "the server asks for a clear password on a connection without TLS",
                hint: "Use TLS to the target, or scram-sha-256 in the server's pg_hba.conf.")
        }
        let password = try requirePassword()
        state = .passwordSent
        return .send(Self.passwordMessage(password.reveal()))
    }

    /// "md5" and the hex digits of md5(hex(md5(password + user)) + salt) ("MD5 Authentication").
    private mutating func answerMD5(_ salt: [UInt8]) throws(HandshakeError) -> Action {
        guard case .idle = state else { throw Self.outOfPlace("AuthenticationMD5Password") }
        let password = try requirePassword()
        let inner = Self.hexMD5(Array(password.reveal().utf8) + Array(user.utf8))
        state = .passwordSent
        return .send(Self.passwordMessage("md5" + Self.hexMD5(Array(inner.utf8) + salt)))
    }

    private mutating func startSCRAM(_ mechanisms: [String]) throws(HandshakeError) -> Action {
        guard case .idle = state else { throw Self.outOfPlace("AuthenticationSASL") }
        let (mechanism, binding) = try choose(among: mechanisms)
        let exchange = SCRAMExchange(binding: binding, nonce: nonce)
        state = .firstSent(exchange, try requirePassword())
        let first = exchange.clientFirst
        return .send(
            Self.message { body in
                body.writeNullTerminatedString(mechanism)
                body.writeInteger(UInt32(clamping: first.count))
                body.writeBytes(first)
            })
    }

    /// Channel binding wherever both sides can. Where the server does not offer it, `y` tells it that the gateway could
    /// have: if the offer was taken out on the way, the server refuses (RFC 5802 section 6).
    private func choose(among mechanisms: [String]) throws(HandshakeError) -> (String, SCRAMExchange.Binding) {
        let offersPlain = mechanisms.contains(SCRAMExchange.mechanism)
        let offersBinding = mechanisms.contains(SCRAMExchange.bindingMechanism)
        guard offersPlain || offersBinding else {
            throw .authorization(
                "none of the server's SASL authentication mechanisms are supported",
                hint: "Use scram-sha-256 in the server's pg_hba.conf for the role that Gatehouse logs in as.")
        }
        switch channel {
        case .plaintext:
            guard offersPlain else {
                throw .protocolViolation("the server offers SCRAM-SHA-256-PLUS alone on a connection without TLS")
            }
            return (SCRAMExchange.mechanism, .none)
        case .tls(let certificate, let isVerified):
            guard offersBinding else { return (SCRAMExchange.mechanism, .notOffered) }
            if let hash = ChannelBinding.serverEndPoint(certificate: certificate) {
                return (SCRAMExchange.bindingMechanism, .endPoint(hash))
            }
            // The certificate's signature has no hash to bind with (Ed25519). Where it was verified nothing is lost.
            guard isVerified, offersPlain else {
                throw .authorization(
                    "the server's certificate cannot be used for channel binding: its signature algorithm has no known hash",
                    hint: "Use TLS mode verify-ca or verify-full, or a certificate signed with RSA or ECDSA.")
            }
            return (SCRAMExchange.mechanism, .none)
        }
    }

    private mutating func continueSCRAM(_ message: [UInt8]) throws(HandshakeError) -> Action {
        guard case .firstSent(var exchange, let password) = state else { throw Self.outOfPlace("AuthenticationSASLContinue") }
        let request = try exchange.receive(serverFirst: message, password: password)
        guard request.iterations <= inlineIterations else {
            state = .deriving(exchange)
            return .derive(request)
        }
        return sendFinal(exchange, try request.compute())
    }

    private mutating func sendFinal(_ exchange: SCRAMExchange, _ salted: SaltedPassword) -> Action {
        state = .finalSent(exchange, salted)
        return .send(Self.message { $0.writeBytes(exchange.clientFinal(salted)) })
    }

    private mutating func finishSCRAM(_ message: [UInt8]) throws(HandshakeError) -> Action {
        guard case .finalSent(let exchange, let salted) = state else { throw Self.outOfPlace("AuthenticationSASLFinal") }
        try exchange.verify(serverFinal: message, salted)
        state = .serverVerified
        return .wait
    }

    private func requirePassword() throws(HandshakeError) -> Secret {
        guard let password, !password.isEmpty else {
            throw .authorization(
                "the server asks for a password and none is configured for its role \(user.quotedForMessage)",
                hint: "Give the target's role a password or a password_file.")
        }
        guard !password.reveal().utf8.contains(0) else { throw .authorization("the role's password holds a NUL") }
        return password
    }

    private static func hexMD5(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let hex = Insecure.MD5.hash(data: bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }
        return String(decoding: hex, as: UTF8.self)
    }

    private static func passwordMessage(_ text: String) -> ByteBuffer {
        message { $0.writeNullTerminatedString(text) }
    }

    private static func message(_ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeHandshakeMessage(type: UInt8(ascii: "p"), body: body)
        return buffer
    }

    private static func outOfPlace(_ name: String) -> HandshakeError {
        .protocolViolation("the server sent \(name) out of place")
    }

    /// The codes of "Message Formats" that the gateway does not answer.
    private static func unsupported(_ code: UInt32) -> HandshakeError {
        let name =
            switch code {
            case 2: "Kerberos V5"
            case 7, 8: "GSSAPI"
            case 9: "SSPI"
            default: "method \(code)"
            }
        return .authorization(
            "the server asks for an authentication that Gatehouse does not support: \(name)",
            hint: "Use scram-sha-256 in the server's pg_hba.conf for the role that Gatehouse logs in as.")
    }
}
