import Foundation
import Glibc
import Logging
import Masking
import Settings

/// The key of masks that depend on one: the configuration's, or one that is made at first start and kept in the data directory,
/// so that a value has the same replacement after a restart.
func maskKey(_ settings: GatehouseSettings, _ logger: Logger) throws -> MaskKey {
    if let given = settings.maskKey, let key = MaskKey(bytes: given.reveal().utf8) { return key }
    let path = settings.dataDirectory + "/mask.key"
    if let key = try readMaskKey(path) { return key }
    let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
    try writeMaskKey(bytes, to: path)
    logger.notice("a key for masks was made", metadata: ["file": "\(path)"])
    guard let key = try readMaskKey(path) else { throw MaskKeyError(path: path, problem: "cannot be read again") }
    return key
}

struct MaskKeyError: Error, CustomStringConvertible {
    let path: String
    let problem: String

    var description: String {
        "\(path), the key of masks, \(problem). Put it back from a backup, or remove it: masked values then have other replacements than before"
    }
}

private func readMaskKey(_ path: String) throws -> MaskKey? {
    var information = stat()
    guard stat(path, &information) == 0 else {
        guard errno == ENOENT else { throw MaskKeyError(path: path, problem: "cannot be looked at (\(String(cString: strerror(errno))))") }
        return nil
    }
    guard information.st_mode & 0o077 == 0 else { throw MaskKeyError(path: path, problem: "can be read by others: chmod 600 it") }
    guard let data = FileManager.default.contents(atPath: path), data.count == 32, let key = MaskKey(bytes: data) else {
        throw MaskKeyError(path: path, problem: "is not 32 bytes")
    }
    return key
}

/// Whole, or not at all: a crash leaves no half of a key.
private func writeMaskKey(_ bytes: [UInt8], to path: String) throws {
    let draft = path + ".new"
    let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw MaskKeyError(path: draft, problem: "cannot be written (\(String(cString: strerror(errno))))") }
    defer { close(file) }
    guard fchmod(file, 0o600) == 0, write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0, rename(draft, path) == 0 else {
        throw MaskKeyError(path: path, problem: "cannot be written (\(String(cString: strerror(errno))))")
    }
}
