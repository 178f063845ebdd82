/// A scalar type that masking knows: how its values are written, and so which replacements its input function accepts.
///
/// OIDs are those of `pg_type.dat`; they never change between versions. Every scalar that is not named here (money, bit strings,
/// geometry, enums, types of extensions) is `other`: nothing but NULL is sure to be valid.
enum MaskableType: Sendable, Hashable {
    /// Any string is valid: text, varchar, name, cstring, refcursor, unknown.
    case text
    /// character(n): a string with padding that says nothing.
    case paddedText
    /// The one-byte type "char".
    case singleByte
    case json
    /// As json; in binary behind a version byte.
    case jsonb
    case xml
    case bytea
    case uuid
    case bool
    case int2, int4, int8, oid
    case float4, float8
    case numeric
    case date, timestamp, timestamptz, time, timetz, interval
    case inet, cidr
    case macaddr, macaddr8
    case other

    init(oid: UInt32) {
        switch oid {
        case 25, 1043, 19, 2275, 1790, 705: self = .text
        case 1042: self = .paddedText
        case 18: self = .singleByte
        case 114: self = .json
        case 3802: self = .jsonb
        case 142: self = .xml
        case 17: self = .bytea
        case 2950: self = .uuid
        case 16: self = .bool
        case 21: self = .int2
        case 23: self = .int4
        case 20: self = .int8
        case 26: self = .oid
        case 700: self = .float4
        case 701: self = .float8
        case 1700: self = .numeric
        case 1082: self = .date
        case 1114: self = .timestamp
        case 1184: self = .timestamptz
        case 1083: self = .time
        case 1266: self = .timetz
        case 1186: self = .interval
        case 869: self = .inet
        case 650: self = .cidr
        case 829: self = .macaddr
        case 774: self = .macaddr8
        default: self = .other
        }
    }

    /// The values that an integer type holds; nil for the others.
    var integers: ClosedRange<Int64>? {
        switch self {
        case .int2: Int64(Int16.min)...Int64(Int16.max)
        case .int4: Int64(Int32.min)...Int64(Int32.max)
        case .int8: Int64.min...Int64.max
        case .oid: 0...Int64(UInt32.max)
        default: nil
        }
    }

    /// Bytes of an integer in binary.
    var integerBytes: Int {
        switch self {
        case .int2: 2
        case .int8: 8
        default: 4
        }
    }

    var isFloat: Bool { self == .float4 || self == .float8 }
    var isMoment: Bool { self == .date || self == .timestamp || self == .timestamptz }
}
