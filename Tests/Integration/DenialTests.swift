import Foundation
import Testing

extension IntegrationTests {
    /// A denial is an answer: an ERROR that says who denied and why, and a session that goes on.
    @Suite struct DenialTests {
        @Test func aBlockedDropLeavesTheSessionUsable() async throws {
            let bed = try await Bed.shared()
            let position = try bed.server.logPosition()
            let told = try await bed.through("writer@orders").psql([], input: "DROP TABLE payments;\nSELECT 'still here';\n")
            #expect(told.output == "still here\n")
            #expect(told.errors.contains("ERROR") && told.errors.contains("no-drop"))
            #expect(told.errors.contains("Tables are dropped by migrations only."))
            #expect(told.errors.contains("HINT:  Ask the platform team for a migration."))
            #expect(!told.errors.contains("FATAL"))
            #expect(try !bed.server.logged(since: position).contains("DROP TABLE payments"))
            #expect(try await bed.direct().value("SELECT count(*) > 0 FROM payments") == "t")
        }

        @Test func aDenialIsInsufficientPrivilege() async throws {
            let answers = try await run(["DROP TABLE payments", "SELECT 1"])
            #expect(answers[0]["sqlstate"]?.string == "42501")
            #expect(answers[0]["severity"]?.string == "ERROR")
            #expect(answers[1]["ok"] != nil)
        }

        /// What word matching lets through.
        @Test(arguments: [
            "drop table payments", "DROP  TABLE  payments", "DROP/**/TABLE payments", "DROP\nTABLE payments",
            "/* hello */ DROP TABLE payments",
            "-- hello\nDROP TABLE payments", "SELECT 1; DROP TABLE payments", "DROP VIEW revenue", "DROP SCHEMA public CASCADE",
            "TRUNCATE payments", "DELETE FROM payments", "DELETE FROM payments -- WHERE id = 1", "DELETE FROM payments WHERE true",
            "WITH gone AS (DELETE FROM payments RETURNING 1) SELECT count(*) FROM gone", "UPDATE payments SET amount = 0",
            "DO $$ BEGIN EXECUTE 'drop table payments'; END $$", "SELECT query_to_xml('delete from payments', true, true, '')",
            "SELECT pg_read_file('postgresql.conf')", "SELECT pg_catalog.pg_read_file('postgresql.conf')",
            "SELECT * FROM pg_ls_dir('.')", "SELECT lo_export(1, '/tmp/gatehouse-out')", "COPY payments TO PROGRAM 'cat'",
            "COPY (SELECT 1) TO PROGRAM 'cat'", "PREPARE gone AS DELETE FROM payments", "EXPLAIN ANALYZE DELETE FROM payments",
            "DROP TABLE payments; SELECT 1", "BEGIN; DROP TABLE payments; COMMIT",
        ])
        func deniedHoweverItIsWritten(sql: String) async throws {
            let bed = try await Bed.shared()
            let before = try await bed.direct().value("SELECT count(*), sum(amount) FROM payments")
            let answers = try await run([sql, "SELECT 1"])
            #expect(answers.first?["sqlstate"]?.string == "42501", "\(answers)")
            #expect(answers.count == 2 && answers.last?["ok"] != nil, "the session is gone")
            #expect(try await bed.direct().value("SELECT count(*), sum(amount) FROM payments") == before)
        }

        /// What a rule must not catch.
        @Test(arguments: [
            "SELECT 1", "SELECT 'drop table payments'", "SELECT 1 AS \"drop\"", "SELECT /* DELETE FROM payments */ 1",
            "SELECT count(*) FROM payments WHERE amount > 10", "WITH x AS (SELECT 1 AS n) SELECT n FROM x",
            "SELECT $$ TRUNCATE payments $$", "EXPLAIN SELECT * FROM products", "SELECT 1; SELECT 2; SELECT 3",
            "SHOW server_version", "SET statement_timeout = '1min'", "RESET statement_timeout", "BEGIN; COMMIT", "",
            "SELECT relname FROM pg_class WHERE relname = 'payments'", "SELECT now(), current_user, version()",
        ])
        func harmlessStatementsPass(sql: String) async throws {
            let answers = try await run([sql])
            #expect(answers[0]["ok"] != nil || sql.isEmpty, "\(answers[0])")
        }

