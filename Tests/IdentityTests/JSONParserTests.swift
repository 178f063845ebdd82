import Testing

@testable import Identity

@Suite struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    @Test func readsEveryKindOfValue() throws {
        let value = try parse(#" {"a": [1, -2.5e1, true, false, null], "b": {"c": "x\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}} "#)
        #expect(value["a"] == .array([.number(1), .number(-25), .bool(true), .bool(false), .null]))
        #expect(value["b"]?["c"]?.string == "x\"\\/\u{8}\u{C}\n\r\té😀")
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "01", "1.", "1e", "-", "+1", ".5", "tru", "nul",
        "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "1 1", "{} {}", "1e999", "NaN",
        "'a'", "[", "[[", "\u{FEFF}{}", "{\"a\":1}x",
    ])
    func refusesWhatIsNotJSON(_ text: String) {
        #expect(throws: JSONParser.Failure.self) { try parse(text) }
    }

    @Test func refusesAMemberNamedTwice() {
        #expect(throws: JSONParser.Failure.self) { try parse(#"{"sub":"a","sub":"b"}"#) }
        #expect(throws: JSONParser.Failure.self) { try parse(#"{"sub":"a","s\u0075b":"b"}"#) }
    }

    @Test func refusesTextThatIsNotUTF8() {
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse([0x22, 0xC0, 0x80, 0x22]) }
    }

    @Test func boundsNesting() throws {
        let deep = JSONParser.maximumDepth - 1
        _ = try parse(String(repeating: "[", count: deep) + "1" + String(repeating: "]", count: deep))
        #expect(throws: JSONParser.Failure.self) { try parse(String(repeating: "[", count: 200_000)) }
        #expect(throws: JSONParser.Failure.self) { try parse(String(repeating: "{\"a\":", count: 100_000)) }
    }

    @Test func everyPrefixOfADocumentIsRefused() throws {
        let text = Array(#"{"a":[1,{"b":"\u00e9"}],"c":true}"#.utf8)
        for count in 0..<text.count {
            #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(Array(text.prefix(count))) }
        }
    }
}

@Suite struct Base64URLTests {
    @Test func roundTrips() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
            #expect(Base64URL.decode(Array(Base64URL.encode(bytes).utf8)) == bytes)
        }
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
    }

    /// A second text of the same bytes would make a second token of the same signature.
    @Test(arguments: ["A", "AA=", "AA==", "A+", "A/", "A A", "AB", "-_9", "AAAAA", "é"])
    func refusesEveryOtherForm(_ text: String) {
        #expect(Base64URL.decode(Array(text.utf8)) == nil)
    }
}

@Suite struct SafeURLTests {
    @Test(arguments: [
        "https://login.example.com", "https://login.example.com:8443/realms/a", "http://127.0.0.1:8080/x", "http://localhost",
        "http://[::1]:80/",
        "http://127.9.9.9/",
    ])
    func accepts(_ url: String) {
        #expect(SafeURL.problem(of: url) == nil)
    }

    @Test(arguments: [
        "http://login.example.com", "http://127.0.0.1.example.com", "http://127.0.0.1@example.com", "http://localhost.example.com",
        "http://127.0.0.1:80@example.com/", "ftp://127.0.0.1", "file:///etc/passwd", "https://", "https://user@example.com", "",
        "https://exa mple.com", "http://10.0.0.1", "http://0.0.0.0", "http://127.1", "https://a.example/#x",
        "http://127.0.0.1\\@example.com",
    ])
    func refuses(_ url: String) {
        #expect(SafeURL.problem(of: url) != nil)
    }
}
