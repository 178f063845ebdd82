import GatehouseCore
import NIOCore

/// A client's answer to the greeting ("Protocol::HandshakeResponse41"), or its first half, which asks for TLS
/// ("Protocol::SSLRequest"). Never printed: its authentication data may be a password.
struct HandshakeResponse: Sendable, CustomStringConvertible, CustomReflectable {
    var capabilities: Capabilities
    var maximumPacket: UInt32
    /// Of the connection's character set; 0 and unknown ones stand for the server's own.
    var collation: UInt8
    var user = ""
    var authentication: [UInt8] = []
    /// nil when the client names none.
    var database: String?
    var plugin: String?
    var attributes: [ConnectAttribute] = []
    /// Of a compression that the gateway does not offer.
    var zstdLevel: UInt8?

    static let fixedBytes = 32

    init(capabilities: Capabilities, maximumPacket: UInt32, collation: UInt8, user: String) {
        self.capabilities = capabilities
        self.maximumPacket = maximumPacket
        self.collation = collation
        self.user = user
    }

    /// Whether the packet is an SSLRequest: the fixed fields alone, and the flag.
    static func isTLSRequest(_ payload: ByteBuffer) -> Bool {
        guard payload.readableBytes == fixedBytes,
            let flags: UInt32 = payload.getInteger(at: payload.readerIndex, endianness: .little)
        else { return false }
        return Capabilities(base: flags).isSuperset(of: [.protocol41, .tls])
    }

    init(_ payload: ByteBuffer) throws(ProtocolViolation) {
        var body = BodyReader(payload, "handshake response")
        let base: UInt32 = try body.integer()
        var capabilities = Capabilities(base: base)
        guard capabilities.contains(.protocol41) else {
            throw ProtocolViolation("the client is older than protocol 4.1", code: .badHandshake)
        }
        maximumPacket = try body.integer()
        collation = try body.integer()
        try body.skip(19)
        let extended: UInt32 = try body.integer()
        if !capabilities.contains(.mysql) { capabilities = Capabilities(base: base, extended: extended) }
        self.capabilities = capabilities
        user = try body.nulString()
        let proof: ByteBuffer
        if capabilities.contains(.encodedAuthentication) {
            proof = try body.encodedBytes()
        } else if capabilities.contains(.secureConnection) {
            proof = try body.bytes(Int(try body.integer(UInt8.self)))
        } else {
            proof = try body.nulBytes()
        }
        authentication = Array(proof.readableBytesView)
        // Drivers set flags for fields that they then leave out at the end.
        if capabilities.contains(.connectWithDatabase), body.remaining > 0 {
            let name = try body.nulString()
            database = name.isEmpty ? nil : name
        }
        if capabilities.contains(.pluginAuthentication), body.remaining > 0 { plugin = try body.nulString() }
        if capabilities.contains(.connectAttributes), body.remaining > 0 { attributes = try ConnectAttribute.decode(&body) }
        if capabilities.contains(.zstd), body.remaining > 0 { zstdLevel = try body.integer() }
        try body.finish()
    }

    /// The fixed fields: an SSLRequest.
    func writeFixed(to buffer: inout ByteBuffer) {
        buffer.writeLittle(capabilities.base)
        buffer.writeLittle(maximumPacket)
        buffer.writeInteger(collation)
        buffer.writeBytes([UInt8](repeating: 0, count: 19))
        buffer.writeLittle(capabilities.contains(.mysql) ? 0 : capabilities.extended)
    }

    func write(to buffer: inout ByteBuffer) {
        writeFixed(to: &buffer)
        buffer.writeNulString(user)
        if capabilities.contains(.encodedAuthentication) {
            buffer.writeEncoded(bytes: ByteBuffer(bytes: authentication))
        } else if capabilities.contains(.secureConnection) {
            buffer.writeInteger(UInt8(clamping: authentication.count))
            buffer.writeBytes(authentication.prefix(255))
        } else {
            buffer.writeBytes(authentication.filter { $0 != 0 })
            buffer.writeInteger(UInt8(0))
        }
        if capabilities.contains(.connectWithDatabase) { buffer.writeNulString(database ?? "") }
        if capabilities.contains(.pluginAuthentication) { buffer.writeNulString(plugin ?? "") }
        if capabilities.contains(.connectAttributes) { ConnectAttribute.write(attributes, to: &buffer) }
        if capabilities.contains(.zstd) { buffer.writeInteger(zstdLevel ?? 3) }
    }

    var description: String { "HandshakeResponse(user: \(user), plugin: \(plugin ?? "none"), authentication: <secret>)" }
    var customMirror: Mirror { Mirror(self, children: ["user": user]) }
}

/// What the server asks for in the middle of authentication.
enum AuthenticationPacket: Sendable, Hashable {
    /// "AuthSwitchRequest": another plugin, with a nonce of its own.
    case switchTo(plugin: String, data: [UInt8])
    /// "AuthMoreData": the plugin's own.
    case more([UInt8])
    case ok(OKPacket)
    case error(ErrorPacket)
    /// "AuthNextFactor".
    case nextFactor

    init(_ payload: ByteBuffer, _ capabilities: Capabilities) throws(ProtocolViolation) {
        var body = BodyReader(payload, "authentication packet")
        switch try body.integer(UInt8.self) {
        case OKPacket.header: self = .ok(try OKPacket(payload, capabilities))
        case ErrorPacket.header: self = .error(try ErrorPacket(payload))
        case 0x01: self = .more(Array(body.rest().readableBytesView))
        case 0x02: self = .nextFactor
        case 0xFE:
            guard body.remaining > 0 else {
                self = .switchTo(plugin: "mysql_old_password", data: [])
                return
            }
            let plugin = try body.nulString()
            var data = Array(body.rest().readableBytesView)
            if data.last == 0 { data.removeLast() }
            self = .switchTo(plugin: plugin, data: data)
        case let other: throw ProtocolViolation("0x\(String(other, radix: 16)) has no place in authentication")
        }
    }

    static func switchRequest(plugin: AuthenticationPlugin, nonce: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt8(0xFE))
        buffer.writeNulString(plugin.rawValue)
        // mysql_clear_password's clients look at no nonce, and some take none.
        if plugin == .cachingSHA2 {
            buffer.writeBytes(nonce)
            buffer.writeInteger(UInt8(0))
        }
        return buffer
    }
}

/// How a password is proven, by the name that both sides call it.
enum AuthenticationPlugin: String, Sendable, Hashable, CaseIterable {
    case native = "mysql_native_password"
    case cachingSHA2 = "caching_sha2_password"
    case sha256 = "sha256_password"
    case clear = "mysql_clear_password"
    case ed25519 = "client_ed25519"
}
