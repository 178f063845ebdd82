import GatehouseCore
import Testing

@testable import Analysis

/// What matching on words lets through; each is told by meaning.
@Suite("Evasions")
struct EvasionTests {
    @Test(
        "A DROP TABLE however it is dressed",
        arguments: [
            "drop table x", "DROP  TABLE x", "DROP/**/TABLE x", "DROP\nTABLE\tx", "dRoP tAbLe x", "/* SELECT */ DROP TABLE x",
            "-- SELECT 1\nDROP TABLE x", "DROP -- WHERE\n TABLE x", "DROP /* a /* nested */ b */ TABLE x", ";;DROP TABLE x",
            "DROP TABLE IF EXISTS x", "DROP TABLE \"x\"", "DROP TABLE U&\"\\0078\"", "DROP\u{c}TABLE\u{b}x",
        ])
    func dropTable(_ sql: String) throws {
        let action = try facts(sql)
        #expect(action.kinds == ["drop.table"])
        #expect(objects(action) == "define:x")
    }

    @Test("MySQL's executable comments are comments here")
    func mysqlComment() {
        #expect(analyse("/*!50000 DROP*/ TABLE x").actions.map { words($0.kinds) } == ["select"])
    }

    @Test(
        "Opaque code",
        arguments: [
            "DO $$BEGIN DELETE FROM t; END$$", "DO 'BEGIN END'", "CALL p()", "EXECUTE p",
            "SELECT query_to_xml('drop table x', true, true, '')",
            "SELECT pg_catalog.query_to_xml('x', true, true, '')", "SELECT * FROM query_to_xml($1, true, true, '')",
            "SELECT query_to_xml_and_xmlschema('x', true, true, '')", "SELECT cursor_to_xml('c', 1, true, true, '')",
            "SELECT table_to_xml('customers', true, true, '')", "SELECT schema_to_xml('public', true, true, '')",
            "SELECT database_to_xml(true, true, '')", "SELECT dblink('host=x', 'drop table x')",
            "SELECT public.dblink_exec('drop table x')",
            "SELECT * FROM dblink('x', 'y') AS t(a int)", "SELECT ts_stat('select 1')", "SELECT ts_rewrite('a'::tsquery, 'select 1')",
            "SELECT * FROM crosstab('select 1') AS t(a int)", "SELECT * FROM crosstab3('select 1')", "EXPLAIN ANALYZE EXECUTE p",
            "SELECT 1 WHERE EXISTS (SELECT query_to_xml('x', true, true, ''))", "INSERT INTO t VALUES (query_to_xml('x', true, true, ''))",
            "SELECT CASE WHEN true THEN query_to_xml('x', true, true, '') END", "SELECT \"query_to_xml\"('x', true, true, '')",
            "SELECT U&\"query\\005fto\\005fxml\"('x', true, true, '')", "SELECT cron.schedule('* * * * *', 'delete from t')",
            "SELECT 1 ORDER BY query_to_xml('x', true, true, '')", "SELECT 1 LIMIT (SELECT 1 FROM query_to_xml('x', true, true, ''))",
            "CREATE TABLE t AS EXECUTE p", "VALUES (dblink_exec('x'))", "SELECT count(*) FILTER (WHERE dblink_exec('x') = '') FROM t",
            "SELECT sum(1) OVER (ORDER BY dblink_exec('x'))", "SELECT * FROM ROWS FROM (generate_series(1, 2), dblink('x'))",
        ])
    func opaque(_ sql: String) throws {
        #expect(try facts(sql).flags.contains(.opaque), "\(sql)")
    }

