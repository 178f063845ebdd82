/// What a type's values are made of, down to the server's own scalar types.
///
/// OIDs are those of `pg_type.dat`; they never change between versions.
public indirect enum ValueShape: Sendable, Hashable {
    /// One of a composite's columns.
    public struct Field: Sendable, Hashable {
        /// As `pg_attribute.atttypid` has it, which is what the binary form repeats.
        public var type: UInt32
        public var shape: ValueShape

        public init(type: UInt32, shape: ValueShape) {
            self.type = type
            self.shape = shape
        }
    }

    /// A scalar, or a type that nothing is known of: for that NULL alone is sure to be valid.
    case scalar(UInt32)
    /// - type: the elements' type as the array's own definition has it, which is what the binary form repeats.
    case array(type: UInt32, of: ValueShape)
    case composite([Field])
    case range(of: ValueShape)
    /// - of: what its ranges are of.
    case multirange(of: ValueShape)

    /// More types inside of one another are not followed.
    public static let maximumDepth = 8

    /// One of the server's own types.
    public init(oid: UInt32) {
        if let element = Self.elements[oid] {
            self = .array(type: element, of: ValueShape(oid: element))
        } else if let bound = Self.ranges[oid] {
            self = .range(of: .scalar(bound))
        } else if let bound = Self.multiranges[oid] {
            self = .multirange(of: .scalar(bound))
        } else {
            self = .scalar(oid)
        }
    }

    /// Arrays and their elements.
    private static let elements: [UInt32: UInt32] = [
        1000: 16, 1001: 17, 1002: 18, 1003: 19, 1005: 21, 1007: 23, 1009: 25, 1014: 1042, 1015: 1043, 1016: 20, 1021: 700, 1022: 701,
        1028: 26, 1040: 829, 1041: 869, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184, 1187: 1186, 1231: 1700, 1270: 1266, 1263: 2275,
        2951: 2950, 199: 114, 3807: 3802, 143: 142, 651: 650, 775: 774, 3905: 3904, 3907: 3906, 3909: 3908, 3911: 3910, 3913: 3912,
        3927: 3926, 6150: 4451, 6151: 4532, 6152: 4533, 6153: 4534, 6155: 4535, 6157: 4536,
    ]
    /// int4range, numrange, tsrange, tstzrange, daterange, int8range.
    private static let ranges: [UInt32: UInt32] = [3904: 23, 3906: 1700, 3908: 1114, 3910: 1184, 3912: 1082, 3926: 20]
    private static let multiranges: [UInt32: UInt32] = [4451: 23, 4532: 1700, 4533: 1114, 4534: 1184, 4535: 1082, 4536: 20]
}
