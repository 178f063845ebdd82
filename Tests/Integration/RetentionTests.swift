import Foundation
import Testing

extension IntegrationTests {
    /// How recordings are kept, and go, as those see it who ask a gateway.
    @Suite struct RetentionTests {
        @Test func aRecordingIsHeldThenDeletedAndTheLogExplainsIt() async throws {
            let backstage = try await Backstage.shared()
            let alice = try backstage.provider.token(for: "alice")
            let bob = try backstage.provider.token(for: "bob")
            var configuration = try backstage.configuration()
            configuration.sections = ["retention:\n  keep: 30d\n  rules:\n    - { name: shop, targets: [\"ord*\"], keep: forever }"]
            let gateway = try await Gateway.start(configuration)
            let marker = "retained-\(UUID().uuidString)"
            _ = try await gateway.endpoint("reader@orders", token: bob).value("SELECT '\(marker)'")
            _ = try await gateway.endpoint("bench", token: alice).value("SELECT 1")
            let session = try await gateway.recording(containing: marker, token: alice).session

            let held = try await gateway.command(
                ["legal-holds", "add", "--user", "bob@example.com", "--reason", "case 12"], token: alice)
            let hold = held.output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(held.succeeded && !hold.isEmpty, "\(held.errors)")
            let listed = try await gateway.command(["legal-holds", "list"], token: alice)
            #expect(listed.output.contains(hold) && listed.output.contains("user bob@example.com") && listed.output.contains("case 12"))
            #expect(try await gateway.command(["legal-holds", "list"], token: bob).status == 3)

            let deletion = ["sessions", "delete", session, "--reason", "erasure request 88"]
            let refused = try await gateway.command(deletion, token: alice)
            #expect(refused.status == 1 && refused.errors.contains("legal holds cover the session") && refused.errors.contains(hold))
            #expect(try await gateway.command(deletion, token: bob).status == 3)
            #expect(try await gateway.recording(of: session, token: alice).text.contains(marker))
            let plan = try await gateway.command(["retention", "plan"], token: alice)
            #expect(plan.succeeded && plan.output.contains("0 recordings due"), "\(plan.output)\(plan.errors)")

            let lifted = try await gateway.command(["legal-holds", "remove", hold, "--reason", "closed"], token: alice)
            #expect(lifted.succeeded, "\(lifted.errors)")
            let deleted = try await gateway.command(deletion, token: alice)
            #expect(deleted.succeeded, "\(deleted.errors)")
            let shown = try await gateway.command(["sessions", "show", session], token: alice)
            #expect(!shown.succeeded && shown.errors.contains("the recording was deleted at"), "\(shown.output)\(shown.errors)")
            let run = try await gateway.command(["retention", "run"], token: alice)
            #expect(run.succeeded && run.output.contains("0 recordings deleted"), "\(run.output)\(run.errors)")

            #expect(try await gateway.stop() == 0)
            let verified = try await gateway.verify()
            #expect(verified.succeeded, "\(verified.output)\(verified.errors)")
            #expect(!verified.output.contains(session))
            // The tombstone can be shown to somebody who has nothing else.
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            let data = configuration.dataDirectory
            let proofs = try await Shell.run(Project.gatehouse, ["proofs", "inclusion", data, "--session", session])
            #expect(proofs.succeeded && proofs.output.contains("erasure request 88"), "\(proofs.errors)")
            let file = folder.file("proof.json")
            try Data(proofs.output.utf8).write(to: URL(fileURLWithPath: file))
            let checked = try await Shell.run(Project.gatehouse, ["proofs", "check", file, "--public-key", data + "/keys/log.pub"])
            #expect(
                checked.succeeded && checked.output.contains("(tombstone) is in the log of test-1"), "\(checked.output)\(checked.errors)")
            try Data(proofs.output.replacingOccurrences(of: "request 88", with: "request 89").utf8).write(to: URL(fileURLWithPath: file))
            #expect(try await Shell.run(Project.gatehouse, ["proofs", "check", file, "--public-key", data + "/keys/log.pub"]).status == 4)
        }
    }
}
