import Foundation
import GatehouseCore
import Logging
import Recording
import Synchronization
import Testing

@testable import S3

/// What is asked of real servers beyond what every store must do.
@Suite struct ServerTests {
    private func hour(_ count: Int) -> WallTime { SystemClock().wallTime().advanced(by: .seconds(3_600 * count)) }

    @Test(arguments: [S3Configuration.LockMode.compliance, .governance])
    func whatIsRetainedCannotBeDeleted(_ mode: S3Configuration.LockMode) throws {
        var configuration = try S3Server.moto.get().configuration(bucket: "locked")
        configuration.lockMode = mode
        let store = try S3Store(testing: configuration)
        try store.put("a/1", [1], retainUntil: hour(1))
        let error = try #require(message { try store.delete(ObjectKey("a/1")) })
        #expect(error.contains("403 AccessDenied") && error.contains("retained"), "\(error)")
        // Not hidden behind a delete marker either.
        #expect(try store.read("a/1") == [1])
        #expect(try store.keys(below: "a") == ["a/1"])
        // Replaced, the first is still held; nothing is hidden.
        try store.put("a/1", [2])
        #expect(message { try store.delete(ObjectKey("a/1")) } != nil)
        #expect(try store.read("a/1") == [2])
    }

    /// Moto locks no objects of parts; what is asked of it is what AWS asks for.
    @Test func retentionIsAskedForWhenAnUploadBegins() throws {
        let server = try S3Server.moto.get()
        let proxy = try FaultProxy(server.description.endpoint)
        var configuration = server.configuration(bucket: "locked")
        configuration.endpoint = proxy.endpoint
        let until = WallTime(nanoseconds: 1_900_000_000_000_000_001)
        // Without a mode the dates go nowhere.
        for mode in [S3Configuration.LockMode.compliance, .governance, nil] {
            configuration.lockMode = mode
            proxy.plan { _ in nil }
            try S3Store(testing: configuration).put("a/1", [UInt8](repeating: 1, count: (5 << 20) + 10), retainUntil: until)
            try S3Store(testing: configuration).put("a/2", [1], retainUntil: until)
            for (index, call) in proxy.calls.enumerated() {
                let isFirst = mode != nil && (index == 0 || index == proxy.calls.count - 1)
                #expect(call.headers.first(name: "x-amz-object-lock-mode") == (isFirst ? mode?.rawValue : nil))
                #expect(call.headers.first(name: "x-amz-object-lock-retain-until-date") == (isFirst ? "2030-03-17T17:46:41Z" : nil))
            }
        }
    }

    @Test func whatIsNoLongerRetainedCanBe() throws {
        var configuration = try S3Server.moto.get().configuration(bucket: "locked")
        configuration.lockMode = .governance
        let store = try S3Store(testing: configuration)
        try store.put("a/1", [1], retainUntil: SystemClock().wallTime().advanced(by: .seconds(1)))
        #expect(message { try store.delete(ObjectKey("a/1")) } != nil)
        blockThread(for: .milliseconds(2_100))
        try store.delete(ObjectKey("a/1"))
        #expect(try store.read("a/1") == nil)
        try store.put("a/2", [1])
        try store.delete(ObjectKey("a/2"))
        #expect(try store.keys(below: "a").isEmpty)
    }

    /// A bucket that keeps versions keeps none of what was deleted.
    @Test func everyVersionIsDeleted() throws {
        let server = try S3Server.moto.get()
        let store = try S3Store(testing: server.configuration(bucket: "versions"))
        for byte in UInt8(0)..<3 { try store.put("a/1", [byte]) }
        try store.put("a/10", [9])
        // As an operator's own tools would: a marker hides it.
        _ = try store.client.send(S3Request(.DELETE, key: store.root + "a/1"))
        #expect(try store.read("a/1") == nil)
        try store.delete(ObjectKey("a/1"))
        let left = try store.client.send(S3Request(.GET, query: [("versions", ""), ("prefix", store.root)]))
            .document("ListVersionsResult")
        #expect(left.children.filter { $0.name == "Version" || $0.name == "DeleteMarker" }.map { $0["Key"]?.text } == [store.root + "a/10"])
    }

    /// Where versions cannot be listed, hiding must not pass for deleting.
    @Test func aMarkerIsNoDeletion() throws {
        let server = try S3Server.moto.get()
        let proxy = try FaultProxy(server.description.endpoint)
        var configuration = server.configuration(bucket: "versions")
        configuration.endpoint = proxy.endpoint
        let store = try S3Store(testing: configuration)
        proxy.plan { $0.uri.contains("versions=") ? .answer(.error(501, "NotImplemented")) : nil }
        try store.put("a/1", [1])
        #expect(message { try store.delete(ObjectKey("a/1")) }?.contains("only hid") == true)
    }

