import Crypto
import Foundation
import GatehouseCore
import NIOHTTP1
import Recording
import Testing

@testable import S3

/// The published test suite of Signature Version 4, but for the cases that S3 does otherwise (normalised paths), and the examples in
/// S3's own reference ("Signature Calculations for the Authorization Header").
@Suite struct SigningTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var name: String
        var method = "GET"
        var path = "/"
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body = ""
        var signed = "host;x-amz-date"
        var signature: String

        var testDescription: String { name }
    }

    static let vectors = [
        Vector(name: "get-vanilla", signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Vector(name: "post-vanilla", method: "POST", signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Vector(
            name: "get-unreserved", path: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        Vector(
            name: "get-vanilla-query-order-key-case", query: [("Param2", "value2"), ("Param1", "value1")],
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Vector(
            name: "get-vanilla-query-order-value", query: [("Param1", "value2"), ("Param1", "value1")],
            signature: "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
        Vector(
            name: "get-vanilla-utf8-query", query: [("\u{1234}", "bar")],
            signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        Vector(
            name: "get-header-value-order",
            headers: [("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2")],
            signed: "host;my-header1;x-amz-date", signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
        Vector(
            name: "get-header-key-duplicate",
            headers: [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
            signed: "host;my-header1;x-amz-date", signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
        Vector(
            name: "get-header-value-trim", headers: [("My-Header1", " value1"), ("My-Header2", "\"a   b   c\"")],
            signed: "host;my-header1;my-header2;x-amz-date", signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        Vector(
            name: "post-x-www-form-urlencoded", method: "POST", headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: "Param1=value1", signed: "content-type;host;x-amz-date",
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        Vector(
            name: "get-vanilla-with-session-token",
            headers: [("x-amz-security-token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")],
            signed: "host;x-amz-date;x-amz-security-token", signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
    ]

    @Test(arguments: vectors) func aPublishedVectorIsSignedAsPublished(_ vector: Vector) throws {
        let signer = SignatureV4(
            credentials: S3Credentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            region: "us-east-1", service: "service")
        let time = try #require(CivilTime.parse("2015-08-30T12:36:00Z"))
        let authorization = signer.authorization(
            method: vector.method, path: vector.path, query: SignatureV4.canonicalQuery(vector.query),
            headers: [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")] + vector.headers,
            bodyDigest: hexadecimal(SHA256.hash(data: Data(vector.body.utf8))), at: time)
        #expect(
            authorization == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=\(vector.signed), Signature=\(vector.signature)")
    }

    @Test func theExamplesOfS3AreSignedAsPublished() throws {
        let credentials = S3Credentials(accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        let endpoint = try S3Endpoint(
            S3Configuration(bucket: "examplebucket", region: "us-east-1", credentials: credentials, endpoint: "https://s3.amazonaws.com"))
        let time = try #require(CivilTime.parse("2013-05-24T00:00:00Z"))
        func sign(_ request: S3Request) -> (url: String, headers: [String: String]) {
            let (url, headers) = SignatureV4(credentials: credentials, region: "us-east-1").signed(request, endpoint: endpoint, at: time)
            return (url, Dictionary(uniqueKeysWithValues: headers.map { ($0.name, $0.value) }))
        }
        func authorization(_ signed: String, _ signature: String) -> String {
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=\(signed), Signature=\(signature)"
        }

        var get = S3Request(.GET, key: "test.txt")
        get.headers = [("range", "bytes=0-9")]
        #expect(
            sign(get).headers["authorization"]
                == authorization(
                    "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))
        #expect(sign(get).url == "https://examplebucket.s3.amazonaws.com/test.txt")

        var put = S3Request(.PUT, key: "test$file.text")
        put.headers = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]
        put.setBody(Array("Welcome to Amazon S3.".utf8)[...])
        #expect(
            sign(put).headers["authorization"]
                == authorization(
                    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
        #expect(sign(put).headers["x-amz-content-sha256"] == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
        #expect(sign(put).url == "https://examplebucket.s3.amazonaws.com/test%24file.text")

        let lifecycle = sign(S3Request(.GET, query: [("lifecycle", "")]))
        #expect(
            lifecycle.headers["authorization"]
                == authorization("host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        )
        #expect(lifecycle.url == "https://examplebucket.s3.amazonaws.com/?lifecycle=")

        let list = sign(S3Request(.GET, query: [("prefix", "J"), ("max-keys", "2")]))
        #expect(
            list.headers["authorization"]
                == authorization("host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
        )
        #expect(list.url == "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J")
    }

    @Test func namesAreEncodedOnceAndBack() {
        #expect(PercentEncoding.encode("a b/c+d%/é~", keepingSlashes: true) == "a%20b/c%2Bd%25/%C3%A9~")
        #expect(PercentEncoding.encode("a/b") == "a%2Fb")
        #expect(PercentEncoding.decode("a+b%2Bc%2fd") == "a b+c/d")
        for bad in ["%", "%2", "%zz", "%ff", "%C3"] { #expect(PercentEncoding.decode(bad) == nil, "\(bad)") }
        for code in UInt32(1)..<0x300 {
            guard let text = Unicode.Scalar(code).map({ String(Character($0)) }) else { continue }
            #expect(PercentEncoding.decode(PercentEncoding.encode(text)) == text)
        }
    }

    @Test func timesAreSaidAndRead() {
        let time = WallTime(seconds: 1_709_251_199)
        #expect(CivilTime(time).extended == "2024-02-29T23:59:59Z")
        #expect(CivilTime(time).basic == "20240229T235959Z")
        #expect(CivilTime.parse("2024-02-29T23:59:59.123Z") == time)
        for day in stride(from: 0, to: 80_000, by: 13) {
            let time = WallTime(seconds: day * 86_400 + day % 86_400)
            #expect(CivilTime.parse(CivilTime(time).extended) == time)
        }
        for bad in [
            "", "2024-02-29", "2024-13-01T00:00:00Z", "2024-02-29T23:59:59", "2024-02-29T24:00:00Z", "1969-12-31T23:59:59Z",
            "2024-02-29T23:59:59.Z", "2024-02-29T23:59:59+01Z", "２024-02-29T23:59:59Z",
        ] {
            #expect(CivilTime.parse(bad) == nil, "\(bad)")
        }
    }
}
