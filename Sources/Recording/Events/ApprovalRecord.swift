/// Payload of `approval`: what became of a request to let a held action, or the session, go on. JSON.
public struct ApprovalRecord: Sendable, Hashable, Codable {
    public enum Event: String, Sendable, Hashable, Codable, CaseIterable {
        case requested, granted, denied, expired, withdrawn
        /// The session waits no more, and the request stays open for a retry.
        case left
        /// From here on the session sees clear values of `masks`, and from there on no more.
        case unmasked, masked
    }

    /// What one person said.
    public struct Vote: Sendable, Hashable, Codable {
        public var user: String
        public var issuer: String
        /// `approve`, `deny` or `break_glass`.
        public var choice: String
        public var comment: String

        public init(user: String, issuer: String, choice: String, comment: String) {
            self.user = user
            self.issuer = issuer
            self.choice = choice
            self.comment = comment
        }
    }

    /// The approval's id; verdicts name it too.
    public var approval: String
    public var event: Event
    public var rule: String
    /// The requester's.
    public var reason: String
    public var votes: [Vote]
    /// Of `unmasked` and `masked`: the masks' ids.
    public var masks: [String]?

    public init(approval: String, event: Event, rule: String, reason: String, votes: [Vote], masks: [String]? = nil) {
        self.masks = masks
        self.approval = approval
        self.event = event
        self.rule = rule
        self.reason = reason
        self.votes = votes
    }
}
