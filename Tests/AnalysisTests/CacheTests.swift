import GatehouseCore
import Testing

@testable import Analysis

/// The key of a text, nil where it is not plain, and its literals' places.
private func key(_ sql: String) -> (bytes: [UInt8], literals: [Range<Int>])? {
    let text = Array(sql.utf8)
    var out = [UInt8](repeating: 0, count: text.count)
    var literals: [Range<Int>] = []
    let count = text.withUnsafeBytes { text in out.withUnsafeMutableBytes { LiteralKey.write(text, into: $0) { literals.append($0) } } }
    return count.map { (Array(out[..<$0]), literals) }
}

extension StatementAnalyzer {
    fileprivate func analysis(_ sql: String) -> Analysis? {
        var sql = sql
        return sql.withUTF8 { analysis(of: UnsafeRawBufferPointer($0)) }
    }
}

@Suite("Caches")
struct CacheTests {
    @Test(
        "Texts with one key",
        arguments: [
            ("SELECT 1", "SELECT 23"), ("SELECT 'a'", "SELECT ''"), ("SELECT 'a''b' FROM t WHERE a=1", "SELECT 'c' FROM t WHERE a=2"),
            ("SELECT 1.5", "SELECT 12345678901."), ("SELECT 'é'", "SELECT 'e'"),
        ])
    func sameKey(_ a: String, _ b: String) throws {
        #expect(try #require(key(a)).bytes == #require(key(b)).bytes)
    }

    @Test(
        "Texts with different keys",
        arguments: [
            ("SELECT 1", "SELECT 'a'"), ("SELECT 1", "SELECT 1.5"), ("SELECT a", "SELECT b"),
            ("SELECT a1", "SELECT a2"), ("SELECT $1", "SELECT $2"), ("SELECT \"1\"", "SELECT \"2\""), ("SELECT 1 -- 1", "SELECT 1 -- 2"),
            ("SELECT /*1*/ 1", "SELECT /*2*/ 1"), ("SELECT -1", "SELECT 1"),
        ])
    func otherKey(_ a: String, _ b: String) throws {
        #expect(try #require(key(a)).bytes != #require(key(b)).bytes)
    }

