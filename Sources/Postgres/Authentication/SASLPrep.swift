import Foundation

/// The SASLprep profile of stringprep (RFC 4013, RFC 3454), as PostgreSQL's clients and servers apply it to passwords.
enum SASLPrep {
    /// The password to derive SCRAM's keys from: the prepared form, or, where the profile prohibits something in it,
    /// the password as it is ("SASL Authentication": the server does the same when it stores the verifier).
    static func password(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        return prepare(text) ?? text
    }

    /// RFC 4013 section 2, as a "stored string": unassigned code points are prohibited. nil for what is prohibited.
    static func prepare(_ text: String) -> String? {
        var mapped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            // U+200B is in both tables. PostgreSQL asks for a space first, and it must come out the same here.
            if isNonASCIISpace(scalar) {
                mapped.append(" ")
            } else if !isMappedToNothing(scalar) {
                mapped.append(scalar)
            }
        }
        let normalized = String(mapped).precomposedStringWithCompatibilityMapping
        let scalars = normalized.unicodeScalars
        guard !scalars.isEmpty, !scalars.contains(where: { isProhibited($0) || isUnassigned($0) }), bidirectionIsSound(scalars) else {
            return nil
        }
        return normalized
    }

    /// RFC 3454 section 6.
    private static func bidirectionIsSound(_ scalars: String.UnicodeScalarView) -> Bool {
        func isRightToLeft(_ scalar: Unicode.Scalar) -> Bool { StringPrepTables.contains(scalar, in: StringPrepTables.rightToLeft) }
        guard scalars.contains(where: isRightToLeft) else { return true }
        guard let first = scalars.first, let last = scalars.last, isRightToLeft(first), isRightToLeft(last) else { return false }
        return !scalars.contains { StringPrepTables.contains($0, in: StringPrepTables.leftToRight) }
    }

    /// Table A.1: not in Unicode 3.2.
    static func isUnassigned(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return true }
        return age.major > 3 || (age.major == 3 && age.minor > 2)
    }

    /// Table B.1.
    static func isMappedToNothing(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00AD, 0x034F, 0x1806, 0x180B...0x180D, 0x200B...0x200D, 0x2060, 0xFE00...0xFE0F, 0xFEFF: true
        default: false
        }
    }

    /// Table C.1.2.
    static func isNonASCIISpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00A0, 0x1680, 0x2000...0x200B, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// Tables C.1.2, C.2.1, C.2.2, C.3 to C.9 (RFC 4013 section 2.3).
    static func isProhibited(_ scalar: Unicode.Scalar) -> Bool {
        if isNonASCIISpace(scalar) { return true }
        switch scalar.value {
        case 0x0000...0x001F, 0x007F,  // C.2.1
            0x0080...0x009F, 0x06DD, 0x070F, 0x180E, 0x200C, 0x200D, 0x2028, 0x2029, 0x2060...0x2063, 0x206A...0x206F, 0xFEFF,
            0xFFF9...0xFFFC, 0x1D173...0x1D17A,  // C.2.2
            0xE000...0xF8FF, 0xF0000...0xFFFFD, 0x100000...0x10FFFD,  // C.3
            0xFDD0...0xFDEF,  // C.4
            0xFFF9...0xFFFD,  // C.6
            0x2FF0...0x2FFB,  // C.7
            0x0340, 0x0341, 0x200E, 0x200F, 0x202A...0x202E,  // C.8
            0xE0001, 0xE0020...0xE007F:  // C.9
            return true
        default:
            return scalar.value & 0xFFFE == 0xFFFE  // C.4, the last two of every plane
        }
    }
}
