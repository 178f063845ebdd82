import Foundation
import Testing

extension IntegrationTests {
    /// A recording in the forms of other programs.
    @Suite struct ExportTests {
        /// A session's recording once it has ended and is in the store, exported from there.
        private func exported(
            _ session: String, _ gateway: Gateway, _ arguments: [String], key: Bool = true
        ) async throws -> Finished {
            let data = gateway.configuration.dataDirectory
            let keys = key ? ["--key-file", data + "/keys/recipient.key"] : []
            let end = ContinuousClock.now + .seconds(20)
            while true {
                let ran = try await Shell.run(
                    Project.gatehouse, ["sessions", "export", session, "--store", data] + keys + arguments)
                guard ran.errors.contains("store has nothing") || ran.errors.contains("manifest-missing"), ContinuousClock.now < end else {
                    return ran
                }
                try await Task.sleep(for: .milliseconds(200))
            }
        }

        /// The script does to an empty database what the session did to its own, and nothing to the machine that it runs on.
        @Test(arguments: ["orders", "bench"])
        func theScriptLeavesTheSameDatabase(of target: String) async throws {
            let bed = try await Bed.shared()
            let folder = try TemporaryDirectory()
            let table = "export_" + UUID().uuidString.prefix(8).lowercased()
            let witness = folder.file("witness")
            let numbers = try await json(bed.through("writer@\(target)").python("exported", [table, witness]))
            #expect(numbers.elements.count > 15)
            let recording = try await bed.gateway.recording(containing: "\(table)_f", token: bed.alice)
            let file = folder.file("session.sql")
            let made = try await exported(recording.session, bed.gateway, ["--format", "sql", "--output", file])
            #expect(made.succeeded && made.output.isEmpty, "\(made.errors)")
            let script = try String(contentsOfFile: file, encoding: .utf8)
            #expect(!script.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
            let dropped = target == "orders" ? "DENIED by no-drop: Tables are dropped by migrations only." : "failed (42P01)"
            #expect(script.contains("-- \(dropped)") && script.contains("\n--   DROP TABLE \(table)_none\n"))

            let database = "replay_" + table
            try await bed.server.execute("CREATE DATABASE \(database) OWNER app_rw")
            // Other suites make a schema of the user's name, which then comes first in the search path.
            let own = try await bed.direct(target).value("SELECT count(*) FROM pg_namespace WHERE nspname = 'app_rw'")
            if own == "1" { _ = try await bed.backstage.direct(database).value("CREATE SCHEMA app_rw") }
            let ran = try await Shell.run("psql", ["-X", "-q", "-f", file], environment: bed.backstage.direct(database).environment)
            func dump(_ database: String) async throws -> String {
                try await Shell.need(
                    "pg_dump", ["--restrict-key=compared", "--inserts", "-t", table + "*"],
                    environment: bed.backstage.direct(database).environment)
            }
            let original = try await dump(target)
            #expect(original.contains(".\(table) VALUES (11,"))
            #expect(try await dump(database) == original, "\(ran.errors)\n\(script)")
            for function in ["\(table)_f(1)", "\(table)_g()"] {
                // On orders no function may be made.
                let answer = try await bed.backstage.direct(database).psql("SELECT \(function)")
                #expect(try await bed.direct(target).psql("SELECT \(function)").output == answer.output)
                #expect(answer.succeeded == (target == "bench"), "\(answer.errors)")
            }
            #expect(!FileManager.default.fileExists(atPath: witness))
            try await bed.server.execute("DROP DATABASE \(database)")
        }

