/// Composites as text: `(1,"a b",)`; a column without anything between the commas is NULL.
enum CompositeText {
    private static let ends = Array(",)".utf8)

    static func mask(_ value: UnsafeRawBufferPointer, _ fields: [PreparedMask], _ output: inout NestedOutput) -> Bool {
        var text = NestedText(value)
        guard text.take("(") else { return false }
        output.append(UInt8(ascii: "("))
        if fields.isEmpty {
            output.append(UInt8(ascii: ")"))
            return text.take(")") && text.isAtEnd
        }
        for (index, field) in fields.enumerated() {
            guard let item = text.item(upTo: ends) else { return false }
            if item.isQuoted || !item.bytes.isEmpty, let replacement = field.replacement(of: item.bytes) {
                NestedText.write(replacement, &output)
            }
            let isLast = index == fields.count - 1
            guard isLast ? text.take(")") : text.take(",") else { return false }
            output.append(isLast ? UInt8(ascii: ")") : UInt8(ascii: ","))
        }
        return text.isAtEnd
    }
}

/// Composites in binary (record_send): how many columns, then for each its type, a length and the value.
enum CompositeBinary {
    static func mask(
        _ value: UnsafeRawBufferPointer, _ fields: [(type: UInt32, mask: PreparedMask)], _ output: inout NestedOutput
    ) -> Bool {
        var reader = NestedReader(value)
        guard let count: Int32 = reader.integer(), count == fields.count else { return false }
        output.append(bigEndian(count))
        for field in fields {
            guard let type: UInt32 = reader.integer(), type == field.type, let item = reader.item() else { return false }
            output.append(bigEndian(type))
            var replacement: [UInt8]?
            if case .value(let bytes) = item { replacement = field.mask.replacement(of: bytes) }
            output.appendBinary(replacement)
        }
        return reader.isAtEnd
    }
}
