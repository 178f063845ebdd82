import NIOCore
import Testing

@testable import Masking

/// Values that hold values: in text and binary, whole, cut, and hostile.
@Suite struct NestedMaskTests {
    private static let strategies: [MaskStrategy] =
        [.redact, .partial, .hash(testKey), .token(testKey), .dateShift(testKey, within: 30)]
        + [RoundingStep("10")].compactMap { $0.map(MaskStrategy.round) }

    private func mask(_ value: [UInt8], _ shape: ValueShape, _ format: ValueFormat, _ strategy: MaskStrategy) -> [UInt8]? {
        PreparedMask(ColumnMask(shape: shape, format: format, strategy: strategy)).replacement(of: value)
    }

    private func text(_ value: String, _ shape: ValueShape, _ strategy: MaskStrategy) -> String? {
        mask(Array(value.utf8), shape, .text, strategy).map { String(decoding: $0, as: UTF8.self) }
    }

    private static let texts = ValueShape.array(type: 25, of: .scalar(25))
    private static let pair = ValueShape.composite([.init(type: 23, shape: .scalar(23)), .init(type: 25, shape: .scalar(25))])
    private static let json = ValueShape.scalar(OID.json)

    // MARK: Arrays

    @Test(
        arguments: [
            ("{}", "{}"), ("{a,b}", "{****,****}"), ("{NULL,null,\"NULL\"}", "{NULL,NULL,****}"), ("{\"a,b\",\"}\"}", "{****,****}"),
            ("[0:1][2:3]={{a,b},{c,d}}", "[0:1][2:3]={{****,****},{****,****}}"), ("{\"q\\\"\\\\\"}", "{****}"), ("{a\\,b}", "{****}"),
        ])
    func arraysInText(value: String, expected: String) {
        #expect(text(value, Self.texts, .redact) == expected)
    }

    @Test(
        arguments: [
            "", "secret", "{", "}", "{a", "{a,", "{a}}", "{a}b", "{a}{b}", "{,a}", "{a,}", "{{a}", "{\"a}", "{a\\", "[0:1]", "[0:1]=",
            "[x:1]={a}",
            "[0:1]=a", "[99999999999:1]={a}", "{{{{{{{a}}}}}}}", "[1:1][1:1][1:1][1:1][1:1][1:1][1:1]={a}", "{a{b}}",
        ])
    func whatIsNoArrayIsWithheld(value: String) {
        #expect(text(value, Self.texts, .redact) == nil)
    }

    @Test func elementsAreQuotedWhereTheyMustBe() {
        let shape = MaskStrategy.partially(PartialShape(first: 2, last: 2, character: UInt8(ascii: "\\")))
        #expect(text("{\"a \\\"bcdefgh\"}", Self.texts, shape) == "{\"a \\\\\\\\\\\\\\\\gh\"}")
        // What could be read as no value at all is quoted, too.
        #expect(text("{abc}", Self.texts, .token(testKey))?.hasPrefix("{") == true)
        var empty = NestedOutput(limit: 100)
        for word in ["", "NULL", "nUlL", "a b", "a"] { NestedText.write(Array(word.utf8), &empty) }
        #expect(String(decoding: empty.bytes, as: UTF8.self) == "\"\"\"NULL\"\"nUlL\"\"a b\"a")
    }

    private static func binaryArray(_ elements: [[UInt8]?], type: UInt32 = 25, sizes: [Int32]? = nil) -> [UInt8] {
        let sizes = sizes ?? [Int32(elements.count)]
        var bytes = bigEndian(Int32(sizes.count)) + bigEndian(Int32(elements.contains(nil) ? 1 : 0)) + bigEndian(type)
        for size in sizes { bytes += bigEndian(size) + bigEndian(Int32(1)) }
        for element in elements { bytes += bigEndian(Int32(element?.count ?? -1)) + (element ?? []) }
        return bytes
    }

