import Foundation
import GatehouseCore
import Testing

@testable import Analysis

/// Three tables whose columns all have names of their own, but for `id`.
struct TestCatalog: LineageCatalog {
    static let tables: [(name: String, columns: [String])] = [
        ("customers", ["id", "name", "ssn", "email"]), ("orders", ["id", "customer", "note"]), ("digits", ["d"]), ("empty", []),
    ]

    func relations(named name: QualifiedName) -> [LineageRelation] {
        guard name.schema == nil || name.schema == "public" else { return [] }
        if name.name == "twice" {
            // A name that two tables may have.
            return ["customers", "orders"].flatMap { relations(named: QualifiedName(name: $0)) }
        }
        return Self.tables.enumerated().filter { $0.element.name == name.name }.map { index, table in
            LineageRelation(
                oid: UInt32(index + 1),
                columns: table.columns.enumerated().map { LineageRelation.Column(attnum: Int16($0.offset + 1), name: $0.element) })
        }
    }

    static func name(_ column: LineageColumn) -> String {
        let table = tables[Int(column.table) - 1]
        let name = table.columns[Int(column.attnum) - 1]
        return name == "id" ? table.name + ".id" : name
    }
}

/// `=ssn`: the very value of ssn. `name+ssn`: made from both. `name ?ssn`: made from name, and ssn decides. `!`: not known. `-`: from
/// nothing.
func describe(_ flow: LineageFlow) -> String {
    if flow.unknown != nil { return "!" }
    let values = flow.values.map(TestCatalog.name).sorted().joined(separator: "+")
    let control = flow.control.subtracting(flow.values).map(TestCatalog.name).sorted().joined(separator: "+")
    let text = (flow.isPure && !flow.values.isEmpty ? "=" : "") + values + (control.isEmpty ? "" : " ?" + control)
    return text.isEmpty ? "-" : text.trimmingCharacters(in: .whitespaces)
}

func lineage(_ sql: String) throws -> Lineage {
    let source = try #require(try facts(sql).source, "\(sql)")
    return try #require(Lineage.of(source, in: TestCatalog()), "\(sql)")
}

@Suite struct LineageTests {
    private func columns(_ sql: String) throws -> String {
        let lineage = try lineage(sql)
        return lineage.columns.map { $0.map { describe($0.flow) }.joined(separator: ", ") } ?? "* "
            + describe(lineage.overall ?? .unknown("no result"))
    }

    @Test(arguments: [
        ("SELECT id, ssn FROM customers", "=customers.id, =ssn"), ("SELECT * FROM customers", "=customers.id, =name, =ssn, =email"),
        ("TABLE customers", "=customers.id, =name, =ssn, =email"),
        ("SELECT c.* FROM customers c, orders", "=customers.id, =name, =ssn, =email"),
        ("SELECT * FROM orders, digits", "=orders.id, =customer, =note, =d"), ("SELECT public.customers.ssn FROM public.customers", "=ssn"),
        ("SELECT ssn AS name FROM customers", "=ssn"), ("SELECT c FROM customers AS x(a, b, c)", "=ssn"),
        ("SELECT x.email, x.c FROM customers AS x(a, b, c)", "=email, =ssn"), ("SELECT ctid, tableoid, ssn FROM customers", "-, -, =ssn"),
        ("SELECT 1, 'a', NULL, $1, now(), current_user", "-, -, -, -, -, -"), ("SELECT FROM customers", ""),
        ("SELECT unheard FROM customers", "!"), ("SELECT x.ssn FROM customers", "!"), ("SELECT ssn FROM nowhere", "!"),
        ("SELECT id FROM twice", "customers.id+email+name+note+customer+orders.id+ssn"),
    ])
    func columnsAndStars(sql: String, expected: String) throws {
        if sql.contains("twice") {
            #expect(try lineage(sql).overall?.values.count == 7)
        } else {
            #expect(try columns(sql) == expected, "\(sql)")
        }
    }

