import NIOSSL
import Relay

/// TLS as PostgreSQL has it ("SSL Session Encryption").
public enum PostgresTLS {
    /// The protocol's name in ALPN. A client that starts with TLS at once must have agreed on it; one that asked with an SSLRequest
    /// may have said nothing. Servers from PostgreSQL 17 on refuse other names than this; earlier ones do not look.
    public static let applicationProtocol = "postgresql"

    /// - Parameter negotiated: what the handshake's completion event says.
    /// - Throws: for a direct connection without the protocol's name. Another protocol's traffic may be played to the
    ///   listener otherwise ("SSL Session Encryption": ALPN is mandatory there).
    static func checkDirect(negotiated: String?) throws(HandshakeError) {
        guard negotiated == applicationProtocol else {
            throw .protocolViolation("received direct SSL connection request without ALPN protocol negotiation extension")
        }
    }
}

extension UpstreamTLSContext {
    /// What SCRAM binds to, once the handshake is complete.
    /// - Throws: `TLSError` where the server sent no certificate.
    func channel(of handler: NIOSSLClientHandler) throws(TLSError) -> ServerAuthentication.Channel {
        .tls(certificate: try certificate(of: handler), isVerified: isVerified)
    }
}
