import Foundation
import Testing

extension IntegrationTests {
    /// What others are told, from a client's statement to a file, to syslog and to a webhook.
    @Suite struct OutwardTests {
        /// Tests/Support/receivers.py
        private struct Receivers {
            let child: Child
            let syslogPort: Int
            let hookPort: Int

            static func start(_ folder: TemporaryDirectory) async throws -> Receivers {
                let child = try Child(Project.python, [Project.support("receivers.py")], directory: folder.path)
                let end = ContinuousClock.now + .seconds(20)
                while !child.output.contains("\n"), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(10)) }
                let first = try JSON.parse(String(child.output.split(separator: "\n").first ?? ""))
                guard let syslog = first["syslog_port"]?.number.map(Int.init), let hook = first["hook_port"]?.number.map(Int.init) else {
                    throw HarnessError("receivers.py said: \(child.output)\(child.errors)")
                }
                return Receivers(child: child, syslogPort: syslog, hookPort: hook)
            }
        }

        private func waits(_ condition: () -> Bool) async throws -> Bool {
            let end = ContinuousClock.now + .seconds(20)
            while !condition() {
                if ContinuousClock.now >= end { return false }
                try await Task.sleep(for: .milliseconds(20))
            }
            return true
        }

        private func text(_ file: String) -> String {
            String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
        }

        @Test func aDenialArrivesEverywhereWithoutItsLiterals() async throws {
            let backstage = try await Backstage.shared()
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            let receivers = try await Receivers.start(folder)
            var configuration = try backstage.configuration()
            let file = folder.file("events.json")
            configuration.sections = [
                """
                events:
                  - file: \(file)
                  - syslog: { address: "127.0.0.1:\(receivers.syslogPort)", protocol: tcp }
                    classes: [verdict]
                webhooks:
                  - url: http://127.0.0.1:\(receivers.hookPort)/hook
                    secret_file: \(folder.file("hook-secret"))
                    events: [verdict.denied]
                """
            ]
            try Data("a secret for this test's webhook".utf8).write(to: URL(fileURLWithPath: folder.file("hook-secret")))
            chmod(folder.file("hook-secret"), 0o600)
            let gateway = try await Gateway.start(configuration)
            let alice = try backstage.provider.token(for: "alice")
            let told = try await gateway.endpoint("writer@orders", token: alice).psql(
                [], input: "DELETE FROM payments WHERE true OR note = 'a-literal-of-mine';\nSELECT 'plain-and-allowed';\n")
            #expect(told.errors.contains("no-unbounded-writes"))

            #expect(try await waits { text(file).contains("session.ended") })
            #expect(try await waits { receivers.child.output.contains("\"hook\"") && receivers.child.output.contains("\"syslog\"") })
            let events = try text(file).split(separator: "\n").map { try JSON.parse(String($0)) }
            let names = events.compactMap { $0["metadata"]?["event_code"]?.string }
            #expect(names.contains("session.started") && names.filter { $0 == "verdict.denied" }.count == 1)
            // A plain yes is nobody's news.
            #expect(!names.contains("verdict.approved"))
            let denied = try #require(events.first { $0["metadata"]?["event_code"]?.string == "verdict.denied" })
            #expect(denied["firewall_rule"]?["uid"]?.string == "no-unbounded-writes")
            #expect(denied["query_info"]?["query_string"]?.string?.contains("note = $") == true)
            #expect(denied["src_endpoint"]?["ip"]?.string == "127.0.0.1" && denied["database"]?["name"]?.string == "orders")
            let id = try #require(denied["metadata"]?["uid"]?.string)
            #expect(receivers.child.output.contains(id))
            let lines: [JSON] = try receivers.child.output.split(separator: "\n").map { try JSON.parse(String($0)) }
            let messages: [String] = lines.compactMap { $0["syslog"]?.string }
            let syslog = try #require(messages.first)
            #expect(syslog.hasPrefix("<84>1 ") && syslog.contains(" test-1 gatehouse ") && syslog.contains(" verdict.denied - {"))
            let hooks: [JSON] = lines.compactMap { $0["hook"] }
            let hook = try #require(hooks.first)
            #expect(hook["headers"]?["webhook-id"]?.string == id)
            #expect(hook["headers"]?["webhook-signature"]?.string?.hasPrefix("v1,") == true)
            for words in [text(file), receivers.child.output] { #expect(!words.contains("a-literal-of-mine")) }

            // A failed login, and a file that was moved away.
            try FileManager.default.moveItem(atPath: file, toPath: file + ".1")
            kill(gateway.pid, SIGHUP)
            #expect(try await waits { FileManager.default.fileExists(atPath: file) })
            _ = try await gateway.endpoint("orders", token: "no token").psql("SELECT 1")
            #expect(try await waits { text(file).contains("authentication.failed") })
            #expect(text(file).contains("configuration.reloaded"))
            #expect(try await gateway.stop() == 0)
            await receivers.child.end()
        }
    }
}
