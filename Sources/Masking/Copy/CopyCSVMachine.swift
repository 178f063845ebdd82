import NIOCore

/// COPY's CSV format: columns between delimiters, a column may be in quotes, in which only the quote (doubled, or behind an
/// escape character) is special and newlines are data (PostgreSQL manual, COPY, "CSV Format").
struct CopyCSVMachine: Sendable {
    private static let newline = UInt8(ascii: "\n")

    private struct Dialect: Sendable {
        var delimiter: UInt8
        var null: [UInt8]
        var quote: UInt8
        var escape: UInt8

        /// A value as it stands in the stream.
        func written(_ value: [UInt8], quoted: Bool) -> [UInt8] {
            let special = [delimiter, quote, CopyCSVMachine.newline, UInt8(ascii: "\r")]
            guard quoted || value == null || value.contains(where: special.contains) else { return value }
            var text = [quote]
            for byte in value {
                if byte == quote || byte == escape { text.append(escape) }
                text.append(byte)
            }
            text.append(quote)
            return text
        }
    }

    private enum Place: Sendable {
        /// Before a column's first byte.
        case fieldStart
        case bare
        case inQuotes
        /// Behind an escape character inside quotes; where it is also the quote, perhaps behind the closing one.
        case behindEscape
    }

    private let options: Dialect
    private var rows: CopyRows
    private var place = Place.fieldStart
    private var quoted = false

    init(options: CopyOptions, columns: [PreparedMask?], fieldLimit: Int) {
        let dialect = Dialect(delimiter: options.delimiter, null: options.null, quote: options.quote, escape: options.escape)
        self.options = dialect
        let columns = columns.map { mask in
            mask.map { mask in
                let constant: CopyConstant? =
                    switch mask {
                    case .null: CopyConstant(bytes: dialect.null, quoted: dialect.null)
                    case .constant(let bytes):
                        CopyConstant(bytes: dialect.written(bytes, quoted: false), quoted: dialect.written(bytes, quoted: true))
                    default: nil
                    }
                return CopyColumn(mask: mask, nullLength: options.null.count, fieldLimit: fieldLimit, constant: constant)
            }
        }
        rows = CopyRows(columns: columns, header: options.header)
    }

    mutating func feed(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer, counts: inout MaskCounts) throws {
        var start = 0  // of what is not yet written or collected
        var index = 0
        while index < bytes.count {
            let end = endOfField(in: bytes, from: index)
            if rows.isMasked {
                try rows.collect(bytes[index..<end])
                start = end
            }
            guard end < bytes.count else { break }
            if rows.isMasked { writeReplacement(into: &output, counts: &counts) }
            place = .fieldStart
            quoted = false
            if bytes[end] == options.delimiter { try rows.nextColumn() } else { try rows.nextRow() }
            index = end + 1
            if rows.isMasked {
                output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
                start = index
            }
        }
        output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    func finish() throws {
        guard rows.isAtFirstColumn, place == .fieldStart else { throw MaskError.malformedCopy("it ends inside a row") }
    }

    /// Where the next delimiter or newline outside quotes is.
    private mutating func endOfField(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let (delimiter, quote, escape) = (options.delimiter, options.quote, options.escape)
        var place = place
        var index = start
        scan: while index < bytes.count {
            let byte = bytes[index]
            switch place {
            case .fieldStart, .bare:
                if byte == delimiter || byte == Self.newline { break scan }
                place = byte == quote ? .inQuotes : .bare
                if byte == quote { quoted = true }
            case .inQuotes:
                if byte == escape {
                    place = .behindEscape
                } else if byte == quote {
                    place = .bare
                }
            case .behindEscape:
                if byte == quote || byte == escape {
                    place = .inQuotes
                } else if escape == quote {
                    // That was the closing quote: look at this byte again, outside.
                    place = .bare
                    continue
                } else {
                    place = .inQuotes
                }
            }
            index += 1
        }
        self.place = place
        return index
    }

    private func writeReplacement(into output: inout ByteBuffer, counts: inout MaskCounts) {
        guard let column = rows.columns[rows.column] else { return }
        // The server quotes a value that reads as the NULL string, so this is certain.
        if !quoted, column.field.equals(options.null) {
            output.writeBytes(options.null)
            return
        }
        guard let replacement = column.constant.map({ quoted ? $0.quoted : $0.bytes }) ?? self.replacement(column) else {
            output.writeBytes(column.field.bytes)
            return
        }
        output.writeBytes(replacement)
        counts.count(before: column.field.count, after: replacement.count)
    }

    /// nil: the value stays as it is.
    private func replacement(_ column: CopyColumn) -> [UInt8]? {
        switch column.mask.outcome(of: unquoted(column.field.bytes)) {
        case .unchanged: nil
        case .null: options.null
        case .value(let bytes): options.written(bytes, quoted: quoted)
        }
    }

    /// The next byte is the first of a row of data.
    var isAtRow: Bool { rows.isAtRow && place == .fieldStart }

    /// Whether whole rows end where these bytes do, if they begin where one does; false where it cannot be told without reading
    /// them.
    func endsRow(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let quote = options.quote
        guard options.escape == quote, bytes.last == Self.newline else { return false }
        return bytes.reduce(0) { $0 + ($1 == quote ? 1 : 0) } % 2 == 0
    }

    private func unquoted(_ field: [UInt8]) -> [UInt8] {
        guard quoted else { return field }
        var value: [UInt8] = []
        value.reserveCapacity(field.count)
        var inQuotes = false
        var index = 0
        while index < field.count {
            let byte = field[index]
            index += 1
            guard inQuotes else {
                if byte == options.quote { inQuotes = true } else { value.append(byte) }
                continue
            }
            if byte == options.escape, index < field.count, field[index] == options.quote || field[index] == options.escape {
                value.append(field[index])
                index += 1
            } else if byte == options.quote {
                inQuotes = false
            } else {
                value.append(byte)
            }
        }
        return value
    }
}
