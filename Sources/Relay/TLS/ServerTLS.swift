import Crypto
public import GatehouseCore
public import NIOSSL

/// TLS of a listener: 1.2 and later, no client certificates.
public struct ServerTLS: Sendable {
    public let context: NIOSSLContext
    /// SHA-256 of the certificate's DER, in hex pairs with colons: what `openssl x509 -fingerprint -sha256` prints.
    public let fingerprint: String
    /// Where the certificate is; clients name it in `sslrootcert` when it is self-signed.
    public let certificateFile: String
    /// Whether it was made just now.
    public let isNew: Bool

    /// From an operator's files.
    /// - Parameters:
    ///   - certificateFile: PEM, the certificate first, then its chain.
    ///   - privateKeyFile: PEM, not encrypted.
    ///   - applicationProtocols: the protocol's names in ALPN; empty: it has none.
    /// - Throws: `TLSError` for a file that cannot be read, and for a key that is another certificate's.
    public init(certificateFile: String, privateKeyFile: String, applicationProtocols: [String]) throws(TLSError) {
        try self.init(
            certificateFile: certificateFile, privateKeyFile: privateKeyFile, applicationProtocols: applicationProtocols, isNew: false)
    }

    /// From the self-signed certificate in `dataDirectory`, made there first if there is none that is good for another
    /// month. See ``SelfSignedCertificate``.
    /// - Parameter hostNames: what clients call this machine, besides localhost.
    public static func selfSigned(
        in dataDirectory: String, clock: any GatewayClock, applicationProtocols: [String],
        hostNames: [String] = SelfSignedCertificate.localHostNames()
    ) throws(TLSError) -> ServerTLS {
        let files = try SelfSignedCertificate.ensure(in: dataDirectory, clock: clock, hostNames: hostNames)
        return try ServerTLS(
            certificateFile: files.certificate, privateKeyFile: files.privateKey, applicationProtocols: applicationProtocols,
            isNew: files.isNew)
    }

    private init(certificateFile: String, privateKeyFile: String, applicationProtocols: [String], isNew: Bool) throws(TLSError) {
        let chain = try Self.certificates(in: certificateFile, what: "certificate file")
        guard let leaf = chain.first, let der = try? leaf.toDERBytes() else {
            throw TLSError("certificate file \(certificateFile) holds no certificate", hint: "Give a PEM file, the certificate first.")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: privateKeyFile, format: .pem)
        } catch {
            throw TLSError(
                "private key file \(privateKeyFile) could not be read",
                hint: "Give a PEM file without a passphrase that the gateway's user may read.")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = applicationProtocols
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSError(
                "private key \(privateKeyFile) does not belong to certificate \(certificateFile), or is of a kind TLS cannot use",
                hint: "Give the key that the certificate was made with.")
        }
        fingerprint = Self.fingerprint(ofCertificate: der)
        self.certificateFile = certificateFile
        self.isNew = isNew
    }

    /// The handler that goes to the front of a client's pipeline.
    public func makeHandler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: context)
    }

    static func certificates(in file: String, what: String) throws(TLSError) -> [NIOSSLCertificate] {
        do {
            return try NIOSSLCertificate.fromPEMFile(file)
        } catch {
            throw TLSError("\(what) \(file) could not be read", hint: "Give a PEM file that the gateway's user may read.")
        }
    }

    static func fingerprint(ofCertificate der: [UInt8]) -> String {
        let digits = Array("0123456789ABCDEF")
        return SHA256.hash(data: der).map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 0xF)])" }.joined(separator: ":")
    }
}
