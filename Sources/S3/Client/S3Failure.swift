import GatehouseCore
import Recording

/// Why a request did not do what it was to do.
struct S3Failure: Error, Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// The server refused it.
        case refused(status: Int, code: String?)
        /// There was no answer, or not a whole one.
        case noAnswer
        /// The answer is not what S3 says it must be: nothing may be taken for done.
        case wrongAnswer
    }

    var kind: Kind
    /// What happened, and what can be done; nothing secret.
    var message: String
    /// Whether another try may end otherwise.
    var isTransient: Bool

    static func wrong(_ message: String) -> S3Failure {
        S3Failure(kind: .wrongAnswer, message: message, isTransient: false)
    }

    var status: Int? {
        if case .refused(let status, _) = kind { return status }
        return nil
    }

    var code: String? {
        if case .refused(_, let code) = kind { return code }
        return nil
    }

    /// The server cannot do this kind of request at all.
    var isUnsupported: Bool { status == 501 || status == 405 || code == "NotImplemented" || code == "MethodNotAllowed" }

    /// What an answer other than 2xx says, or an error in an answer of 200.
    init(_ answer: S3Answer, secrets: [String]) {
        let error = (try? XMLReader.document(answer.body)).flatMap { $0.name == "Error" ? $0 : nil }
        let code = (error?["Code"]?.text).flatMap { $0.utf8.count <= 64 && $0.utf8.allSatisfy(isWordByte) && !$0.isEmpty ? $0 : nil }
        kind = .refused(status: answer.status, code: code)
        isTransient =
            [408, 429, 500, 502, 503, 504].contains(answer.status) || Self.transientCodes.contains(code ?? "")
        var text = "refused with \(answer.status)" + (code.map { " " + $0 } ?? "")
        if let said = error?["Message"]?.text, !said.isEmpty, said != code { text += " (\(Self.printable(said, without: secrets)))" }
        if let region = answer.header("x-amz-bucket-region") ?? error?["Region"]?.text, answer.status == 301 || answer.status == 400 {
            text += "; the bucket's region is \(Self.printable(region, without: secrets))"
        }
        if let advice = Self.advice(status: answer.status, code: code) { text += ": " + advice }
        message = text
    }

    init(kind: Kind, message: String, isTransient: Bool) {
        self.kind = kind
        self.message = message
        self.isTransient = isTransient
    }

    /// `RequestTimeout` comes with 400: the server gave up waiting for the body.
    private static let transientCodes: Set<String> = [
        "InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests",
    ]

    /// A server's words, bounded and without line breaks; none of them when they hold a secret.
    static func printable(_ text: String, without secrets: [String]) -> String {
        guard !secrets.contains(where: { !$0.isEmpty && text.contains($0) }) else { return "what it says is left out: it holds a secret" }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
    }

    private static func advice(status: Int, code: String?) -> String? {
        switch code {
        case "NoSuchBucket": return "create the bucket, or correct its name or the endpoint"
        case "SignatureDoesNotMatch": return "check the secret access key and the region"
        case "InvalidAccessKeyId": return "check the access key id"
        case "ExpiredToken", "InvalidToken": return "the session token is no longer good: renew the credentials"
        case "RequestTimeTooSkewed": return "set this machine's clock"
        case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed": return "check the region and the endpoint"
        case "ObjectLockConfigurationNotFoundError", "InvalidRequest":
            return "if objects are to be locked, the bucket must have object lock"
        case "NoSuchUpload": return "the upload was aborted or completed meanwhile"
        case "XAmzContentSHA256Mismatch", "BadDigest", "InvalidDigest": return "what arrived is not what was sent"
        default: break
        }
        switch status {
        case 401, 403: return "check what the credentials may do (docs/stores.md); a retained object cannot be deleted"
        case 301, 307, 308: return "check the region and the endpoint"
        case 412: return "it was replaced meanwhile"
        default: return nil
        }
    }
}
