/// Ranges as text: `[1,5)`, `(,"2024-01-01 10:00:00")`, `empty`; and several: `{[1,5),[7,9)}`.
enum RangeText {
    private static let lowerEnds = Array(",".utf8)
    private static let upperEnds = Array(")]".utf8)

    static func mask(_ value: UnsafeRawBufferPointer, _ bound: PreparedMask, _ output: inout NestedOutput) -> Bool {
        var text = NestedText(value)
        if value.elementsEqual("empty".utf8) {
            output.append(value)
            return true
        }
        return one(&text, bound, &output) && text.isAtEnd
    }

    static func maskSeveral(_ value: UnsafeRawBufferPointer, _ bound: PreparedMask, _ output: inout NestedOutput) -> Bool {
        var text = NestedText(value)
        guard text.take("{") else { return false }
        output.append(UInt8(ascii: "{"))
        if !text.take("}") {
            repeat {
                if output.bytes.count > 1 { output.append(UInt8(ascii: ",")) }
                guard one(&text, bound, &output), !output.isFull else { return false }
            } while text.take(",")
            guard text.take("}") else { return false }
        }
        output.append(UInt8(ascii: "}"))
        return text.isAtEnd
    }

    private static func one(_ text: inout NestedText, _ bound: PreparedMask, _ output: inout NestedOutput) -> Bool {
        guard let opening = text.next, opening == UInt8(ascii: "[") || opening == UInt8(ascii: "(") else { return false }
        text.skip()
        output.append(opening)
        guard let lower = text.item(upTo: lowerEnds), text.take(","), write(lower, bound, &output) else { return false }
        output.append(UInt8(ascii: ","))
        guard let upper = text.item(upTo: upperEnds), write(upper, bound, &output), let closing = text.next else { return false }
        text.skip()
        output.append(closing)
        return true
    }

    /// A range cannot have a bound that is not known: then the whole is withheld. No bound at all stays so.
    private static func write(_ item: (bytes: [UInt8], isQuoted: Bool), _ bound: PreparedMask, _ output: inout NestedOutput) -> Bool {
        guard item.isQuoted || !item.bytes.isEmpty else { return true }
        guard let replacement = bound.replacement(of: item.bytes) else { return false }
        NestedText.write(replacement, &output)
        return true
    }
}

/// Ranges in binary (range_send): a byte of flags, then each bound that there is behind its length. Several (multirange_send): how
/// many, then each behind its length.
enum RangeBinary {
    private static let empty: UInt8 = 0x01
    private static let lowerInfinite: UInt8 = 0x08
    private static let upperInfinite: UInt8 = 0x10
    /// Beside these: which bounds belong to the range.
    private static let known: UInt8 = 0x1F

    static func mask(_ value: UnsafeRawBufferPointer, _ bound: PreparedMask, _ output: inout NestedOutput) -> Bool {
        var reader = NestedReader(value)
        guard let flags: UInt8 = reader.integer(), flags & ~known == 0 else { return false }
        output.append(flags)
        if flags & empty != 0 { return reader.isAtEnd }
        for infinite in [lowerInfinite, upperInfinite] where flags & infinite == 0 {
            guard case .value(let bytes)? = reader.item(), let replacement = bound.replacement(of: bytes) else { return false }
            output.appendBinary(replacement)
        }
        return reader.isAtEnd
    }

    static func maskSeveral(_ value: UnsafeRawBufferPointer, _ bound: PreparedMask, _ output: inout NestedOutput) -> Bool {
        var reader = NestedReader(value)
        guard let count: Int32 = reader.integer(), count >= 0, Int(count) <= value.count / 5 else { return false }
        output.append(bigEndian(count))
        for _ in 0..<count {
            guard case .value(let bytes)? = reader.item() else { return false }
            var range = NestedOutput(limit: output.limit)
            guard mask(bytes, bound, &range), !range.isFull, !output.isFull else { return false }
            output.appendBinary(range.bytes)
        }
        return reader.isAtEnd
    }
}
