import Foundation
import GatehouseCore

/// Where the caller's token comes from, and where `login` puts it.
struct TokenStore {
    /// Issuers' tokens reach some 16 KiB.
    private static let largestToken = 65_536

    private let environment: [String: String]

    init(environment: [String: String]) {
        self.environment = environment
    }

    /// `~/.config/gatehouse/token`, or under XDG_CONFIG_HOME.
    var defaultFile: String {
        if let base = environment["XDG_CONFIG_HOME"], base.hasPrefix("/") { return base + "/gatehouse/token" }
        return (environment["HOME"] ?? "/root") + "/.config/gatehouse/token"
    }

    /// The token in `file`, else in GATEHOUSE_TOKEN, else what `login` stored.
    func token(file: String?) throws -> Secret {
        if let file { return try read(file) }
        if let token = environment["GATEHOUSE_TOKEN"], !token.isEmpty { return try checked(token, from: "GATEHOUSE_TOKEN") }
        guard FileManager.default.fileExists(atPath: defaultFile) else {
            throw CommandFailure(.refused, "no token: run `gatehouse login`, set GATEHOUSE_TOKEN, or name a --token-file")
        }
        return try read(defaultFile)
    }

    private func read(_ file: String) throws -> Secret {
        guard let data = FileManager.default.contents(atPath: file), data.count <= Self.largestToken else {
            throw CommandFailure(.usage, "cannot read a token from \(file)")
        }
        let mode = (try? FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int).flatMap { $0 } ?? 0
        if mode & 0o077 != 0 { printNote("gatehouse: warning: others on this machine can reach \(file); run chmod 600 \(file)") }
        return try checked(String(decoding: data, as: UTF8.self), from: file)
    }

    /// A token is one word of visible ASCII (RFC 6750 section 2.1); anything else would break the request's header.
    func checked(_ text: String, from source: String) throws -> Secret {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CommandFailure(.usage, "what \(source) holds is not a token")
        }
        return Secret(token)
    }

    /// Stores a token for this user alone: the file is made 0600 before anything is in it, and takes its place at once.
    func write(_ token: Secret, to file: String?) throws -> String {
        let file = file ?? defaultFile
        let folder = (file as NSString).deletingLastPathComponent
        do {
            if !folder.isEmpty {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
            let temporary = file + ".new"
            try? FileManager.default.removeItem(atPath: temporary)
            let bytes = Data((token.reveal() + "\n").utf8)
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else { throw CommandFailure(.failure, "cannot write \(temporary): \(String(cString: strerror(errno)))") }
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            try handle.write(contentsOf: bytes)
            try handle.synchronize()
            try handle.close()
            guard rename(temporary, file) == 0 else {
                throw CommandFailure(.failure, "cannot write \(file): \(String(cString: strerror(errno)))")
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.failure, "cannot write \(file): \(error.localizedDescription)")
        }
        return file
    }
}
