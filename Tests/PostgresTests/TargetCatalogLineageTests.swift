import Analysis
import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

/// Lineage over a real catalog: what passes, what keeps its mask, and what rules are told.
@Suite struct TargetCatalogLineageTests {
    private let context = StatementContext(searchPath: ["public"])

    private func facts(_ sql: String) throws -> Action {
        try #require(Array(sql.utf8).withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: 1 << 20) }.actions.first, "\(sql)")
    }

    private func plan(_ sql: String) throws -> String {
        let action = try facts(sql)
        return try MaskedDatabase.shared.get().alone { session, planner in
            planner.plan(for: try session.describe(sql), of: action, in: context).decisions.map(MaskedDatabase.word).joined(separator: " ")
        }
    }

    @Test(arguments: [
        ("SELECT ssn, upper(ssn), upper(name), count(*) OVER () FROM customers", "ssn withhold pass pass"),
        ("SELECT ssn FROM customers UNION ALL SELECT number FROM plain", "ssn"),
        ("SELECT name FROM customers UNION SELECT ssn FROM customers", "ssn"),
        ("SELECT (SELECT ssn FROM customers LIMIT 1), (SELECT card FROM customers LIMIT 1)", "ssn card"),
        ("SELECT ssn FROM customers UNION SELECT card FROM customers", "withhold"),
        ("SELECT ssn || '' FROM customers UNION SELECT name FROM customers", "withhold"),
        ("WITH RECURSIVE r(v) AS (SELECT ssn FROM customers UNION SELECT v FROM r) SELECT v, v || '' FROM r", "ssn withhold"),
        ("SELECT number, upper(number), upper(name) FROM plain", "ssn withhold pass"), ("SELECT n, next * 2 FROM deep", "ssn pass"),
        ("SELECT r, u || '', length(r) FROM computed", "withhold pass withhold"),
        ("SELECT leak(), 1 + 1, upper(name) FROM customers", "withhold pass pass"),
        ("SELECT max(card_number), count(*) FROM child, masked_child", "withhold pass"),
        ("SELECT upper(most_common_vals::text), count(*) OVER () FROM pg_stats", "withhold pass"),
        ("SELECT name::varchar FROM customers WHERE ssn = 'x'", "pass"),
        ("SELECT d || '' FROM (VALUES ('1')) v(d), customers WHERE ssn = d", "withhold"),
    ])
    func decisions(sql: String, expected: String) throws {
        #expect(try plan(sql) == expected, "\(sql)")
    }

    @Test(arguments: [
        ("SELECT name FROM customers WHERE ssn = '1'", "probes"), ("SELECT name FROM customers", ""),
        ("SELECT * FROM customers ORDER BY 3", "probes"),
        ("SELECT * FROM customers ORDER BY 1", ""), ("SELECT ssn::int FROM customers", "probes"),
        ("TABLE customers ORDER BY ssn", "probes"),
        ("SELECT 1 FROM plain WHERE number = '1'", "probes"), ("SELECT 1 FROM computed WHERE u = 'x'", ""),
        ("DELETE FROM customers WHERE ssn = '1'", "probes"),
        ("INSERT INTO orders (note) SELECT ssn FROM customers", "copies"),
        ("UPDATE customers SET name = ssn WHERE ssn = '1'", "copies probes"),
        ("UPDATE customers SET ssn = 'x' WHERE id = 1", ""), ("CREATE TABLE x AS SELECT ssn FROM customers", "copies"),
        ("CREATE TABLE x AS SELECT name FROM customers", ""),
        ("INSERT INTO orders (note) SELECT leak()", "copies"), ("CREATE VIEW x AS TABLE customers", "copies"),
        ("COPY customers TO '/tmp/x'", "copies"),
        ("COPY (SELECT name FROM customers) TO '/tmp/x'", ""), ("EXPLAIN SELECT 1 FROM customers WHERE ssn = '1'", "probes"),
        ("SELECT 1 FROM orders WHERE note = 'x'", ""),
    ])
    func factsForRules(sql: String, expected: String) throws {
        let flags = try MaskedDatabase.shared.get().planner.facts(of: try facts(sql), in: context)
        let words = [flags.contains(.copiesMaskedData) ? "copies" : nil, flags.contains(.probesMaskedData) ? "probes" : nil]
        #expect(words.compactMap { $0 }.joined(separator: " ") == expected, "\(sql)")
    }

