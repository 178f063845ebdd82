import Foundation
import Glibc
import Synchronization

/// A program that has ended: its exit code (128 + the signal when one ended it), and all that it wrote.
struct Finished: Sendable {
    let status: Int32
    let output: String
    let errors: String

    var succeeded: Bool { status == 0 }
    /// The output without the last newline.
    var line: String { output.hasSuffix("\n") ? String(output.dropLast()) : output }
}

struct HarnessError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A program that runs beside the tests, in a process group of its own. Its output goes to files, so that a full pipe
/// never stops it. Whatever still runs when the tests end is ended with them.
final class Child: Sendable {
    let pid: pid_t
    let outputFile: String
    let errorFile: String
    private let ended = Mutex<Int32?>(nil)
    /// Starts `program` (a name on PATH, or a path). `environment` is added to the tests' own.
    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil, directory: String
    ) throws {
        let stem = directory + "/" + UUID().uuidString.prefix(8)
        outputFile = stem + ".out"
        errorFile = stem + ".err"
        var inputFile = "/dev/null"
        if let input {
            inputFile = stem + ".in"
            try Data(input.utf8).write(to: URL(fileURLWithPath: inputFile))
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, inputFile, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputFile, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorFile, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A thread of ours may have signals blocked; a child must hear them.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        posix_spawnattr_setpgroup(&attributes, 0)

        let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let alone = Project.support("alone")
        var argv = ([alone, program] + arguments).map { strdup($0) } + [nil]
        var envp = merged.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, alone, &actions, &attributes, &argv, &envp)
        guard failure == 0 else { throw HarnessError("\(program): \(String(cString: strerror(failure)))") }
        self.pid = pid
        Teardown.shared.add(group: pid)
    }

    var output: String { Self.text(of: outputFile) }
    var errors: String { Self.text(of: errorFile) }

    /// The exit code when it has ended, else nil. 128 + the signal when one ended it.
    func status() -> Int32? {
        ended.withLock { ended in
            if let ended { return ended }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            let code = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F)
            ended = code
            Teardown.shared.forget(group: pid)
            return code
        }
    }

    /// Waits for its end; nil when it still runs after `deadline`.
    func wait(upTo deadline: Duration) async throws -> Int32? {
        let end = ContinuousClock.now + deadline
        while true {
            if let code = status() { return code }
            if ContinuousClock.now >= end { return nil }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func signal(_ number: Int32) {
        if status() == nil { kill(pid, number) }
    }

    /// Ends it and all that it started, at once.
    func end() async {
        if status() == nil { kill(-pid, SIGKILL) }
        while status() == nil { try? await Task.sleep(for: .milliseconds(2)) }
    }

    private static func text(of file: String) -> String {
        String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
    }
}

/// Runs a program to its end.
enum Shell {
    /// `deadline` is the most it may take; then it is killed and the call throws.
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        deadline: Duration = .seconds(60)
    ) async throws -> Finished {
        let folder = try TemporaryDirectory()
        defer { folder.remove() }
        let child = try Child(
            program, arguments, environment: environment, input: input, directory: folder.path)
        guard let status = try await child.wait(upTo: deadline) else {
            await child.end()
            throw HarnessError("\(program) still ran after \(deadline)\n\(child.output.suffix(2000))\n\(child.errors.suffix(2000))")
        }
        return Finished(status: status, output: child.output, errors: child.errors)
    }

    /// As `run`, but an exit code other than 0 throws with what it said.
    static func need(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        deadline: Duration = .seconds(60)
    ) async throws -> String {
        let finished = try await run(program, arguments, environment: environment, input: input, deadline: deadline)
        guard finished.succeeded else {
            throw HarnessError("\(program) ended with \(finished.status): \(finished.errors.suffix(2000))\(finished.output.suffix(2000))")
        }
        return finished.line
    }
}

/// A folder that is gone when the tests end, or before.
struct TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("\(NSTemporaryDirectory())gatehouse-test.XXXXXX".replacingOccurrences(of: "//", with: "/").utf8CString)
        guard mkdtemp(&template) != nil else { throw HarnessError("mkdtemp: \(String(cString: strerror(errno)))") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Servers run as accounts of their own: they may pass through, and see nothing of it.
        chmod(path, 0o711)
        Teardown.shared.add(folder: path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
        Teardown.shared.forget(folder: path)
    }
}
