/// The type of a column or parameter ("Field Types").
struct ColumnType: RawRepresentable, Sendable, Hashable {
    let rawValue: UInt8

    init(rawValue: UInt8) { self.rawValue = rawValue }

    static let decimal = ColumnType(rawValue: 0)
    static let tiny = ColumnType(rawValue: 1)
    static let short = ColumnType(rawValue: 2)
    static let long = ColumnType(rawValue: 3)
    static let float = ColumnType(rawValue: 4)
    static let double = ColumnType(rawValue: 5)
    static let null = ColumnType(rawValue: 6)
    static let timestamp = ColumnType(rawValue: 7)
    static let longLong = ColumnType(rawValue: 8)
    static let int24 = ColumnType(rawValue: 9)
    static let date = ColumnType(rawValue: 10)
    static let time = ColumnType(rawValue: 11)
    static let dateTime = ColumnType(rawValue: 12)
    static let year = ColumnType(rawValue: 13)
    static let newDate = ColumnType(rawValue: 14)
    static let varChar = ColumnType(rawValue: 15)
    static let bit = ColumnType(rawValue: 16)
    /// MySQL 9.
    static let vector = ColumnType(rawValue: 242)
    static let bool = ColumnType(rawValue: 244)
    static let json = ColumnType(rawValue: 245)
    static let newDecimal = ColumnType(rawValue: 246)
    static let enumeration = ColumnType(rawValue: 247)
    static let set = ColumnType(rawValue: 248)
    static let tinyBlob = ColumnType(rawValue: 249)
    static let mediumBlob = ColumnType(rawValue: 250)
    static let longBlob = ColumnType(rawValue: 251)
    static let blob = ColumnType(rawValue: 252)
    static let varString = ColumnType(rawValue: 253)
    static let string = ColumnType(rawValue: 254)
    static let geometry = ColumnType(rawValue: 255)

    /// How a value looks in a binary row ("Binary Protocol Value"). nil: a type that no server sends.
    enum Layout: Sendable, Hashable {
        case nothing
        /// Bytes of an integer.
        case integer(Int)
        case float
        case double
        /// A length of 0, 4, 7 or 11, and a date with as much of a time.
        case moment
        /// A length of 0, 8 or 12, and a time span.
        case span
        case lengthEncoded
    }

    var layout: Layout? {
        switch self {
        case .null: .nothing
        case .tiny, .bool: .integer(1)
        case .short, .year: .integer(2)
        case .long, .int24: .integer(4)
        case .longLong: .integer(8)
        case .float: .float
        case .double: .double
        case .timestamp, .date, .dateTime, .newDate: .moment
        case .time: .span
        case .decimal, .varChar, .bit, .vector, .json, .newDecimal, .enumeration, .set, .tinyBlob, .mediumBlob, .longBlob, .blob,
            .varString, .string, .geometry:
            .lengthEncoded
        default: nil
        }
    }
}

/// Flags of a column ("Column Definition Flags").
struct ColumnFlags: OptionSet, Sendable, Hashable {
    let rawValue: UInt16

    init(rawValue: UInt16) { self.rawValue = rawValue }

    static let notNull = ColumnFlags(rawValue: 1 << 0)
    static let primaryKey = ColumnFlags(rawValue: 1 << 1)
    static let uniqueKey = ColumnFlags(rawValue: 1 << 2)
    static let multipleKey = ColumnFlags(rawValue: 1 << 3)
    static let blob = ColumnFlags(rawValue: 1 << 4)
    static let unsigned = ColumnFlags(rawValue: 1 << 5)
    static let zerofill = ColumnFlags(rawValue: 1 << 6)
    static let binary = ColumnFlags(rawValue: 1 << 7)
    static let enumeration = ColumnFlags(rawValue: 1 << 8)
    static let autoIncrement = ColumnFlags(rawValue: 1 << 9)
    static let timestamp = ColumnFlags(rawValue: 1 << 10)
    static let set = ColumnFlags(rawValue: 1 << 11)
    static let noDefault = ColumnFlags(rawValue: 1 << 12)
}
