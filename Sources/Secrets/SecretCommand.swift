import CGatehouse
import GatehouseCore
import Glibc
import NIOPosix

/// What a program that prints a secret may take.
struct SecretCommandLimits: Sendable {
    /// A client waits meanwhile, within the handshake's time (10 seconds as delivered).
    var time: Duration = .seconds(5)
    /// Of its standard output.
    var output = SecretText.mostBytes
    /// Of its standard error, for the message; the rest is read and dropped.
    var errors = 2_048
}

extension SecretCommand {
    /// Threads that wait for programs; sources are few, and callers of one share a run.
    private static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        return pool
    }()

    /// Runs the program away from all that must not wait, with nothing to read, the gateway's environment and none of its files.
    func run(_ limits: SecretCommandLimits) async throws(SecretProblem) -> Secret {
        do {
            return try await Self.threads.runIfActive { try runToEnd(limits) }
        } catch let problem as SecretProblem {
            throw problem
        } catch {
            throw SecretProblem("it was not run: the gateway stops")
        }
    }

    /// Blocks for no longer than the limit.
    private func runToEnd(_ limits: SecretCommandLimits) throws(SecretProblem) -> Secret {
        let child = try RunningCommand(program, arguments)
        defer { child.close() }
        let deadline = ContinuousClock.now + limits.time
        var output: [UInt8] = []
        var errors: [UInt8] = []
        do throws(SecretProblem) {
            while child.isOpen {
                guard try child.wait(until: deadline) else { throw SecretProblem("it did not end within \(limits.time)") }
                output += child.readOutput()
                guard output.count <= limits.output else { throw SecretProblem("it printed more than \(limits.output) bytes") }
                let more = child.readErrors()
                errors += more.prefix(max(0, limits.errors - errors.count))
            }
            guard let status = child.status(until: deadline) else { throw SecretProblem("it did not end within \(limits.time)") }
            guard status == 0 else {
                // Never what it printed: that may be the secret.
                let words = SecretText.printable(errors)
                let end = status > 128 ? "it was ended by signal \(status - 128)" : "it ended with status \(status)"
                throw SecretProblem(words.isEmpty ? end : "\(end): \(words)")
            }
        } catch {
            child.kill()
            throw error
        }
        return try SecretText.secret(output)
    }
}

/// A child process with pipes for what it prints. Belongs to one thread.
private final class RunningCommand {
    private let pid: pid_t
    private var output: Int32
    private var errors: Int32
    private var ended: Int32?

    init(_ program: String, _ arguments: [String]) throws(SecretProblem) {
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        var output: Int32 = -1
        var errors: Int32 = -1
        let error = gatehouse_run(program, &argv, &pid, &output, &errors)
        guard error == 0 else { throw SecretProblem("it cannot be run: \(String(cString: strerror(error)))") }
        self.pid = pid
        self.output = output
        self.errors = errors
    }

    var isOpen: Bool { output >= 0 || errors >= 0 }

    /// Waits for something to read, or an end; false when the time is up.
    func wait(until deadline: ContinuousClock.Instant) throws(SecretProblem) -> Bool {
        let left = ContinuousClock.now.duration(to: deadline).components
        guard left.seconds >= 0, left.attoseconds >= 0 else { return false }
        let milliseconds = Int32(clamping: left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000)
        // A negative descriptor is passed over.
        var polled = [output, errors].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let count = poll(&polled, nfds_t(polled.count), milliseconds)
        if count < 0, errno != EINTR { throw SecretProblem("poll: \(String(cString: strerror(errno)))") }
        return count != 0
    }

    func readOutput() -> [UInt8] { Self.read(&output) }
    func readErrors() -> [UInt8] { Self.read(&errors) }

    /// What is there now; closes at the end.
    private static func read(_ descriptor: inout Int32) -> [UInt8] {
        guard descriptor >= 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 { return Array(buffer[..<count]) }
        if count < 0, errno == EAGAIN || errno == EINTR { return [] }
        _ = Glibc.close(descriptor)
        descriptor = -1
        return []
    }

    /// How it ended: its exit status, or 128 and the signal; nil when it still runs at the deadline.
    func status(until deadline: ContinuousClock.Instant) -> Int32? {
        while true {
            if let status = reap(WNOHANG) { return status }
            if ContinuousClock.now >= deadline { return nil }
            usleep(2_000)
        }
    }

    private func reap(_ options: Int32) -> Int32? {
        if let ended { return ended }
        var raw: Int32 = 0
        var result = waitpid(pid, &raw, options)
        while result < 0, errno == EINTR { result = waitpid(pid, &raw, options) }
        guard result == pid else { return nil }
        let status = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F)
        ended = status
        return status
    }

    /// Ends it and all that it started.
    func kill() {
        // Once it was waited for, its number may be another's.
        guard ended == nil else { return }
        _ = Glibc.kill(-pid, SIGKILL)
        _ = reap(0)
    }

    func close() {
        for descriptor in [output, errors] where descriptor >= 0 { _ = Glibc.close(descriptor) }
        output = -1
        errors = -1
    }
}
