import GatehouseCore
import Policy
import Testing

@Suite struct GlobTests {
    @Test(arguments: [
        ("*", "", true), ("*", "anything", true), ("**", "x", true), ("", "", true), ("", "x", false), ("abc", "abc", true),
        ("abc", "ABC", false),
        ("abc", "abcd", false), ("abc*", "abcd", true), ("abc*", "abc", true), ("abc*", "ab", false), ("*abc", "zabc", true),
        ("*abc", "abcz", false), ("a*c", "abbbc", true), ("a*c", "ac", true), ("a*c", "acb", false), ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("a?c", "aéc", true), ("??", "é", false), ("*a*b*", "xxaxxbxx", true), ("*a*b*", "xxbxxaxx", false), ("acme/*", "acme/shop", true),
        ("acme/*", "acmeevil/shop", false), ("*.*", "a.b", true), ("a*b*c", "aXbYbZc", true), ("?*", "", false), ("?*", "é", true),
        ("e\u{301}", "é", false),
    ])
    func matches(_ pattern: String, _ text: String, _ expected: Bool) {
        #expect(Glob(pattern).matches(text) == expected)
    }

    /// Compares with the definition, read off directly, over every short text of three letters.
    @Test func agreesWithTheDefinition() {
        func meansMatch(_ pattern: Substring, _ text: Substring) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == "*" { return meansMatch(pattern.dropFirst(), text) || (!text.isEmpty && meansMatch(pattern, text.dropFirst())) }
            guard let letter = text.first, first == "?" || first == letter else { return false }
            return meansMatch(pattern.dropFirst(), text.dropFirst())
        }
        func all(_ letters: String, upTo length: Int) -> [String] {
            (0..<length).reduce(into: [""]) { found, _ in found += found.flatMap { text in letters.map { text + String($0) } } }
        }
        let texts = Set(all("ab", upTo: 4))
        for pattern in Set(all("a*?b", upTo: 4)) {
            let glob = Glob(pattern)
            for text in texts where glob.matches(text) != meansMatch(pattern[...], text[...]) {
                Issue.record("`\(pattern)` and `\(text)`: \(glob.matches(text))")
            }
        }
    }

    /// Backtracking must not explode: a pattern of stars over a long text that nearly matches.
    @Test func takesBoundedTime() {
        let pattern = Glob(String(repeating: "*a", count: 50) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 5_000)))
    }
}

@Suite struct NamePatternTests {
    @Test(arguments: [
        ("customers", "public", "customers", true), ("customers", "audit", "customers", true),
        ("public.customers", "audit", "customers", false),
        ("audit.*", "audit", "log", true), ("audit.*", "audit2", "log", false), ("*.log", "audit", "log", true),
        ("PUBLIC.Customers", "public", "customers", true),
        ("customers", "public", "Customers", false), ("public.\"Customers\"", "public", "Customers", true), ("\"a.b\".c", "a.b", "c", true),
        ("\"*\"", "public", "x", false), ("\"*\"", "public", "*", true), ("\"a\"\"b\"", "public", "a\"b", true),
        ("c?st*", "public", "customers", true),
    ])
    func matches(_ pattern: String, _ schema: String, _ name: String, _ expected: Bool) throws {
        #expect(try NamePattern(pattern).matches(Relation(schema: schema, name: name)) == expected)
    }

    @Test(arguments: ["", ".", "a.", ".a", "a.b.c", "\"a", "\"\"", "\"a\"b", "a\"b\"", "a..b"])
    func refuses(_ pattern: String) {
        #expect(throws: PatternError.self) { try NamePattern(pattern) }
    }

    @Test func columnsHaveThreeParts() throws {
        let pattern = try ColumnPattern("*.Customers.\"SSN\"")
        #expect(pattern.matches(schema: "x", table: "customers", column: "SSN"))
        #expect(!pattern.matches(schema: "x", table: "customers", column: "ssn"))
        #expect(throws: PatternError.self) { try ColumnPattern("customers.ssn") }
        #expect(throws: PatternError.self) { try ColumnPattern("db.public.customers.ssn") }
    }
}

@Suite struct KindPatternTests {
    @Test(arguments: [
        ("drop", "drop", true), ("drop", "drop.table", true), ("drop", "dropper", false), ("drop.table", "drop", false),
        ("*", "anything.at.all", true),
        ("DROP", "drop.view", true), ("copy.to", "copy.from", false),
    ])
    func matches(_ word: String, _ kind: String, _ expected: Bool) {
        #expect(KindPattern(word).matches(kind) == expected)
    }
}
