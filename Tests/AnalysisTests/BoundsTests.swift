import GatehouseCore
import Testing

@testable import Analysis

@Suite("Queries without a bound")
struct BoundsTests {
    @Test(
        "May give a table's whole content",
        arguments: [
            "SELECT * FROM t", "TABLE t", "SELECT a FROM t ORDER BY a", "SELECT DISTINCT a FROM t", "SELECT * FROM t WHERE true",
            "SELECT * FROM t WHERE 1 = 1 OR a = 2", "SELECT * FROM t LIMIT ALL", "SELECT * FROM t LIMIT NULL",
            "SELECT * FROM t LIMIT 10001",
            "SELECT * FROM t LIMIT 1e9", "SELECT * FROM t LIMIT (SELECT count(*) FROM t)", "SELECT * FROM t OFFSET 5",
            "SELECT * FROM t JOIN u ON t.a = u.a", "SELECT * FROM (SELECT * FROM t) AS s", "WITH c AS (SELECT * FROM t) SELECT * FROM c",
            "WITH c AS (SELECT * FROM t), d AS (TABLE c) SELECT * FROM d", "SELECT a FROM t UNION SELECT 1",
            "SELECT 1 UNION ALL SELECT a FROM t",
            "SELECT a FROM t EXCEPT SELECT 1", "SELECT a FROM t INTERSECT SELECT a FROM u", "SELECT json_agg(t) FROM t",
            "SELECT string_agg(a, ','), count(*) FROM t", "SELECT (SELECT array_agg(a) FROM t)", "SELECT ARRAY(SELECT a FROM t)",
            "SELECT count(*) OVER (), a FROM t", "SELECT a FROM t GROUP BY a", "SELECT * FROM t TABLESAMPLE system (100)",
            "DECLARE c CURSOR FOR SELECT * FROM t", "PREPARE p AS SELECT * FROM t", "COPY (SELECT * FROM t) TO STDOUT",
            "EXPLAIN ANALYZE SELECT * FROM t", "SELECT * FROM t, LATERAL (SELECT 1) AS s", "SELECT * FROM t WHERE $1",
            "WITH RECURSIVE c AS (SELECT a FROM t UNION SELECT a FROM c) SELECT * FROM c", "SELECT * FROM ONLY t",
            "INSERT INTO u SELECT * FROM t RETURNING *", "UPDATE t SET a = a RETURNING *",
            "WITH c AS (INSERT INTO u SELECT * FROM t RETURNING *) SELECT * FROM c", "SELECT * FROM t WHERE a = a",
            "SELECT * FROM s.pg_data",
        ])
    func unbounded(_ sql: String) throws {
        #expect(try facts(sql).flags.contains(.unboundedRead), "\(sql)")
    }

    @Test(
        "Bounded, or about nothing of the user's",
        arguments: [
            "SELECT 1", "SELECT now()", "VALUES (1), (2)", "SELECT * FROM t WHERE a = 1", "SELECT * FROM t LIMIT 10000",
            "SELECT * FROM t LIMIT 0",
            "SELECT * FROM t LIMIT $1", "SELECT * FROM t LIMIT $1::bigint", "SELECT * FROM t FETCH FIRST 5 ROWS ONLY",
            "SELECT count(*) FROM t",
            "SELECT max(a) - min(a) FROM t", "SELECT a, count(*) FROM t GROUP BY a", "SELECT * FROM pg_class",
            "SELECT * FROM pg_catalog.pg_class",
            "SELECT * FROM information_schema.tables", "SELECT * FROM generate_series(1, 5)",
            "SELECT * FROM (SELECT * FROM t LIMIT 5) AS s",
            "WITH c AS (SELECT * FROM t WHERE a = 1) SELECT * FROM c", "(SELECT a FROM t LIMIT 1) UNION (SELECT a FROM u WHERE a = 2)",
            "SELECT a FROM t UNION SELECT a FROM u LIMIT 5", "SELECT a FROM t WHERE a = 1 EXCEPT SELECT a FROM u",
            "SELECT (SELECT count(*) FROM t)", "SELECT EXISTS (SELECT 1 FROM t)", "SELECT json_agg(t) FROM t WHERE a = 1",
            "SELECT ARRAY(SELECT a FROM t LIMIT 5)", "EXPLAIN SELECT * FROM t", "CREATE TABLE u AS SELECT * FROM t",
            "SELECT * INTO u FROM t",
            "CREATE VIEW v AS SELECT * FROM t", "INSERT INTO u SELECT * FROM t", "UPDATE t SET a = 1 WHERE b = 2 RETURNING *",
            "SELECT 1 WHERE 1 IN (SELECT a FROM t)",
            "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
        ])
    func bounded(_ sql: String) throws {
        #expect(try !facts(sql).flags.contains(.unboundedRead), "\(sql)")
    }

    /// Texts that differ in a number that was looked at must not share their facts.
    @Test func aLimitThatWasReadIsNotShared() {
        let analyzer = StatementAnalyzer(statementBytes: 10_000, inlineBytes: 10_000, cacheEntries: 64)
        func isUnbounded(_ sql: String) -> Bool? {
            var sql = sql
            return sql.withUTF8 { analyzer.analysis(of: UnsafeRawBufferPointer($0)) }?.actions.first?.flags.contains(.unboundedRead)
        }
        #expect(isUnbounded("SELECT * FROM t LIMIT 5") == false)
        #expect(isUnbounded("SELECT * FROM t LIMIT 50000") == true)
        #expect(isUnbounded("SELECT * FROM t LIMIT 7") == false)
    }

    @Test func theStatementsOfATextAreCounted() {
        #expect(analyse("SELECT 1; SELECT 2").actions.allSatisfy { $0.flags.contains(.multiStatement) })
        #expect(analyse("SELECT 1;;").actions.allSatisfy { !$0.flags.contains(.multiStatement) })
    }

    @Test(
        "Routines that run with more than their caller's rights",
        arguments: [
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS ''", "create.function create.function.security_definer"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY INVOKER AS ''", "create.function"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE C AS 'a', 'b'", "create.function create.function.untrusted"),
            ("CREATE PROCEDURE f() LANGUAGE plpython3u AS ''", "create.procedure create.procedure.untrusted"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS ''", "create.function"),
        ])
    func routines(_ sql: String, _ kinds: String) throws {
        #expect(words(try facts(sql).kinds) == kinds)
    }
}
