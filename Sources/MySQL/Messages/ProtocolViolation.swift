/// A peer said something that the protocol does not allow here. Ends the session. It holds nothing secret.
struct ProtocolViolation: Error, Sendable, Hashable, CustomStringConvertible {
    let reason: String
    let code: ErrorCode

    init(_ reason: String, code: ErrorCode = .malformedPacket) {
        self.reason = reason
        self.code = code
    }

    var description: String { reason }
}

/// Why a connection cannot go on before its session has begun, on either side. It holds nothing secret: it may be sent to
/// the client, logged and recorded.
struct HandshakeError: Error, Sendable, Hashable, CustomStringConvertible {
    var code: ErrorCode
    var message: String
    /// What to do about it.
    var hint: String?
    /// The server did not take the account's password.
    var refusesPassword = false

    init(_ code: ErrorCode, _ message: String, hint: String? = nil, refusesPassword: Bool = false) {
        self.code = code
        self.message = message
        self.hint = hint
        self.refusesPassword = refusesPassword
    }

    init(_ violation: ProtocolViolation) {
        self.init(violation.code, violation.reason)
    }

    var description: String { "\(message) (error \(code.number), SQLSTATE \(code.sqlState))" + (hint.map { ". \($0)" } ?? "") }

    /// As a client gets it: MySQL's errors have one text.
    var packet: ErrorPacket { ErrorPacket(code, hint.map { "\(message). \($0)" } ?? message) }
}
