import Foundation
import Testing

extension IntegrationTests {
    /// What people do with an approval, by the program's commands, while psql waits.
    @Suite struct ApprovalCommandTests {
        @Test func aHeldStatementIsSeenDecidedAndRuns() async throws {
            let backstage = try await Backstage.shared()
            let gateway = try await Gateway.start(try backstage.configuration())
            let (alice, bob) = (try backstage.provider.token(for: "alice"), try backstage.provider.token(for: "bob"))
            try await Self.holdProducts(gateway, alice)
            let folder = try TemporaryDirectory()
            let watcher = try Child(
                Project.gatehouse, ["approvals", "watch", "--format", "json"],
                environment: ["GATEHOUSE_TOKEN": alice, "GATEHOUSE_ADDRESS": "http://127.0.0.1:\(gateway.configuration.adminPort)"],
                directory: folder.path)
            let marker = "held-\(UUID().uuidString.prefix(8))"
            let waiting = Task {
                try await gateway.endpoint("orders", token: bob).psql(
                    ["-c", "SELECT '\(marker)' FROM products LIMIT 1"], deadline: .seconds(90))
            }
            let id = try await Self.first(in: "pending", gateway, alice)

            let shown = try await gateway.command(["approvals", "show", id], token: alice)
            for part in ["SELECT '\(marker)' FROM products LIMIT 1", "bob@example.com", "products-wait", "Still needed: 1 of sre"] {
                #expect(shown.output.contains(part), "\(part) is not in \(shown.output)")
            }
            let own = try await gateway.command(["approvals", "approve", id], token: bob)
            #expect(own.status == 3, "\(own.errors)")
            let unknown = try await gateway.command(["approvals", "show", id], token: try backstage.provider.token(for: "carol"))
            #expect(unknown.status == 1 && unknown.errors.contains("there is no approval that you may see"))
            let said = try await gateway.command(["approvals", "reason", id, "for the report"], token: bob)
            #expect(said.succeeded, "\(said.errors)")
            // It looks each two seconds: what is over between two looks is told once.
            try await Self.wait(for: "\"state\":\"pending\"", from: watcher)
            let approved = try await gateway.command(["approvals", "approve", id, "--comment", "fine"], token: alice)
            #expect(approved.succeeded && approved.output == "\(id) is approved.\n", "\(approved.output)\(approved.errors)")
            let ran = try await waiting.value
            #expect(ran.succeeded && ran.output.contains(marker), "\(ran.errors)")

            let late = try await gateway.command(["approvals", "deny", id], token: alice)
            #expect(late.status == 1 && late.errors.contains("approved already"))
            try await Self.wait(for: "\"uses\":1", from: watcher)
            watcher.signal(SIGTERM)
            _ = try await watcher.wait(upTo: .seconds(10))
            await watcher.end()
            let told = try JSON.parse(watcher.output).elements
            #expect(told.allSatisfy { $0["id"]?.string == id } && told.first?["state"]?.string == "pending")
            #expect(told.last?["state"]?.string == "approved" && told.last?["votes"]?.elements.first?["comment"]?.string == "fine")
            #expect(!watcher.output.contains(marker), "lists carry no values")
            _ = try await gateway.stop()
            #expect(try await gateway.verify().succeeded)
        }

        /// By a reload, which also gives alice the approver's role.
        private static func holdProducts(_ gateway: Gateway, _ token: String) async throws {
            var yaml = try String(contentsOfFile: gateway.configurationFile, encoding: .utf8)
            yaml = yaml.replacingOccurrences(of: "    auditor: [dba]\n", with: "    auditor: [managers-of-old]\n    approver: [sre]\n")
            yaml = yaml.replacingOccurrences(
                of: "\nrules:\n",
                with: """

                    rules:
                      - id: products-wait
                        priority: 5
                        where: { targets: [orders] }
                        what: { tables: [public.products] }
                        effect: hold
                        reason: Products wait.
                        approval: { approvers: [sre] }

                    """)
            try yaml.write(toFile: gateway.configurationFile, atomically: true, encoding: .utf8)
            kill(gateway.pid, SIGHUP)
            let end = ContinuousClock.now + .seconds(15)
            while ContinuousClock.now < end {
                let whoami = try await gateway.command(["whoami", "--format", "json"], token: token)
                if whoami.output.contains("approver") { return }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw HarnessError("the reload did not take: \(gateway.log.suffix(2_000))")
        }

        private static func wait(for text: String, from child: Child) async throws {
            let end = ContinuousClock.now + .seconds(20)
            while !child.output.contains(text), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(100)) }
            #expect(child.output.contains(text), "\(child.errors)")
        }

        private static func first(in state: String, _ gateway: Gateway, _ token: String) async throws -> String {
            let end = ContinuousClock.now + .seconds(20)
            while ContinuousClock.now < end {
                let listed = try await gateway.command(["approvals", "list", "--state", state, "--format", "json"], token: token)
                if let id = try JSON.parse(listed.output).elements.first?["id"]?.string { return id }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw HarnessError("nothing is \(state)")
        }
    }
}
