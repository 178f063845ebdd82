/// Where events go: one of any number of sinks.
public struct EventSink: Sendable, Hashable {
    public enum Way: Sendable, Hashable {
        /// A file, one JSON object a line. Absolute path.
        case file(String)
        case syslog(Syslog)
        case otlp(OTLP)
    }

    /// A syslog receiver; messages are as in RFC 5424.
    public struct Syslog: Sendable, Hashable {
        public enum Transport: String, Sendable, Hashable, CaseIterable {
            /// RFC 5426. What is lost on the way is lost.
            case udp
            /// RFC 6587, octet counting.
            case tcp
            /// RFC 5425.
            case tls
        }

        public var host: String
        public var port: Int
        public var transport: Transport
        /// RFC 5424 table 1, 0 to 23.
        public var facility: Int
        /// PEM file of the authorities to trust instead of the system's.
        public var authorityFile: String?

        public init(host: String, port: Int, transport: Transport, facility: Int = 10, authorityFile: String? = nil) {
            self.host = host
            self.port = port
            self.transport = transport
            self.facility = facility
            self.authorityFile = authorityFile
        }

        /// By the names that syslog.conf gives them; the place in the list is the number.
        public static let facilities = [
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert",
            "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
        ]
    }

    /// A collector of OpenTelemetry logs, over HTTP with JSON.
    public struct OTLP: Sendable, Hashable {
        /// With its path, `/v1/logs`; https, or http on a loopback address.
        public var url: String
        /// Sent with each request; values are often credentials.
        public var headers: [String: Secret]
        /// PEM file of the authorities to trust instead of the system's.
        public var authorityFile: String?

        public init(url: String, headers: [String: Secret] = [:], authorityFile: String? = nil) {
            self.url = url
            self.headers = headers
            self.authorityFile = authorityFile
        }
    }

    public var way: Way
    /// What it takes.
    public var classes: Set<OutwardEvent.Class>

    public init(_ way: Way, classes: Set<OutwardEvent.Class> = Set(OutwardEvent.Class.allCases)) {
        self.way = way
        self.classes = classes
    }
}

/// An HTTP endpoint that events are posted to.
public struct Webhook: Sendable, Hashable {
    public enum Form: String, Sendable, Hashable, CaseIterable {
        /// An object with `id`, `type`, `timestamp` and `data`.
        case generic
        /// What Slack's incoming webhooks take, and others that are compatible with them.
        case slack
    }

    /// https, or http on a loopback address. A secret, since it is all that some receivers ask for.
    public var url: Secret
    /// Signs what is sent; nil: nothing is signed.
    public var secret: Secret?
    public var form: Form
    /// `OutwardEvent.name`s.
    public var events: Set<String>
    /// PEM file of the authorities to trust instead of the system's.
    public var authorityFile: String?

    public init(url: Secret, secret: Secret?, form: Form = .generic, events: Set<String>, authorityFile: String? = nil) {
        self.url = url
        self.secret = secret
        self.form = form
        self.events = events
        self.authorityFile = authorityFile
    }
}
