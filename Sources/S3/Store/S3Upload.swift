import Crypto
import Foundation
import NIOHTTP1
import Recording

/// Puts one object.
struct S3Upload {
    var client: S3Client
    /// The whole key.
    var key: String
    /// Of its retention; empty for none.
    var lock: [(name: String, value: String)]

    private static let kind = [(name: "content-type", value: "application/octet-stream")]

    /// In one request, which S3 does whole or not at all.
    func putWhole(_ bytes: [UInt8]) throws(StoreError) {
        var request = S3Request(.PUT, key: key)
        request.setBody(bytes[...])
        let checksum = base64(request.bodyDigest)
        request.headers = Self.kind + Self.checked(checksum) + lock
        _ = try client.ask(request) { answer throws(S3Failure) in
            try confirm(answer, bytes[...], checksum: checksum)
        }
    }

    private static func checked(_ checksum: String) -> [(name: String, value: String)] {
        [("x-amz-sdk-checksum-algorithm", "SHA256"), ("x-amz-checksum-sha256", checksum)]
    }

    /// Whether the server has what was sent, as far as it says.
    /// - Returns: the `ETag`.
    private func confirm(_ answer: S3Answer, _ bytes: ArraySlice<UInt8>, checksum: String) throws(S3Failure) -> String {
        guard let eTag = answer.eTag, !eTag.isEmpty else { throw .wrong("no ETag: the server does not say that it stored anything") }
        if let stored = answer.header("x-amz-checksum-sha256") {
            guard stored == checksum else { throw .wrong("the server stored something else: the SHA-256 it returns is another") }
        } else if client.configuration.comparesETags, Self.isMD5(eTag), !Self.isEncryptedByKey(answer) {
            let digest = bytes.withUnsafeBytes { hexadecimal(Insecure.MD5.hash(data: $0)) }
            guard eTag.lowercased() == digest else {
                throw .wrong("the server stored something else: its ETag is not the MD5 of what was sent")
            }
        }
        return eTag
    }