    @Test(
        "Functions are named wherever they hide",
        arguments: [
            ("SELECT pg_read_file('x')", "pg_read_file"), ("SELECT pg_catalog.pg_read_file('x')", "pg_catalog.pg_read_file"),
            ("SELECT PG_READ_FILE('x')", "pg_read_file"), ("SELECT \"pg_read_file\"('x')", "pg_read_file"),
            ("SELECT pg_read_file/**/('x')", "pg_read_file"), ("SELECT * FROM pg_read_file('x') AS t", "pg_read_file"),
            ("SELECT * FROM ROWS FROM (pg_ls_dir('x'))", "pg_ls_dir"), ("SELECT * FROM t, LATERAL pg_read_file(t.a)", "pg_read_file"),
            ("UPDATE t SET a = lo_export(1, 'x') WHERE b = 1", "lo_export"), ("DELETE FROM t WHERE a = lo_import('x')", "lo_import"),
            ("INSERT INTO t DEFAULT VALUES RETURNING pg_read_file('x')", "pg_read_file"),
            ("CREATE TABLE t (a text DEFAULT pg_read_file('x'))", "pg_read_file"),
            ("CREATE INDEX ON t (f(a))", "f"), ("CREATE VIEW v AS SELECT pg_read_file('x')", "pg_read_file"),
            ("ALTER TABLE t ADD COLUMN a text DEFAULT pg_read_file('x')", "pg_read_file"),
            ("ALTER TABLE t ALTER a TYPE text USING f(a)", "f"), ("CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION s.f()", "s.f"),
            ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()", "f"), ("SELECT 1 OPERATOR(s.+) 2", "s.+"),
            ("SELECT - OPERATOR(s.-) 2", "s.-"), ("SELECT 1 OPERATOR(s.=) ANY (ARRAY[1])", "s.="),
            ("SELECT a FROM t ORDER BY a USING OPERATOR(s.<)", "s.<"),
            ("SELECT (1, 2) OPERATOR(s.=) (SELECT 1, 2)", "s.="), ("SELECT 1 <=> 2", "<=>"), ("SELECT db.s.f(1)", "s.f"),
            ("EXPLAIN SELECT f(1)", "f"), ("PREPARE p AS SELECT f($1)", "f"), ("DECLARE c CURSOR FOR SELECT f(1)", "f"),
            ("COPY (SELECT f(1)) TO STDOUT", "f"), ("COPY t FROM STDIN WHERE f(a)", "f"), ("CALL s.p(f(1))", "f s.p"),
            ("EXECUTE p(f(1))", "f"),
            ("SELECT 'x'::s.domain", "s.domain"), ("SELECT json_value('{}', '$')", "json_value"),
            ("SELECT * FROM t TABLESAMPLE s.m (1)", "s.m"),
            ("CREATE POLICY p ON t USING (f(a))", "f"),
            ("MERGE INTO t USING s ON f(t.a) WHEN MATCHED AND g(s.a) THEN UPDATE SET a = h(1)", "f g h"),
            ("SELECT ARRAY[f(1)]", "f"), ("SELECT ROW(f(1))", "f"), ("SELECT COALESCE(f(1), 2)", "f"),
            ("SELECT xmlelement(name a, f(1))", "f"),
            ("SELECT a[f(1)] FROM t", "f"), ("SELECT 1 FROM t WINDOW w AS (PARTITION BY f(a))", "f"),
            ("SELECT 1 GROUP BY ROLLUP (f(1))", "f"),
            ("SELECT 1 WHERE (SELECT f(1)) IS NOT NULL", "f"), ("WITH RECURSIVE x AS (SELECT f(1)) SELECT 1", "f"),
            ("CREATE FUNCTION g(a int DEFAULT f(1)) RETURNS int RETURN 1", "f"), ("SELECT f(a => g(1))", "f g"),
            ("SELECT f(VARIADIC ARRAY[g(1)])", "f g"),
        ])
    func functionNames(_ sql: String, _ expected: String) throws {
        #expect(functions(try facts(sql)) == expected)
    }

    @Test(
        "Functions that are not the server's harmless ones",
        arguments: [
            "SELECT f(1)", "SELECT s.lower('x')", "SELECT pg_read_file('x')", "SELECT pg_catalog.pg_ls_dir('x')", "SELECT lo_import('x')",
            "SELECT set_config('a' || 'b', 'c', true)", "SELECT pg_terminate_backend(1)", "SELECT 1 <=> 2", "SELECT 1 OPERATOR(s.+) 2",
            "SELECT 'a'::mood", "SELECT CAST('a' AS s.t)", "SELECT pg_reload_conf()", "SELECT * FROM t TABLESAMPLE m (1)", "CALL p()",
            "SELECT pg_switch_wal()", "SELECT domain_in('x', 1, -1)", "SELECT pg_input_is_valid('x', 'd')",
            "SELECT pg_logical_emit_message(true, 'a', 'b')",
        ])
    func unknown(_ sql: String) throws {
        #expect(try facts(sql).flags.contains(.callsUnknownFunction))
    }

    @Test(
        "COPY and the server's files and programs",
        arguments: [
            ("COPY t TO PROGRAM 'curl x'", "program moves"), ("COPY t FROM PROGRAM 'id'", "program"),
            ("COPY (SELECT 1) TO PROGRAM 'id'", "program computes moves"),
            ("copy\nt\nto/**/program 'id'", "program moves"), ("COPY t TO '/tmp/x'", "file moves"), ("COPY t FROM '/etc/passwd'", "file"),
            ("COPY (SELECT a FROM t) TO '/tmp/x' (FORMAT csv)", "file moves"), ("COPY t TO STDOUT", ""), ("COPY t FROM STDIN", ""),
        ])
    func copy(_ sql: String, _ expected: String) throws {
        #expect(flags(try facts(sql)) == expected)
    }

