import Glibc

/// A value of a type whose text and binary forms differ, by what it means, so that both have the same digest; and how a digest is
/// written as a value of that type.
struct CanonicalValue {
    /// What is hashed.
    let bytes: [UInt8]
    private let type: MaskableType
    private let format: ValueFormat

    /// nil for types that are hashed as they are written, or not at all, and for what is no value of its type.
    init?(_ value: UnsafeRawBufferPointer, _ type: MaskableType, _ format: ValueFormat) {
        self.type = type
        self.format = format
        switch type {
        case .int2, .int4, .int8, .oid:
            guard let number = NumberForm.integer(value, type, format) else { return nil }
            bytes = Array(String(number).utf8)
        case .float4, .float8:
            guard let number = NumberForm.float(value, type, format) else { return nil }
            bytes = NumberForm.write(number, type, .text)
        case .numeric:
            guard let number = NumberForm.decimal(value, format) else { return nil }
            bytes = number.shortest.text
        case .date, .timestamp, .timestamptz:
            guard let moment = Self.moment(value, type, format) else { return nil }
            bytes = bigEndian(moment)
        case .inet, .cidr:
            guard let address = NetworkAddress(value, format) else { return nil }
            bytes = address.bytes + [address.prefix]
        case .macaddr, .macaddr8:
            guard let address = Self.hardware(value, format), address.count == (type == .macaddr ? 6 : 8) else { return nil }
            bytes = address
        default:
            return nil
        }
    }

    /// Days or microseconds from 2000-01-01; the infinities are the ends of what a number holds.
    private static func moment(_ value: UnsafeRawBufferPointer, _ type: MaskableType, _ format: ValueFormat) -> Int64? {
        if format == .binary {
            guard type == .date else { return value.count == 8 ? fromBigEndian(value) : nil }
            guard value.count == 4, let day: Int32 = fromBigEndian(value) else { return nil }
            return day == .min ? .min : day == .max ? .max : Int64(day)
        }
        if value.elementsEqual("infinity".utf8) { return .max }
        if value.elementsEqual("-infinity".utf8) { return .min }
        guard let moment = Moment(value) else { return nil }
        return type == .date ? moment.days : moment.instant
    }

    private static func hardware(_ value: UnsafeRawBufferPointer, _ format: ValueFormat) -> [UInt8]? {
        guard format == .text else { return Array(value) }
        guard value.count % 3 == 2, value.count <= 23 else { return nil }
        return stride(from: 0, to: value.count, by: 3).reduce(into: [UInt8]?([])) { bytes, index in
            guard let high = HashMask.nibble(value[index]), let low = HashMask.nibble(value[index + 1]) else { return bytes = nil }
            bytes?.append(high << 4 | low)
        }
    }

    // MARK: Writing

    /// A value of the same type that `digest` (32 bytes) decides.
    func shaped(_ digest: [UInt8]) -> [UInt8]? {
        let number = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch type {
        case .int2, .int4, .int8, .oid:
            guard let range = type.integers else { return nil }
            // Never negative; of int8 no more than 18 digits, which every client can hold.
            let bound = min(UInt64(range.upperBound), 999_999_999_999_999_999)
            return NumberForm.write(Int64(number % (bound + 1)), type, format)
        case .float4: return NumberForm.write(Double(number % (1 << 24)), type, format)
        case .float8: return NumberForm.write(Double(number % (1 << 53)), type, format)
        case .numeric:
            return Array(String(number % 1_000_000_000_000).utf8).withUnsafeBytes { DecimalNumber($0) }
                .map { NumberForm.write($0, format) }
        case .date:
            let days = Self.day(number)
            return format == .binary ? bigEndian(Int32(truncatingIfNeeded: days)) : Moment.write(days: days, rest: [])
        case .timestamp, .timestamptz:
            let second = Int64(digest[8...11].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % 86_400)
            let instant = Self.day(number) * Moment.dayMicroseconds + second * 1_000_000
            return format == .binary ? bigEndian(instant) : Moment.write(instant: instant, isZoned: type == .timestamptz)
        case .inet, .cidr:
            let isLong = bytes.count > 5
            let address = isLong ? [0xFD] + digest[1...15] : [10] + digest[1...3]
            return NetworkAddress(bytes: Array(address), prefix: isLong ? 128 : 32).written(isNetwork: type == .cidr, format)
        case .macaddr, .macaddr8:
            var address = Array(digest.prefix(bytes.count))
            // Administered locally, of a single station (IEEE 802, section 8.2).
            address[0] = address[0] & 0xFC | 0x02
            return format == .binary ? address : Self.colons(address)
        default: return nil
        }
    }

    /// In the 20th or 21st century, as days from 2000-01-01.
    private static func day(_ number: UInt64) -> Int64 { Int64(number % 73_048) - 36_524 }

    private static func colons(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":").utf8)
    }
}

/// An address of inet or cidr.
struct NetworkAddress {
    /// 4 or 16, in network order.
    let bytes: [UInt8]
    let prefix: UInt8

    init(bytes: [UInt8], prefix: UInt8) {
        self.bytes = bytes
        self.prefix = prefix
    }

    init?(_ value: UnsafeRawBufferPointer, _ format: ValueFormat) {
        if format == .binary {
            guard value.count >= 8, let length = [2: 4, 3: 16][value[0]], Int(value[3]) == length, value.count == 4 + length,
                Int(value[1]) <= length * 8
            else { return nil }
            self.init(bytes: Array(value.dropFirst(4)), prefix: value[1])
            return
        }
        guard value.count <= 64, !value.contains(0) else { return nil }
        let parts = String(decoding: value, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let text = parts.first.map(String.init) else { return nil }
        let isLong = text.contains(":")
        var bytes = [UInt8](repeating: 0, count: isLong ? 16 : 4)
        guard inet_pton(isLong ? AF_INET6 : AF_INET, text, &bytes) == 1 else { return nil }
        let most = UInt8(bytes.count * 8)
        guard let prefix = parts.count == 2 ? UInt8(parts[1]) : most, prefix <= most else { return nil }
        self.init(bytes: bytes, prefix: prefix)
    }

    func written(isNetwork: Bool, _ format: ValueFormat) -> [UInt8]? {
        let isLong = bytes.count == 16
        if format == .binary { return [isLong ? 3 : 2, prefix, isNetwork ? 1 : 0, UInt8(bytes.count)] + bytes }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(isLong ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        let address = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return isNetwork ? address + Array("/\(prefix)".utf8) : address
    }
}