    private static func isMD5(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20) }
    }

    /// With SSE-KMS and SSE-C an `ETag` is no MD5, though it looks like one (docs.aws.amazon.com, "Object").
    private static func isEncryptedByKey(_ answer: S3Answer) -> Bool {
        (answer.header("x-amz-server-side-encryption")?.hasPrefix("aws:kms") ?? false)
            || answer.header("x-amz-server-side-encryption-customer-algorithm") != nil
    }

    // MARK: - In parts

    private struct Part {
        var eTag: String
        var digest: [UInt8]
    }

    /// In parts, which S3 makes an object of at the end, or never.
    func putInParts(_ bytes: [UInt8]) throws(StoreError) {
        let id = try begin()
        do throws(StoreError) {
            // S3 takes 10,000 parts.
            let size = max(client.configuration.partBytes, (bytes.count + 9_999) / 10_000)
            var parts: [Part] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                parts.append(try send(bytes[start..<min(start + size, bytes.count)], number: parts.count + 1, id))
            }
            try complete(id, parts, bytes)
        } catch {
            // One try, for whoever called waits: `removeLeftovers` finds the rest.
            _ = try? client.send(S3Request(.DELETE, key: key, query: [("uploadId", id)]), attempts: 1)
            throw error
        }
    }

    private func begin() throws(StoreError) -> String {
        var request = S3Request(.POST, key: key, query: [("uploads", "")])
        request.headers = Self.kind + [("x-amz-checksum-algorithm", "SHA256")] + lock
        return try client.ask(request) { answer throws(S3Failure) in
            guard let id = try answer.document("InitiateMultipartUploadResult", "InitiateMultipartUpload")["UploadId"]?.text, !id.isEmpty
            else {
                throw .wrong("an upload without an id")
            }
            return id
        }
    }

    private func send(_ bytes: ArraySlice<UInt8>, number: Int, _ id: String) throws(StoreError) -> Part {
        var request = S3Request(.PUT, key: key, query: [("partNumber", String(number)), ("uploadId", id)])
        request.setBody(bytes)
        let checksum = base64(request.bodyDigest)
        request.headers = Self.checked(checksum)
        let eTag = try client.ask(request) { answer throws(S3Failure) in try confirm(answer, bytes, checksum: checksum) }
        return Part(eTag: eTag, digest: request.bodyDigest)
    }

    private func complete(_ id: String, _ parts: [Part], _ bytes: [UInt8]) throws(StoreError) {
        var request = S3Request(.POST, key: key, query: [("uploadId", id)])
        let list = parts.enumerated().map { index, part in
            "<Part><ChecksumSHA256>\(base64(part.digest))</ChecksumSHA256><ETag>&quot;\(Self.escaped(part.eTag))&quot;</ETag>"
                + "<PartNumber>\(index + 1)</PartNumber></Part>"
        }
        let body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(list.joined())</CompleteMultipartUpload>"
        request.setBody(Array(body.utf8)[...])
        request.headers = [("content-type", "application/xml")]
        do throws(S3Failure) {
            try client.send(request) { answer throws(S3Failure) in try confirmCompletion(answer, parts) }
        } catch {
            // An answer got lost, and the next try found the upload gone: it may have ended well.
            if error.code == "NoSuchUpload", isStored(parts, bytes) { return }
            throw client.storeError(request, error)
        }
    }

    private static func escaped(_ text: String) -> String {
        text.map { $0 == "&" ? "&amp;" : $0 == "<" ? "&lt;" : $0 == ">" ? "&gt;" : String($0) }.joined()
    }

    /// S3 answers 200 before it is done, and says in the body how it went.
    private func confirmCompletion(_ answer: S3Answer, _ parts: [Part]) throws(S3Failure) {
        if let root = try? XMLReader.document(answer.body), root.name == "Error" { throw client.failure(answer) }
        let result = try answer.document("CompleteMultipartUploadResult")
        if let stored = result["ChecksumSHA256"]?.text {
            guard isComposite(stored, parts) else { throw .wrong("the server stored something else: the SHA-256 it returns is another") }
        } else if client.configuration.comparesETags, let stored = result["ETag"]?.text, let whole = compositeTag(parts),
            Self.isComposite(stored), !Self.isEncryptedByKey(answer)
        {
            guard stored.filter({ $0 != "\"" }).lowercased() == whole else {
                throw .wrong("the server stored something else: its ETag is not that of the parts")
            }
        }
    }

    /// Base64 of the SHA-256 over those of the parts, which AWS follows by a hyphen and how many they are.
    private func isComposite(_ checksum: String, _ parts: [Part]) -> Bool {
        let whole = base64(Array(SHA256.hash(data: Data(parts.flatMap(\.digest)))))
        return checksum == whole || checksum == "\(whole)-\(parts.count)"
    }

    /// MD5 over those of the parts, a hyphen and how many they are; nil when the parts' tags are no MD5.
    private func compositeTag(_ parts: [Part]) -> String? {
        var all: [UInt8] = []
        for part in parts {
            guard Self.isMD5(part.eTag) else { return nil }
            let digits = part.eTag.lowercased().utf8.map { $0 >= 0x61 ? $0 - 0x57 : $0 - 0x30 }
            for index in stride(from: 0, to: 32, by: 2) { all.append(digits[index] << 4 | digits[index + 1]) }
        }
        return "\(hexadecimal(Insecure.MD5.hash(data: Data(all))))-\(parts.count)"
    }

    private static func isComposite(_ eTag: String) -> Bool {
        let words = eTag.filter { $0 != "\"" }.split(separator: "-", omittingEmptySubsequences: false)
        return words.count == 2 && isMD5(words[0]) && UInt16(words[1]) != nil
    }

    /// Whether the object in the bucket is the one that these parts make, with its retention.
    private func isStored(_ parts: [Part], _ bytes: [UInt8]) -> Bool {
        var request = S3Request(.HEAD, key: key)
        request.headers = [("x-amz-checksum-mode", "ENABLED")]
        guard let answer = try? client.send(request), answer.header("content-length") == String(bytes.count),
            lock.allSatisfy({ answer.header($0.name) == $0.value })
        else { return false }
        if let stored = answer.header("x-amz-checksum-sha256") { return isComposite(stored, parts) }
        guard let eTag = answer.eTag?.lowercased(), !Self.isEncryptedByKey(answer) else { return false }
        return eTag == compositeTag(parts) || eTag == bytes.withUnsafeBytes { hexadecimal(Insecure.MD5.hash(data: $0)) }
    }
}
