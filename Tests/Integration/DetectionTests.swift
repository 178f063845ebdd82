import Foundation
import Testing

extension IntegrationTests {
    /// What detectors know does not reach a client nor a recording, in whatever column it stands: rows in every format, COPY,
    /// messages, notifications. What is none of it does, byte for byte.
    @Suite struct DetectionTests {
        /// Each is found by another detector.
        static let secrets = [
            "jane.doe@example.com", "4012 8888 8888 1881", "536-22-8726", "DE89370400440532013000", "+442079460958", "198.51.100.23",
            "glpat-" + "aZ3xY7kQ9mW2pL5nR8tV", "hunter2hunter2",
        ]

        private static let tables = """
            CREATE TABLE notes (id int PRIMARY KEY, note text, short varchar(200), doc jsonb, plain json, raw bytea, tags text[], n bigint);
            INSERT INTO notes SELECT i, 'nothing in ' || i, 'short', jsonb_build_object('k', i), '{"k" : 1}', '\\x00ff', ARRAY['a', 'b'], i
            FROM generate_series(1, 300) AS i;
            CREATE FUNCTION tell() RETURNS int LANGUAGE plpgsql AS $$
            BEGIN RAISE NOTICE 'about %', (SELECT note FROM notes WHERE id = 7); RETURN 1; END $$;
            """

        /// The tables, filled by the server's own client, so that no statement of a session holds a secret.
        private static func filled(_ backstage: Backstage) async throws {
            var sql = tables
            for (index, secret) in secrets.enumerated() {
                let text = secret.hasPrefix("hunter") ? "postgres://app:\(secret)@db/x" : "here: \(secret)."
                let id = 7 + index * 30
                sql += """

                    UPDATE notes SET note = '\(text)', short = '\(text)', doc = jsonb_build_object('k', '\(text)'),
                        plain = '{"k" : ["\(text)"]}', raw = convert_to('\(text)', 'UTF8'), tags = ARRAY['x', '\(text)'] WHERE id = \(id);
                    """
            }
            sql += "\nUPDATE notes SET plain = '{\"k\": \"jane.doe\\u0040example.com\"}' WHERE id = 8;"
            _ = try await backstage.direct("detection").psqlNeed(["-v", "ON_ERROR_STOP=1"], input: sql)
        }

        private static func leaked(_ text: String) -> [String] {
            let hex = { (text: String) in text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
            return secrets.filter { text.contains($0) || text.contains(hex($0)) }
        }

        @Test func nothingThatIsKnownGetsOut() async throws {
            let backstage = try await Backstage.shared()
            try await backstage.server.execute("CREATE DATABASE detection OWNER app_rw")
            try await Self.filled(backstage)
            var configuration = try backstage.configuration()
            configuration.benchDatabase = "detection"
            configuration.sections = [
                """
                detectors:
                  - { id: ticket, pattern: 'TCK-[0-9]{5}', confidence: 0.9 }
                detect:
                  - id: everything
                    where: { targets: [bench] }
                    except: { groups: [managers] }
                """
            ]
            let gateway = try await Gateway.start(configuration)
            let alice = try backstage.provider.token(for: "alice")
            let endpoint = gateway.endpoint("bench", token: alice)
            let direct = backstage.direct("detection")

            try await rows(endpoint, direct)
            try await copies(endpoint, direct)
            try await words(endpoint)
            try await saidByTheClient(endpoint, direct)

            // A session is in the catalog a moment after its client has gone: the last one's is waited for.
            _ = try await gateway.recording(containing: "SELECT 1; COPY notes", token: alice)
            var recorded = ""
            for session in try await gateway.sessions(token: alice) {
                guard let id = session["id"]?.string else { continue }
                let shown = try await gateway.command(["sessions", "show", id, "--full", "--format", "json"], token: alice)
                #expect(shown.succeeded && Self.leaked(shown.output).isEmpty)
                recorded += shown.output
            }
            #expect(recorded.contains("here: [email].") && recorded.contains("nothing in 299"))
            #expect(Self.leaked(gateway.log).isEmpty)
            #expect(try await gateway.stop() == 0)
            try await backstage.server.execute("DROP DATABASE detection WITH (FORCE)")
        }

        private func rows(_ endpoint: Endpoint, _ direct: Endpoint) async throws {
            let all = "SELECT note, short, doc, plain, raw, tags, n FROM notes ORDER BY id"
            let seen = try await endpoint.value(all)
            #expect(Self.leaked(seen).isEmpty, "\(Self.leaked(seen))")
            #expect(seen.contains("here: [email].") && seen.contains("{\"k\": \"here: [card].\"}") && seen.contains("nothing in 299"))
            #expect(seen.contains("{\"k\": \"[email]\"}"), "an escape hides nothing")
            // Rows without anything are the server's own.
            let clean = "SELECT * FROM notes WHERE id % 30 <> 7 AND id <> 8 ORDER BY id"
            #expect(try await endpoint.value(clean) == direct.value(clean))
            for mode in ["text", "binary", "prepared"] {
                for columns in [
                    "note, short, doc, plain", "raw, tags",
                    "lower(note), doc->>'k', to_json(tags), ROW(note)::text, array_agg(note) OVER ()",
                ] {
                    let answer = try await endpoint.python("select", ["SELECT \(columns) FROM notes ORDER BY id", mode])
                    #expect(answer.succeeded, "\(answer.errors)")
                    #expect(Self.leaked(answer.output).isEmpty, "\(mode) \(columns): \(Self.leaked(answer.output))")
                }
                let same = try await endpoint.python(
                    "select", ["SELECT note, doc, n FROM notes WHERE id % 30 <> 7 AND id <> 8 ORDER BY id", mode])
                #expect(
                    same.output
                        == (try await direct.python(
                            "select", ["SELECT note, doc, n FROM notes WHERE id % 30 <> 7 AND id <> 8 ORDER BY id", mode]
                        ).output))
            }
        }

