public import GatehouseCore
import NIOCore
public import NIOSSL

/// TLS towards one target, set up once and used for every connection to it.
public struct UpstreamTLSContext: Sendable {
    private let context: NIOSSLContext
    private let host: String
    private let mode: UpstreamTLS.Mode

    /// - Parameters:
    ///   - host: the target's name or IP address, as configured: what its certificate must name.
    ///   - applicationProtocols: the protocol's names in ALPN; empty: it has none.
    /// - Returns: nil where the mode is to use no TLS.
    /// - Throws: `TLSError` when the authorities cannot be read, or the host cannot be one.
    public init?(_ tls: UpstreamTLS, host: String, applicationProtocols: [String]) throws(TLSError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        switch tls.mode {
        case .disable: return nil
        case .require: configuration.certificateVerification = .none
        case .verifyCA: configuration.certificateVerification = .noHostnameVerification
        case .verifyFull: configuration.certificateVerification = .fullVerification
        }
        configuration.minimumTLSVersion = .tlsv12
        configuration.verifySignatureAlgorithms = Self.signatureAlgorithms
        configuration.applicationProtocols = applicationProtocols
        if let file = tls.authorityFile {
            let authorities = try ServerTLS.certificates(in: file, what: "tls.ca_file")
            guard !authorities.isEmpty else {
                throw TLSError("tls.ca_file \(file) holds no certificate", hint: "Give a PEM file of authorities to trust.")
            }
            configuration.trustRoots = .certificates(authorities)
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSError(
                "the authorities to trust for \(host) could not be loaded",
                hint: "Install the system's CA certificates, or name a tls.ca_file.")
        }
        self.host = host
        mode = tls.mode
        _ = try makeHandler()
    }

    /// The handler that goes to the front of the pipeline once the server has agreed to TLS, on that channel's event
    /// loop. A name is also sent as SNI; an IP address is held against the connection's own.
    public func makeHandler() throws(TLSError) -> NIOSSLClientHandler {
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: Self.isIPAddress(host) ? nil : host)
        } catch {
            throw TLSError("\(host) cannot be the name of a TLS server", hint: "Set the target's address to a host name or an IP address.")
        }
    }

    /// Somebody that is trusted says that the certificate is genuine.
    public var isVerified: Bool { mode == .verifyCA || mode == .verifyFull }

    /// The server's certificate (DER), once the handshake is complete.
    /// - Throws: `TLSError` where the server sent none.
    public func certificate(of handler: NIOSSLClientHandler) throws(TLSError) -> [UInt8] {
        guard let certificate = handler.peerCertificate, let der = try? certificate.toDERBytes() else {
            throw TLSError("\(host) sent no certificate", hint: "Give the server a certificate.")
        }
        return der
    }

    /// The library's own list, and Ed25519, which it leaves out and servers use; without SHA-1.
    private static let signatureAlgorithms: [SignatureAlgorithm] = [
        .ecdsaSecp256R1Sha256, .rsaPssRsaeSha256, .rsaPkcs1Sha256, .ecdsaSecp384R1Sha384, .rsaPssRsaeSha384, .rsaPkcs1Sha384,
        .ecdsaSecp521R1Sha512, .rsaPssRsaeSha512, .rsaPkcs1Sha512, .ed25519,
    ]

    private static func isIPAddress(_ host: String) -> Bool {
        (try? SocketAddress(ipAddress: host, port: 0)) != nil
    }
}
