import Foundation
import Testing

extension IntegrationTests {
    /// `auth: oauth`: libpq 18 brings its token by SASL OAUTHBEARER, and is told where to get one.
    @Suite struct OAuthTests {
        private static func gateway() async throws -> (Gateway, Backstage) {
            let backstage = try await Backstage.shared()
            var configuration = try backstage.configuration()
            // Each target's own `auth`, which goes before the listener's.
            configuration.durability = "written\n    auth: oauth"
            return (try await Gateway.start(configuration), backstage)
        }

        private func select(
            _ sql: String, _ gateway: Gateway, token: String, issuer: String, negotiation: String = "postgres"
        ) async throws -> JSON {
            var environment = gateway.endpoint("orders", token: "").environment
            environment["PGPASSWORD"] = nil
            environment["PGSSLNEGOTIATION"] = negotiation
            // The provider of these tests has no TLS; libpq asks for it unless told that this is a test.
            environment["PGOAUTHDEBUG"] = "UNSAFE"
            environment["GATEHOUSE_TEST_TOKEN"] = token
            let said = try await Shell.need(
                Project.python, [Project.support("oauth.py"), issuer, sql], environment: environment, deadline: .seconds(60))
            return try JSON.parse(said)
        }

        private func audit(_ gateway: Gateway, token: String) throws -> String {
            let answer = try #require(httpGet(port: gateway.configuration.adminPort, path: "/api/v1/audit", bearer: token))
            try #require(answer.status == 200, "\(answer.body)")
            return answer.body
        }

        @Test func aTokenOpensASessionAfterItsIssuerWasAskedFor() async throws {
            let (gateway, backstage) = try await Self.gateway()
            let alice = try backstage.provider.token(for: "alice")
            let issuer = backstage.provider.issuer
            for negotiation in ["postgres", "direct"] {
                let said = try await select(
                    "SELECT current_user || '/oauth'", gateway, token: alice, issuer: issuer, negotiation: negotiation)
                #expect(said["value"]?.string == "app_ro/oauth", "\(said)")
                #expect(said["asked"]?.elements.count == 1)
                #expect(said["asked"]?.elements.first?["configuration"]?.string == issuer + "/.well-known/openid-configuration")
            }
            let recording = try await gateway.recording(containing: "/oauth", token: alice)
            #expect(recording.statements.count == 1)
            #expect(!gateway.log.contains(alice))
            // Asking where to get a token is no failed login.
            let audit = try audit(gateway, token: alice)
            #expect(!audit.contains("login.failed") && !audit.contains("login.refused"), "\(audit)")
            #expect(try await gateway.stop() == 0)
        }

        @Test func otherProofsAreRefusedWithAReason() async throws {
            let (gateway, backstage) = try await Self.gateway()
            let issuer = backstage.provider.issuer
            let alice = try backstage.provider.token(for: "alice")
            let position = try backstage.server.logPosition()
            // Its signature is another's.
            let body = alice.split(separator: ".").dropLast().joined(separator: ".")
            let bob = try backstage.provider.token(for: "bob").split(separator: ".").last.map(String.init) ?? ""
            for token in [body + "." + bob, "not-a-token"] {
                let said = try await select("SELECT 'unreached'", gateway, token: token, issuer: issuer)
                #expect(said["value"] == nil)
                #expect(said["error"]?.string?.contains("FATAL") == true, "\(said)")
                #expect(!gateway.log.contains(token))
            }
            #expect(try audit(gateway, token: alice).contains("login.failed"))
            // A client that knows no OAUTHBEARER.
            let old = try await gateway.endpoint("orders", token: alice).psql("SELECT 'unreached'")
            #expect(old.status == 2 && old.errors.contains("SASL authentication mechanisms"), "\(old.errors)")
            #expect(try !backstage.server.logged(since: position).contains("unreached"))
            #expect(try await gateway.stop() == 0)
        }

        @Test func aTicketIsABearerTokenToo() async throws {
            let (gateway, backstage) = try await Self.gateway()
            let alice = try backstage.provider.token(for: "alice")
            let made = try await gateway.command(["tickets", "create", "--target", "orders", "--format", "json"], token: alice)
            try #require(made.succeeded, "\(made.errors)")
            let ticket = try #require(try JSON.parse(made.output)["ticket"]?.string)
            let said = try await select("SELECT 6 * 7", gateway, token: ticket, issuer: backstage.provider.issuer)
            #expect(said["value"]?.string == "42", "\(said)")
            #expect(try await gateway.stop() == 0)
        }
    }
}