        @Test func whatCannotBeParsedDoesNotReachTheServer() async throws {
            let bed = try await Bed.shared()
            let position = try bed.server.logPosition()
            let answers = try await run(["SELEC 'unparsed'", "SELECT 1"])
            #expect(["42501", "42601"].contains(answers.first?["sqlstate"]?.string))
            #expect(answers.last?["ok"] != nil)
            #expect(try !bed.server.logged(since: position).contains("SELEC 'unparsed'"))
        }

        @Test func aDenialInATransactionAbortsIt() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through("writer@orders").python("transaction", ["t_denied_transaction"]))
            #expect(facts["denied"]?["sqlstate"]?.string == "42501")
            #expect(facts["status"]?.string == "INERROR")
            #expect(facts["after"]?["sqlstate"]?.string == "25P02")
            #expect(facts["commit"]?.string == "ROLLBACK")
            #expect(facts["rows"]?.elements.isEmpty == true)
            #expect(facts["idle"]?.string == "IDLE")
        }

        @Test func aSavepointSurvivesADenial() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through("writer@orders").python("savepoint", ["t_denied_savepoint"]))
            #expect(facts["denied"]?["sqlstate"]?.string == "42501")
            #expect(facts["rows"] == .array([.array([.number(1)]), .array([.number(2)])]))
        }

        /// The server says what its own failing statement does in a pipeline; a denial must do the same.
        @Test func aDenialInAPipelineUndoesWhatCameSinceTheLastSync() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through("writer@orders").python("pipeline", ["t_denied_pipeline"]))
            #expect(facts["errors"] == .array([.string("42501")]))
            #expect(
                facts["statuses"]?.elements.compactMap(\.string) == [
                    "COMMAND_OK", "PIPELINE_SYNC", "COMMAND_OK", "FATAL_ERROR", "PIPELINE_ABORTED", "PIPELINE_SYNC", "COMMAND_OK",
                    "TUPLES_OK", "PIPELINE_SYNC",
                ])
            #expect(facts["rows"] == .array([.array([.number(1)]), .array([.number(4)])]))
        }

        @Test func aTableRuleHoldsThroughViewsAndSearchPath() async throws {
            let bed = try await Bed.shared()
            try await bed.server.execute(
                """
                SET ROLE app_rw; CREATE TABLE public.refunds (n integer); CREATE VIEW public.refund_view AS SELECT * FROM public.refunds;
                CREATE SCHEMA side; CREATE TABLE side.child () INHERITS (public.refunds);
                """, in: "orders")
            for sql in [
                "SELECT * FROM refunds", "SELECT * FROM public.refunds", "SELECT * FROM \"refunds\"", "TABLE refunds",
                "SELECT * FROM refund_view", "SELECT (SELECT max(n) FROM refunds)", "COPY refunds TO STDOUT", "SELECT * FROM side.child",
                "CREATE TABLE copied AS SELECT * FROM refunds", "INSERT INTO refunds VALUES (1)",
                "DECLARE c CURSOR FOR SELECT * FROM refunds",
            ] {
                let answers = try await run([sql, "SELECT 1"])
                #expect(answers[0]["sqlstate"]?.string == "42501", "\(sql): \(answers[0])")
                #expect(answers.last?["ok"] != nil)
            }
        }

        @Test func whatNoRuleAllowsIsDenied() async throws {
            let bed = try await Bed.shared()
            let endpoint = bed.gateway.endpoint("closed", token: bed.alice, database: "orders")
            #expect(try await endpoint.psql("SELECT count(*) FROM products").succeeded)
            let denied = try await endpoint.psql("SELECT count(*) FROM customers")
            #expect(denied.status == 1 && denied.errors.contains("gatehouse.default"))
            let joined = try await endpoint.psql("SELECT 1 FROM products, customers")
            #expect(joined.status == 1)
        }

        /// Statement by statement in one session of the writer.
        private func run(_ statements: [String]) async throws -> [JSON] {
            let bed = try await Bed.shared()
            let input = String(decoding: try JSONEncoder().encode(statements), as: UTF8.self)
            let finished = try await Shell.run(
                Project.python, [Project.support("clients.py"), "script"], environment: bed.through("writer@orders").environment,
                input: input)
            let facts = try json(finished)
            return facts["answers"]?.elements ?? []
        }
    }
}

/// The JSON that a scenario printed.
func json(_ finished: Finished) throws -> JSON {
    guard finished.succeeded else { throw HarnessError("ended with \(finished.status): \(finished.errors.suffix(2000))") }
    return try JSON.parse(finished.output)
}
