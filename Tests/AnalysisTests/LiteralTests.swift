import Foundation
import GatehouseCore
import Testing

@testable import Analysis

/// Which constants of a statement are shown, where `ssn` is masked.
@Suite struct LiteralTests {
    private static let secret = "078-05-1120"

    private func plan(_ sql: String, hidden: [Bool] = []) -> LiteralPlan {
        Array(sql.utf8).withUnsafeBytes { text in
            LiteralPlan.find(in: text, hidden: hidden, catalog: TestCatalog()) { TestCatalog.name($0) == "ssn" }
        }
    }

    private func shown(_ sql: String, hidden: [Bool] = []) throws -> String {
        let plan = plan(sql, hidden: hidden)
        let masked = try #require(Array(sql.utf8).withUnsafeBytes { plan.masked($0) }, "\(sql)")
        return String(decoding: masked.bytes, as: UTF8.self)
    }

    /// `?` is what is written for a replaced constant.
    @Test(arguments: [
        ("UPDATE customers SET ssn = '078-05-1120' WHERE id = 5", "UPDATE customers SET ssn = ? WHERE id = 5"),
        ("SELECT id FROM customers WHERE ssn = '078-05-1120' AND name = 'Bob'", "SELECT id FROM customers WHERE ssn = ? AND name = 'Bob'"),
        (
            "SELECT id FROM customers WHERE '078-05-1120' = ssn LIMIT 10 OFFSET 20",
            "SELECT id FROM customers WHERE ? = ssn LIMIT 10 OFFSET 20"
        ),
        ("SELECT id FROM customers WHERE ssn LIKE '078%' OR id = 7", "SELECT id FROM customers WHERE ssn LIKE ? OR id = 7"),
        (
            "SELECT id FROM customers WHERE ssn IN ('1', '2') AND id IN (3, 4)",
            "SELECT id FROM customers WHERE ssn IN (?, ?) AND id IN (3, 4)"
        ),
        (
            "SELECT id FROM customers WHERE ssn BETWEEN '1' AND '2' AND id BETWEEN 3 AND 4",
            "SELECT id FROM customers WHERE ssn BETWEEN ? AND ? AND id BETWEEN 3 AND 4"
        ),
        (
            "SELECT c.id FROM customers c WHERE c.ssn = ANY ('{1,2}') AND c.id = ANY ('{3}')",
            "SELECT c.id FROM customers c WHERE c.ssn = ANY (?) AND c.id = ANY ('{3}')"
        ),
        (
            "SELECT id FROM customers WHERE id = ANY (ARRAY[1, 2]) AND ssn = ANY (ARRAY['3'])",
            "SELECT id FROM customers WHERE id = ANY (ARRAY[1, 2]) AND ssn = ANY (ARRAY[?])"
        ),
        (
            "SELECT id FROM customers WHERE ssn IS DISTINCT FROM '1' AND name IS NOT DISTINCT FROM 'x'",
            "SELECT id FROM customers WHERE ssn IS DISTINCT FROM ? AND name IS NOT DISTINCT FROM 'x'"
        ),
        ("SELECT ssn FROM customers WHERE id = -5 AND ssn <> '-5'", "SELECT ssn FROM customers WHERE id = -5 AND ssn <> ?"),
        ("SELECT ssn FROM customers WHERE ssn = -78", "SELECT ssn FROM customers WHERE ssn = -?"),
        (
            "SELECT ssn FROM customers WHERE id = '5'::int AND ssn = '1'::text",
            "SELECT ssn FROM customers WHERE id = '5'::int AND ssn = ?::text"
        ),
        (
            "SELECT id::numeric(10, 2), ssn::varchar(3) FROM customers ORDER BY 1, 2",
            "SELECT id::numeric(10, 2), ssn::varchar(3) FROM customers ORDER BY 1, 2"
        ),
        (
            "SELECT ssn, count(*) FROM customers GROUP BY 1 HAVING count(*) > 3",
            "SELECT ssn, count(*) FROM customers GROUP BY 1 HAVING count(*) > ?"
        ),
        ("SELECT ssn || '078', name || 'x' FROM customers", "SELECT ssn || ?, name || ? FROM customers"),
        ("SELECT ssn FROM customers WHERE upper(name) = 'BOB'", "SELECT ssn FROM customers WHERE upper(name) = ?"),
        ("SELECT ssn FROM customers WHERE name = lower('078')", "SELECT ssn FROM customers WHERE name = lower(?)"),
        ("SELECT ssn = E'078\\x2d05' FROM customers", "SELECT ssn = ? FROM customers"),
        ("SELECT ssn = U&'078\\002d05' FROM customers", "SELECT ssn = ? FROM customers"),
        ("SELECT ssn = $$078-05$$ OR ssn = $a$078-05$a$ FROM customers", "SELECT ssn = ? OR ssn = ? FROM customers"),
        (
            "SELECT ssn = b'101' OR ssn = x'1F' OR ssn = 1e5 OR ssn = 0x1f FROM customers",
            "SELECT ssn = ? OR ssn = ? OR ssn = ? OR ssn = ? FROM customers"
        ),
        ("SELECT ssn = '078'\n'-05' FROM customers", "SELECT ssn = ? FROM customers"),
        (
            "SELECT ssn FROM customers -- 078-05-1120\nWHERE id = 1 /* 078 /* 05 */ */",
            "SELECT ssn FROM customers -- ****\nWHERE id = 1 /* **** */"
        ),
        (
            "WITH v AS (SELECT '078-05-1120' x) SELECT id FROM customers, v WHERE ssn = v.x AND id = 3",
            "WITH v AS (SELECT ? x) SELECT id FROM customers, v WHERE ssn = v.x AND id = 3"
        ),
        (
            "SELECT id FROM customers JOIN (VALUES ('078')) v(x) ON ssn = v.x",
            "SELECT id FROM customers JOIN (VALUES (?)) v(x) ON ssn = v.x"
        ),
        ("SELECT id FROM customers WHERE ssn = (SELECT '078')", "SELECT id FROM customers WHERE ssn = (SELECT ?)"),
        ("SELECT id FROM customers WHERE (ssn, id) = ('078', 5)", "SELECT id FROM customers WHERE (ssn, id) = (?, ?)"),
        ("SELECT id FROM customers WHERE to_jsonb(ssn) = '{\"a\": 1}'::jsonb", "SELECT id FROM customers WHERE to_jsonb(ssn) = ?::jsonb"),
        (
            "SELECT CASE WHEN id = 1 THEN '078' ELSE name END, ssn FROM customers",
            "SELECT CASE WHEN id = 1 THEN ? ELSE name END, ssn FROM customers"
        ),
        // What meets a masked column may be its value.
        (
            "SELECT id FROM customers WHERE name = '078-05-1120' AND name = ssn AND email = 'x'",
            "SELECT id FROM customers WHERE name = ? AND name = ssn AND email = 'x'"
        ),
        (
            "SELECT 1 FROM customers c JOIN orders o ON o.note = c.ssn WHERE o.note = '078' AND o.id = 4",
            "SELECT ? FROM customers c JOIN orders o ON o.note = c.ssn WHERE o.note = ? AND o.id = 4"
        ),
        (
            "SELECT n FROM (SELECT name AS n FROM customers UNION SELECT ssn FROM customers) q WHERE n = '078'",
            "SELECT n FROM (SELECT name AS n FROM customers UNION SELECT ssn FROM customers) q WHERE n = ?"
        ),
        (
            "SELECT ssn FROM (SELECT name AS n, ssn FROM customers) q WHERE n = 'x' AND ssn = '1'",
            "SELECT ssn FROM (SELECT name AS n, ssn FROM customers) q WHERE n = 'x' AND ssn = ?"
        ),
        ("UPDATE customers SET ssn = name WHERE name = '078' AND id = 5", "UPDATE customers SET ssn = name WHERE name = ? AND id = 5"),
        (
            "INSERT INTO customers (ssn) SELECT note FROM orders WHERE note = '078' AND id = 5",
            "INSERT INTO customers (ssn) SELECT note FROM orders WHERE note = ? AND id = 5"
        ),
        (
            "WITH RECURSIVE r(v, n) AS (SELECT name, 1 FROM customers UNION SELECT ssn, n + 1 FROM r, customers) SELECT * FROM r WHERE v = '078'",
            "WITH RECURSIVE r(v, n) AS (SELECT name, ? FROM customers UNION SELECT ssn, n + ? FROM r, customers) SELECT * FROM r WHERE v = ?"
        ),
    ])
    func queries(sql: String, expected: String) throws {
        #expect(try shown(sql) == expected.replacing("?", with: "'****'"))
    }

