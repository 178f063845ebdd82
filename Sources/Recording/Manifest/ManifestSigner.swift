import Crypto
import Foundation
import GatehouseCore

/// A key that vouches for manifests, as it is given away.
public struct ManifestPublicKey: Sendable, Hashable {
    /// SHA-256 of the 32 bytes of the key, in hexadecimal.
    public let id: String
    let raw: [UInt8]

    init?(raw: [UInt8]) {
        guard raw.count == 32 else { return nil }
        self.raw = raw
        id = Array(SHA256.hash(data: raw)).hexadecimal
    }

    /// Reads the line that a key's public file holds: `gatehouse-ed25519 <key id> <key in hexadecimal>`.
    public init?(line: String) {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count == 3, words[0] == "gatehouse-ed25519", let raw = [UInt8](hexadecimal: words[2]) else { return nil }
        self.init(raw: raw)
        guard id == words[1] else { return nil }
    }

    public var line: String { "gatehouse-ed25519 \(id) \(raw.hexadecimal)\n" }

    /// Whether `signature` is this key's over `message` itself.
    func isSigned(_ signature: [UInt8], _ message: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: raw) else { return false }
        return key.isValidSignature(signature, for: message)
    }

    func isValid(_ signature: [UInt8], over manifest: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: raw) else { return false }
        return key.isValidSignature(signature, for: signedMessage(manifest))
    }
}

/// A key file that cannot be used.
public struct KeyFileError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    public var description: String { message }
}

/// Signs manifests, or the checkpoints of the log, with Ed25519 (RFC 8032).
public struct ManifestSigner: Sendable {
    private let key: Curve25519.Signing.PrivateKey
    public let publicKey: ManifestPublicKey

    /// Reads `<directory>/<name>.key`, making it (mode 0600) and `<name>.pub` beside it when it is not there.
    /// - Throws: `KeyFileError` when it cannot be read, made, or is readable by others.
    public init(
        directory: String, name: String = "manifest", fileSystem: any FileSystem = LocalFileSystem()
    ) throws(KeyFileError) {
        let path = "\(directory)/\(name).key"
        do {
            try fileSystem.makeDirectories(directory)
            if let names = try fileSystem.list(directory), !names.contains("\(name).key") {
                let fresh = Curve25519.Signing.PrivateKey()
                try writeNew(Array((Array(fresh.rawRepresentation).hexadecimal + "\n").utf8), to: path, in: directory, fileSystem)
            }
            let text = String(decoding: try readSmallFile(path, fileSystem), as: UTF8.self)
            guard let raw = [UInt8](hexadecimal: text.trimmingCharacters(in: .whitespacesAndNewlines)), raw.count == 32 else {
                throw KeyFileError(message: "\(path) holds no key of 64 hexadecimal digits; restore it from a backup")
            }
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: raw)
            guard let known = ManifestPublicKey(raw: Array(key.publicKey.rawRepresentation)) else {
                throw KeyFileError(message: "\(path) holds no usable key")
            }
            publicKey = known
            if let names = try fileSystem.list(directory), !names.contains("\(name).pub") {
                try writeNew(Array(known.line.utf8), to: "\(directory)/\(name).pub", in: directory, fileSystem)
            }
        } catch let error as KeyFileError {
            throw error
        } catch {
            throw KeyFileError(message: "the key that signs (\(path)) could not be read or made: \(error)")
        }
    }

    /// Signs `message` itself.
    func sign(_ message: [UInt8]) throws -> [UInt8] { Array(try key.signature(for: message)) }

    /// The bytes of a signature file.
    func signatureFile(for manifest: [UInt8]) throws -> [UInt8] {
        let signature = Array(try key.signature(for: signedMessage(manifest)))
        return SignatureFile(key: publicKey.id, signature: signature).encoded()
    }
}

/// `gatehouse-signature-1 ed25519 <key id> <signature in hexadecimal>` and a newline, nothing more or less.
struct SignatureFile: Hashable {
    var key: String
    var signature: [UInt8]

    init(key: String, signature: [UInt8]) {
        self.key = key
        self.signature = signature
    }

    init?(_ bytes: [UInt8]) {
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard words.count == 4, words[3].hasSuffix("\n"), let signature = [UInt8](hexadecimal: words[3].dropLast()) else { return nil }
        self.init(key: String(words[2]), signature: signature)
        guard encoded() == bytes else { return nil }
    }

    func encoded() -> [UInt8] {
        Array("gatehouse-signature-1 ed25519 \(key) \(signature.hexadecimal)\n".utf8)
    }
}

/// What is signed: a word that keeps the signature from meaning anything else, then the manifest's bytes.
private func signedMessage(_ manifest: [UInt8]) -> [UInt8] {
    Array("gatehouse manifest 1\n".utf8) + manifest
}

func writeNew(_ bytes: [UInt8], to path: String, in directory: String, _ fileSystem: any FileSystem) throws {
    let unfinished = path + ".new"
    if let names = try fileSystem.list(directory), names.contains(where: { directory + "/" + $0 == unfinished }) {
        try fileSystem.remove(unfinished)
    }
    let descriptor = try fileSystem.open(unfinished, .create)
    defer { fileSystem.close(descriptor) }
    try bytes.withUnsafeBytes { try fileSystem.writeAll(descriptor, path: unfinished, $0) }
    try fileSystem.synchronize(descriptor, path: unfinished)
    try fileSystem.rename(unfinished, to: path)
    try fileSystem.synchronizeDirectory(directory)
}

func readSmallFile(_ path: String, _ fileSystem: any FileSystem) throws -> [UInt8] {
    let descriptor = try fileSystem.open(path, .read)
    defer { fileSystem.close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: min(try fileSystem.size(descriptor, path: path), 4096))
    let count = try bytes.withUnsafeMutableBytes { try fileSystem.readFully(descriptor, path: path, into: $0, at: 0) }
    return Array(bytes.prefix(count))
}