    @Test(arguments: [
        ("reverse(ssn)", "ssn"), ("ssn || ''", "ssn"), ("ssn::varchar", "ssn"), ("CAST(ssn AS text)", "ssn"), ("ssn COLLATE \"C\"", "ssn"),
        ("concat(name, ssn)", "name+ssn"), ("coalesce(ssn, name)", "name+ssn"), ("nullif(ssn, 'x')", "ssn"),
        ("greatest(ssn, name)", "name+ssn"),
        ("ARRAY[ssn, name]", "name+ssn"), ("(ARRAY[name, ssn])[1]", "name+ssn"), ("(ARRAY[name])[id]", "customers.id+name"),
        ("ROW(id, ssn)", "customers.id+ssn"), ("ROW(customers.*)", "customers.id+email+name+ssn"), ("(id, ssn)", "customers.id+ssn"),
        ("customers", "customers.id+email+name+ssn"), ("customers::text", "customers.id+email+name+ssn"), ("(customers).ssn", "=ssn"),
        ("(customers).name", "=name"), ("to_json(customers)", "customers.id+email+name+ssn"),
        ("customers.to_json", "customers.id+email+name+ssn"),
        ("ssn(customers)", "!"), ("customers.unheard", "!"), ("json_build_object('a', ssn)", "ssn"), ("JSON_OBJECT('a': ssn)", "ssn"),
        ("JSON_ARRAY(ssn, name)", "name+ssn"), ("JSON_VALUE(ssn::jsonb, '$.a')", "ssn"), ("xmlforest(ssn AS a)", "ssn"),
        ("xmlelement(name a, ssn)", "ssn"), ("ssn IS NULL", "ssn"), ("ssn = '1'", "ssn"),
        ("NOT (id = 1 AND ssn = '2')", "customers.id+ssn"),
        ("CASE WHEN true THEN ssn END", "ssn"), ("CASE WHEN ssn = '1' THEN name END", "name ?ssn"),
        ("CASE ssn WHEN 'a' THEN 1 ELSE 2 END", "?ssn"),
        ("CASE WHEN id = 1 THEN 'x' ELSE email END", "email ?customers.id"), ("ssn BETWEEN 'a' AND name", "name+ssn"),
        ("ssn IN ('a', name)", "name+ssn"), ("ssn LIKE name", "name+ssn"), ("unheard(ssn)", "!"), ("unheard()", "!"),
        ("name::unheard", "!"),
        ("name OPERATOR(public.+) name", "!"), ("name + 1", "name"), ("query_to_xml('x', true, true, '')", "!"),
        ("substring(ssn FROM 1 FOR 2)", "ssn"), ("position('1' IN ssn)", "ssn"), ("extract(year FROM now())", "-"),
        ("format('%s', customers)", "customers.id+email+name+ssn"), ("upper(name)", "name"),
        ("id * 2 + length(email)", "customers.id+email"),
    ])
    func expressions(expression: String, expected: String) throws {
        #expect(try columns("SELECT \(expression) FROM customers") == expected, "\(expression)")
        // The same beside others, and below a query.
        #expect(try columns("SELECT 1, \(expression) AS x FROM customers") == "-, " + expected, "\(expression)")
        #expect(try columns("SELECT x FROM (SELECT \(expression) AS x FROM customers) q") == expected, "\(expression)")
        #expect(try columns("WITH q AS (SELECT \(expression) AS x FROM customers) SELECT q.x FROM q") == expected, "\(expression)")
    }

    @Test(arguments: [
        ("SELECT count(*) FROM customers", "-"), ("SELECT count(ssn) FROM customers", "ssn"),
        ("SELECT max(ssn), min(name) FROM customers", "ssn, name"),
        ("SELECT string_agg(name, ',' ORDER BY ssn) FROM customers", "name ?ssn"),
        ("SELECT array_agg(name) FILTER (WHERE ssn = '1') FROM customers", "name ?ssn"),
        ("SELECT name, count(*) FROM customers GROUP BY name", "=name, -"),
        ("SELECT json_agg(c) FROM customers c", "customers.id+email+name+ssn"),
        ("SELECT row_number() OVER (ORDER BY ssn) FROM customers", "?ssn"),
        ("SELECT first_value(name) OVER (PARTITION BY ssn) FROM customers", "name ?ssn"),
        ("SELECT lag(ssn) OVER w FROM customers WINDOW w AS (ORDER BY id)", "ssn ?customers.id"),
        ("SELECT rank() OVER w FROM customers WINDOW w AS (ORDER BY ssn)", "?ssn"),
        ("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers", "?ssn"),
        ("SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM customers", "?ssn"),
        ("SELECT grouping(ssn), count(*) FROM customers GROUP BY ROLLUP (ssn)", "ssn, -"),
        ("SELECT json_object_agg(name, ssn) FROM customers", "name+ssn"), ("SELECT JSON_ARRAYAGG(ssn) FROM customers", "ssn"),
        ("SELECT JSON_ARRAY(SELECT ssn FROM customers)", "ssn"),
    ])
    func aggregatesAndWindows(sql: String, expected: String) throws {
        #expect(try columns(sql) == expected, "\(sql)")
    }

