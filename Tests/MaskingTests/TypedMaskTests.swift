import NIOCore
import Testing

@testable import Masking

/// Strategies on types that are no text.
@Suite struct TypedMaskTests {
    private static let date: UInt32 = 1082
    private static let timestamp: UInt32 = 1114
    private static let timestamptz: UInt32 = 1184

    // MARK: Partial

    @Test func partialKeepsWhatItIsTold() {
        func partial(_ value: String, _ shape: PartialShape) -> String? { masked(value, OID.text, .partially(shape)) }
        #expect(partial("4111111111111234", PartialShape(first: 6, last: 4)) == "411111****1234")
        #expect(partial("123-45-6789", PartialShape(last: 4)) == "****6789")
        #expect(partial("123-45-6789", PartialShape(first: 2)) == "12****")
        #expect(partial("123456789", PartialShape(first: 3, last: 3, character: UInt8(ascii: "#"))) == "123####789")
        // Less than a third would be hidden.
        #expect(partial("12345678", PartialShape(first: 3, last: 3)) == "****")
        #expect(partial("", PartialShape(first: 1)) == "****")
        #expect(partial("äöüß日本語🙂x", PartialShape(first: 2, last: 2)) == "äö****🙂x")
        #expect(partial("anything", PartialShape(first: 0, last: 0)) == "****")
    }

    @Test func partialKeepsTheDomainOfAnAddress() {
        func partial(_ value: String, _ shape: PartialShape = PartialShape(keepsDomain: true)) -> String? {
            masked(value, OID.text, .partially(shape))
        }
        #expect(partial("ann.miller@example.com") == "****@example.com")
        #expect(partial("ann.miller@example.com", PartialShape(first: 1, keepsDomain: true)) == "a****@example.com")
        #expect(partial("a@b@example.com") == "****@example.com")
        // No address, no host behind the sign, or too long for one: as without a domain.
        #expect(partial("4111111111111234") == "****1234")
        #expect(partial("secret@not a host") == "****host")
        #expect(partial("x@" + String(repeating: "a", count: 300)) == "****aaaa")
        #expect(partial("@example.com") == "****@example.com")
    }

    // MARK: Tokens

    @Test func tokensKeepTheShapeAndTheLength() throws {
        let token = try #require(masked("Ann Miller, 123-45-6789", OID.text, .token(testKey)))
        let shape = token.map { $0.isNumber ? "9" : $0.isUppercase ? "A" : $0.isLowercase ? "a" : String($0) }.joined()
        #expect(shape == "Aaa Aaaaaa, 999-99-9999")
        #expect(token != "Ann Miller, 123-45-6789")
        #expect(masked("Ann Miller, 123-45-6789", OID.varchar, .token(testKey), .binary) == token)
        #expect(masked("Ann Miller, 123-45-6788", OID.text, .token(testKey)) != token)
        #expect(masked("Ann Miller, 123-45-6789", OID.text, .token(MaskKey())) != token)
        #expect(masked("Jürgen", OID.text, .token(testKey))?.utf8.count == 6)
        #expect(masked("", OID.text, .token(testKey)) == "")
        // Nothing of these would be replaced.
        #expect(masked("---", OID.text, .token(testKey)) == "****")
        let long = String(repeating: "0", count: 500)
        let digits = try #require(masked(long, OID.text, .token(testKey)))
        #expect(digits.utf8.count == 500 && Set(digits).count == 10)
    }

