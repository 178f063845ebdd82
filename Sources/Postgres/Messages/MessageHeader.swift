import NIOCore

/// The five bytes in front of every message after the startup packet: a type, and a length that counts itself but not
/// the type (PostgreSQL documentation, "Message Formats").
struct MessageHeader {
    static let size = 5

    let type: UInt8
    /// Bytes of the body that follows the header; 0 ... `maximum`.
    let bodyLength: Int

    var totalLength: Int { Self.size + bodyLength }

    /// Reads the header at `index` without consuming it. nil: more bytes are needed.
    ///
    /// - Throws: `ProtocolViolation` when the length is below 4 or above what `maximum` allows.
    init?(at index: Int, in buffer: ByteBuffer, maximum: Int) throws(ProtocolViolation) {
        guard let type: UInt8 = buffer.getInteger(at: index), let length: Int32 = buffer.getInteger(at: index &+ 1) else {
            return nil
        }
        guard length >= 4 else {
            throw ProtocolViolation("message '\(printable(type))' says a length of \(length)")
        }
        let body = Int(length) - 4
        guard body <= maximum else {
            throw ProtocolViolation(
                "message '\(printable(type))' of \(body) bytes is above the limit of \(maximum) (limits.message_bytes)",
                code: .programLimitExceeded)
        }
        self.type = type
        self.bodyLength = body
    }
}

/// A message type as it may be shown: the letter, or its number.
func printable(_ type: UInt8) -> String {
    (0x21...0x7E).contains(type) ? String(UnicodeScalar(type)) : "0x" + String(type, radix: 16)
}

/// A peer said something that the protocol does not allow here. Ends the session.
public struct ProtocolViolation: Error, Sendable, Hashable, CustomStringConvertible {
    public let reason: String
    let code: SQLState

    init(_ reason: String, code: SQLState = .protocolViolation) {
        self.reason = reason
        self.code = code
    }

    public var description: String { reason }
}

/// SQLSTATE codes that Gatehouse itself gives (PostgreSQL documentation, appendix A).
enum SQLState: String, Sendable, Hashable {
    case successfulCompletion = "00000"
    case protocolViolation = "08P01"
    case connectionFailure = "08006"
    case connectionRejected = "08004"
    case invalidAuthorization = "28000"
    case invalidPassword = "28P01"
    case invalidCatalogName = "3D000"
    case insufficientPrivilege = "42501"
    case invalidParameterValue = "22023"
    case tooManyConnections = "53300"
    case diskFull = "53100"
    case programLimitExceeded = "54000"
    case queryCanceled = "57014"
    case adminShutdown = "57P01"
    case cannotConnectNow = "57P03"
    case ioError = "58030"
}
