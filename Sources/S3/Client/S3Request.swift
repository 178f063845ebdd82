import Crypto
import Foundation
import NIOCore
import NIOHTTP1

/// A request for the bucket or an object in it, not signed yet.
struct S3Request: Sendable {
    var method: HTTPMethod
    /// The whole key, the store's prefix included; nil for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    private(set) var body: ByteBuffer?
    /// SHA-256 of the body.
    private(set) var bodyDigest: [UInt8] = Self.emptyDigest
    /// A larger answer is refused, in bytes.
    var maximumAnswer = 8 << 20

    private static let emptyDigest = Array(SHA256.hash(data: [UInt8]()))

    init(_ method: HTTPMethod, key: String? = nil, query: [(name: String, value: String)] = []) {
        self.method = method
        self.key = key
        self.query = query
    }

    mutating func setBody(_ bytes: ArraySlice<UInt8>) {
        body = ByteBuffer(bytes: bytes)
        bodyDigest = bytes.withUnsafeBytes { Array(SHA256.hash(data: $0)) }
    }

    /// For messages: what is asked, of what.
    var description: String {
        let operation = query.first { ["uploads", "uploadId", "versions", "list-type"].contains($0.name) }?.name
        let what =
            switch (method, operation) {
            case (.GET, "list-type"), (.GET, "versions"), (.GET, "uploads"): "listing"
            case (.POST, "uploads"): "beginning the upload"
            case (.PUT, "uploadId"): "sending a part"
            case (.POST, "uploadId"): "completing the upload"
            case (.DELETE, "uploadId"): "aborting the upload"
            default: method.rawValue
            }
        if let key { return "\(what) of '\(key)'" }
        return what + (query.first { $0.name == "prefix" }.map { " below '\($0.value)'" } ?? "")
    }
}

/// A whole answer.
struct S3Answer: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]

    func header(_ name: String) -> String? { headers.first(name: name) }

    /// Without its quotes.
    var eTag: String? {
        guard let text = header("etag") else { return nil }
        return text.hasPrefix("\"") && text.hasSuffix("\"") && text.utf8.count > 1 ? String(text.dropFirst().dropLast()) : text
    }
}

/// 64 lower-case digits for a SHA-256.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: text, as: UTF8.self)
}

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
