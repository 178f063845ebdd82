/// What a frame holds. The numbers are part of the format and never change their meaning (docs/recording-format.md).
public enum RecordKind: UInt8, Sendable, Hashable, CaseIterable {
    /// First frame of a journal file; belongs to no session and is never in a segment.
    case file = 0
    /// JSON, `SessionStart`. The first frame of a session.
    case start = 1
    /// JSON, `SessionIdentity`: who was let in, and by which rule.
    case identity = 2
    /// Raw protocol bytes as the client sent them; what it said of masked columns is left out or replaced.
    case clientMessages = 3
    /// Raw protocol bytes exactly as the client gets them (masked).
    case serverMessages = 4
    /// `VerdictRecord`: what policy said of one action.
    case verdict = 5
    /// `Injection`: bytes that the gateway sent upstream in place of the client's, and why.
    case injected = 6
    /// `Substitution`: what the client said, where the secrets in it cannot be told from the rest.
    case withheld = 7
    /// `Substitution`: values of the server, or of the client, that masks replaced.
    case masked = 8
    /// JSON, `SessionNote`: something that the gateway says about the session.
    case notice = 9
    /// JSON, `SessionNote`: the client asked to cancel what runs.
    case cancel = 10
    /// `Substitution`: bytes seen that are not recorded, declared.
    case gap = 11
    /// JSON, `SessionNote`: a failure that ends the session or an action.
    case error = 12
    /// JSON, `SessionEnd`. The last frame of a session.
    case end = 13
    /// JSON, `UpstreamConnection`: the session's connection to its target is up.
    case upstream = 14
    /// JSON, `ApprovalRecord`: what became of a held action's, or the session's, approval.
    case approval = 15
    /// `SealedOriginal`: what masks replaced, as it came, sealed to break-glass recipients. In front of what stands for it.
    case original = 16

    /// The kind's name in manifests and reports.
    public var name: String { String(describing: self) }
}
