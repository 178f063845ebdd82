import Foundation
import Testing

extension IntegrationTests {
    /// A target's password from a program, rotated while the gateway runs.
    @Suite struct SecretTests {
        @Test func aRotatedPasswordIsGotAnew() async throws {
            let backstage = try await Backstage.shared()
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            let (first, second) = ("first-\(UUID().uuidString)", "second-\(UUID().uuidString)")
            func write(_ text: String, to name: String, mode: mode_t) throws {
                try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
                chmod(folder.file(name), mode)
            }
            func runs() -> Int {
                String(decoding: FileManager.default.contents(atPath: folder.file("runs")) ?? Data(), as: UTF8.self).count
            }
            try await backstage.server.execute("CREATE ROLE app_rotated LOGIN PASSWORD '\(first)' IN ROLE app_ro")
            try write(first + "\n", to: "password", mode: 0o600)
            try write("#!/bin/sh\nprintf x >> \(folder.file("runs"))\nexec cat \(folder.file("password"))\n", to: "program", mode: 0o700)
            var configuration = try backstage.configuration()
            configuration.readerUser = "app_rotated"
            configuration.readerPasswordLine = "password_exec: [\(folder.file("program"))]\n        password_ttl: 1d"

            try write(configuration.yaml, to: "gatehouse.yaml", mode: 0o600)
            let checked = try await Shell.run(Project.gatehouse, ["check", folder.file("gatehouse.yaml")])
            #expect(
                checked.succeeded && checked.errors.contains("not checked: target orders, role reader: the password comes from the program")
            )
            #expect(runs() == 0)

            let gateway = try await Gateway.start(configuration)
            let bob = try backstage.provider.token(for: "bob")
            let endpoint = gateway.endpoint("reader@orders", token: bob)
            #expect(try await endpoint.value("SELECT current_user") == "app_rotated")
            #expect(try await endpoint.value("SELECT 1") == "1")
            #expect(runs() == 1)

            try await backstage.server.execute("ALTER ROLE app_rotated PASSWORD '\(second)'")
            try write(second + "\n", to: "password", mode: 0o600)
            // A program is not run again for a refusal within a second of its last run.
            try await Task.sleep(for: .milliseconds(1_100))
            #expect(try await endpoint.value("SELECT current_user") == "app_rotated")
            #expect(runs() == 2)

            try await backstage.server.execute("ALTER ROLE app_rotated PASSWORD 'a third that nobody knows'")
            try await Task.sleep(for: .milliseconds(1_100))
            let refused = try await endpoint.psql("SELECT 1")
            #expect(refused.errors.contains("the target refused the gateway's account (28P01)"))
            try write("#!/bin/sh\necho \(second)\necho 'the safe is shut' >&2\nexit 7\n", to: "program", mode: 0o700)
            try await Task.sleep(for: .milliseconds(1_100))
            let failed = try await endpoint.psql("SELECT 1")
            #expect(failed.errors.contains("the password of the target's account could not be got") && !failed.errors.contains("safe"))
            #expect(gateway.log.contains("it ended with status 7: the safe is shut"))
            #expect(!gateway.log.contains(first) && !gateway.log.contains(second))
            #expect(try await gateway.stop() == 0)
            try await backstage.server.execute("DROP ROLE app_rotated")
        }
    }
}
