/// How a held action or session comes to run: who may approve it, how long its client waits, and what an approval is good for.
public struct HoldTerms: Sendable, Hashable, Codable {
    /// What one approval lets through.
    public enum Use: String, Sendable, Hashable, Codable, CaseIterable {
        /// One run of the exact action.
        case once
        /// Any number of runs of the exact action until the approval ends.
        case window
    }

    /// Groups whose members may approve, as patterns (`*`, `?`). Not empty.
    public var approvers: [String]
    /// How many of them must approve; at least 1.
    public var required: Int
    /// Nothing is approved before the requester has said why.
    public var needsReason: Bool
    /// Seconds that a client waits before it is told that nobody decided.
    public var waitSeconds: Int
    /// The same inside an open transaction, which keeps locks; the request then stays open for a retry.
    public var transactionWaitSeconds: Int
    /// Seconds, from the request on, after which neither the request nor an approval of it is good for anything. Absolute: it
    /// is not counted from when a client connects.
    public var validSeconds: Int
    public var use: Use
    /// Groups whose members may let their own action through, with a reason and an alarm. Empty: nobody.
    public var breakGlass: [String]

    public init(
        approvers: [String], required: Int = 1, needsReason: Bool = false, waitSeconds: Int = 300, transactionWaitSeconds: Int = 30,
        validSeconds: Int = 3_600, use: Use = .once, breakGlass: [String] = []
    ) {
        self.approvers = approvers
        self.required = required
        self.needsReason = needsReason
        self.waitSeconds = waitSeconds
        self.transactionWaitSeconds = transactionWaitSeconds
        self.validSeconds = validSeconds
        self.use = use
        self.breakGlass = breakGlass
    }
}
