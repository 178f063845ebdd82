import GatehouseCore
import Testing

@testable import Analysis

@Suite("Writes to every row")
struct UnboundedTests {
    @Test(
        "Conditions that can hold for every row",
        arguments: [
            "true", "TRUE", "1=1", "1 = 1", "1<2", "2 >= 2", "1 <> 2", "'a'='a'", "'a' <> 'b'", "NOT false", "NOT (1=2)", "true OR id = 1",
            "id = 1 OR true", "id = 1 OR (true AND 1=1)", "true AND true", "'t'", "'yes'::bool",
            "CAST('on' AS boolean)", "1::bool", "true IS TRUE", "false IS NOT TRUE", "false IS FALSE", "NULL IS NULL", "NULL IS UNKNOWN",
            "1 IS NOT NULL", "id IS NOT DISTINCT FROM id", "NOT id IS DISTINCT FROM id",
            "id IS NULL OR id IS NOT NULL", "1 IN (1, 2)", "1 BETWEEN 0 AND 2", "length('a') = 1", "now() > '2000-01-01'", "$1", "$1 = $1",
            "$1 OR id = 2", "random() < 2", "EXISTS (SELECT 1)", "(SELECT true)", "'a' LIKE 'a%'", "1.5 = 1.5",
            "COALESCE(NULL, true)", "CASE WHEN true THEN true END", "true -- AND id = 1", "/* id = 1 AND */ true", "true::text::bool",
            "current_user = 'x'", "id = id", "t.id >= t.id", "id = 1 OR a <= a", "NOT (false AND id = 1)",
        ])
    func unbounded(_ condition: String) throws {
        #expect(try facts("DELETE FROM t WHERE \(condition)").flags.contains(.unboundedWrite))
        #expect(try facts("UPDATE t SET a = 1 WHERE \(condition)").flags.contains(.unboundedWrite))
        #expect(try facts("WITH d AS (DELETE FROM t WHERE \(condition)\n RETURNING 1) SELECT 1").flags.contains(.unboundedWrite))
    }

    @Test(
        "Conditions of which that is not claimed",
        arguments: [
            "id = 1", "id = $1", "id IN (1, 2)", "false", "1=2", "NULL", "NOT true", "'f'", "NULL = 1", "1 = NULL",
            "id = 1 AND true", "true AND id = 1", "false OR id = 1", "id IS NOT NULL", "id IS DISTINCT FROM other",
            "id IS NOT DISTINCT FROM 1", "id > 0 OR id <= 0", "EXISTS (SELECT 1 FROM u WHERE u.a = t.a)", "id IN (SELECT a FROM u)",
            "CURRENT OF c", "false AND $1", "true IS FALSE", "a IS NULL OR b IS NOT NULL", "NULL IS NOT NULL",
            "id = 1 OR false", "NOT id = 1", "t.id = 1", "f(id)", "id IS NOT DISTINCT FROM t.id",
        ])
    func bounded(_ condition: String) throws {
        #expect(try !facts("DELETE FROM t WHERE \(condition)").flags.contains(.unboundedWrite))
        #expect(try !facts("UPDATE t SET a = 1 WHERE \(condition)").flags.contains(.unboundedWrite))
    }

    @Test(
        "Other statements",
        arguments: [
            ("DELETE FROM t", true), ("UPDATE t SET a = 1", true), ("DELETE FROM t -- WHERE id = 1", true), ("DELETE FROM t USING u", true),
            ("UPDATE t SET a = (SELECT b FROM u WHERE c = 1)", true), ("EXPLAIN ANALYZE DELETE FROM t", true),
            ("EXPLAIN DELETE FROM t", false), ("PREPARE p AS DELETE FROM t", true), ("COPY (DELETE FROM t RETURNING 1) TO STDOUT", true),
            ("CREATE RULE r AS ON INSERT TO t DO DELETE FROM u", false), ("SELECT 1", false), ("INSERT INTO t VALUES (1)", false),
            ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", true),
            ("MERGE INTO t USING u ON 1=1 WHEN MATCHED THEN UPDATE SET a = 1", true),
            ("MERGE INTO t USING u ON true WHEN MATCHED THEN DO NOTHING", false),
            ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", false),
            ("MERGE INTO t USING u ON true WHEN MATCHED AND t.a = 1 THEN DELETE", false),
            ("MERGE INTO t USING u ON true WHEN NOT MATCHED THEN INSERT VALUES (1)", false),
            ("MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED BY SOURCE THEN DELETE", true),
            ("MERGE INTO t USING u ON false WHEN NOT MATCHED BY SOURCE AND true THEN DELETE", true),
            ("MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED BY SOURCE AND t.b = 1 THEN DELETE", false),
        ])
    func others(_ sql: String, _ expected: Bool) throws {
        #expect(try facts(sql).flags.contains(.unboundedWrite) == expected)
    }
}
