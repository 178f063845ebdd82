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

/// Counts a session's bytes from its frames, one at a time.
struct AccountingCounter: Hashable {
    /// Bytes of `clientMessages` and `serverMessages`.
    private var recorded: [UInt64] = [0, 0]
    /// Of these, bytes that stand for something else.
    private var standIns: [UInt64] = [0, 0]
    private var masked: [UInt64] = [0, 0]
    private var withheld: [UInt64] = [0, 0]
    private var gaps: [UInt64] = [0, 0]
    /// A payload that could not be read; the sums are then wrong.
    private(set) var fault: PayloadError?

    mutating func count(_ kind: RecordKind, payload: UnsafeRawBufferPointer) {
        switch kind {
        case .clientMessages: recorded[0] &+= UInt64(payload.count)
        case .serverMessages: recorded[1] &+= UInt64(payload.count)
        case .masked, .withheld, .gap: substitute(kind, Array(payload))
        case .file, .start, .identity, .verdict, .injected, .notice, .cancel, .error, .end, .upstream: break
        }
    }

    private mutating func substitute(_ kind: RecordKind, _ payload: [UInt8]) {
        do throws(PayloadError) {
            let substitution = try Substitution(payload: payload, of: kind)
            let side = Int(substitution.direction.rawValue)
            standIns[side] &+= substitution.recordedBytes
            switch kind {
            case .masked: masked[side] &+= substitution.seenBytes
            case .withheld: withheld[side] &+= substitution.seenBytes
            default: gaps[side] &+= substitution.seenBytes
            }
        } catch {
            fault = error
        }
    }

    /// The sums. A substitution is recorded before the messages that it is about: where an interrupted session ends between the two,
    /// more stands in than is recorded, and `verbatim` is 0.
    var accounting: Accounting {
        var result = Accounting()
        for direction in Direction.allCases {
            let side = Int(direction.rawValue)
            let verbatim = recorded[side] > standIns[side] ? recorded[side] - standIns[side] : 0
            result[direction] = Accounting.Flow(
                seen: verbatim &+ masked[side] &+ withheld[side] &+ gaps[side], verbatim: verbatim, replacedByMasks: masked[side],
                withheldSecrets: withheld[side], gaps: gaps[side])
        }
        return result
    }

    /// Whether more is said to stand in for something than was recorded at all.
    var isImpossible: Bool { standIns[0] > recorded[0] || standIns[1] > recorded[1] }
}
