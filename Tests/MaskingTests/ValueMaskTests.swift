import Testing

@testable import Masking

@Suite struct ValueMaskTests {
    @Test func nullStaysNull() {
        for strategy in [MaskStrategy.redact, .partial, .hash(testKey), .null] {
            let (outcome, bytes) = apply(nil, OID.text, .text, strategy)
            #expect(outcome == .wasNull)
            #expect(bytes.isEmpty)
        }
    }

    @Test func redactGivesAConstantThatTheTypeAccepts() {
        for type in [OID.text, OID.varchar, OID.bpchar, OID.name, OID.xml] {
            #expect(masked("123-45-6789", type, .redact) == "****")
            #expect(masked("", type, .redact) == "****")
        }
        #expect(masked("x", OID.char, .redact) == "*")
        #expect(masked(#"{"a":1}"#, OID.json, .redact) == #"{"a":0}"#)
        #expect(masked(#"{"a":"b"}"#, OID.jsonb, .redact) == #"{"a":"****"}"#)
        #expect(apply([1] + Array("{}".utf8), OID.jsonb, .binary, .redact).1 == [1] + Array("{}".utf8))
        #expect(masked(#"\x00ff"#, OID.bytea, .redact) == #"\x2a2a2a2a"#)
        #expect(apply([0, 255], OID.bytea, .binary, .redact).1 == Array("****".utf8))
    }

    /// money, point, bit, pg_lsn, int2vector, record, and what there is not.
    @Test(arguments: [790, 600, 1560, 3220, 22, 2249, 0, 99_999, UInt32.max])
    func whatHasNoValidReplacementBecomesNull(type: UInt32) {
        for strategy in [MaskStrategy.redact, .partial, .hash(testKey), .null] {
            for format in [ValueFormat.text, .binary] {
                let (outcome, bytes) = apply([0, 0, 0, 7], type, format, strategy)
                #expect(outcome == .nulled)
                #expect(bytes.isEmpty)
            }
        }
    }

    @Test func nullStrategyIsNullForEveryType() {
        for type in [OID.text, OID.json, OID.jsonb, OID.uuid, OID.bytea, OID.char] {
            #expect(apply([65], type, .text, .null).0 == .nulled)
        }
    }

    @Test func partialKeepsAtMostFourCharactersAndAThird() {
        #expect(masked("4111111111111234", OID.text, .partial) == "****1234")
        #expect(masked("123456789012", OID.text, .partial) == "****9012")
        #expect(masked("12345678901", OID.text, .partial) == "****901")
        #expect(masked("abcdef", OID.varchar, .partial) == "****ef")
        #expect(masked("abc", OID.varchar, .partial) == "****c")
        #expect(masked("ab", OID.varchar, .partial) == "****")
        #expect(masked("", OID.text, .partial) == "****")
    }

    @Test func partialCutsBetweenCharacters() {
        #expect(masked("äöüßäöüßäöüß", OID.text, .partial) == "****äöüß")
        #expect(masked("日本語日本語", OID.text, .partial) == "****本語")
        #expect(masked(String(repeating: "🙂", count: 30), OID.text, .partial) == "****🙂🙂🙂🙂")
        #expect(masked(String(repeating: "🙂", count: 5), OID.text, .partial) == "****🙂")
    }

