public import NIOCore

/// Finds what detectors know in the columns of a result that no mask names, row after row.
///
/// Rows are first looked at many at a time (`collect`, `Redactor.mayHold` over what was collected): where that finds nothing,
/// none of them need be touched.
public struct RowDetection: Sendable {
    struct Column: Sendable {
        var index: Int
        var form: FoundText
        var hints: DetectorSet.Hints
    }

    public let redactor: Redactor
    private let columns: [Column]
    private let columnCount: Int

    /// - Parameter columns: one entry a column of the result: how its values are read, and its name; nil passes it on.
    public init?(redactor: Redactor, columns: [(form: FoundText, name: String)?]) {
        self.redactor = redactor
        columnCount = columns.count
        self.columns = columns.enumerated().compactMap { index, column in
            column.map { Column(index: index, form: $0.form, hints: redactor.set.hints(from: $0.name)) }
        }
        if self.columns.isEmpty { return nil }
    }

    /// Appends the row's values that are searched to `text`, a newline behind each.
    ///
    /// - Returns: False where this is not enough to tell that nothing is in them, or the row is not as described.
    public func collect(_ row: UnsafeRawBufferPointer, into text: inout [UInt8]) -> Bool {
        var fields = RowFields(row: row)
        guard fields.count == columnCount else { return false }
        var next = 0
        for column in columns {
            guard fields.skip(column.index - next), let field = fields.next() else { return false }
            next = column.index + 1
            guard let value = field.value else { continue }
            if column.form == .byteaText {
                Bytea.append(value, to: &text)
                text.append(0x0A)
                continue
            }
            if column.form == .json || column.form == .jsonb, JSONTokens.mayHide(value) { return false }
            text.append(contentsOf: value)
            text.append(0x0A)
        }
        return true
    }

    /// Appends the row without what is in it to `buffer`.
    ///
    /// - Parameter row: the body of a DataRow.
    /// - Returns: nil when nothing was found: nothing was written.
    /// - Throws: `MaskError` when the row is not as described; nothing was written.
    public func rewrite(
        _ row: ByteBufferView, into buffer: inout ByteBuffer, seeing: ((UnsafeRawBufferPointer) -> Void)? = nil
    ) throws -> MaskCounts? {
        try row.withUnsafeBytes { try rewrite($0, into: &buffer, seeing: seeing) }
    }

    private func rewrite(
        _ row: UnsafeRawBufferPointer, into buffer: inout ByteBuffer, seeing: ((UnsafeRawBufferPointer) -> Void)?
    ) throws -> MaskCounts? {
        var fields = RowFields(row: row)
        guard fields.count == columnCount else { throw MaskError.columnCount(expected: columnCount, found: fields.count ?? 0) }
        var output: [UInt8] = []
        var counts = MaskCounts()
        var copied = 0
        var next = 0
        for column in columns {
            guard fields.skip(column.index - next), let field = fields.next() else { throw MaskError.malformedRow("a length is wrong") }
            next = column.index + 1
            guard let value = field.value else { continue }
            var replaced: [UInt8] = []
            let outcome = redactor.redact(value, as: column.form, hints: column.hints, into: &replaced, seeing: seeing)
            guard outcome != .clean else { continue }
            output.append(contentsOf: row[copied..<(field.start - 4)])
            withUnsafeBytes(of: Int32(outcome == .withheld ? -1 : Int32(clamping: replaced.count)).bigEndian) {
                output.append(contentsOf: $0)
            }
            output.append(contentsOf: replaced)
            copied = field.start + value.count
            counts.count(before: value.count, after: replaced.count)
        }
        guard fields.skip(columnCount - next), fields.isAtEnd else { throw MaskError.malformedRow("bytes behind the last column") }
        guard copied > 0 else { return nil }
        output.append(contentsOf: row[copied...])
        buffer.writeBytes(output)
        return counts
    }
}

/// Walks over the columns of a row without trusting its lengths.
struct RowFields {
    struct Field {
        var start: Int
        /// nil: NULL.
        var value: UnsafeRawBufferPointer?
    }

    let row: UnsafeRawBufferPointer
    private var position = 2

    init(row: UnsafeRawBufferPointer) {
        self.row = row
    }

    var count: Int? { row.count < 2 ? nil : Int(Int16(truncatingIfNeeded: UInt16(row[0]) << 8 | UInt16(row[1]))) }
    var isAtEnd: Bool { position == row.count }

    mutating func skip(_ count: Int) -> Bool {
        for _ in 0..<max(0, count) where next() == nil { return false }
        return true
    }

    mutating func next() -> Field? {
        guard row.count - position >= 4 else { return nil }
        let length = Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: position, as: Int32.self)))
        position += 4
        guard length >= -1, length <= row.count - position else { return nil }
        guard length >= 0 else { return Field(start: position, value: nil) }
        defer { position += length }
        return Field(start: position, value: UnsafeRawBufferPointer(rebasing: row[position..<(position + length)]))
    }
}

extension FoundText {
    /// How a column's values are searched, by the OID of its type (`pg_type.dat`); nil: it holds no text.
    ///
    /// In the text format everything but the server's own numbers, times, booleans, identifiers and addresses is text. In the
    /// binary format what has a structure of its own (arrays, rows, types of extensions) is withheld where something is in it.
    public init?(type: UInt32, format: ValueFormat) {
        switch type {
        case 25, 1043, 1042, 19, 2275, 1790, 705, 142: self = .text
        case 114: self = .json
        case 3802: self = format == .binary ? .jsonb : .json
        case 17: self = format == .binary ? .text : .byteaText
        // text, varchar, char, name, json, jsonb, xml, bytea and record, as arrays and rows.
        case 1009, 1015, 1014, 1003, 199, 3807, 143, 1001, 1263, 2249, 2287, 3614, 3615, 4072: self = format == .binary ? .opaque : .text
        // Types that are made later: those of extensions (citext, hstore), enums, composites.
        case 16_384...: self = format == .binary ? .opaque : .text
        default: return nil
        }
    }
}
