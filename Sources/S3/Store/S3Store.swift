public import GatehouseCore
public import Logging
public import Recording
import Synchronization

/// A store in an S3 bucket. Calls block, and must not be made on an event loop; they may be made on many threads.
///
/// What `put` returned from, the server has acknowledged whole, with a checksum that agrees. What `open` reads is of one object: if
/// that is replaced meanwhile, the next read fails.
public final class S3Store: ObjectStore {
    let client: S3Client
    var configuration: S3Configuration { client.configuration }
    /// False once the server said that it keeps no versions.
    let listsVersions = Atomic<Bool>(true)

    /// - Throws: `StoreError` when the configuration cannot be right. The server is not asked yet.
    public convenience init(
        _ configuration: S3Configuration, clock: any GatewayClock = SystemClock(), logger: Logger? = nil
    ) throws(StoreError) {
        try self.init(
            configuration,
            surroundings: S3Surroundings(
                clock: clock, sleep: { blockThread(for: $0) }, jitter: { Double.random(in: 0...1) }, logger: logger))
    }

    init(_ configuration: S3Configuration, surroundings: S3Surroundings) throws(StoreError) {
        client = try S3Client(configuration, surroundings)
    }

    /// Signs with `credentials` from the next request on: temporary ones end.
    public func replaceCredentials(_ credentials: S3Credentials) { client.replaceCredentials(credentials) }

    public func put(_ key: ObjectKey, _ bytes: [UInt8], retainUntil: WallTime?) throws(StoreError) {
        let upload = S3Upload(client: client, key: try name(of: key), lock: lockHeaders(retainUntil))
        if bytes.count <= configuration.partBytes {
            try upload.putWhole(bytes)
        } else {
            try upload.putInParts(bytes)
        }
    }

    public func open(_ key: ObjectKey) throws(StoreError) -> (any StoredObject)? {
        try S3Object(client: client, key: try name(of: key))
    }

    /// In the order of the bytes of the keys, which is that of S3.
    public func forEachKey(below folder: String, _ body: (ObjectKey) throws -> Bool) throws {
        let listing = S3Listing(client: client, prefix: root + folder + "/")
        try listing.forEach { key in try body(ObjectKey(String(decoding: key.utf8.dropFirst(root.utf8.count), as: UTF8.self))) }
    }

    /// The configured prefix with its slash, or nothing.
    var root: String { configuration.prefix.isEmpty ? "" : configuration.prefix + "/" }

    /// The whole key in the bucket.
    func name(of key: ObjectKey) throws(StoreError) -> String {
        let name = root + key.path
        guard key.isPlain, name.utf8.count <= 1_024 else {
            throw StoreError("'\(key)' cannot be the key of an object: plain words with slashes between them, at most 1,024 bytes in all")
        }
        return name
    }

    /// docs.aws.amazon.com, PutObject: the date is in whole seconds, here not earlier than asked for.
    private func lockHeaders(_ until: WallTime?) -> [(name: String, value: String)] {
        guard let until, let mode = configuration.lockMode else { return [] }
        let whole = until.nanoseconds % 1_000_000_000 == 0 ? until : until.advanced(by: .seconds(1))
        return [
            ("x-amz-object-lock-mode", mode.rawValue),
            ("x-amz-object-lock-retain-until-date", CivilTime(whole).extended),
        ]
    }
}

/// A listing in pages.
struct S3Listing {
    var client: S3Client
    var prefix: String

    private struct Page {
        var keys: [String]
        var next: String?
    }

    /// Every key that begins with `prefix`, until `body` returns false.
    func forEach(_ body: (String) throws -> Bool) throws {
        var token: String?
        var last: String?
        repeat {
            let request = request(after: token)
            let page = try client.ask(request) { answer throws(S3Failure) in try Self.page(answer) }
            for key in page.keys {
                // Some servers say a key twice while it is replaced.
                if let last, last.utf8.elementsEqual(key.utf8) { continue }
                // The order is what makes the keys of a folder come together, and a listing end.
                guard key.utf8.starts(with: prefix.utf8), last.map({ $0.utf8.lexicographicallyPrecedes(key.utf8) }) ?? true else {
                    throw client.storeError(request, .wrong("'\(key)' is not in its place: the server must list keys by their bytes"))
                }
                last = key
                guard try body(key) else { return }
            }
            if let next = page.next, next == token { throw client.storeError(request, .wrong("the same page again")) }
            token = page.next
        } while token != nil
    }

    private func request(after token: String?) -> S3Request {
        S3Request(
            .GET,
            query: [("list-type", "2"), ("prefix", prefix), ("encoding-type", "url")] + (token.map { [("continuation-token", $0)] } ?? []))
    }

    private static func page(_ answer: S3Answer) throws(S3Failure) -> Page {
        let root = try answer.document("ListBucketResult")
        var keys: [String] = []
        for entry in root.all("Contents") { keys.append(try root.key(of: entry)) }
        guard root["IsTruncated"]?.text == "true" else { return Page(keys: keys) }
        guard let next = root["NextContinuationToken"]?.text, !next.isEmpty else { throw .wrong("a page that goes on nowhere") }
        return Page(keys: keys, next: next)
    }
}

extension S3Answer {
    /// The body, which must be a document with one of these roots: a few servers name some otherwise than AWS, which is the first.
    func document(_ names: String...) throws(S3Failure) -> XMLElement {
        let root: XMLElement
        do throws(XMLError) { root = try XMLReader.document(body) } catch {
            throw .wrong("an answer that is no XML (\(error.reason) at byte \(error.offset))")
        }
        guard names.contains(root.name) else { throw .wrong("an answer that is no \(names[0])") }
        return root
    }
}

extension XMLElement {
    /// The key of an entry of this listing, decoded where the listing says that keys are encoded.
    func key(of entry: XMLElement) throws(S3Failure) -> String {
        guard let text = entry["Key"]?.text else { throw .wrong("an entry without a key") }
        guard self["EncodingType"]?.text == "url" else { return text }
        guard let key = PercentEncoding.decode(text) else { throw .wrong("a key that is not URL-encoded") }
        return key
    }
}
