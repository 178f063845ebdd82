/// Why a connection cannot go on, before its session has begun: on the client's side while it starts and proves who it
/// is, or on the server's side while the gateway does the same there.
///
/// It holds nothing secret: it may be sent to the client, logged and recorded.
public struct HandshakeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Five characters, "PostgreSQL Error Codes" in the server's documentation.
    public var sqlState: String
    public var message: String
    /// What to do about it.
    public var hint: String?
    /// The server did not take the account's password.
    var refusesPassword = false

    public init(sqlState: String, message: String, hint: String? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.hint = hint
    }

    public var description: String {
        "\(message) (SQLSTATE \(sqlState))" + (hint.map { ". \($0)" } ?? "")
    }

    /// The peer broke the protocol's rules.
    static func protocolViolation(_ message: String, hint: String? = nil) -> HandshakeError {
        HandshakeError(sqlState: "08P01", message: message, hint: hint)
    }

    /// The peer asks for what the protocol has and the gateway does not.
    static func notSupported(_ message: String, hint: String? = nil) -> HandshakeError {
        HandshakeError(sqlState: "0A000", message: message, hint: hint)
    }

    /// A parameter with a value that cannot be used.
    static func invalidParameter(_ message: String, hint: String? = nil) -> HandshakeError {
        HandshakeError(sqlState: "22023", message: message, hint: hint)
    }

    /// The proof cannot be accepted, or cannot be given.
    static func authorization(_ message: String, hint: String? = nil) -> HandshakeError {
        HandshakeError(sqlState: "28000", message: message, hint: hint)
    }
}