    @Test("Writes in common table expressions")
    func writesInWith() throws {
        let action = try facts("WITH d AS (DELETE FROM a RETURNING *), i AS (INSERT INTO b SELECT * FROM d) UPDATE c SET x = 1 WHERE y = 2")
        #expect(words(action.kinds) == "delete insert select update")
        #expect(objects(action) == "write:a write:b write:c")
        #expect(action.flags.contains(.unboundedWrite))
        #expect(try facts("WITH d AS (DELETE FROM a WHERE x = 1 RETURNING 1) SELECT * FROM d").kinds == ["select", "delete"])
    }

    @Test(
        "Settings by every route",
        arguments: [
            ("SET x = 1", "x=1"), ("SET LOCAL X TO 'a'", "x=a local"), ("SET SESSION x TO a, b", "x=a, b"), ("SET x TO DEFAULT", "x=nil"),
            ("RESET x", "x=nil"),
            ("RESET ALL", "nil=nil"), ("DISCARD ALL", "nil=nil"), ("SET TIME ZONE 'UTC'", "timezone=UTC"),
            ("SET NAMES 'SQL_ASCII'", "client_encoding=SQL_ASCII"),
            ("SET SCHEMA 'x'", "search_path=x"), ("SET \"Standard_Conforming_Strings\" TO off", "standard_conforming_strings=off"),
            ("SELECT set_config('standard_conforming_strings', 'off', false)", "standard_conforming_strings=off"),
            ("SELECT pg_catalog.set_config('Search_Path', 'x', true)", "search_path=x local"),
            ("SELECT set_config('a' || 'b', 'c', false)", "nil=c"),
            ("SELECT set_config(name, 'x', false) FROM pg_catalog.pg_settings WHERE name = 'a'", "a=x"),
            ("SELECT set_config(name, 'x', false) FROM s.pg_settings WHERE name = 'a'", "nil=x"),
            ("SELECT set_config(name, 'x', false) FROM pg_settings WHERE name <> 'a'", "nil=x"),
            ("SELECT set_config(name, 'x', false) FROM pg_settings, t WHERE name = 'a'", "nil=x"),
            ("SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'a' OR true", "nil=x"),
            ("SELECT set_config($1, $2, false)", "nil=nil"), ("SELECT set_config('a'::text, 'b'::text, 't')", "a=b local"),
            ("SELECT 1 FROM t WHERE set_config('a', x, true) = ''", "a=nil local"), ("ALTER ROLE r SET x = 'y'", "x=y"),
            ("ALTER ROLE ALL IN DATABASE d SET x = 'y'", "x=y"), ("ALTER DATABASE d SET x TO DEFAULT", "x=nil"),
            ("ALTER ROLE r RESET ALL", "nil=nil"),
            ("ALTER SYSTEM SET x = 5", "x=5"), ("ALTER SYSTEM RESET ALL", "nil=nil"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = a AS ''", "search_path=a"),
            ("ALTER FUNCTION f() SET x = 1", "x=1"),
            ("UPDATE pg_settings SET setting = 'off' WHERE name = 'x'", "nil=nil"),
            ("UPDATE pg_catalog.pg_settings SET setting = 'off'", "nil=nil"),
            ("SET TRANSACTION READ ONLY", ""), ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", ""),
            ("SELECT s.set_config('a', 'b', true)", ""),
            ("SET ROLE r", "role=r"), ("SELECT set_config('role', 'r', false)", "role=r"),
            ("SELECT set_config(is_local => true, setting_name => 'x')", "nil=nil"),
        ])
    func settings(_ sql: String, _ expected: String) throws {
        let action = try facts(sql)
        let told = action.settings.map { "\($0.name ?? "nil")=\($0.value ?? "nil")\($0.isLocal ? " local" : "")" }.joined(separator: "; ")
        #expect(told == expected)
    }

    @Test("set_config may take a role")
    func setConfigRole() throws {
        #expect(try facts("SELECT set_config('role', 'r', false)").kinds.contains("set.role"))
        #expect(try facts("SELECT set_config($1, 'r', false)").kinds.contains("set.role"))
        #expect(try !facts("SELECT set_config('x', 'r', false)").kinds.contains("set.role"))
    }
}
