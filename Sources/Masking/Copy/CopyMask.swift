public import NIOCore

/// Masks the data of a COPY .. TO STDOUT as it streams by.
///
/// Fed with the bodies of CopyData messages, cut anywhere. What comes out for one chunk may be empty or end in the middle of a
/// row: the pieces together are the masked stream. No more is held than one value of a masked column, and that only where its
/// replacement depends on it.
public struct CopyMask: Sendable {
    // One of the three is there. Not an enum: a machine is changed in place, row after row.
    private var text: CopyTextMachine?
    private var csv: CopyCSVMachine?
    private var binary: CopyBinaryMachine?
    private var failure: MaskError?
    /// No column is masked, all are searched.
    private let detectsOnly: Redactor?

    /// - Parameters:
    ///   - columns: one entry a column that is sent, in order; nil passes it on. The masks' `format` is not looked at.
    ///   - fieldLimit: the most bytes of one value that are held, for masks that depend on the value.
    ///   - redactor: what looks into the columns that are not masked.
    ///   - clear: columns, by their place, that are neither masked nor looked into.
    public init(
        options: CopyOptions, columns: [ColumnMask?], redactor: Redactor? = nil, clear: Set<Int> = [],
        fieldLimit: Int = 16 * 1_048_576
    ) {
        let format: ValueFormat = options.format == .binary ? .binary : .text
        let detection = redactor.map { CopyDetection(redactor: $0, isBinary: format == .binary) }
        let masks = columns.enumerated().map { index, column in
            column.map { PreparedMask(ColumnMask(shape: $0.shape, format: format, strategy: $0.strategy)) }
                ?? (clear.contains(index) ? nil : detection.map { .detect($0) })
        }
        detectsOnly = clear.isEmpty && columns.allSatisfy { $0 == nil } ? redactor : nil
        switch options.format {
        case .text: text = CopyTextMachine(options: options, columns: masks, fieldLimit: fieldLimit)
        case .csv: csv = CopyCSVMachine(options: options, columns: masks, fieldLimit: fieldLimit)
        case .binary: binary = CopyBinaryMachine(columns: masks, fieldLimit: fieldLimit)
        }
    }

    /// Whether the chunk can go on as it is: whole rows in which nothing is found, with nothing before them that is not certain
    /// yet. False says nothing.
    public func passes(_ chunk: ByteBufferView) -> Bool {
        guard let detectsOnly, failure == nil else { return false }
        return chunk.withUnsafeBytes { bytes in
            let isWhole =
                text.map { $0.isAtRow && CopyTextMachine.endsRow(bytes) } ?? csv.map { $0.isAtRow && $0.endsRow(bytes) } ?? false
            return isWhole && !JSONTokens.mayHide(bytes, inCopy: true) && !Bytea.mayBeIn(bytes) && !detectsOnly.set.mayHold(bytes)
        }
    }

    /// Appends what of the masked stream is now certain to `output`.
    ///
    /// - Throws: `MaskError`; from then on every call throws it, and what was appended for this chunk must not be sent.
    public mutating func feed(_ chunk: ByteBufferView, into output: inout ByteBuffer) throws -> MaskCounts {
        if let failure { throw failure }
        var counts = MaskCounts()
        do {
            try chunk.withUnsafeBytes { bytes in
                try text?.feed(bytes, into: &output, counts: &counts)
                try csv?.feed(bytes, into: &output, counts: &counts)
                try binary?.feed(bytes, into: &output, counts: &counts)
            }
        } catch let error as MaskError {
            failure = error
            throw error
        }
        return counts
    }

    /// At CopyDone.
    ///
    /// - Throws: `MaskError` when the data ends inside a row.
    public mutating func finish() throws {
        if let failure { throw failure }
        do {
            try text?.finish()
            try csv?.finish()
            try binary?.finish()
        } catch let error as MaskError {
            failure = error
            throw error
        }
    }
}

/// The bytes of one value of a masked column, as they stand in the stream.
struct CollectedField: Sendable {
    private(set) var bytes: [UInt8] = []
    /// All bytes seen; `bytes` holds the first of them.
    private(set) var count = 0
    private let keep: Int
    private let mustHoldAll: Bool

    /// - Parameters:
    ///   - keep: how many bytes are held.
    ///   - mustHoldAll: whether more are an error, or counted only.
    init(keep: Int, mustHoldAll: Bool) {
        self.keep = keep
        self.mustHoldAll = mustHoldAll
    }

    mutating func append(_ piece: UnsafeRawBufferPointer.SubSequence) throws {
        let room = keep - bytes.count
        if piece.count > room, mustHoldAll { throw MaskError.fieldTooLong(limit: keep) }
        bytes.append(contentsOf: piece.prefix(max(0, room)))
        count &+= piece.count
    }

    func equals(_ other: [UInt8]) -> Bool { count == other.count && bytes == other }

    mutating func clear() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 65_536)
        count = 0
    }
}

/// A masked column of a text or CSV stream, with the value that the stream is in.
struct CopyColumn: Sendable {
    let mask: PreparedMask
    /// What stands for every value, as it is written; nil when the replacement depends on the value.
    let constant: CopyConstant?
    var field: CollectedField

    init(mask: PreparedMask, nullLength: Int, fieldLimit: Int, constant: CopyConstant?) {
        self.mask = mask
        self.constant = constant
        // Enough to tell NULL from a value.
        field =
            mask.readsValue ? CollectedField(keep: fieldLimit, mustHoldAll: true) : CollectedField(keep: nullLength + 1, mustHoldAll: false)
    }
}

/// A replacement that is always the same, as the stream writes it.
struct CopyConstant: Sendable {
    var bytes: [UInt8]
    /// The same in quotes, in CSV.
    var quoted: [UInt8]
}

/// Where a stream of text rows stands, and the masks of its columns: common to the text and CSV formats.
struct CopyRows: Sendable {
    private(set) var columns: [CopyColumn?]
    private(set) var column = 0
    private var inHeader: Bool

    init(columns: [CopyColumn?], header: Bool) {
        // A row of no columns is an empty line, as is one empty column.
        self.columns = columns.isEmpty ? [nil] : columns
        inHeader = header
    }

    /// The value that the stream is in is masked.
    var isMasked: Bool { !inHeader && columns[column] != nil }

    mutating func collect(_ piece: UnsafeRawBufferPointer.SubSequence) throws {
        try columns[column]?.field.append(piece)
    }

    mutating func nextColumn() throws {
        columns[column]?.field.clear()
        guard column + 1 < columns.count else { throw MaskError.columnCount(expected: columns.count, found: columns.count + 1) }
        column += 1
    }

    mutating func nextRow() throws {
        columns[column]?.field.clear()
        guard column + 1 == columns.count else { throw MaskError.columnCount(expected: columns.count, found: column + 1) }
        column = 0
        inHeader = false
    }

    var isAtFirstColumn: Bool { column == 0 }
    var isAtRow: Bool { column == 0 && !inHeader }
}
