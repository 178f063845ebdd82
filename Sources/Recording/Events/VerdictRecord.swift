public import GatehouseCore

/// Payload of `verdict`: sixteen bytes that differ each time, then the ruling, whose bytes can be kept beside the cached analysis
/// of a statement and appended without encoding it again.
public struct VerdictRecord: Sendable, Hashable {
    /// Where the judged request begins in the client's stream, in bytes. A request judged for several statements it may stand for has
    /// one record for each.
    public var action: UInt64
    /// Always 0; kept for a verdict on one statement of several.
    public var statement: UInt32
    public var ruling: Ruling

    /// What policy said; the same for the same statement under the same policy.
    public struct Ruling: Sendable, Hashable, Codable {
        public var decision: Verdict.Decision
        public var rule: String
        public var reason: String
        /// The action's kinds, sorted.
        public var kinds: [String]
        public var policyVersion: String
        /// The approval that let it through, or that is waited for.
        public var approval: String?
        /// What it does with columns that are masked for its session: `copies_masked_data`, `probes_masked_data`; nil: neither.
        public var masked: [String]?

        public init(verdict: Verdict, kinds: some Sequence<String>, policyVersion: String, flags: Action.Flags = []) {
            decision = verdict.decision
            rule = verdict.rule
            reason = verdict.reason
            self.kinds = kinds.sorted()
            self.policyVersion = policyVersion
            approval = verdict.approval
            let named: [(Action.Flags, String)] = [
                (.copiesMaskedData, "copies_masked_data"), (.probesMaskedData, "probes_masked_data"),
            ]
            let found = named.filter { flags.contains($0.0) }.map(\.1)
            masked = found.isEmpty ? nil : found
        }

        /// The bytes to give to `Journal.appendVerdict`; keep them.
        public func encoded() throws -> [UInt8] {
            try canonicalJSON(self)
        }
    }

    public init(action: UInt64, statement: UInt32, ruling: Ruling) {
        self.action = action
        self.statement = statement
        self.ruling = ruling
    }

    static let prefixSize = 16

    /// Reads a payload.
    /// - Throws: `PayloadError` when it is too short, `DecodingError` when the ruling is no JSON of its shape.
    public init(payload: [UInt8]) throws {
        guard payload.count >= Self.prefixSize else { throw PayloadError(kind: .verdict, reason: "shorter than 16 bytes") }
        action = payload.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        statement = payload.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) }
        ruling = try Ruling.fromJSON(payload[Self.prefixSize...])
    }
}

/// A payload that does not have the shape of its kind.
public struct PayloadError: Error, Sendable, Hashable, CustomStringConvertible {
    public var kind: RecordKind
    public var reason: String

    public var description: String { "\(kind.name) record: \(reason)" }
}
