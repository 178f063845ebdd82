import GatehouseCore
import NIOCore
import Testing

@testable import Postgres
@testable import Relay

/// The server's side of the machines against PostgreSQL 15. One server for all of it: it takes longer to make than to
/// log in to a hundred times.
@Suite("Authentication to PostgreSQL 15")
struct AuthenticationPostgresTests {
    private func refusal(_ body: () async throws -> LoginOutcome) async -> String {
        do {
            return "got in: \(try await body())"
        } catch {
            return "\(error)"
        }
    }

    private func context(_ mode: UpstreamTLS.Mode, _ server: AuthenticationPostgres, authority: String = "rsa") throws -> UpstreamTLSContext
    {
        try #require(
            try UpstreamTLSContext(
                UpstreamTLS(mode: mode, authorityFile: "\(server.directory)/\(authority)-ca.crt"), host: "localhost",
                applicationProtocols: [PostgresTLS.applicationProtocol]))
    }

    @Test("every method, with and without TLS, and each certificate that SCRAM can be bound to")
    func methods() async throws {
        let server = try await AuthenticationPostgres()
        do {
            try await plaintext(server)
            try await overTLS(server)
            try await bound(server)
        } catch {
            Issue.record(error)
        }
        await server.stop()
    }

    private func plaintext(_ server: AuthenticationPostgres) async throws {
        let port = server.port
        let password = AuthenticationPostgres.password
        let settings = [
            SettingChange(name: "application_name", value: "a b", isLocal: false),
            SettingChange(name: "intervalstyle", value: "iso_8601", isLocal: false),
        ]
        let trusted = try await login("trusted", password: nil, port: port, tls: nil, settings: settings)
        #expect(trusted.firstProof.isEmpty)
        #expect(trusted.parameters["client_encoding"] == "UTF8")
        #expect(trusted.parameters["standard_conforming_strings"] == "on")
        #expect(trusted.parameters["application_name"] == "a b")
        #expect(trusted.parameters["IntervalStyle"] == "iso_8601")

        let scrammed = try await login("scrammed", password: password, port: port, tls: nil)
        #expect(scrammed.firstProof.hasPrefix("SCRAM-SHA-256\0") && scrammed.firstProof.contains("n,,n=,r="))
        #expect(!scrammed.wasDerivedAway)
        #expect(try await login("scrammed", password: password, port: port, tls: nil, inlineIterations: 0).wasDerivedAway)
        #expect(try await login("strong", password: password, port: port, tls: nil).wasDerivedAway)
        #expect(try await login("hashed", password: password, port: port, tls: nil).firstProof.hasPrefix("md5"))

        for user in ["scrammed", "hashed"] {
            #expect(
                await refusal { try await login(user, password: "wrong", port: port, tls: nil) }.contains("password authentication failed"))
            #expect(await refusal { try await login(user, password: nil, port: port, tls: nil) }.contains("none is configured"))
        }
        #expect(await refusal { try await login("clear", password: password, port: port, tls: nil) }.contains("without TLS"))
        #expect(await refusal { try await login("nobody", password: password, port: port, tls: nil) }.contains("no pg_hba.conf entry"))
    }

    private func overTLS(_ server: AuthenticationPostgres) async throws {
        let port = server.port
        let password = AuthenticationPostgres.password
        for mode in [UpstreamTLS.Mode.require, .verifyCA, .verifyFull] {
            let tls = try context(mode, server)
            #expect(try await login("clear", password: password, port: port, tls: tls).firstProof == password.reveal() + "\0")
            #expect(try await login("hashed", password: password, port: port, tls: tls).firstProof.hasPrefix("md5"))
            #expect(try await login("scrammed", password: password, port: port, tls: tls).firstProof.hasPrefix("SCRAM-SHA-256-PLUS\0"))
            #expect(
                await refusal { try await login("scrammed", password: "wrong", port: port, tls: tls) }.contains("authentication failed"))
        }
        let other = try context(.verifyFull, server, authority: "ed")
        let error = await refusal { try await login("scrammed", password: password, port: port, tls: other) }
        #expect(!error.hasPrefix("got in"), "\(error)")
    }

    private func bound(_ server: AuthenticationPostgres) async throws {
        let password = AuthenticationPostgres.password
        for name in ["ec384", "sha512", "pss"] {
            try await server.use(certificate: name)
            try await presents(name, server)
            let tls = try context(.verifyFull, server, authority: name)
            let outcome = try await login("scrammed", password: password, port: server.port, tls: tls)
            #expect(
                outcome.firstProof.hasPrefix("SCRAM-SHA-256-PLUS\0p=") || outcome.firstProof.contains("p=tls-server-end-point,,"), "\(name)"
            )
        }
        // Ed25519 has no hash to bind with: verified, it is done without; not verified, it is not done.
        try await server.use(certificate: "ed")
        try await presents("ed", server)
        let verified = try context(.verifyCA, server, authority: "ed")
        #expect(try await login("scrammed", password: password, port: server.port, tls: verified).firstProof.contains("n,,n=,r="))
        let unverified = try context(.require, server)
        #expect(
            await refusal { try await login("scrammed", password: password, port: server.port, tls: unverified) }.contains(
                "cannot be used for channel binding"))
    }

    /// A reload takes the server a moment: logs in until the new certificate is there.
    private func presents(_ name: String, _ server: AuthenticationPostgres) async throws {
        let tls = try context(.verifyCA, server, authority: name)
        for _ in 0..<200 {
            if await !refusal({ try await login("trusted", password: nil, port: server.port, tls: tls) }).contains("trusted authority"),
                (try? await login("trusted", password: nil, port: server.port, tls: tls)) != nil
            {
                return
            }
            try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("the server never presented its certificate \(name)")
    }
}