    @Test(arguments: [
        ("INSERT INTO customers VALUES (1, 'Bob', '078', 'b@x')", "INSERT INTO customers VALUES (1, 'Bob', ?, 'b@x')"),
        (
            "INSERT INTO customers (ssn, id) VALUES ('078', 1), (DEFAULT, -2), ('079', 3)",
            "INSERT INTO customers (ssn, id) VALUES (?, 1), (DEFAULT, -2), (?, 3)"
        ),
        ("INSERT INTO customers (id, ssn) VALUES (1 + 1, upper('078'))", "INSERT INTO customers (id, ssn) VALUES (? + ?, upper(?))"),
        (
            "INSERT INTO customers (id, ssn) VALUES (1, '078') ON CONFLICT (id) DO UPDATE SET ssn = '079', name = 'x' RETURNING ssn, 'y'",
            "INSERT INTO customers (id, ssn) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET ssn = ?, name = 'x' RETURNING ssn, ?"
        ),
        ("UPDATE customers SET (ssn, name) = ('078', 'x') WHERE id = 1", "UPDATE customers SET (ssn, name) = (?, ?) WHERE id = 1"),
        (
            "UPDATE customers SET ssn = '078'::text, email = NULL, name = 'x' WHERE ssn = '079' RETURNING id",
            "UPDATE customers SET ssn = ?::text, email = NULL, name = 'x' WHERE ssn = ? RETURNING id"
        ),
        ("DELETE FROM customers WHERE ssn = '078' OR id = 5", "DELETE FROM customers WHERE ssn = ? OR id = 5"),
        (
            "WITH w AS (UPDATE customers SET ssn = '078' WHERE id = 5 RETURNING id) SELECT * FROM w",
            "WITH w AS (UPDATE customers SET ssn = ? WHERE id = 5 RETURNING id) SELECT * FROM w"
        ),
        (
            "MERGE INTO customers c USING (VALUES (1, '078')) v(i, s) ON c.id = v.i WHEN MATCHED THEN UPDATE SET ssn = '079', name = 'x' WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (5, '080')",
            "MERGE INTO customers c USING (VALUES (?, ?)) v(i, s) ON c.id = v.i WHEN MATCHED THEN UPDATE SET ssn = ?, name = 'x' WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (5, ?)"
        ),
        ("PREPARE q AS UPDATE customers SET ssn = '078' WHERE id = 5", "PREPARE q AS UPDATE customers SET ssn = ? WHERE id = 5"),
        ("EXECUTE q('078', 5)", "EXECUTE q(?, ?)"),
        (
            "DECLARE c CURSOR FOR SELECT id FROM customers WHERE ssn = '078' AND id > 5",
            "DECLARE c CURSOR FOR SELECT id FROM customers WHERE ssn = ? AND id > 5"
        ),
        ("FETCH 5 FROM c", "FETCH 5 FROM c"), ("DO $$ BEGIN UPDATE customers SET ssn = '078'; END $$", "DO ?"),
        (
            "EXPLAIN (COSTS false) SELECT id FROM customers WHERE ssn = '078' AND id = 5",
            "EXPLAIN (COSTS false) SELECT id FROM customers WHERE ssn = ? AND id = 5"
        ),
        (
            "COPY customers FROM STDIN (FORMAT csv, NULL 'x') WHERE ssn <> '078'",
            "COPY customers FROM STDIN (FORMAT csv, NULL ?) WHERE ssn <> ?"
        ),
        ("CREATE TABLE t (ssn text DEFAULT '078', n numeric(10, 2))", "CREATE TABLE t (ssn text DEFAULT ?, n numeric(10, 2))"),
        ("UPDATE nowhere SET ssn = '078' WHERE id = 5", "UPDATE nowhere SET ssn = ? WHERE id = ?"),
        ("UPDATE twice SET note = '078' WHERE id = 5", "UPDATE twice SET note = ? WHERE id = ?"),
    ])
    func writesAndOthers(sql: String, expected: String) throws {
        #expect(try shown(sql) == expected.replacing("?", with: "'****'"))
    }

