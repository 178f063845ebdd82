public import GatehouseCore
public import Policy

/// How recordings are kept.
public struct RecordingSettings: Sendable, Hashable {
    /// Public key files of those who may read recordings; empty: a key pair made in the data directory.
    public var recipients: [String] = []
    /// Public key files of those who may open what masks with `keep_original: sealed` took out; empty: nothing of it is kept.
    public var breakGlassRecipients: [String] = []
    /// False leaves recordings readable to whoever reaches the store: for trials and measurements.
    public var isSealed = true
    /// A second place for signed checkpoints of the log: a file, and an HTTP endpoint that they are posted to.
    public var checkpointFile: String?
    public var checkpointURL: String?
    /// How often a checkpoint is made while something is new, in seconds.
    public var checkpointSeconds = 60
}

/// Where finished recordings are kept.
public enum StoreSettings: Sendable, Hashable {
    /// nil: `store` in the data directory.
    case directory(String?)
    case s3(S3Settings)
}

/// A bucket of a service that speaks Amazon S3's protocol.
public struct S3Settings: Sendable, Hashable {
    public enum Style: String, Sendable, Hashable, CaseIterable {
        /// `https://endpoint/bucket/key`
        case path
        /// `https://bucket.endpoint/key`
        case virtualHost = "virtual-host"
    }

    public enum ObjectLock: String, Sendable, Hashable, CaseIterable {
        /// May be lifted by those who have a right of their own to.
        case governance
        /// Nobody can lift it.
        case compliance
    }

    public var bucket: String
    public var region: String
    /// nil: Amazon's own of the region. http on a loopback address only.
    public var endpoint: String?
    /// Put in front of every key; empty, or with a slash at its end.
    public var prefix: String
    public var style: Style
    /// PEM file of the authorities to trust instead of the system's.
    public var authorityFile: String?
    public var accessKeyID: String
    public var secretAccessKey: Secret
    public var sessionToken: Secret?
    /// How objects are locked until the end of their retention; nil: not at all.
    public var objectLock: ObjectLock?
}

/// How long recordings are kept.
public struct RetentionSettings: Sendable, Hashable {
    public struct Rule: Sendable, Hashable {
        public var name: String
        public var targets: [Glob]
        /// nil: for ever.
        public var keep: Duration?
    }

    /// The first that has a session's target decides.
    public var rules: [Rule] = []
    /// For targets of no rule; nil: for ever.
    public var keep: Duration?
    /// How often what is due is deleted; nil: only when somebody asks.
    public var every: Duration? = .seconds(86_400)
}