    @Test(arguments: [
        ("SELECT (SELECT ssn FROM customers LIMIT 1)", "=ssn"), ("SELECT (SELECT name FROM customers WHERE ssn = '1')", "=name ?ssn"),
        ("SELECT ARRAY(SELECT ssn FROM customers)", "ssn"), ("SELECT EXISTS (SELECT ssn FROM customers)", "-"),
        ("SELECT EXISTS (SELECT FROM customers WHERE ssn = '1')", "?ssn"), ("SELECT '1' IN (SELECT ssn FROM customers)", "ssn"),
        ("SELECT note = ANY (SELECT ssn FROM customers) FROM orders", "note+ssn"), ("SELECT (SELECT c.ssn) FROM customers c", "=ssn"),
        ("SELECT (SELECT ssn FROM orders LIMIT 1) FROM customers", "=ssn"),
        ("SELECT (SELECT id FROM orders LIMIT 1) FROM customers", "=orders.id"),
        ("SELECT (SELECT x FROM (SELECT ssn AS x) s, (SELECT 1 AS ssn) t) FROM customers", "=ssn"),
        ("SELECT x FROM (SELECT ssn AS x FROM customers) s", "=ssn"), ("SELECT s.b FROM (SELECT id, ssn FROM customers) s(a, b)", "=ssn"),
        ("SELECT s FROM (SELECT id, ssn FROM customers) s", "customers.id+ssn"),
        ("SELECT (s).ssn FROM (SELECT id, ssn FROM customers) s", "=ssn"),
        ("SELECT v FROM customers c, LATERAL (SELECT c.ssn) x(v)", "=ssn"),
        ("SELECT v FROM customers c, LATERAL (VALUES (c.ssn), ('a')) x(v)", "ssn"),
        ("SELECT x FROM customers, unnest(ARRAY[ssn]) x", "ssn"),
        ("SELECT value FROM customers c, json_each_text(row_to_json(c))", "customers.id+email+name+ssn ?"),
        ("SELECT g FROM generate_series(1, 3) g", "-"), ("SELECT g.*, name FROM customers, generate_series(1, 3) g", "-, =name"),
        ("SELECT x.* FROM json_to_record('{}') AS x(a text, b int)", "-, -"), ("SELECT l FROM leak() l", "!"),
        ("SELECT name FROM customers, leak() l", "=name ?!"),
        ("SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY[1])) r", "* -"),
        ("SELECT note FROM (SELECT ssn AS note FROM customers) orders", "=ssn"),
        ("VALUES (1, (SELECT ssn FROM customers LIMIT 1)), (2, 'x')", "-, ssn"), ("SELECT column2 FROM (VALUES (1, 2)) v", "-"),
        ("SELECT upper(t.x) FROM XMLTABLE('/a' PASSING (SELECT ssn::xml FROM customers) COLUMNS x text) t", "ssn"),
        ("SELECT t.x FROM JSON_TABLE((SELECT ssn::jsonb FROM customers), '$' COLUMNS (x text PATH '$.a')) t", "ssn"),
    ])
    func queriesInside(sql: String, expected: String) throws {
        let found = try columns(sql)
        switch expected {
        case let end where end.hasSuffix(" ?"): #expect(found == end.dropLast(2), "\(sql)")
        case let end where end.hasSuffix(" ?!"): #expect(found == "!", "\(sql)")
        default: #expect(found == expected, "\(sql)")
        }
    }