    @Test func tokensOfOneDomainAreTheSameAndOfOthersNot() {
        let one = MaskStrategy.token(testKey).scoped(to: "domain customers")
        let other = MaskStrategy.token(testKey).scoped(to: "domain orders")
        #expect(
            masked("customer-10001", OID.text, one)
                == masked("customer-10001", OID.text, MaskStrategy.token(testKey).scoped(to: "domain customers")))
        #expect(masked("customer-10001", OID.text, one) != masked("customer-10001", OID.text, other))
    }

    @Test func tokensOfNumbersFitTheirType() throws {
        let cases: [(UInt32, [Int64])] = [
            (21, [32_767, -32_768, 99, 0]), (23, [2_147_483_647, -2_147_483_648, 1_999_999_999, 5]),
            (20, [9_223_372_036_854_775_807, -9_223_372_036_854_775_808, 123_456_789_012]),
        ]
        for (type, numbers) in cases {
            for number in numbers {
                let key = MaskKey()
                let token = try #require(masked(String(number), type, .token(key)))
                #expect(token.utf8.count == String(number).utf8.count)
                let size = type == 21 ? 2 : type == 23 ? 4 : 8
                let binary = apply(Array(bigEndian(number).suffix(size)), type, .binary, .token(key)).1
                let made = try #require(Int64(token))
                #expect(binary == bigEndian(made).suffix(size))
            }
        }
        #expect(masked("32768", 21, .token(testKey)) == nil)
        #expect(masked("12x", 23, .token(testKey)) == nil)
    }

    // MARK: Dates

    @Test func datesMoveByOneNumberOfDaysWithinTheBound() throws {
        var seen: Set<Int64> = []
        for number in 0..<400 {
            let days = DateShift.days(of: testKey.derived(for: "\(number)"), within: 3)
            #expect(days != 0 && abs(days) <= 3)
            seen.insert(days)
        }
        #expect(seen == [-3, -2, -1, 1, 2, 3])
        let days = DateShift.days(of: testKey, within: 30)
        #expect(days == DateShift.days(of: testKey, within: 30))
        let base = Int32(8_825)  // 2024-02-29
        #expect(apply(bigEndian(base), Self.date, .binary, .dateShift(testKey, within: 30)).1 == bigEndian(base + Int32(days)))
        let instant = Int64(base) * Moment.dayMicroseconds + 45_296_000_000
        let moved = instant + days * Moment.dayMicroseconds
        for type in [Self.timestamp, Self.timestamptz] {
            #expect(apply(bigEndian(instant), type, .binary, .dateShift(testKey, within: 30)).1 == bigEndian(moved))
        }
        let text = try #require(masked("2024-02-29 12:34:56", Self.timestamp, .dateShift(testKey, within: 30)))
        #expect(text.withCStringBytes { Moment($0)?.instant } == moved)
        let zoned = try #require(masked("2024-02-29 14:34:56+02", Self.timestamptz, .dateShift(testKey, within: 30)))
        #expect(zoned.hasSuffix(" 14:34:56+02"))
        #expect(zoned.withCStringBytes { Moment($0)?.instant } == moved)
    }

    @Test func infinitiesStayAndWhatIsNoDateIsWithheld() {
        let shift = MaskStrategy.dateShift(testKey, within: 30)
        for type in [Self.date, Self.timestamp, Self.timestamptz] {
            #expect(masked("infinity", type, shift) == "infinity")
            #expect(masked("-infinity", type, shift) == "-infinity")
        }
        #expect(apply(bigEndian(Int32.max), Self.date, .binary, shift).1 == bigEndian(Int32.max))
        #expect(apply(bigEndian(Int64.min), Self.timestamp, .binary, shift).1 == bigEndian(Int64.min))
        // Other styles, and what is more than a date.
        for text in [
            "02/29/2024", "29.02.2024", "Thu Feb 29 12:34:56 2024", "2024-02-30x", "2024-13-01", "2024-02-00", "2024-02-29 12:34:56 secret",
            "2024-02-29T", "0000-01-01", "2024-02-29 25:00", "secret", "", "infinity ", "2024-02-29 12:34:56+1", "2024-04-31",
        ] {
            #expect(masked(text, Self.timestamp, shift) == nil, "\(text)")
            #expect(masked(text, OID.text, shift) == nil, "\(text)")
        }
        #expect(masked("2024-02-29 12:34:56", Self.date, shift) == nil)
        #expect(masked("infinity", OID.text, shift) == nil)
        #expect(apply(bigEndian(Int32.max - 1), Self.date, .binary, shift).0 == .nulled)
        #expect(apply(bigEndian(Int64.max - 1), Self.timestamp, .binary, shift).0 == .nulled)
        #expect(apply([0, 0, 0], Self.date, .binary, shift).0 == .nulled)
    }

    /// Days and texts, from the server: `SELECT d::date - '2000-01-01'::date`.
    @Test(
        arguments: [
            ("2000-01-01", 0), ("1999-12-31", -1), ("2000-03-01", 60), ("1900-01-01", -36_524), ("1900-03-01", -36_465),
            ("0001-01-01", -730_119), ("0001-12-31 BC", -730_120), ("4714-11-24 BC", -2_451_545), ("2024-02-29", 8_825),
            ("5874897-12-31", 2_145_031_948),
        ] as [(String, Int64)])
    func daysAreCountedAsTheServerDoes(text: String, days: Int64) {
        #expect(text.withCStringBytes { Moment($0)?.days } == days)
        #expect(String(decoding: Moment.write(days: days, rest: []), as: UTF8.self) == text)
    }

    // MARK: Rounding

    @Test(
        arguments: [
            ("1449", "100", "1400"), ("1450", "100", "1500"), ("-1450", "100", "-1500"), ("-1449", "100", "-1400"), ("0", "100", "0"),
            ("49", "100", "0"), ("-49", "100", "0"), ("7", "5", "5"), ("8", "5", "10"), ("2147483647", "100", "2147483600"),
            ("-2147483648", "100", "-2147483600"), ("2147483647", "999999999", "1999999998"),
        ])
    func integersAreRounded(value: String, step: String, expected: String) throws {
        let strategy = MaskStrategy.round(try #require(RoundingStep(step)))
        #expect(masked(value, OID.int4, strategy) == expected)
        let binary = bigEndian(try #require(Int32(value)))
        #expect(apply(binary, OID.int4, .binary, strategy).1 == bigEndian(try #require(Int32(expected))))
        #expect(masked(value, OID.int8, strategy) != nil)
    }

    @Test(
        arguments: [
            ("12345.678", "0.5", "12345.5"), ("12345.75", "0.5", "12346.0"), ("12345.678", "100", "12300"), ("0.004", "0.01", "0.00"),
            ("0.005", "0.01", "0.01"), ("-0.005", "0.01", "-0.01"), ("-0.004", "0.01", "0.00"),
            ("99999999999999999999.5", "1", "100000000000000000000"),
            ("1.49999999999999999999", "3", "0"), ("1.5", "3", "3"), ("4.4999", "3", "3"), ("4.5", "3", "6"), ("NaN", "3", "NaN"),
            ("-Infinity", "3", "-Infinity"), ("7", "0.001", "7.000"), ("0.1", "100", "0"), ("3", "2", "4"), ("1", "2", "2"),
        ])
    func numericsAreRounded(value: String, step: String, expected: String) throws {
        let strategy = MaskStrategy.round(try #require(RoundingStep(step)))
        #expect(masked(value, OID.numeric, strategy) == expected)
        let binary = try #require(value.withCStringBytes { DecimalNumber($0) }).binary
        let made = apply(binary, OID.numeric, .binary, strategy).1
        #expect(made.withUnsafeBytes { DecimalNumber(binary: $0) }.map { String(decoding: $0.text, as: UTF8.self) } == expected)
    }

    @Test func floatsAreRoundedAndStepsAreChecked() throws {
        let step = try #require(RoundingStep("0.5"))
        #expect(masked("1.7", 701, .round(step)) == "1.5")
        #expect(masked("NaN", 701, .round(step)) == "NaN")
        #expect(masked("-0.1", 700, .round(step)) == "0")
        #expect(apply(bigEndian(Double(1.75).bitPattern), 701, .binary, .round(step)).1 == bigEndian(Double(2).bitPattern))
        #expect(apply(bigEndian(Float(1.2).bitPattern), 700, .binary, .round(step)).1 == bigEndian(Float(1).bitPattern))
        // Whole numbers have no halves.
        #expect(masked("7", OID.int4, .round(step)) == nil)
        for text in ["0", "-1", "1e3", "", ".", "1.", ".5", "0.0000000001", "1000000000000000", "x", "1.2.3"] {
            #expect(RoundingStep(text) == nil, "\(text)")
        }
        #expect(masked("$7.00", 790, .round(step)) == nil)
    }

    @Test func numericsAreReadAndWrittenAsTheServerDoes() throws {
        // numeric_send of these, from the server.
        let cases: [(String, [UInt16])] = [
            ("0", [0, 0, 0, 0]), ("1", [1, 0, 0, 0, 1]), ("-12345.678", [3, 1, 0x4000, 3, 1, 2345, 6780]),
            ("0.00012345", [2, 0xFFFF, 0, 8, 1, 2345]),
            ("10000", [1, 1, 0, 0, 1]), ("0.00", [0, 0, 0, 2]), ("1.50", [2, 0, 0, 2, 1, 5000]), ("NaN", [0, 0, 0xC000, 0]),
        ]
        for (text, words) in cases {
            let number = try #require(text.withCStringBytes { DecimalNumber($0) })
            #expect(number.binary == words.flatMap(bigEndian), "\(text)")
            let back = words.flatMap(bigEndian).withUnsafeBytes { DecimalNumber(binary: $0) }
            #expect(back.map { String(decoding: $0.text, as: UTF8.self) } == text)
        }
    }

    // MARK: Redacted and hashed

    @Test func hashesOfNumbersAndAddressesAreTheSameInBothFormats() throws {
        #expect(try #require(masked("7", OID.int4, .hash(testKey)).flatMap(Int32.init)) >= 0)
        let text = try #require(masked("7", OID.int4, .hash(testKey)).flatMap(Int32.init))
        #expect(apply(bigEndian(Int32(7)), OID.int4, .binary, .hash(testKey)).1 == bigEndian(text))
        // The same number, whatever it is kept as.
        #expect(masked("1.50", OID.numeric, .hash(testKey)) == masked("1.5", OID.numeric, .hash(testKey)))
        let address = try #require(masked("192.168.1.7", 869, .hash(testKey)))
        #expect(address.hasPrefix("10."))
        #expect(
            apply([2, 32, 0, 4, 192, 168, 1, 7], 869, .binary, .hash(testKey)).1.suffix(4).map(String.init).joined(separator: ".")
                == address)
        #expect(masked("fe80::1/64", 869, .hash(testKey))?.hasPrefix("fd") == true)
        #expect(masked("08:00:2b:01:02:03", 829, .hash(testKey))?.utf8.count == 17)
        for type: UInt32 in [16, 1083, 1266, 1186, 18] { #expect(masked("t", type, .hash(testKey)) == nil) }
    }
}

extension String {
    func withCStringBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { Array(utf8).withUnsafeBytes(body) }
}
