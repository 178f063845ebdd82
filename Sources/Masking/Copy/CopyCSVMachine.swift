import NIOCore

/// COPY's CSV format: columns between delimiters, a column may be in quotes, in which only the quote (doubled, or behind an
/// escape character) is special and newlines are data (PostgreSQL manual, COPY, "CSV Format").
struct CopyCSVMachine: Sendable {
    static let idle = CopyCSVMachine(
        options: CopyDialect(delimiter: 0, null: [], quote: 0, escape: 0),
        rows: CopyRows(columns: [], header: false, nullLength: 0, fieldLimit: 0))
    private static let newline = UInt8(ascii: "\n")

    struct CopyDialect: Sendable {
        var delimiter: UInt8
        var null: [UInt8]
        var quote: UInt8
        var escape: UInt8
    }

    private enum Place: Sendable {
        /// Before a column's first byte.
        case fieldStart
        case bare
        case inQuotes
        /// Behind an escape character inside quotes; where it is also the quote, perhaps behind the closing one.
        case behindEscape
    }

    private let options: CopyDialect
    private var rows: CopyRows
    private var place = Place.fieldStart
    private var quoted = false

    private init(options: CopyDialect, rows: CopyRows) {
        self.options = options
        self.rows = rows
    }

    init(options: CopyOptions, columns: [PreparedMask?], fieldLimit: Int) {
        self.init(
            options: CopyDialect(delimiter: options.delimiter, null: options.null, quote: options.quote, escape: options.escape),
            rows: CopyRows(columns: columns, header: options.header, nullLength: options.null.count, fieldLimit: fieldLimit))
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
            if let mask = rows.mask { writeReplacement(mask, into: &output, counts: &counts) }
            rows.clearField()
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
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            switch place {
            case .fieldStart, .bare:
                if byte == options.delimiter || byte == Self.newline { return index }
                if byte == options.quote {
                    place = .inQuotes
                    quoted = true
                } else {
                    place = .bare
                }
            case .inQuotes:
                if byte == options.escape {
                    place = .behindEscape
                } else if byte == options.quote {
                    place = .bare
                }
            case .behindEscape:
                if byte == options.quote || byte == options.escape {
                    place = .inQuotes
                } else if options.escape == options.quote {
                    // That was the closing quote: look at this byte again, outside.
                    place = .bare
                    continue
                } else {
                    place = .inQuotes
                }
            }
            index += 1
        }
        return index
    }

    private func writeReplacement(_ mask: PreparedMask, into output: inout ByteBuffer, counts: inout MaskCounts) {
        let field = rows.field
        // The server quotes a value that reads as the NULL string, so this is certain.
        if !quoted, field.equals(options.null) {
            output.writeBytes(options.null)
            return
        }
        let before = output.writerIndex
        let value = mask.readsValue ? unquoted(field.bytes) : field.bytes
        if let replacement = mask.replacement(of: value) {
            write(replacement, into: &output)
        } else {
            output.writeBytes(options.null)
        }
        counts.count(before: field.count, after: output.writerIndex - before)
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

    private func write(_ value: [UInt8], into output: inout ByteBuffer) {
        let special = [options.delimiter, options.quote, Self.newline, UInt8(ascii: "\r")]
        guard quoted || value == options.null || value.contains(where: special.contains) else {
            output.writeBytes(value)
            return
        }
        output.writeInteger(options.quote)
        for byte in value {
            if byte == options.quote || byte == options.escape { output.writeInteger(options.escape) }
            output.writeInteger(byte)
        }
        output.writeInteger(options.quote)
    }
}
