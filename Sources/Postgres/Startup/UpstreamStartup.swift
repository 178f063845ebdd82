public import GatehouseCore
public import NIOCore

/// The untyped packets that the gateway itself sends to a server.
public enum UpstreamStartup {
    /// A server refuses more ("Message Formats" leave it open; MAX_STARTUP_PACKET_LENGTH in the server).
    static let maximumBytes = 10_000

    /// A StartupMessage of protocol 3.0. Text that the server lexes differently from the analyser would pass any rule,
    /// so that the packet always says which encoding and which string syntax the session has.
    ///
    /// - Parameter settings: each with name and value, as ``ClientStartup/settings`` are.
    /// - Throws: `HandshakeError` for a NUL inside a value, a setting without name or value, or too long a packet.
    public static func startup(
        user: String, database: String, settings: [SettingChange], replication: ClientStartup.Replication = .none
    ) throws(HandshakeError) -> ByteBuffer {
        var pairs: [(String, String)] = [("user", user), ("database", database)]
        switch replication {
        case .none: break
        case .physical: pairs.append(("replication", "true"))
        case .logical: pairs.append(("replication", "database"))
        }
        for setting in settings {
            guard let name = setting.name, let value = setting.value else {
                throw .invalidParameter("a startup setting needs a name and a value")
            }
            switch name {
            case "client_encoding", "standard_conforming_strings": continue
            default: pairs.append((name, value))
            }
        }
        pairs.append(("client_encoding", "UTF8"))
        pairs.append(("standard_conforming_strings", "on"))
        guard !pairs.contains(where: { $0.0.utf8.contains(0) || $0.1.utf8.contains(0) }) else {
            throw .invalidParameter("a startup parameter holds a NUL")
        }
        var packet = ByteBuffer()
        packet.writeLengthPrefixed { body in
            body.writeInteger(StartupPacket.Version.v3.code)
            for (name, value) in pairs {
                body.writeNullTerminatedString(name)
                body.writeNullTerminatedString(value)
            }
            body.writeInteger(UInt8(0))
        }
        guard packet.readableBytes <= maximumBytes else {
            throw .invalidParameter("the startup parameters are too long for a server (\(packet.readableBytes) of \(maximumBytes) bytes)")
        }
        return packet
    }

    /// An SSLRequest; the server answers with one byte, see ``readTLSAnswer(_:)``.
    public static func sslRequest() -> ByteBuffer {
        var packet = ByteBuffer()
        packet.writeLengthPrefixed { $0.writeInteger(StartupPacket.RequestCode.tls) }
        return packet
    }

    /// A CancelRequest, sent on a connection of its own.
    public static func cancelRequest(_ key: StartupPacket.CancelKey) -> ByteBuffer {
        var packet = ByteBuffer()
        packet.writeLengthPrefixed { body in
            body.writeInteger(StartupPacket.RequestCode.cancel)
            body.writeInteger(key.processID)
            body.writeBytes(key.secret)
        }
        return packet
    }

    /// Reads the answer to an SSLRequest: whether TLS starts now; nil while nothing has come.
    ///
    /// - Throws: `HandshakeError` for anything else than one byte `S` or `N`. More bytes would be taken for bytes that
    ///   came through TLS ("SSL Session Encryption": unencrypted data after the answer is an attack).
    public static func readTLSAnswer(_ buffer: inout ByteBuffer) throws(HandshakeError) -> Bool? {
        guard let byte = buffer.readInteger(as: UInt8.self) else { return nil }
        guard byte != UInt8(ascii: "E") else {
            throw .protocolViolation("the server answered the request for TLS with an error", hint: "Look into the server's log.")
        }
        guard byte == UInt8(ascii: "S") || byte == UInt8(ascii: "N") else {
            throw .protocolViolation("the server's answer to the request for TLS is not one of PostgreSQL's")
        }
        guard buffer.readableBytes == 0 else {
            throw .protocolViolation("the server sent unencrypted bytes after its answer to the request for TLS")
        }
        return byte == UInt8(ascii: "S")
    }
}
