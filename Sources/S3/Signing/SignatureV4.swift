import Crypto
import Foundation
import GatehouseCore

/// AWS Signature Version 4 in the `Authorization` header (docs.aws.amazon.com, "Create a signed AWS API request"). As S3 has it:
/// paths are encoded once and never normalised.
struct SignatureV4 {
    typealias Pairs = [(name: String, value: String)]

    var credentials: S3Credentials
    var region: String
    var service = "s3"

    /// The address and all headers of a request, the signature among them.
    func signed(_ request: S3Request, endpoint: S3Endpoint, at time: WallTime) -> (url: String, headers: Pairs) {
        let path = endpoint.basePath + (request.key.map { "/" + PercentEncoding.encode($0, keepingSlashes: true) } ?? "/")
        let query = Self.canonicalQuery(request.query)
        let digest = hexadecimal(request.bodyDigest)
        var headers = request.headers
        headers += [("host", endpoint.authority), ("x-amz-content-sha256", digest), ("x-amz-date", CivilTime(time).basic)]
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token.reveal())) }
        let authorization = authorization(
            method: request.method.rawValue, path: path, query: query, headers: headers, bodyDigest: digest, at: time)
        headers += [("authorization", authorization), ("user-agent", "gatehouse")]
        return (endpoint.url + path + (query.isEmpty ? "" : "?" + query), headers)
    }

    /// The `Authorization` header over all of `headers`.
    /// - Parameters:
    ///   - path: encoded.
    ///   - query: canonical.
    ///   - bodyDigest: SHA-256 in hexadecimal.
    func authorization(method: String, path: String, query: String, headers: Pairs, bodyDigest: String, at time: WallTime) -> String {
        let canonical = Self.canonicalRequest(method: method, path: path, query: query, headers: headers, bodyDigest: bodyDigest)
        let scope = "\(CivilTime(time).date)/\(region)/\(service)/aws4_request"
        let text = Self.stringToSign(canonical: canonical.text, scope: scope, at: time)
        let signature = hexadecimal(Self.code(text, key: signingKey(at: time)))
        return "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(canonical.signed), Signature=\(signature)"
    }

    /// Sorted by encoded name, then encoded value.
    static func canonicalQuery(_ query: Pairs) -> String {
        query.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    static func canonicalRequest(
        method: String, path: String, query: String, headers: Pairs, bodyDigest: String
    ) -> (text: String, signed: String) {
        var values: [String: [String]] = [:]
        for header in headers { values[header.name.lowercased(), default: []].append(trimmed(header.value)) }
        let names = values.keys.sorted()
        let lines = names.map { "\($0):\((values[$0] ?? []).joined(separator: ","))\n" }.joined()
        let signed = names.joined(separator: ";")
        return ("\(method)\n\(path)\n\(query)\n\(lines)\n\(signed)\n\(bodyDigest)", signed)
    }

    static func stringToSign(canonical: String, scope: String, at time: WallTime) -> String {
        "AWS4-HMAC-SHA256\n\(CivilTime(time).basic)\n\(scope)\n\(hexadecimal(SHA256.hash(data: Data(canonical.utf8))))"
    }

    /// Without spaces at the ends, and one for several within.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    private func signingKey(at time: WallTime) -> SymmetricKey {
        var key = SymmetricKey(data: Data(("AWS4" + credentials.secretAccessKey.reveal()).utf8))
        for word in [CivilTime(time).date, region, service, "aws4_request"] { key = SymmetricKey(data: Self.code(word, key: key)) }
        return key
    }

    private static func code(_ text: String, key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
    }
}