    @Test func partialShowsNothingThatIsNotUTF8() {
        let invalid: [[UInt8]] = [
            Array(repeating: 0x80, count: 60), Array(repeating: 0xFF, count: 60), Array(repeating: 0x61, count: 30) + [0xE2, 0x82],
            Array(repeating: 0xC3, count: 24),
        ]
        for value in invalid { #expect(apply(value, OID.text, .text, .partial).1 == Array("****".utf8)) }
    }

    @Test func partialOfPaddedTextLooksBehindThePadding() {
        #expect(masked("123456789012        ", OID.bpchar, .partial) == "****9012")
        #expect(masked("            ", OID.bpchar, .partial) == "****")
    }

    @Test func partialOfStructuredTypesKeepsNothing() {
        #expect(masked("<a>123456789</a>", OID.xml, .partial) == "****")
        #expect(masked(#"["123456789012"]"#, OID.json, .partial) == #"["****9012"]"#)
        #expect(masked("6f8a2b50-0000-4000-8000-000000001234", OID.uuid, .partial) == nil)
    }

    /// HMAC-SHA256 under the key "0123456789abcdef", first 16 bytes; computed with Python's hmac module.
    @Test func hashIsHMACSHA256() {
        #expect(masked("123-45-6789", OID.text, .hash(testKey)) == "249d675a58148e16b879e0d05cd87096")
    }

    @Test func hashIsStableAndKeyed() {
        let other = MaskKey()
        let first = masked("123-45-6789", OID.text, .hash(testKey))
        #expect(first == masked("123-45-6789", OID.varchar, .hash(testKey), .binary))
        #expect(first == masked("123-45-6789   ", OID.bpchar, .hash(testKey)))
        #expect(first != masked("123-45-6788", OID.text, .hash(testKey)))
        #expect(first != masked("123-45-6789", OID.text, .hash(other)))
        #expect(first?.utf8.count == 32)
    }

    @Test func hashIsTheSameInTextAndBinary() {
        let uuid = "6f8a2b50-1122-4333-8444-5566778899aa"
        let uuidBytes: [UInt8] = [0x6f, 0x8a, 0x2b, 0x50, 0x11, 0x22, 0x43, 0x33, 0x84, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa]
        let text = masked(uuid, OID.uuid, .hash(testKey))
        let binary = apply(uuidBytes, OID.uuid, .binary, .hash(testKey)).1
        #expect(text?.filter { $0 != "-" } == binary.map { hex($0) }.joined())
        #expect(binary.count == 16 && binary[6] >> 4 == 8 && binary[8] >> 6 == 2)

        let bytes: [UInt8] = [0, 1, 0xAB, 0x5C, 0xFF]
        let raw = apply(bytes, OID.bytea, .binary, .hash(testKey)).1
        #expect(masked(#"\x0001ab5cff"#, OID.bytea, .hash(testKey)) == #"\x"# + raw.map { hex($0) }.joined())
        #expect(masked(#"\000\001\253\\\377"#, OID.bytea, .hash(testKey)) == #"\x"# + raw.map { hex($0) }.joined())

        let json = #"{"a": 1}"#
        #expect(
            apply([1] + Array(json.utf8), OID.jsonb, .binary, .hash(testKey)).1.dropFirst()
                == apply(Array(json.utf8), OID.jsonb, .text, .hash(testKey)).1[...])
    }

    @Test func hostileValuesNeverTrap() {
        var random = SeededGenerator(state: 7)
        let types: [UInt32] = [OID.text, OID.bpchar, OID.char, OID.json, OID.jsonb, OID.xml, OID.bytea, OID.uuid, OID.name, OID.int4]
        let alphabet: [UInt8] = [0, 0x20, 0x5C, 0x78, 0x30, 0x80, 0xBF, 0xC3, 0xE2, 0xF0, 0xFF, 0x2D, 0x61]
        for _ in 0..<4_000 {
            let value = (0..<Int.random(in: 0...80, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            for strategy in [MaskStrategy.redact, .partial, .hash(testKey)] {
                let type = types.randomElement(using: &random) ?? 25
                for format in [ValueFormat.text, .binary] {
                    let (outcome, bytes) = apply(value, type, format, strategy)
                    #expect(bytes.count <= value.count * 20 + ValueMask.maximumGrowth)
                    #expect(outcome != .wasNull && (outcome == .replaced) == !bytes.isEmpty)
                }
            }
        }
    }

    @Test func keysPrintNothingAndRefuseShortOnes() {
        #expect(MaskKey(bytes: [1, 2, 3]) == nil)
        #expect("\(testKey)" == "<mask key>")
        #expect(String(reflecting: MaskStrategy.hash(testKey)).contains("<mask key>"))
        var dumped = ""
        dump(testKey, to: &dumped)
        #expect(!dumped.contains("48"))
        #expect(MaskKey() != MaskKey())
    }

    private func hex(_ byte: UInt8) -> String {
        let digits = Array("0123456789abcdef")
        return String([digits[Int(byte >> 4)], digits[Int(byte & 15)]])
    }
}
