import GatehouseCore

/// The client's one message of SASL OAUTHBEARER (RFC 7628 section 3.1).
enum OAuthBearerMessage: Equatable {
    /// No token: the client wants to be told where to get one (section 4.3).
    case discovery
    case token(Secret)

    static let mechanism = "OAUTHBEARER"
    /// What ends every part, and alone is the client's answer to a refusal (section 3.2.3).
    static let separator: UInt8 = 0x01

    /// - Throws: `HandshakeError` for anything that is not exactly of the RFC's form.
    init(_ message: some Collection<UInt8>) throws(HandshakeError) {
        var parser = OAuthBearerParser(rest: Array(message)[...])
        try parser.readHeader()
        var authorization: ArraySlice<UInt8>?
        while let (key, value) = try parser.readPair() {
            // `host` and `port` may be there, and say nothing that the connection does not. Unknown keys are to be
            // ignored (section 3.1).
            guard key.elementsEqual("auth".utf8) else { continue }
            guard authorization == nil else { throw OAuthBearerParser.malformed("it has two \"auth\" fields") }
            authorization = value
        }
        guard let authorization else { throw OAuthBearerParser.malformed("it has no \"auth\" field") }
        if authorization.isEmpty {
            self = .discovery
        } else {
            self = .token(try OAuthBearerParser.token(in: authorization))
        }
    }

    /// The server's answer to a token that is missing or refused (section 3.2.2).
    static func refusal(_ discovery: ClientAuthentication.Discovery) -> [UInt8] {
        var json = "{\"status\":\"invalid_token\",\"openid-configuration\":\(jsonString(discovery.configurationURL))"
        if !discovery.scope.isEmpty { json += ",\"scope\":\(jsonString(discovery.scope))" }
        return Array((json + "}").utf8)
    }

    /// RFC 8259 section 7.
    private static func jsonString(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{00}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Reads that message from front to back.
struct OAuthBearerParser {
    var rest: ArraySlice<UInt8>

    static func malformed(_ what: String) -> HandshakeError {
        .protocolViolation("malformed OAUTHBEARER message: \(what)")
    }

    /// The GS2 header: no channel binding, no authorization identity (RFC 5801 section 4).
    mutating func readHeader() throws(HandshakeError) {
        switch rest.popFirst() {
        case UInt8(ascii: "n"), UInt8(ascii: "y"): break
        case UInt8(ascii: "p"): throw Self.malformed("channel binding is not supported with OAuth")
        default: throw Self.malformed("it does not begin with a channel binding flag")
        }
        guard rest.popFirst() == UInt8(ascii: ",") else { throw Self.malformed("a comma is missing after the channel binding flag") }
        guard rest.first != UInt8(ascii: "a") else {
            throw .notSupported("an authorization identity is not supported", hint: "Give role@target as the user name instead.")
        }
        guard rest.popFirst() == UInt8(ascii: ",") else { throw Self.malformed("a comma is missing after the authorization identity") }
        guard rest.popFirst() == OAuthBearerMessage.separator else { throw Self.malformed("a separator is missing after the header") }
    }

    /// One `key=value` and the separator behind it; nil at the message's end.
    mutating func readPair() throws(HandshakeError) -> (key: ArraySlice<UInt8>, value: ArraySlice<UInt8>)? {
        guard let end = rest.firstIndex(of: OAuthBearerMessage.separator) else { throw Self.malformed("a separator is missing at its end") }
        let pair = rest[..<end]
        rest = rest[end...].dropFirst()
        if pair.isEmpty {
            guard rest.isEmpty else { throw Self.malformed("bytes follow its end") }
            return nil
        }
        guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { throw Self.malformed("a field has no \"=\"") }
        let key = pair[..<equals]
        let value = pair[equals...].dropFirst()
        guard !key.isEmpty, key.allSatisfy({ (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }) else {
            throw Self.malformed("the name of a field is not made of letters")
        }
        // VCHAR, space, tab, CR and LF: no NUL among them.
        guard value.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }) else {
            throw Self.malformed("a field holds a byte that is not allowed")
        }
        return (key, value)
    }

    /// The token in `Bearer <b64token>` (RFC 6750 section 2.1); the scheme's case does not matter.
    static func token(in authorization: ArraySlice<UInt8>) throws(HandshakeError) -> Secret {
        let text = String(decoding: authorization, as: UTF8.self)
        guard text.asciiLowercased().hasPrefix("bearer ") else {
            throw HandshakeError.authorization("OAUTHBEARER takes a bearer token alone", hint: "Send auth=Bearer and the token.")
        }
        let token = text.dropFirst(7).drop { $0 == " " }
        var body = token.utf8[...]
        while body.last == UInt8(ascii: "=") { body = body.dropLast() }
        let allowed = body.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                true
            default: false
            }
        }
        guard !body.isEmpty, allowed else { throw Self.malformed("the bearer token is not one") }
        return Secret(String(token))
    }
}
