import MySQLSyntax
import Testing

/// What differs by server, version and sql_mode.
@Suite struct ModeTests {
    @Test(arguments: [
        #"SELECT "a" FROM "t" ⟹ select r:t"#, #"SELECT "a""b" FROM t ⟹ select r:t"#, #"SELECT 'a"b' FROM "t;u" ⟹ select r:t;u"#,
        #"SELECT 1 FROM t WHERE a = "b"; DROP TABLE t ⟹ select r:t; drop.table d:t"#, #"SELECT "a ⟹ unparsed"#,
        #"SELECT @"a b" ⟹ select @a b"#, #"SELECT "\" FROM t -- " ⟹ select r:t"#,
        #"DELETE FROM t WHERE "a" = "a" ⟹ delete w:t where-constant"#,
    ])
    func doubleQuotesMayQuoteNames(line: String) throws {
        try check(line[...], Server(flavour: .mariadb, version: 101_119, mode: .ansiQuotes))
    }

    @Test(arguments: [
        #"SELECT '\' FROM t ⟹ select r:t"#, #"SELECT '\'; DROP TABLE t; -- ' ⟹ select; drop.table d:t"#,
        #"SELECT '\\'' FROM t ⟹ unparsed"#, #"SELECT 'a\'''b' FROM t ⟹ unparsed"#, #"SELECT "\" FROM t ⟹ select r:t"#,
    ])
    func backslashesMayBeCharacters(line: String) throws {
        try check(line[...], Server(flavour: .mariadb, version: 101_119, mode: .noBackslashEscapes))
    }

    @Test(arguments: [
        "SELECT a->'$.x', a->>'$.x' FROM t ⟹ select r:t", "TABLE t ⟹ select r:t", "VALUES ROW(1), ROW(2) ⟹ select",
        "SELECT * FROM t, LATERAL (SELECT * FROM u) x ⟹ select r:t r:u",
        "DELETE FROM t /*!50700 WHERE id = 1 */ ⟹ delete w:t where-present",
        "DELETE FROM t /*!80036 WHERE id = 1 */ ⟹ delete w:t where-present",
        "DELETE FROM t /*!80037 WHERE id = 1 */ ⟹ delete w:t where-missing",
        "DELETE FROM t /*M! WHERE id = 1 */ ⟹ delete w:t where-missing",
        "DELETE FROM t /*M!50000 WHERE id = 1 */ ⟹ delete w:t where-missing",
        "DELETE FROM t /*!100000 WHERE id = 1 */ ⟹ unparsed", "DELETE FROM t /*!999999 WHERE id = 1 */ ⟹ delete w:t where-missing",
        "SELECT \\N FROM t ⟹ unparsed", "SELECT $a FROM t ⟹ unparsed", "SELECT a offset FROM t ⟹ select r:t",
        "EXECUTE IMMEDIATE 'SELECT 1' ⟹ unparsed", "SELECT /*+ SET_VAR(x = 'a') */ 1 FROM t ⟹ select r:t",
        "SELECT /*+ x ' */ 1 FROM t /* ' */ , u ⟹ unparsed", "SELECT 1 MEMBER OF ('[1]') ⟹ select",
        "WITH RECURSIVE c AS (SELECT * FROM d), d AS (SELECT 1) SELECT * FROM c ⟹ select r:d",
        "WITH c AS (SELECT 1 AS a FROM u) DELETE FROM t WHERE a IN (SELECT a FROM c) ⟹ delete+select r:u w:t where-present",
        "SELECT rank() OVER (ORDER BY a) FROM t ⟹ select r:t rank()",
        "INSERT INTO t VALUES (1) AS n ON DUPLICATE KEY UPDATE a = n.a ⟹ insert+update w:t",
        "SELECT * FROM t FOR UPDATE OF t SKIP LOCKED ⟹ select r:t", "SET PERSIST x = 1 ⟹ set persist.x:=1",
        "EXPLAIN ANALYZE SELECT * FROM t ⟹ explain+explain.analyze+select r:t",
    ])
    func mySQLDiffers(line: String) throws { try check(line[...], mysql) }

    @Test func anUnknownVersionMakesVersionedCommentsUnparsed() {
        let unknown = Server(flavour: .mysql, version: nil)
        #expect(shown(parse("SELECT /*!40000 1 */", unknown)) == "unparsed")
        #expect(shown(parse("SELECT /*! 1 */", unknown)) == "select")
        #expect(shown(parse("SELECT 1 /* x */", unknown)) == "select")
    }

    @Test func modesWithAnotherGrammarAreRefused() {
        for mode: SQLMode in [.oracle, .mssql] {
            #expect(shown(parse("SELECT 1", Server(flavour: .mariadb, version: 101_119, mode: mode))) == "unparsed")
        }
    }

    @Test func modesAreReadByName() {
        #expect(SQLMode(names: "") == [])
        #expect(SQLMode(names: "STRICT_TRANS_TABLES,ansi_quotes") == .ansiQuotes)
        #expect(SQLMode(names: "ANSI") == [.ansiQuotes, .pipesAsConcat, .ignoreSpace])
        #expect(SQLMode(names: "4") == nil)
        #expect(SQLMode(names: "SOMETHING_NEW") == nil)
    }

    @Test func pipesJoinStringsInTheirMode() throws {
        let concat = Server(flavour: .mysql, version: 80_036, mode: .pipesAsConcat)
        #expect(parse("DELETE FROM t WHERE id = 1 || 1", concat).statements.first?.condition == .present)
        #expect(parse("DELETE FROM t WHERE id = 1 || 1", mysql).statements.first?.condition == .constant)
    }

    @Test func aNotThatBindsTighterIsRead() {
        let high = Server(flavour: .mysql, version: 80_036, mode: .highNotPrecedence)
        #expect(shown(parse("DELETE FROM t WHERE NOT a BETWEEN 1 AND 2", high)) == "delete w:t where-present")
    }
}