    @Test(arguments: [
        ("SELECT * FROM customers JOIN orders USING (id)", "customers.id+orders.id, =name, =ssn, =email, =customer, =note"),
        ("SELECT id FROM customers NATURAL FULL JOIN orders", "customers.id+orders.id"),
        ("SELECT * FROM orders o NATURAL JOIN customers", "customers.id+orders.id, =customer, =note, =name, =ssn, =email"),
        ("SELECT ssn FROM customers a FULL JOIN customers b USING (ssn)", "ssn"),
        ("SELECT j.c FROM (customers a CROSS JOIN digits b) AS j(x, y, c)", "=ssn"),
        ("SELECT j.* FROM (digits CROSS JOIN orders) AS j(x)", "=d, =orders.id, =customer, =note"),
        ("SELECT u.id FROM customers JOIN orders USING (id) AS u", "customers.id+orders.id"),
        ("SELECT c.name FROM customers c JOIN orders o ON o.customer = c.id", "=name ?customer+customers.id"),
        ("SELECT * FROM digits a LEFT JOIN digits b ON true RIGHT JOIN orders ON true", "=d, =d, =orders.id, =customer, =note"),
        (
            "SELECT x.ssn FROM orders JOIN LATERAL (SELECT ssn FROM customers WHERE id = orders.id) x ON true",
            "=ssn ?customers.id+orders.id"
        ),
    ])
    func joins(sql: String, expected: String) throws {
        let found = try columns(sql).replacingOccurrences(of: " ?customers.id+orders.id", with: "")
        #expect(found == expected.replacingOccurrences(of: " ?customers.id+orders.id", with: ""), "\(sql)")
    }

