import MySQLSyntax
import Testing

/// Ways to make a text look like another: comments, quotes, blanks, numbers, settings.
///
/// Left of `⟹` the text, right of it the facts as `shown` writes them; what they are was read by eye, and a 10.11 server asked.
@Suite struct EvasionTests {
    @Test(arguments: Self.comments.split(separator: "\n"))
    func commentsSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.rows.split(separator: "\n"))
    func rowsSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.strings.split(separator: "\n"))
    func stringsSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.blanks.split(separator: "\n"))
    func blanksSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.names.split(separator: "\n"))
    func namesSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.settings.split(separator: "\n"))
    func settingsSayWhatTheyDo(line: Substring) throws { try check(line) }

    /// Comments.
    static let comments = #"""
        SELECT/**/1/**/FROM/**/t ⟹ select r:t
        DELETE FROM t -- x␊ WHERE id = 1 ⟹ delete w:t where-present
        DELETE FROM t -- x WHERE id = 1 ⟹ delete w:t where-missing
        DELETE FROM t --x␊WHERE id = 1 ⟹ unparsed
        DELETE FROM t --␉x␊WHERE id = 1 ⟹ delete w:t where-present
        DELETE FROM t --␊WHERE id = 1 ⟹ delete w:t where-present
        DELETE FROM t -- ⟹ delete w:t where-missing
        DELETE FROM t # WHERE id = 1 ⟹ delete w:t where-missing
        DELETE FROM t # x␊WHERE id = 1 ⟹ delete w:t where-present
        DELETE FROM t # x␍WHERE id = 1 ⟹ delete w:t where-missing
        DELETE FROM t /* WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*! WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*!50000 WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*!50699 WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*!50700 WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*!80000 WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*!99999 WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*!100000 WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*!101119 WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*!101120 WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*!999999 WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*M! WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*M!50700 WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*M!100000 WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*M!999999 WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*m! WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*!M WHERE id = 1 */ ⟹ delete w:t=M where-present
        DELETE FROM t /* ! WHERE id = 1 */ ⟹ delete w:t where-missing
        DELETE FROM t /*!5000 WHERE id = 1 */ ⟹ unparsed
        DELETE FROM t /*!050000WHERE id = 1 */ ⟹ delete w:t where-present
        DELETE FROM t /*!99997 WHERE id = 1 */ ⟹ unparsed
        /*!50000 DROP */ TABLE t ⟹ drop.table d:t
        /*! DROP TABLE t */ ⟹ drop.table d:t
        /*!50000DROP*/ /*!50000TABLE*/ t ⟹ drop.table d:t
        SELECT 1 /*!50000 UNION*/ SELECT 2 FROM u ⟹ select r:u
        SELECT 1 /*!50000UNION*//*!50000SELECT*/ ssn /*!50000FROM*/ people ⟹ select r:people
        SELECT 1 /*!99999 UNION SELECT ssn FROM people */ ⟹ select
        SELECT /*!50000 ssn FROM people */ ⟹ select r:people
        SELECT /*! a /* b */ FROM t */ ⟹ select r:t
        SELECT /*! a /*! , b */ FROM t */ ⟹ unparsed
        SELECT /*! a /*! , b */ FROM t ⟹ select r:t
        SELECT /* a /* b */ FROM t */ 1 ⟹ unparsed
        SELECT /* /* */ 1 ⟹ select
        SELECT /*!99999 /* */ , */ 1 FROM t ⟹ select r:t
        SELECT /*!99999 /* */ 1 FROM t ⟹ unparsed
        SELECT /*!99999 /* /* */ x */ 1 FROM t ⟹ select r:t
        SELECT 1 /* ⟹ unparsed
        SELECT 1 /*! ⟹ unparsed
        SELECT 1 /*! FROM t ⟹ unparsed
        SELECT 1 /**/ FROM t ⟹ select r:t
        SELECT 1 /*/ FROM t ⟹ unparsed
        SELECT 1 /*/*/ FROM t ⟹ select r:t
        SELECT 1 /***/ FROM t ⟹ select r:t
        SELECT 1 */ FROM t ⟹ unparsed
        SELECT 2 */*x*/ 3 FROM t ⟹ select r:t
        SELECT /*!50000 1; DROP TABLE t */ ⟹ select; unparsed
        SELECT /*!50000 1; DROP TABLE t -- */ ⟹ select; drop.table d:t
        SELECT 1; /*!50000 DROP TABLE t */ ⟹ select; drop.table d:t
        SELECT 1 --1 ⟹ select
        SELECT 1 --1 FROM t ⟹ select r:t
        SELECT 1 --␡ FROM t ⟹ select
        SELECT 1-- FROM t ⟹ select
        SELECT '/*' FROM t -- '*/ ⟹ select r:t
        SELECT "--" FROM t ⟹ select r:t
        SELECT `--` FROM t ⟹ select r:t
        SELECT '#' FROM t ⟹ select r:t
        SELECT `#` FROM `a#b` ⟹ select r:a#b
        SELECT 1 FROM t#␊, u ⟹ select r:t r:u
        SELECT/*+ MAX_EXECUTION_TIME(1) */ 1 FROM t ⟹ select r:t
        SELECT /*+ x ' */ 1 FROM t /* ' */ , u ⟹ select r:t r:u
        SELECT 1 /*+ 1 */ FROM t ⟹ select r:t
        """#

    /// Statements in a row.
    static let rows = #"""
        SELECT 1; SELECT 2 FROM t ⟹ select; select r:t
        SELECT 1; ⟹ select
        SELECT 1;; ⟹ select
        ; ⟹ 
        SELECT 1; -- x ⟹ select
        SELECT ';' FROM t ⟹ select r:t
        SELECT `;` FROM t ⟹ select r:t
        SELECT 1; DELETE FROM t ⟹ select; delete w:t where-missing
        SELECT 1 ; # x␊ DROP TABLE t ⟹ select; drop.table d:t
        SELECT ";"; DROP TABLE t ⟹ select; drop.table d:t
        SELECT '\'; DROP TABLE t; -- ' ⟹ select
        SELECT '\\'; DROP TABLE t; -- ' ⟹ select; drop.table d:t
        SELECT ''''; DROP TABLE t; -- ' ⟹ select; drop.table d:t
        SELECT '\'''; DROP TABLE t ⟹ unparsed
        BEGIN; DELETE FROM t; COMMIT ⟹ transaction.begin; delete w:t where-missing; transaction.commit
        SELECT 1 FROM t; garbage ⟹ select r:t; unparsed
        garbage; SELECT 1 ⟹ unparsed
        USE a; SELECT * FROM t ⟹ use db:a; select r:t
        SET sql_mode = 'ANSI_QUOTES'; SELECT "a" FROM t ⟹ set sql_mode:=ANSI_QUOTES; select r:t
        """#

    /// Strings.
    static let strings = #"""
        SELECT 'a' 'b' FROM t ⟹ select r:t
        SELECT 'a' "b" FROM t ⟹ select r:t
        SELECT 'a'␊'b' FROM t ⟹ select r:t
        SELECT "a'b" FROM t ⟹ select r:t
        SELECT 'a"b' FROM t ⟹ select r:t
        SELECT N'a' FROM t ⟹ select r:t
        SELECT n'a' FROM t ⟹ select r:t
        SELECT _utf8mb4'a' FROM t ⟹ select r:t
        SELECT _latin1 'a' FROM t ⟹ select r:t
        SELECT _binary x'41' FROM t ⟹ select r:t
        SELECT x'41' FROM t ⟹ select r:t
        SELECT X'4' FROM t ⟹ unparsed
        SELECT x'4g' FROM t ⟹ unparsed
        SELECT 0x41 FROM t ⟹ select r:t
        SELECT 0X41 FROM t ⟹ select r:t
        SELECT 0x FROM t ⟹ select r:t
        SELECT 0xg FROM t ⟹ select r:t
        SELECT 0x41g FROM t ⟹ select r:t
        SELECT b'01' FROM t ⟹ select r:t
        SELECT B'2' FROM t ⟹ unparsed
        SELECT 0b01 FROM t ⟹ select r:t
        SELECT 0b012 FROM t ⟹ select r:t
        SELECT 'a FROM t ⟹ unparsed
        SELECT "a FROM t ⟹ unparsed
        SELECT 'a\' FROM t ⟹ unparsed
        SELECT '␀' FROM t ⟹ select r:t
        SELECT 'a␀b' FROM t ⟹ select r:t
        SELECT 1 ␀ FROM t ⟹ unparsed
        SELECT 1 FROM t ␀; DROP TABLE t ⟹ unparsed
        SELECT `a␀b` FROM t ⟹ unparsed
        SELECT 1 -- ␀␊FROM t ⟹ unparsed
        SELECT 1 /* ␀ */ FROM t ⟹ unparsed
        SELECT \N FROM t ⟹ select r:t
        SELECT \n FROM t ⟹ unparsed
        SELECT \ FROM t ⟹ unparsed
        """#

    /// Blanks.
    static let blanks = #"""
        SELECT␉1␊FROM␍t ⟹ select r:t
        SELECT␋1␌FROM␋t ⟹ select r:t
        SELECT█1 FROM t ⟹ unparsed
        SELECT 1█FROM t ⟹ unparsed
        SELECT 1 AS é FROM t ⟹ select r:t
        SELECT 1 FROM été ⟹ select r:été
        SELECT 1 FROM t  x ⟹ select r:t=x
        SELECT(1)FROM(t) ⟹ select r:t
        SELECT(a)FROM(t)WHERE(b)=(1) ⟹ select r:t
        DELETE␊FROM␊t␊WHERE␊1 ⟹ delete w:t where-constant
        (SELECT 1 FROM t) ⟹ select r:t
        ((SELECT 1 FROM t)) ⟹ select r:t
        ((SELECT 1 FROM t) UNION (SELECT 2 FROM u)) ⟹ select r:t r:u
        """#

    /// Numbers and names that look like them.
    static let names = #"""
        SELECT 1e0from t ⟹ select r:t
        SELECT 1e0 from t ⟹ select r:t
        SELECT 1.from t ⟹ select r:t
        SELECT 1.0from t ⟹ select r:t
        SELECT .5 FROM t ⟹ select r:t
        SELECT .5from t ⟹ select r:t
        SELECT 1.e(1) FROM t ⟹ unparsed
        SELECT 1.e1 FROM t ⟹ select r:t
        SELECT 1e FROM t ⟹ select r:t
        SELECT 1e+1 FROM t ⟹ select r:t
        SELECT 1e+ FROM t ⟹ unparsed
        SELECT 1ea FROM t ⟹ select r:t
        SELECT 1a FROM t ⟹ select r:t
        SELECT t.1a FROM t ⟹ select r:t
        SELECT t.1 FROM t ⟹ select r:t
        SELECT t.1e5 FROM t ⟹ select r:t
        SELECT t .1 FROM t ⟹ unparsed
        SELECT t . a FROM t ⟹ select r:t
        SELECT t.select FROM t ⟹ select r:t
        SELECT select.a FROM t AS x ⟹ select r:t=x
        SELECT `select` FROM `from` ⟹ select r:from
        SELECT a.b.c FROM a.b ⟹ select r:a.b
        SELECT .t.a FROM t ⟹ select r:t
        SELECT a FROM .t ⟹ select r:t
        SELECT a FROM 1t ⟹ select r:1t
        SELECT a FROM 1.t ⟹ unparsed
        SELECT a FROM db.1t ⟹ select r:db.1t
        SELECT a FROM `db.t` ⟹ select r:db.t
        SELECT a FROM `db`.`t` ⟹ select r:db.t
        SELECT a FROM `db` . `t` ⟹ select r:db.t
        SELECT a FROM db.`t` ⟹ select r:db.t
        SELECT a FROM `db`.t ⟹ select r:db.t
        SELECT a FROM `a``b` ⟹ select r:a`b
        SELECT a FROM `` ⟹ unparsed
        SELECT a FROM `t ⟹ unparsed
        SELECT a FROM `a'b` ⟹ select r:a'b
        SELECT a FROM `/*` , `*/` ⟹ select r:/* r:*/
        SELECT a FROM `-- x` ⟹ select r:-- x
        SELECT $a FROM $t ⟹ select r:$t
        SELECT a$ FROM t$1 ⟹ select r:t$1
        SELECT a FROM t.* ⟹ unparsed
        SELECT 1 = -1 FROM t ⟹ select r:t
        SELECT 1=-1 FROM t ⟹ select r:t
        SELECT 1<=>1 FROM t ⟹ select r:t
        SELECT 1=!1 FROM t ⟹ unparsed
        SELECT !1 FROM t ⟹ select r:t
        SELECT 1 !=1 FROM t ⟹ select r:t
        SELECT a <> b FROM t ⟹ select r:t
        SELECT a >! b FROM t ⟹ unparsed
        SELECT a || b FROM t ⟹ select r:t
        SELECT a && b FROM t ⟹ select r:t
        SELECT a->'$.x' FROM t ⟹ unparsed
        SELECT a->>'$.x' FROM t ⟹ unparsed
        """#

    /// Settings that hold for what follows in the text.
    static let settings = #"""
        SET sql_mode = 'ANSI_QUOTES'; SELECT "a" FROM "t" ⟹ set sql_mode:=ANSI_QUOTES; select r:t
        SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT '\'; DROP TABLE t; -- ' ⟹ set sql_mode:=NO_BACKSLASH_ESCAPES; select; drop.table d:t
        SET sql_mode = 4; SELECT 1 ⟹ set sql_mode:=4; unparsed
        SET sql_mode = CONCAT('a', 'b'); SELECT 1 ⟹ set concat() sql_mode:=?; unparsed
        SET sql_mode = 'ORACLE'; SELECT 1 ⟹ set sql_mode:=ORACLE; unparsed
        SET sql_mode = DEFAULT; SELECT 1 ⟹ set sql_mode:=?; unparsed
        SET NAMES gbk; SELECT 1 ⟹ set names:=gbk; unparsed
        SET NAMES utf8mb4; SELECT 1 FROM t ⟹ set names:=utf8mb4; select r:t
        SET character_set_client = sjis; SELECT 1 ⟹ set character_set_client:=sjis; unparsed
        SET GLOBAL sql_mode = 'ANSI_QUOTES'; SELECT "a" FROM t ⟹ set global.sql_mode:=ANSI_QUOTES; select r:t
        CALL p(); DROP TABLE t ⟹ call routine:p OPAQUE; unparsed
        EXECUTE s; DROP TABLE t ⟹ execute runs:s; unparsed
        EXECUTE IMMEDIATE 'SET sql_mode = ANSI_QUOTES'; SELECT "a" ⟹ execute [set sql_mode:=ANSI_QUOTES]; unparsed
        EXECUTE IMMEDIATE 'SELECT 1'; SELECT 2 FROM t ⟹ execute [select]; select r:t
        BEGIN NOT ATOMIC SELECT 1; END; SELECT 2 FROM t ⟹ compound OPAQUE; unparsed
        """#
}
