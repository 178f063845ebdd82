import Crypto
import Foundation
import GatehouseCore
import NIOSSL
import X509

/// The certificate that a listener without one of its own uses: made at first start in the data directory, so that
/// tokens never travel in the clear. Clients trust it by naming the file in `sslrootcert`, or by its fingerprint.
///
/// ECDSA P-256, for localhost, 127.0.0.1, ::1 and the machine's name, good for two years: long enough that clients do
/// not have to take a new one often, short enough that a copied key does not serve for ever. Made anew at a start when
/// less than a month is left.
public enum SelfSignedCertificate {
    static let lifetimeDays = 730
    static let renewalDays = 30

    struct Files {
        var certificate: String
        var privateKey: String
        var isNew: Bool
    }

    /// The name of this machine, if it has one that a certificate can hold.
    public static func localHostNames() -> [String] {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return [] }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? [] : [name]
    }

    static func ensure(in dataDirectory: String, clock: any GatewayClock, hostNames: [String]) throws(TLSError) -> Files {
        let directory = dataDirectory + "/tls"
        var files = Files(certificate: directory + "/server.crt", privateKey: directory + "/server.key", isNew: false)
        guard try !isUsable(files, now: clock.wallTime()) else { return files }
        let (certificate, key) = try make(hostNames: hostNames, now: clock.wallTime())
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw TLSError("directory \(directory) could not be made", hint: "Let the gateway's user write to the data directory.")
        }
        // The key first: a crash in between leaves a pair that does not match, which is made anew at the next start.
        try write(key, to: files.privateKey)
        try write(certificate, to: files.certificate)
        files.isNew = true
        return files
    }

    /// Whether both files are there, belong together, and will be good for a while.
    /// - Throws: when one is there and cannot be read: it may be an operator's, so that it is not written over.
    private static func isUsable(_ files: Files, now: WallTime) throws(TLSError) -> Bool {
        let manager = FileManager.default
        guard manager.fileExists(atPath: files.certificate), manager.fileExists(atPath: files.privateKey) else { return false }
        do {
            let certificate = try Certificate(pemEncoded: String(contentsOfFile: files.certificate, encoding: .utf8))
            let key = try P256.Signing.PrivateKey(pemRepresentation: String(contentsOfFile: files.privateKey, encoding: .utf8))
            let left = certificate.notValidAfter.timeIntervalSince1970 - Double(now.seconds)
            return left > Double(renewalDays) * 86_400 && certificate.publicKey == Certificate.PublicKey(key.publicKey)
        } catch {
            throw TLSError(
                "the self-signed certificate in \(files.certificate) or its key in \(files.privateKey) could not be read",
                hint: "Let the gateway's user read both, or delete both to have new ones made.")
        }
    }

    private static func make(hostNames: [String], now: WallTime) throws(TLSError) -> (certificate: String, key: String) {
        do {
            let key = P256.Signing.PrivateKey()
            let names = ["localhost"] + hostNames.filter { isDNSName($0) && $0 != "localhost" }
            let addresses: [[UInt8]] = [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]]
            let subject = try DistinguishedName { CommonName(names.last ?? "localhost") }
            let start = Date(timeIntervalSince1970: Double(now.seconds))
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
                // A client's clock may be behind.
                notValidBefore: start.addingTimeInterval(-3_600),
                notValidAfter: start.addingTimeInterval(Double(lifetimeDays) * 86_400), issuer: subject, subject: subject,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    // No key usage: without certificate signing in it, BoringSSL and OpenSSL before 3.0 do not take a
                    // certificate as its own authority; with it, it would have to be an authority's.
                    try ExtendedKeyUsage([.serverAuth])
                    SubjectAlternativeNames(names.map { .dnsName($0) } + addresses.map { .ipAddress(.init(contentBytes: $0[...])) })
                }, issuerPrivateKey: .init(key))
            return (try certificate.serializeAsPEM().pemString + "\n", key.pemRepresentation + "\n")
        } catch {
            throw TLSError("a self-signed certificate could not be made: \(error)", hint: "Configure a certificate and its key instead.")
        }
    }

    /// RFC 1123 section 2.1: letters, digits and hyphens between dots.
    static func isDNSName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count <= 253, !name.utf8.allSatisfy({ $0 == 0x2E || (0x30...0x39).contains($0) }) else {
            return false
        }
        return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.count <= 63 && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy {
                    (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-")
                }
        }
    }

    /// Puts a file in place whole, readable by its owner alone from its first byte on.
    private static func write(_ text: String, to path: String) throws(TLSError) {
        let failed = TLSError("\(path) could not be written", hint: "Let the gateway's user write to the data directory.")
        let temporary = path + ".new"
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failed }
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            written += count
        }
        let isSafe = written == bytes.count && fsync(file) == 0
        guard close(file) == 0, isSafe, rename(temporary, path) == 0 else {
            unlink(temporary)
            throw failed
        }
    }
}