    /// `otherwise: error` of the masks `ssn` and `id`; the one on cards takes NULL.
    @Test(arguments: [
        ("SELECT ssn, upper(name) FROM customers", nil), ("SELECT * FROM customers WHERE ssn = '1'", "id"),
        ("SELECT name, upper(ssn) AS u FROM customers", "ssn: column 2 (u) cannot be masked: it is computed from the masked column"),
        ("SELECT upper(card) FROM customers", nil), ("SELECT upper(card) || ssn FROM customers", "ssn"),
        ("SELECT CASE WHEN ssn = '1' THEN 1 END FROM customers", "ssn"), ("SELECT count(*) FROM customers", nil),
        ("SELECT id FROM customers", "id: column 1 (id) cannot be masked: values of its type cannot hold what the mask makes of them"),
        ("SELECT r FROM computed", "ssn"), ("SELECT u FROM computed", nil), ("SELECT leak()", "ssn"), ("SELECT 1", nil),
        ("EXPLAIN SELECT ssn FROM customers", "ssn: its result cannot be masked"), ("EXPLAIN SELECT 1 FROM orders", nil),
        ("UPDATE customers SET name = 'x' WHERE ssn = '1'", nil), ("DELETE FROM customers WHERE name = 'x' RETURNING ssn || ''", "ssn"),
        ("SELECT c FROM customers c", "ssn"), ("DECLARE x CURSOR FOR SELECT reverse(ssn) FROM customers", "ssn"),
        ("SELECT upper(note) FROM orders", nil), ("SELECT * FROM nowhere", "ssn"), ("DO 'BEGIN END'", nil),
    ])
    func refusedWhereItWouldBeWithheld(sql: String, expected: String?) throws {
        let snapshot = try MaskedDatabase.shared.get().planner.snapshot
        func columns(_ names: String...) -> [ColumnMaskRule.Pattern] {
            names.map { .init(schema: "public", table: "customers", column: $0) }
        }
        let rules = [
            ColumnMaskRule(id: "ssn", columns: columns("ssn"), strategy: .partial, refusesToWithhold: true),
            ColumnMaskRule(id: "card", columns: columns("card"), strategy: .partial),
            ColumnMaskRule(id: "id", columns: columns("id"), strategy: .partial, refusesToWithhold: true),
        ]
        let found = MaskPlanner(snapshot: snapshot, rules: rules).withheldResult(of: try facts(sql), in: context)
            .map { "\($0.rule): \($0.reason)" }
        #expect(expected.map { found?.hasPrefix($0) == true } ?? (found == nil), "\(sql): \(found ?? "-")")
        #expect(MaskPlanner(snapshot: snapshot, rules: [rules[1]]).withheldResult(of: try facts(sql), in: context) == nil)
    }

    @Test(arguments: [
        ("COPY (SELECT id, ssn, upper(name) FROM customers) TO STDOUT", "pass ssn pass"),
        ("COPY (SELECT number FROM plain) TO STDOUT (FORMAT binary)", "ssn"),
        ("COPY (SELECT upper(ssn) FROM customers) TO STDOUT", "deny"), ("COPY (SELECT count(*) FROM customers) TO STDOUT", "all"),
        ("COPY (SELECT leak()) TO STDOUT", "deny"), ("COPY (SELECT c FROM customers c) TO STDOUT", "deny"),
        ("COPY (TABLE customers) TO STDOUT (FORMAT csv)", "pass pass ssn pass card pass other"),
        ("COPY (SELECT name FROM customers WHERE ssn = '1') TO STDOUT", "all"), ("COPY (SELECT * FROM nowhere) TO STDOUT", "deny"),
    ])
    func copyOfAQuery(sql: String, expected: String) throws {
        let found =
            switch try MaskedDatabase.shared.get().planner.planCopy(ofQuery: try facts(sql), in: context) {
            case .pass: "all"
            case .deny: "deny"
            case .mask(let columns, let decisions):
                zip(columns, decisions).allSatisfy { ($0 == nil) == $1.isPass }
                    ? decisions.map(MaskedDatabase.word).joined(separator: " ") : "?"
            }
        #expect(found == expected, "\(sql)")
    }

    @Test func aRuleThatAllowsCopiesLiftsThatRefusalAlone() throws {
        let planner = try MaskedDatabase.shared.get().planner
        for sql in [
            "INSERT INTO orders (note) SELECT ssn FROM customers", "CREATE TABLE x AS TABLE customers", "CREATE VIEW x AS TABLE customers",
        ] {
            #expect(planner.refusal(of: try facts(sql), in: context) != nil)
            #expect(planner.refusal(of: try facts(sql), in: context, allowsCopies: true) == nil, "\(sql)")
        }
        for sql in ["SELECT set_config('a.b', ssn, false) FROM customers", "ALTER TABLE customers RENAME COLUMN ssn TO x"] {
            #expect(planner.refusal(of: try facts(sql), in: context, allowsCopies: true) != nil, "\(sql)")
        }
    }

    @Test func afterAChangeOfTheSchemaNothingIsFollowed() throws {
        let planner = try MaskedDatabase.shared.get().planner
        let changed = StatementContext(searchPath: ["public"], schemaChanged: true)
        #expect(planner.lineage(of: try facts("SELECT count(*) FROM customers"), in: changed) == nil)
        #expect(planner.lineage(of: try facts("SELECT count(*) FROM customers"), in: context) != nil)
    }
}
