import Foundation
import Testing

extension IntegrationTests {
    /// The shipped rule packs, all in force, between a real client and a real server.
    @Suite(.serialized) struct PackTests {
        private static let packs = [
            "destructive-sql", "unbounded-writes", "privilege-changes", "server-files-and-network", "bulk-export", "secrets-tables",
        ]

        /// What the corpora are about, owned by the account that the gateway uses.
        private static let fixtures = """
            SET ROLE app_rw;
            SET search_path = public;
            CREATE TABLE clients (id integer PRIMARY KEY, name text, email text UNIQUE, ssn text, balance numeric DEFAULT 0);
            CREATE TABLE items (id serial PRIMARY KEY, title text, price numeric);
            CREATE TABLE invoices (
                id serial PRIMARY KEY, client_id integer REFERENCES clients, amount numeric, paid boolean DEFAULT false,
                made_at timestamptz DEFAULT now());
            CREATE TABLE api_tokens (id serial PRIMARY KEY, token text);
            CREATE TABLE user_secrets (id serial PRIMARY KEY, secret text);
            CREATE VIEW client_names AS SELECT id, name FROM clients;
            CREATE VIEW invoice_sums AS SELECT client_id, sum(amount) AS total FROM invoices GROUP BY client_id;
            CREATE MATERIALIZED VIEW invoice_totals AS SELECT sum(amount) AS total FROM invoices;
            CREATE SEQUENCE ticket_numbers;
            CREATE INDEX invoices_paid ON invoices (paid);
            CREATE TYPE mood AS ENUM ('calm', 'cross');
            CREATE DOMAIN percentage AS integer CHECK (VALUE BETWEEN 0 AND 100);
            CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
            INSERT INTO clients SELECT n, 'name ' || n, n || '@example.com', n || '-00', n FROM generate_series(1, 50) AS n;
            INSERT INTO items (title, price) SELECT 'item ' || n, n FROM generate_series(1, 50) AS n;
            INSERT INTO invoices (client_id, amount) SELECT 1 + n % 50, n FROM generate_series(1, 200) AS n;
            INSERT INTO api_tokens (token) VALUES ('one'), ('two');
            INSERT INTO user_secrets (secret) VALUES ('one'), ('two');
            """

        @Test func everyEvasionIsDeniedAndChangesNothing() async throws {
            let report = try await run("evasions")
            #expect(report["cases"]?.number ?? 0 >= 500)
            for wrong in report["wrong"]?.elements ?? [] { Issue.record("evasions.txt: \(wrong)") }
        }

        @Test func everyHarmlessStatementWorksDirectlyAndThroughTheGateway() async throws {
            let report = try await run("harmless")
            #expect(report["cases"]?.number ?? 0 >= 500)
            for wrong in report["wrong"]?.elements ?? [] { Issue.record("harmless.txt: \(wrong)") }
        }

        private func run(_ kind: String) async throws -> JSON {
            let bed = try await Bed.shared()
            var configuration = try bed.backstage.configuration()
            configuration.sections = ["use:"] + Self.packs.map { "  - { set: \($0), where: { targets: [bench] } }" }
            // Of their own: what other suites make in theirs has the same names.
            configuration.benchDatabase = "packs"
            let gateway = try await Gateway.start(configuration)
            defer { Task { await gateway.kill() } }
            let exists = try await bed.server.direct().value("SELECT count(*) FROM pg_database WHERE datname = 'packs'")
            if exists == "0" {
                try await bed.server.execute("CREATE DATABASE packs OWNER app_rw")
                try await bed.server.execute(Self.fixtures, in: "packs")
            }
            let others = [
                "direct": bed.direct("packs").environment, "watch": bed.server.direct(database: "packs").environment,
            ]
            let input = String(decoding: try JSONEncoder().encode(others), as: UTF8.self)
            let finished = try await Shell.run(
                Project.python,
                [Project.support("corpus.py"), kind, Project.root + "/Tests/Packs/Corpus/\(kind).txt"],
                environment: gateway.endpoint("writer@bench", token: bed.alice, database: "packs").environment, input: input,
                deadline: .seconds(240))
            return try json(finished)
        }
    }
}
