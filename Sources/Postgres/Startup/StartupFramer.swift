public import GatehouseCore
public import NIOCore

/// Cuts a client's first bytes into startup packets, pulled one at a time. Made anew once TLS is up.
///
/// What it refuses is thrown as ``HandshakeError``; after an error the connection is of no more use.
public struct StartupFramer: Sendable {
    private var buffer = ByteBuffer()
    private let limit: Int
    private var mayAskForTLS: Bool
    private var mayAskForGSS: Bool
    private var isFirst: Bool

    /// - Parameters:
    ///   - insideTLS: the bytes come through TLS: a second layer is then refused.
    ///   - maximumBytes: of one packet (`Limits.startupPacketBytes`).
    public init(insideTLS: Bool = false, maximumBytes: Int = Limits().startupPacketBytes) {
        limit = maximumBytes
        mayAskForTLS = !insideTLS
        mayAskForGSS = !insideTLS
        isFirst = true
    }

    public mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        buffer.writeBuffer(&bytes)
    }

    /// Whether bytes were received beyond the packets taken. Before a TLS upgrade, or an answer that the client has to
    /// wait for, there must be none: someone between may have put them there.
    public var hasRest: Bool { buffer.readableBytes > 0 }

    /// The bytes beyond the packets taken; the framer is then empty.
    public mutating func takeRest() -> ByteBuffer {
        defer { buffer = ByteBuffer() }
        return buffer.slice()
    }

    /// The next packet; nil while its bytes are not all there.
    public mutating func next() throws(HandshakeError) -> StartupPacket? {
        let start = buffer.readerIndex
        // A TLS record of type handshake (RFC 8446 section 5.1). No packet begins so: it would be 352 MiB long.
        if isFirst, mayAskForTLS, buffer.getInteger(at: start, as: UInt8.self) == 0x16 {
            isFirst = false
            mayAskForTLS = false
            mayAskForGSS = false
            return .directTLS
        }
        guard let length = buffer.getInteger(at: start, as: UInt32.self) else { return nil }
        guard length >= 8, length <= UInt32(clamping: limit) else {
            throw .protocolViolation(
                "invalid length of startup packet",
                hint: "Its length must be from 8 to \(limit) bytes; is it a PostgreSQL client that connects here?")
        }
        guard buffer.readableBytes >= Int(length), let packet = buffer.getSlice(at: start, length: Int(length)) else { return nil }
        let parsed = try parse(packet)
        buffer.moveReaderIndex(forwardBy: Int(length))
        if buffer.readableBytes == 0 { buffer.clear() }
        isFirst = false
        return parsed
    }

    private mutating func parse(_ packet: ByteBuffer) throws(HandshakeError) -> StartupPacket {
        var body = packet
        guard body.readInteger(as: UInt32.self) != nil, let code = body.readInteger(as: UInt32.self) else {
            throw .protocolViolation("invalid length of startup packet")
        }
        switch code {
        case StartupPacket.RequestCode.tls:
            guard body.readableBytes == 0, mayAskForTLS else { throw .protocolViolation("SSLRequest out of place") }
            mayAskForTLS = false
            return .sslRequest
        case StartupPacket.RequestCode.gss:
            guard body.readableBytes == 0, mayAskForGSS else { throw .protocolViolation("GSSENCRequest out of place") }
            mayAskForGSS = false
            return .gssEncRequest
        case StartupPacket.RequestCode.cancel:
            return try .cancelRequest(parseCancelKey(&body))
        default:
            let version = StartupPacket.Version(code: code)
            guard version.major == 3 else {
                throw .notSupported("unsupported frontend protocol \(version): Gatehouse supports 3.0")
            }
            return try .startup(version: version, parameters: parseParameters(&body))
        }
    }

    private func parseCancelKey(_ body: inout ByteBuffer) throws(HandshakeError) -> StartupPacket.CancelKey {
        guard let processID = body.readInteger(as: Int32.self), StartupPacket.CancelKey.secretBytes.contains(body.readableBytes),
            let secret = body.readBytes(length: body.readableBytes)
        else { throw .protocolViolation("invalid length of cancel request") }
        return StartupPacket.CancelKey(processID: processID, secret: secret)
    }

    /// Pairs of NUL-terminated strings, then a NUL, then nothing.
    private func parseParameters(_ body: inout ByteBuffer) throws(HandshakeError) -> [StartupPacket.Parameter] {
        var parameters: [StartupPacket.Parameter] = []
        var names: Set<String> = []
        while true {
            let name = try readString(&body)
            if name.isEmpty { break }
            // The server takes the last of two. A reader in between may take the first, so neither is taken here.
            // Settings are compared without case, as the server does.
            guard names.insert(name.asciiLowercased()).inserted else {
                throw .protocolViolation("startup parameter \(name.quotedForMessage) is given twice")
            }
            parameters.append(StartupPacket.Parameter(name, try readString(&body)))
        }
        guard body.readableBytes == 0 else {
            throw .protocolViolation("invalid startup packet layout: expected terminator as last byte")
        }
        return parameters
    }

    private func readString(_ body: inout ByteBuffer) throws(HandshakeError) -> String {
        guard let bytes = body.readNullTerminatedBytes() else {
            throw .protocolViolation("invalid startup packet layout: expected terminator as last byte")
        }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw HandshakeError(sqlState: "22021", message: "startup packet holds text that is not UTF-8")
        }
        return text
    }
}
