public import GatehouseCore
import Recording

/// What an S3 store signs its requests with. Where it comes from (environment, file) is the caller's business.
public struct S3Credentials: Sendable, Hashable {
    public var accessKeyID: String
    public var secretAccessKey: Secret
    /// Of temporary credentials; sent with every request as `x-amz-security-token`.
    public var sessionToken: Secret?

    public init(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

/// A bucket, and how it is reached. `S3Store` says what is wrong with it.
public struct S3Configuration: Sendable {
    /// Where the bucket's name goes in a request's address.
    public enum Addressing: String, Sendable {
        /// `https://host/bucket/key`: most servers that are not AWS.
        case path
        /// `https://bucket.host/key`: AWS.
        case virtualHost = "virtual-host"
    }

    /// Who may lift an object's retention before its time.
    public enum LockMode: String, Sendable {
        /// Those with the permission `s3:BypassGovernanceRetention`.
        case governance = "GOVERNANCE"
        /// Nobody, the account's owner included.
        case compliance = "COMPLIANCE"
    }

    public var bucket: String
    /// Part of every signature; servers that have none mostly expect `us-east-1`.
    public var region: String
    public var credentials: S3Credentials
    /// Put in front of every key with a slash between; empty for none. Stores with different prefixes do not see each other.
    public var prefix: String
    /// `https://host[:port]`; nil for AWS in `region`. `http://` is refused unless `allowsPlainLoopback` and the host is this machine.
    public var endpoint: String?
    public var addressing: Addressing
    /// Certificates (PEM) of the authorities that the server's certificate may come from, in place of the system's.
    public var authorityFile: String?
    public var allowsPlainLoopback: Bool
    /// How objects that are to be retained are locked; nil: they are not, and the dates go nowhere. The bucket must have object lock.
    public var lockMode: LockMode?
    /// Larger objects are sent in parts of this many bytes: 5 MiB to 1 GiB (S3 has a lower bound for parts).
    public var partBytes: Int
    /// What a read in sequence fetches at once, in bytes: 1 to 1 GiB.
    public var readAheadBytes: Int
    /// Whether an `ETag` that looks like an MD5 must be the MD5 of what was put, where the server returns no SHA-256. To be turned
    /// off for servers that put something else there.
    public var comparesETags: Bool
    public var connectTimeout: Duration
    /// The longest silence of either side while a request runs.
    public var idleTimeout: Duration
    /// The longest time for one request, its body included.
    public var requestTimeout: Duration
    public var retries: S3Retries
    /// `removeLeftovers` aborts uploads that began longer ago. Others may be running: several gateways can share a bucket.
    public var abandonedUploadAge: Duration

    public init(
        bucket: String, region: String, credentials: S3Credentials, prefix: String = "", endpoint: String? = nil,
        addressing: Addressing = .virtualHost, authorityFile: String? = nil, allowsPlainLoopback: Bool = false,
        lockMode: LockMode? = nil, partBytes: Int = 16 << 20, readAheadBytes: Int = 4 << 20, comparesETags: Bool = true,
        connectTimeout: Duration = .seconds(5), idleTimeout: Duration = .seconds(30), requestTimeout: Duration = .seconds(300),
        retries: S3Retries = S3Retries(), abandonedUploadAge: Duration = .seconds(86_400)
    ) {
        self.bucket = bucket
        self.region = region
        self.credentials = credentials
        self.prefix = prefix
        self.endpoint = endpoint
        self.addressing = addressing
        self.authorityFile = authorityFile
        self.allowsPlainLoopback = allowsPlainLoopback
        self.lockMode = lockMode
        self.partBytes = partBytes
        self.readAheadBytes = readAheadBytes
        self.comparesETags = comparesETags
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.requestTimeout = requestTimeout
        self.retries = retries
        self.abandonedUploadAge = abandonedUploadAge
    }

    /// What is wrong with it, but for the endpoint; nil when nothing is.
    var problem: String? {
        if !Self.isBucketName(bucket) {
            return "'\(bucket)' cannot be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens"
        }
        if region.isEmpty || !region.utf8.allSatisfy({ isWordByte($0) || $0 == UInt8(ascii: "-") }) {
            return "'\(region)' cannot be a region; servers that have none mostly expect us-east-1"
        }
        if !prefix.isEmpty && !isPlainPath(prefix) {
            return "'\(prefix)' cannot be a prefix: words with slashes between them, none at the ends"
        }
        let key = credentials.accessKeyID
        if key.isEmpty || !key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ",") }) {
            return "the access key id is empty or holds what cannot be in one"
        }
        if credentials.secretAccessKey.isEmpty { return "the secret access key is empty" }
        if let token = credentials.sessionToken, token.isEmpty || !token.reveal().utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) {
            return "the session token is empty or holds what cannot be in one"
        }
        if !(5 << 20...1 << 30).contains(partBytes) { return "parts must have 5 MiB to 1 GiB, not \(partBytes) bytes" }
        if !(1...1 << 30).contains(readAheadBytes) { return "the read-ahead must be 1 byte to 1 GiB, not \(readAheadBytes) bytes" }
        if [connectTimeout, idleTimeout, requestTimeout].contains(where: { $0 <= .zero || $0 > .seconds(86_400) }) {
            return "every timeout must be above zero and at most a day"
        }
        return retries.problem
    }

    /// docs.aws.amazon.com, "General purpose bucket naming rules", without the reserved words.
    private static func isBucketName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        func isEdge(_ byte: UInt8?) -> Bool {
            byte.map { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) } ?? false
        }
        return (3...63).contains(bytes.count) && isEdge(bytes.first) && isEdge(bytes.last) && !name.contains("..")
            && bytes.allSatisfy { isEdge($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }
}

/// Letters and digits of ASCII.
func isWordByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}

/// Words with slashes between them, as a key must be.
func isPlainPath(_ path: String) -> Bool { ObjectKey(path).isPlain }
