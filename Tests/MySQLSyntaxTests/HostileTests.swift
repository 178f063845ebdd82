import MySQLSyntax
import Testing

/// Texts made to hurt: none traps, and none takes time out of proportion.
@Suite struct HostileTests {
    static let seeds = [
        "SELECT a, `b`, 'c\\'', \"d\", x'41', 0x41, b'1', 1.5e3, @a := 1, @@x FROM t AS u WHERE a IN (SELECT 1) /*! AND 1 */ -- x\n",
        "UPDATE t, u SET t.a = u.b, c = CASE WHEN 1 THEN 2 ELSE 3 END WHERE t.a BETWEEN 1 AND 2 ORDER BY a LIMIT 3",
        "CREATE TABLE t (a INT NOT NULL DEFAULT (1 + 2), KEY (a), CHECK (a > 1)) ENGINE = InnoDB PARTITION BY HASH (a) PARTITIONS 4",
        "CREATE PROCEDURE p(IN a INT) BEGIN IF a THEN SELECT 1; ELSE CASE a WHEN 1 THEN SELECT 2; END CASE; END IF; END; DROP TABLE t",
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT sum(n) OVER (PARTITION BY n) FROM c WINDOW w AS ()",
        "GRANT SELECT (a), INSERT ON d.t TO 'a'@'%' IDENTIFIED BY 'x'; SET NAMES utf8mb4, @@session.sql_mode = 'ANSI'; SHOW TABLES",
        "INSERT INTO t (a) VALUES (1), (DEFAULT) ON DUPLICATE KEY UPDATE a = VALUES(a); LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
        "PREPARE s FROM 'SELECT \\'a\\' FROM t'; EXECUTE s USING @a; ALTER TABLE t ADD COLUMN b INT, DROP COLUMN c, RENAME TO u",
    ]

    static let servers = [mariadb, mysql, Server(flavour: .mariadb, version: nil, mode: [.ansiQuotes, .noBackslashEscapes])]

    /// What must hold of any text whatever.
    private func checkSound(_ text: [UInt8], _ server: Server) {
        let parsed = ParsedText.parse(text, server: server)
        for statement in parsed.statements {
            #expect(!statement.kinds.isEmpty)
            #expect(statement.range.upperBound <= text.count)
            for literal in statement.literals { #expect(literal.range.upperBound <= text.count) }
        }
        if let failure = parsed.failure { #expect(failure.offset <= text.count) }
    }

    @Test(arguments: seeds)
    func truncatedAnywhere(seed: String) {
        let text = Array(seed.utf8)
        for server in Self.servers {
            for length in 0...text.count { checkSound(Array(text[..<length]), server) }
        }
    }

    @Test(arguments: seeds)
    func changedAtRandom(seed: String) {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(truncatingIfNeeded: state >> 33) % max(bound, 1)
        }
        let pieces = [
            "(", ")", "'", "`", "\"", "/*", "*/", "/*!", ";", "\\", "\0", "--", "#", "@", ".", ",", " SELECT ", " END ", "1", "\u{E9}",
        ]
        for _ in 0..<400 {
            var text = Array(seed.utf8)
            for _ in 0...random(6) {
                let at = random(text.count)
                switch random(4) {
                case 0: text.remove(at: at)
                case 1: text[at] = UInt8(random(256))
                case 2: text.insert(contentsOf: pieces[random(pieces.count)].utf8, at: at)
                default: text.replaceSubrange(at..<min(text.count, at + random(20)), with: [])
                }
                if text.isEmpty { text = [0x20] }
            }
            checkSound(text, Self.servers[random(Self.servers.count)])
        }
    }

    @Test(arguments: [
        "(", "SELECT (", "SELECT (SELECT ", "SELECT ((((", "SELECT f(", "SELECT - (", "SELECT NOT (", "SELECT CASE WHEN ",
        "SELECT * FROM (",
        "SELECT * FROM ((SELECT ", "WITH a AS (", "SELECT 1 UNION (", "SELECT 1 IN (", "SELECT @a := ", "SELECT a BETWEEN ", "EXPLAIN ",
        "SET STATEMENT a = 1 FOR ", "SELECT * FROM JSON_TABLE(", "CREATE PROCEDURE p() BEGIN BEGIN ", "SELECT 1 = (", "SELECT {d ",
        "SELECT INTERVAL ", "SELECT * FROM t JOIN (", "ALTER TABLE t PARTITION BY (", "INSERT INTO t (", "SELECT 1 LIKE ", "SELECT BINARY ",
    ])
    func nestedWithoutEnd(opening: String) {
        for server in Self.servers { checkSound(Array(String(repeating: opening, count: 1_000).utf8), server) }
        let inside = opening.split(separator: " ").last.map(String.init) ?? ""
        checkSound(Array((opening + String(repeating: inside + " ", count: 4_000)).utf8), mariadb)
    }

    @Test func longChainsAreFlat() {
        for link in [" + 1", " OR a", " AND a", ", a", " UNION SELECT 1", " || a", " 'x'", " * 2 + 1", " JOIN t"] {
            let text = "SELECT 'x' FROM t WHERE a" + (link == " 'x'" ? " = 'x'" : "") + String(repeating: link, count: 20_000)
            checkSound(Array(text.utf8), mariadb)
        }
        let sum = parse("SELECT 1" + String(repeating: " + 1", count: 20_000))
        #expect(sum.failure == nil)
    }

    @Test func hugePieces() {
        let million = String(repeating: "a", count: 1_000_000)
        #expect(shown(parse("SELECT '\(million)' FROM t")) == "select r:t")
        #expect(shown(parse("SELECT `\(million)` FROM t")) == "select r:t")
        #expect(shown(parse("SELECT \(million) FROM t")) == "select r:t")
        #expect(shown(parse("SELECT /* \(million) */ 1 FROM t")) == "select r:t")
        #expect(shown(parse("SELECT 1 -- \(million)")) == "select")
        #expect(shown(parse("SELECT 0x\(million) FROM t")) == "select r:t")
        for opening in ["SELECT '", "SELECT `", "/*", "/*!", "SELECT @'", "SELECT x'"] {
            #expect(parse(opening + million).failure != nil)
        }
    }

    @Test func limitsAreKept() {
        let small = ParseLimits(textBytes: 100, tokens: 20, depth: 5, statements: 2)
        func failure(_ text: String) -> String? { ParsedText.parse(Array(text.utf8), server: mariadb, limits: small).failure?.reason }
        #expect(failure("SELECT 1") == nil)
        #expect(failure("SELECT '" + String(repeating: "a", count: 100) + "'")?.contains("longer") == true)
        #expect(failure("SELECT 1" + String(repeating: "+1", count: 15))?.contains("tokens") == true)
        #expect(failure("SELECT ((((((1))))))")?.contains("nested") == true)
        #expect(failure("SELECT 1; SELECT 1; SELECT 1")?.contains("statements") == true)
    }

    @Test func depthFitsASmallStack() async {
        // As deep as the limit lets it be, on whatever thread runs tests (512 KiB on the smallest).
        let text = "SELECT " + String(repeating: "(", count: 30) + "1" + String(repeating: ")", count: 30)
        #expect(shown(parse(text)) == "select")
    }
}
