import Foundation
import Testing

extension IntegrationTests {
    /// What happened can be read back, in order, and checked.
    @Suite struct EvidenceTests {
        @Test func aSessionIsReadBackWhole() async throws {
            let bed = try await Bed.shared()
            let marker = "whole-\(UUID().uuidString)"
            var environment = bed.through("writer@orders").environment
            environment["PGAPPNAME"] = "evidence-test"
            let sql = "SELECT id, title FROM products WHERE id < 4 ORDER BY id;\nDROP TABLE payments;\nSELECT '\(marker)' AS marker;\n"
            _ = try await Shell.run("psql", ["-X", "-A", "-t", "-q"], environment: environment, input: sql)
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)

            let types = recording.events.compactMap { $0["type"]?.string }
            #expect(types.first == "start" && types.last == "end")
            #expect(types.filter { $0 == "identity" }.count == 1)
            #expect(
                recording.statements == [
                    "SELECT id, title FROM products WHERE id < 4 ORDER BY id;", "DROP TABLE payments;", "SELECT '\(marker)' AS marker;",
                ])
            #expect(recording.denials.count == 1 && recording.denials.first?["rule"]?.string == "no-drop")
            let first = try #require(recording.events("rows").first)
            #expect(first["columns"]?.strings.contains("title") == true)
            #expect(first["count"]?.number == 3)
            #expect(first["rows"]?.elements.count == 3)
            let told = recording.text
            for fact in ["evidence-test", "alice@example.com", "127.0.0.1", bed.provider.issuer, "dba", "42501"] {
                #expect(told.contains(fact.replacingOccurrences(of: "/", with: "\\/")) || told.contains(fact), "\(fact)")
            }
        }

        @Test func parametersAreKept() async throws {
            let bed = try await Bed.shared()
            let marker = "parameter-\(UUID().uuidString)"
            _ = try await json(bed.through("bench").python("select", ["SELECT %s::text, %s::integer", "binary", marker, "4711"]))
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)
            let statement = try #require(recording.events("statement").first { $0["text"]?.string?.contains("$1") == true })
            #expect(statement["parameters"]?.strings.contains { $0.contains(marker) } == true, "\(statement)")
        }

        @Test func theTextFormIsForPeople() async throws {
            let bed = try await Bed.shared()
            let marker = "people-\(UUID().uuidString)"
            _ = try await bed.through("bench").value("SELECT '\(marker)'")
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)
            let shown = try await bed.gateway.command(["sessions", "show", recording.session], token: bed.alice)
            #expect(shown.succeeded && shown.output.contains(marker) && shown.output.contains("alice@example.com"))
        }

        @Test func othersSeeOnlyTheirOwn() async throws {
            let bed = try await Bed.shared()
            let marker = "own-\(UUID().uuidString)"
            _ = try await bed.through("bench").value("SELECT '\(marker)'")
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)
            let shown = try await bed.gateway.command(["sessions", "show", recording.session], token: bed.bob)
            #expect(!shown.succeeded && !shown.output.contains(marker))
            let listed = try await bed.gateway.command(["sessions", "list", "--format", "json"], token: bed.bob)
            #expect(!listed.output.contains(recording.session))
            let anonymous = httpGet(port: bed.gateway.configuration.adminPort, path: "/api/v1/sessions")
            #expect(anonymous?.status == 401)
        }

        @Test func theAdminPortAnswers() async throws {
            let bed = try await Bed.shared()
            let port = bed.gateway.configuration.adminPort
            #expect(httpGet(port: port, path: "/healthz")?.status == 200)
            #expect(httpGet(port: port, path: "/readyz")?.status == 200)
            let metrics = try #require(httpGet(port: port, path: "/metrics"))
            #expect(metrics.status == 200 && metrics.body.contains("# TYPE "))
            // Each one that operations.md says to watch, with a value.
            for gauge in ["sessions_live", "journal_backlog_bytes", "journal_free_bytes", "store_failing"] {
                #expect(metrics.body.contains(try Regex("(?m)^gatehouse_\(gauge) [0-9]")), "\(gauge)")
            }
        }

        @Test func theStoreVerifiesAndAChangedByteDoesNot() async throws {
            let backstage = try await Backstage.shared()
            let alice = try backstage.provider.token(for: "alice")
            let gateway = try await Gateway.start(try backstage.configuration())
            for number in 0..<3 { _ = try await gateway.endpoint("bench", token: alice).value("SELECT 'session \(number)'") }
            #expect(try await gateway.stop() == 0)
            let whole = try await gateway.verify()
            #expect(whole.succeeded, "\(whole.output)\(whole.errors)")

            let found = try await Shell.need("find", [gateway.configuration.dataDirectory, "-name", "*.seg"])
            let segment = try #require(found.split(separator: "\n").first.map(String.init))
            var bytes = try Data(contentsOf: URL(fileURLWithPath: segment))
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: URL(fileURLWithPath: segment))
            let changed = try await gateway.verify()
            #expect(changed.status == 4, "\(changed.output)\(changed.errors)")
        }

        /// From the store and the keys alone: the catalog, the journal and the log's own directory are lost.
        @Test func aStoreIsRestoredInAnotherPlace() async throws {
            let backstage = try await Backstage.shared()
            let alice = try backstage.provider.token(for: "alice")
            let gateway = try await Gateway.start(try backstage.configuration())
            let marker = "restored-\(UUID().uuidString)"
            _ = try await gateway.endpoint("bench", token: alice).value("SELECT '\(marker)'")
            let session = try await gateway.recording(containing: marker, token: alice).session
            #expect(try await gateway.stop() == 0)
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            let copy = folder.file("copy")
            try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            for part in ["store", "keys"] {
                _ = try await Shell.need("cp", ["-a", gateway.configuration.dataDirectory + "/" + part, copy])
            }
            let restored = try await Gateway.start(try backstage.configuration(dataDirectory: copy))
            _ = try await restored.endpoint("bench", token: alice).value("SELECT 'and on'")
            #expect(try await restored.stop() == 0)
            let verified = try await restored.verify()
            #expect(verified.succeeded && verified.output.contains(session), "\(verified.output)\(verified.errors)")
            let exported = try await Shell.run(
                Project.gatehouse,
                ["sessions", "export", session, "--store", copy, "--key-file", copy + "/keys/recipient.key", "--format", "text"])
            #expect(exported.succeeded && exported.output.contains(marker), "\(exported.errors)")
        }

        @Test func aDrainedGatewayEndsItsSessions() async throws {
            let backstage = try await Backstage.shared()
            let alice = try backstage.provider.token(for: "alice")
            let gateway = try await Gateway.start(try backstage.configuration())
            let running = Task { try await gateway.endpoint("bench", token: alice).value("SELECT 'drained', pg_sleep(2)") }
            try await Task.sleep(for: .seconds(1))
            #expect(try await gateway.stop() == 0)
            #expect(try await running.value.hasPrefix("drained"))
        }

        @Test func filesAreTheOwnersAlone() async throws {
            let bed = try await Bed.shared()
            let open = try await Shell.need("find", [bed.gateway.configuration.dataDirectory, "-perm", "/077", "!", "-name", "*.pub"])
            #expect(open.isEmpty, "\(open)")
        }
    }
}
