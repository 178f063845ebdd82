import NIOSSL

/// Why TLS could not be set up, or a handshake failed: what, where, and what to do. Holds nothing secret.
public struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    public var hint: String

    public init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }

    public var description: String { "\(message). \(hint)" }

    /// Says in a person's words why the handshake with a server failed.
    /// - Parameters:
    ///   - error: what the TLS handler threw.
    ///   - server: the target's host, as configured.
    public static func handshake(_ error: any Error, with server: String) -> TLSError {
        if let own = error as? TLSError { return own }
        if let extra = error as? NIOSSLExtraError, extra == .failedToValidateHostname {
            return TLSError(
                "the certificate of \(server) does not name it",
                hint: "Set the target's address to a name in the certificate, or its TLS mode to verify-ca.")
        }
        if let tls = error as? NIOSSLError {
            switch tls {
            case .unableToValidateCertificate, .noCertificateToValidate: return untrusted(server)
            case .cannotFindPeerIP, .cannotMatchULabel:
                return TLSError(
                    "the certificate of \(server) could not be held against its name",
                    hint: "Set the target's address to a name or IP address in the certificate.")
            case .handshakeFailed(let reason):
                let text = "\(reason)"
                if text.contains("CERTIFICATE_VERIFY_FAILED") { return untrusted(server) }
                if text.contains("PROTOCOL_VERSION") || text.contains("UNSUPPORTED_PROTOCOL") {
                    return TLSError("\(server) speaks no version of TLS from 1.2 on", hint: "Allow TLS 1.2 or 1.3 on the server.")
                }
                return TLSError("the TLS handshake with \(server) failed: \(text)", hint: "Look into the server's log for its side of it.")
            case .uncleanShutdown, .writeDuringTLSShutdown, .unableToAllocateBoringSSLObject, .noSuchFilesystemObject,
                .failedToLoadCertificate, .failedToLoadPrivateKey, .shutdownFailed, .readInInvalidTLSState:
                break
            }
        }
        return TLSError("TLS with \(server) failed: \(error)", hint: "Look into the server's log for its side of it.")
    }

    private static func untrusted(_ server: String) -> TLSError {
        TLSError(
            "the certificate of \(server) does not come from a trusted authority, or has expired",
            hint: "Name its authority in the target's tls.ca_file.")
    }
}
