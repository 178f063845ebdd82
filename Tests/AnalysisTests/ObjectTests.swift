import GatehouseCore
import Testing

@testable import Analysis

@Suite("Relations and columns")
struct ObjectTests {
    @Test(
        "Relations with what is done to them",
        arguments: [
            ("SELECT 1 FROM t", "read:t"), ("SELECT 1 FROM s.t", "read:s.t"), ("SELECT 1 FROM d.s.t", "read:s.t"),
            ("SELECT 1 FROM \"T\"", "read:T"),
            ("SELECT 1 FROM T, ONLY u, v x", "read:t read:u read:v"), ("TABLE t", "read:t"), ("SELECT (SELECT 1 FROM t)", "read:t"),
            ("SELECT 1 FROM (SELECT 1 FROM t) x", "read:t"), ("SELECT 1 WHERE 1 IN (TABLE t)", "read:t"),
            ("SELECT 1 FROM a JOIN b USING (x) LEFT JOIN c ON true", "read:a read:b read:c"),
            ("SELECT 1 UNION SELECT 1 FROM t", "read:t"), ("INSERT INTO t SELECT * FROM u", "read:u write:t"),
            ("INSERT INTO t VALUES ((SELECT a FROM u))", "read:u write:t"),
            ("UPDATE t SET a = u.a FROM u WHERE t.b = u.b", "read:u write:t"), ("DELETE FROM t USING u WHERE t.a = u.a", "read:u write:t"),
            ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "read:u write:t"), ("TRUNCATE s.t, u", "write:s.t write:u"),
            ("SELECT * INTO t FROM u", "define:t read:u"), ("CREATE TABLE t AS TABLE u", "define:t read:u"),
            ("CREATE VIEW v AS SELECT * FROM u", "define:v read:u"),
            ("CREATE MATERIALIZED VIEW v AS SELECT * FROM u", "define:v read:u"),
            ("CREATE TABLE t (a int REFERENCES u, LIKE w) INHERITS (p)", "define:t read:p read:u read:w"),
            ("CREATE TABLE t PARTITION OF p FOR VALUES IN (1)", "define:t read:p"),
            ("ALTER TABLE t ATTACH PARTITION p DEFAULT", "define:t read:p"),
            ("DROP TABLE a, s.b, d.s.c", "define:a define:s.b define:s.c"), ("DROP VIEW v", "define:v"),
            ("DROP TRIGGER g ON s.t", "define:s.t"), ("DROP POLICY p ON t", "define:t"),
            ("DROP FUNCTION f", ""), ("DROP SCHEMA s", ""), ("ALTER TABLE t RENAME TO u", "define:t"),
            ("ALTER TABLE t SET SCHEMA s", "define:t"),
            ("CREATE INDEX ON s.t (a)", "define:s.t"), ("CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()", "define:t"),
            ("CREATE RULE r AS ON SELECT TO t DO INSTEAD DELETE FROM u", "define:t read:u"),
            ("CREATE POLICY p ON t USING (EXISTS (SELECT 1 FROM u))", "define:t read:u"),
            ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DELETE FROM u; SELECT 1 FROM w; END", "read:u read:w"),
            ("COPY t TO STDOUT", "read:t"), ("COPY t FROM STDIN", "write:t"),
            ("COPY (SELECT 1 FROM t) TO STDOUT", "read:t"), ("LOCK t, u", "read:t read:u"), ("VACUUM t, u", "read:t read:u"),
            ("ANALYZE t (a)", "read:t"), ("GRANT SELECT ON t TO r", "define:t"),
            ("COMMENT ON TABLE s.t IS ''", "define:s.t"), ("COMMENT ON COLUMN s.t.a IS ''", "define:s.t"),
            ("COMMENT ON TRIGGER g ON t IS ''", "define:t"), ("REFRESH MATERIALIZED VIEW v", "write:v"),
            ("EXPLAIN DELETE FROM t", "read:t"), ("EXPLAIN ANALYZE DELETE FROM t", "write:t"), ("PREPARE p AS DELETE FROM t", "write:t"),
            ("DECLARE c CURSOR FOR SELECT 1 FROM t", "read:t"),
            ("SELECT 1 FROM t c FOR UPDATE OF c", "read:t"), ("SELECT 1 FROM generate_series(1, 2) t", ""),
            ("CREATE FOREIGN TABLE t (a int) SERVER s", "define:t"),
            ("CREATE SCHEMA s CREATE TABLE t (a int) CREATE VIEW v AS SELECT 1 FROM u", "define:t define:v read:u"),
            ("ALTER SEQUENCE s OWNED BY t.a", "define:s"),
            ("CREATE PUBLICATION p FOR TABLE t WHERE (a > (1))", "read:t"), ("CREATE STATISTICS s ON a, b FROM t", "read:t"),
            ("SELECT 1 FROM t TABLESAMPLE system (1)", "read:t"),
            ("SELECT * FROM XMLTABLE('/' PASSING (SELECT a FROM t) COLUMNS b int)", "read:t"),
            ("SELECT * FROM JSON_TABLE((SELECT a FROM t), '$' COLUMNS (b int))", "read:t"),
            (
                "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = (SELECT 1 FROM u) WHERE EXISTS (SELECT 1 FROM w)",
                "read:u read:w write:t"
            ),
            ("SELECT 1 ORDER BY (SELECT 1 FROM t)", "read:t"), ("SELECT 1 LIMIT (SELECT 1 FROM t)", "read:t"),
            ("SELECT CASE WHEN EXISTS (TABLE t) THEN 1 END", "read:t"),
            ("SELECT f((SELECT 1 FROM t))", "read:t"), ("SELECT ARRAY(SELECT 1 FROM t)", "read:t"),
            ("VALUES ((SELECT 1 FROM t))", "read:t"),
        ])
    func relations(_ sql: String, _ expected: String) throws {
        #expect(objects(try facts(sql)) == expected)
    }

    @Test(
        "A common table expression hides a table only where it is in scope",
        arguments: [
            ("WITH t AS (SELECT 1) SELECT * FROM t", ""), ("WITH t AS (SELECT 1 FROM t) SELECT * FROM t", "read:t"),
            ("WITH RECURSIVE t AS (SELECT 1 UNION SELECT 1 FROM t) SELECT * FROM t", ""),
            ("WITH t AS (SELECT 1) SELECT * FROM s.t", "read:s.t"),
            ("WITH a AS (SELECT 1 FROM b), b AS (SELECT 1 FROM a) SELECT * FROM b", "read:b"),
            ("WITH RECURSIVE a AS (SELECT 1 FROM b), b AS (SELECT 1) SELECT * FROM a", ""),
            ("SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) x, t", "read:t"),
            ("SELECT (WITH t AS (SELECT 1) SELECT 1 FROM t) FROM t", "read:t"),
            ("WITH t AS (SELECT 1) SELECT * FROM (SELECT * FROM t) x", ""),
            ("WITH t AS (SELECT 1) DELETE FROM t", "write:t"), ("WITH t AS (SELECT 1) UPDATE t SET a = 1 FROM t x", "write:t"),
            ("WITH t AS (SELECT 1) INSERT INTO t SELECT * FROM t", "write:t"),
            ("INSERT INTO u WITH t AS (SELECT 1) SELECT * FROM t", "write:u"),
            ("WITH t AS (SELECT 1) MERGE INTO t USING t x ON true WHEN MATCHED THEN DELETE", "write:t"),
            ("(WITH t AS (SELECT 1) SELECT * FROM t) UNION SELECT 1 FROM t", "read:t"),
            ("WITH t AS (SELECT 1) (SELECT 1 FROM t) UNION SELECT 1 FROM t", ""),
            ("WITH t AS (WITH u AS (SELECT 1) SELECT 1 FROM u) SELECT * FROM t, u", "read:u"),
            ("WITH t AS (SELECT 1) SELECT 1 INTO t", "define:t"), ("WITH \"T\" AS (SELECT 1) SELECT 1 FROM t", "read:t"),
            ("WITH t AS MATERIALIZED (TABLE t) TABLE t", "read:t"), ("CREATE VIEW v AS WITH t AS (SELECT 1) SELECT 1 FROM t", "define:v"),
            ("WITH t AS (SELECT 1) SELECT 1 WHERE EXISTS (SELECT 1 FROM t)", ""),
        ])
    func scoping(_ sql: String, _ expected: String) throws {
        #expect(objects(try facts(sql)) == expected)
    }

    @Test(
        "Columns wherever they are named",
        arguments: [
            ("SELECT a, t.b, s.t.c FROM t", "a b c"), ("SELECT a AS x FROM t", "a"),
            ("SELECT reverse(ssn) FROM t WHERE b = 1 ORDER BY c", "b c ssn reverse"), ("INSERT INTO t (a, b) VALUES (1, 2)", "a b"),
            ("UPDATE t SET a = 1, (b, c) = (SELECT d, e)", "a b c d e"), ("SELECT 1 FROM t JOIN u USING (ssn)", "ssn"),
            ("SELECT (c).ssn FROM t c", "c ssn"), ("SELECT ssn(c) FROM t c", "c ssn"),
            ("COPY t (a, b) TO STDOUT", "a b"), ("CREATE INDEX ON t (a, lower(b)) INCLUDE (c)", "a b c lower"),
            ("ALTER TABLE t DROP COLUMN a", "a"), ("GRANT SELECT (ssn) ON t TO r", "ssn"),
            ("ANALYZE t (a)", "a"), ("SELECT 1 FROM t AS c(a, b)", "a b"), ("WITH x(p, q) AS (SELECT 1, 2) SELECT 1", "p q"),
            ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.c", "a b c"),
            (
                "MERGE INTO t USING u ON t.a = u.b WHEN MATCHED THEN UPDATE SET c = d WHEN NOT MATCHED THEN INSERT (e) VALUES (f)",
                "a b c d e f"
            ), ("SELECT a[1].b FROM t", "a b"), ("DELETE FROM t WHERE a = 1 RETURNING b", "a b"),
            ("CREATE TABLE t (a int, PRIMARY KEY (b), FOREIGN KEY (c) REFERENCES u (d))", "a b c d"),
            ("ALTER TABLE t RENAME COLUMN a TO b", "a"), ("COMMENT ON COLUMN t.a IS ''", "a"),
            ("CREATE TABLE t (x, y) AS SELECT 1, 2", "x y"),
        ])
    func columns(_ sql: String, _ expected: String) throws {
        #expect(try facts(sql).columns == Set(expected.split(separator: " ").map(String.init)))
    }

    @Test(
        "Stars, whole rows and computed columns",
        arguments: [
            ("SELECT * FROM t", ""), ("SELECT t.*, a FROM t", ""), ("SELECT a AS b FROM t", ""), ("SELECT count(*) FROM t", "computes"),
            ("SELECT a || '' FROM t", "computes"), ("SELECT a::text FROM t", "computes"),
            ("SELECT reverse(a) FROM t", "computes"), ("SELECT 1", "computes"), ("SELECT * FROM (SELECT * FROM t) x", "innerStar"),
            ("SELECT (SELECT ssn FROM t)", "computes"), ("SELECT ROW(t.*) FROM t", "innerStar computes"),
            ("SELECT (t).* FROM t", "innerStar wholeRow computes"), ("SELECT c FROM customers c", "wholeRow"),
            ("SELECT customers FROM customers", "wholeRow"), ("SELECT row_to_json(c) FROM customers c", "wholeRow computes"),
            ("SELECT c.to_jsonb FROM customers c", "wholeRow"), ("SELECT c::text FROM customers c", "wholeRow computes"),
            ("SELECT 1 FROM customers c WHERE c IS NULL", "wholeRow computes"),
            ("SELECT * FROM a UNION SELECT * FROM b", "innerStar computes"),
            ("VALUES (1)", "computes"), ("SELECT x FROM (SELECT a FROM t) x", "wholeRow"),
            ("WITH x AS (SELECT a FROM t) SELECT x FROM x", "wholeRow"), ("WITH x AS (SELECT * FROM t) SELECT a FROM x", "innerStar"),
            ("SELECT a FROM t AS c(a)", "innerStar"), ("SELECT a FROM (t JOIN u ON true) AS j(a)", "innerStar"),
            ("SELECT a FROM t NATURAL JOIN u", "innerStar"), ("SELECT g FROM generate_series(1, 2) g", ""),
            ("SELECT g FROM f(1) g", "wholeRow unknown"),
            ("INSERT INTO t VALUES (1) RETURNING *", ""), ("DELETE FROM t WHERE a = 1 RETURNING reverse(a)", "computes"),
            ("UPDATE t SET a = 1 WHERE a = 2 RETURNING t", "wholeRow"), ("INSERT INTO t SELECT * FROM u", "innerStar moves"),
            ("INSERT INTO t VALUES ((SELECT a FROM u))", "moves"), ("CREATE TABLE t AS SELECT * FROM u", "schema moves"),
            ("SELECT a INTO t FROM u", "schema moves"), ("EXPLAIN SELECT * FROM t", ""), ("DECLARE c CURSOR FOR SELECT * FROM t", ""),
            ("COPY (SELECT * FROM t) TO STDOUT", ""), ("PREPARE p AS SELECT reverse(a) FROM t", "computes"),
            ("CREATE VIEW v AS SELECT * FROM t", "innerStar schema"), ("SELECT json_agg(t.*) FROM t", "innerStar computes"),
            ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded::text", "wholeRow"), ("SELECT old FROM t", "wholeRow"),
            ("BEGIN", "transaction"), ("SAVEPOINT s", ""), ("DROP TABLE t", "schema"),
            ("WITH d AS (DELETE FROM t WHERE a = 1 RETURNING *) SELECT a FROM d", "innerStar"), ("GRANT SELECT ON t TO r", "schema"),
            ("DISCARD TEMP", "schema"), ("DISCARD PLANS", ""),
        ])
    func rowFlags(_ sql: String, _ expected: String) throws {
        #expect(flags(try facts(sql)) == expected)
    }
}
