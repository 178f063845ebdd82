import Relay

/// How a session ends.
enum SessionEnding {
    case terminated
    case clientGone
    case serverGone
    case idle
    case lifetime
    case refused(String)
    case killed(String)
    case violation(ProtocolViolation, byClient: Bool)

    /// The word and the text for the recording, what the client is told, and how the session counts.
    var description: (String, String, ErrorFields?, SessionTotals.Outcome) {
        switch self {
        case .terminated: ("client-closed", "", nil, .ended)
        case .clientGone: ("client-lost", "", nil, .ended)
        case .serverGone:
            (
                "server-closed", "the target closed the connection",
                ErrorFields(severity: "FATAL", code: .connectionFailure, message: "the target closed the connection"), .ended
            )
        case .idle:
            ("idle-timeout", "", ErrorFields(severity: "FATAL", code: .adminShutdown, message: "Gatehouse ended this idle session"), .ended)
        case .lifetime:
            (
                "lifetime", "",
                ErrorFields(
                    severity: "FATAL", code: .adminShutdown, message: "this session reached its longest life", hint: "Connect again."),
                .ended
            )
        case .refused(let reason):
            ("refused", reason, ErrorFields(severity: "FATAL", code: .invalidAuthorization, message: reason), .ended)
        case .killed(let reason): ("killed", reason, ErrorFields(severity: "FATAL", code: .adminShutdown, message: reason), .ended)
        case .violation(let violation, let byClient):
            (
                byClient ? "protocol-violation" : "server-protocol-violation", violation.reason,
                ErrorFields(severity: "FATAL", code: violation.code, message: violation.reason), .failed
            )
        }
    }

    /// Whether the gateway ends it against its client's will. What a client left behind when it went runs to its end, as it
    /// would without a gateway in between.
    var stopsWhatRuns: Bool {
        switch self {
        case .idle, .lifetime, .refused, .killed, .violation: true
        case .terminated, .clientGone, .serverGone: false
        }
    }
}
