/// How a session ends.
public enum SessionEnding: Sendable {
    /// The client said goodbye.
    case terminated
    case clientGone
    case serverGone
    case idle
    case lifetime
    case refused(String)
    case killed(String)
    /// One side said what the protocol does not allow.
    /// - Parameter sqlState: what the client is told, beside the reason.
    case violation(String, sqlState: String, byClient: Bool)

    /// The word and the text for the recording, and how the session counts.
    var record: (code: String, text: String, outcome: SessionTotals.Outcome) {
        switch self {
        case .terminated: ("client-closed", "", .ended)
        case .clientGone: ("client-lost", "", .ended)
        case .serverGone: ("server-closed", "the target closed the connection", .ended)
        case .idle: ("idle-timeout", "", .ended)
        case .lifetime: ("lifetime", "", .ended)
        case .refused(let reason): ("refused", reason, .ended)
        case .killed(let reason): ("killed", reason, .ended)
        case .violation(let reason, _, let byClient):
            (byClient ? "protocol-violation" : "server-protocol-violation", reason, .failed)
        }
    }

    /// What the client is told, in words; nil: nothing, for it has gone.
    public var words: (message: String, hint: String?)? {
        switch self {
        case .terminated, .clientGone: nil
        case .serverGone: ("the target closed the connection", nil)
        case .idle: ("Gatehouse ended this idle session", nil)
        case .lifetime: ("this session reached its longest life", "Connect again.")
        case .refused(let reason), .killed(let reason), .violation(let reason, _, _): (reason, nil)
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

    /// The client's own goodbye has passed on to the server.
    var wasSaid: Bool {
        if case .terminated = self { true } else { false }
    }
}
