import Foundation
import GatehouseCore
import Recording
import Testing

@testable import S3

@Suite struct ConfigurationTests {
    private static func configuration(_ change: (inout S3Configuration) -> Void = { _ in }) -> S3Configuration {
        var configuration = S3Configuration(
            bucket: "evidence", region: "eu-central-1", credentials: S3Credentials(accessKeyID: "AKIA", secretAccessKey: "secret"))
        change(&configuration)
        return configuration
    }

    @Test func requestsGoWhereTheBucketIs() throws {
        func place(_ endpoint: String?, _ addressing: S3Configuration.Addressing) throws -> String {
            let endpoint = try S3Endpoint(
                Self.configuration { ($0.endpoint, $0.addressing, $0.allowsPlainLoopback) = (endpoint, addressing, true) })
            return endpoint.url + endpoint.basePath
        }
        #expect(try place(nil, .virtualHost) == "https://evidence.s3.eu-central-1.amazonaws.com")
        #expect(try place(nil, .path) == "https://s3.eu-central-1.amazonaws.com/evidence")
        #expect(try place("https://Store.Example:9000/", .path) == "https://store.example:9000/evidence")
        #expect(try place("https://store.example:443", .virtualHost) == "https://evidence.store.example")
        #expect(try place("http://127.0.0.1:9000", .path) == "http://127.0.0.1:9000/evidence")
        #expect(try place("http://[::1]:9000", .path) == "http://[::1]:9000/evidence")
        #expect(try place("http://localhost:9000", .virtualHost) == "http://evidence.localhost:9000")
        #expect(try place("https://10.0.0.1", .path) == "https://10.0.0.1/evidence")
    }

    @Test(arguments: [
        "", "store.example", "ftp://store.example", "https://", "https://a/b", "https://a?b", "https://u:p@a", "https://a:0",
        "https://a:65536",
        "https://a:x", "https://a b", "https://[::1", "https://[::1]x", "https://[g!]", "https://a:", "https://a\nb", "https://a:+1",
        "https://ä",
    ])
    func whatIsNoEndpointIsRefused(_ endpoint: String) {
        #expect(throws: StoreError.self) { try S3Endpoint(Self.configuration { ($0.endpoint, $0.addressing) = (endpoint, .path) }) }
    }

    @Test func plainHTTPIsForThisMachineAndWhereAllowed() {
        for (endpoint, isAllowed) in [
            ("http://store.example", true), ("http://10.0.0.1", true), ("http://127.0.0.1", false), ("http://localhost", false),
            ("http://127.evil.example", true), ("http://localhost.example", true), ("http://127.0.0.1.example", true),
        ] {
            let error = message {
                _ = try S3Endpoint(
                    Self.configuration { ($0.endpoint, $0.addressing, $0.allowsPlainLoopback) = (endpoint, .path, isAllowed) })
            }
            #expect(error?.contains("not encrypted") == true, "\(endpoint)")
        }
        #expect(throws: StoreError.self) { try S3Endpoint(Self.configuration { $0.endpoint = "https://10.0.0.1" }) }
    }

    @Test func whatCannotBeRightIsSaid() throws {
        let changes: [(String, (inout S3Configuration) -> Void)] = [
            ("bucket", { $0.bucket = "No" }), ("bucket", { $0.bucket = "a/b" }), ("bucket", { $0.bucket = "-ab" }),
            ("bucket", { $0.bucket = "a..b" }),
            ("region", { $0.region = "" }), ("region", { $0.region = "a/b" }), ("prefix", { $0.prefix = "/a" }),
            ("prefix", { $0.prefix = "a/" }),
            ("prefix", { $0.prefix = "a/../b" }), ("access key", { $0.credentials.accessKeyID = "" }),
            ("access key", { $0.credentials.accessKeyID = "a\nb" }),
            ("secret", { $0.credentials.secretAccessKey = "" }), ("token", { $0.credentials.sessionToken = "a\r\nb" }),
            ("parts", { $0.partBytes = 1 }),
            ("parts", { $0.partBytes = .max }), ("read-ahead", { $0.readAheadBytes = 0 }), ("timeout", { $0.idleTimeout = .zero }),
            ("times", { $0.retries.attempts = 0 }), ("pauses", { $0.retries.base = .seconds(-1) }),
            ("/nowhere.pem", { $0.authorityFile = "/nowhere.pem" }),
        ]
        for (word, change) in changes {
            let error = try #require(message { _ = try S3Store(Self.configuration(change)) })
            #expect(error.contains(word), "\(error)")
        }
        _ = try S3Store(Self.configuration())
    }

    @Test func keysHaveAsManyBytesAsS3Takes() throws {
        let store = try S3Store(Self.configuration { $0.prefix = "p" })
        #expect(try store.name(of: ObjectKey(String(repeating: "k", count: 1_022))).utf8.count == 1_024)
        #expect(throws: StoreError.self) { try store.name(of: ObjectKey(String(repeating: "k", count: 1_023))) }
    }

    @Test func pausesGrowAndEnd() {
        let retries = S3Retries(attempts: 8, base: .milliseconds(100), cap: .seconds(1), total: .seconds(4))
        let pauses = (1...8).map { retries.pause(after: $0, elapsed: .zero, jitter: 1) }
        #expect(pauses == [100, 200, 400, 800, 1_000, 1_000, 1_000].map { .milliseconds($0) } + [nil])
        #expect(retries.pause(after: 3, elapsed: .zero, jitter: 0.5) == .milliseconds(200))
        #expect(retries.pause(after: 3, elapsed: .zero, jitter: 0) == .zero)
        #expect(retries.pause(after: 3, elapsed: .milliseconds(3_600), jitter: 1) == .milliseconds(400))
        #expect(retries.pause(after: 3, elapsed: .milliseconds(3_601), jitter: 1) == nil)
        #expect(S3Retries(attempts: 100).pause(after: 99, elapsed: .zero, jitter: 1) == .seconds(10))
    }
}
