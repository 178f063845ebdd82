public import NIOCore

/// Masks the data of a COPY .. TO STDOUT as it streams by.
///
/// Fed with the bodies of CopyData messages, cut anywhere. What comes out for one chunk may be empty or end in the middle of a
/// row: the pieces together are the masked stream. No more is held than one value of a masked column, and that only where its
/// replacement depends on it.
public struct CopyMask: Sendable {
    private enum Machine: Sendable {
        case text(CopyTextMachine)
        case csv(CopyCSVMachine)
        case binary(CopyBinaryMachine)
    }

    private var machine: Machine
    private var failure: MaskError?

    /// - Parameters:
    ///   - columns: one entry a column that is sent, in order; nil passes it on. The masks' `format` is not looked at.
    ///   - fieldLimit: the most bytes of one value that are held, for masks that depend on the value.
    public init(options: CopyOptions, columns: [ColumnMask?], fieldLimit: Int = 16 * 1_048_576) {
        let format: ValueFormat = options.format == .binary ? .binary : .text
        let masks = columns.map { column in
            column.map { PreparedMask(ColumnMask(type: $0.type, format: format, strategy: $0.strategy)) }
        }
        switch options.format {
        case .text: machine = .text(CopyTextMachine(options: options, columns: masks, fieldLimit: fieldLimit))
        case .csv: machine = .csv(CopyCSVMachine(options: options, columns: masks, fieldLimit: fieldLimit))
        case .binary: machine = .binary(CopyBinaryMachine(columns: masks, fieldLimit: fieldLimit))
        }
    }

    /// Appends what of the masked stream is now certain to `output`.
    ///
    /// - Throws: `MaskError`; from then on every call throws it, and what was appended for this chunk must not be sent.
    public mutating func feed(_ chunk: ByteBufferView, into output: inout ByteBuffer) throws -> MaskCounts {
        try remembering { machine in
            var counts = MaskCounts()
            try chunk.withUnsafeBytes { bytes in
                switch machine {
                case .text(var text):
                    machine = .text(.idle)
                    defer { machine = .text(text) }
                    try text.feed(bytes, into: &output, counts: &counts)
                case .csv(var csv):
                    machine = .csv(.idle)
                    defer { machine = .csv(csv) }
                    try csv.feed(bytes, into: &output, counts: &counts)
                case .binary(var binary):
                    machine = .binary(.idle)
                    defer { machine = .binary(binary) }
                    try binary.feed(bytes, into: &output, counts: &counts)
                }
            }
            return counts
        }
    }

    /// At CopyDone.
    ///
    /// - Throws: `MaskError` when the data ends inside a row.
    public mutating func finish() throws {
        try remembering { machine in
            switch machine {
            case .text(let text): try text.finish()
            case .csv(let csv): try csv.finish()
            case .binary(let binary): try binary.finish()
            }
        }
    }

    private mutating func remembering<Result>(_ body: (inout Machine) throws -> Result) throws -> Result {
        if let failure { throw failure }
        do {
            return try body(&machine)
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

/// Where a stream of text rows stands, and the masks of its columns: common to the text and CSV formats.
struct CopyRows: Sendable {
    private let masks: [PreparedMask?]
    private var fields: [CollectedField?]
    private var column = 0
    private var inHeader: Bool

    init(columns: [PreparedMask?], header: Bool, nullLength: Int, fieldLimit: Int) {
        // A row of no columns is an empty line, as is one empty column.
        masks = columns.isEmpty ? [nil] : columns
        fields = masks.map { mask in
            mask.map {
                $0.readsValue
                    ? CollectedField(keep: fieldLimit, mustHoldAll: true) : CollectedField(keep: nullLength + 1, mustHoldAll: false)
            }
        }
        inHeader = header
    }

    /// The mask of the value that the stream is in.
    var mask: PreparedMask? { inHeader ? nil : masks[column] }
    var isMasked: Bool { !inHeader && masks[column] != nil }

    var field: CollectedField {
        fields[column] ?? CollectedField(keep: 0, mustHoldAll: false)
    }

    mutating func collect(_ piece: UnsafeRawBufferPointer.SubSequence) throws {
        try fields[column]?.append(piece)
    }

    mutating func clearField() {
        fields[column]?.clear()
    }

    mutating func nextColumn() throws {
        guard column + 1 < masks.count else { throw MaskError.columnCount(expected: masks.count, found: masks.count + 1) }
        column += 1
    }

    mutating func nextRow() throws {
        guard column + 1 == masks.count else { throw MaskError.columnCount(expected: masks.count, found: column + 1) }
        column = 0
        inHeader = false
    }

    var isAtFirstColumn: Bool { column == 0 }
}
