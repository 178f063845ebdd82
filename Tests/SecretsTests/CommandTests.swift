import Foundation
import GatehouseCore
import Testing

@testable import Secrets

@Suite struct CommandTests {
    private func run(_ body: String, _ arguments: [String] = [], limits: SecretCommandLimits = .init()) async throws -> String {
        let folder = try Folder()
        let program = try folder.program(body)
        let keeper = SecretKeeper(clock: StillClock(), commandLimits: limits)
        return await outcome(keeper, .command(SecretCommand(program: program, arguments: arguments)))
    }

    @Test(arguments: [
        ("printf 'pa ss\\n'", "pa ss"), ("printf 'pass\\r\\n'", "pass"), ("printf 'pass\\n\\n'", "pass\n"), ("printf pass", "pass"),
        ("printf 'p\\303\\244ss'", "p\u{e4}ss"),
    ])
    func theLastLineEndIsRemoved(_ body: String, _ secret: String) async throws {
        #expect(try await run(body) == secret)
    }

    /// No shell between: what would mean something to one is text.
    @Test func argumentsArriveAsTheyAre() async throws {
        let arguments = ["$(id)", "a b", "; true", "", "*"]
        #expect(try await run("printf '%s|' \"$@\"", arguments) == "$(id)|a b|; true||*|")
    }

    @Test func itReadsNothingAndHasNoFilesOfOurs() async throws {
        let open = try #require(FileHandle(forReadingAtPath: "/dev/null"))
        defer { try? open.close() }
        let seen = try await run("cat; ls /proc/self/fd | tr '\\n' ' '")
        #expect(seen == "0 1 2 3 ")
    }

    @Test func signalsAreHeard() async throws {
        signal(SIGPIPE, SIG_IGN)
        // SigIgn of a process that ignores none.
        let ignored = try await run("sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status")
        // Bits of the signals that the program could be sent.
        #expect(UInt64(ignored, radix: 16).map { $0 & 0x7FFF_FFFF } == 0, "\(ignored)")
    }

    @Test func aFailureShowsItsErrorsAndNeverItsOutput() async throws {
        let said = try await run("echo top-secret; echo 'no such entry' >&2; echo again >&2; exit 3")
        #expect(said.hasSuffix("it ended with status 3: no such entry; again"))
        #expect(!said.contains("top-secret"))
        #expect(try await run("kill -9 $$").hasSuffix("it was ended by signal 9"))
    }

    @Test func argumentsAreNotInTheError() async throws {
        #expect(try await !run("exit 1", ["--key", "hush"]).contains("hush"))
    }

    @Test func errorsOfAnySizeDoNotStopIt() async throws {
        #expect(try await run("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo pass") == "pass")
    }

    @Test func whatIsNoPasswordIsRefused() async throws {
        #expect(try await run("true").hasSuffix("it gave nothing"))
        #expect(try await run("echo").hasSuffix("it gave nothing"))
        #expect(try await run("printf 'a\\000b'").hasSuffix("not UTF-8 text"))
        #expect(try await run("printf '\\377'").hasSuffix("not UTF-8 text"))
        #expect(try await run("head -c 70000 /dev/zero | tr '\\0' x").hasSuffix("it printed more than 65536 bytes"))
        #expect(try await run("yes").hasSuffix("it printed more than 65536 bytes"))
    }

    /// It and what it started end when the time is up.
    @Test func itHasSoMuchTime() async throws {
        let folder = try Folder()
        let limits = SecretCommandLimits(time: .milliseconds(300))
        let said = try await run("sleep 600 & echo $! > \(folder.path)/pid; echo pass; wait", limits: limits)
        #expect(said.contains("it did not end within"))
        let pid = try #require(Int32(folder.read("pid").trimmingCharacters(in: .whitespacesAndNewlines)))
        let end = ContinuousClock.now + .seconds(10)
        // Killed, and then reaped by whoever adopts it.
        while kill(pid, 0) == 0, !isZombie(pid), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(5)) }
        #expect(kill(pid, 0) != 0 || isZombie(pid))
    }

    /// Both pipes closed, and still running.
    @Test func hidingDoesNotHelp() async throws {
        #expect(try await run("exec >&- 2>&-; sleep 600", limits: .init(time: .milliseconds(300))).contains("it did not end within"))
    }

    private func isZombie(_ pid: Int32) -> Bool {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return status.split(separator: ")").last?.hasPrefix(" Z") == true
    }

    @Test func whatIsNoProgramIsTold() async throws {
        let folder = try Folder()
        let file = try folder.write("text", to: "file")
        let keeper = SecretKeeper(clock: StillClock())
        #expect(await outcome(keeper, .command(SecretCommand(program: file))).contains("Permission denied"))
        #expect(await outcome(keeper, .command(SecretCommand(program: folder.path + "/none"))).contains("No such file"))
    }
}
