import Foundation
import Testing

extension IntegrationTests {
    /// What a session may not see, it does not see, in any format and by any way; and neither does its recording.
    @Suite struct MaskingTests {
        static let sql = "SELECT id, name, ssn FROM customers ORDER BY id LIMIT 20"

        /// The values in clear, straight from the server.
        private func clear(_ sql: String) async throws -> [String] {
            try await Bed.shared().direct().value(sql).split(separator: "\n").map(String.init)
        }

        @Test func psqlSeesNoClearValue() async throws {
            let bed = try await Bed.shared()
            let seen = try await bed.through("orders", as: bed.bob).value(Self.sql)
            #expect(seen.split(separator: "\n").count == 20)
            #expect(seen.contains("Bruno Bauer"))
            for ssn in try await clear("SELECT ssn FROM customers ORDER BY id LIMIT 20") { #expect(!seen.contains(ssn)) }
        }

        @Test(arguments: ["text", "binary", "prepared"])
        func psycopgSeesNoClearValue(mode: String) async throws {
            let bed = try await Bed.shared()
            let masked = try await json(bed.through("orders", as: bed.bob).python("select", [Self.sql, mode]))
            let direct = try await json(bed.direct(writer: false).python("select", [Self.sql, mode]))
            let rows = masked["rows"]?.elements.map(\.elements) ?? []
            let clear = direct["rows"]?.elements.map(\.elements) ?? []
            #expect(rows.count == 20 && clear.count == 20)
            #expect(masked["columns"] == direct["columns"])
            for (row, truth) in zip(rows, clear) {
                #expect(row[0] == truth[0] && row[1] == truth[1])
                #expect(row[2] != truth[2])
                #expect(row[2] == .null || row[2].string?.contains("-") == false, "\(row[2])")
            }
            #expect(mode != "prepared" || masked["same"]?.bool == true)
        }

        @Test func parametersAndPartialMasks() async throws {
            let bed = try await Bed.shared()
            let sql = "SELECT card_number FROM payments WHERE id = %s::integer"
            let masked = try await json(bed.through("orders", as: bed.bob).python("select", [sql, "binary", "3"]))
            let card = try await clear("SELECT card_number FROM payments WHERE id = 3")[0]
            let seen = masked["rows"]?.elements.first?.elements.first?.string ?? ""
            #expect(seen != card && !seen.isEmpty)
            #expect(seen.hasSuffix(card.suffix(4)) && !seen.contains(card.prefix(12)))
        }

        /// Other ways to the same value. Each answers masked values, an empty cell, or a denial; never the value.
        @Test(arguments: [
            "SELECT ssn AS x FROM customers", "SELECT c.ssn FROM customers AS c", "SELECT * FROM customers", "TABLE customers",
            "SELECT reverse(reverse(ssn)) FROM customers", "SELECT ssn || '' FROM customers", "SELECT concat(ssn) FROM customers",
            "SELECT substr(ssn, 1) FROM customers", "SELECT ssn::varchar FROM customers", "SELECT (c).ssn FROM customers AS c",
            "SELECT c FROM customers AS c", "SELECT row(ssn) FROM customers", "SELECT to_json(c) FROM customers AS c",
            "SELECT json_agg(ssn) FROM customers", "SELECT max(ssn) FROM customers", "SELECT x FROM (SELECT ssn AS x FROM customers) AS s",
            "WITH s AS (SELECT * FROM customers) SELECT ssn FROM s", "SELECT (SELECT ssn FROM customers WHERE id = 1)",
            "SELECT name FROM customers UNION SELECT ssn FROM customers", "SELECT g FROM customers AS c (a, b, d, e, g)",
            "SELECT ssn FROM customers AS a JOIN customers AS b USING (ssn)", "SELECT CASE WHEN true THEN ssn END FROM customers",
            "SELECT coalesce(ssn, '') FROM customers", "SELECT string_agg(ssn, ',') FROM customers", "SELECT ARRAY[ssn] FROM customers",
            "VALUES ((SELECT ssn FROM customers WHERE id = 2))", "SELECT card_number FROM recent_payments",
            "SELECT r.card_number AS c FROM recent_payments AS r", "COPY customers TO STDOUT", "COPY customers (ssn) TO STDOUT",
            "COPY customers (name, ssn) TO STDOUT (FORMAT csv)", "COPY (SELECT ssn FROM customers) TO STDOUT",
            "COPY (SELECT * FROM customers) TO STDOUT (FORMAT csv, HEADER)", "SELECT ssn::integer FROM customers",
            "BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM customers; FETCH ALL FROM c; COMMIT",
            "SELECT query_to_xml('SELECT ssn FROM customers', true, true, '')", "SELECT table_to_xml('customers', true, true, '')",
            "SELECT most_common_vals FROM pg_stats WHERE tablename = 'payments'",
            "SELECT histogram_bounds FROM pg_stats WHERE attname = 'ssn'",
        ])
        func noWayAroundAMask(sql: String) async throws {
            let bed = try await Bed.shared()
            let answered = try await bed.through("orders", as: bed.bob).psql(sql)
            let seen = answered.output + answered.errors
            let secrets = try await clear("SELECT ssn FROM customers UNION ALL SELECT card_number FROM payments")
            let leaked = secrets.filter { seen.contains($0) }
            #expect(leaked.isEmpty, "\(leaked.count) clear values, such as \(leaked.first ?? "")")
        }

        /// What is not masked stays exact: a mask that blanks everything would pass the tests above.
        @Test(arguments: [
            "SELECT id, name, email FROM customers ORDER BY id", "SELECT count(*) FROM customers",
            "SELECT month, total FROM revenue ORDER BY 1",
            "SELECT name, count(*) FROM customers GROUP BY name ORDER BY 1", "SELECT * FROM products ORDER BY id",
            "SELECT o.id, c.name FROM orders AS o JOIN customers AS c ON c.id = o.customer_id ORDER BY 1",
            "SELECT * FROM customer_contacts ORDER BY id",
            "SELECT 1 + 1, 'a' || 'b', now() IS NOT NULL", "COPY products TO STDOUT",
        ])
        func whatIsNotMaskedIsExact(sql: String) async throws {
            let bed = try await Bed.shared()
            #expect(try await bed.through("orders", as: bed.bob).value(sql) == bed.direct(writer: false).value(sql))
        }

        @Test(arguments: ["", " (FORMAT csv)", " (FORMAT csv, HEADER, QUOTE '''')", " (DELIMITER '|', NULL 'nothing')", " (FORMAT binary)"])
        func copyOutKeepsItsShape(options: String) async throws {
            let bed = try await Bed.shared()
            let sql = "COPY customers (id, name, ssn, phone) TO STDOUT" + options
            let masked = try await json(bed.through("orders", as: bed.bob).python("copy-out", [sql]))
            let direct = try await json(bed.direct(writer: false).python("copy-out", [sql]))
            let seen = masked["data"]?.string ?? ""
            let truth = direct["data"]?.string ?? ""
            #expect(masked["after"]?.number == 1)
            for ssn in try await clear("SELECT ssn FROM customers") { #expect(!seen.contains(ssn)) }
            #expect(seen.contains("Bruno Bauer"))
            if options != " (FORMAT binary)" {
                #expect(seen.split(separator: "\n").count == truth.split(separator: "\n").count)
                // All but the third field is the server's own.
                let separator: Character = options.contains("csv") ? "," : options.contains("|") ? "|" : "\t"
                for (line, original) in zip(seen.split(separator: "\n"), truth.split(separator: "\n")) {
                    var fields = line.split(separator: separator, omittingEmptySubsequences: false)
                    var wanted = original.split(separator: separator, omittingEmptySubsequences: false)
                    try #require(fields.count == 4 && wanted.count == 4)
                    fields.remove(at: 2)
                    wanted.remove(at: 2)
                    #expect(fields == wanted)
                }
            } else {
                #expect(seen.hasPrefix("PGCOPY\n\u{ff}\r\n\0") && seen.hasSuffix("\u{ff}\u{ff}"))
            }
        }

        @Test func aCursorInBinaryIsMasked() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through("orders", as: bed.bob).python("cursor", [Self.sql]))
            #expect(facts["pieces"] == .array([.number(7), .number(7), .number(6)]))
            let seen = facts["rows"]?.strings ?? []
            for ssn in try await clear("SELECT ssn FROM customers ORDER BY id LIMIT 20") { #expect(!seen.contains(ssn)) }
        }

        @Test func theRecordingHoldsNoClearValueEither() async throws {
            let bed = try await Bed.shared()
            let marker = "recorded-\(UUID().uuidString)"
            _ = try await bed.through("orders", as: bed.bob).value("SELECT ssn, '\(marker)' FROM customers ORDER BY id LIMIT 5")
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)
            for ssn in try await clear("SELECT ssn FROM customers ORDER BY id LIMIT 5") { #expect(!recording.text.contains(ssn)) }
            #expect(!recording.events("rows").isEmpty)
        }
    }
}
