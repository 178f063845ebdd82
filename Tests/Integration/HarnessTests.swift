import Foundation
import Testing

extension IntegrationTests {
    /// The bed itself: a test of the gateway is only worth what the parts around it are.
    @Suite struct HarnessTests {
        @Test func serverAnswersOverVerifiedTLS() async throws {
            let backstage = try await Backstage.shared()
            let cipher = try await backstage.direct(writer: false).value(
                "SELECT ssl::text || count(*) FROM pg_stat_ssl, customers WHERE pid = pg_backend_pid() GROUP BY ssl")
            #expect(cipher == "true240")
        }

        @Test func serverRefusesAWrongPassword() async throws {
            let backstage = try await Backstage.shared()
            var endpoint = backstage.direct()
            endpoint.password = "wrong"
            let refused = try await endpoint.psql("SELECT 1")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("password authentication failed"))
        }

        @Test func serverLogsWhatReachesIt() async throws {
            let backstage = try await Backstage.shared()
            let position = try backstage.server.logPosition()
            _ = try await backstage.direct().value("SELECT 'reached it'")
            let logged = try backstage.server.logged(since: position)
            #expect(logged.contains("app_rw@orders LOG:  statement: SELECT 'reached it'"))
        }

        @Test(arguments: [("alice", ["dba", "sre"]), ("bob", ["deploy-bots"]), ("carol", ["managers"])])
        func providerSignsTokensWithGroups(user: String, groups: [String]) async throws {
            let backstage = try await Backstage.shared()
            let token = try backstage.provider.token(for: user)
            let parts = token.split(separator: ".")
            try #require(parts.count == 3)
            var payload = parts[1].replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
            payload += String(repeating: "=", count: (4 - payload.count % 4) % 4)
            let claims = try JSON.parse(String(decoding: try #require(Data(base64Encoded: payload)), as: UTF8.self))
            #expect(claims["iss"]?.string == backstage.provider.issuer)
            #expect(claims["aud"]?.string == backstage.provider.audience)
            #expect(claims["groups"]?.elements.compactMap(\.string) == groups)
            #expect(claims["email"]?.string == "\(user)@example.com")
        }

        @Test func cardsOfTheShopPassTheLuhnCheck() async throws {
            let cards = try await Backstage.shared().direct().value("SELECT card_number FROM payments").split(separator: "\n")
            #expect(cards.count > 500)
            for card in cards {
                let sum = card.reversed().enumerated().reduce(0) { sum, digit in
                    let value = digit.element.wholeNumberValue ?? 0
                    return sum + (digit.offset % 2 == 0 ? value : value * 2 / 10 + value * 2 % 10)
                }
                #expect(card.count == 16 && sum % 10 == 0, "\(card)")
            }
        }

        @Test func aProgramThatHangsIsEnded() async throws {
            await #expect(throws: HarnessError.self) {
                _ = try await Shell.run("sleep", ["60"], deadline: .milliseconds(200))
            }
        }

        @Test func aProgramThatFailsSaysSo() async throws {
            let failed = try await Shell.run("sh", ["-c", "echo out; echo err >&2; exit 7"])
            #expect(failed.status == 7 && failed.output == "out\n" && failed.errors == "err\n")
            let killed = try await Shell.run("sh", ["-c", "kill -9 $$"])
            #expect(killed.status == 128 + 9)
        }
    }
}
