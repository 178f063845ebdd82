public import GatehouseCore

/// The bounds that the vault keeps.
public struct VaultConfiguration: Sendable {
    /// Until when the store is to refuse the deletion of what is stored now of a session that began so (nil: the record of its start is
    /// lost, or it is the log); nil asks for nothing.
    public typealias Lock = @Sendable (_ start: SessionStart?, _ now: WallTime) -> WallTime?

    /// The directory of the journals.
    public var journalDirectory: String
    public var node: String
    public var gatewayVersion: String
    /// A session's segment is cut once this much of it is pending, before compression.
    public var segmentBytes = 8 << 20
    /// All sessions' pending frames together; above it the largest is cut. Bounds the vault's memory.
    public var memoryBytes = 32 << 20
    /// A session's frames wait at most this long to be stored.
    public var interval: Duration = .seconds(30)
    /// The log is published, with a signed checkpoint, at least this often while it has news.
    public var checkpointInterval: Duration = .seconds(60)
    /// New sessions are refused once this much of the journal is not in the store: an outage of hours at a common load.
    public var highWaterBytes = 1 << 30
    /// New sessions are refused below this much free space: the catalog shares the disk and must never meet its end.
    public var minimumFreeBytes = 256 << 20
    /// For stores that can lock objects.
    public var lock: Lock = { _, _ in nil }

    public init(journalDirectory: String, node: String, gatewayVersion: String) {
        self.journalDirectory = journalDirectory
        self.node = node
        self.gatewayVersion = gatewayVersion
    }
}

/// How the vault does.
public enum VaultState: Sendable, Hashable {
    /// What is committed is stored, or will be without being asked.
    case healthy
    /// More than one journal file of each loop waits to be stored.
    case behind(bytes: Int)
    /// The store does not take what it is given; the journal keeps it and it is tried again.
    case failing(reason: String)
}

/// What `Vault.recover()` found.
public struct RecoveryReport: Sendable, Hashable {
    /// Journal files that were there.
    public var files = 0
    /// Sessions whose end was recorded, now finished in the store.
    public var ended = 0
    /// Sessions without an end, finished in the store as interrupted.
    public var interrupted = 0
    /// Damaged places, in words.
    public var damage: [String] = []
    /// Files that could not be read at all and were set aside as `<name>.bad`.
    public var setAside: [String] = []
    /// Sessions that the store did not take yet; the vault keeps trying.
    public var remaining = 0
}