        private func copies(_ endpoint: Endpoint, _ direct: Endpoint) async throws {
            for options in ["", " (FORMAT csv)", " (FORMAT csv, HEADER, FORCE_QUOTE *)", " (DELIMITER '|')", " (FORMAT binary)"] {
                for source in ["notes", "(SELECT id, note, doc, raw FROM notes ORDER BY id)", "(SELECT tags FROM notes)"] {
                    let answer = try await json(endpoint.python("copy-out", ["COPY \(source) TO STDOUT\(options)"]))
                    let seen = answer["data"]?.string ?? ""
                    #expect(Self.leaked(seen).isEmpty, "\(source)\(options): \(Self.leaked(seen))")
                    #expect(answer["after"]?.number == 1 && !seen.isEmpty)
                }
                let clean = ["COPY (SELECT * FROM notes WHERE id % 30 <> 7 AND id <> 8 ORDER BY id) TO STDOUT\(options)"]
                #expect(try await json(endpoint.python("copy-out", clean))["data"] == json(direct.python("copy-out", clean))["data"])
            }
        }

        private func words(_ endpoint: Endpoint) async throws {
            let notice = try await endpoint.psql("SELECT tell()")
            #expect(notice.errors.contains("about here: [email]."), "\(notice.errors)")
            let failed = try await endpoint.psql("SELECT note::int FROM notes WHERE id = 7")
            #expect(failed.errors.contains("\"here: [email].\"") && Self.leaked(failed.errors).isEmpty, "\(failed.errors)")
            let told = try await endpoint.psql([
                "-c", "LISTEN news", "-c", "SELECT pg_notify('news', note) FROM notes WHERE id = 37", "-c", "SELECT 1",
            ])
            #expect((told.output + told.errors).contains("here: [card]."), "\(told.output) \(told.errors)")
            let denied = try await endpoint.psql("SELECT 1; COPY notes TO STDOUT")
            #expect(denied.errors.contains("gatehouse.detect"))
        }

        /// The server gets what the client says, and the recording has it without what is known.
        private func saidByTheClient(_ endpoint: Endpoint, _ direct: Endpoint) async throws {
            let secret = "here: jane.doe@example.com."
            #expect(try await endpoint.value("SELECT count(*) FROM notes WHERE note = '\(secret)'") == "1")
            for mode in ["text", "binary", "prepared"] {
                let answer = try await endpoint.python("select", ["SELECT id FROM notes WHERE note = %s", mode, secret])
                #expect(answer.succeeded && answer.output.contains("7"), "\(answer.output) \(answer.errors)")
            }
            for (id, options) in [(901, ""), (902, " (FORMAT csv)")] {
                let told = try await endpoint.psql(
                    [], input: "COPY notes (id, note) FROM STDIN\(options);\n\(id)\(options.isEmpty ? "\t" : ",")\(secret)\n\\.\n")
                #expect(told.succeeded, "\(told.errors)")
                #expect(try await direct.value("SELECT note FROM notes WHERE id = \(id)") == secret)
            }
        }
    }
}
