import GatehouseCore

/// Statements over `MaskedDatabase`.
enum MaskedCorpus {
    /// Their only column passes.
    static let harmless: [String] = [
        "SELECT 1 AS x", "SELECT now() AS x", "SELECT count(*) AS x FROM customers", "SELECT upper(name) AS x FROM customers",
        "SELECT upper(note) AS x FROM orders", "SELECT count(*) AS x FROM plain", "SELECT max(u) AS x FROM untouched",
        "SELECT name AS x FROM customers UNION SELECT note FROM orders", "SELECT count(*) AS x FROM pg_class",
        "SELECT to_jsonb(o) AS x FROM orders o", "SELECT count(*) AS x FROM (SELECT * FROM customers) c",
        "SELECT to_jsonb(q) AS x FROM (SELECT id, name FROM customers) q",
        "WITH q AS (TABLE customers) SELECT upper(name) AS x FROM q", "SELECT u || '' AS x FROM computed", "SELECT n + 1 AS x FROM counted",
        "SELECT b || '' AS x FROM customers c(a, b)", "SELECT EXISTS (SELECT FROM customers) AS x",
    ]

    /// More of them, for which the statement must be followed.
    static let harmlessByLineage: [String] = [
        "SELECT count(*) AS x FROM customers WHERE ssn LIKE '1%'", "SELECT length(name) + id AS x FROM customers ORDER BY ssn",
        "SELECT upper(name) AS x FROM (SELECT ssn, name FROM customers) c", "SELECT name || '' AS x FROM plain WHERE number = 'x'",
    ]

    /// Ways to a masked value, with the flags that an analyser finds besides names.
    static let leaks: [(sql: String, flags: Action.Flags)] = [
        ("SELECT ssn FROM customers", []), ("SELECT ssn AS x, ssn FROM customers", []), ("SELECT reverse(ssn) FROM customers", []),
        ("SELECT ssn || '' FROM customers", []), ("SELECT substr(ssn, 1) FROM customers", []),
        ("SELECT ssn::varchar FROM customers", []),
        ("SELECT ssn COLLATE \"C\" FROM customers", []), ("SELECT concat(ssn) FROM customers", []),
        ("SELECT ROW(ssn) FROM customers", []),
        ("SELECT row_to_json(c) FROM customers c", [.wholeRow]), ("SELECT c::text FROM customers c", [.wholeRow]),
        ("SELECT c FROM customers c", [.wholeRow]), ("SELECT ssn(c) FROM customers c", [.wholeRow]),
        ("SELECT (SELECT ssn FROM customers LIMIT 1)", []), ("SELECT array(SELECT ssn FROM customers)", []),
        ("SELECT name FROM customers UNION ALL SELECT ssn FROM customers", []),
        ("SELECT b FROM (SELECT * FROM customers) x(i, a, b)", [.innerStar]),
        ("SELECT lower(b) FROM (SELECT * FROM customers) x(i, a, b)", [.innerStar]),
        ("SELECT lower(b) FROM customers x(i, a, b)", [.innerStar]),
        ("WITH x AS (SELECT ssn AS s FROM customers) SELECT upper(s) FROM x", []),
        ("WITH x AS (TABLE customers) SELECT x.*::text FROM x", [.innerStar]),
        ("WITH RECURSIVE r(v) AS (SELECT ssn FROM customers UNION SELECT v FROM r) SELECT v FROM r", []),
        ("SELECT string_agg(ssn, ',') FROM customers", []), ("SELECT max(ssn) FROM customers", []),
        ("SELECT * FROM customers a FULL JOIN customers b USING (ssn)", []),
        ("SELECT * FROM customers a NATURAL FULL JOIN customers b", [.innerStar]),
        ("SELECT v FROM customers c, LATERAL (SELECT c.ssn) x(v)", [.innerStar]),
        ("SELECT x FROM customers, unnest(ARRAY[ssn]) x", []),
        ("SELECT value FROM customers c, json_each_text(row_to_json(c))", [.wholeRow]),
        ("SELECT xmlforest(ssn) FROM customers", []), ("SELECT CASE WHEN true THEN ssn END FROM customers", []),
        ("SELECT coalesce(ssn, '') FROM customers", []), ("SELECT doc FROM customers", []), ("SELECT doc ->> 'ssn' FROM customers", []),
        ("VALUES ((SELECT ssn FROM customers LIMIT 1))", []), ("SELECT leak()", [.callsUnknownFunction]),
        ("SELECT * FROM leak()", [.callsUnknownFunction]), ("SELECT upper(l) FROM leak() l", [.callsUnknownFunction]),
        ("SELECT query_to_xml('SELECT s' || 'sn FROM customers', true, true, '')", [.opaque]),
        ("SELECT number FROM plain", []), ("SELECT upper(number) FROM plain", []), ("SELECT upper(n) FROM deep", []),
        ("SELECT * FROM computed", []), ("SELECT r || '' FROM computed", []), ("SELECT * FROM united", []),
        ("SELECT * FROM united_inside", []),
        ("SELECT j ->> 'ssn' FROM whole", []), ("SELECT * FROM whole", []), ("SELECT upper(s) FROM cte", []),
        ("SELECT upper(name) FROM renamed", []),
        ("SELECT * FROM kept", []), ("SELECT upper(kept_ssn) FROM kept", []), ("SELECT * FROM coded", []),
        ("SELECT upper(l) FROM coded", []),
        ("SELECT * FROM texted", []), ("SELECT * FROM joined", []),
        ("SELECT most_common_vals FROM pg_stats WHERE tablename = 'customers'", []),
        ("SELECT histogram_bounds::text FROM pg_stats", []), ("SELECT p FROM plain p", [.wholeRow]),
        ("SELECT p::text FROM plain p", [.wholeRow]),
    ]

