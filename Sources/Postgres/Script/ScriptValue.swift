import Foundation
import NIOCore

/// A value of a parameter or a cell, as text that PostgreSQL reads back. Binary forms are those of the types' send functions.
enum ScriptValue {
    /// Types by their OIDs (pg_type.dat), under the names that SQL gives them.
    private static let names: [UInt32: String] = [
        16: "boolean", 17: "bytea", 18: "\"char\"", 19: "name", 20: "bigint", 21: "smallint", 23: "integer", 25: "text", 26: "oid",
        114: "json", 142: "xml", 650: "cidr", 700: "real", 701: "double precision", 829: "macaddr", 869: "inet", 1042: "bpchar",
        1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz", 1186: "interval", 1266: "timetz",
        1700: "numeric", 2950: "uuid", 3802: "jsonb",
    ]
    /// The types of arrays' elements.
    private static let elements: [UInt32: UInt32] = [
        1000: 16, 1001: 17, 1002: 18, 1003: 19, 1016: 20, 1005: 21, 1007: 23, 1009: 25, 1028: 26, 199: 114, 143: 142, 651: 650, 1021: 700,
        1022: 701, 1040: 829, 1041: 869, 1014: 1042, 1015: 1043, 1182: 1082, 1183: 1083, 1115: 1114, 1185: 1184, 1187: 1186, 1270: 1266,
        1231: 1700, 2951: 2950, 3807: 3802,
    ]

    /// A literal for a parameter; nil when it cannot be said.
    /// - Parameter type: its OID; 0 where the client left it to the server.
    static func literal(_ bytes: [UInt8]?, type: UInt32, isBinary: Bool) -> String? {
        let name = names[type] ?? elements[type].flatMap { names[$0] }.map { $0 + "[]" }
        guard let bytes else { return "NULL" + (name.map { "::" + $0 } ?? "") }
        guard let text = text(bytes, type: type, isBinary: isBinary) else { return nil }
        return quoted(text) + (name.map { "::" + $0 } ?? "")
    }

    /// The value's text form; nil when it is not UTF-8, or binary of a type that is not known here.
    static func text(_ bytes: [UInt8], type: UInt32, isBinary: Bool) -> String? {
        guard isBinary else { return String(validating: bytes, as: UTF8.self) }
        var buffer = ByteBuffer(bytes: bytes)
        if let element = elements[type] { return array(&buffer, element) }
        guard let text = scalar(&buffer, type, count: bytes.count), buffer.readableBytes == 0 else { return nil }
        return text
    }

