import Crypto

/// What a masked value is replaced with. Where the column's type cannot hold the replacement, the value becomes NULL.
/// What comes of each for each type is a table in docs/masking.md.
public enum MaskStrategy: Sendable, Hashable {
    /// A constant (`****`, 0, 1900-01-01): says only that a value is there.
    case redact
    /// Some characters stay, the others become four of one character.
    case partially(PartialShape)
    /// A keyed digest: the same value always gives the same replacement, so that joins and counts still work.
    case hash(MaskKey)
    /// A keyed pseudonym of the value's own shape: digits stay digits, letters letters, the length stays.
    case token(MaskKey)
    /// Dates move by one number of days, from 1 to `within` either way, that the key alone decides.
    case dateShift(MaskKey, within: Int)
    /// Numbers become the nearest multiple.
    case round(RoundingStep)
    /// NULL.
    case null

    /// The last characters stay, at most four and at most a third of the value, behind `****`.
    public static var partial: MaskStrategy { .partially(PartialShape()) }

    /// The same for one column, or for all columns of one domain: other keys where replacements must not be the same elsewhere.
    public func scoped(to domain: String) -> MaskStrategy {
        switch self {
        case .token(let key): .token(key.derived(for: "token " + domain))
        case .dateShift(let key, let days): .dateShift(key.derived(for: "date_shift " + domain), within: days)
        case .redact, .partially, .hash, .round, .null: self
        }
    }
}

/// Which characters (Unicode scalars) of a value a partial mask leaves.
public struct PartialShape: Sendable, Hashable {
    /// The most that may be left at either end.
    public static let maximumKept = 64

    /// Characters that stay at the beginning and at the end. Both nil: as many as `MaskStrategy.partial` says.
    public var first: Int?
    public var last: Int?
    /// Printable ASCII; stands four times for what is hidden, however long that is.
    public var character: UInt8
    /// Of a value with an `@` what stands behind the last one stays too, and `first` and `last` are about what stands before.
    public var keepsDomain: Bool

    public init(first: Int? = nil, last: Int? = nil, character: UInt8 = UInt8(ascii: "*"), keepsDomain: Bool = false) {
        self.first = first.map { min(max(0, $0), Self.maximumKept) }
        self.last = last.map { min(max(0, $0), Self.maximumKept) }
        self.character = (0x21...0x7E).contains(character) ? character : UInt8(ascii: "*")
        self.keepsDomain = keepsDomain
    }
}

/// The key of masks that depend on one. Whoever has it can test guesses of masked values, so it prints as nothing but a placeholder.
public struct MaskKey: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Fewer bytes could be searched.
    public static let minimumBytes = 16

    private let keyed: KeyedMAC.Prototype
    private let fingerprint: SHA256Digest

    /// nil when `bytes` are fewer than `minimumBytes`.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count >= Self.minimumBytes else { return nil }
        self.init(trusted: Array(bytes))
    }

    /// A new random key: replacements are then stable for as long as this value lives.
    public init() {
        self.init(trusted: SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) })
    }

    /// Another key that this one decides: knowing it tells nothing of this one.
    public func derived(for label: String) -> MaskKey {
        MaskKey(trusted: mac { $0.update(Array("gatehouse mask key for \(label)".utf8)) })
    }

    private init(trusted bytes: [UInt8]) {
        keyed = KeyedMAC.Prototype(key: bytes)
        fingerprint = SHA256.hash(data: bytes)
    }

    /// HMAC-SHA256 of what `feed` gives.
    func mac(_ feed: (inout KeyedMAC) -> Void) -> [UInt8] {
        var mac = KeyedMAC(keyed)
        feed(&mac)
        return mac.withDigest { Array($0) }
    }

    /// Shows the HMAC-SHA256 of what `feed` gives, 32 bytes, to `use`.
    @inline(__always)
    func withMAC<Result>(_ feed: (inout KeyedMAC) -> Void, use: (UnsafeRawBufferPointer) -> Result) -> Result {
        var mac = KeyedMAC(keyed)
        feed(&mac)
        return mac.withDigest(use)
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
    /// What the column's values are made of.
    public var shape: ValueShape
    public var format: ValueFormat
    public var strategy: MaskStrategy

    public init(shape: ValueShape, format: ValueFormat, strategy: MaskStrategy) {
        self.shape = shape
        self.format = format
        self.strategy = strategy
    }

    /// - Parameter type: one of the server's own types, as its OID; the base type of a domain.
    public init(type: UInt32, format: ValueFormat, strategy: MaskStrategy) {
        self.init(shape: ValueShape(oid: type), format: format, strategy: strategy)
    }

    /// The type cannot hold what the strategy gives, so that every value becomes NULL. False where NULL is what was asked for.
    public var withholdsEverything: Bool {
        guard strategy != .null, case .null = PreparedMask(self) else { return false }
        return true
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
