/// The packets that a client sends before messages have a type byte ("Message Formats": StartupMessage, SSLRequest,
/// GSSENCRequest, CancelRequest; "Message Flow", sections "Start-up" and "SSL Session Encryption").
public enum StartupPacket: Sendable, Hashable {
    /// Not a packet: the client began with a TLS record instead (direct TLS, PostgreSQL 17 and later). Its bytes stay
    /// in the framer; ``StartupFramer/takeRest()`` hands them to TLS.
    case directTLS
    case sslRequest
    case gssEncRequest
    case cancelRequest(CancelKey)
    /// Major version 3, any minor. Parameters in the order sent, names not folded, none twice.
    case startup(version: Version, parameters: [Parameter])

    /// 16 bits each, as in the packet.
    public struct Version: Sendable, Hashable, Comparable, CustomStringConvertible {
        public var major: UInt16
        public var minor: UInt16

        public init(major: UInt16, minor: UInt16) {
            self.major = major
            self.minor = minor
        }

        /// The version that Gatehouse speaks on both sides.
        public static let v3 = Version(major: 3, minor: 0)

        init(code: UInt32) {
            self.init(major: UInt16(truncatingIfNeeded: code >> 16), minor: UInt16(truncatingIfNeeded: code))
        }

        var code: UInt32 { UInt32(major) << 16 | UInt32(minor) }

        public static func < (left: Version, right: Version) -> Bool { left.code < right.code }
        public var description: String { "\(major).\(minor)" }
    }

    public struct Parameter: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What names a session in a cancel request (BackendKeyData gives it to the client). Never printed.
    public struct CancelKey: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
        public var processID: Int32
        /// 4 bytes in protocol 3.0, up to 256 in 3.2. Compare it with `constantTimeEquals`.
        public var secret: [UInt8]

        public init(processID: Int32, secret: [UInt8]) {
            self.processID = processID
            self.secret = secret
        }

        public static let secretBytes = 4...256

        public var description: String { "CancelKey(processID: \(processID), secret: <secret>)" }
        public var customMirror: Mirror { Mirror(self, children: ["processID": processID]) }
    }

    /// The numbers in a version's place that ask for something else ("Message Formats").
    enum RequestCode {
        static let cancel: UInt32 = 1234 << 16 | 5678
        static let tls: UInt32 = 1234 << 16 | 5679
        static let gss: UInt32 = 1234 << 16 | 5680
    }
}
