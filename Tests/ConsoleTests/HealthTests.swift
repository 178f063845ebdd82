import Foundation
import HummingbirdTesting
import Metrics
import Testing

@testable import Console

@Suite struct HealthTests {
    @Test func watchersNeedNoToken() async throws {
        let bench = try await Bench()
        Counter(label: "sessions_total", dimensions: [("target", "orders")], factory: bench.metrics).increment(by: 3)
        try await bench.test { (client: Client) async throws in
            let health = try await client.ask("/healthz")
            #expect(health.status == 200)
            #expect(try health.json["version"] as? String == "1.2.3")
            let metrics = try await client.ask("/metrics")
            #expect(metrics.headers[.contentType]?.hasPrefix("text/plain") == true)
            #expect(metrics.text.contains("sessions_total{target=\"orders\"} 3\n"))
            #expect(metrics.text.contains("process_resident_memory_bytes "))
        }
    }

    @Test func theLinkOfAnApprovalSaysHowToDecideAndNothingElse() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            // Whether there is one makes no difference.
            let page = try await client.ask("/approvals/apr-23456789abcd")
            #expect(page.status == 200 && page.headers[.contentType]?.hasPrefix("text/plain") == true)
            #expect(page.text.contains("gatehouse approvals approve apr-23456789abcd\n"))
            #expect(try await client.ask("/approvals/apr-2%3Bls").status == 404)
        }
    }

    @Test func readinessNamesWhatIsWrong() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let ready = try await client.ask("/readyz")
            #expect(ready.status == 200)
            #expect(try ready.json["status"] as? String == "ready")
            // It goes on for a while, and somebody should look.
            bench.deeds.withLock { $0.condition = .degraded("the store does not answer") }
            let degraded = try await client.ask("/readyz")
            #expect(degraded.status == 200)
            #expect(try degraded.json["status"] as? String == "degraded" && degraded.text.contains("the store does not answer"))
            bench.deeds.withLock { $0.condition = .failed("the disk is full") }
            let not = try await client.ask("/readyz")
            #expect(not.status == 503)
            let checks = try #require(try not.json["checks"] as? [String: [String: any Sendable]])
            #expect(checks["store"]?["problem"] as? String == "the disk is full")
            #expect(checks["catalog"]?["ok"] as? Bool == true)
        }
    }

    @Test func answersAreNotForBrowsersToKeep() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            for path in ["/healthz", "/nothing", "/api/v1/whoami"] {
                let answer = try await client.ask(path)
                #expect(answer.headers[.cacheControl] == "no-store")
                #expect(answer.headers[.xContentTypeOptions] == "nosniff")
                #expect(answer.headers[.setCookie] == nil)
            }
            let missing = try await client.ask("/nothing")
            #expect(missing.status == 404)
            #expect(missing.headers[.contentType] == "application/problem+json")
            #expect(try missing.json["status"] as? Int == 404)
        }
    }

    @Test func pagesOfOtherSitesAreRefused() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            #expect(try await client.ask("/metrics", headers: [.origin: "https://evil.example"]).status == 403)
            #expect(try await client.ask("/api/v1/whoami", as: "alice", headers: [.origin: "null"]).status == 403)
            let site = try #require(HTTPFieldName("Sec-Fetch-Site"))
            #expect(try await client.ask("/metrics", headers: [site: "cross-site"]).status == 403)
            #expect(try await client.ask("/metrics", headers: [site: "same-site"]).status == 403)
            #expect(try await client.ask("/metrics", headers: [site: "none"]).status == 200)
        }
    }

    @Test func hostsAreReadAsNames() {
        #expect(BrowserGuard.host("LOCALHOST:9090") == "localhost")
        #expect(BrowserGuard.host("[::1]:9090") == "::1")
        #expect(BrowserGuard.host("evil.example") == "evil.example")
        #expect(BrowserGuard.host("127.0.0.1.evil.example:1") == "127.0.0.1.evil.example")
        #expect(BrowserGuard.host("") == "")
    }

    /// DNS rebinding: the name of another site that leads to this address.
    @Test func otherNamesForThisAddressAreRefused() async throws {
        let bench = try await Bench()
        try await withServer(bench) { (port: Int) async throws in
            #expect(try await rawStatus(port, host: "evil.example:\(port)") == 421)
            #expect(try await rawStatus(port, host: "127.0.0.1:\(port)") == 200)
            #expect(try await rawStatus(port, host: "localhost") == 200)
            #expect(try await rawStatus(port, host: "[::1]:9090") == 200)
        }
    }

    @Test func tokensDoNotTravelInClear() async throws {
        let bench = try await Bench(tls: true)
        try await bench.server.application().test(.ahc(.https)) { client in
            try await client.execute(uri: "/healthz", method: .get) { #expect($0.status == .ok) }
        }
        for host in ["0.0.0.0", "192.0.2.1", "gateway.example.com", "::", "127.0.0.1.example.com", ""] {
            #expect(throws: ConsoleServer.SettingsFailure.self) {
                try ConsoleServer(
                    ConsoleSettings(host: host, port: 0), backend: bench.server.backend, metrics: PrometheusRegistry(),
                    logger: .init(label: "console"))
            }
        }
    }
}
