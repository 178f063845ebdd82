import Foundation
import Testing

extension IntegrationTests {
    /// Masks of the client alone, and of the recording alone (`applies_to`), with real clients.
    @Suite struct ViewTests {
        private static let cell = "SELECT ssn FROM customers WHERE id = 1"
        private static let copy = "COPY (SELECT id, ssn FROM customers ORDER BY id LIMIT 2) TO STDOUT"

        private struct Said {
            /// What the client got.
            var client = ""
            /// `sessions show`, as a person reads it.
            var shown: String
            var secret: String
        }

        /// Reads in text and binary, copies, brings about an error that quotes a row, and names a value.
        private func session(_ view: String) async throws -> Said {
            let backstage = try await Backstage.shared()
            let secret = try await backstage.direct().value(Self.cell)
            var configuration = try backstage.configuration()
            configuration.maskLines = ["applies_to: \(view)"]
            let gateway = try await Gateway.start(configuration)
            let (alice, bob) = (try backstage.provider.token(for: "alice"), try backstage.provider.token(for: "bob"))
            let endpoint = gateway.endpoint("reader@orders", token: bob)
            let marker = "view-\(UUID().uuidString)"
            var client = ""
            for more in [
                ["-c", Self.cell, "-c", Self.copy], ["-c", "SELECT ssn::date FROM customers WHERE id = 1"],
                ["-c", "SELECT id FROM customers WHERE ssn = '\(secret)'"], ["-c", "SELECT '\(marker)'"],
            ] {
                let said = try await endpoint.psql(more)
                client += said.output + said.errors
            }
            _ = try await gateway.recording(containing: marker, token: alice)
            let all = try await gateway.command(["sessions", "list", "--format", "json"], token: alice)
            var texts = ""
            for id in try JSON.parse(all.output).elements.compactMap({ $0["id"]?.string }) {
                texts += try await gateway.command(["sessions", "show", id], token: alice).output
            }
            #expect(try await gateway.stop() == 0)
            let verified = try await gateway.verify()
            #expect(verified.succeeded, "\(verified.output)\(verified.errors)")
            return Said(client: client, shown: texts, secret: secret)
        }

        @Test func theClientSeesClearValuesThatTheRecordingHasNot() async throws {
            let said = try await session("recording")
            #expect(said.client.components(separatedBy: said.secret).count >= 4, "a cell, a copy, an error: \(said.client)")
            #expect(!said.shown.contains(said.secret), "\(said.shown)")
            #expect(said.shown.contains("~ the client saw these values clear"))
            #expect(said.shown.contains("is withheld") && said.shown.contains("ssn = '****'"))
        }

        @Test func theRecordingHasClearValuesThatTheClientSawMasked() async throws {
            let said = try await session("client")
            #expect(!said.client.contains(said.secret), "\(said.client)")
            #expect(said.client.contains("is withheld"))
            #expect(said.shown.components(separatedBy: said.secret).count >= 4, "a cell, an error, a text: \(said.shown)")
            #expect(said.shown.contains("~ the client saw these values masked"))
        }

        /// `otherwise: error`: told before it runs, and the session goes on.
        @Test func whatCouldOnlyBeWithheldIsDenied() async throws {
            let backstage = try await Backstage.shared()
            var configuration = try backstage.configuration()
            configuration.maskLines = ["otherwise: error"]
            let gateway = try await Gateway.start(configuration)
            let endpoint = gateway.endpoint("reader@orders", token: try backstage.provider.token(for: "bob"))
            let said = try await endpoint.psql([
                "-At", "-v", "ON_ERROR_STOP=0", "-c", "SELECT upper(ssn) FROM customers LIMIT 1", "-c",
                "SELECT count(ssn) FROM customers LIMIT 1",
                "-c", "SELECT name, ssn FROM customers WHERE id = 1",
            ])
            #expect(
                said.errors.contains("denied by Gatehouse rule \"customer-ssn\": A part of the result must not be shown: column 1 (upper)"))
            #expect(said.errors.contains("column 1 (count) cannot be masked: it is computed from the masked column public.customers.ssn"))
            #expect(said.output.split(separator: "|").count == 2, "\(said.output)")
            #expect(try await gateway.stop() == 0)
        }
    }
}
