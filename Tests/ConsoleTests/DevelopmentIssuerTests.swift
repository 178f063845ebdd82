import Foundation
import GatehouseCore
import Hummingbird
import HummingbirdTesting
import Identity
import Logging
import Testing

@testable import Console

@Suite struct DevelopmentIssuerTests {
    private static let quiet = Logger(label: "issuer", factory: { _ in SwiftLogNoOpLogHandler() })

    private func issuer(host: String = "127.0.0.1") throws -> DevelopmentIssuer {
        try DevelopmentIssuer(
            users: ["alice": ["dba", "sre"], "agent": ["agents"]], audience: "gatehouse", host: host, logger: Self.quiet)
    }

    @Test(arguments: ["0.0.0.0", "::", "192.0.2.1", "example.com", "127.0.0.1.example.com", ""])
    func refusesToListenWhereOthersReachIt(_ host: String) {
        #expect(throws: DevelopmentIssuer.Failure.self) { try issuer(host: host) }
    }

    /// Its tokens are believed for the same reasons as anybody's: discovery, keys, claims, all over HTTP.
    @Test func itsTokensPassTheProductionPath() async throws {
        let issuer = try issuer()
        let (urls, found) = AsyncStream.makeStream(of: String.self)
        let server = Task { try await issuer.run { found.yield($0) } }
        defer { server.cancel() }
        var iterator = urls.makeAsyncIterator()
        let url = try #require(await iterator.next())
        let port = try #require(URL(string: url)?.port)
        let form = "grant_type=password&username=alice"
        let request =
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            + "Content-Length: \(form.utf8.count)\r\nConnection: close\r\n\r\n\(form)"
        let answer = try await RawConnection.with(port, send: request) { inbound in
            var text = ""
            while let part = try await inbound.next() { text += String(buffer: part) }
            return text
        }
        let body = try #require(answer.components(separatedBy: "\r\n\r\n").last)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
        let token = Secret(try #require(json["access_token"] as? String))
        let settings = IssuerSettings(issuer: url, audiences: ["gatehouse"], userClaim: "preferred_username")
        let principal = try await OIDCAuthenticator([settings]).authenticate(token, from: "127.0.0.1", asking: "orders")
        #expect(principal.user == "alice" && principal.groups == ["dba", "sre"])
        let other = IssuerSettings(issuer: url, audiences: ["another"])
        await #expect(throws: AuthenticationFailure.self) {
            try await OIDCAuthenticator([other]).authenticate(token, from: "127.0.0.1", asking: "orders")
        }
    }

    @Test func givesNothingToStrangersOrOtherSites() async throws {
        try await issuer().application().test(.live) { client in
            for form in [
                "grant_type=password&username=mallory", "username=alice", "", "grant_type=client_credentials&username=alice", "%%%",
            ] {
                try await client.execute(uri: "/token", method: .post, body: ByteBuffer(string: form)) { #expect($0.status == .badRequest) }
            }
            let form = ByteBuffer(string: "grant_type=password&username=alice")
            try await client.execute(uri: "/token", method: .post, headers: [.origin: "https://evil.example"], body: form) {
                #expect($0.status == .forbidden)
            }
            try await client.execute(uri: "/token", method: .get) { #expect($0.status.code >= 400) }
            try await client.execute(uri: "/token", method: .post, body: ByteBuffer(string: String(repeating: "x", count: 20_000))) {
                #expect($0.status == .contentTooLarge)
            }
        }
    }
}