    @Test func arraysInBinary() {
        let value = Self.binaryArray([Array("abc".utf8), nil, []])
        let stars = Array("****".utf8)
        #expect(mask(value, Self.texts, .binary, .redact) == Self.binaryArray([stars, nil, stars]))
        // What an element's mask withholds is NULL, and the array says that it has some.
        #expect(
            mask(Self.binaryArray([[1], [2]], type: 16), .array(type: 16, of: .scalar(16)), .binary, .hash(testKey))
                == Self.binaryArray([nil, nil], type: 16))
        #expect(mask(Self.binaryArray([], sizes: []), Self.texts, .binary, .redact) == Self.binaryArray([], sizes: []))
        #expect(
            mask(Self.binaryArray([[], [], [], []], sizes: [2, 2]), Self.texts, .binary, .redact)
                == Self.binaryArray([stars, stars, stars, stars], sizes: [2, 2]))
        // Of another type than the column's; more dimensions than there are; sizes that no value has.
        #expect(mask(Self.binaryArray([[1]], type: 17), Self.texts, .binary, .redact) == nil)
        #expect(mask(Self.binaryArray([], sizes: [Int32](repeating: 1, count: 7)), Self.texts, .binary, .redact) == nil)
        #expect(mask(Self.binaryArray([], sizes: [.max, .max, .max]), Self.texts, .binary, .redact) == nil)
        #expect(mask(Self.binaryArray([], sizes: [-1]), Self.texts, .binary, .redact) == nil)
    }

    // MARK: Composites and ranges

    @Test func composites() {
        #expect(text("(7,secret)", Self.pair, .redact) == "(0,****)")
        #expect(text("(,\"\")", Self.pair, .redact) == "(,****)")
        #expect(text("(7,\"a \"\"b\"\", c\\\\\")", Self.pair, .redact) == "(0,****)")
        for value in ["", "()", "(7)", "(7,a,b)", "(7,a", "(7,a)x", "7,a", "(7,\"a)", "(7,a\\"] {
            #expect(text(value, Self.pair, .redact) == nil, "\(value)")
        }
        #expect(text("()", .composite([]), .redact) == "()")
        let value =
            bigEndian(Int32(2)) + bigEndian(UInt32(23)) + bigEndian(Int32(4)) + bigEndian(Int32(7)) + bigEndian(UInt32(25))
            + bigEndian(Int32(-1))
        let expected =
            bigEndian(Int32(2)) + bigEndian(UInt32(23)) + bigEndian(Int32(4)) + bigEndian(Int32(0)) + bigEndian(UInt32(25))
            + bigEndian(Int32(-1))
        #expect(mask(value, Self.pair, .binary, .redact) == expected)
        var other = value
        other[7] = 25
        #expect(mask(other, Self.pair, .binary, .redact) == nil)
        #expect(mask(value + [0], Self.pair, .binary, .redact) == nil)
    }

    @Test func ranges() throws {
        let ints = ValueShape.range(of: .scalar(23))
        let round = MaskStrategy.round(try #require(RoundingStep("10")))
        #expect(text("[14,27)", ints, round) == "[10,30)")
        #expect(text("(,27]", ints, round) == "(,30]")
        #expect(text("(,)", ints, round) == "(,)")
        #expect(text("empty", ints, round) == "empty")
        #expect(text("[14,27)", ints, .redact) == "empty")
        // Bounds in any order would be no range.
        for strategy in [MaskStrategy.hash(testKey), .token(testKey), .partial] { #expect(text("[14,27)", ints, strategy) == nil) }
        for value in ["", "[", "[1", "[1,", "[1,2", "1,2", "[1,2)x", "[x,2)", "[1;2)"] {
            #expect(text(value, ints, round) == nil, "\(value)")
        }
        #expect(text("{[14,27),[41,59)}", .multirange(of: .scalar(23)), round) == "{[10,30),[40,60)}")
        #expect(text("{}", .multirange(of: .scalar(23)), round) == "{}")
        #expect(text("{[14,27),}", .multirange(of: .scalar(23)), round) == nil)
        let binary: [UInt8] = [2] + bigEndian(Int32(4)) + bigEndian(Int32(14)) + bigEndian(Int32(4)) + bigEndian(Int32(27))
        let rounded: [UInt8] = [2] + bigEndian(Int32(4)) + bigEndian(Int32(10)) + bigEndian(Int32(4)) + bigEndian(Int32(30))
        #expect(mask(binary, ints, .binary, round) == rounded)
        let several = bigEndian(Int32(1)) + bigEndian(Int32(binary.count)) + binary
        #expect(
            mask(several, .multirange(of: .scalar(23)), .binary, round) == bigEndian(Int32(1)) + bigEndian(Int32(rounded.count)) + rounded)
        #expect(mask([1], ints, .binary, round) == [1])
        #expect(mask([0x20], ints, .binary, round) == nil)
        #expect(mask([1, 0], ints, .binary, round) == nil)
    }

    // MARK: JSON

    @Test(
        arguments: [
            (#"{"a": "secret", "b": [1, -2.5e3, true, null]}"#, #"{"a": "****", "b": [0, 0, false, null]}"#), (#""x""#, #""****""#),
            ("7", "0"),
            (" [ ] ", " [ ] "), (#"{"k\"ey":{"n":{}}}"#, #"{"k\"ey":{"n":{}}}"#), ("null", "null"),
            (#"["\u00e9\ud83d\ude42\n"]"#, #"["****"]"#),
        ])
    func documentsStayDocuments(value: String, expected: String) {
        #expect(text(value, Self.json, .redact) == expected)
    }

    @Test(
        arguments: [
            "", "{", "}", "[", "[1", "[1,", "[1,]", "[1 2]", "{1:2}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":1]"#, "[1}", "secret",
            "\"a", "\"a\\", #""\x""#,
            #""\u12""#, #""\ud83d""#, #""\ud83dx""#, #""\udc00""#, "1 2", "\"a\nb\"", "nul", "truex", "[,1]", "{}}", "{,}",
        ])
    func whatIsNoDocumentIsWithheld(value: String) {
        #expect(text(value, Self.json, .redact) == nil)
    }

    @Test func scalarsInsideAreMaskedAsTheyWouldBeOutside() throws {
        let hash = try #require(masked("123-45-6789", OID.text, .hash(testKey)))
        #expect(text(#"{"ssn":"123-45-6789"}"#, Self.json, .hash(testKey)) == #"{"ssn":"\#(hash)"}"#)
        #expect(text(#"{"ssn":"\u0031\u00323-45-6789"}"#, Self.json, .hash(testKey)) == #"{"ssn":"\#(hash)"}"#)
        #expect(
            text(#"["ann@example.com",7,true]"#, Self.json, .partially(PartialShape(keepsDomain: true)))
                == #"["****@example.com",null,null]"#)
        #expect(text(#"[1449,"x"]"#, Self.json, .round(try #require(RoundingStep("100")))) == "[1400,null]")
        #expect(text(#"["2024-02-29","no date",7]"#, Self.json, .dateShift(testKey, within: 1))?.hasSuffix(#"",null,null]"#) == true)
        #expect(text("[1e999]", Self.json, .token(testKey)) == "[null]")
        let quoted = MaskStrategy.partially(PartialShape(first: 1, last: 1, character: UInt8(ascii: "\"")))
        #expect(text(#"["\\bcde\n"]"#, Self.json, quoted) == #"["\\\"\"\"\"\u000a"]"#)
        let jsonb = [1] + Array(#"{"a": "b"}"#.utf8)
        #expect(mask(jsonb, .scalar(OID.jsonb), .binary, .redact) == [1] + Array(#"{"a": "****"}"#.utf8))
        #expect(mask([2] + jsonb.dropFirst(), .scalar(OID.jsonb), .binary, .redact) == nil)
    }

    @Test func depthAndSizeAreBounded() {
        func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(text(nested(JSONMask.maximumDepth), Self.json, .redact) == nested(JSONMask.maximumDepth))
        #expect(text(nested(JSONMask.maximumDepth + 1), Self.json, .redact) == nil)
        // Empty strings would each become a digest.
        let many = Array(("[" + String(repeating: "\"\",", count: 100) + "0]").utf8)
        for (limit, isWhole) in [(3_000, false), (1_000_000, true)] {
            var output = NestedOutput(limit: limit)
            let isRead = many.withUnsafeBytes { JSONMask(.hash(testKey)).mask($0, isBinary: false, &output) }
            #expect((isRead && !output.isFull) == isWhole)
            #expect(output.bytes.count <= limit)
        }
        var shape = ValueShape.scalar(25)
        for _ in 0..<20 { shape = .array(type: 25, of: shape) }
        #expect(text("{a}", shape, .redact) == "{NULL}" || text("{a}", shape, .redact) == nil)
    }

    // MARK: Rows and copies

    @Test func rowsWithValuesOfAnyLength() throws {
        let columns: [ColumnMask?] = [
            nil, ColumnMask(type: OID.textArray, format: .text, strategy: .hash(testKey)), textMask(.redact), nil,
        ]
        let row = dataRow([[1], Array(("{" + String(repeating: "a,", count: 99) + "a}").utf8), Array("x".utf8), [2]])
        var output = ByteBuffer()
        let counts = try RowMask(columns: columns).mask(dataRow: ByteBuffer(bytes: row).readableBytesView, into: &output)
        let digest = try #require(masked("a", OID.text, .hash(testKey)))
        let expected = "{" + [String](repeating: digest, count: 100).joined(separator: ",") + "}"
        #expect(Array(output.readableBytesView) == dataRow([[1], Array(expected.utf8), Array("****".utf8), [2]]))
        #expect(counts.replacedCells == 2)
        for length in 0..<row.count {
            var cut = ByteBuffer(string: "before")
            #expect(throws: MaskError.self) {
                try RowMask(columns: columns).mask(dataRow: ByteBuffer(bytes: row[..<length]).readableBytesView, into: &cut)
            }
            #expect(cut == ByteBuffer(string: "before"))
        }
    }

    @Test func copiesOfArraysAndDocuments() throws {
        let columns: [ColumnMask?] = [textMask(.redact, OID.json), textMask(.redact, OID.textArray)]
        let options = try #require(CopyOptions(format: .csv))
        let (output, _) = try copyEveryWay(Array("\"{\"\"a\"\":1}\",\"{x,y}\"\n".utf8), options, columns)
        #expect(String(decoding: output, as: UTF8.self) == "\"{\"\"a\"\":0}\",\"{****,****}\"\n")
    }

    // MARK: Hostile

    private static let samples: [(ValueShape, [UInt8])] = [
        (texts, binaryArray([Array("abc".utf8), nil, Array("d".utf8)])),
        (.array(type: 23, of: .scalar(23)), binaryArray([[0, 0, 0, 9], [0, 0, 0, 8]], type: 23)),
        (
            pair,
            bigEndian(Int32(2)) + bigEndian(UInt32(23)) + bigEndian(Int32(4)) + bigEndian(Int32(7)) + bigEndian(UInt32(25))
                + bigEndian(Int32(1)) + [65]
        ),
        (.range(of: .scalar(23)), [2] + bigEndian(Int32(4)) + bigEndian(Int32(14)) + bigEndian(Int32(4)) + bigEndian(Int32(27))),
        (.multirange(of: .scalar(1082)), bigEndian(Int32(1)) + bigEndian(Int32(9)) + [0x12] + bigEndian(Int32(4)) + bigEndian(Int32(27))),
        (.scalar(1700), [3, 1, 0x4000, 3, 1, 2345, 6780].flatMap { (word: UInt16) in bigEndian(word) }),
        (.scalar(3802), [1] + Array(#"{"a":[1,"b",true,null,{"c":-2.5}]}"#.utf8)), (.scalar(869), [2, 24, 0, 4, 10, 1, 2, 3]),
        (.scalar(1184), bigEndian(Int64(763_000_000_000_000))), (.scalar(829), [8, 0, 43, 1, 2, 3]),
    ]

    @Test func everyTruncationAndEveryChangedByteIsMaskedOrWithheld() {
        for (shape, sample) in Self.samples {
            for strategy in Self.strategies {
                for length in 0..<sample.count { _ = mask(Array(sample[..<length]), shape, .binary, strategy) }
                for index in sample.indices {
                    for byte: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                        var changed = sample
                        changed[index] = byte
                        _ = mask(changed, shape, .binary, strategy)
                        _ = mask(changed, shape, .text, strategy)
                    }
                }
            }
            // Containers that are cut are withheld, not guessed at.
            if case .scalar = shape { continue }
            for length in 0..<sample.count {
                #expect(
                    mask(Array(sample[..<length]), shape, .binary, .redact) == nil || shape == .range(of: .scalar(23))
                        || shape == .multirange(of: .scalar(1082)))
            }
        }
    }

    @Test func noiseNeverTraps() {
        var random = SeededGenerator(state: 5)
        let alphabet = Array("{}[]()\",\\:=-+.eE0129anulltrue \t\n/".utf8) + [0, 0x80, 0xC3, 0xFF]
        let shapes = Self.samples.map(\.0) + [Self.json, .scalar(701), .scalar(1082), .scalar(650), .scalar(17)]
        for _ in 0..<20_000 {
            let value = (0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            guard let shape = shapes.randomElement(using: &random), let strategy = Self.strategies.randomElement(using: &random) else {
                continue
            }
            _ = mask(value, shape, Bool.random(using: &random) ? .text : .binary, strategy)
        }
    }
}
