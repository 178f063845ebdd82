import Foundation
import GatehouseCore

/// Keys of recipients in files.
public enum KeyFiles {
    /// Reads `<directory>/recipient.key`, making it (mode 0600) and `recipient.pub` beside it when it is not there.
    /// - Throws: `KeyFileError` when it cannot be read or made.
    public static func recipient(
        directory: String, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(KeyFileError) -> RecipientPrivateKey {
        do {
            try fileSystem.makeDirectories(directory)
            let names = try fileSystem.list(directory) ?? []
            if !names.contains("recipient.key") {
                return try makeRecipient(directory: directory, name: "recipient", fileSystem: fileSystem)
            }
        } catch let error as KeyFileError {
            throw error
        } catch {
            throw KeyFileError(message: "the key that recordings are sealed to could not be made: \(error)")
        }
        return try recipientPrivateKey(file: directory + "/recipient.key", fileSystem: fileSystem)
    }

    /// Makes a key pair: `<directory>/<name>.key` (mode 0600) and `<name>.pub`.
    /// - Throws: `KeyFileError`, also when one of the files is there.
    public static func makeRecipient(
        directory: String, name: String, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(KeyFileError) -> RecipientPrivateKey {
        do {
            try fileSystem.makeDirectories(directory)
            let names = try fileSystem.list(directory) ?? []
            for file in ["\(name).key", "\(name).pub"] where names.contains(file) {
                throw KeyFileError(message: "\(directory)/\(file) is there already; a key is never written over, choose another name")
            }
            let key = try RecipientPrivateKey()
            try writeNew(Array(key.line.reveal().utf8), to: "\(directory)/\(name).key", in: directory, fileSystem)
            try writeNew(Array(key.publicKey.line.utf8), to: "\(directory)/\(name).pub", in: directory, fileSystem)
            return key
        } catch let error as KeyFileError {
            throw error
        } catch {
            throw KeyFileError(message: "the key could not be made in \(directory): \(error)")
        }
    }

    /// Puts a new key in the place of `<directory>/<name>.key` and `.pub`; the old public half stays as `<name>-<id>.pub`, and the
    /// private one as `.key` if it is still needed.
    /// - Returns: the new key's id.
    /// - Throws: `KeyFileError`; the old key is then in place, or its files are under their new names and the new key is made by a rerun.
    public static func rotate(
        directory: String, name: String, keepsPrivate: Bool, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(KeyFileError) -> String {
        do {
            let names = try fileSystem.list(directory) ?? []
            if names.contains("\(name).pub") {
                let line = try text("\(directory)/\(name).pub", fileSystem)
                guard let id = ManifestPublicKey(line: line)?.id ?? RecipientPublicKey(line: line)?.id else {
                    throw KeyFileError(message: "\(directory)/\(name).pub is no public key of this gateway")
                }
                let kept = "\(directory)/\(name)-\(id.prefix(16))"
                if names.contains("\(name).key") {
                    if keepsPrivate {
                        try fileSystem.rename("\(directory)/\(name).key", to: kept + ".key")
                    } else {
                        try fileSystem.remove("\(directory)/\(name).key")
                    }
                }
                try fileSystem.rename("\(directory)/\(name).pub", to: kept + ".pub")
                try fileSystem.synchronizeDirectory(directory)
            } else if !names.contains(where: { $0.hasPrefix(name + "-") }) {
                throw KeyFileError(message: "there is no \(name) key in \(directory); has the gateway been started?")
            }
            return keepsPrivate
                ? try recipient(directory: directory, fileSystem: fileSystem).publicKey.id
                : try ManifestSigner(directory: directory, name: name, fileSystem: fileSystem).publicKey.id
        } catch let error as KeyFileError {
            throw error
        } catch {
            throw KeyFileError(message: "the key could not be replaced: \(error)")
        }
    }

    /// - Throws: `KeyFileError` when it cannot be read or is no such key.
    public static func recipientPrivateKey(
        file: String, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(KeyFileError) -> RecipientPrivateKey {
        do {
            return try RecipientPrivateKey(line: Secret(try text(file, fileSystem)))
        } catch let error as KeyFileError {
            throw KeyFileError(message: "\(file): \(error.message)")
        } catch {
            throw KeyFileError(message: "\(file) could not be read: \(error)")
        }
    }

    /// - Throws: `KeyFileError` when it cannot be read or is no such key.
    public static func recipientPublicKey(
        file: String, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(KeyFileError) -> RecipientPublicKey {
        do {
            guard let key = RecipientPublicKey(line: try text(file, fileSystem)) else {
                throw KeyFileError(message: "\(file) is no public key of a recipient, as `gatehouse keys generate` makes one")
            }
            return key
        } catch let error as KeyFileError {
            throw error
        } catch {
            throw KeyFileError(message: "\(file) could not be read: \(error)")
        }
    }

    private static func text(_ file: String, _ fileSystem: any FileSystem) throws -> String {
        String(decoding: try readSmallFile(file, fileSystem), as: UTF8.self)
    }
}
