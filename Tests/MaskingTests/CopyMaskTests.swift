import NIOCore
import Testing

@testable import Masking

@Suite struct CopyMaskTests {
    private func run(_ text: String, _ options: CopyOptions?, _ columns: [ColumnMask?]) throws -> (String, MaskCounts) {
        let (bytes, counts) = try copyEveryWay(Array(text.utf8), try #require(options), columns)
        return (String(decoding: bytes, as: UTF8.self), counts)
    }

    // MARK: Text

    @Test func textMasksColumns() throws {
        let (output, counts) = try run("1\tAnn\t123-45-6789\n2\tBob\t\\N\n", CopyOptions(), [nil, nil, textMask(.redact)])
        #expect(output == "1\tAnn\t****\n2\tBob\t\\N\n")
        #expect(counts == MaskCounts(replacedCells: 1, bytesBefore: 11, bytesAfter: 4))
    }

    @Test func textMasksFirstAndNeighbours() throws {
        let columns = [textMask(.partial), textMask(.redact), nil]
        let (output, _) = try run("abcdefghijkl\t\tx\n\\N\t\\N\ty\n", CopyOptions(), columns)
        #expect(output == "****ijkl\t****\tx\n\\N\t\\N\ty\n")
    }

    @Test func textEscapesAreNoColumnOrRowEnds() throws {
        let (output, _) = try run("a\\\tb\\\\\t12\\n34\\t\\\\\n", CopyOptions(), [nil, textMask(.redact)])
        #expect(output == "a\\\tb\\\\\t****\n")
    }

    @Test func textReplacementIsOfTheValueNotOfItsEscapes() throws {
        let value = "tab\tline\nslash\\end"
        let (output, _) = try run("tab\\tline\\nslash\\\\end\n", CopyOptions(), [textMask(.hash(testKey))])
        #expect(output == (masked(value, OID.text, .hash(testKey)) ?? "") + "\n")
        let partial = try run("123456789\\t\\\\\\n\n", CopyOptions(), [textMask(.partial)]).0
        #expect(partial == "****9\\t\\\\\\n\n")
    }

    @Test func textReplacementEscapesTheDelimiter() throws {
        #expect(try run("a*b\n", CopyOptions(delimiter: UInt8(ascii: "*")), [nil, textMask(.redact)]).0 == "a*\\*\\*\\*\\*\n")
        let bytea = try run("1\t\\\\x00ff\n", CopyOptions(), [nil, textMask(.redact, OID.bytea)]).0
        #expect(bytea == "1\t\\\\x2a2a2a2a\n")
    }

    @Test func textHeaderPasses() throws {
        let (output, _) = try run("id\tssn\n1\t2\n", CopyOptions(header: true), [nil, textMask(.redact)])
        #expect(output == "id\tssn\n1\t****\n")
    }

    @Test func textWithheldColumnBecomesTheNullString() throws {
        #expect(try run("1\t2\n", CopyOptions(null: Array("nil".utf8)), [nil, textMask(.redact, 790)]).0 == "1\tnil\n")
    }

    @Test func aNullStringOfOnesOwnChoiceIsNoOracle() throws {
        // A value that equals the NULL string looks like NULL: passing it on would tell that it does.
        let options = CopyOptions(null: Array("123-45-6789".utf8))
        #expect(try run("1\t123-45-6789\n2\t987-65-4321\n", options, [nil, textMask(.redact)]).0 == "1\t****\n2\t****\n")
        #expect(try run("1\t\n2\tx\n", CopyOptions(null: []), [nil, textMask(.redact)]).0 == "1\t\n2\t****\n")
    }

    @Test func textOfOneEmptyColumnAndOfNone() throws {
        #expect(try run("\n\n", CopyOptions(), [textMask(.redact)]).0 == "****\n****\n")
        #expect(try run("\n\n", CopyOptions(), []).0 == "\n\n")
    }

    @Test(arguments: ["1\t2\t3\n", "1\n", "1\t2\n\n", "1\t2", "1\t", "1", "1\t2\\"])
    func textRowsThatDoNotFitAreRefused(text: String) throws {
        let options = try #require(CopyOptions())
        for columns in [[nil, textMask(.redact)], [textMask(.redact), nil]] as [[ColumnMask?]] {
            for size in [1, 100] {
                #expect(throws: MaskError.self) { try copy(Array(text.utf8), options, columns, pieces: size) }
            }
        }
    }

    // MARK: CSV

    @Test func csvMasksColumns() throws {
        let (output, counts) = try run(
            "1,Ann,123-45-6789\n2,\"Bob, Jr\",\n3,\"\",\"\"\n", CopyOptions(format: .csv), [nil, nil, textMask(.redact)])
        #expect(output == "1,Ann,****\n2,\"Bob, Jr\",\n3,\"\",\"****\"\n")
        #expect(counts == MaskCounts(replacedCells: 2, bytesBefore: 13, bytesAfter: 10))
    }

    @Test func csvNewlinesDelimitersAndQuotesInsideQuotes() throws {
        let text = "\"a\n\"\"b,\",\"12\n34,\"\"56\"\nx,y\n"
        #expect(try run(text, CopyOptions(format: .csv), [nil, textMask(.redact)]).0 == "\"a\n\"\"b,\",\"****\"\nx,****\n")
        #expect(try run(text, CopyOptions(format: .csv), [textMask(.redact), nil]).0 == "\"****\",\"12\n34,\"\"56\"\n****,y\n")
    }

    @Test func csvReplacementIsOfTheValueNotOfItsQuotes() throws {
        let value = "say \"hi\",\nyou"
        let quoted = "\"say \"\"hi\"\",\nyou\"\n"
        let (output, _) = try run(quoted, CopyOptions(format: .csv), [textMask(.hash(testKey))])
        #expect(output == "\"\(masked(value, OID.text, .hash(testKey)) ?? "")\"\n")
        #expect(try run("\"1234567890\"\",\"\n", CopyOptions(format: .csv), [textMask(.partial)]).0 == "\"****90\"\",\"\n")
    }

    @Test func csvWithAnotherEscape() throws {
        let options = CopyOptions(format: .csv, quote: UInt8(ascii: "'"), escape: UInt8(ascii: "\\"))
        let text = "'it\\'s, \\\\','a\\'b'\nplain,x\n"
        #expect(try run(text, options, [nil, textMask(.redact)]).0 == "'it\\'s, \\\\','****'\nplain,****\n")
        let tail = try run("'123456789\\'\\\\x'\n", options, [textMask(.partial)]).0
        #expect(tail == "'****9\\'\\\\x'\n")
    }

    @Test func csvReplacementIsQuotedWhereItMustBe() throws {
        let options = CopyOptions(format: .csv, delimiter: UInt8(ascii: "*"), null: Array("-".utf8))
        #expect(try run("1*x\n2*-\n", options, [nil, textMask(.redact)]).0 == "1*\"****\"\n2*-\n")
        let nullLike = CopyOptions(format: .csv, null: Array("****".utf8))
        #expect(try run("x\n****\n\"****\"\n", nullLike, [textMask(.redact)]).0 == "\"****\"\n****\n\"****\"\n")
    }

    @Test func csvHeaderMayHoldNewlines() throws {
        let text = "id,\"the\nssn\"\n1,2\n"
        #expect(try run(text, CopyOptions(format: .csv, header: true), [nil, textMask(.redact)]).0 == "id,\"the\nssn\"\n1,****\n")
    }

    @Test(arguments: ["1,2,3\n", "1\n", "1,\"2\n", "1,2", "1,\"2\"", "\"1", "1,"])
    func csvRowsThatDoNotFitAreRefused(text: String) throws {
        let options = try #require(CopyOptions(format: .csv))
        for columns in [[nil, textMask(.redact)], [textMask(.redact), nil]] as [[ColumnMask?]] {
            for size in [1, 100] {
                #expect(throws: MaskError.self) { try copy(Array(text.utf8), options, columns, pieces: size) }
            }
        }
    }

    // MARK: Binary

    private func binary(_ tuples: [[[UInt8]?]], extension area: [UInt8] = [], trailer: Bool = true) -> [UInt8] {
        var buffer = ByteBuffer(bytes: Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0])
        buffer.writeInteger(Int32(0))
        buffer.writeInteger(Int32(area.count))
        buffer.writeBytes(area)
        for tuple in tuples { buffer.writeBytes(dataRow(tuple)) }
        if trailer { buffer.writeInteger(Int16(-1)) }
        return Array(buffer.readableBytesView)
    }