    /// More of them, for an analyser's own facts.
    static let deeperLeaks: [String] = [
        "SELECT (c.*)::text FROM customers c", "SELECT c.to_jsonb FROM customers c",
        "SELECT to_jsonb(x) FROM (SELECT ssn FROM customers) x",
        "SELECT jsonb_agg(x) FROM (SELECT * FROM customers) x", "SELECT array_agg(c) FROM customers c",
        "SELECT json_agg(c) FROM customers AS c",
        "SELECT row_to_json(r) FROM (SELECT c FROM customers c) r", "SELECT format('%s', c) FROM customers c",
        "SELECT concat(c) FROM customers c",
        "SELECT customers::text FROM customers",
        "SELECT (x).ssn || '' FROM (SELECT c AS x FROM customers c) y",
        "SELECT z || '' FROM (VALUES (1)) v(i) JOIN customers AS c(a, b, z) ON c.a = v.i",
        "SELECT j.b3 || '' FROM (customers a JOIN orders b ON true) AS j(b1, b2, b3)",
        "SELECT t.v FROM customers c, LATERAL (VALUES (c.ssn)) t(v)",
        "SELECT s.x FROM customers c CROSS JOIN LATERAL (SELECT c.*) s(a, b, x)",
        "WITH a(p, q, r) AS (SELECT * FROM customers) SELECT upper(r) FROM a", "WITH a(p, q, r) AS (TABLE customers) SELECT r || '' FROM a",
        "SELECT upper(c3) FROM (SELECT id, name, ssn FROM customers) x(c1, c2, c3)", "SELECT first_value(ssn) OVER () FROM customers",
        "SELECT (ARRAY[ssn])[1] FROM customers", "SELECT (SELECT s FROM (SELECT ssn) q(s)) FROM customers",
        "SELECT xmlelement(name a, c.ssn)::text FROM customers c",
        "SELECT regexp_matches(ssn, '.*') FROM customers", "SELECT unnest(string_to_array(ssn, NULL)) FROM customers",
        "SELECT encode(convert_to(ssn, 'UTF8'), 'escape') FROM customers",
        "(SELECT name FROM customers) UNION (TABLE united)",
        "SELECT x FROM (SELECT name AS x FROM customers UNION ALL SELECT number FROM plain) y",
        "SELECT max(name) FROM (SELECT ssn AS name FROM customers) y", "SELECT ssn FROM customers NATURAL FULL JOIN plain",
        "SELECT * FROM plain p NATURAL FULL JOIN customers c",
        "SELECT value FROM customers c, jsonb_each_text(to_jsonb(c))",
        "SELECT r.* FROM ROWS FROM (json_to_record((SELECT row_to_json(c) FROM customers c)) AS (ssn text)) r",
        "SELECT string_agg(d, '' ORDER BY p) FROM (SELECT p, chr(a) AS d FROM generate_series(1, 11) p, generate_series(45, 57) a, customers c WHERE substr(c.ssn, p, 1) = chr(a)) q",
        "SELECT string_agg(CASE substr(ssn, p, 1) WHEN '-' THEN '-' WHEN '1' THEN '1' WHEN '2' THEN '2' WHEN '3' THEN '3' WHEN '4' THEN '4' WHEN '5' THEN '5' WHEN '6' THEN '6' ELSE 'x' END, '' ORDER BY p) FROM customers, generate_series(1, 11) p",
        "SELECT string_agg((SELECT chr(a) FROM generate_series(45, 57) a ORDER BY (chr(a) = substr(ssn, p, 1)) DESC LIMIT 1), '' ORDER BY p) FROM customers, generate_series(1, 11) p",
        "SELECT string_agg(chr(44 + n::int), '' ORDER BY p) FROM (SELECT p, count(*) AS n FROM customers, generate_series(1, 11) p, generate_series(45, 57) a WHERE a <= ascii(substr(ssn, p, 1)) GROUP BY p) q",
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, VERBOSE) SELECT ssn FROM customers WHERE ssn = '123-45-6789'",
    ]

    /// They would take masked values to where they are not masked.
    static let refused: [String] = [
        "CREATE TABLE x AS SELECT * FROM customers", "SELECT * INTO x FROM customers", "CREATE TEMP TABLE x AS TABLE plain",
        "INSERT INTO orders (note) SELECT ssn FROM customers", "INSERT INTO orders (note) VALUES ((SELECT ssn FROM customers LIMIT 1))",
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = customers.ssn",
        "UPDATE customers SET name = ssn RETURNING name",
        "UPDATE orders SET note = c.ssn FROM customers c", "UPDATE orders SET note = (SELECT row_to_json(c)::text FROM customers c)",
        "UPDATE orders SET (id, note) = (SELECT id, number FROM plain)",
        "WITH x AS (UPDATE customers SET name = ssn RETURNING name) SELECT name FROM x",
        "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN UPDATE SET note = c.ssn",
        "ALTER TABLE customers RENAME COLUMN ssn TO x",
        "ALTER TABLE customers RENAME TO x", "ALTER TABLE customers SET SCHEMA pg_temp", "ALTER SCHEMA public RENAME TO x",
        "CREATE VIEW x AS SELECT ssn AS n FROM customers",
        "CREATE OR REPLACE VIEW orders_view AS SELECT id, ssn AS note FROM customers", "CREATE MATERIALIZED VIEW x AS SELECT * FROM plain",
        "CREATE RULE r AS ON INSERT TO orders DO ALSO INSERT INTO orders SELECT id, id, ssn FROM customers",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers'",
        "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TABLE x() INHERITS (customers)", "ALTER TABLE orders INHERIT customers",
        "SELECT set_config('a.b', ssn, false) FROM customers",
        "SELECT pg_notify('c', ssn) FROM customers", "SELECT pg_notify('c', row_to_json(c)::text) FROM customers c",
        "COPY customers TO '/tmp/x'",
        "COPY customers TO PROGRAM 'cat'", "COPY (SELECT ssn FROM customers) TO '/tmp/x'",
        "DECLARE c CURSOR FOR SELECT set_config('a.b', ssn, false) FROM customers",
        "PREPARE p AS UPDATE customers SET name = ssn", "CREATE TABLE x AS SELECT name FROM customers WHERE ssn = '1'",
        "CREATE VIEW x AS SELECT CASE WHEN ssn = '1' THEN 1 END FROM customers",
        "UPDATE orders SET note = 'x' FROM customers c WHERE c.ssn = '1' AND orders.id = c.id",
        "INSERT INTO orders (note) SELECT n FROM deep", "INSERT INTO orders (note) SELECT c FROM customers AS x(a, b, c)",
        "WITH q AS (SELECT ssn AS s FROM customers), w AS (INSERT INTO orders (note) SELECT s FROM q) SELECT 1",
    ]

    /// Ordinary work beside masked columns.
    static let allowed: [String] = [
        "SELECT * FROM customers", "INSERT INTO customers (id, name, ssn) VALUES (7, 'x', 'y')",
        "UPDATE customers SET name = 'x' WHERE id = 7",
        "UPDATE customers SET ssn = 'x' WHERE id = 7", "INSERT INTO orders SELECT id, id, name FROM customers",
        "CREATE TABLE fresh AS SELECT id, upper(name) AS u FROM customers",
        "CREATE VIEW fresh AS SELECT id, name FROM customers",
        "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN UPDATE SET note = c.name",
        "DELETE FROM customers WHERE ssn = 'y'", "DROP TABLE customers", "TRUNCATE customers", "UPDATE orders SET note = 'x' WHERE id = 1",
        "INSERT INTO orders SELECT * FROM orders", "CREATE TABLE fresh (id int)", "CREATE VIEW fresh AS SELECT note FROM orders", "BEGIN",
        "COMMIT", "SHOW search_path",
        "SELECT set_config('a.b', 'c', false)", "SELECT pg_notify('c', note) FROM orders", "VACUUM orders", "CREATE INDEX ON orders (note)",
        "LISTEN c",
        "DECLARE c CURSOR FOR SELECT * FROM customers", "COPY orders TO STDOUT", "COPY orders FROM STDIN",
    ]
}
