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
