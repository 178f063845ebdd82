import GatehouseCore
import ProviderSupport
import Testing

@testable import Identity

/// Tokens of two real and unrelated providers, read by one authenticator.
@Suite(.serialized) struct ProviderTests {
    @Test func tokensOfRealProvidersAreRead() async throws {
        try await Provider.with("glewlwyd.py") { glewlwyd in
            try await Provider.with("provider_mock.py") { mock in
                try await check(glewlwyd, mock)
            }
        }
    }

    private func check(_ glewlwyd: Provider.Description, _ mock: Provider.Description) async throws {
        let authenticator = try OIDCAuthenticator([
            // "openid" is the audience that this provider gives its access tokens.
            IssuerSettings(issuer: glewlwyd.issuer, audiences: ["gw", "openid"], authorizedParties: ["gw"], userClaim: "email"),
            IssuerSettings(issuer: mock.issuer, audiences: ["gw"], userClaim: "email"),
        ])
        func principal(_ provider: Provider.Description, _ user: String, _ kind: String) async throws -> Principal {
            let token = try #require(provider.users[user]?[kind])
            return try await authenticator.authenticate(Secret(token), from: "127.0.0.1", asking: "orders")
        }
        let alice = try await principal(glewlwyd, "alice", "id_token")
        #expect(alice.user == "alice@example.com")
        #expect(alice.groups == ["dba", "sre"])
        #expect(try await principal(glewlwyd, "alice", "access_token").groups == ["dba", "sre"])
        #expect(try await principal(glewlwyd, "bob", "access_token").groups == ["deploy-bots"])
        #expect(try await principal(glewlwyd, "carol", "id_token").groups == ["managers"])
        let dave = try await principal(mock, "dave", "id_token")
        #expect(dave.issuer == mock.issuer)
        #expect(dave.groups == ["contractors"])
        #expect(dave.subject == "dave")
    }
}
