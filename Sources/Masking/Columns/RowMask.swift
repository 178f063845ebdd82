public import NIOCore

/// Masks the columns of a result, row after row.
public struct RowMask: Sendable {
    private struct Step: Sendable {
        var column: Int
        var mask: PreparedMask
    }

    private let columnCount: Int
    private let steps: [Step]
    /// A replacement may be of any length.
    private let isNested: Bool

    /// One entry a column of the RowDescription; nil passes the column on as it is.
    public init(columns: [ColumnMask?]) {
        self.init(prepared: columns.map { $0.map(PreparedMask.init) })
    }

    init(prepared columns: [PreparedMask?]) {
        columnCount = columns.count
        steps = columns.enumerated().compactMap { index, mask in
            mask.map { Step(column: index, mask: $0) }
        }
        isNested = steps.contains { $0.mask.isNested }
    }

    /// No column is masked: rows need not be looked at.
    public var isEmpty: Bool { steps.isEmpty }

    /// Appends the masked body of a DataRow message to `buffer`.
    ///
    /// - Parameters:
    ///   - payload: the body of a DataRow, behind its length: Int16 number of columns, then for each an Int32 length
    ///     (-1: NULL) and that many bytes (PostgreSQL protocol, "Message Formats").
    ///   - seeing: is shown every value that is masked.
    /// - Throws: `MaskError` when the lengths do not fill the body exactly or the row has not as many columns as were described;
    ///   `buffer` is then as it was.
    public func mask(
        dataRow payload: ByteBufferView, into buffer: inout ByteBuffer, seeing: ((UnsafeRawBufferPointer) -> Void)? = nil
    ) throws -> MaskCounts {
        try payload.withUnsafeBytes { try mask(row: $0, into: &buffer, seeing: seeing) }
    }

    func mask(
        row: UnsafeRawBufferPointer, into buffer: inout ByteBuffer, seeing: ((UnsafeRawBufferPointer) -> Void)? = nil
    ) throws -> MaskCounts {
        var counts = MaskCounts()
        if isNested {
            let start = buffer.writerIndex
            do { try append(row, to: &buffer, counts: &counts, seeing) } catch {
                buffer.moveWriterIndex(to: start)
                throw error
            }
            return counts
        }
        guard let room = room(for: row.count) else { throw MaskError.malformedRow("its length") }
        _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { output in
            try rewrite(row, output: output, counts: &counts, seeing)
        }
        return counts
    }

    /// The most bytes that a masked row of `count` bytes takes; nil where that is not known before.
    public func room(for count: Int) -> Int? {
        guard !isNested else { return nil }
        let (room, overflow) = count.addingReportingOverflow(steps.count * (ValueMask.maximumGrowth + 4))
        return overflow ? nil : room
    }

    /// Writes the masked `row`, the body of a DataRow, to `output`; how many bytes it takes.
    ///
    /// - Parameter output: has the `room` for it.
    /// - Throws: `MaskError` where the row is not of the columns, or `output` has not the room. Nothing in `output` is good then.
    public func mask(row: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer) throws -> Int {
        guard let room = room(for: row.count), output.count >= room else { throw MaskError.malformedRow("no room for it") }
        var counts = MaskCounts()
        return try rewrite(row, output: output, counts: &counts, nil)
    }

    /// `output` has room for the row and for the longest replacement in every masked column.
    private func rewrite(
        _ row: UnsafeRawBufferPointer, output: UnsafeMutableRawBufferPointer, counts: inout MaskCounts,
        _ seeing: ((UnsafeRawBufferPointer) -> Void)?
    ) throws -> Int {
        guard row.count >= 2 else { throw MaskError.malformedRow("no column count") }
        let found = Int(Int16(truncatingIfNeeded: UInt16(row[0]) << 8 | UInt16(row[1])))
        guard found == columnCount else { throw MaskError.columnCount(expected: columnCount, found: found) }
        var fields = Fields(row: row, position: 2)
        var copied = 0  // of the row
        var written = 0  // of the output
        var column = 0
        for step in steps {
            try fields.skip(step.column - column)
            column = step.column + 1
            guard let value = try fields.next() else { continue }
            seeing?(value)
            // Everything up to the value's length goes as one piece.
            let run = fields.position - value.count - 4 - copied
            copy(row, from: copied, count: run, to: output, at: written)
            written += run
            copied = fields.position
            let space = UnsafeMutableRawBufferPointer(rebasing: output[(written + 4)...])
            let length = step.mask.write(replacementOf: value, to: space)
            output.storeBytes(of: Int32(length ?? -1).bigEndian, toByteOffset: written, as: Int32.self)
            written += 4 + (length ?? 0)
            counts.count(before: value.count, after: length ?? 0)
        }
        try fields.skip(columnCount - column)
        guard fields.position == row.count else { throw MaskError.malformedRow("bytes behind the last column") }
        copy(row, from: copied, count: row.count - copied, to: output, at: written)
        return written + row.count - copied
    }

    /// As `rewrite`, for replacements of any length.
    private func append(
        _ row: UnsafeRawBufferPointer, to buffer: inout ByteBuffer, counts: inout MaskCounts, _ seeing: ((UnsafeRawBufferPointer) -> Void)?
    ) throws {
        guard row.count >= 2 else { throw MaskError.malformedRow("no column count") }
        let found = Int(Int16(truncatingIfNeeded: UInt16(row[0]) << 8 | UInt16(row[1])))
        guard found == columnCount else { throw MaskError.columnCount(expected: columnCount, found: found) }
        var fields = Fields(row: row, position: 2)
        var copied = 0
        var column = 0
        for step in steps {
            try fields.skip(step.column - column)
            column = step.column + 1
            guard let value = try fields.next() else { continue }
            seeing?(value)
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: row[copied..<(fields.position - value.count - 4)]))
            copied = fields.position
            let replacement = step.mask.replacement(of: value)
            buffer.writeInteger(Int32(clamping: replacement?.count ?? -1))
            if let replacement { buffer.writeBytes(replacement) }
            counts.count(before: value.count, after: replacement?.count ?? 0)
        }
        try fields.skip(columnCount - column)
        guard fields.position == row.count else { throw MaskError.malformedRow("bytes behind the last column") }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: row[copied...]))
    }

    private func copy(
        _ row: UnsafeRawBufferPointer, from start: Int, count: Int, to output: UnsafeMutableRawBufferPointer, at place: Int
    ) {
        guard count > 0, let source = row.baseAddress, let destination = output.baseAddress else { return }
        (destination + place).copyMemory(from: source + start, byteCount: count)
    }

    /// Walks over the columns of a row without trusting its lengths.
    private struct Fields {
        let row: UnsafeRawBufferPointer
        var position: Int

        mutating func skip(_ count: Int) throws {
            for _ in 0..<count { _ = try length() }
        }

        /// The next value, nil when it is NULL.
        mutating func next() throws -> UnsafeRawBufferPointer? {
            let length = try length()
            return length < 0 ? nil : UnsafeRawBufferPointer(rebasing: row[(position - length)..<position])
        }

        /// Moves behind the next value; its length, -1 for NULL.
        private mutating func length() throws -> Int {
            guard row.count - position >= 4 else { throw MaskError.malformedRow("a length is cut off") }
            let length = Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: position, as: Int32.self)))
            position += 4
            guard length >= -1, length <= row.count - position else { throw MaskError.malformedRow("a column's length of \(length)") }
            position += max(0, length)
            return length
        }
    }
}
