import Foundation
import Testing

extension IntegrationTests {
    /// Recordings in a bucket of a real S3 server.
    @Suite struct BucketTests {
        private func configuration(_ server: BucketServer, _ more: [String] = [], bucket: String = "evidence", lock: String? = nil)
            async throws
            -> GatewayConfiguration
        {
            var configuration = try await Backstage.shared().configuration()
            configuration.sections = [server.section(prefix: "t-\(UUID().uuidString)/", bucket: bucket, lock: lock)] + more
            return configuration
        }

        @Test func aSessionIsKeptShownExportedAndVerified() async throws {
            let alice = try await Backstage.shared().provider.token(for: "alice")
            let gateway = try await Gateway.start(try await configuration(try await BucketServer.shared()))
            let marker = "bucket-\(UUID().uuidString)"
            _ = try await gateway.endpoint("bench", token: alice).value("SELECT '\(marker)', generate_series(1, 20000)")
            let session = try await gateway.recording(containing: marker, token: alice).session
            #expect(try await gateway.stop() == 0)
            // Nothing of it is on the gateway's own disk.
            #expect(!FileManager.default.fileExists(atPath: gateway.configuration.dataDirectory + "/store"))
            let verified = try await gateway.verifyConfigured()
            #expect(verified.succeeded && verified.output.contains(session), "\(verified.output)\(verified.errors)")
            let exported = try await Shell.run(
                Project.gatehouse,
                [
                    "sessions", "export", session, "--format", "sql", "--config", gateway.configurationFile, "--key-file",
                    gateway.configuration.dataDirectory + "/keys/recipient.key",
                ])
            #expect(exported.succeeded && exported.output.contains(marker), "\(exported.errors)")
            let proofs = try await Shell.run(
                Project.gatehouse, ["proofs", "inclusion", "--config", gateway.configurationFile, "--session", session])
            #expect(proofs.succeeded && proofs.output.contains("checkpoint"), "\(proofs.errors)")
        }

        /// Each has its own log; one verification covers both, and finds what somebody took away.
        @Test func twoGatewaysShareABucket() async throws {
            let alice = try await Backstage.shared().provider.token(for: "alice")
            let one = try await configuration(try await BucketServer.shared())
            var two = try await Backstage.shared().configuration()
            two.node = "test-2"
            two.sections = one.sections
            let gateways = [try await Gateway.start(one), try await Gateway.start(two)]
            for round in 0..<3 {
                for gateway in gateways {
                    _ = try await gateway.endpoint("bench", token: alice).value("SELECT 'shared \(round)'")
                }
            }
            for gateway in gateways { #expect(try await gateway.stop() == 0) }
            // The keys of both: each signs with its own.
            let keys = [one, two].flatMap { ["--public-key", $0.dataDirectory + "/keys"] }
            let verify = ["verify", "--format", "json", "--config", gateways[0].configurationFile] + keys
            let verified = try await Shell.run(Project.gatehouse, verify)
            #expect(verified.succeeded, "\(verified.output.suffix(2000))\(verified.errors)")
            #expect(try JSON.parse(verified.output)["sessions"]?.elements.count == 6)
        }

        @Test func whatIsLockedCannotBeDeletedByTheGateway() async throws {
            let server = try await BucketServer.shared("moto")
            let provider = try await Backstage.shared().provider
            let alice = try provider.token(for: "alice")
            let bob = try provider.token(for: "bob")
            let gateway = try await Gateway.start(
                try await configuration(server, ["retention: { keep: 30d }"], bucket: "locked", lock: "governance"))
            let marker = "locked-\(UUID().uuidString)"
            _ = try await gateway.endpoint("reader@orders", token: bob).value("SELECT '\(marker)'")
            let session = try await gateway.recording(containing: marker, token: alice).session
            let deletion = try await gateway.command(["sessions", "delete", session, "--reason", "to hide it"], token: alice)
            #expect(deletion.status == 1, "\(deletion.output)\(deletion.errors)")
            #expect(try await gateway.recording(of: session, token: alice).text.contains(marker))
            #expect(try await gateway.stop() == 0)
            let verified = try await gateway.verifyConfigured()
            #expect(verified.succeeded, "\(verified.output.suffix(2000))\(verified.errors)")
        }

        @Test func aBucketThatCannotBeReachedIsSaidAtTheStart() async throws {
            var configuration = try await Backstage.shared().configuration()
            let secret = try TemporaryDirectory()
            defer { secret.remove() }
            try Data("s".utf8).write(to: URL(fileURLWithPath: secret.file("s")))
            chmod(secret.file("s"), 0o600)
            configuration.sections = [
                """
                store:
                  s3:
                    bucket: nowhere-\(UUID().uuidString.lowercased())
                    endpoint: \(try await BucketServer.shared().endpoint)
                    access_key_id: WRONG
                    secret_access_key_file: \(secret.file("s"))
                """
            ]
            let wrong = configuration
            await #expect {
                _ = try await Gateway.start(wrong)
            } throws: { error in
                "\(error)".contains("ended with") && "\(error)".contains("bucket")
            }
        }
    }
}
