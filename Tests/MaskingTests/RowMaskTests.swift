import NIOCore
import Testing

@testable import Masking

@Suite struct RowMaskTests {
    private func mask(_ row: [UInt8], _ columns: [ColumnMask?]) throws -> ([UInt8], MaskCounts) {
        var output = ByteBuffer(string: "before")
        let counts = try RowMask(columns: columns).mask(dataRow: ByteBuffer(bytes: row).readableBytesView, into: &output)
        return (Array(output.readableBytesView.dropFirst(6)), counts)
    }

    @Test func masksWhatIsPlannedAndLeavesTheRest() throws {
        let row = dataRow([Array("1".utf8), Array("Ann".utf8), Array("123-45-6789".utf8), nil])
        let (output, counts) = try mask(row, [nil, nil, textMask(.redact), nil])
        #expect(output == dataRow([Array("1".utf8), Array("Ann".utf8), Array("****".utf8), nil]))
        #expect(counts == MaskCounts(replacedCells: 1, bytesBefore: 11, bytesAfter: 4))
    }

    @Test func masksFirstLastAndNeighbours() throws {
        let row = dataRow([Array("abcdefghijkl".utf8), [], Array("7".utf8), Array("zz".utf8)])
        let columns = [textMask(.partial), textMask(.redact), textMask(.redact, 790), textMask(.null)]
        let (output, counts) = try mask(row, columns)
        #expect(output == dataRow([Array("****ijkl".utf8), Array("****".utf8), nil, nil]))
        #expect(counts == MaskCounts(replacedCells: 4, bytesBefore: 15, bytesAfter: 12))
    }

    @Test func nullStaysNullAndIsNotCounted() throws {
        let row = dataRow([nil, Array("x".utf8), nil])
        let (output, counts) = try mask(row, [textMask(.redact), nil, textMask(.hash(testKey))])
        #expect(output == row)
        #expect(counts == MaskCounts())
    }

    @Test func emptyRowAndNoMasks() throws {
        #expect(try mask(dataRow([]), []).0 == dataRow([]))
        #expect(RowMask(columns: [nil, nil]).isEmpty)
        #expect(try mask(dataRow([[1], nil]), [nil, nil]).0 == dataRow([[1], nil]))
    }

    @Test func wideValuesPassWhole() throws {
        let big = [UInt8](repeating: 0x41, count: 3_000_000)
        let (output, counts) = try mask(dataRow([big, big, Array("s".utf8)]), [nil, textMask(.partial), nil])
        #expect(output == dataRow([big, Array("****AAAA".utf8), Array("s".utf8)]))
        #expect(counts.bytesBefore == big.count)
    }

    @Test(
        arguments: [
            [], [0], [0, 1], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 2, 65], [0, 1, 0xFF, 0xFF, 0xFF, 0xFE], [0, 1, 0x80, 0, 0, 0],
            [0, 1, 0x7F, 0xFF, 0xFF, 0xFF, 1], [0, 1, 0, 0, 0, 1, 65, 66], [0, 2, 0, 0, 0, 1, 65], [0xFF, 0xFF], [0x7F, 0xFF, 0, 0, 0, 0],
        ] as [[UInt8]])
    func refusesRowsThatDoNotAddUp(row: [UInt8]) {
        for columns in [[nil], [textMask(.redact)]] as [[ColumnMask?]] {
            var output = ByteBuffer(string: "before")
            #expect(throws: MaskError.self) {
                try RowMask(columns: columns).mask(dataRow: ByteBuffer(bytes: row).readableBytesView, into: &output)
            }
            #expect(output == ByteBuffer(string: "before"))
        }
    }

    @Test func everyTruncationOfARowIsRefused() throws {
        let row = dataRow([Array("1".utf8), nil, Array("abc".utf8), Array("d".utf8)])
        let mask = RowMask(columns: [nil, textMask(.redact), textMask(.redact), nil])
        for length in 0..<row.count {
            var output = ByteBuffer()
            #expect(throws: MaskError.self) { try mask.mask(dataRow: ByteBuffer(bytes: row[..<length]).readableBytesView, into: &output) }
        }
    }

    @Test func randomRowsAreMaskedAsSpelledOut() throws {
        var random = SeededGenerator(state: 42)
        for _ in 0..<2_000 {
            let width = Int.random(in: 0...6, using: &random)
            let values = (0..<width).map { _ -> [UInt8]? in
                Bool.random(using: &random)
                    ? nil : (0..<Int.random(in: 0...20, using: &random)).map { _ in UInt8.random(in: 97...122, using: &random) }
            }
            let strategies: [MaskStrategy?] = [nil, nil, .redact, .partial, .hash(testKey), .null]
            let columns = (0..<width).map { _ in (strategies.randomElement(using: &random) ?? nil).map { textMask($0) } }
            let expected = zip(values, columns).map { value, column -> [UInt8]? in
                guard let value, let column else { return value }
                let (outcome, bytes) = apply(value, OID.text, .text, column.strategy)
                return outcome == .replaced ? bytes : nil
            }
            #expect(try mask(dataRow(values), columns).0 == dataRow(expected))
        }
    }
}
