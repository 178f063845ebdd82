import GatehouseCore
import Logging
import NIOHTTP1
import Recording
import Synchronization
import Testing

@testable import S3

/// What a network and a server do to a store, between the store and a real server. Whatever is said to be stored, is.
@Suite struct FaultTests {
    private let proxy: FaultProxy
    private let clock = ManualClock()
    private let store: S3Store
    /// To see what is in the bucket without the proxy.
    private let direct: S3Store
    private static let big = [UInt8](repeating: 7, count: (5 << 20) * 2 + 9)

    init() throws {
        let server = try S3Server.rclone.get()
        proxy = try FaultProxy(server.description.endpoint)
        var configuration = server.configuration()
        direct = try S3Store(configuration)
        configuration.endpoint = proxy.endpoint
        configuration.idleTimeout = .milliseconds(300)
        store = try S3Store(testing: configuration, clock: clock)
    }

    @Test(arguments: [500, 502, 503, 504, 429]) func aServerThatRecoversIsAskedAgain(_ status: Int) throws {
        proxy.plan { $0.number < 4 ? .answer(.error(status, status == 503 ? "SlowDown" : "InternalError")) : nil }
        try store.put("a/1", [1, 2, 3])
        #expect(try direct.read("a/1") == [1, 2, 3])
        #expect(proxy.calls.count == 5)
        #expect(clock.slept == [.milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1_600)])
        proxy.plan { $0.number < 2 ? .answer(.error(status, "InternalError")) : nil }
        #expect(try store.read("a/1") == [1, 2, 3])
        proxy.plan { $0.number < 2 ? .answer(.error(status, "InternalError")) : nil }
        #expect(try store.keys(below: "a") == ["a/1"])
        proxy.plan { $0.number < 2 ? .answer(.error(status, "InternalError")) : nil }
        try store.delete(ObjectKey("a/1"))
        #expect(try direct.read("a/1") == nil)
    }

    @Test func aServerThatDoesNotRecoverIsGivenUp() throws {
        proxy.plan { _ in .answer(.error(503, "SlowDown")) }
        let error = try #require(message { try store.put("a/1", [1]) })
        #expect(error.contains("PUT of '") && error.contains("503 SlowDown") && error.contains("tried 6 times"), "\(error)")
        #expect(proxy.calls.count == 6)
        #expect(try direct.read("a/1") == nil)
    }