    @Test func uploadsThatWereAbandonedAreAborted() throws {
        let configuration = try S3Server.rclone.get().configuration()
        let clock = ManualClock()
        let store = try S3Store(testing: configuration, clock: clock)
        var other = configuration
        other.prefix += "x"
        let neighbour = try S3Store(testing: other)
        func begin(_ store: S3Store) throws {
            _ = try store.client.send(S3Request(.POST, key: store.root + "a/1", query: [("uploads", "")]))
        }
        func open(_ store: S3Store) throws -> Int {
            try store.client.send(S3Request(.GET, query: [("uploads", ""), ("prefix", store.root)]))
                .document("ListMultipartUploadsResult").all("Upload").count
        }
        try begin(store)
        try begin(store)
        try begin(neighbour)
        // They may be another gateway's.
        try store.removeLeftovers()
        #expect(try open(store) == 2)
        // Rclone takes signatures of a quarter of an hour ahead.
        clock.advance(.seconds(600))
        try store.removeLeftovers()
        #expect(try open(store) == 2)
        var short = configuration
        short.abandonedUploadAge = .seconds(300)
        try S3Store(testing: short).removeLeftovers()
        #expect(try open(store) == 2)
        try S3Store(testing: short, clock: clock).removeLeftovers()
        #expect(try open(store) == 0)
        #expect(try open(neighbour) == 1)
    }

    @Test func prefixesKeepStoresApart() throws {
        let server = try S3Server.rclone.get()
        let base = server.configuration()
        func store(_ suffix: String) throws -> S3Store {
            var configuration = base
            configuration.prefix += suffix
            return try S3Store(configuration)
        }
        let (one, longer, below) = (try store(""), try store("-2"), try store("/below"))
        for (store, byte) in [(one, UInt8(1)), (longer, 2), (below, 3)] { try store.put("a/1", [byte]) }
        #expect(try one.read("a/1") == [1])
        #expect(try longer.read("a/1") == [2])
        #expect(try below.read("a/1") == [3])
        #expect(try one.keys(below: "a") == ["a/1"])
        try longer.delete(ObjectKey("a/1"))
        #expect(try one.keys(below: "a") == ["a/1"])
        #expect(try below.keys(below: "a") == ["a/1"])
    }

    @Test func credentialsThatAreWrongAreSaidToBe() throws {
        let server = try S3Server.rclone.get()
        var configuration = server.configuration()
        configuration.credentials.secretAccessKey = "quite-another-secret"
        let store = try S3Store(testing: configuration)
        let error = try #require(message { try store.put("a/1", [1]) })
        #expect(error.contains("SignatureDoesNotMatch") && error.contains("check the secret access key"), "\(error)")
        #expect(!error.contains("quite-another-secret"))
        configuration.credentials.accessKeyID = "AKIANOBODY"
        #expect(message { try S3Store(testing: configuration).put("a/1", [1]) }?.contains("InvalidAccessKeyId") == true)
        // Temporary ones end, and are replaced without a restart.
        store.replaceCredentials(server.description.credentials)
        try store.put("a/1", [1])
        var session = server.description.credentials
        session.sessionToken = "a-session-token"
        store.replaceCredentials(session)
        try store.put("a/1", [2])
        #expect(try store.read("a/1") == [2])
    }

    @Test func aBucketThatIsNotThereIsNotAnEmptyOne() throws {
        for server in [S3Server.rclone, S3Server.moto] {
            let store = try S3Store(testing: server.get().configuration(bucket: "no-such-bucket"))
            for call in [{ try store.put("a/1", [1]) }, { _ = try store.read("a/1") }, { _ = try store.keys(below: "a") }] {
                let error = try #require(message(call))
                #expect(error.contains("NoSuchBucket") && error.contains("create the bucket"), "\(error)")
            }
        }
    }

    @Test func aCertificateOfAnUnknownAuthorityIsRefusedAtOnce() throws {
        var configuration = try S3Server.rcloneTLS.get().configuration()
        configuration.authorityFile = nil
        let error = try #require(message { try S3Store(testing: configuration).put("a/1", [1]) })
        #expect(error.contains("certificate") && !error.contains("tried"), "\(error)")
        // A name that the certificate does not have.
        configuration = try S3Server.rcloneTLS.get().configuration()
        configuration.addressing = .path
        configuration.endpoint = configuration.endpoint?.replacingOccurrences(of: "localhost", with: "127.0.0.1")
        let other = try #require(message { try S3Store(testing: configuration).put("a/1", [1]) })
        #expect(other.contains("certificate") && !other.contains("tried"), "\(other)")
    }

    @Test func nothingSecretIsSaid() throws {
        let server = try S3Server.rclone.get()
        let proxy = try FaultProxy(server.description.endpoint)
        var configuration = server.configuration()
        configuration.endpoint = proxy.endpoint
        configuration.credentials.sessionToken = "token-that-is-secret"
        let lines = LogLines()
        let store = try S3Store(testing: configuration, logger: Logger(label: "test") { _ in lines })
        let secret = server.description.secretKey
        for status in [403, 500] {
            // A server that repeats what it was sent.
            proxy.plan { _ in .answer(.error(status, "Bad", "got token-that-is-secret and \(secret)\nX-Forged: line")) }
            let error = try #require(message { try store.put("a/1", [1]) })
            for text in [error] + lines.all {
                #expect(!text.contains("token-that-is-secret") && !text.contains(secret) && !text.contains("\n"), "\(text)")
            }
        }
        #expect(lines.all.count == 5)
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains(secret) && !dumped.contains("token-that-is-secret"))
    }
}

private struct LogLines: LogHandler {
    private final class Lines: Sendable { let all = Mutex<[String]>([]) }

    private let lines = Lines()
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace
    var all: [String] { lines.all.withLock(\.self) }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.all.withLock { $0.append("\(event.message)") } }
}
