import NIOHTTP1
import Recording

/// An object that is read in ranges, all of one state of it.
final class S3Object: StoredObject {
    let size: Int
    private let client: S3Client
    private let key: String
    private let eTag: String
    /// What was fetched last, and where that begins.
    private var window: [UInt8] = []
    private var windowStart = 0

    /// What a read out of sequence fetches at least.
    private static let smallestRange = 64 << 10

    /// nil when there is no such object.
    init?(client: S3Client, key: String) throws(StoreError) {
        guard let head = try Self.head(client, key) else { return nil }
        self.client = client
        self.key = key
        (size, eTag) = head
    }

    private static func head(_ client: S3Client, _ key: String) throws(StoreError) -> (size: Int, eTag: String)? {
        let request = S3Request(.HEAD, key: key)
        // An object may come between the two requests.
        for _ in 0..<3 {
            do throws(S3Failure) {
                return try client.send(request) { answer throws(S3Failure) in
                    guard let size = answer.header("content-length").flatMap({ Int($0) }), size >= 0 else { throw .wrong("no size") }
                    guard let eTag = answer.eTag, !eTag.isEmpty else { throw .wrong("no ETag, without which replacement goes unseen") }
                    return (size, eTag)
                }
            } catch {
                guard error.status == 404 else { throw client.storeError(request, error) }
            }
            if try isMissing(client, key) { return nil }
        }
        throw client.storeError(request, .wrong("404 for an object that is there"))
    }

    /// A HEAD has no body, so that a bucket that is not there looks like an object that is not there.
    private static func isMissing(_ client: S3Client, _ key: String) throws(StoreError) -> Bool {
        var request = S3Request(.GET, key: key)
        request.headers = [("range", "bytes=0-0")]
        do throws(S3Failure) {
            _ = try client.send(request)
            return false
        } catch {
            // An empty object has no first byte.
            if error.status == 416 { return false }
            if error.status == 404, error.code == "NoSuchKey" { return true }
            throw client.storeError(request, error)
        }
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        guard offset >= 0 else { throw StoreError("there is nothing before the start of '\(key)'") }
        guard offset < size else { return 0 }
        let wanted = min(buffer.count, size - offset)
        var filled = 0
        while filled < wanted {
            let position = offset + filled
            if position < windowStart || position >= windowStart + window.count { try fetch(position, wanted - filled) }
            let start = position - windowStart
            let count = min(wanted - filled, window.count - start)
            window[start..<start + count].withUnsafeBytes { part in
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).copyMemory(from: part)
            }
            filled += count
        }
        return filled
    }

    /// Fills the window from `position` on: further ahead where reading goes on from its end.
    private func fetch(_ position: Int, _ wanted: Int) throws(StoreError) {
        let isSequential = position == 0 || position == windowStart + window.count
        let most = client.configuration.readAheadBytes
        let count = min(size - position, isSequential ? most : min(most, max(wanted, Self.smallestRange)))
        var request = S3Request(.GET, key: key)
        request.headers = [("if-match", "\"\(eTag)\""), ("range", "bytes=\(position)-\(position + count - 1)")]
        request.maximumAnswer = max(count, 64 << 10)
        window = try client.ask(request) { answer throws(S3Failure) in try check(answer, position, count) }
        windowStart = position
    }

    /// What the answer brings, which must be all that was asked for.
    private func check(_ answer: S3Answer, _ position: Int, _ count: Int) throws(S3Failure) -> [UInt8] {
        // Not every server heeds `If-Match`.
        guard answer.eTag == eTag else { throw .wrong("it was replaced while it was read") }
        let range = answer.header("content-range")
        let isWhole = range == nil && answer.status == 200 && count == size
        guard isWhole || range == "bytes \(position)-\(position + count - 1)/\(size)" else {
            throw .wrong("another range than was asked for")
        }
        guard answer.body.count == count else { throw .wrong("\(answer.body.count) bytes of a range of \(count)") }
        return answer.body
    }
}