    @Test(arguments: [
        (400, "BadDigest"), (403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (409, "OperationAborted"), (501, "NotImplemented"),
    ])
    func arefusalIsNotAskedAgain(_ status: Int, _ code: String) throws {
        proxy.plan { _ in .answer(.error(status, code)) }
        let error = try #require(message { try store.put("a/1", [1]) })
        #expect(error.contains("\(status) \(code)"), "\(error)")
        #expect(proxy.calls.count == 1)
        #expect(clock.slept.isEmpty)
    }

    @Test func connectionsThatBreakAreMadeAgain() throws {
        for fault in [Fault.reset, .resetAfter, .stall] {
            proxy.plan { $0.number < 2 ? fault : nil }
            try store.put("a/1", [1, 2, 3])
            #expect(proxy.calls.count == 3, "\(fault)")
        }
        for fault in [Fault.reset, .resetAfter, .stall, .truncate] {
            proxy.plan { [0, 2].contains($0.number) ? fault : nil }
            #expect(try store.read("a/1") == [1, 2, 3], "\(fault)")
            proxy.plan { $0.number == 0 ? fault : nil }
            #expect(try store.keys(below: "a") == ["a/1"], "\(fault)")
        }
    }

    @Test func nobodyListening() throws {
        var configuration = try S3Server.rclone.get().configuration()
        // Nothing listens on the port of a closed socket.
        let closed = try FaultProxy("http://127.0.0.1:1").endpoint
        configuration.endpoint = closed
        let error = try #require(message { try S3Store(testing: configuration).put("a/1", [1]) })
        #expect(error.contains("tried 6 times") && error.contains(closed), "\(error)")
    }

    @Test func whatTheServerSaysItStoredMustBeWhatWasSent() throws {
        for (name, value) in [
            ("etag", "\"00000000000000000000000000000000\""), ("etag", ""),
            ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ] {
            proxy.plan { _ in .change { $0.headers.replaceOrAdd(name: name, value: value) } }
            let error = try #require(message { try store.put("a/1", [1]) }, "\(name) \(value)")
            #expect(error.contains("store"), "\(error)")
            #expect(proxy.calls.count == 1)
            let big = try #require(message { try store.put("a/2", Self.big) }, "\(name) \(value)")
            #expect(big.contains("sending a part"), "\(big)")
            #expect(try direct.read("a/2") == nil)
        }
        // With KMS an ETag is no MD5.
        proxy.plan { _ in
            .change {
                $0.headers.replaceOrAdd(name: "etag", value: "\"00000000000000000000000000000000\"")
                $0.headers.add(name: "x-amz-server-side-encryption", value: "aws:kms")
            }
        }
        try store.put("a/1", [1])
    }

    @Test func anUploadThatFailsLeavesNothing() throws {
        let faults: [(String, @Sendable (Call) -> Bool)] = [
            ("beginning the upload", { $0.uri.hasSuffix("?uploads=") }), ("sending a part", { $0.uri.contains("partNumber=2") }),
            ("completing the upload", { $0.isComplete }),
        ]
        for (what, isIt) in faults {
            proxy.plan { isIt($0) ? .answer(.error(503, "SlowDown")) : nil }
            let error = try #require(message { try store.put("a/1", Self.big) })
            #expect(error.contains(what), "\(error)")
            #expect(try direct.keys(below: "a").isEmpty)
            #expect(proxy.calls.last?.method == (what == "beginning the upload" ? .POST : .DELETE))
        }
    }

    @Test func partsAreSentAgainAloneAndInOrder() throws {
        proxy.plan { $0.isPart && $0.number % 2 == 1 ? .answer(.error(500, "InternalError")) : nil }
        try store.put("a/1", Self.big)
        #expect(try direct.read("a/1") == Self.big)
        let numbers = proxy.calls.filter(\.isPart).map { $0.uri.contains("partNumber=1") ? 1 : $0.uri.contains("partNumber=2") ? 2 : 3 }
        #expect(numbers == [1, 1, 2, 2, 3, 3])
    }

    @Test func twoHundredWithAnErrorInItIsAnError() throws {
        let error = Reply(status: .ok, body: Array("<?xml version=\"1.0\"?>\n  <Error><Code>InternalError</Code></Error>".utf8))
        proxy.plan { $0.isComplete ? .answer(error) : nil }
        let text = try #require(message { try store.put("a/1", Self.big) })
        #expect(text.contains("InternalError") && text.contains("tried 6 times"), "\(text)")
        #expect(try direct.read("a/1") == nil)
        let refusal = Reply(status: .ok, body: Array("<Error><Code>AccessDenied</Code></Error>".utf8))
        proxy.plan { $0.isComplete ? .answer(refusal) : nil }
        #expect(message { try store.put("a/1", Self.big) } != nil)
        #expect(proxy.calls.filter(\.isComplete).count == 1)
        // Once, and then it works.
        let failed = Mutex(false)
        proxy.plan { call in
            guard call.isComplete,
                !failed.withLock({ was in
                    defer { was = true }; return was
                })
            else { return nil }
            return .answer(error)
        }
        try store.put("a/1", Self.big)
        #expect(try direct.read("a/1") == Self.big)
        for body in ["", "<html></html>", "not XML", "<CompleteMultipartUploadResult>"] {
            proxy.plan { $0.isComplete ? .change { $0.body = Array(body.utf8) } : nil }
            #expect(message { try store.put("a/1", Self.big) } != nil, "\(body)")
        }
    }

    @Test func aCompletionWhoseAnswerGotLostIsFoundOut() throws {
        let lost = Mutex(false)
        proxy.plan { call in
            guard call.isComplete,
                !lost.withLock({ was in
                    defer { was = true }; return was
                })
            else { return nil }
            return .resetAfter
        }
        try store.put("a/1", Self.big)
        #expect(try direct.read("a/1") == Self.big)
        #expect(proxy.calls.contains { $0.method == .HEAD })
        // Here it was aborted, and another object is there.
        try direct.put("a/1", [1])
        proxy.plan { $0.isComplete ? .answer(.error(404, "NoSuchUpload")) : nil }
        #expect(message { try store.put("a/1", Self.big) } != nil)
        #expect(try direct.read("a/1") == [1])
    }

    @Test func theWholeMustBeThatOfTheParts() throws {
        for element in ["<ETag>\"00000000000000000000000000000000-3\"</ETag>", "<ChecksumSHA256>AAAA-3</ChecksumSHA256>"] {
            let body = Array("<CompleteMultipartUploadResult>\(element)</CompleteMultipartUploadResult>".utf8)
            proxy.plan { $0.isComplete ? .answer(Reply(status: .ok, body: body)) : nil }
            let error = try #require(message { try store.put("a/1", Self.big) })
            #expect(error.contains("stored something else"), "\(error)")
        }
    }

    @Test func aReadThatIsNotTheObjectIsAnError() throws {
        let bytes = [UInt8](0..<200)
        try direct.put("a/1", bytes)
        let changes: [@Sendable (inout Reply) -> Void] = [
            { $0.body.removeLast() }, { $0.body.append(1) }, { $0.body = [] },
            { $0.headers.replaceOrAdd(name: "etag", value: "\"other\"") },
            { $0.headers.remove(name: "etag") }, { $0.headers.replaceOrAdd(name: "content-range", value: "bytes 1-200/200") },
            { $0.headers.replaceOrAdd(name: "content-range", value: "bytes 0-199/300") },
            { $0.body = [UInt8](repeating: 0, count: 1 << 20) },
        ]
        for (index, change) in changes.enumerated() {
            proxy.plan { $0.method == .GET ? .change(change) : nil }
            #expect(message { _ = try store.read("a/1") } != nil, "\(index)")
        }
        for value in ["-1", "99999999999999999999", "x"] {
            proxy.plan { _ in .change { $0.headers.replaceOrAdd(name: "content-length", value: value) } }
            #expect(message { _ = try store.read("a/1") } != nil, "\(value)")
        }
        proxy.plan { _ in nil }
        let object = try #require(try store.open(ObjectKey("a/1")))
        var byte: UInt8 = 0
        proxy.plan { $0.method == .GET ? .change { $0.headers.remove(name: "content-range") } : nil }
        #expect(throws: StoreError.self) { try withUnsafeMutableBytes(of: &byte) { try object.read(at: 100, into: $0) } }
        try direct.put("a/1", bytes.reversed())
        #expect(throws: StoreError.self) { try withUnsafeMutableBytes(of: &byte) { try object.read(at: 0, into: $0) } }
    }

    @Test func readingInSequenceAsksSeldom() throws {
        let bytes = [UInt8](repeating: 3, count: 9 << 20)
        try direct.put("a/1", bytes)
        let object = try #require(try store.open(ObjectKey("a/1")))
        proxy.plan { _ in nil }
        var buffer = [UInt8](repeating: 0, count: 32 << 10)
        for offset in stride(from: 0, to: bytes.count, by: buffer.count) {
            #expect(try buffer.withUnsafeMutableBytes { raw in try object.read(at: offset, into: raw) } == buffer.count)
        }
        #expect(proxy.calls.count == 3)
        proxy.plan { _ in nil }
        _ = try buffer.withUnsafeMutableBytes { raw in try object.read(at: 1 << 20, into: raw) }
        #expect(proxy.calls.first?.headers.first(name: "range") == "bytes=1048576-1114111")
    }

    @Test func aListingThatIsNotOneIsAnError() throws {
        for body in [
            "", "<Error/>", "<ListBucketResult>", "<ListBucketResult><Contents/></ListBucketResult>",
            "<ListBucketResult><Contents><Key>elsewhere</Key></Contents></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>",
        ] {
            proxy.plan { _ in .answer(Reply(status: .ok, body: Array(body.utf8))) }
            #expect(message { _ = try store.keys(below: "a") } != nil, "\(body)")
        }
        let root = store.root
        let unordered = ["a/2", "a/1"].map { "<Contents><Key>\(root)\($0)</Key></Contents>" }.joined()
        proxy.plan { _ in .answer(Reply(status: .ok, body: Array("<ListBucketResult>\(unordered)</ListBucketResult>".utf8))) }
        #expect(message { _ = try store.keys(below: "a") }?.contains("not in its place") == true)
    }

    @Test func answersAreBounded() throws {
        proxy.plan { _ in .answer(Reply(status: .ok, body: [UInt8](repeating: 0x20, count: 9 << 20))) }
        #expect(message { _ = try store.keys(below: "a") }?.contains("larger") == true)
    }

    /// Random faults over random puts and deletes: what returned is so, and what threw is the old or the new, whole.
    @Test func whatIsSaidToBeStoredIs() throws {
        var generator = SeededGenerator(state: 5)
        var expected: [String: [[UInt8]?]] = [:]
        for round in 0..<(isSoak ? 600 : 60) {
            let seed = generator.next()
            proxy.plan { call in
                var dice = SeededGenerator(state: seed &+ UInt64(call.number) &* 77)
                switch Int.random(in: 0..<14, using: &dice) {
                case 0, 1: return .answer(.error(500, "InternalError"))
                case 2, 3: return .reset
                case 4, 5: return .resetAfter
                case 6: return .truncate
                case 7: return .answer(.error(403, "AccessDenied"))
                case 8: return .change { $0.headers.replaceOrAdd(name: "etag", value: "\"00000000000000000000000000000000\"") }
                default: return nil
                }
            }
            let key = "a/\(round % 5)"
            var bytes: [UInt8]?
            if Int.random(in: 0..<5, using: &generator) > 0 {
                let count = round % 6 == 0 ? (5 << 20) + round : Int.random(in: 0..<5_000, using: &generator)
                bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: round + 1), count: count)
            }
            let before = expected[key] ?? [nil]
            do throws(StoreError) {
                if let bytes { try store.put(ObjectKey(key), bytes, retainUntil: nil) } else { try store.delete(ObjectKey(key)) }
                expected[key] = [bytes]
            } catch {
                expected[key] = before + [bytes]
            }
            let found = try direct.read(key)
            #expect(expected[key]?.contains(found) == true, "round \(round): \(found?.count ?? -1) bytes")
            expected[key] = [found]
        }
    }
}
