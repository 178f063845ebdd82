import NIOCore

/// COM_CHANGE_USER: a new login on an old connection.
struct ChangeUserRequest: Sendable, Hashable {
    var user: String
    /// The first answer of the plugin: as secret as that plugin makes it.
    var response: ByteBuffer
    var database: String
    var collation: UInt16?
    var plugin: String?
    var attributes: [ConnectAttribute] = []

    init(user: String, database: String, plugin: String?) {
        self.user = user
        response = ByteBuffer()
        self.database = database
        collation = 45
        self.plugin = plugin
    }

    init(_ body: inout BodyReader, _ capabilities: Capabilities) throws(ProtocolViolation) {
        user = try body.nulString()
        let length: UInt8 = try body.integer()
        response = try body.bytes(Int(length))
        database = try body.nulString()
        guard body.remaining > 0 else { return }
        collation = try body.integer()
        if capabilities.contains(.pluginAuthentication), body.remaining > 0 { plugin = try body.nulString() }
        if capabilities.contains(.connectAttributes), body.remaining > 0 { attributes = try ConnectAttribute.decode(&body) }
    }

    func write(to buffer: inout ByteBuffer, _ capabilities: Capabilities) {
        buffer.writeNulString(user)
        buffer.writeInteger(UInt8(clamping: response.readableBytes))
        buffer.writeImmutableBuffer(response.getSlice(at: response.readerIndex, length: min(255, response.readableBytes)) ?? response)
        buffer.writeNulString(database)
        guard let collation else { return }
        buffer.writeLittle(collation)
        if capabilities.contains(.pluginAuthentication) { buffer.writeNulString(plugin ?? "") }
        if capabilities.contains(.connectAttributes) { ConnectAttribute.write(attributes, to: &buffer) }
    }
}

/// What a client says of itself ("Connection Attributes"). It may say anything: never the base of a decision.
struct ConnectAttribute: Sendable, Hashable {
    var name: String
    var value: String

    /// Servers keep 64 KiB; so many pairs are more than any client sends.
    static let maximumCount = 512

    static func decode(_ body: inout BodyReader) throws(ProtocolViolation) -> [ConnectAttribute] {
        var block = BodyReader(try body.encodedBytes(), "connection attributes")
        var attributes: [ConnectAttribute] = []
        while block.remaining > 0 {
            guard attributes.count < maximumCount else { throw ProtocolViolation("more than \(maximumCount) connection attributes") }
            let name = try block.encodedString()
            attributes.append(ConnectAttribute(name: name, value: try block.encodedString()))
        }
        return attributes
    }

    static func write(_ attributes: [ConnectAttribute], to buffer: inout ByteBuffer) {
        var block = ByteBuffer()
        for attribute in attributes {
            block.writeEncoded(string: attribute.name)
            block.writeEncoded(string: attribute.value)
        }
        buffer.writeEncoded(bytes: block)
    }
}
