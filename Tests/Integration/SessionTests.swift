import Foundation
import Testing

extension IntegrationTests {
    /// What a session does besides asking and being answered.
    @Suite struct SessionTests {
        @Test(arguments: ["plain", "safe"])
        func cancelEndsARunningStatement(kind: String) async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through().python("cancel", [kind]))
            #expect(facts["slept"]?["sqlstate"]?.string == "57014", "\(facts)")
            #expect((facts["seconds"]?.number ?? 99) < 30)
            #expect(facts["after"]?.number == 1)
        }

        @Test func interruptingPsqlCancels() async throws {
            let bed = try await Bed.shared()
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            let child = try Child(
                "psql", ["-X", "-A", "-t", "-q"], environment: bed.through().environment,
                input: "SELECT 'sleeping', pg_sleep(0);\nSELECT pg_sleep(60);\nSELECT 'awake';\n", directory: folder.path)
            let end = ContinuousClock.now + .seconds(20)
            while !child.output.contains("sleeping"), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
            try await Task.sleep(for: .milliseconds(500))
            child.signal(SIGINT)
            let status = try await child.wait(upTo: .seconds(30))
            await child.end()
            #expect(status != nil, "psql still sleeps")
            #expect(child.errors.contains("canceling statement due to user request"))
        }

        @Test func aForgedCancelKeyCancelsNothing() async throws {
            let bed = try await Bed.shared()
            let slow = Task { try await bed.through().value("SELECT 'slept', pg_sleep(2)") }
            try await Task.sleep(for: .milliseconds(500))
            for guess in 0..<20 as Range<UInt32> {
                let socket = try RawSocket(port: bed.gateway.configuration.port, timeout: 5)
                // CancelRequest: length 16, code 80877102, process 1..., a key.
                socket.send([0, 0, 0, 16, 0x04, 0xD2, 0x16, 0x2E, 0, 0, 0, UInt8(guess), 0xDE, 0xAD, 0xBE, 0xEF])
                #expect(socket.readToEnd() != nil, "a cancel request is answered by closing")
            }
            #expect(try await slow.value.hasPrefix("slept"))
        }

        @Test func listenAndNotify() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through().python("listen", ["channel_1"]))
            #expect(facts["heard"]?.elements.compactMap(\.string) == ["payload 0", "payload 1", "payload 2"])
            #expect(facts["after"]?.number == 1)
        }

        @Test func aRowOfTwentyMegabytesPassesBothWays() async throws {
            let bed = try await Bed.shared()
            let size = 20 * 1_048_576
            let facts = try await json(bed.through("bench").python("large", [String(size)]))
            #expect(facts["length"]?.number == Double(size))
            #expect(facts["down"]?.bool == true)
            #expect(facts["up"] == .array([.number(Double(size)), .bool(true)]))
        }

        @Test func manyRowsStreamThrough() async throws {
            let bed = try await Bed.shared()
            let sum = try await json(bed.through("bench").python("many-rows", ["50000"]))
            #expect(sum.number == 1_250_025_000)
        }

        @Test func errorsAndNoticesArriveAsTheServerSaidThem() async throws {
            let bed = try await Bed.shared()
            for sql in [
                "SELECT 1/0", "SELECT * FROM nowhere", "SELECT nothing FROM products",
                "INSERT INTO products (title, price) VALUES ('x', -1)",
                "DROP TABLE IF EXISTS nowhere_at_all", "SET statement_timeout = 'nonsense'",
            ] {
                let through = try await bed.through("bench").psql(sql)
                let direct = try await bed.direct("bench").psql(sql)
                #expect(through.errors == direct.errors && through.status == direct.status, "\(sql)")
            }
        }

        @Test func manySessionsAtOnce() async throws {
            let bed = try await Bed.shared()
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<30 { group.addTask { try await bed.through("bench").value("SELECT \(number)") } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(answers == Set((0..<30).map(String.init)))
        }

        @Test func aKilledSessionEndsForItsClient() async throws {
            let bed = try await Bed.shared()
            let marker = "killed-\(UUID().uuidString.prefix(8))"
            let slow = Task { try await bed.through("bench").psql(["-c", "SELECT '\(marker)', pg_sleep(60)"], deadline: .seconds(40)) }
            let recording = try await bed.gateway.recording(containing: marker, ended: false, token: bed.alice)
            let killed = try await bed.gateway.command(["sessions", "kill", recording.session], token: bed.alice)
            #expect(killed.succeeded, "\(killed.errors)")
            let ended = try await slow.value
            #expect(ended.status == 2)
            let whole = try await bed.gateway.recording(containing: marker, token: bed.alice)
            #expect(!whole.events("end").isEmpty)
        }

        /// What runs on the target does not outlive the session that it was for.
        @Test(arguments: ["id", "user", "target"])
        func whatAKilledSessionRunsIsCancelled(by: String) async throws {
            let backstage = try await Backstage.shared()
            let gateway = try await Gateway.start(try backstage.configuration())
            let alice = try backstage.provider.token(for: "alice")
            let marker = "killed-\(UUID().uuidString.prefix(8))"
            let slow = Task {
                try await gateway.endpoint("bench", token: alice).psql(
                    ["-c", "SELECT '\(marker)', pg_sleep(300)"], deadline: .seconds(60))
            }
            try await Self.wait(until: 1, run: marker, backstage)
            var arguments = ["sessions", "end", "--reason", "leaked token"]
            switch by {
            case "user": arguments += ["--user", "alice@example.com"]
            case "target": arguments += ["--target", "bench"]
            default: arguments = ["sessions", "end", try await gateway.recording(containing: marker, ended: false, token: alice).session]
            }
            let ended = try await gateway.command(arguments, token: alice)
            #expect(ended.succeeded, "\(ended.errors)")
            #expect(by == "id" || ended.output == "1 session ends.\n")
            try await Self.wait(until: 0, run: marker, backstage)
            let told = try await slow.value
            #expect(told.status == 2 && told.errors.contains(by == "id" ? "its owner" : "alice@example.com"), "\(told.errors)")
            #expect(by == "id" || told.errors.contains("leaked token"))
            if by == "user" {
                let verified = try await gateway.verify()
                #expect(verified.succeeded, "\(verified.errors)")
            }
            _ = try await gateway.stop()
        }

        /// A reload ends at once what it leaves no place for, in the middle of a statement; the others stay.
        @Test func aReloadEndsSessionsThatMayNotBeThereAnyMore() async throws {
            let backstage = try await Backstage.shared()
            let gateway = try await Gateway.start(try backstage.configuration())
            let (alice, bob) = (try backstage.provider.token(for: "alice"), try backstage.provider.token(for: "bob"))
            let (gone, kept) = ("gone-\(UUID().uuidString.prefix(8))", "kept-\(UUID().uuidString.prefix(8))")
            let slow = Task {
                try await gateway.endpoint("orders", token: bob).psql(["-c", "SELECT '\(gone)', pg_sleep(300)"], deadline: .seconds(60))
            }
            let other = Task {
                try await gateway.endpoint("bench", token: alice).psql(["-c", "SELECT '\(kept)', pg_sleep(8)"], deadline: .seconds(60))
            }
            try await Self.wait(until: 1, run: gone, backstage)
            try await Self.wait(until: 1, run: kept, backstage)
            let yaml = try String(contentsOfFile: gateway.configurationFile, encoding: .utf8)
            try yaml.replacingOccurrences(of: "groups: [deploy-bots]", with: "groups: [nobody-at-all]")
                .write(toFile: gateway.configurationFile, atomically: true, encoding: .utf8)
            kill(gateway.pid, SIGHUP)
            try await Self.wait(until: 0, run: gone, backstage)
            #expect(try await slow.value.status == 2)
            let stayed = try await other.value
            #expect(stayed.succeeded, "\(stayed.errors)")
            _ = try await gateway.stop()
        }

        /// Waits until so many backends run a statement with `marker`.
        private static func wait(until count: Int, run marker: String, _ backstage: Backstage) async throws {
            let end = ContinuousClock.now + .seconds(15)
            var found = ""
            while ContinuousClock.now < end {
                found = try await backstage.server.direct().value(
                    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%\(marker)%'")
                if Int(found.trimmingCharacters(in: .whitespacesAndNewlines)) == count { return }
                try await Task.sleep(for: .milliseconds(50))
            }
            Issue.record("\(found) backends run \(marker), not \(count)")
        }
    }
}
