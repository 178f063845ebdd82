import Foundation
import Testing

extension IntegrationTests {
    /// Who gets in, and what those hear who do not.
    @Suite struct AccessTests {
        @Test func psqlSelects() async throws {
            let bed = try await Bed.shared()
            let sql = "SELECT id, title, price FROM products ORDER BY id"
            let answer = try await bed.through().value(sql)
            #expect(try await bed.direct().value(sql) == answer)
            #expect(answer.split(separator: "\n").count == 40)
        }

        @Test func theLoginNameAloneSaysWhereTo() async throws {
            let bed = try await Bed.shared()
            var endpoint = bed.through("orders")
            endpoint.database = "orders"
            #expect(try await endpoint.value("SELECT current_user || ' ' || current_database()") == "app_ro orders")
            let writer = bed.through("writer@orders")
            #expect(try await writer.value("SELECT current_user || ' ' || current_database()") == "app_rw orders")
        }

        @Test func anotherDatabaseIsRefused() async throws {
            let bed = try await Bed.shared()
            var endpoint = bed.through("orders")
            endpoint.database = "bench"
            let refused = try await endpoint.psql("SELECT 1")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("FATAL"))
        }

        @Test(arguments: ["", "not a token", "ght_doesnotexist", String(repeating: "a", count: 60_000)])
        func aWrongSecretIsRefused(secret: String) async throws {
            let bed = try await Bed.shared()
            let position = try bed.server.logPosition()
            let refused = try await bed.through("orders", as: secret.isEmpty ? " " : secret).psql("SELECT 1")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("FATAL"))
            #expect(try !bed.server.logged(since: position).contains("SELECT 1"))
        }

        @Test func aTamperedTokenIsRefusedAndNotLogged() async throws {
            let bed = try await Bed.shared()
            var parts = bed.alice.split(separator: ".").map(String.init)
            try #require(parts.count == 3)
            parts[2] = String(parts[2].reversed())
            let forged = parts.joined(separator: ".")
            let refused = try await bed.through("orders", as: forged).psql("SELECT 1")
            #expect(refused.status == 2)
            #expect(!refused.errors.contains(parts[1]), "the token is in what the client hears")
            #expect(!bed.gateway.log.contains(parts[1]), "the token is in the log")
        }

        @Test func whoHasNoAccessIsRefusedByName() async throws {
            let bed = try await Bed.shared()
            let refused = try await bed.through("orders", as: bed.carol).psql("SELECT 1")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("gatehouse.no-access") || refused.errors.lowercased().contains("access"))
        }

        @Test func aRoleThatIsNotGrantedIsRefused() async throws {
            let bed = try await Bed.shared()
            let refused = try await bed.through("writer@orders", as: bed.bob).psql("SELECT 1")
            #expect(refused.status == 2)
            let granted = try await bed.through("reader@orders", as: bed.bob).value("SELECT current_user")
            #expect(granted == "app_ro")
        }

        @Test(arguments: ["nowhere", "reader@nowhere", "nobody@orders"])
        func anUnknownTargetOrRoleIsRefused(login: String) async throws {
            let bed = try await Bed.shared()
            #expect(try await bed.through(login).psql("SELECT 1").status == 2)
        }

        @Test func withoutTLSNoPasswordIsAskedFor() async throws {
            let bed = try await Bed.shared()
            var endpoint = bed.through()
            endpoint.tls = .disable
            let refused = try await endpoint.psql("SELECT 1")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("TLS") || refused.errors.contains("SSL"))
            #expect(!refused.errors.lowercased().contains("password"))
        }

        @Test func theUpstreamPasswordIsNowhere() async throws {
            let bed = try await Bed.shared()
            _ = try await bed.through().value("SELECT 1")
            for secret in [bed.backstage.readerPassword, bed.backstage.writerPassword, bed.alice] {
                #expect(!bed.gateway.log.contains(secret))
                let arguments = try String(contentsOfFile: "/proc/\(bed.gateway.pid)/cmdline", encoding: .utf8)
                #expect(!arguments.contains(secret))
                let found = try await Shell.run("grep", ["-rlF", "--", secret, bed.gateway.configuration.dataDirectory])
                #expect(found.status == 1, "a secret is in \(found.output)")
            }
        }

        @Test func aTicketOpensASessionAndARevokedOneDoesNot() async throws {
            let bed = try await Bed.shared()
            let made = try await bed.gateway.command(["tickets", "create", "--target", "orders", "--format", "json"], token: bed.alice)
            try #require(made.succeeded, "\(made.errors)")
            let ticket = try #require(try JSON.parse(made.output)["ticket"]?.string)
            let id = try #require(try JSON.parse(made.output)["id"]?.string)
            #expect(ticket.utf8.count <= 64)
            #expect(try await bed.through("orders", as: ticket).value("SELECT 1") == "1")
            #expect(try await bed.through("bench", as: ticket).psql("SELECT 1").status == 2)
            let revoked = try await bed.gateway.command(["tickets", "revoke", id], token: bed.alice)
            try #require(revoked.succeeded, "\(revoked.errors)")
            #expect(try await bed.through("orders", as: ticket).psql("SELECT 1").status == 2)
        }

        @Test func targetsListGivesTheLineToType() async throws {
            let bed = try await Bed.shared()
            let listed = try await bed.gateway.command(["targets", "list"], token: bed.bob)
            #expect(listed.succeeded, "\(listed.errors)")
            #expect(listed.output.contains("psql") && listed.output.contains("orders"))
            #expect(!listed.output.contains("bench"), "bob has no access to bench")
        }
    }
}
