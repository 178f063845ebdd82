public import NIOCore

/// The messages of type `R`: what a server wants as proof, and its word that the proof is good ("Message Formats",
/// AuthenticationOk and those that follow).
public enum AuthenticationRequest: Sendable, Hashable {
    case ok
    case cleartextPassword
    /// Salt of 4 bytes.
    case md5Password(salt: [UInt8])
    case sasl(mechanisms: [String])
    case saslContinue([UInt8])
    case saslFinal([UInt8])
    /// Kerberos, GSSAPI, SSPI and whatever comes later: the gateway has no part in them.
    case unsupported(code: UInt32)

    static let type = UInt8(ascii: "R")
    /// Of one message from a server. SCRAM's messages stay under a few hundred bytes.
    static let maximumBytes = 16_384

    /// Reads a message's body (what follows the length).
    /// - Throws: `HandshakeError` for a body that is cut short, too long, or has bytes left over.
    public init(body: ByteBuffer) throws(HandshakeError) {
        var body = body
        guard body.readableBytes <= Self.maximumBytes, let code = body.readInteger(as: UInt32.self) else {
            throw .protocolViolation("invalid length of an authentication message from the server")
        }
        switch code {
        case 0: self = .ok
        case 3: self = .cleartextPassword
        case 5:
            guard body.readableBytes == 4, let salt = body.readBytes(length: 4) else {
                throw .protocolViolation("invalid AuthenticationMD5Password from the server")
            }
            self = .md5Password(salt: salt)
        case 10: self = .sasl(mechanisms: try Self.readMechanisms(&body))
        case 11: self = .saslContinue(body.readBytes(length: body.readableBytes) ?? [])
        case 12: self = .saslFinal(body.readBytes(length: body.readableBytes) ?? [])
        default:
            self = .unsupported(code: code)
            return
        }
        guard body.readableBytes == 0 else {
            throw .protocolViolation("an authentication message from the server has bytes left over")
        }
    }

    /// Writes the whole message, for a client.
    public func write(into buffer: inout ByteBuffer) {
        buffer.writeHandshakeMessage(type: Self.type) { body in
            switch self {
            case .ok: body.writeInteger(UInt32(0))
            case .cleartextPassword: body.writeInteger(UInt32(3))
            case .md5Password(let salt):
                body.writeInteger(UInt32(5))
                body.writeBytes(salt)
            case .sasl(let mechanisms):
                body.writeInteger(UInt32(10))
                for mechanism in mechanisms { body.writeNullTerminatedString(mechanism) }
                body.writeInteger(UInt8(0))
            case .saslContinue(let data):
                body.writeInteger(UInt32(11))
                body.writeBytes(data)
            case .saslFinal(let data):
                body.writeInteger(UInt32(12))
                body.writeBytes(data)
            case .unsupported(let code): body.writeInteger(code)
            }
        }
    }

    /// The whole message.
    public var message: ByteBuffer {
        var buffer = ByteBuffer()
        write(into: &buffer)
        return buffer
    }

    private static func readMechanisms(_ body: inout ByteBuffer) throws(HandshakeError) -> [String] {
        var mechanisms: [String] = []
        while let bytes = body.readNullTerminatedBytes() {
            if bytes.readableBytes == 0 {
                guard !mechanisms.isEmpty else { break }
                return mechanisms
            }
            // RFC 4422 section 3.1: 1 to 20 upper case letters, digits, hyphens and underscores.
            guard let name = String(validating: bytes.readableBytesView, as: UTF8.self) else { break }
            mechanisms.append(name)
        }
        throw .protocolViolation("invalid AuthenticationSASL from the server")
    }
}