        @Test func linesAndCastAreWhole() async throws {
            let bed = try await Bed.shared()
            let marker = "cast-\(UUID().uuidString)"
            _ = try await bed.through("writer@orders").psql(
                ["-c", "SELECT '\(marker)', chr(27) || '[31m'", "-c", "DROP TABLE payments", "-c", "SELECT pg_sleep(0.3)"])
            let session = try await bed.gateway.recording(containing: marker, token: bed.alice).session

            let stored = try await exported(session, bed.gateway, [])
            #expect(stored.succeeded && stored.errors.isEmpty, "\(stored.errors)")
            let lines = try stored.output.split(separator: "\n").map { try JSON.parse(String($0)) }
            #expect(lines.allSatisfy { $0["version"]?.number == 1 })
            let frames = lines.filter { $0["type"]?.string == "frame" }
            #expect(frames.compactMap { $0["sequence"]?.number } == frames.indices.map { Double($0 + 1) })
            #expect(lines.last?["type"]?.string == "summary" && lines.last?["check"]?.string == "signature")
            #expect(lines.last?["frames"]?.number == Double(frames.count))
            #expect(lines.contains { $0["type"]?.string == "statement" && $0["text"]?.string?.contains(marker) == true })

            // The gateway gives the same, but for what vouches for it.
            let sent = try await bed.gateway.command(["sessions", "export", session], token: bed.alice)
            #expect(sent.succeeded && sent.errors.contains("signature is checked where"), "\(sent.errors)")
            #expect(sent.output.split(separator: "\n").dropLast() == stored.output.split(separator: "\n").dropLast())

            let text = try await exported(session, bed.gateway, ["--format", "text", "--no-results"])
            #expect(text.output.contains("DENIED by no-drop") && !text.output.contains("\u{1B}") && !text.output.contains("1 row"))

            let cast = try await exported(session, bed.gateway, ["--format", "asciicast"])
            let play = cast.output.split(separator: "\n").map(String.init)
            let header = try JSON.parse(try #require(play.first))
            #expect(header["version"]?.number == 2 && header["width"]?.number == 120)
            let times = try play.dropFirst().map { line in
                let event = try JSON.parse(line).elements
                #expect(event.count == 3 && event[1].string == "o")
                // Only the colours of the cast's own.
                let shown = (event[2].string ?? "").replacing("\u{1B}[2m", with: "").replacing("\u{1B}[31mDENIED", with: "")
                    .replacing("\u{1B}[31mERROR", with: "").replacing("\u{1B}[0m", with: "")
                #expect(!shown.contains("\u{1B}"), "\(shown)")
                return event[0].number ?? -1
            }
            #expect(times == times.sorted() && (times.last ?? 0) > 0.3)
        }

        private func segment(of session: String, _ gateway: Gateway) async throws -> String {
            let found = try await Shell.need("find", [gateway.configuration.dataDirectory, "-path", "*\(session)*", "-name", "*.seg"])
            return try #require(found.split(separator: "\n").first.map(String.init))
        }

        /// The gateway sends what is in its store: that a segment's last bytes are wrong shows when its frames have been handed out.
        private func aChangeIsFoundWhileItIsRead(_ session: String, _ gateway: Gateway, _ token: String, _ file: String) async throws {
            let segment = try await segment(of: session, gateway)
            let whole = try Data(contentsOf: URL(fileURLWithPath: segment))
            var bytes = whole
            bytes[bytes.count - 1] ^= 1
            try bytes.write(to: URL(fileURLWithPath: segment))
            let printed = try await gateway.command(["sessions", "export", session], token: token)
            #expect(printed.status == 4 && printed.output.contains("to be changed") && !printed.output.contains("\"summary\""))
            #expect(printed.errors.contains("is not verified"), "\(printed.errors)")
            let written = try await gateway.command(["sessions", "export", session, "--output", file], token: token)
            #expect(written.status == 4 && !FileManager.default.fileExists(atPath: file))
            try whole.write(to: URL(fileURLWithPath: segment))
        }

        /// Nothing is left under the file's name where not all of it was verified, and no key opens nothing.
        @Test func onlyWhatIsVerifiedIsWritten() async throws {
            let backstage = try await Backstage.shared()
            let alice = try backstage.provider.token(for: "alice")
            let gateway = try await Gateway.start(try backstage.configuration())
            _ = try await gateway.endpoint("bench", token: alice).value("SELECT 'to be changed'")
            let session = try await gateway.recording(containing: "to be changed", token: alice).session
            let folder = try TemporaryDirectory()
            let file = folder.file("out.jsonl")
            #expect(try await exported(session, gateway, []).succeeded)
            try await aChangeIsFoundWhileItIsRead(session, gateway, alice, file)
            #expect(try await gateway.stop() == 0)

            let closed = try await exported(session, gateway, ["--output", file], key: false)
            #expect(closed.status == 3 && closed.errors.contains("sealed"), "\(closed.errors)")
            let segment = try await segment(of: session, gateway)
            let whole = try Data(contentsOf: URL(fileURLWithPath: segment))
            var bytes = whole
            bytes[bytes.count - 40] ^= 1
            try bytes.write(to: URL(fileURLWithPath: segment))
            for format in ["jsonl", "sql"] {
                let changed = try await exported(session, gateway, ["--format", format, "--output", file])
                #expect(changed.status == 4 && changed.errors.contains("segment-damaged"), "\(changed.errors)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
            let printed = try await exported(session, gateway, [])
            #expect(printed.status == 4 && printed.output.isEmpty)

            try whole.write(to: URL(fileURLWithPath: segment))
            #expect(try await exported(session, gateway, ["--output", file]).succeeded)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["out.jsonl"])
            #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        }
    }
}
