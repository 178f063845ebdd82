/// Arrays as text: `{1,NULL,"a b"}`, `[0:1]={{1,2},{3,4}}`.
enum ArrayText {
    /// The server's own bound (MAXDIM).
    static let maximumDimensions = 6

    static func mask(_ value: UnsafeRawBufferPointer, _ element: PreparedMask, _ output: inout NestedOutput) -> Bool {
        var text = NestedText(value)
        guard bounds(&text, &output) else { return false }
        let ends = Array(",{}".utf8)
        var depth = 0
        /// An item, or a brace that opens, may stand here.
        var wantsItem = true
        repeat {
            guard let next = text.next else { return false }
            switch next {
            case UInt8(ascii: "{"):
                guard wantsItem, depth < maximumDimensions else { return false }
                depth += 1
                output.append(next)
                text.skip()
            case UInt8(ascii: "}"):
                // Behind a brace that opens, it is an empty array.
                guard depth > 0, !wantsItem || output.bytes.last == UInt8(ascii: "{") else { return false }
                depth -= 1
                wantsItem = false
                output.append(next)
                text.skip()
            case UInt8(ascii: ","):
                guard depth > 0, !wantsItem else { return false }
                wantsItem = true
                output.append(next)
                text.skip()
            default:
                guard depth > 0, wantsItem, let item = text.item(upTo: ends) else { return false }
                wantsItem = false
                write(item, element, &output)
            }
            if output.isFull { return false }
        } while depth > 0
        return text.isAtEnd
    }

    private static func write(
        _ item: (bytes: [UInt8], isQuoted: Bool), _ element: PreparedMask, _ output: inout NestedOutput
    ) {
        let isNull = !item.isQuoted && NestedText.isNull(item.bytes)
        if !isNull, let replacement = element.replacement(of: item.bytes) {
            NestedText.write(replacement, &output)
        } else {
            output.append("NULL".utf8)
        }
    }

    /// `[1:3][-2:5]=`, where the lower bounds are not 1.
    private static func bounds(_ text: inout NestedText, _ output: inout NestedOutput) -> Bool {
        guard text.next == UInt8(ascii: "[") else { return text.next == UInt8(ascii: "{") }
        let start = text.position
        var count = 0
        while text.take("[") {
            count += 1
            guard count <= maximumDimensions, number(&text), text.take(":"), number(&text), text.take("]") else { return false }
        }
        guard text.take("="), text.next == UInt8(ascii: "{") else { return false }
        output.append(text.bytes[start..<text.position])
        return true
    }

    private static func number(_ text: inout NestedText) -> Bool {
        _ = text.take("-")
        var digits = 0
        while let next = text.next, next &- UInt8(ascii: "0") < 10, digits < 10 {
            text.skip()
            digits += 1
        }
        return digits > 0
    }
}

/// Arrays in binary (array_send): dimensions, flags, the elements' type, a size and lower bound for each dimension, then the
/// elements, each behind its length.
enum ArrayBinary {
    static func mask(_ value: UnsafeRawBufferPointer, _ type: UInt32, _ element: PreparedMask, _ output: inout NestedOutput) -> Bool {
        var reader = NestedReader(value)
        guard let dimensions: Int32 = reader.integer(), (0...Int32(ArrayText.maximumDimensions)).contains(dimensions),
            let flags: Int32 = reader.integer(), (0...1).contains(flags), let found: UInt32 = reader.integer(), found == type
        else { return false }
        // No element is shorter than its length, so no count beyond this can be true.
        let most = value.count / 4
        var count = dimensions == 0 ? 0 : 1
        for _ in 0..<dimensions {
            guard let size: Int32 = reader.integer(), size >= 0, let _: Int32 = reader.integer() else { return false }
            let (product, overflow) = count.multipliedReportingOverflow(by: Int(size))
            guard !overflow, product <= most else { return false }
            count = product
        }
        output.append(value[..<reader.position])
        var hasNull = false
        for _ in 0..<count {
            guard let item = reader.item(), !output.isFull else { return false }
            var replacement: [UInt8]?
            if case .value(let bytes) = item { replacement = element.replacement(of: bytes) }
            hasNull = hasNull || replacement == nil
            output.appendBinary(replacement)
        }
        guard reader.isAtEnd, !output.isFull else { return false }
        // The last byte of the flags says whether any element is NULL.
        if hasNull { output.bytes[7] = 1 }
        return true
    }
}
