public import GatehouseCore
public import NIOCore

/// What a client's StartupMessage asks for, judged: what the gateway itself must know stands apart, everything else is
/// a setting that policy may look at before it is passed on.
public struct ClientStartup: Sendable, Hashable {
    /// A walsender connection: it takes replication commands ("Streaming Replication Protocol").
    public enum Replication: Sendable, Hashable {
        case none, physical, logical
    }

    public let version: StartupPacket.Version
    /// The login name as sent (`[role@]target`).
    public let user: String
    /// nil when the client names none: the server's rule is then the user's name, the gateway's the target's own.
    public let database: String?
    public let replication: Replication
    /// Settings to pass on: those of `options` first, then the packet's own, names folded; a later one of a name wins,
    /// and only that is here. `client_encoding` and `standard_conforming_strings` are not among them: they hold the
    /// values that ``UpstreamStartup`` always sends, or the client is refused.
    public let settings: [SettingChange]
    /// Protocol options (`_pq_.*`) that the client asked for. Gatehouse knows none.
    public let protocolOptions: [String]

    /// - Throws: `HandshakeError` for a missing user, an encoding other than UTF-8, an `options` that is not understood,
    ///   an invalid `replication`.
    public init(version: StartupPacket.Version, parameters: [StartupPacket.Parameter]) throws(HandshakeError) {
        var user: String?
        var database: String?
        var replication = Replication.none
        var protocolOptions: [String] = []
        var fromOptions: [SettingChange] = []
        var fromPacket: [SettingChange] = []
        for parameter in parameters {
            switch parameter.name {
            case "user": user = parameter.value
            case "database": database = parameter.value
            case "replication": replication = try Self.replication(parameter.value)
            case "options": fromOptions = try CommandLineOptions.parse(parameter.value)
            case let name where name.hasPrefix("_pq_."): protocolOptions.append(name)
            default: fromPacket.append(try SettingChange(startupName: parameter.name, value: parameter.value))
            }
        }
        guard let user, !user.isEmpty else {
            throw .authorization(
                "no PostgreSQL user name specified in startup packet",
                hint: "Give the target, or role@target, as the user name.")
        }
        self.version = version
        self.user = user
        self.database = database.flatMap { $0.isEmpty ? nil : $0 }
        self.replication = replication
        self.protocolOptions = protocolOptions
        settings = try Self.judge(fromOptions + fromPacket)
    }

    /// What the client calls itself, "" if nothing. It may say anything: never the base of a decision.
    public var applicationName: String {
        settings.first { $0.name == "application_name" }?.value ?? ""
    }

    /// The NegotiateProtocolVersion message that has to be sent before anything else, where the client asked for more
    /// than Gatehouse speaks; nil where it did not.
    public var negotiation: ByteBuffer? {
        guard version > .v3 || !protocolOptions.isEmpty else { return nil }
        var message = ByteBuffer()
        message.writeHandshakeMessage(type: UInt8(ascii: "v")) { body in
            // Named "newest minor protocol version", but servers send, and clients read, major and minor.
            body.writeInteger(StartupPacket.Version.v3.code)
            body.writeInteger(UInt32(clamping: protocolOptions.count))
            for option in protocolOptions { body.writeNullTerminatedString(option) }
        }
        return message
    }

    /// Drivers send about ten. Each is judged by policy before the session begins.
    static let maximumSettings = 256

    private static func judge(_ settings: [SettingChange]) throws(HandshakeError) -> [SettingChange] {
        guard settings.count <= maximumSettings else {
            throw .invalidParameter("startup packet changes more than \(maximumSettings) settings")
        }
        var kept: [SettingChange] = []
        for setting in settings {
            let value = setting.value ?? ""
            switch setting.name {
            case "client_encoding":
                guard isUTF8(encoding: value) else {
                    throw .notSupported(
                        "client_encoding \(value.quotedForMessage) is not supported through Gatehouse",
                        hint: "Set the client's encoding to UTF8 (PGCLIENTENCODING=UTF8).")
                }
            case "standard_conforming_strings":
                guard serverBoolean(value) == true else {
                    throw .notSupported(
                        "standard_conforming_strings must stay on through Gatehouse",
                        hint: "Write escape strings as E'...' instead.")
                }
            default:
                kept.removeAll { $0.name == setting.name }
                kept.append(setting)
            }
        }
        return kept
    }

    private static func replication(_ value: String) throws(HandshakeError) -> Replication {
        if value == "database" { return .logical }
        guard let isOn = serverBoolean(value) else {
            throw .invalidParameter(
                "invalid value for parameter \"replication\": \(value.quotedForMessage)", hint: "Valid: false, true, database.")
        }
        return isOn ? .physical : .none
    }

    /// Whether the server takes this name of an encoding for UTF8: it compares letters and digits alone, without case,
    /// and knows UTF8 also as UNICODE ("Character Set Support").
    static func isUTF8(encoding name: String) -> Bool {
        guard name.utf8.count < 64, name.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
        let bare = name.asciiLowercased().utf8.filter { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        return bare.elementsEqual("utf8".utf8) || bare.elementsEqual("unicode".utf8)
    }

    /// A boolean as the server reads one: a word, or a beginning of it that can mean no other ("Boolean Type").
    static func serverBoolean(_ text: String) -> Bool? {
        let word = text.asciiLowercased()
        guard !word.isEmpty else { return nil }
        if word == "1" || "true".hasPrefix(word) || "yes".hasPrefix(word) || word == "on" { return true }
        if word == "0" || "false".hasPrefix(word) || "no".hasPrefix(word) || word == "of" || word == "off" { return false }
        return nil
    }
}