    @Test(arguments: [
        ("SELECT name FROM customers UNION ALL SELECT ssn FROM customers", "=name+ssn"),
        ("SELECT upper(name) FROM customers UNION ALL SELECT ssn FROM customers", "name+ssn"),
        ("SELECT note FROM orders UNION SELECT ssn FROM customers", "=note+ssn"),
        ("SELECT note FROM orders INTERSECT SELECT ssn FROM customers", "=note+ssn"),
        (
            "SELECT note, id FROM orders EXCEPT SELECT ssn, id FROM customers",
            "=note+ssn ?customers.id+orders.id, =customers.id+orders.id ?note+ssn"
        ),
        ("SELECT x FROM (SELECT name AS x FROM customers UNION ALL SELECT ssn FROM customers) q", "=name+ssn"),
        ("(SELECT name FROM customers) UNION ALL (TABLE digits) ORDER BY 1", "=d+name"), ("SELECT 1 UNION ALL SELECT 2", "-"),
        ("WITH a AS (SELECT ssn FROM customers), b(x) AS (SELECT * FROM a) SELECT upper(x) FROM b", "ssn"),
        ("WITH a AS (SELECT 1 AS ssn) SELECT ssn FROM a", "-"),
        ("WITH customers AS (SELECT 1 AS ssn) SELECT ssn FROM customers", "-"),
        ("WITH customers AS (SELECT ssn FROM customers) SELECT ssn FROM customers", "=ssn"),
        ("WITH a AS (SELECT 1 AS x) SELECT * FROM (WITH a AS (SELECT ssn AS x FROM customers) SELECT x FROM a) q", "=ssn"),
        ("WITH customers AS (SELECT 1 AS ssn) SELECT ssn FROM public.customers", "=ssn"),
        ("WITH RECURSIVE r(v) AS (SELECT ssn FROM customers UNION ALL SELECT v FROM r) SELECT v FROM r", "=ssn"),
        (
            "WITH RECURSIVE r(a, b, c) AS (SELECT '', '', ssn FROM customers UNION ALL SELECT b, c, '' FROM r) SELECT a, b, c FROM r",
            "ssn, ssn, ssn"
        ),
        ("WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n, 'x' FROM r", "-, -"),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r, customers WHERE ssn = 'a') SELECT n FROM r", "?ssn"),
        ("WITH RECURSIVE b AS (SELECT x FROM a), a AS (SELECT ssn AS x FROM customers) SELECT x FROM b", "=ssn"),
        (
            "WITH RECURSIVE r(n) AS (SELECT id FROM customers UNION ALL SELECT n FROM r) SEARCH DEPTH FIRST BY n SET s CYCLE n SET m USING p SELECT m, n FROM r",
            "customers.id, =customers.id"
        ),
    ])
    func setsAndTables(sql: String, expected: String) throws {
        #expect(try columns(sql) == expected, "\(sql)")
    }

    /// What chooses rows decides what is made of them, but for plain conditions over one table in the outermost query.
    @Test(arguments: [
        ("SELECT upper(name) FROM customers WHERE ssn = '1'", "name"),
        ("SELECT count(*) FROM customers WHERE ssn LIKE '1%' AND name = 'a'", "-"),
        ("SELECT upper(name) FROM customers ORDER BY ssn", "name"), ("SELECT count(*) FROM customers GROUP BY ssn", "-"),
        ("SELECT DISTINCT upper(name) FROM customers", "name"), ("SELECT count(*) FROM customers GROUP BY name HAVING max(ssn) > '5'", "-"),
        ("SELECT count(*) FROM customers a, customers b WHERE a.ssn = b.ssn", "?ssn"),
        ("SELECT count(*) FROM (SELECT 1 FROM customers WHERE ssn = '1') q", "?ssn"),
        ("SELECT v.d FROM (VALUES ('1')) v(d), customers c WHERE substr(c.ssn, 1, 1) = v.d", "?ssn"),
        ("SELECT string_agg(d, '') FROM digits, customers WHERE substr(ssn, 1, 1) = d", "d ?ssn"),
        ("SELECT '1' FROM customers WHERE ssn LIKE '1%' UNION ALL SELECT '2' FROM customers WHERE ssn LIKE '2%'", "?ssn"),
        ("SELECT chr(i) FROM generate_series(0, 255) i OFFSET (SELECT ascii(ssn) FROM customers LIMIT 1) LIMIT 1", "?ssn"),
        ("SELECT count(*) FROM generate_series(1, (SELECT ascii(ssn) FROM customers LIMIT 1))", "?ssn"),
        ("SELECT d FROM (VALUES ('1')) v(d), customers ORDER BY (d = substr(ssn, 1, 1)) DESC LIMIT 1", "?ssn"),
        ("SELECT d, (d = substr(ssn, 1, 1)) AS o FROM (VALUES ('1')) v(d), customers ORDER BY o DESC LIMIT 1", "?ssn, ssn"),
        ("SELECT d, d = ssn FROM (VALUES ('1')) v(d), customers ORDER BY 2 DESC LIMIT 1", "?ssn, ssn"),
        ("SELECT upper(name) FROM customers WHERE unheard(name)", "!"),
        ("SELECT 1 FROM customers WHERE EXISTS (SELECT FROM orders WHERE note = ssn)", "?note+ssn"),
        ("SELECT d FROM (SELECT d FROM digits UNION SELECT 'x') q WHERE d IN (SELECT substr(ssn, 1, 1) FROM customers)", "d ?ssn"),
        ("SELECT count(*) FROM (SELECT DISTINCT ssn FROM customers) q", "?ssn"),
        ("SELECT count(*) FROM orders JOIN customers ON note = ssn", "?note+ssn"),
        ("SELECT d FROM digits TABLESAMPLE bernoulli ((SELECT length(ssn) FROM customers LIMIT 1))", "=d ?ssn"),
        ("SELECT count(*) FILTER (WHERE ssn = 'a') FROM customers", "?ssn"),
    ])
    func conditions(sql: String, expected: String) throws {
        #expect(try columns(sql) == expected, "\(sql)")
    }

    @Test(arguments: [
        ("SELECT 1 FROM customers WHERE ssn = '1'", "ssn"), ("SELECT name FROM customers ORDER BY ssn", "ssn"),
        ("SELECT name FROM customers", "-"),
        ("SELECT ssn FROM customers ORDER BY 1", "ssn"), ("SELECT name, ssn FROM customers ORDER BY 1", "name"),
        ("SELECT DISTINCT ssn FROM customers", "ssn"),
        ("SELECT ssn FROM customers GROUP BY 1", "ssn"), ("SELECT ssn::int FROM customers", "ssn"),
        ("SELECT 1 / ascii(ssn) FROM customers", "ssn"),
        ("SELECT ssn || 'x' FROM customers", "-"), ("SELECT count(*) FROM customers HAVING max(ssn) > ''", "ssn"),
        ("SELECT upper(ssn) FROM customers", "-"),
        ("SELECT 1 FROM customers a JOIN customers b USING (ssn)", "ssn"), ("SELECT CASE WHEN ssn = '' THEN 1 END FROM customers", "ssn"),
        ("DELETE FROM customers WHERE ssn = '1'", "ssn"), ("UPDATE customers SET name = 'x' WHERE email = 'y'", "email"),
        ("SELECT d FROM digits UNION SELECT ssn FROM customers", "d+ssn"),
        ("SELECT row_number() OVER (ORDER BY ssn) FROM customers", "ssn"),
        ("EXPLAIN SELECT 1 FROM customers WHERE ssn = '1'", "ssn"), ("PREPARE p AS SELECT 1 FROM customers WHERE ssn = $1", "ssn"),
    ])
    func probes(sql: String, expected: String) throws {
        let probes = try lineage(sql).probes
        #expect(describe(LineageFlow(values: probes.everything, unknown: probes.unknown)) == expected, "\(sql)")
    }

    @Test(arguments: [
        ("INSERT INTO orders (note) SELECT ssn FROM customers", "ssn"),
        ("INSERT INTO orders SELECT id, id, name FROM customers", "customers.id+name"),
        ("INSERT INTO orders (note) SELECT name FROM customers WHERE ssn = '1'", "name+ssn"),
        ("INSERT INTO orders VALUES (1, 2, 'x')", "-"),
        ("INSERT INTO orders (note) VALUES ((SELECT ssn FROM customers LIMIT 1))", "ssn"), ("INSERT INTO orders DEFAULT VALUES", "-"),
        ("UPDATE customers SET ssn = 'x' WHERE id = 1", "customers.id"), ("UPDATE customers SET name = ssn", "ssn"),
        ("UPDATE orders SET note = c.ssn FROM customers c", "ssn"),
        ("UPDATE orders SET (id, note) = (SELECT id, ssn FROM customers)", "customers.id+ssn"),
        ("UPDATE orders SET note = 'x' FROM customers c WHERE c.ssn = '1'", "ssn"),
        ("INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = customers.ssn", "customers.id+ssn"),
        ("INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn", "customers.id"),
        ("MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN UPDATE SET note = c.ssn", "customers.id+orders.id+ssn"),
        ("MERGE INTO orders o USING customers c ON true WHEN NOT MATCHED THEN INSERT (note) VALUES (c.ssn)", "ssn"),
        ("MERGE INTO orders o USING customers c ON o.note = c.ssn WHEN MATCHED THEN DELETE", "-"),
        ("CREATE TABLE x AS SELECT ssn FROM customers", "ssn"), ("CREATE TABLE x AS SELECT name FROM customers", "name"),
        ("SELECT ssn INTO x FROM customers", "ssn"),
        ("CREATE VIEW v AS SELECT upper(ssn) FROM customers", "ssn"),
        ("CREATE MATERIALIZED VIEW v AS SELECT id FROM customers WHERE ssn = 'a'", "customers.id+ssn"),
        ("WITH w AS (INSERT INTO orders (note) SELECT ssn FROM customers) SELECT 1", "ssn"), ("CREATE TABLE x AS EXECUTE p", "!"),
        ("WITH w AS (DELETE FROM customers RETURNING ssn) INSERT INTO orders (note) SELECT ssn FROM w", "ssn"),
        ("COPY (SELECT ssn FROM customers) TO '/tmp/x'", "ssn"), ("COPY (SELECT ssn FROM customers) TO STDOUT", "-"),
        ("INSERT INTO orders (note) VALUES (unheard())", "!"),
        ("PREPARE p AS UPDATE customers SET name = ssn", "ssn"),
        ("UPDATE orders SET note[(SELECT length(ssn) FROM customers)] = 'x'", "ssn"),
        ("UPDATE customers SET ssn = DEFAULT", "-"), ("DELETE FROM customers USING orders WHERE note = ssn", "-"),
    ])
    func copies(sql: String, expected: String) throws {
        let copies = try lineage(sql).copies
        #expect(describe(LineageFlow(values: copies.everything, unknown: copies.unknown)) == expected, "\(sql)")
    }

    @Test(arguments: [
        ("INSERT INTO customers (id) VALUES (1) RETURNING id, ssn, upper(name)", "=customers.id, =ssn, name"),
        ("DELETE FROM customers RETURNING *", "=customers.id, =name, =ssn, =email"),
        ("UPDATE customers c SET name = 'x' FROM orders o WHERE o.id = 1 RETURNING c.ssn, o.note", "=ssn ?orders.id, =note ?orders.id"),
        ("UPDATE orders SET note = '' FROM customers c RETURNING *", "=orders.id, =customer, =note, =customers.id, =name, =ssn, =email"),
        ("WITH w AS (DELETE FROM customers RETURNING ssn AS s) SELECT s FROM w", "=ssn"), ("DELETE FROM orders", ""),
        ("COPY (SELECT id, ssn, upper(name) FROM customers) TO STDOUT", "=customers.id, =ssn, name"),
        ("DECLARE c CURSOR FOR SELECT ssn FROM customers", "=ssn"),
        ("PREPARE p AS SELECT upper(ssn) FROM customers", "ssn"), ("COPY (DELETE FROM customers RETURNING ssn) TO STDOUT", "=ssn"),
    ])
    func returning(sql: String, expected: String) throws {
        #expect(try columns(sql) == expected, "\(sql)")
    }

    // MARK: Bounds

    @Test func whatGrowsWithoutBoundIsGivenUp() throws {
        var sql = "WITH t0 AS (SELECT * FROM customers)"
        for level in 1...24 { sql += ", t\(level) AS (SELECT a.*, b.* FROM t\(level - 1) a, t\(level - 1) b)" }
        let source = try #require(try facts(sql + " SELECT * FROM t24").source)
        #expect(Lineage.of(source, in: TestCatalog()) == nil)
    }

    @Test func nestedRecursionIsBounded() throws {
        var sql = "SELECT v FROM r0"
        for level in 0..<8 {
            sql =
                "WITH RECURSIVE r\(level)(v) AS (SELECT ssn FROM customers UNION ALL (SELECT v FROM (\(sql.replacing("r\(level)", with: "r\(level)"))) q)) SELECT v FROM r\(level)"
        }
        let began = ContinuousClock.now
        if let source = try facts(sql).source { _ = Lineage.of(source, in: TestCatalog()) }
        #expect(ContinuousClock.now - began < .seconds(20))
    }

    @Test func theDeepestTextThatIsKeptFitsTheStack() throws {
        for text in [
            "SELECT " + String(repeating: "(SELECT ", count: 60) + "ssn FROM customers" + String(repeating: ")", count: 60),
            "SELECT " + String(repeating: "upper(", count: 120) + "'x'" + String(repeating: ")", count: 120),
            "SELECT 1" + String(repeating: " + 1", count: 390),
            "SELECT 1" + String(repeating: " UNION ALL SELECT ssn FROM customers", count: 150),
        ] {
            if let source = analyse(text).actions.first?.source { _ = Lineage.of(source, in: TestCatalog()) }
        }
    }

    @Test func textsThatAreKeptForLineageAreNoFacts() throws {
        let first = try facts("SELECT ssn FROM customers WHERE id = 1")
        let second = try facts("SELECT ssn FROM customers WHERE id = 2")
        #expect(first == second && first.hashValue == second.hashValue)
        #expect(try !String(decoding: JSONEncoder().encode(first), as: UTF8.self).contains("id = 1"))
        #expect(try facts("CREATE ROLE x PASSWORD 'secret'").source == nil)
        #expect(try facts("SELECT '" + String(repeating: "x", count: StatementSource.byteLimit) + "'").source == nil)
    }
}
