/// Where every byte of a session went: in each direction, seen = verbatim + replacedByMasks + withheldSecrets + gaps.
///
/// The gateway counts while it relays and puts the sum in the `end` record; the vault and the verifier each count again from the
/// frames alone.
public struct Accounting: Sendable, Hashable, Codable {
    public var client: Flow
    public var server: Flow

    public init(client: Flow = Flow(), server: Flow = Flow()) {
        self.client = client
        self.server = server
    }

    /// One direction, in bytes.
    public struct Flow: Sendable, Hashable, Codable {
        /// Read from that side.
        public var seen: UInt64
        /// In the recording exactly as seen.
        public var verbatim: UInt64
        /// Replaced by masks (the size before masking), the gateway's own additions having none.
        public var replacedByMasks: UInt64
        /// Secrets left out.
        public var withheldSecrets: UInt64
        /// Declared as not recorded.
        public var gaps: UInt64

        public init(
            seen: UInt64 = 0, verbatim: UInt64 = 0, replacedByMasks: UInt64 = 0, withheldSecrets: UInt64 = 0, gaps: UInt64 = 0
        ) {
            self.seen = seen
            self.verbatim = verbatim
            self.replacedByMasks = replacedByMasks
            self.withheldSecrets = withheldSecrets
            self.gaps = gaps
        }

        /// Whether the parts add up to what was seen.
        public var isBalanced: Bool {
            let parts = verbatim &+ replacedByMasks &+ withheldSecrets &+ gaps
            return parts == seen
        }
    }

    public subscript(direction: Direction) -> Flow {
        get { direction == .client ? client : server }
        set { if direction == .client { client = newValue } else { server = newValue } }
    }
}
