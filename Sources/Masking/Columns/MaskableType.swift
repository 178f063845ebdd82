/// What is known of a PostgreSQL type by masking: which replacements its input function accepts.
///
/// OIDs are those of `pg_type.dat`; they never change between versions. Every type that is not named here (numbers, dates,
/// booleans, arrays, ranges, composites, enums, those of extensions) is `other`: nothing but NULL is sure to be valid.
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
        default: self = .other
        }
    }
}
