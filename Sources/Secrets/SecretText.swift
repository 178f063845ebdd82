import GatehouseCore
import Glibc

/// What sources give, made into a secret.
enum SecretText {
    /// No password, token or key is longer.
    static let mostBytes = 65_536

    /// - Parameter bytes: text, and maybe one line end behind it.
    static func secret(_ bytes: [UInt8]) throws(SecretProblem) -> Secret {
        guard bytes.count <= mostBytes else { throw SecretProblem("it gave more than \(mostBytes) bytes") }
        var bytes = bytes[...]
        if bytes.last == UInt8(ascii: "\n") {
            bytes = bytes.dropLast()
            if bytes.last == UInt8(ascii: "\r") { bytes = bytes.dropLast() }
        }
        guard !bytes.isEmpty else { throw SecretProblem("it gave nothing") }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw SecretProblem("it gave something that is not UTF-8 text")
        }
        return Secret(text)
    }

    static func read(file path: String) throws(SecretProblem) -> Secret {
        // Without O_NONBLOCK a pipe put there would hold the caller for ever.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SecretProblem("it cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while bytes.count <= mostBytes {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SecretProblem("it cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return try secret(bytes)
    }

    /// Words of others, fit for a line of a log.
    static func printable(_ bytes: some Sequence<UInt8>, limit: Int = 400) -> String {
        let text = String(decoding: Array(bytes), as: UTF8.self)
        let words = text.split(whereSeparator: { $0.isNewline || $0 == "\t" }).joined(separator: "; ")
        return String(String.UnicodeScalarView(words.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }).prefix(limit))
    }
}
