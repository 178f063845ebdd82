import NIOCore

/// A server's first packet ("Protocol::HandshakeV10"; MariaDB documentation, "Connecting", initial handshake packet).
struct Greeting: Sendable, Hashable {
    /// As sent: MariaDB puts `5.5.5-` in front of its own, for replicas of old.
    var version: String
    var threadID: UInt32
    /// What the authentication answers to, without the NUL behind it: 20 bytes from all servers of today.
    var nonce: [UInt8]
    var capabilities: Capabilities
    var collation: UInt8
    var status: StatusFlags
    /// The server's default: an account's own may differ, and the server then switches.
    var plugin: String

    static let protocolVersion: UInt8 = 10
    static let nonceBytes = 20

    init(version: String, threadID: UInt32, nonce: [UInt8], capabilities: Capabilities, collation: UInt8 = 45, plugin: String) {
        self.version = version
        self.threadID = threadID
        self.nonce = nonce
        self.capabilities = capabilities
        self.collation = collation
        status = .autocommit
        self.plugin = plugin
    }

    init(_ payload: ByteBuffer) throws(ProtocolViolation) {
        var body = BodyReader(payload, "greeting")
        let number: UInt8 = try body.integer()
        guard number == Self.protocolVersion else {
            throw ProtocolViolation("a greeting of protocol \(number), not 10", code: .badHandshake)
        }
        version = try body.nulString()
        threadID = try body.integer()
        nonce = Array(try body.bytes(8).readableBytesView)
        try body.skip(1)
        let low: UInt16 = try body.integer()
        collation = try body.integer()
        status = StatusFlags(rawValue: try body.integer())
        let high: UInt16 = try body.integer()
        let length: UInt8 = try body.integer()
        try body.skip(6)
        let extended: UInt32 = try body.integer()
        let base = UInt32(low) | UInt32(high) << 16
        capabilities = Capabilities(base: base)
        if !capabilities.contains(.mysql) { capabilities = Capabilities(base: base, extended: extended) }
        guard capabilities.contains(.protocol41), capabilities.contains(.secureConnection) else {
            throw ProtocolViolation("the server is older than protocol 4.1", code: .badHandshake)
        }
        let second = try body.bytes(min(max(13, Int(length) - 8), body.remaining))
        nonce += second.readableBytesView
        if nonce.last == 0 { nonce.removeLast() }
        plugin = "mysql_native_password"
        if capabilities.contains(.pluginAuthentication), body.remaining > 0 {
            // Some servers of old left the NUL out.
            plugin = BodyReader.text(body.rest())
            if let end = plugin.firstIndex(of: "\0") { plugin = String(plugin[..<end]) }
        }
    }

    var payload: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.protocolVersion)
        buffer.writeNulString(version)
        buffer.writeLittle(threadID)
        buffer.writeBytes(nonce.prefix(8))
        buffer.writeInteger(UInt8(0))
        buffer.writeLittle(UInt16(truncatingIfNeeded: capabilities.base))
        buffer.writeInteger(collation)
        buffer.writeLittle(status.rawValue)
        buffer.writeLittle(UInt16(truncatingIfNeeded: capabilities.base >> 16))
        buffer.writeInteger(UInt8(clamping: nonce.count + 1))
        buffer.writeBytes([UInt8](repeating: 0, count: 6))
        buffer.writeLittle(capabilities.extended)
        buffer.writeBytes(nonce.dropFirst(8))
        buffer.writeInteger(UInt8(0))
        buffer.writeNulString(plugin)
        return buffer
    }

    var family: ServerFamily {
        version.contains("MariaDB") || version.contains("-maria-") || !capabilities.contains(.mysql) ? .mariadb : .mysql
    }

    /// The version as people know it.
    var plainVersion: String { version.hasPrefix("5.5.5-") ? String(version.dropFirst(6)) : version }

    /// A nonce as servers make them: no NUL, which would end it early, and no `$`, which parts fields of stored hashes.
    static func freshNonce() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<nonceBytes).map { _ in
            while true {
                let byte = UInt8.random(in: 1...127, using: &generator)
                if byte != UInt8(ascii: "$") { return byte }
            }
        }
    }
}
