import Crypto

/// What a masked value is replaced with. Where the column's type cannot hold the replacement, the value becomes NULL.
public enum MaskStrategy: Sendable, Hashable {
    /// A constant (`****`): says only that a value is there.
    case redact
    /// The last characters stay, at most four and at most a third of the value, behind `****`.
    case partial
    /// A keyed digest: the same value always gives the same replacement, so that joins and counts still work.
    case hash(MaskKey)
    /// NULL.
    case null
}

/// The key of hash masks. Whoever has it can test guesses of masked values, so it prints as nothing but a placeholder.
public struct MaskKey: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Fewer bytes could be searched.
    public static let minimumBytes = 16

    /// A MAC that has taken in the key and nothing else: copied for each value, since keying costs more than most values do.
    let prototype: HMAC<SHA256>
    private let fingerprint: SHA256Digest

    /// nil when `bytes` are fewer than `minimumBytes`.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count >= Self.minimumBytes else { return nil }
        let copy = Array(bytes)
        prototype = HMAC<SHA256>(key: SymmetricKey(data: copy))
        fingerprint = SHA256.hash(data: copy)
    }

    /// A new random key: replacements are then stable for as long as this value lives.
    public init() {
        let key = SymmetricKey(size: .bits256)
        prototype = HMAC<SHA256>(key: key)
        fingerprint = key.withUnsafeBytes { SHA256.hash(data: $0) }
    }

    public static func == (left: MaskKey, right: MaskKey) -> Bool { left.fingerprint == right.fingerprint }
    public func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }

    public var description: String { "<mask key>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// How a value is represented in a DataRow or COPY stream (PostgreSQL protocol, "Formats and Format Codes").
public enum ValueFormat: Int16, Sendable, Hashable {
    case text = 0
    case binary = 1
}

/// How one column of a result is masked.
public struct ColumnMask: Sendable, Hashable {
    /// The column's type, a PostgreSQL type OID; the base type of a domain.
    public var type: UInt32
    public var format: ValueFormat
    public var strategy: MaskStrategy

    public init(type: UInt32, format: ValueFormat, strategy: MaskStrategy) {
        self.type = type
        self.format = format
        self.strategy = strategy
    }
}

/// What masking did to a stretch of data. The bytes that went on unchanged are the data's bytes less `bytesBefore`.
public struct MaskCounts: Sendable, Hashable {
    /// Values that were replaced, those that became NULL among them. A NULL that stays NULL is not counted.
    public var replacedCells: Int
    /// Bytes that the replaced values took, without length fields, delimiters and line ends.
    public var bytesBefore: Int
    /// Bytes that the replacements take.
    public var bytesAfter: Int

    public init(replacedCells: Int = 0, bytesBefore: Int = 0, bytesAfter: Int = 0) {
        self.replacedCells = replacedCells
        self.bytesBefore = bytesBefore
        self.bytesAfter = bytesAfter
    }

    public static func += (left: inout MaskCounts, right: MaskCounts) {
        left.replacedCells &+= right.replacedCells
        left.bytesBefore &+= right.bytesBefore
        left.bytesAfter &+= right.bytesAfter
    }

    mutating func count(before: Int, after: Int) {
        replacedCells &+= 1
        bytesBefore &+= before
        bytesAfter &+= after
    }
}

/// Data that cannot be masked with certainty. The session must end: what could not be read must not go on.
public enum MaskError: Error, Hashable, CustomStringConvertible {
    /// A DataRow whose lengths and bytes do not agree.
    case malformedRow(String)
    /// A row that has not as many columns as its description.
    case columnCount(expected: Int, found: Int)
    /// COPY data that is not what the options say.
    case malformedCopy(String)
    /// A value of a masked column is longer than may be held.
    case fieldTooLong(limit: Int)

    public var description: String {
        switch self {
        case .malformedRow(let what): "masking: the server sent a malformed row: \(what)"
        case .columnCount(let expected, let found): "masking: the server sent a row of \(found) columns where \(expected) were described"
        case .malformedCopy(let what): "masking: the server sent malformed COPY data: \(what)"
        case .fieldTooLong(let limit): "masking: a value of a masked column is longer than \(limit) bytes"
        }
    }
}
