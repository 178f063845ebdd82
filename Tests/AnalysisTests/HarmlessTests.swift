import GatehouseCore
import Testing

@testable import Analysis

/// The opposite of the evasions: statements that must not be told as more than they are, with every fact exact.
@Suite("Harmless statements")
struct HarmlessTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var sql: String
        var kinds = "select"
        var objects = ""
        var functions = ""
        var columns = ""
        var flags = ""
        var testDescription: String { sql }
    }

    static let cases = [
        Case(sql: "SELECT 1", flags: "computes"),
        Case(sql: "select abalance from pgbench_accounts where aid = 123", objects: "read:pgbench_accounts", columns: "abalance aid"),
        Case(sql: "SELECT 'DROP TABLE x'", flags: "computes"),
        Case(sql: "SELECT 'it''s; DELETE FROM t' AS a", flags: "computes"),
        Case(sql: "SELECT $$DO $x$ $x$ drop table t$$", flags: "computes"),
        Case(sql: "SELECT 1 -- DROP TABLE x", flags: "computes"),
        Case(sql: "SELECT \"drop table\" FROM \"delete\"", objects: "read:delete", columns: "drop table"),
        Case(sql: "SELECT now(), version(), current_user", functions: "now version", flags: "computes"),
        Case(
            sql: "SELECT count(*), sum(a), max(b) FROM t GROUP BY c", objects: "read:t", functions: "count max sum",
            columns: "a b c max sum", flags: "computes"),
        Case(
            sql: "SELECT pg_catalog.format_type(a, b) FROM pg_catalog.pg_attribute", objects: "read:pg_catalog.pg_attribute",
            functions: "pg_catalog.format_type", columns: "a b", flags: "computes"),
        Case(
            sql:
                "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.~) '^(x)$' COLLATE pg_catalog.default",
            objects: "read:pg_catalog.pg_namespace", functions: "pg_catalog.~", columns: "nspname"),
        Case(sql: "SELECT a::int, b::numeric(10, 2), '1 day'::interval FROM t", objects: "read:t", columns: "a b", flags: "computes"),
        Case(
            sql: "SELECT EXTRACT(year FROM a), OVERLAY(b PLACING 'x' FROM 1), TRIM(c), POSITION('a' IN d), SUBSTRING(e FROM 1) FROM t",
            objects: "read:t", functions: "pg_catalog.btrim pg_catalog.extract pg_catalog.overlay pg_catalog.position pg_catalog.substring",
            columns: "a b c d e", flags: "computes"),
        Case(
            sql: "SELECT a FROM t WHERE b BETWEEN 1 AND 2 AND c LIKE 'x%' AND d NOT ILIKE 'y' AND e SIMILAR TO 'z' AND f IN (1, 2)",
            objects: "read:t", functions: "pg_catalog.similar_to_escape", columns: "a b c d e f"),
        Case(
            sql: "SELECT a AT TIME ZONE 'UTC' FROM t", objects: "read:t", functions: "pg_catalog.timezone", columns: "a", flags: "computes"),
        Case(sql: "SELECT a -> 'b' ->> 'c', a @> '{}', a #>> '{x}', a ? 'b' FROM t", objects: "read:t", columns: "a", flags: "computes"),
        Case(sql: "INSERT INTO t (a, b) VALUES ($1, $2)", kinds: "insert", objects: "write:t", columns: "a b"),
        Case(sql: "UPDATE t SET a = a + 1 WHERE id = $1", kinds: "update", objects: "write:t", columns: "a id"),
        Case(sql: "DELETE FROM t WHERE id = $1", kinds: "delete", objects: "write:t", columns: "id"),
        Case(
            sql: "SELECT x.a FROM t x JOIN u y ON x.id = y.id WHERE y.b = 'c' ORDER BY 1 LIMIT 5", objects: "read:t read:u",
            columns: "a b id"),
        Case(sql: "SELECT nextval('s'), random(), gen_random_uuid()", functions: "gen_random_uuid nextval random", flags: "computes"),
        Case(sql: "SELECT 1 != 2, 1 <> 2, !! 'a'::tsquery, @ -5, |/ 4", flags: "computes"),
        Case(
            sql: "SELECT pg_advisory_lock(1), pg_try_advisory_xact_lock(1, 2)", functions: "pg_advisory_lock pg_try_advisory_xact_lock",
            flags: "computes"),
        Case(
            sql: "SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t", objects: "read:t", functions: "row_number", columns: "a b",
            flags: "computes"),
        Case(sql: "SHOW server_version", kinds: "show"),
        Case(sql: "BEGIN ISOLATION LEVEL SERIALIZABLE", kinds: "transaction.begin", flags: "transaction"),
        Case(sql: "LISTEN x", kinds: "listen"), Case(sql: "FETCH 10 FROM c", kinds: "fetch"), Case(sql: "CLOSE c", kinds: "close"),
        Case(sql: "SELECT ts_rewrite('a'::tsquery, 'b'::tsquery, 'c'::tsquery)", functions: "ts_rewrite", flags: "computes unknown"),
    ]

    @Test("Facts are exact", arguments: cases)
    func exact(_ expected: Case) throws {
        let action = try facts(expected.sql)
        #expect(words(action.kinds) == expected.kinds)
        #expect(objects(action) == expected.objects)
        #expect(functions(action) == expected.functions)
        #expect(words(action.columns) == expected.columns)
        #expect(flags(action) == expected.flags)
        #expect(action.settings.isEmpty)
        #expect(action.defines == nil)
    }

    @Test(
        "Normalised text holds no literal and no comment",
        arguments: [
            ("SELECT 1", "SELECT $1"), ("select  'a' ,\n b -- c", "select $1 , b"), ("SELECT /* secret */ 1", "SELECT $1"),
            ("SELECT $2, 5, 'x'", "SELECT $2, $3, $4"), ("CREATE ROLE r PASSWORD 'secret'", "CREATE ROLE r PASSWORD $1"),
            ("ALTER USER r WITH ENCRYPTED PASSWORD 'secret'", "ALTER USER r WITH ENCRYPTED PASSWORD $1"),
            ("COPY t TO PROGRAM 'secret'", "COPY t TO PROGRAM $1"), ("DO $$secret$$", "DO $1"),
            ("DO LANGUAGE plpgsql $x$secret$x$", "DO LANGUAGE plpgsql $1"),
            ("SELECT E'se\\cret', B'01', X'ff', U&'secret', N'secret', 1.5, 1e5, 0x1f", "SELECT $1, $2, $3, $4, N$5, $6, $7, $8"),
            ("SELECT 'a'\n'secret'", "SELECT $1"), ("SELECT interval '1' day, date 'secret'", "SELECT interval $1 day, date $2"),
            ("CREATE SUBSCRIPTION s CONNECTION 'password=secret' PUBLICATION p", "CREATE SUBSCRIPTION s CONNECTION $1 PUBLICATION p"),
            ("CREATE USER MAPPING FOR u SERVER s OPTIONS (password 'secret')", "CREATE USER MAPPING FOR u SERVER s OPTIONS (password $1)"),
            ("SELECT $2147483647, 1", "SELECT $2147483647, $2147483648"), ("SELECT 'é', ü FROM ß", "SELECT $1, ü FROM ß"),
        ])
    func normalized(_ sql: String, _ expected: String) throws {
        #expect(try facts(sql).normalized == expected)
    }

    @Test(
        "A failure quotes nothing of the text",
        arguments: [
            "SELECT 'secret' 'secret'", "SELECT secret secret secret", "'secret", "SELECT \"secret", "SELECT 1 'secret'",
            "COPY t FROM PROGRAM secret",
        ])
    func failureIsSilent(_ sql: String) throws {
        let analysis = analyse(sql)
        let failure = try #require(analysis.failure)
        #expect(!failure.contains("secret"))
        #expect(analysis.actions.count == 1)
        #expect(analysis.actions[0].kinds == ["unparsed"])
        #expect(analysis.actions[0].flags == .unparsed)
        #expect(!analysis.actions[0].normalized.contains("secret"))
    }

    @Test(
        "Texts that standard_conforming_strings=off would lex differently",
        arguments: [
            ("SELECT '\\'", true), ("SELECT 'a\\'' OR 1=1 --'", true), ("SELECT E'\\n'", false), ("SELECT $$\\$$", false),
            ("SELECT 'a'", false), ("SELECT \"\\\"", false), ("SELECT 'a'\n'\\'", true), ("SELECT N'\\'", true),
            ("SELECT 1 -- '\\'", false), ("/* '\\' */ SELECT 1", false),
        ])
    func stringSetting(_ sql: String, _ expected: Bool) {
        #expect(analyse(sql).dependsOnStringSetting == expected)
    }
}
