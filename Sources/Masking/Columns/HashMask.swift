/// Keyed digests of values, in the shape that the value's type accepts.
enum HashMask {
    private static let digestBytes = 16

    static func write(
        _ value: UnsafeRawBufferPointer, key: MaskKey, type: MaskableType, format: ValueFormat, to output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        if let canonical = CanonicalValue(value, type, format) {
            let digest = key.mac { $0.update(canonical.bytes) }
            return canonical.shaped(digest).flatMap { put($0, output) }
        }
        guard type.isHashedWhole else { return nil }
        return key.withMAC {
            feed(value, type: type, format: format, to: &$0)
        } use: { digest in
            shape(UnsafeRawBufferPointer(rebasing: digest[..<digestBytes]), type: type, format: format, output: output)
        }
    }

    // MARK: What is hashed: the value, not its representation

    private static func feed(_ value: UnsafeRawBufferPointer, type: MaskableType, format: ValueFormat, to mac: inout KeyedMAC) {
        switch (type, format) {
        case (.paddedText, _): mac.update(PartialMask.trimmed(value))
        case (.uuid, .text): feedHex(value[...], to: &mac)
        case (.bytea, .text): feedBytea(value, to: &mac)
        default: mac.update(value)
        }
    }

    /// `bytea_output` hex or escape, as the server wrote it (PostgreSQL manual, "Binary Data Types").
    private static func feedBytea(_ value: UnsafeRawBufferPointer, to mac: inout KeyedMAC) {
        let backslash = UInt8(ascii: "\\")
        if value.count >= 2, value[0] == backslash, value[1] == UInt8(ascii: "x") {
            feedHex(value.dropFirst(2), to: &mac)
            return
        }
        var pieces = Pieces()
        var index = 0
        while index < value.count {
            var byte = value[index]
            index += 1
            if byte == backslash, index < value.count {
                if value[index] == backslash {
                    index += 1
                } else if index + 2 < value.count {
                    let digits = value[index..<(index + 3)].map { UInt16($0 & 7) }
                    byte = UInt8(truncatingIfNeeded: digits[0] << 6 | digits[1] << 3 | digits[2])
                    index += 3
                }
            }
            pieces.append(byte, to: &mac)
        }
        pieces.flush(to: &mac)
    }

    /// Hex digits in pairs; anything else (the hyphens of a UUID) is passed over.
    private static func feedHex(_ digits: UnsafeRawBufferPointer.SubSequence, to mac: inout KeyedMAC) {
        var pieces = Pieces()
        var high: UInt8?
        for digit in digits {
            guard let nibble = nibble(digit) else { continue }
            if let upper = high {
                pieces.append(upper << 4 | nibble, to: &mac)
                high = nil
            } else {
                high = nibble
            }
        }
        pieces.flush(to: &mac)
    }

    /// - Parameter nibble: below 16.
    static func digit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") &+ nibble : UInt8(ascii: "a") &- 10 &+ nibble
    }

    static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Decoded bytes on their way into the digest, so that a long value is never held twice.
    private struct Pieces {
        private var bytes: [UInt8] = []

        mutating func append(_ byte: UInt8, to mac: inout KeyedMAC) {
            bytes.append(byte)
            if bytes.count == 4_096 { flush(to: &mac) }
        }

        mutating func flush(to mac: inout KeyedMAC) {
            mac.update(bytes)
            bytes.removeAll(keepingCapacity: true)
        }
    }

    // MARK: How it is written

    private static func shape(
        _ digest: UnsafeRawBufferPointer, type: MaskableType, format: ValueFormat, output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var writer = Writer(output: output)
        switch (type, format) {
        case (.text, _), (.paddedText, _), (.xml, _):
            writer.hex(digest[...])
        case (.bytea, .binary):
            digest.forEach { writer.byte($0) }
        case (.bytea, .text):
            writer.byte(UInt8(ascii: "\\"))
            writer.byte(UInt8(ascii: "x"))
            writer.hex(digest[...])
        case (.uuid, _):
            uuid(digest, format: format, writer: &writer)
        default:
            return nil
        }
        return writer.count
    }

    /// RFC 9562 section 5.8: version 8 is for values made by one's own rule.
    private static func uuid(_ digest: UnsafeRawBufferPointer, format: ValueFormat, writer: inout Writer) {
        var bytes = Array(digest)
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        bytes.withUnsafeBytes { bytes in
            if format == .binary {
                bytes.forEach { writer.byte($0) }
                return
            }
            for (index, group) in [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].enumerated() {
                if index > 0 { writer.byte(UInt8(ascii: "-")) }
                writer.hex(bytes[group])
            }
        }
    }

    private struct Writer {
        let output: UnsafeMutableRawBufferPointer
        var count = 0

        init(output: UnsafeMutableRawBufferPointer) {
            self.output = output
        }

        mutating func byte(_ byte: UInt8) {
            guard count < output.count else { return }
            output[count] = byte
            count += 1
        }

        mutating func hex(_ bytes: UnsafeRawBufferPointer.SubSequence) {
            for value in bytes {
                byte(HashMask.digit(value >> 4))
                byte(HashMask.digit(value & 15))
            }
        }
    }
}

extension MaskableType {
    /// Its bytes are hashed as they stand; the others by what they mean.
    fileprivate var isHashedWhole: Bool {
        switch self {
        case .text, .paddedText, .xml, .bytea, .uuid: true
        default: false
        }
    }
}
