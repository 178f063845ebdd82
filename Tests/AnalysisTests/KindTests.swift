import GatehouseCore
import Testing

@testable import Analysis

@Suite("Statement kinds")
struct KindTests {
    @Test(
        "Every statement says what it is",
        arguments: [
            ("SELECT 1", "select"), ("VALUES (1)", "select"), ("TABLE t", "select"), ("SELECT 1 FROM t FOR UPDATE", "select select.lock"),
            ("SELECT 1 FROM t c FOR SHARE OF c NOWAIT", "select select.lock"), ("INSERT INTO t VALUES (1)", "insert"),
            ("INSERT INTO t SELECT 1", "insert select"),
            ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", "insert update"),
            ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "insert"), ("UPDATE t SET a = 1", "update"), ("DELETE FROM t", "delete"),
            ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)", "delete insert merge"),
            ("TRUNCATE t, u CASCADE", "truncate"), ("DROP TABLE t", "drop.table"), ("DROP VIEW v", "drop.view"),
            ("DROP MATERIALIZED VIEW v", "drop.materialized_view"), ("DROP INDEX i", "drop.index"), ("DROP SEQUENCE s", "drop.sequence"),
            ("DROP FOREIGN TABLE t", "drop.foreign_table"), ("DROP SCHEMA s CASCADE", "drop.schema"), ("DROP TYPE y", "drop.type"),
            ("DROP DOMAIN d", "drop.domain"), ("DROP FUNCTION f(int)", "drop.function"), ("DROP PROCEDURE p", "drop.procedure"),
            ("DROP ROUTINE r", "drop.routine"), ("DROP AGGREGATE a(int)", "drop.aggregate"),
            ("DROP OPERATOR + (int, int)", "drop.operator"),
            ("DROP TRIGGER g ON t", "drop.trigger"), ("DROP RULE r ON t", "drop.rule"), ("DROP POLICY p ON t", "drop.policy"),
            ("DROP EXTENSION e", "drop.extension"), ("DROP SERVER s", "drop.server"),
            ("DROP FOREIGN DATA WRAPPER w", "drop.foreign_data_wrapper"),
            ("DROP ROLE r", "drop.role"), ("DROP USER r", "drop.role"), ("DROP DATABASE d", "drop.database"),
            ("DROP OWNED BY r", "drop.owned"),
            ("DROP TABLESPACE s", "drop.tablespace"), ("DROP SUBSCRIPTION s", "drop.subscription"),
            ("DROP PUBLICATION p", "drop.publication"),
            ("DROP USER MAPPING FOR u SERVER s", "drop.user_mapping"), ("DROP CAST (int AS text)", "drop.cast"),
            ("DROP LANGUAGE l", "drop.language"), ("DROP EVENT TRIGGER e", "drop.event_trigger"), ("DROP STATISTICS s", "drop.statistics"),
            ("DROP TEXT SEARCH CONFIGURATION c", "drop.text_search_configuration"), ("DROP COLLATION c", "drop.collation"),
            ("CREATE TABLE t (a int)", "create.table"), ("CREATE TEMP TABLE t (a int)", "create.table"),
            ("CREATE TABLE t AS SELECT 1", "create.table_as select"), ("SELECT 1 INTO t", "create.table_as select"),
            ("CREATE MATERIALIZED VIEW v AS SELECT 1", "create.materialized_view select"), ("CREATE VIEW v AS SELECT 1", "create.view"),
            ("CREATE FOREIGN TABLE t (a int) SERVER s", "create.foreign_table"), ("CREATE SCHEMA s", "create.schema"),
            ("CREATE SCHEMA s CREATE TABLE t (a int)", "create.schema create.table"), ("CREATE INDEX ON t (a)", "create.index"),
            ("CREATE SEQUENCE s", "create.sequence"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t'", "create.function"),
            ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DELETE FROM t; SELECT 1; END", "create.function"),
            ("CREATE PROCEDURE p() LANGUAGE sql AS ''", "create.procedure"), ("CREATE EXTENSION e", "create.extension"),
            ("CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()", "create.trigger"),
            ("CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()", "create.event_trigger"),
            ("CREATE RULE r AS ON SELECT TO t DO INSTEAD DELETE FROM u", "create.rule"), ("CREATE POLICY p ON t", "create.policy"),
            ("CREATE ROLE r", "create.role"), ("CREATE USER r PASSWORD 'x'", "create.role"), ("CREATE DATABASE d", "create.database"),
            ("CREATE SERVER s FOREIGN DATA WRAPPER w", "create.server"), ("CREATE FOREIGN DATA WRAPPER w", "create.foreign_data_wrapper"),
            ("CREATE USER MAPPING FOR u SERVER s", "create.user_mapping"), ("CREATE PUBLICATION p FOR ALL TABLES", "create.publication"),
            ("CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p", "create.subscription"), ("CREATE DOMAIN d AS int", "create.domain"),
            ("CREATE TYPE y AS ENUM ('a')", "create.type"), ("CREATE TYPE y AS (a int)", "create.type"), ("CREATE TYPE y", "create.type"),
            ("CREATE TYPE y AS RANGE (subtype = int4)", "create.type"),
            ("CREATE AGGREGATE a (int) (sfunc = f, stype = int)", "create.aggregate"),
            ("CREATE OPERATOR @@@ (function = f, leftarg = int)", "create.operator"),
            ("CREATE CAST (int AS y) WITH FUNCTION f", "create.cast"),
            ("CREATE LANGUAGE l", "create.extension"), ("CREATE LANGUAGE l HANDLER h", "create.language"),
            ("CREATE TABLESPACE s LOCATION '/x'", "create.tablespace"), ("CREATE STATISTICS s ON a, b FROM t", "create.statistics"),
            ("CREATE COLLATION c (locale = 'C')", "create.collation"), ("CREATE CONVERSION c FOR 'a' TO 'b' FROM f", "create.conversion"),
            ("CREATE ACCESS METHOD m TYPE INDEX HANDLER h", "create.access_method"),
            ("CREATE TRANSFORM FOR y LANGUAGE l (FROM SQL WITH FUNCTION f)", "create.transform"),
            ("CREATE OPERATOR CLASS c FOR TYPE y USING btree AS FUNCTION 1 f", "create.operator_class"),
            ("CREATE OPERATOR FAMILY f USING btree", "create.operator_family"),
            ("CREATE TEXT SEARCH DICTIONARY d (template = x)", "create.text_search_dictionary"),
            ("ALTER TABLE t ADD COLUMN a int", "alter.table.add_column"), ("ALTER TABLE t RENAME TO u", "alter.table"),
            ("ALTER TABLE t RENAME COLUMN a TO b", "alter.table"), ("ALTER TABLE t SET SCHEMA s", "alter.table"),
            ("ALTER TABLE t OWNER TO r", "alter.table.change_owner"), ("ALTER VIEW v OWNER TO r", "alter.view.change_owner"),
            ("ALTER INDEX i RENAME TO j", "alter.index"),
            ("ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b", "alter.table"), ("ALTER SEQUENCE s RESTART", "alter.sequence"),
            ("ALTER ROLE r SUPERUSER", "alter.role"), ("ALTER ROLE r RENAME TO q", "alter.role"), ("ALTER ROLE r SET x = 1", "alter.role"),
            ("ALTER DATABASE d SET x = 1", "alter.database"), ("ALTER DATABASE d OWNER TO r", "alter.database.change_owner"),
            ("ALTER SYSTEM SET x = 1", "alter.system"), ("ALTER FUNCTION f() OWNER TO r", "alter.function.change_owner"),
            ("ALTER FUNCTION f() SECURITY DEFINER", "alter.function alter.function.security_definer"),
            ("ALTER SCHEMA s RENAME TO z", "alter.schema"),
            ("ALTER TYPE y ADD VALUE 'b'", "alter.type"), ("ALTER DOMAIN d DROP NOT NULL", "alter.domain"),
            ("ALTER POLICY p ON t USING (true)", "alter.policy"), ("ALTER EXTENSION e UPDATE", "alter.extension"),
            ("ALTER SERVER s OPTIONS (a 'b')", "alter.server"), ("ALTER SUBSCRIPTION s DISABLE", "alter.subscription"),
            ("ALTER PUBLICATION p ADD TABLE t", "alter.publication"), ("ALTER EVENT TRIGGER e DISABLE", "alter.event_trigger"),
            ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r", "alter.default_privileges grant"),
            ("ALTER OPERATOR + (int, int) SET (restrict = f)", "alter.operator"), ("ALTER TRIGGER g ON t RENAME TO h", "alter.trigger"),
            ("ALTER USER MAPPING FOR u SERVER s OPTIONS (a 'b')", "alter.user_mapping"),
            ("ALTER LARGE OBJECT 1 OWNER TO r", "alter.large_object.change_owner"),
            ("ALTER TABLE t DROP COLUMN a, DROP CONSTRAINT c", "alter.table.drop_column alter.table.drop_constraint"),
            ("GRANT SELECT ON t TO r", "grant"),
            ("REVOKE SELECT ON t FROM r", "revoke"),
            ("GRANT a TO b", "grant.role"), ("REVOKE a FROM b", "revoke.role"), ("REASSIGN OWNED BY a TO b", "reassign_owned"),
            ("COPY t TO STDOUT", "copy.to"), ("COPY t FROM STDIN", "copy.from"), ("COPY (SELECT 1) TO STDOUT", "copy.to select"),
            ("COPY (DELETE FROM t RETURNING a) TO STDOUT", "copy.to delete"), ("CALL p()", "call"), ("DO $$BEGIN END$$", "do"),
            ("EXECUTE x(1)", "execute"), ("PREPARE x AS DELETE FROM t", "delete prepare"), ("DEALLOCATE x", "deallocate"),
            ("DEALLOCATE ALL", "deallocate"), ("DECLARE c CURSOR FOR SELECT 1", "declare select"), ("FETCH 1 FROM c", "fetch"),
            ("MOVE 1 FROM c", "move"),
            ("CLOSE c", "close"), ("SET x = 1", "set"), ("RESET x", "reset"), ("RESET ALL", "reset"), ("SHOW x", "show"),
            ("SHOW ALL", "show"),
            ("DISCARD ALL", "discard"), ("SET ROLE r", "set.role"), ("SET role = 'r'", "set.role"), ("SET \"ROLE\" TO r", "set.role"),
            ("RESET ROLE", "set.role"),
            ("SET SESSION AUTHORIZATION r", "set.role"), ("SET TRANSACTION READ ONLY", "transaction.set"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "transaction.set"), ("BEGIN", "transaction.begin"),
            ("START TRANSACTION", "transaction.begin"), ("COMMIT", "transaction.commit"), ("END", "transaction.commit"),
            ("ROLLBACK", "transaction.rollback"), ("ABORT", "transaction.rollback"), ("SAVEPOINT s", "transaction.savepoint"),
            ("RELEASE s", "transaction.release"), ("ROLLBACK TO s", "transaction.rollback_to"),
            ("PREPARE TRANSACTION 'x'", "transaction.prepare"),
            ("COMMIT PREPARED 'x'", "transaction.commit_prepared"), ("ROLLBACK PREPARED 'x'", "transaction.rollback_prepared"),
            ("SET CONSTRAINTS ALL DEFERRED", "transaction.constraints"), ("EXPLAIN SELECT 1", "explain explain.select"),
            ("EXPLAIN DELETE FROM t", "explain explain.delete"), ("EXPLAIN ANALYZE DELETE FROM t", "delete explain"),
            ("EXPLAIN (ANALYZE off) DELETE FROM t", "explain explain.delete"), ("EXPLAIN (ANALYZE on) DELETE FROM t", "delete explain"),
            ("EXPLAIN (ANALYZE off, ANALYZE 1) DELETE FROM t", "delete explain"), ("LISTEN c", "listen"), ("UNLISTEN *", "unlisten"),
            ("NOTIFY c, 'x'", "notify"), ("LOCK TABLE t", "lock"), ("VACUUM t", "vacuum"), ("VACUUM (ANALYZE) t", "analyze vacuum"),
            ("ANALYZE t", "analyze"), ("CLUSTER t USING i", "cluster"), ("REINDEX TABLE t", "reindex"),
            ("REFRESH MATERIALIZED VIEW v", "refresh"), ("COMMENT ON TABLE t IS 'x'", "comment"),
            ("SECURITY LABEL ON TABLE t IS 'x'", "security_label"),
            ("LOAD 'x'", "load"), ("CHECKPOINT", "checkpoint"), ("IMPORT FOREIGN SCHEMA s FROM SERVER v INTO w", "import_foreign_schema"),
        ])
    func kinds(_ sql: String, _ expected: String) throws {
        #expect(words(try facts(sql).kinds) == expected)
    }

    @Test("A statement of the library's that has no name here is still named")
    func everyStatementNodeIsNamed() {
        let handled: Set<String> = [
            "SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt", "DropStmt", "ExplainStmt", "CreateTableAsStmt",
            "PrepareStmt", "ExecuteStmt", "DeclareCursorStmt", "FetchStmt", "DoStmt", "CallStmt", "TransactionStmt", "DiscardStmt",
            "VacuumStmt", "GrantStmt", "GrantRoleStmt", "RenameStmt", "CreateFunctionStmt", "DefineStmt", "VariableSetStmt",
        ]
        // Parts of function bodies and of PL/pgSQL, and ALTER TABLE .. REPLICA IDENTITY: never statements of their own.
        let parts: Set<String> = ["ReturnStmt", "PLAssignStmt", "ReplicaIdentityStmt"]
        for type in Schema.shared.types where type.isStatement && !handled.contains(type.name) && !parts.contains(type.name) {
            #expect(Kinds.byNode[type.name] != nil || Kinds.alterBySort[type.name] != nil, "\(type.name)")
        }
        for name in Kinds.byNode.keys { #expect(Schema.shared.typeIndex[name] != nil, "\(name)") }
        for (name, field) in Kinds.alterBySort { #expect(Schema.field(name, field) > 0) }
    }

    @Test("Empty texts hold no statement", arguments: ["", " ", ";", ";;;", "-- nothing", "/* nothing */ ;"])
    func empty(_ sql: String) {
        #expect(analyse(sql).failure == nil)
        #expect(analyse(sql).actions.isEmpty)
    }

    @Test func severalStatements() {
        let actions = analyse("SELECT 1; /* x */ DELETE FROM t;; DROP TABLE u").actions
        #expect(actions.map { words($0.kinds) } == ["select", "delete", "drop.table"])
        #expect(actions.map(\.normalized) == ["SELECT $1", "DELETE FROM t", "DROP TABLE u"])
    }

    @Test func namesGivenAndRun() throws {
        #expect(try facts("PREPARE p AS SELECT 1").defines == "p")
        #expect(try facts("DECLARE c CURSOR FOR SELECT 1").defines == "c")
        #expect(try facts("EXECUTE p").runs == "p")
        #expect(try facts("FETCH ALL IN c").runs == "c")
        #expect(try facts("MOVE ALL IN c").runs == "c")
        #expect(try facts("CREATE TABLE t AS EXECUTE p").runs == "p")
        #expect(try facts("EXPLAIN ANALYZE EXECUTE p").runs == "p")
    }
}
