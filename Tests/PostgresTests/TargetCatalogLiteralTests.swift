import Analysis
import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

/// Of which statements the constants are not shown, by a real catalog.
@Suite struct TargetCatalogLiteralTests {
    private func planner() throws -> MaskPlanner { try MaskedDatabase.shared.get().planner }

    private func hides(_ sql: String, schemaChanged: Bool = false) throws -> Bool {
        let planner = try planner()
        let analysis = Array(sql.utf8).withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: 1 << 20) }
        let context = StatementContext(searchPath: ["public"], schemaChanged: schemaChanged)
        return analysis.actions.contains { planner.hidesLiterals(of: $0, in: context) }
    }

    @Test(arguments: [
        "SELECT id FROM customers WHERE ssn = '1'", "SELECT * FROM customers WHERE name = 'x'", "TABLE customers",
        "INSERT INTO customers VALUES (1)", "UPDATE customers SET name = 'x' WHERE id = 5", "DELETE FROM customers WHERE id = 5",
        "SELECT number FROM plain WHERE number = 'x'", "SELECT leak(), 'x'", "DO $$ BEGIN END $$", "EXECUTE q ('x')", "SELECT 'open",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''x'''", "COPY customers FROM STDIN", "COPY customers (name) FROM STDIN",
        "PREPARE q AS SELECT id FROM customers WHERE ssn = $1", "DECLARE c CURSOR FOR SELECT ssn FROM customers",
        "EXPLAIN SELECT 1 FROM customers WHERE ssn = 'x'", "INSERT INTO fresh VALUES ('x')", "INSERT INTO fresh (card_number) VALUES ('x')",
        "SELECT 1 FROM fresh WHERE card = 'x'", "SELECT to_jsonb(f) FROM fresh f", "COPY fresh FROM STDIN",
        "CREATE TABLE fresh (card text DEFAULT 'x')", "WITH w AS (SELECT ssn FROM customers) SELECT 'x' FROM w WHERE ssn = 'x'",
        "SELECT 1 FROM (SELECT ssn = 'x' AS never FROM customers) q", "CREATE VIEW v AS SELECT 1 FROM customers WHERE ssn = 'x'",
    ])
    func whatTouchesAMaskedColumnIsHidden(sql: String) throws {
        #expect(try hides(sql))
    }

    @Test(arguments: [
        "SELECT 1", "SELECT 'x', now()", "SELECT upper(name), 'x' FROM customers WHERE name LIKE 'B%' ORDER BY id", "BEGIN",
        "SELECT count(*) FROM customers WHERE name <> 'x'", "UPDATE orders SET note = 'x' WHERE id = 5", "SELECT 'x' FROM untouched",
        "INSERT INTO fresh (a) VALUES ('x')", "CREATE TABLE fresh (a text DEFAULT 'x', n numeric(10, 2))", "COPY fresh (a) FROM STDIN",
        "SELECT a FROM fresh WHERE a = 'x'", "SET application_name = 'x'", "SELECT relname FROM pg_class WHERE relname = 'x'",
    ])
    func whatTouchesNoneIsNot(sql: String) throws {
        #expect(try !hides(sql))
    }

    @Test func afterAChangeOfTheSchema() throws {
        #expect(try !hides("UPDATE orders SET note = 'x' WHERE id = 5", schemaChanged: true))
        #expect(try hides("UPDATE orders SET cards = 'x' WHERE id = 5", schemaChanged: true))
        #expect(try hides("INSERT INTO orders VALUES (1)", schemaChanged: true))
        #expect(try hides("SELECT name FROM customers WHERE name = 'x'", schemaChanged: true))
        let text = Array("UPDATE customers SET name = 'x' WHERE id = 5".utf8)
        let planner = try planner()
        func plan(_ schemaChanged: Bool) -> LiteralPlan {
            text.withUnsafeBytes {
                planner.literalPlan(of: $0, hidden: [true], in: StatementContext(searchPath: ["public"], schemaChanged: schemaChanged))
            }
        }
        #expect(plan(false).keepsAll && plan(true) == .keepingNothing)
    }

    /// `plain.number` is the column `ssn` of the table under the view.
    @Test func aViewsColumnsAreThoseOfItsTable() throws {
        let planner = try planner()
        let text = Array("SELECT 1 FROM plain WHERE number = '078' LIMIT 3".utf8)
        let shown = text.withUnsafeBytes {
            planner.literalPlan(of: $0, hidden: [true], in: StatementContext(searchPath: ["public"])).masked($0)
        }
        #expect(String(decoding: shown?.bytes ?? [], as: UTF8.self) == "SELECT '****' FROM plain WHERE number = '****' LIMIT 3")
    }

    @Test func copyDataGoesToTheColumnsThatAreNamed() throws {
        let planner = try planner()
        func plan(_ sql: String) throws -> CopyPlan {
            let analysis = Array(sql.utf8).withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: 1 << 20) }
            return planner.planCopyIn(try #require(analysis.actions.first), format: .text, in: StatementContext(searchPath: ["public"]))
        }
        #expect(try plan("COPY customers (id, name) FROM STDIN") == .pass)
        guard case .mask(let columns, _) = try plan("COPY customers (ssn, id) FROM STDIN") else { throw CatalogError("no mask") }
        #expect(columns.map { $0 != nil } == [true, false])
        guard case .deny = try plan("COPY nowhere FROM STDIN") else { throw CatalogError("a plan for a table that is not known") }
    }
}