    @Test(
        "Texts without a key",
        arguments: [
            "SELECT E'a'", "SELECT b'1'", "SELECT x'1'", "SELECT n'a'", "SELECT U&'a'", "SELECT u&\"a\"", "SELECT $$a$$", "SELECT $a$b$a$",
            "SELECT 'a\\'", "SELECT 1e5", "SELECT 2147483648", "SELECT 0000000001", "SELECT 0x1f", "SELECT 1_000", "SELECT .5", "SELECT 1a",
            "SELECT 'a", "SELECT \"a", "SELECT /* a",
            "SELECT 'a'\n'b'", "SELECT 'a' -- x\n 'b'", "SELECT $1a",
            "SELECT 1..2", "SELECT 1.5.5", "SELECT \u{0}", "SELECT '\u{0}'", "SELECT a\\b",
        ])
    func noKey(_ sql: String) { #expect(key(sql) == nil) }

    @Test("What is no UTF-8 has no key")
    func invalidUTF8() {
        for bytes: [UInt8] in [
            [0x27, 0xff, 0x27], [0x27, 0xc3, 0x27], [0xf8], [0xfa], [0x22, 0xf9, 0x22], [0x2d, 0x2d, 0xf8], [0x27, 0xf8, 0x27],
        ] {
            var out = [UInt8](repeating: 0, count: 16)
            let count = bytes.withUnsafeBytes { text in out.withUnsafeMutableBytes { LiteralKey.write(text, into: $0) } }
            #expect(count == nil, "\(bytes)")
        }
    }

    /// Every literal of the fast lexer is exactly one of PostgreSQL's own scanner, and none is left out.
    private func agreesWithScanner(_ sql: String) throws {
        guard let key = key(sql) else { return }
        let scanned = try? sql.withCString { try ScannedText($0, count: sql.utf8.count) }
        guard let scanned else { return }  // Refused by the scanner: nothing of it is ever shared.
        let theirs = scanned.tokens.filter { TokenKind.isLiteral($0.kind) }.map { Int($0.start)..<Int($0.end) }
        #expect(key.literals == theirs, "\(sql)")
    }

    @Test("The fast lexer agrees with PostgreSQL's scanner on random token soup")
    func lexerAgrees() throws {
        let pieces = [
            "'", "''", "\"", "$", "$$", "$a$", "$1", "1", "12", ".", "..", "1.", "e", "E", "E'", "b'", "U&'", "u&", "&", "x", "n", "N'",
            "é", "-", "--", "/*", "*/", "/", "*", "\n", " ", "a", "select", "_", "::", ":", "(", ")", ",", ";", "+", "<", "=", "@", "#",
            "\\", "\t", "0x", "e5", "\r", "'a'", "'b'\n'c'", "9999999999",
        ]
        var random = Seeded(7)
        for _ in 0..<30_000 {
            var sql = ""
            for _ in 0..<(1 + random.next() % 14) { sql += pieces[Int(random.next() % UInt64(pieces.count))] }
            try agreesWithScanner(sql)
        }
    }

    @Test("Facts that are shared by key are the same for every literal", arguments: [1, 2, 3, 4] as [UInt64])
    func sharedFactsHoldForAll(_ seed: UInt64) throws {
        var statements = RandomStatement(seed)
        var shared = 0
        for round in 0..<1_600 as Range<UInt64> {
            let pattern = statements.pattern()
            let a = RandomStatement.fill(pattern, seed &* 77 &+ round)
            let b = RandomStatement.fill(pattern, seed &* 991 &+ round)
            try agreesWithScanner(a)
            guard let first = key(a)?.bytes, let second = key(b)?.bytes, first == second else { continue }
            let one = analyse(a)
            let other = analyse(b)
            guard one.isSharable || other.isSharable else { continue }
            shared += 1
            #expect(one.actions == other.actions, "\(a) / \(b)")
            #expect(one.isSharable == other.isSharable, "\(a) / \(b)")
            #expect(one.dependsOnStringSetting == other.dependsOnStringSetting)
            #expect(one.failure == nil && other.failure == nil)
        }
        // Some of the pairs must have been compared, or the test shows nothing.
        #expect(shared > 100, "\(shared)")
    }

    @Test(
        "Facts that came from a literal are never shared",
        arguments: [
            "DELETE FROM t WHERE 1 = 1", "SELECT set_config('a', 'b', false)", "SET x = 1", "DELETE FROM t WHERE 't'",
            "EXPLAIN (ANALYZE 'on') DELETE FROM t", "COPY t TO 'x'", "SELECT '\\'", "UPDATE t SET a = 1 WHERE 'a' IS NOT NULL",
            "DELETE FROM t WHERE 'a' IS NOT DISTINCT FROM 'a'", "SELECT 1 1",
        ])
    func notShared(_ sql: String) { #expect(!analyse(sql).isSharable) }

    @Test("The analyser answers by text, then by key, and judges literals that matter")
    func twoLevels() throws {
        let analyzer = StatementAnalyzer(statementBytes: 1_000, inlineBytes: 200, cacheEntries: 64)
        let first = try #require(analyzer.analysis("SELECT a FROM t WHERE b = 1"))
        #expect(analyzer.analysis("SELECT a FROM t WHERE b = 1") === first)
        #expect(analyzer.analysis("SELECT a FROM t WHERE b = 22222") === first)
        #expect(analyzer.analysis("SELECT a FROM t WHERE c = 22222") !== first)
        #expect(analyzer.cached.exact == 0)
        #expect(analyzer.cached.shared == 2)
        #expect(analyzer.analysis("DELETE FROM t WHERE 1 = 2")?.actions.first?.flags == [])
        #expect(analyzer.analysis("DELETE FROM t WHERE 1 = 1")?.actions.first?.flags == .unboundedWrite)
        #expect(analyzer.analysis("SELECT '\\'")?.dependsOnStringSetting == true)
        #expect(analyzer.analysis("SELECT ''")?.dependsOnStringSetting == false)
        #expect(analyzer.analysis("SELECT 1 1")?.failure != nil)
        #expect(analyzer.analysis("")?.actions == [])
    }

    private func remembers(_ sql: String, _ made: Analysis, inlineBytes: Int) throws {
        let analyzer = StatementAnalyzer(statementBytes: 100_000, inlineBytes: inlineBytes, cacheEntries: 4_096)
        #expect(analyzer.analysis(sql) == nil)
        var text = sql
        text.withUTF8 { analyzer.remember(made, for: UnsafeRawBufferPointer($0)) }
        let again = try #require(analyzer.analysis(sql))
        #expect(again === made)
    }

    @Test("Long and deep texts are for another thread, and then remembered")
    func longTexts() async throws {
        let long = "SELECT '\(String(repeating: "x", count: 300))'"
        let deep = "SELECT \(String(repeating: "(", count: 300))1\(String(repeating: ")", count: 300))"
        for sql in [long, deep] {
            let made = await onLargeStack { analyse(sql) }
            #expect(made.failure == nil)
            try remembers(sql, made, inlineBytes: sql == long ? 200 : 1_000)
        }
        let small = StatementAnalyzer(statementBytes: 100, inlineBytes: 1_000, cacheEntries: 64)
        #expect(small.analysis(long)?.failure == "statement text of 309 bytes is longer than the limit of 100")
    }

    @Test("A flood of new texts stays within its bounds and leaves what is in use")
    func flood() throws {
        let analyzer = StatementAnalyzer(statementBytes: 100_000, inlineBytes: 10_000, cacheEntries: 64)
        let used = try #require(analyzer.analysis("SELECT used"))
        _ = analyzer.analysis("SELECT used")
        for number in 0..<2_000 {
            _ = analyzer.analysis("SELECT a\(number)")
            _ = analyzer.analysis("SET a\(number) = 1")
            #expect(analyzer.cached.exact <= 64)
            #expect(analyzer.cached.shared <= 64)
            #expect(analyzer.cached.bytes <= 2 * 64 * 1_024)
        }
        #expect(analyzer.analysis("SELECT used") === used)
    }

    @Test("Heavy analyses are weighed, not counted")
    func weight() {
        let analyzer = StatementAnalyzer(statementBytes: 100_000, inlineBytes: 10_000, cacheEntries: 64)
        for number in 0..<50 {
            _ = analyzer.analysis(String(repeating: "SET a\(number) = 1;", count: 400))
            #expect(analyzer.cached.bytes <= 2 * 64 * 1_024)
        }
    }

    @Test("Generations keep what is asked for again")
    func generations() {
        var cache = GenerationCache(entries: 16, bytes: 1 << 20)
        let analysis = Analysis(failure: "x")
        func ask(_ number: Int) -> Bool { withUnsafeBytes(of: number) { cache.analysis(for: $0) != nil } }
        func add(_ number: Int) { withUnsafeBytes(of: number) { cache.insert(analysis, for: $0) } }
        add(1)
        #expect(ask(1))
        for number in 100..<200 {
            add(number)
            #expect(ask(number) && ask(1))
            #expect(cache.count <= 16)
        }
        #expect(!ask(100))
    }
}