    @Test func binaryMasksColumns() throws {
        let options = try #require(CopyOptions(format: .binary))
        let rows: [[[UInt8]?]] = [[[0, 0, 0, 1], Array("123-45-6789".utf8), nil], [nil, nil, [1, 2]], [[], [], []]]
        let columns: [ColumnMask?] = [textMask(.redact, OID.int4), textMask(.partial), nil]
        let (output, counts) = try copyEveryWay(binary(rows, extension: [9, 9, 9]), options, columns)
        let expected: [[[UInt8]?]] = [
            [[0, 0, 0, 0], Array("****789".utf8), nil], [nil, nil, [1, 2]], [[0, 0, 0, 0], Array("****".utf8), []],
        ]
        #expect(output == binary(expected, extension: [9, 9, 9]))
        #expect(counts == MaskCounts(replacedCells: 4, bytesBefore: 15, bytesAfter: 19))
    }

    @Test func binaryPassesWhatIsNotMasked() throws {
        let options = try #require(CopyOptions(format: .binary))
        let data = binary([[[1], [2, 3]], [nil, []]])
        #expect(try copyEveryWay(data, options, [nil, nil]).0 == data)
        #expect(try copyEveryWay(binary([[], []]), options, []).0 == binary([[], []]))
    }

    @Test func binaryDamageIsRefused() throws {
        let options = try #require(CopyOptions(format: .binary))
        let good = binary([[[1], [2, 3]]])
        var broken: [[UInt8]] = (1..<good.count).map { Array(good[..<$0]) }
        broken.append(good + [0])
        broken.append(Array("PGCOPX".utf8) + good.dropFirst(6))
        var flags = good
        flags[12] = 1  // bit 16: once, OIDs
        broken.append(flags)
        var length = good
        length.replaceSubrange(21..<25, with: [0xFF, 0xFF, 0xFF, 0xFE])
        broken.append(length)
        var count = good
        count.replaceSubrange(19..<21, with: [0, 3])
        broken.append(count)
        for data in broken {
            for size in [1, 1000] {
                for columns in [[textMask(.redact), nil], [nil, textMask(.hash(testKey))]] as [[ColumnMask?]] {
                    #expect(throws: MaskError.self) { try copy(data, options, columns, pieces: size) }
                }
            }
        }
    }

