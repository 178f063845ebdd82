import Foundation
import GatehouseCore
import Testing

@testable import Analysis

@Suite("Hostile texts", .serialized)
struct HostileTests {
    /// 1 MiB when times are asked for (in a release build); less is as deep, and quicker.
    static let size = ProcessInfo.processInfo.environment["GATEHOUSE_TIMES"] == nil ? 200_000 : 1_000_000

    static func repeated(_ piece: String, _ bytes: Int = size) -> String { String(repeating: piece, count: bytes / piece.utf8.count) }

    /// A name, and a text of `size`.
    static let texts: [(String, String)] = [
        ("parentheses", "SELECT " + repeated("(")), ("closing", "SELECT " + repeated(")")), ("brackets", "SELECT a" + repeated("[")),
        ("balanced", "SELECT " + repeated("(", size / 2) + "1" + repeated(")", size / 2)),
        ("sums", "SELECT " + repeated("1+") + "1"), ("minus", "SELECT " + repeated("- ") + "1"),
        ("not", "SELECT " + repeated("NOT ") + "true"), ("plus", "SELECT " + repeated("+") + "1"),
        ("stars and plus", "SELECT " + repeated("*+")), ("slashes", "SELECT " + repeated("/ /*/")), ("dashes", "SELECT " + repeated("-+")),
        ("semicolons", repeated(";")), ("selects", repeated("SELECT 1;")),
        ("comment", repeated("/*")), ("closed comments", repeated("/*/**/*/")), ("line comments", repeated("--\n")),
        ("quotes", repeated("'")), ("double quotes", repeated("\"")), ("dollars", repeated("$")), ("dollar tags", repeated("$a$")),
        ("unions", "SELECT 1" + repeated(" UNION SELECT 1")), ("union all", "SELECT 1" + repeated(" UNION ALL SELECT 1")),
        ("in list", "SELECT 1 WHERE 1 IN (1" + repeated(",1") + ")"),
        ("case chain", "SELECT " + repeated("CASE WHEN a AND b THEN 1 ELSE ")), ("case and", "SELECT " + repeated("CASE WHEN x AND ")),
        ("joins", "SELECT 1 FROM t" + repeated(" JOIN t ON a AND b")), ("cross joins", "SELECT 1 FROM t" + repeated(" CROSS JOIN t")),
        ("type dimensions", "SELECT a::int" + repeated("[]")), ("dots", "SELECT a" + repeated(".b")),
        ("casts", "SELECT 1" + repeated("::int")), ("explain", repeated("EXPLAIN ") + "SELECT 1"),
        ("prepare", repeated("PREPARE a AS ") + "SELECT 1"), ("or", "SELECT a" + repeated(" OR a")),
        ("or equal", "SELECT 1 WHERE a=1" + repeated(" OR a=1")), ("between", "SELECT " + repeated("a BETWEEN 1 AND NOT ")),
        ("with", repeated("WITH a AS (")),
        ("calls", "SELECT " + repeated("f(")), ("rows", "SELECT " + repeated("ROW(")), ("arrays", "SELECT " + repeated("ARRAY[")),
        ("subselects", "SELECT " + repeated("(SELECT ")), ("from", repeated("SELECT 1 FROM (")),
        ("values", "INSERT INTO t VALUES (1)" + repeated(",(1)")), ("columns", "SELECT a" + repeated(",a")),
        ("aliases", "SELECT 1 FROM t" + repeated(",t")), ("collate", "SELECT a" + repeated(" COLLATE \"x\"")),
        ("is null", "SELECT a" + repeated(" IS NULL")), ("at time zone", "SELECT a" + repeated(" AT TIME ZONE b")),
        ("subscripts", "SELECT a" + repeated("[1]")), ("operators", "SELECT 1 " + repeated("@")), ("identifier", "SELECT " + repeated("a")),
        ("number", "SELECT " + repeated("9")), ("string", "SELECT '" + repeated("a") + "'"),
        ("begin atomic", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC" + repeated(" SELECT 1;") + " END"),
        ("schema", "CREATE SCHEMA s" + repeated(" CREATE TABLE t (a int)")),
        ("chains", "SELECT " + repeated(repeated("1+", 1_200) + "1,") + "1"),
        ("cte list", "WITH a AS (SELECT 1)" + repeated(", a AS (SELECT 1)") + " SELECT 1"),
        ("defelems", "CREATE TABLE t (a int) WITH (a=1" + repeated(",a=1") + ")"), ("json", "SELECT " + repeated("json_object(")),
        ("xml", "SELECT " + repeated("xmlconcat(")), ("dims", "SELECT " + repeated("(a).b.")),
        ("escape", "SELECT " + repeated("U&'' UESCAPE ")),
    ]

    @Test("A large text is analysed or refused, and harms nothing", arguments: texts.indices)
    func large(_ index: Int) async {
        let (name, sql) = Self.texts[index]
        let start = ContinuousClock.now
        let analysis = await onLargeStack { analyse(sql, statementBytes: 2_000_000) }
        let time = ContinuousClock.now - start
        if ProcessInfo.processInfo.environment["GATEHOUSE_TIMES"] != nil {
            print("hostile \(name) \(time) \(analysis.failure ?? "parsed, \(analysis.actions.count) actions")")
        }
        if analysis.failure != nil { #expect(analysis.actions.map(\.flags) == [.unparsed]) }
        #expect(analysis.actions.allSatisfy { !$0.kinds.isEmpty })
    }

    @Test("Nesting just below the limit holds on the stack that is asked for")
    func deepest() async {
        let patterns: [(String, String, String)] = [
            ("SELECT ", "(", "1"), ("SELECT ", "- ", "1"), ("SELECT ", "NOT ", "true"), ("SELECT ", "f(", "1"),
            ("SELECT ", "(SELECT ", "1"), ("SELECT 1 FROM ", "(SELECT 1 FROM ", "t"), ("SELECT ", "CASE WHEN a THEN ", "1"),
            ("SELECT 1", "+1", ""), ("SELECT 1", "::int", ""), ("SELECT 1", " UNION SELECT 1", ""),
            ("SELECT 1 FROM t", " JOIN t ON a", ""), ("SELECT ", "ARRAY[", "1"), ("SELECT ", "ROW(", "1"), ("SELECT ", "a[", "1"),
            ("SELECT a", " IS NULL", ""), ("", "WITH a AS (", "SELECT 1"), ("SELECT ", "EXISTS (SELECT ", "1"),
            ("SELECT ", "COALESCE(1, ", "1"), ("SELECT ", "CAST(", "1"), ("SELECT ", "(a, ", "1"), ("SELECT 1 WHERE ", "a AND (b OR ", "c"),
            ("SELECT 1 WHERE ", "a IN (SELECT 1 WHERE ", "true"), ("SELECT ", "xmlconcat(", "1"), ("SELECT ", "json_array(", "1"),
            ("SELECT a", " COLLATE x", ""), ("SELECT a", " AT TIME ZONE b", ""), ("SELECT ", "a BETWEEN 1 AND NOT ", "b"),
            ("SELECT ", "CASE WHEN x AND ", "y"),
        ]
        for (start, piece, middle) in patterns {
            let closes = piece.filter { $0 == "(" }.count
            let closer = piece.contains("[") ? "]" : piece.contains("CAST") ? " AS int)" : String(repeating: ")", count: closes)
            let isCase = piece.hasPrefix("CASE")
            for count in stride(from: 100, through: 2_100, by: 100) {
                var sql = start + String(repeating: piece, count: count) + middle
                if isCase {
                    sql += String(repeating: piece.hasSuffix("AND ") ? " THEN 1 END" : " END", count: count)
                } else if piece.hasPrefix("WITH") {
                    sql += String(repeating: ") SELECT 1", count: count)
                } else if piece.hasPrefix("(SELECT 1 FROM") {
                    sql += String(repeating: ") x", count: count)
                } else {
                    sql += String(repeating: closer, count: count)
                }
                let text = sql
                let analysis = await onLargeStack { analyse(text) }
                if let failure = analysis.failure { #expect(failure.contains("nested too deeply"), "\(piece) \(count): \(failure)") }
                if count == 100 { #expect(analysis.failure == nil, "\(piece)") }
            }
        }
    }

    @Test("Long flat lists are not nesting")
    func flatLists() async {
        let values = "INSERT INTO t VALUES (1, 'a', NULL)" + Self.repeated(", (1, 'a', NULL)", 200_000)
        let list = "DELETE FROM t WHERE a IN ($1" + Self.repeated(",$1", 190_000) + ")"
        let alternatives = "SELECT 1 FROM t WHERE a = 1" + Self.repeated(" OR a = 1", 100_000)
        let conjunction = "SELECT 1 FROM t WHERE a = 1" + Self.repeated(" AND (a = 1 OR b = 2)", 100_000)
        let union = "SELECT 1, 2" + String(repeating: " UNION ALL SELECT 1, 2", count: 900)
        for sql in [values, list, alternatives, conjunction, union] {
            let analysis = await onLargeStack { analyse(sql) }
            #expect(analysis.failure == nil, "\(sql.prefix(60))")
        }
    }

    @Test("Bytes that are no text")
    func noText() {
        for bytes: [UInt8] in [
            [0], [0x53, 0], [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x27, 0xc3, 0x27], [0xef, 0xbb],
        ] {
            let analysis = bytes.withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: 100) }
            #expect(analysis.failure != nil, "\(bytes)")
            #expect(analysis.actions.map(\.flags) == [.unparsed])
        }
        #expect(analyse("SELECT 1\u{0}; DROP TABLE t").failure == "statement text holds a zero byte")
        #expect(analyse("SELECT 1", statementBytes: 7).failure == "statement text of 8 bytes is longer than the limit of 7")
        #expect(analyse("SELECT 1", statementBytes: 8).failure == nil)
    }

    @Test("Every prefix of a statement, byte by byte")
    func prefixes() {
        let sql =
            "WITH é AS (SELECT U&'\\0041' || E'\\n' || $a$x$a$, 1.5e3::numeric(3) FROM s.\"T\" t(a, b) WHERE a[1] = ANY ($1)) /* c */ MERGE INTO t USING é ON true WHEN MATCHED THEN UPDATE SET a = (SELECT 1) -- end"
        let bytes = Array(sql.utf8)
        let analyzer = StatementAnalyzer(statementBytes: 10_000, inlineBytes: 10_000, cacheEntries: 16)
        for end in 0...bytes.count {
            bytes[..<end].withUnsafeBytes { text in
                let analysis = analyzer.analysis(of: text)
                #expect(analysis != nil)
                if end == bytes.count { #expect(analysis?.failure == nil) }
            }
        }
    }

    @Test("Random statements, torn and joined, never trap", arguments: [11, 12, 13] as [UInt64])
    func random(_ seed: UInt64) async {
        let parsed = await onLargeStack { () -> Int in
            var statements = RandomStatement(seed)
            var random = Seeded(seed)
            let analyzer = StatementAnalyzer(statementBytes: 100_000, inlineBytes: 100_000, cacheEntries: 256)
            var parsed = 0
            for round in 0..<2_000 as Range<UInt64> {
                var bytes = Array(RandomStatement.fill(statements.pattern(), round).utf8)
                for _ in 0..<(random.next() % 4) where !bytes.isEmpty {
                    let at = Int(random.next() % UInt64(bytes.count))
                    switch random.next() % 4 {
                    case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                    case 1: bytes.remove(at: at)
                    case 2: bytes.insert(contentsOf: bytes[..<at], at: at)
                    default: bytes.removeSubrange(at...)
                    }
                }
                bytes.withUnsafeBytes { text in
                    let fresh = StatementAnalyzer.analyze(text, statementBytes: 100_000)
                    if fresh.failure == nil { parsed += 1 }
                    // What the cache says is what a fresh analysis says, but for the numbers in `normalized`.
                    if let cached = analyzer.analysis(of: text) {
                        #expect(cached.actions == fresh.actions)
                        #expect(cached.dependsOnStringSetting == fresh.dependsOnStringSetting)
                    }
                }
            }
            return parsed
        }
        #expect(parsed > 500)
    }
}

@Suite("Analysis threads")
struct AnalysisThreadsTests {
    private func run(_ threads: AnalysisThreads, _ sql: String, limit: Int = 1_048_576) async -> Analysis {
        await withCheckedContinuation { continuation in
            threads.submit(Array(sql.utf8), statementBytes: limit) { continuation.resume(returning: $0) }
        }
    }

    @Test func answersAll() async {
        let threads = AnalysisThreads(threads: 3)
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask { await self.run(threads, "SELECT a\(number)").actions.first?.columns == ["a\(number)"] }
            }
            for await isRight in group { #expect(isRight) }
        }
        #expect(await run(threads, "SELECT 1", limit: 3).failure != nil)
    }

    @Test("What does not fit in the queue is refused at once")
    func bounded() async {
        let threads = AnalysisThreads(threads: 1, queuedTexts: 4, queuedBytes: 100)
        #expect(await run(threads, String(repeating: " ", count: 101)).failure?.contains("waiting") == true)
        #expect(await run(threads, "SELECT 1").failure == nil)
    }

    @Test("The pool's end does not lose what waits")
    func end() async {
        var threads: AnalysisThreads? = AnalysisThreads(threads: 1)
        let analysis: Analysis = await withCheckedContinuation { continuation in
            threads?.submit(Array("SELECT 1".utf8), statementBytes: 100) { continuation.resume(returning: $0) }
            threads = nil
        }
        #expect(analysis.failure == nil)
    }
}
