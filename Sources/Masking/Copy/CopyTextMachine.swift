import NIOCore

/// COPY's text format: columns between delimiters, rows end in a newline, a backslash takes the next byte's meaning away
/// (PostgreSQL manual, COPY, "Text Format").
struct CopyTextMachine: Sendable {
    private static let newline = UInt8(ascii: "\n")
    private static let backslash = UInt8(ascii: "\\")

    private let delimiter: UInt8
    private let null: [UInt8]
    private var rows: CopyRows
    private var escaped = false
    private var fieldIsEmpty = true

    init(options: CopyOptions, columns: [PreparedMask?], fieldLimit: Int) {
        let delimiter = options.delimiter
        let null = options.null
        self.delimiter = delimiter
        self.null = null
        let columns = columns.map { mask in
            mask.map { mask in
                let constant: [UInt8]? =
                    switch mask {
                    case .null: null
                    case .constant(let bytes): Self.escaped(bytes, delimiter: delimiter)
                    default: nil
                    }
                return CopyColumn(
                    mask: mask, nullLength: null.count, fieldLimit: fieldLimit,
                    constant: constant.map { CopyConstant(bytes: $0, quoted: []) })
            }
        }
        rows = CopyRows(columns: columns, header: options.header)
    }

    mutating func feed(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer, counts: inout MaskCounts) throws {
        var start = 0  // of what is not yet written or collected
        var index = 0
        while index < bytes.count {
            let end = endOfField(in: bytes, from: index)
            fieldIsEmpty = fieldIsEmpty && end == index
            if rows.isMasked {
                try rows.collect(bytes[index..<end])
                start = end
            }
            guard end < bytes.count else { break }
            if rows.isMasked { writeReplacement(into: &output, counts: &counts) }
            fieldIsEmpty = true
            if bytes[end] == delimiter { try rows.nextColumn() } else { try rows.nextRow() }
            index = end + 1
            if rows.isMasked {
                output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
                start = index
            }
        }
        output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    func finish() throws {
        guard rows.isAtFirstColumn, fieldIsEmpty, !escaped else { throw MaskError.malformedCopy("it ends inside a row") }
    }

    /// Where the next bare delimiter or newline is.
    private mutating func endOfField(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let delimiter = delimiter
        var escaped = escaped
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            if escaped {
                escaped = false
            } else if byte == delimiter || byte == Self.newline {
                break
            } else if byte == Self.backslash {
                escaped = true
            }
            index += 1
        }
        self.escaped = escaped
        return index
    }

    private func writeReplacement(into output: inout ByteBuffer, counts: inout MaskCounts) {
        guard let column = rows.columns[rows.column] else { return }
        if isNull(column.field) {
            output.writeBytes(null)
            return
        }
        guard let replacement = column.constant?.bytes ?? self.replacement(column) else {
            output.writeBytes(column.field.bytes)
            return
        }
        output.writeBytes(replacement)
        counts.count(before: column.field.count, after: replacement.count)
    }

    /// nil: the value stays as it is.
    private func replacement(_ column: CopyColumn) -> [UInt8]? {
        switch column.mask.outcome(of: Self.unescaped(column.field.bytes)) {
        case .unchanged: nil
        case .null: null
        case .value(let bytes): Self.escaped(bytes, delimiter: delimiter)
        }
    }

    /// The next byte is the first of a row of data.
    var isAtRow: Bool { rows.isAtRow && fieldIsEmpty && !escaped }

    /// Whether whole rows end where these bytes do, if they begin where one does.
    static func endsRow(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.last == newline else { return false }
        var backslashes = 0
        while backslashes + 1 < bytes.count, bytes[bytes.count - 2 - backslashes] == backslash { backslashes += 1 }
        return backslashes % 2 == 0
    }

    /// `\N` cannot be a value's text, since a value's backslashes are doubled. A NULL string of the client's own choice can be,
    /// and would tell which values equal it, so a field that equals it is treated as a value. The empty string tells no more
    /// than that the value is empty or NULL.
    private func isNull(_ field: CollectedField) -> Bool {
        field.equals(null) && (null.isEmpty || null == [Self.backslash, UInt8(ascii: "N")])
    }

    private static func unescaped(_ field: [UInt8]) -> [UInt8] {
        guard field.contains(backslash) else { return field }
        var value: [UInt8] = []
        value.reserveCapacity(field.count)
        var escaped = false
        for byte in field {
            if escaped {
                value.append(meaning(of: byte))
                escaped = false
            } else if byte == backslash {
                escaped = true
            } else {
                value.append(byte)
            }
        }
        return value
    }

    private static func meaning(of letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "v"): 0x0B
        default: letter
        }
    }

    private static func escaped(_ value: [UInt8], delimiter: UInt8) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(value.count * 2)
        for byte in value {
            let letter: UInt8? =
                switch byte {
                case 0x08: UInt8(ascii: "b")
                case 0x0C: UInt8(ascii: "f")
                case 0x0A: UInt8(ascii: "n")
                case 0x0D: UInt8(ascii: "r")
                case 0x09: UInt8(ascii: "t")
                case 0x0B: UInt8(ascii: "v")
                case backslash, delimiter: byte
                default: nil
                }
            if letter != nil { text.append(backslash) }
            text.append(letter ?? byte)
        }
        return text
    }
}

extension PreparedMask {
    enum Outcome {
        case unchanged, null
        case value([UInt8])
    }

    func outcome(of value: [UInt8]) -> Outcome {
        if case .detect(let detection) = self { return detection.outcome(of: value) }
        return replacement(of: value).map { .value($0) } ?? .null
    }
}
