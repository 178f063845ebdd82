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
///
/// Not by Foundation's `Process`: a daemon that the program leaves behind inherits the socket by which that learns of
/// the program's end, which then never comes.
func run(_ path: String, _ arguments: [String], environment: [String: String] = [:], in directory: String? = nil) async throws -> Ended {
    let folder = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let words = (directory.map { ["/usr/bin/env", "-C", $0] } ?? []) + [path] + arguments
    let status: Int32 = try await withCheckedThrowingContinuation { continuation in
        // On a thread of its own: the tests' own threads are few, and what the program talks to may need them.
        Thread.detachNewThread {
            continuation.resume(with: Result { try spawn(words, variables, output: folder) })
        }
    }
    // Through files: a pipe that nobody empties would stop the program, and a daemon would hold it open.
    let errors = try Data(contentsOf: URL(fileURLWithPath: folder + "/err"))
    return Ended(
        status: status, output: try Data(contentsOf: URL(fileURLWithPath: folder + "/out")), errors: String(decoding: errors, as: UTF8.self)
    )
}

/// Starts a program and waits for it; its exit status, or -1 for a signal.
private func spawn(_ words: [String], _ environment: [String: String], output: String) throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output + "/out", O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, output + "/err", O_WRONLY | O_CREAT, 0o600)
    let alone = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Support/alone").path
    let arguments = ([alone] + words).map { strdup($0) }
    let variables = environment.map { strdup("\($0)=\($1)") }
    defer { for text in arguments + variables { free(text) } }
    var process = pid_t()
    let code = posix_spawn(&process, alone, &actions, nil, arguments + [nil], variables + [nil])
    guard code == 0 else { throw ProgramFailed(description: "\(words[0]) could not be started: \(String(cString: strerror(code)))") }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
        guard errno == EINTR else { throw ProgramFailed(description: "\(words[0]) could not be waited for") }
    }
    return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
}

/// The same, where anything but success is a failure of the test's own set-up.
@discardableResult
func need(_ path: String, _ arguments: [String], in directory: String? = nil) async throws -> Ended {
    let ended = try await run(path, arguments, in: directory)
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

func openssl(_ arguments: String..., in directory: String) async throws {
    try await need("/usr/bin/openssl", arguments, in: directory)
}

/// Makes an authority `<name>-ca.crt` and a certificate `<name>.crt` of its, with key `<name>.key`.
/// - Parameters:
///   - key: arguments of `openssl genpkey`.
///   - signing: more arguments of the signing `openssl x509`.
func makeCertificate(
    _ name: String, key: [String], signing: [String] = [], names: String = "DNS:localhost,IP:127.0.0.1", in directory: String
) async throws {
    try "subjectAltName=\(names)\n".write(toFile: "\(directory)/\(name).ext", atomically: true, encoding: .utf8)
    for part in ["\(name)-ca", name] {
        // One key of a kind is enough: what differs are the names.
        let shared = key.joined().filter { $0.isLetter || $0.isNumber } + ".pem"
        if !FileManager.default.fileExists(atPath: "\(directory)/\(shared)") {
            try await need("/usr/bin/openssl", ["genpkey"] + key + ["-out", shared], in: directory)
        }
        try FileManager.default.copyItem(atPath: "\(directory)/\(shared)", toPath: "\(directory)/\(part).key")
    }
    try await openssl(
        "req", "-x509", "-new", "-key", "\(name)-ca.key", "-subj", "/CN=\(name) authority", "-days", "30", "-out", "\(name)-ca.crt",
        in: directory)
    try await openssl("req", "-new", "-key", "\(name).key", "-subj", "/CN=\(name)", "-out", "\(name).csr", in: directory)
    try await need(
        "/usr/bin/openssl",
        [
            "x509", "-req", "-in", "\(name).csr", "-CA", "\(name)-ca.crt", "-CAkey", "\(name)-ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "\(name).ext", "-out", "\(name).crt",
        ] + signing, in: directory)
}

let rsaKey = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
func ecKey(_ curve: String) -> [String] { ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve] }