    // MARK: Bounds

    @Test func onlyWhatAMaskReadsIsHeldAndThatIsBounded() throws {
        let options = try #require(CopyOptions())
        let long = [UInt8](repeating: 0x61, count: 5_000) + [0x0A]
        #expect(try copy(long, options, [textMask(.redact)], pieces: 100, limit: 1_000).0 == Array("****\n".utf8))
        #expect(try copy(long, options, [nil], pieces: 100, limit: 10).0 == long)
        #expect(throws: MaskError.fieldTooLong(limit: 1_000)) { try copy(long, options, [textMask(.partial)], pieces: 100, limit: 1_000) }
        let binaryOptions = try #require(CopyOptions(format: .binary))
        #expect(throws: MaskError.fieldTooLong(limit: 1_000)) {
            try copy(binary([[long]]), binaryOptions, [textMask(.hash(testKey))], pieces: 100, limit: 1_000)
        }
        #expect(try copy(binary([[long]]), binaryOptions, [textMask(.redact)], pieces: 100, limit: 10).0 == binary([[Array("****".utf8)]]))
    }

    @Test func afterAnErrorNothingGoesOn() throws {
        var mask = CopyMask(options: try #require(CopyOptions()), columns: [textMask(.redact), nil])
        var output = ByteBuffer()
        #expect(throws: MaskError.self) { try mask.feed(ByteBuffer(string: "a\n").readableBytesView, into: &output) }
        #expect(throws: MaskError.self) { try mask.feed(ByteBuffer(string: "a\tb\n").readableBytesView, into: &output) }
        #expect(throws: MaskError.self) { try mask.finish() }
    }

    @Test func optionsTheServerRefusesAreRefused() {
        #expect(CopyOptions(delimiter: UInt8(ascii: "a")) == nil)
        #expect(CopyOptions(delimiter: UInt8(ascii: "\\")) == nil)
        #expect(CopyOptions(delimiter: 0x0A) == nil)
        #expect(CopyOptions(null: Array("a\nb".utf8)) == nil)
        #expect(CopyOptions(format: .csv, delimiter: UInt8(ascii: "\"")) == nil)
        #expect(CopyOptions(format: .csv, null: Array("a,b".utf8)) == nil)
        #expect(CopyOptions(format: .binary, header: true) == nil)
        #expect(CopyOptions(format: .csv, delimiter: UInt8(ascii: ";"), null: Array("NULL".utf8)) != nil)
    }

    @Test func optionsOfAStatement() {
        #expect(CopyOptions(statement: []) == CopyOptions())
        #expect(CopyOptions(statement: [("format", "CSV"), ("header", nil)]) == CopyOptions(format: .csv, header: true))
        #expect(CopyOptions(statement: [("format", "binary")]) == CopyOptions(format: .binary))
        let all: [(name: String, value: String?)] = [
            ("format", "csv"), ("delimiter", ";"), ("null", "-"), ("quote", "'"), ("escape", "!"), ("header", "off"), ("force_quote", "*"),
            ("encoding", "UTF8"),
        ]
        #expect(
            CopyOptions(statement: all)
                == CopyOptions(
                    format: .csv, delimiter: UInt8(ascii: ";"), null: [UInt8(ascii: "-")], quote: UInt8(ascii: "'"),
                    escape: UInt8(ascii: "!")))
        let refused: [[(name: String, value: String?)]] = [
            [("format", "json")], [("format", nil)], [("delimiter", "ab")], [("delimiter", "")], [("encoding", "LATIN1")],
            [("header", "match")],
            [("unheard_of", "1")], [("null", "a"), ("NULL", "b")], [("delimiter", "é")],
        ]
        for options in refused { #expect(CopyOptions(statement: options) == nil) }
    }

    @Test func hostileStreamsNeverTrap() throws {
        var random = SeededGenerator(state: 11)
        let alphabet: [UInt8] = [0x09, 0x0A, 0x0D, 0x2C, 0x22, 0x27, 0x5C, 0x4E, 0x61, 0x00, 0xFF, 0x80]
        let variants = [
            CopyOptions(), CopyOptions(format: .csv), CopyOptions(format: .csv, quote: UInt8(ascii: "'"), escape: UInt8(ascii: "\\")),
            CopyOptions(format: .binary),
        ]
        let columns: [ColumnMask?] = [textMask(.partial), nil, textMask(.redact), textMask(.hash(testKey), OID.bytea)]
        for round in 0..<3_000 {
            let options = try #require(variants[round % variants.count])
            var data = (0..<Int.random(in: 0...60, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            if options.format == .binary { data = Array(binary([], trailer: false)) + data }
            let width = Int.random(in: 0...4, using: &random)
            let whole = Result { try copy(data, options, Array(columns.prefix(width)), pieces: 1_000) }
            let bytes = Result { try copy(data, options, Array(columns.prefix(width)), pieces: 1) }
            switch (whole, bytes) {
            case (.success(let one), .success(let other)): #expect(one.0 == other.0 && one.1 == other.1)
            case (.failure(let one as MaskError), .failure(let other as MaskError)): #expect(one == other)
            default: Issue.record("whole and byte by byte differ for \(data)")
            }
        }
    }
}
