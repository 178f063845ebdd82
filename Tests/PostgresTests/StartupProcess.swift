import Foundation

/// A program that has run to its end.
struct Ended {
    var status: Int32
    var output: Data
    var errors: String

    var text: String { String(decoding: output, as: UTF8.self) }
}

struct ProgramFailed: Error, CustomStringConvertible {
    var description: String
}

/// Runs a program to its end, its input closed, its environment this one's and `environment`.
func run(_ path: String, _ arguments: [String], environment: [String: String] = [:], in directory: String? = nil) throws -> Ended {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    // Through files: a pipe that nobody empties would stop the program, and a daemon would hold it open.
    let folder = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for name in ["out", "err"] { _ = FileManager.default.createFile(atPath: folder + "/" + name, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/out"))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/err"))
    try process.run()
    process.waitUntilExit()
    let errors = try Data(contentsOf: URL(fileURLWithPath: folder + "/err"))
    return Ended(
        status: process.terminationStatus, output: try Data(contentsOf: URL(fileURLWithPath: folder + "/out")),
        errors: String(decoding: errors, as: UTF8.self))
}

/// The same, where anything but success is a failure of the test's own set-up.
@discardableResult
func need(_ path: String, _ arguments: [String], in directory: String? = nil) throws -> Ended {
    let ended = try run(path, arguments, in: directory)
    guard ended.status == 0 else {
        throw ProgramFailed(description: "\(path) \(arguments.first ?? "") ended with \(ended.status): \(ended.text)\(ended.errors)")
    }
    return ended
}

/// A new directory; whoever asks for it removes it.
func temporaryDirectory() throws -> String {
    let path = NSTemporaryDirectory() + "/gatehouse-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return path
}

func openssl(_ arguments: String..., in directory: String) throws {
    try need("/usr/bin/openssl", arguments, in: directory)
}

/// Makes an authority `<name>-ca.crt` and a certificate `<name>.crt` of its, with key `<name>.key`.
/// - Parameters:
///   - key: arguments of `openssl genpkey`.
///   - signing: more arguments of the signing `openssl x509`.
func makeCertificate(
    _ name: String, key: [String], signing: [String] = [], names: String = "DNS:localhost,IP:127.0.0.1", in directory: String
) throws {
    try "subjectAltName=\(names)\n".write(toFile: "\(directory)/\(name).ext", atomically: true, encoding: .utf8)
    for part in ["\(name)-ca", name] {
        try need("/usr/bin/openssl", ["genpkey"] + key + ["-out", part + ".key"], in: directory)
    }
    try openssl(
        "req", "-x509", "-new", "-key", "\(name)-ca.key", "-subj", "/CN=\(name) authority", "-days", "30", "-out", "\(name)-ca.crt",
        in: directory)
    try openssl("req", "-new", "-key", "\(name).key", "-subj", "/CN=\(name)", "-out", "\(name).csr", in: directory)
    try need(
        "/usr/bin/openssl",
        [
            "x509", "-req", "-in", "\(name).csr", "-CA", "\(name)-ca.crt", "-CAkey", "\(name)-ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "\(name).ext", "-out", "\(name).crt",
        ] + signing, in: directory)
}

let rsaKey = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
func ecKey(_ curve: String) -> [String] { ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve] }
