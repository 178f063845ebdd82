import Foundation
import Testing

extension IntegrationTests {
    /// Known secrets in a masked column, and hundreds of queries that want them (Tests/Support/leakqueries.py): whatever the server's
    /// side says holds none of them, nor one reversed, encoded, hashed, spelt out, or a piece of six characters. The hunter may
    /// write, and is masked all the same.
    @Suite struct LeakHuntTests {
        private static let vault = Task {
            let bed = try await Bed.shared()
            try await bed.server.execute(
                """
                SET ROLE app_rw;
                CREATE TABLE vault (id integer PRIMARY KEY, label text, card_number text);
                INSERT INTO vault VALUES (1, 'alpha', 'Qz7xkw4m93Lp'), (2, 'beta', 'Jv2hTn8cRb61'), (3, 'gamma', 'Ws5dYg0fKe3u');
                CREATE VIEW vault_plain AS SELECT id, card_number AS c FROM vault;
                CREATE VIEW vault_deep AS SELECT c AS d, id + 1 AS n FROM vault_plain;
                CREATE VIEW vault_computed AS SELECT id, reverse(card_number) AS r, label AS l FROM vault;
                CREATE VIEW vault_labels AS SELECT id, upper(label) AS u FROM vault;
                CREATE VIEW vault_cte AS WITH q AS (SELECT card_number AS s FROM vault) SELECT s FROM q UNION ALL SELECT 'x';
                CREATE VIEW vault_whole AS SELECT to_jsonb(v) AS w FROM vault v;
                CREATE MATERIALIZED VIEW vault_kept AS SELECT id, card_number AS k FROM vault;
                CREATE FUNCTION vault_leak() RETURNS SETOF text LANGUAGE sql AS 'SELECT card_number FROM public.vault';
                CREATE FUNCTION vault_first(v vault) RETURNS text LANGUAGE sql AS 'SELECT (v).card_number';
                ANALYZE vault;
                """, in: "orders")
            return bed
        }

        private func hunt(_ endpoint: Endpoint, _ modes: [String]) async throws -> JSON {
            try await json(
                Shell.run(
                    Project.python, [Project.support("leakhunt.py"), "hunt"] + modes, environment: endpoint.environment,
                    deadline: .seconds(180)))
        }

        @Test(arguments: ["simple", "binary", "undescribed", "cursor", "held", "copy", "copy-csv", "copy-binary", "prepared", "explained"])
        func noQueryFindsASecret(mode: String) async throws {
            let bed = try await Self.vault.value
            let rows: Double = ["explained": 300, "copy": 1, "copy-csv": 1, "copy-binary": 1][mode] ?? 200
            try check(try await hunt(bed.through("writer@orders"), [mode]), rows: rows)
            #expect(bed.gateway.isRunning)
        }

        @Test(arguments: ["psql", "psycopg", "scripts"])
        func noClientFindsASecret(client: String) async throws {
            let bed = try await Self.vault.value
            try check(try await hunt(bed.through("writer@orders"), [client]), rows: client == "psycopg" ? 200 : 0)
        }

        /// - Parameter rows: So many at least: a mask that denies everything finds no secret either.
        private func check(_ report: JSON, rows: Double) throws {
            #expect(report["rows"]?.number ?? 0 >= rows, "\(report)")
            #expect(report["techniques"]?.number ?? 0 >= 50 && report["queries"]?.number ?? 0 >= 150)
            let leaks = report["leaks"]?.elements ?? []
            #expect(leaks.isEmpty, "\(leaks.count) leaks, such as \(leaks.prefix(12))")
        }

        /// The queries do find the secrets where nothing masks them, or a mask that denies everything would pass the tests above.
        @Test func withoutMasksTheyFindThem() async throws {
            let bed = try await Self.vault.value
            let report = try await hunt(bed.direct(), ["simple"])
            let queries = report["queries"]?.number ?? 0
            let leaks = report["leaks"]?.elements.count ?? 0
            #expect(Double(leaks) > Double(queries) * 0.6, "\(leaks) of \(queries)")
        }

        @Test func whatDoesNotDependOnAMaskIsExact() async throws {
            let bed = try await Self.vault.value
            func answers(_ endpoint: Endpoint) async throws -> JSON {
                try await json(
                    Shell.run(
                        Project.python, [Project.support("leakhunt.py"), "exact"], environment: endpoint.environment,
                        deadline: .seconds(120)))
            }
            let masked = try await answers(bed.through("writer@orders"))
            let direct = try await answers(bed.direct())
            guard case .object(let expected) = direct else { throw HarnessError("\(direct)") }
            #expect(expected.count >= 50)
            for (sql, answer) in expected {
                #expect(masked[sql] == answer, "\(sql)")
                #expect(answer.elements.allSatisfy { $0.string?.hasPrefix("error") == false }, "\(sql): \(answer)")
            }
        }

        @Test func aRuleMayAllowCopiesAndDenyProbes() async throws {
            let bed = try await Self.vault.value
            var configuration = try bed.backstage.configuration()
            configuration.rules = [
                "  - { id: move, priority: 1, what: { kinds: [insert, select, create], copies_masked_data: true }, effect: allow }",
                "  - { id: no-probes, priority: 2, what: { probes_masked_data: true }, effect: deny, reason: Ask for the value itself. }",
            ]
            let gateway = try await Gateway.start(configuration)
            let orders = gateway.endpoint("writer@orders", token: bed.alice)
            let made = try await orders.psql("CREATE TEMP TABLE moved AS SELECT card_number AS x FROM vault; SELECT count(*) FROM moved")
            #expect(made.output.contains("3"), "\(made.errors)")
            let denied = try await orders.psql("SELECT id FROM vault WHERE card_number LIKE 'Q%'")
            #expect(denied.errors.contains("Ask for the value itself"), "\(denied.output) \(denied.errors)")
            #expect(try await orders.value("SELECT label FROM vault WHERE id = 1") == "alpha")
            _ = try await gateway.stop()
            let without = try await bed.through("writer@orders").psql("CREATE TEMP TABLE moved AS SELECT card_number AS x FROM vault")
            #expect(!without.succeeded && without.errors.contains("card_number"), "\(without.errors)")
        }

        @Test func aProbeIsRecorded() async throws {
            let bed = try await Self.vault.value
            let marker = "probe-\(UUID().uuidString)"
            _ = try await bed.through("writer@orders").value("SELECT count(*), '\(marker)' FROM vault WHERE card_number LIKE 'Q%'")
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)
            #expect(recording.text.contains("probes_masked_data"))
        }
    }
}
