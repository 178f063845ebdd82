import NIOCore

/// COPY's binary format: a header, tuples of a count and lengths and values, a trailer
/// (PostgreSQL manual, COPY, "Binary Format").
struct CopyBinaryMachine: Sendable {
    private static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    private enum Place: Sendable {
        case signature, flags, extensionLength
        case extensionArea(left: Int)
        case tuple
        case fieldLength(column: Int)
        case passing(column: Int, left: Int)
        case masking(column: Int, left: Int)
        case end
    }

    private let columns: [PreparedMask?]
    /// A tuple has the form of a DataRow's body.
    private let tuples: RowMask
    private let takesWholeTuples: Bool
    private let fieldLimit: Int
    private var place = Place.signature
    /// The beginning of a fixed-size item that is not complete.
    private var partial: [UInt8] = []
    private var field = CollectedField(keep: 0, mustHoldAll: false)

    init(columns: [PreparedMask?], fieldLimit: Int) {
        self.columns = columns
        tuples = RowMask(prepared: columns)
        // Of what detectors replace the length is not known before.
        takesWholeTuples = !columns.contains { if case .detect = $0 { true } else { false } }
        self.fieldLimit = fieldLimit
    }

    mutating func feed(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer, counts: inout MaskCounts) throws {
        var input = bytes[...]
        output.reserveCapacity(minimumWritableBytes: bytes.count)
        while try step(&input, into: &output, counts: &counts) {}
    }

    func finish() throws {
        guard case .end = place else { throw MaskError.malformedCopy("it ends before its trailer") }
    }

    /// Takes one item; false when more bytes are needed.
    private mutating func step(
        _ input: inout UnsafeRawBufferPointer.SubSequence, into output: inout ByteBuffer, counts: inout MaskCounts
    ) throws -> Bool {
        switch place {
        case .signature:
            guard let item = take(Self.signature.count, from: &input) else { return false }
            guard item == Self.signature else { throw MaskError.malformedCopy("no signature of the binary format") }
            output.writeBytes(item)
            place = .flags
        case .flags:
            guard let item = take(4, from: &input) else { return false }
            // Bits 16 to 31 change the format in ways a reader must know; none of them is in use today.
            guard item[0] == 0, item[1] == 0 else { throw MaskError.malformedCopy("unknown flags of the binary format") }
            output.writeBytes(item)
            place = .extensionLength
        case .extensionLength:
            guard let item = take(4, from: &input) else { return false }
            let length = Self.integer(item)
            guard length >= 0 else { throw MaskError.malformedCopy("a header extension of \(length) bytes") }
            output.writeBytes(item)
            place = length == 0 ? .tuple : .extensionArea(left: length)
        case .extensionArea(let left):
            guard let rest = pass(left, from: &input, into: &output) else { return false }
            place = rest == 0 ? .tuple : .extensionArea(left: rest)
        case .tuple:
            if let length = wholeTuple(input) {
                let tuple = UnsafeRawBufferPointer(rebasing: input.prefix(length))
                counts += try tuples.mask(row: tuple, into: &output)
                input = input.dropFirst(length)
                return true
            }
            guard let item = take(2, from: &input) else { return false }
            let count = Int(Int16(truncatingIfNeeded: UInt16(item[0]) << 8 | UInt16(item[1])))
            guard count == -1 || count == columns.count else { throw MaskError.columnCount(expected: columns.count, found: count) }
            output.writeBytes(item)
            place = count == -1 ? .end : nextField(0)
        case .fieldLength(let column):
            guard let item = take(4, from: &input) else { return false }
            try begin(column, length: item, into: &output)
        case .passing(let column, let left):
            guard let rest = pass(left, from: &input, into: &output) else { return false }
            place = rest == 0 ? nextField(column + 1) : .passing(column: column, left: rest)
        case .masking(let column, let left):
            guard left == 0 || !input.isEmpty else { return false }
            let piece = input.prefix(left)
            try field.append(piece)
            input = input.dropFirst(piece.count)
            place = .masking(column: column, left: left - piece.count)
            if left == piece.count { replace(column, into: &output, counts: &counts) }
        case .end:
            guard input.isEmpty else { throw MaskError.malformedCopy("bytes behind the trailer") }
            return false
        }
        return true
    }

    /// The length of the tuple at the front of `input`; nil when it is not all there, or not as it should be: then it is taken
    /// piece by piece, and what is wrong with it is found there.
    private func wholeTuple(_ input: UnsafeRawBufferPointer.SubSequence) -> Int? {
        guard takesWholeTuples, partial.isEmpty, input.count >= 2 else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: input)
        guard Int(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self))) == columns.count else { return nil }
        var position = 2
        for _ in columns.indices {
            guard bytes.count - position >= 4 else { return nil }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int32.self)))
            position += 4
            guard length >= -1, length <= bytes.count - position else { return nil }
            position += max(0, length)
        }
        return position
    }

    private func nextField(_ column: Int) -> Place {
        column == columns.count ? .tuple : .fieldLength(column: column)
    }

    private mutating func begin(_ column: Int, length item: [UInt8], into output: inout ByteBuffer) throws {
        let length = Self.integer(item)
        guard length >= -1 else { throw MaskError.malformedCopy("a column's length of \(length)") }
        guard let mask = columns[column], length >= 0 else {
            output.writeBytes(item)
            place = length <= 0 ? nextField(column + 1) : .passing(column: column, left: length)
            return
        }
        if mask.readsValue, length > fieldLimit { throw MaskError.fieldTooLong(limit: fieldLimit) }
        field = CollectedField(keep: mask.readsValue ? length : 0, mustHoldAll: mask.readsValue)
        place = .masking(column: column, left: length)
    }

    private mutating func replace(_ column: Int, into output: inout ByteBuffer, counts: inout MaskCounts) {
        switch columns[column]?.outcome(of: field.bytes) {
        case .unchanged:
            output.writeInteger(Int32(truncatingIfNeeded: field.bytes.count))
            output.writeBytes(field.bytes)
        case .null, nil:
            output.writeInteger(Int32(-1))
            counts.count(before: field.count, after: 0)
        case .value(let bytes):
            output.writeInteger(Int32(truncatingIfNeeded: bytes.count))
            output.writeBytes(bytes)
            counts.count(before: field.count, after: bytes.count)
        }
        field.clear()
        place = nextField(column + 1)
    }

    /// An item of `count` bytes, nil (and what is there kept) when it is not complete.
    private mutating func take(_ count: Int, from input: inout UnsafeRawBufferPointer.SubSequence) -> [UInt8]? {
        let piece = input.prefix(count - partial.count)
        partial.append(contentsOf: piece)
        input = input.dropFirst(piece.count)
        guard partial.count == count else { return nil }
        defer { partial.removeAll(keepingCapacity: true) }
        return partial
    }

    /// Writes up to `left` bytes through; what is left then, nil when there were none.
    private func pass(_ left: Int, from input: inout UnsafeRawBufferPointer.SubSequence, into output: inout ByteBuffer) -> Int? {
        guard !input.isEmpty else { return nil }
        let piece = input.prefix(left)
        output.writeBytes(UnsafeRawBufferPointer(rebasing: piece))
        input = input.dropFirst(piece.count)
        return left - piece.count
    }

    private static func integer(_ item: [UInt8]) -> Int {
        Int(Int32(bitPattern: item.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }))
    }
}
