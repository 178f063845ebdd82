import Foundation
import Testing

extension IntegrationTests {
    /// Evidence before effect: a statement that reached the server is in the recording, whatever became of the gateway.
    @Suite struct CrashTests {
        /// Numbers of 15 digits that pgbench draws: the server's log and the recording are compared by them.
        static func drawn(in text: some StringProtocol) -> Set<Substring.SubSequence> {
            Set(text.split { !$0.isNumber }.map { $0[...] }.filter { $0.utf8.count == 15 }.map { Substring($0) })
        }

        static let script = """
            \\set n random(100000000000000, 999999999999999)
            SELECT :n::bigint, abalance FROM pgbench_accounts WHERE aid = 1;
            \\set m random(100000000000000, 999999999999999)
            UPDATE pgbench_branches SET bbalance = (:m::bigint % 1000)::integer WHERE bid = 1;

            """

        /// The rounds take turns with pgbench's protocols; each kills the gateway after another time.
        @Test(arguments: 0..<(Project.soak ? 50 : 5))
        func everyStatementThatReachedTheServerIsRecorded(round: Int) async throws {
            let backstage = try await Backstage.shared()
            try await Self.killUnderLoad(try backstage.configuration(), round: round)
        }

        /// The same with a bucket, which is written to meanwhile: nothing is lost, and nothing is there twice.
        @Test(arguments: 0..<(Project.soak ? 100 : 5))
        func everyStatementIsRecordedInABucket(round: Int) async throws {
            let backstage = try await Backstage.shared()
            let server = try await BucketServer.shared()
            var configuration = try backstage.configuration()
            configuration.sections = [server.section(prefix: "crash-\(UUID().uuidString)/")]
            try await Self.killUnderLoad(configuration, round: round)
        }

        private static func killUnderLoad(_ configuration: GatewayConfiguration, round: Int) async throws {
            let backstage = try await Backstage.shared()
            let alice = try backstage.provider.token(for: "alice")
            let gateway = try await Gateway.start(configuration)
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            let script = folder.file("load.sql")
            try Data(Self.script.utf8).write(to: URL(fileURLWithPath: script))
            let position = try backstage.server.logPosition()
            let mode = ["simple", "extended", "prepared"][round % 3]
            let load = try Child(
                "pgbench", ["-n", "-M", mode, "-c", "8", "-j", "2", "-T", "60", "-f", script],
                environment: gateway.endpoint("bench", token: alice).environment, directory: folder.path)
            // Until the load runs, and then a while that differs from round to round.
            let end = ContinuousClock.now + .seconds(20)
            while Self.drawn(in: try backstage.server.logged(since: position)).count < 50, ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(20))
            }
            try await Task.sleep(for: .milliseconds(30 + (round * 397) % 1500))
            await gateway.kill()
            await load.end()
            try await Task.sleep(for: .milliseconds(300))
            let reached = Self.drawn(in: try backstage.server.logged(since: position))
            try #require(reached.count >= 50, "the load did not run: \(load.errors.suffix(1000))")

            let recovered = try await Gateway.start(configuration)
            let sessions = try await recovered.sessions(token: alice)
            #expect(sessions.filter { $0["state"]?.string == "interrupted" }.count >= 8)
            var recorded: Set<Substring> = []
            for session in sessions {
                guard let id = session["id"]?.string else { continue }
                for event in try await recovered.recording(of: id, token: alice).events("statement") {
                    for text in event.strings { recorded.formUnion(Self.drawn(in: text)) }
                    recorded.formUnion(Self.drawn(in: "\(event)"))
                }
            }
            let lost = reached.subtracting(recorded)
            #expect(lost.isEmpty, "\(lost.count) of \(reached.count) statements reached the server unrecorded, such as \(lost.first ?? "")")
            #expect(try await recovered.stop() == 0)
            let verified = try await recovered.verifyConfigured()
            #expect(verified.succeeded, "\(verified.output.suffix(2000))")
        }

        /// The disk fills under a session: it ends with an error that says so, nothing goes on unrecorded, what was written
        /// stays readable, and the gateway lives.
        @Test func aFullDiskStopsTheSessionBeforeAnythingGoesOnUnrecorded() async throws {
            let backstage = try await Backstage.shared()
            let alice = try backstage.provider.token(for: "alice")
            let folder = try TemporaryDirectory()
            let mount = folder.file("small")
            try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
            let mounted = try await Shell.run("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", mount])
            guard mounted.succeeded else {
                print("skipped: a small file system cannot be mounted here: \(mounted.errors)")
                return
            }
            Teardown.shared.add(mount: mount)
            let configuration = try backstage.configuration(dataDirectory: mount + "/data")
            let gateway = try await Gateway.start(configuration)
            let position = try backstage.server.logPosition()
            // Each answer is some 100 KB that does not compress, so 24 MB are soon gone.
            let sql = (0..<600).map { number in
                "SELECT \(100_000_000_000_000 + number), string_agg(md5((random() + n)::text), '') FROM generate_series(1, 3000) AS n;"
            }
            let client = try await gateway.endpoint("bench", token: alice).psql(
                ["-v", "ON_ERROR_STOP=1"], input: sql.joined(separator: "\n"), deadline: .seconds(120))
            #expect(!client.succeeded, "600 answers fitted into 24 MB")
            #expect(client.errors.contains("FATAL") || client.errors.contains("ERROR"), "\(client.errors)")
            #expect(client.errors.lowercased().contains("record"), "\(client.errors)")
            #expect(gateway.isRunning)
            let reached = Self.drawn(in: try backstage.server.logged(since: position))
            #expect(!reached.isEmpty && reached.count < 600)

            // With room again, all is there.
            await gateway.kill()
            _ = try await Shell.need("mount", ["-o", "remount,size=256m", mount])
            let recovered = try await Gateway.start(configuration)
            var recorded: Set<Substring> = []
            for session in try await recovered.sessions(token: alice) {
                guard let id = session["id"]?.string else { continue }
                for text in try await recovered.recording(of: id, token: alice).statements { recorded.formUnion(Self.drawn(in: text)) }
            }
            #expect(reached.subtracting(recorded).isEmpty, "statements reached the server unrecorded")
            #expect(try await recovered.stop() == 0)
            #expect(try await recovered.verify().succeeded)
            _ = try await Shell.run("umount", [mount])
            Teardown.shared.forget(mount: mount)
        }
    }
}
