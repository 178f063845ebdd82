import Crypto

/// Keyed pseudonyms in the shape of the value: a digit becomes a digit, a letter a letter of its case, a character that is not
/// ASCII a small letter, and all else stays. The same value under the same key has the same token. Two values may have the same
/// one: the shorter they are, the sooner.
enum TokenMask {
    static func write(
        _ value: UnsafeRawBufferPointer, key: MaskKey, type: MaskableType, format: ValueFormat, to output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        switch type {
        case .text, .paddedText, .singleByte:
            return text(value, key, isPadded: type == .paddedText, output)
        case .bytea:
            return bytes(value, key, format, output)
        case .int2, .int4, .int8:
            guard let number = NumberForm.integer(value, type, format), let range = type.integers else { return nil }
            return NumberForm.write(integer(number, key, range), type, format).flatMap { put($0, output) }
        case .float4, .float8:
            guard let number = NumberForm.float(value, type, format), number.isFinite else { return nil }
            let written = digits(NumberForm.write(number, type, .text), key)
            guard let token = Double(String(decoding: written, as: UTF8.self)), type == .float8 || Float(token).isFinite, token.isFinite
            else { return nil }
            return put(NumberForm.write(token, type, format), output)
        case .numeric:
            guard let number = NumberForm.decimal(value, format), number.kind == .finite else { return nil }
            let token = digits(number.text, key).withUnsafeBytes { DecimalNumber($0) }
            return token.flatMap { put(NumberForm.write($0, format), output) }
        case .uuid, .inet, .cidr, .macaddr, .macaddr8:
            // They have one shape, and a hash of theirs has it.
            return HashMask.write(value, key: key, type: type, format: format, to: output)
        case .json, .jsonb, .xml, .bool, .oid, .date, .timestamp, .timestamptz, .time, .timetz, .interval, .other:
            return nil
        }
    }

    /// The bytes that replacements are chosen by, two for each character.
    private struct Stream {
        private let key: MaskKey
        private let seed: [UInt8]
        private var block: [UInt8]
        private var position = 0
        private var number: UInt64 = 0

        init(_ key: MaskKey, _ value: UnsafeRawBufferPointer) {
            self.key = key
            seed = key.mac { $0.update(value) }
            block = seed
        }

        mutating func next(below bound: UInt16) -> UInt8 {
            if position == block.count {
                number += 1
                let (seed, number) = (seed, number)
                block = key.mac {
                    $0.update(seed)
                    $0.update(bigEndian(number))
                }
                position = 0
            }
            let drawn = UInt16(block[position]) << 8 | UInt16(block[position + 1])
            position += 2
            return UInt8(truncatingIfNeeded: drawn % bound)
        }
    }

    // MARK: Text

    private static func text(
        _ value: UnsafeRawBufferPointer, _ key: MaskKey, isPadded: Bool, _ output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let core = isPadded ? PartialMask.trimmed(value) : value
        var stream = Stream(key, core)
        var written = 0
        var changes = false
        for byte in core {
            // Bytes inside of a character: its first one was replaced.
            if byte & 0xC0 == 0x80 { continue }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): output[written] = UInt8(ascii: "0") + stream.next(below: 10)
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): output[written] = UInt8(ascii: "A") + stream.next(below: 26)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), 0x80...: output[written] = UInt8(ascii: "a") + stream.next(below: 26)
            default:
                output[written] = byte
                written += 1
                continue
            }
            changes = true
            written += 1
        }
        // What has no letter and no digit would be shown as it is.
        if !changes, core.contains(where: { $0 != UInt8(ascii: " ") }) { return put(Array("****".utf8), output) }
        return written
    }

    // MARK: Bytes

    private static func bytes(
        _ value: UnsafeRawBufferPointer, _ key: MaskKey, _ format: ValueFormat, _ output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let raw: [UInt8]
        if format == .text {
            guard let decoded = ByteaText.decoded(value) else { return nil }
            raw = decoded
        } else {
            raw = Array(value)
        }
        var stream = raw.withUnsafeBytes { Stream(key, $0) }
        let token = raw.map { _ in stream.next(below: 256) }
        return put(format == .text ? ByteaText.encoded(token) : token, output)
    }

    // MARK: Numbers

    /// As many digits, and the sign.
    private static func integer(_ number: Int64, _ key: MaskKey, _ range: ClosedRange<Int64>) -> Int64 {
        var token = digits(Array(String(number).utf8), key)
        if let made = Int64(String(decoding: token, as: UTF8.self)), range.contains(made) { return made }
        // As many digits as the type's longest number has: with a 1 in front it fits.
        if let first = token.firstIndex(where: { $0 != UInt8(ascii: "-") }) { token[first] = UInt8(ascii: "1") }
        return Int64(String(decoding: token, as: UTF8.self)) ?? 0
    }

    /// A number's digits replaced, up to its exponent; one of several digits begins with none that is 0, and `0.` stays.
    private static func digits(_ text: [UInt8], _ key: MaskKey) -> [UInt8] {
        var stream = text.withUnsafeBytes { Stream(key, $0) }
        let zero = UInt8(ascii: "0")
        let whole = text.drop { $0 == UInt8(ascii: "-") }.prefix { $0 &- zero < 10 }
        var result = text
        for index in text.indices {
            if text[index] | 0x20 == UInt8(ascii: "e") { break }
            guard text[index] &- zero < 10 else { continue }
            let isFirst = index == whole.startIndex
            if isFirst, whole.count > 1 {
                result[index] = zero + 1 + stream.next(below: 9)
            } else if isFirst, text[index] == zero, text.count > whole.endIndex {
                continue
            } else {
                result[index] = zero + stream.next(below: 10)
            }
        }
        return result
    }
}

/// The text form of bytea: hex, or the older escapes (PostgreSQL manual, "Binary Data Types").
enum ByteaText {
    static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return Array("\\x".utf8) + bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    /// nil for what is not hex; a session that writes escapes (`bytea_output`) has its values withheld.
    static func decoded(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count >= 2, text.count % 2 == 0, text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x") else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        for index in stride(from: 2, to: text.count, by: 2) {
            guard let high = HashMask.nibble(text[index]), let low = HashMask.nibble(text[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
