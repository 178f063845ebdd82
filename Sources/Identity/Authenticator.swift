public import GatehouseCore

/// Turns what a client presents into who it is.
public protocol Authenticator: Sendable {
    /// Checks a token or a ticket.
    ///
    /// - Parameters:
    ///   - secret: What came where a password goes.
    ///   - address: The client's IP address, without a port.
    ///   - login: The login name as given (`[role@]target`); empty for the administration API, which is no target.
    /// - Throws: `AuthenticationFailure`. The caller writes it to the audit log and shows the client `clientMessage`.
    func authenticate(_ secret: Secret, from address: String, asking login: String) async throws(AuthenticationFailure) -> Principal
}

/// Why a caller was not let in. Holds no part of the secret.
public struct AuthenticationFailure: Error, Sendable, Hashable {
    public enum Code: Sendable, Hashable {
        case unknownIssuer, badSignature, expired, notYetValid, wrongAudience, wrongAuthorizedParty, algorithmNotAllowed
        /// Neither a ticket nor a token, or a token with claims that cannot be used.
        case malformed
        /// The token names a signing key that its issuer does not publish.
        case unknownKey
        /// The issuer's keys could not be had.
        case issuerUnreachable
        case ticketUnknown, ticketExpired, ticketRevoked, ticketWrongTarget
        /// The ticket store could not be read.
        case unavailable
        /// Too many failed tries; nothing was looked at.
        case throttled(retryAfter: Duration)

        /// The stable word for audit events and metrics.
        public var name: String {
            switch self {
            case .unknownIssuer: "unknown_issuer"
            case .badSignature: "bad_signature"
            case .expired: "expired"
            case .notYetValid: "not_yet_valid"
            case .wrongAudience: "wrong_audience"
            case .wrongAuthorizedParty: "wrong_authorized_party"
            case .algorithmNotAllowed: "algorithm_not_allowed"
            case .malformed: "malformed"
            case .unknownKey: "unknown_key"
            case .issuerUnreachable: "issuer_unreachable"
            case .ticketUnknown: "ticket_unknown"
            case .ticketExpired: "ticket_expired"
            case .ticketRevoked: "ticket_revoked"
            case .ticketWrongTarget: "ticket_wrong_target"
            case .unavailable: "unavailable"
            case .throttled: "throttled"
            }
        }

        /// Whether the caller presented something wrong, as opposed to the gateway being unable to tell.
        public var countsAsGuess: Bool {
            switch self {
            case .issuerUnreachable, .unavailable, .throttled: false
            case .unknownIssuer, .badSignature, .expired, .notYetValid, .wrongAudience, .wrongAuthorizedParty, .algorithmNotAllowed,
                .malformed, .unknownKey, .ticketUnknown, .ticketExpired, .ticketRevoked, .ticketWrongTarget:
                true
            }
        }
    }

    public var code: Code
    /// What is wrong and what to do, for the person or agent at the other end. Says nothing that only an operator may know.
    public var clientMessage: String
    /// More, for the audit log: what was claimed (bounded, printable), what was expected.
    public var auditDetail: String
    /// One of a flood of throttled tries, whose like was reported seconds ago: need not be written to the audit log, since the
    /// next that is says how many there were.
    public var isRepeat = false

    public init(_ code: Code, client: String, audit: String) {
        self.code = code
        clientMessage = client
        auditDetail = audit
    }
}

extension AuthenticationFailure: CustomStringConvertible {
    public var description: String { "\(code.name): \(auditDetail)" }
}

/// Text of a peer's choosing made fit for a log line: printable ASCII, at most `limit` characters, in quotes.
func quoted(_ text: String, limit: Int = 128) -> String {
    var shown = "\""
    for scalar in text.unicodeScalars.prefix(limit) {
        let printable = scalar.value >= 0x20 && scalar.value < 0x7F && scalar != "\"" && scalar != "\\"
        shown.unicodeScalars.append(printable ? scalar : "?")
    }
    if text.unicodeScalars.count > limit { shown += "..." }
    return shown + "\""
}