    private static func scalar(_ buffer: inout ByteBuffer, _ type: UInt32, count: Int) -> String? {
        switch type {
        case 16: buffer.readInteger(as: UInt8.self).map { $0 == 0 ? "false" : "true" }
        case 17: buffer.readBytes(length: count).map { "\\x" + hexadecimal($0) }
        case 20: buffer.readInteger(as: Int64.self).map { String($0) }
        case 21: buffer.readInteger(as: Int16.self).map { String($0) }
        case 23: buffer.readInteger(as: Int32.self).map { String($0) }
        case 26: buffer.readInteger(as: UInt32.self).map { String($0) }
        case 18, 19, 25, 114, 142, 1042, 1043: buffer.readBytes(length: count).flatMap { String(validating: $0, as: UTF8.self) }
        case 700: buffer.readInteger(as: UInt32.self).map { number(Double(Float(bitPattern: $0)), "\(Float(bitPattern: $0))") }
        case 701: buffer.readInteger(as: UInt64.self).map { number(Double(bitPattern: $0), "\(Double(bitPattern: $0))") }
        case 1082: buffer.readInteger(as: Int32.self).map { date(Int64($0), isEnd: $0 == .max, isBegin: $0 == .min) }
        case 1083: buffer.readInteger(as: Int64.self).flatMap { time($0) }
        case 1114: buffer.readInteger(as: Int64.self).flatMap { timestamp($0, zone: "") }
        case 1184: buffer.readInteger(as: Int64.self).flatMap { timestamp($0, zone: "+00") }
        case 1186: interval(&buffer)
        case 1266: timeWithZone(&buffer)
        case 1700: numeric(&buffer)
        case 2950: buffer.readBytes(length: 16).map { hexadecimal($0) }
        case 3802:
            buffer.readInteger(as: UInt8.self) == 1
                ? buffer.readBytes(length: count - 1).flatMap { String(validating: $0, as: UTF8.self) } : nil
        default: nil
        }
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private static func number(_ value: Double, _ text: String) -> String {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : text
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Days since 2000-01-01; the civil date by counting eras of 400 years.
    private static func date(_ days: Int64, isEnd: Bool = false, isBegin: Bool = false) -> String {
        if isEnd { return "infinity" }
        if isBegin { return "-infinity" }
        // From 0000-03-01, so that the leap day is a year's last.
        let day = days + 730_425
        let era = (day >= 0 ? day : day - 146_096) / 146_097
        let ofEra = day - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * ofYear + 2) / 153
        let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
        let shown = year > 0 ? year : 1 - year
        let padding = String(repeating: "0", count: max(0, 4 - String(shown).utf8.count))
        return
            "\(padding)\(shown)-\(two(month < 10 ? month + 3 : month - 9))-\(two(ofYear - (153 * month + 2) / 5 + 1))\(year > 0 ? "" : " BC")"
    }

    private static func time(_ microseconds: Int64) -> String? {
        guard (0...86_400_000_000).contains(microseconds) else { return nil }
        let seconds = microseconds / 1_000_000
        let fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
        return "\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))" + (fraction == "000000" ? "" : ".\(fraction)")
    }

    private static func timestamp(_ microseconds: Int64, zone: String) -> String? {
        if microseconds == .max { return "infinity" }
        if microseconds == .min { return "-infinity" }
        // What the type can hold; so nothing below overflows.
        guard (-211_813_488_000_000_000..<9_223_371_331_200_000_000).contains(microseconds) else { return nil }
        let perDay: Int64 = 86_400_000_000
        let days = microseconds >= 0 ? microseconds / perDay : -((-(microseconds + 1)) / perDay) - 1
        guard let time = time(microseconds - days * perDay) else { return nil }
        let date = date(days)
        return date.hasSuffix(" BC") ? "\(date.dropLast(3)) \(time)\(zone) BC" : "\(date) \(time)\(zone)"
    }

    private static func interval(_ buffer: inout ByteBuffer) -> String? {
        guard let (microseconds, days, months) = buffer.readMultipleIntegers(as: (Int64, Int32, Int32).self) else { return nil }
        let seconds = microseconds / 1_000_000
        let rest = (microseconds % 1_000_000).magnitude
        let sign = microseconds < 0 ? "-" : ""
        return "\(months) mons \(days) days \(sign)\(seconds.magnitude).\(String(rest + 1_000_000).dropFirst()) secs"
    }

    private static func timeWithZone(_ buffer: inout ByteBuffer) -> String? {
        guard let (microseconds, west) = buffer.readMultipleIntegers(as: (Int64, Int32).self), let time = time(microseconds),
            west.magnitude < 86_400
        else { return nil }
        let zone = Int64(west.magnitude)
        return "\(time)\(west > 0 ? "-" : "+")\(two(zone / 3600)):\(two(zone / 60 % 60)):\(two(zone % 60))"
    }

    /// Digits to the base of 10000, the first with a weight (numeric_send).
    private static func numeric(_ buffer: inout ByteBuffer) -> String? {
        guard let (count, weight, sign, scale) = buffer.readMultipleIntegers(as: (Int16, Int16, UInt16, Int16).self),
            count >= 0, scale >= 0
        else { return nil }
        switch sign {
        case 0xC000: return "NaN"
        case 0xD000: return "Infinity"
        case 0xF000: return "-Infinity"
        case 0, 0x4000: break
        default: return nil
        }
        var digits: [String] = []
        for _ in 0..<count {
            guard let digit: Int16 = buffer.readInteger(), (0..<10_000).contains(digit) else { return nil }
            digits.append(String(String(Int(digit) + 10_000).dropFirst()))
        }
        let head = Int(weight) + 1
        if head < 0 { digits.insert(contentsOf: repeatElement("0000", count: -head), at: 0) }
        let missing = max(0, head - digits.count)
        digits += Array(repeating: "0000", count: missing)
        let whole = digits.prefix(max(0, head)).joined().drop { $0 == "0" }
        var fraction = digits.dropFirst(max(0, head)).joined()
        fraction += String(repeating: "0", count: max(0, Int(scale) - fraction.utf8.count))
        let kept = fraction.prefix(Int(scale))
        return (sign == 0 ? "" : "-") + (whole.isEmpty ? "0" : String(whole)) + (kept.isEmpty ? "" : "." + kept)
    }

    /// Dimensions, then the elements, each with its length (array_send).
    private static func array(_ buffer: inout ByteBuffer, _ element: UInt32) -> String? {
        guard let (count, _, type) = buffer.readMultipleIntegers(as: (Int32, Int32, UInt32).self), (0...6).contains(count), type == element
        else { return nil }
        var sizes: [Int] = []
        var bounds = ""
        for _ in 0..<count {
            guard let (size, lower) = buffer.readMultipleIntegers(as: (Int32, Int32).self), size > 0 else { return nil }
            sizes.append(Int(size))
            bounds += "[\(lower):\(Int64(lower) + Int64(size) - 1)]"
        }
        guard count > 0 else { return buffer.readableBytes == 0 ? "{}" : nil }
        guard let items = items(&buffer, sizes[...], element), buffer.readableBytes == 0 else { return nil }
        let isUsual = bounds == sizes.map { "[1:\($0)]" }.joined()
        return isUsual ? items : bounds + "=" + items
    }

    private static func items(_ buffer: inout ByteBuffer, _ sizes: ArraySlice<Int>, _ element: UInt32) -> String? {
        guard let size = sizes.first else {
            guard let length: Int32 = buffer.readInteger() else { return nil }
            if length == -1 { return "NULL" }
            guard length >= 0, let bytes = buffer.readBytes(length: Int(length)), let text = text(bytes, type: element, isBinary: true)
            else { return nil }
            return "\"" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
        }
        var parts: [String] = []
        for _ in 0..<size {
            guard let part = items(&buffer, sizes.dropFirst(), element) else { return nil }
            parts.append(part)
        }
        return "{" + parts.joined(separator: ",") + "}"
    }
}