    /// Statements that say nothing of the masked column, although they are told as if they touched it.
    @Test(arguments: [
        "UPDATE customers SET name = 'Bob', email = 'b@x' WHERE id = 5", "INSERT INTO customers (id, name) VALUES (1, 'a'), (2, 'b')",
        "SELECT ssn FROM customers WHERE name <> 'x' AND id >= 5 ORDER BY 1 LIMIT 3", "DELETE FROM orders WHERE id = 5 AND note = 'x'",
        "SELECT ssn FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer = c.id AND o.note = 'x')",
        "INSERT INTO orders VALUES (1, 2, 'x') ON CONFLICT (id) DO UPDATE SET note = 'y' WHERE orders.id = 5",
        "SELECT ssn FROM customers WHERE name IS NULL", "SELECT ssn FROM customers WHERE id = 1::bigint FOR UPDATE",
        "SELECT DISTINCT ON (1) ssn FROM customers WHERE email LIKE 'a%'", "SELECT * FROM customers FETCH FIRST 5 ROWS ONLY",
    ])
    func whatSaysNothingIsKept(sql: String) throws {
        #expect(try shown(sql) == sql)
        #expect(plan(sql).keepsAll)
    }

    @Test func truthIsAValueWhereItIsAConstant() throws {
        #expect(
            try shown("UPDATE customers SET ssn = TRUE, name = false WHERE (id = 5) IS TRUE")
                == "UPDATE customers SET ssn = '****', name = false WHERE (id = 5) IS TRUE")
        #expect(try shown("SELECT true, ssn FROM customers") == "SELECT '****', ssn FROM customers")
    }

    @Test(
        arguments: [
            ("UPDATE customers SET ssn = $1 WHERE id = $2", [2]), ("SELECT 1 FROM customers WHERE ssn = $1 OR id = $1", []),
            ("SELECT $1, ssn FROM customers WHERE id = ANY ($2) LIMIT $3 OFFSET $4::int", [2, 3, 4]),
            ("INSERT INTO customers VALUES ($1, $2, $3, $4)", [1, 2, 4]), ("INSERT INTO customers (ssn) VALUES ($1), ($2)", []),
            ("SELECT 1 FROM customers WHERE name = $1 AND ssn = name AND id IN ($2, $3::int)", [2, 3]),
            ("UPDATE customers SET name = $1::varchar WHERE id = -$2", [1]), ("EXECUTE q($1)", []),
            ("SELECT id FROM customers WHERE ssn LIKE '%' || $1 AND email ILIKE $2", [2]), ("SELECT 1 FROM nowhere WHERE id = $1", []),
        ] as [(String, Set<Int>)])
    func parameters(sql: String, kept: Set<Int>) {
        #expect(plan(sql).keptParameters == kept)
    }

    @Test func statementsBesideEachOther() throws {
        let sql = "SELECT 'kept' -- kept\n; SELECT 1 FROM customers WHERE ssn = '078'; SELECT 'kept' /* behind */; -- end"
        #expect(
            try shown(sql, hidden: [false, true, false])
                == "SELECT 'kept' -- kept\n; SELECT '****' FROM customers WHERE ssn = '****'; SELECT 'kept' /* behind */; -- ****")
        #expect(try shown(sql, hidden: [true]).contains("kept") == false)
        #expect(plan("SELECT 1; SELECT 2", hidden: [false, false]).keepsAll)
    }

    /// One plan serves all texts that differ in the values of their literals.
    @Test func aPlanIsForAllTextsOfAKind() throws {
        let plan = plan("UPDATE customers SET ssn = '1' WHERE id = 5")
        func masked(_ sql: String) throws -> String {
            String(decoding: try #require(Array(sql.utf8).withUnsafeBytes { plan.masked($0) }).bytes, as: UTF8.self)
        }
        #expect(try masked("UPDATE customers SET ssn = '078-05-1120' WHERE id = 17") == "UPDATE customers SET ssn = '****' WHERE id = 17")
        // Another number of tokens: whatever it is, nothing of it is kept.
        #expect(
            try masked("UPDATE customers SET ssn = '1', id = 3 WHERE id = 5")
                == "UPDATE customers SET ssn = '****', id = '****' WHERE id = '****'")
    }

    @Test(arguments: ["SELECT 'open", "SELECT /* open", "SELECT E'\\", "SELECT $a$ open", "SELECT 'a\0b'"])
    func whatCannotBeCutIsWithheld(sql: String) {
        #expect(Array(sql.utf8).withUnsafeBytes { plan(sql).masked($0) } == nil)
    }

    @Test func whatCannotBeParsedKeepsNothing() throws {
        #expect(
            try shown("UPDATE customers SET ssn '078' WHERE id = 5 LIMIT true")
                == "UPDATE customers SET ssn '****' WHERE id = '****' LIMIT '****'")
        let long = "SELECT id FROM customers WHERE id IN (\((0..<9_000).map(String.init).joined(separator: ", ")))"
        #expect(long.utf8.count > LiteralPlan.byteLimit)
        #expect(plan(long) == .keepingNothing)
        #expect(try !shown(long).contains("8999"))
        let deep =
            "SELECT ssn FROM customers WHERE id = 5 AND \(String(repeating: "(", count: 500))name = 'x'\(String(repeating: ")", count: 500))"
        #expect(plan(deep) == .keepingNothing)
        let mixed = (0..<300).map { "name || '\($0)' = ssn" }.joined(separator: " OR ")
        #expect(try !shown("SELECT 1 FROM customers WHERE id = 4711 AND name = 'abc' AND (\(mixed))").contains("abc"))
    }

    /// A COPY failed, and its rows come as a statement.
    @Test func wordsOfWhatCannotBeParsedAreHidden() throws {
        func keywords(_ sql: String) -> String? {
            Array(sql.utf8).withUnsafeBytes { LiteralPlan.keywords(of: $0) }.map { String(decoding: $0.bytes, as: UTF8.self) }
        }
        #expect(keywords("5001\tBob\tQz7xkw4m93Lp\nUPDATE t SET \"a\" = $1") == "'****'\t****\t****\nUPDATE **** SET **** = $1")
        #expect(keywords("SELECT 'open") == nil)
        #expect(keywords("SELECT U&\"a\", x'1f' -- secret") == "SELECT ****, '****' -- ****")
    }

    @Test(arguments: [
        ("INSERT INTO customers VALUES (1)", true), ("INSERT INTO customers (id) VALUES (1)", false),
        ("INSERT INTO customers DEFAULT VALUES", false), ("WITH w AS (INSERT INTO orders SELECT 1 RETURNING id) SELECT * FROM w", true),
        ("COPY customers FROM STDIN", true), ("COPY customers (id) FROM STDIN", false), ("UPDATE customers SET id = 1", false),
        ("MERGE INTO customers USING orders o ON true WHEN NOT MATCHED THEN INSERT VALUES (1)", true),
        ("MERGE INTO customers USING orders o ON true WHEN NOT MATCHED THEN INSERT (id) VALUES (1) WHEN MATCHED THEN DELETE", false),
    ])
    func writesByPlaceAreKnown(sql: String, isByPlace: Bool) throws {
        #expect(Lineage.writesByPlace(try #require(try facts(sql).source)) == isByPlace)
    }

    /// Texts that went through another thread know their own tokens.
    @Test func aLongTextKnowsWhereItsConstantsAre() throws {
        let sql = "INSERT INTO customers (ssn) VALUES \((0..<2_000).map { "('078-05-\($0)')" }.joined(separator: ", "))"
        let analysis = analyse(sql)
        let tokens = try #require(analysis.literals)
        #expect(tokens.count == 2_000)
        let shown = try #require(Array(sql.utf8).withUnsafeBytes { LiteralPlan.keepingNothing.masked($0, tokens: tokens) })
        #expect(shown.replaced == 2_000 && !String(decoding: shown.bytes, as: UTF8.self).contains("078"))
        let analyzer = StatementAnalyzer(statementBytes: 1 << 20, inlineBytes: 8_192, cacheEntries: 64)
        #expect(Array("SELECT 'x'".utf8).withUnsafeBytes { analyzer.analysis(of: $0) }?.literals == nil)
    }

    /// Whatever stands around it, a secret that is compared with the column, or put into it, is not shown.
    @Test(arguments: [
        "ssn = %", "% = ssn", "ssn IN (%, %)", "ssn BETWEEN % AND %", "ssn || 'x' = %", "upper(ssn) = upper(%)",
        "ssn = CAST(% AS varchar(11))",
        "ssn = %::text COLLATE \"C\"", "ssn = coalesce(NULL, %)", "ssn = concat(%, '')", "ssn = (ARRAY[%])[1]",
        "ssn = ('{\"a\":1}'::jsonb || to_jsonb(%::text)) ->> 'a'",
        "ssn SIMILAR TO %", "ssn ~ %", "NOT (ssn <> %)", "ssn = ANY (SELECT %::text)", "(ssn, 1) IN ((%, 1))",
        "ssn = CASE WHEN true THEN % END", "ssn = nullif(%, '')",
        "ssn = greatest(%, '')", "row(ssn) = row(%::text)", "ssn LIKE % ESCAPE '!'", "strpos(ssn, %) > 0", "ssn OPERATOR(pg_catalog.=) %",
        "id = 1 AND name = % AND (name = ssn)",
        "EXISTS (SELECT FROM orders WHERE note = % AND note = ssn)", "EXISTS (SELECT FROM (SELECT %::text AS s) q WHERE q.s = ssn)",
        "ssn = (SELECT max(x) FROM (VALUES (%)) v(x))", "xmlserialize(content xmlelement(name a, ssn) AS text) = %",
    ])
    func noShapeShowsASecret(condition: String) throws {
        let quotings = [
            "'\(Self.secret)'", "E'\(Self.secret)'", "$$\(Self.secret)$$", "U&'\(Self.secret)'", "/* \(Self.secret) */ '\(Self.secret)'",
        ]
        for quoting in quotings {
            let sql = "SELECT id FROM customers WHERE " + condition.replacing("%", with: quoting)
            #expect(analyse(sql).failure == nil, "\(sql)")
            #expect(try !shown(sql).contains(Self.secret), "\(sql)")
            for statement in [
                "DELETE FROM customers WHERE ", "UPDATE customers SET name = 'x' WHERE ",
                "SELECT count(*) FILTER (WHERE id = 2) FROM customers HAVING count(*) > 1 AND bool_or(",
            ] {
                let text = statement + condition.replacing("%", with: quoting) + (statement.hasSuffix("(") ? ")" : "")
                #expect(try !shown(text).contains(Self.secret), "\(text)")
            }
        }
    }
}
