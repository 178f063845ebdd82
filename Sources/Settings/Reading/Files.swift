import Foundation
import GatehouseCore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

extension Section {
    /// A path, made absolute from the configuration's own directory.
    func path(_ key: String) -> (path: String, place: Place)? {
        scalar(key).map { scalar in
            (scalar.text.hasPrefix("/") ? scalar.text : context.directory + "/" + scalar.text, scalar.place)
        }
    }

    /// The path of a file that must be there and readable.
    func existingFile(_ key: String, secret: Bool = false) -> String? {
        guard let (path, place) = path(key) else { return nil }
        return context.check(path, name(key), place, secret: secret) ? path : nil
    }

    /// The content of a file that holds one secret, without the line end behind it.
    func secretFile(_ key: String) -> Secret? {
        guard let (path, place) = path(key), context.check(path, name(key), place, secret: true) else { return nil }
        guard let data = FileManager.default.contents(atPath: path), data.count <= 65_536, var text = String(data: data, encoding: .utf8)
        else {
            context.problems.error(place, "`\(name(key))`: \(path) is not UTF-8 text of at most 64 KiB")
            return nil
        }
        if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        guard !text.isEmpty else {
            context.problems.error(place, "`\(name(key))`: \(path) is empty")
            return nil
        }
        return Secret(text)
    }

    /// A secret: `key` from the environment, or `key_file`, and one of them.
    func secret(_ key: String) -> Secret? {
        guard context.readsFiles else {
            _ = (node(key), node(key + "_file"))
            return nil
        }
        let direct = scalar(key)
        let filed = secretFile(key + "_file")
        if has(key), has(key + "_file") {
            context.problems.error(place(of: key + "_file"), "`\(path)` has both `\(key)` and `\(key)_file`; keep one")
        }
        guard let direct else { return filed }
        guard direct.isSubstituted else {
            // The value is not repeated here: it may be the real one.
            context.problems.error(
                direct.place, "`\(name(key))` must not be written here: use ${env:NAME}, or `\(key)_file` with a file of mode 0600")
            return nil
        }
        return Secret(direct.text)
    }

    /// `{ certificate_file, private_key_file }`
    func serverTLS(_ key: String) -> ServerTLSFiles? {
        guard let section = section(key) else { return nil }
        defer { section.finish() }
        let certificate = section.existingFile("certificate_file")
        let privateKey = section.existingFile("private_key_file", secret: true)
        for name in ["certificate_file", "private_key_file"] where !section.has(name) {
            context.problems.error(section.place, "`\(section.name(name))` is missing; give both PEM files, or leave `\(key)` out")
        }
        guard let certificate, let privateKey else { return nil }
        return ServerTLSFiles(certificateFile: certificate, privateKeyFile: privateKey)
    }
}

extension ReadingContext {
    /// Whether a file is a program that this user may run, and that not everybody may change. It is not run.
    func checkProgram(_ path: String, _ name: String, _ place: Place) -> Bool {
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG, access(path, X_OK) == 0 else {
            problems.error(place, "`\(name)`: \(path) is not a program that this user may run")
            return false
        }
        guard information.st_mode & 0o002 == 0 else {
            problems.error(place, "`\(name)`: everybody on this machine can change \(path); run chmod o-w \(path)")
            return false
        }
        return true
    }

    /// Whether a file can be read; a secret that others on the machine could read too is an error.
    func check(_ path: String, _ name: String, _ place: Place, secret: Bool) -> Bool {
        guard readsFiles else { return true }
        var information = stat()
        guard stat(path, &information) == 0 else {
            problems.error(place, "`\(name)`: cannot read \(path): \(String(cString: strerror(errno)))")
            return false
        }
        guard information.st_mode & S_IFMT == S_IFREG else {
            problems.error(place, "`\(name)`: \(path) is not a file")
            return false
        }
        guard access(path, R_OK) == 0 else {
            problems.error(place, "`\(name)`: cannot read \(path): \(String(cString: strerror(errno)))")
            return false
        }
        if secret {
            if information.st_mode & 0o007 != 0 {
                problems.error(place, "`\(name)`: everybody on this machine can reach \(path); run chmod 600 \(path)")
                return false
            }
            if information.st_mode & 0o020 != 0 {
                problems.warning(place, "`\(name)`: its group can change \(path); run chmod 600 \(path)")
            }
        }
        return true
    }
}
