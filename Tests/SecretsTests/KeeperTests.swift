import Foundation
import GatehouseCore
import Testing

@testable import Secrets

/// What is remembered, and when a source is asked again.
@Suite struct KeeperTests {
    private let clock = StillClock()

    /// A program that says how often it ran.
    private func counting(_ folder: Folder, lifetime: Duration = .seconds(300)) throws -> SecretSource {
        let program = try folder.program("echo x >> \(folder.path)/runs; wc -l < \(folder.path)/runs")
        return .command(SecretCommand(program: program, lifetime: lifetime))
    }

    @Test func itIsKeptForItsLifetime() async throws {
        let folder = try Folder()
        let source = try counting(folder)
        let keeper = SecretKeeper(clock: clock)
        #expect(await outcome(keeper, source) == "1")
        clock.advance(299)
        #expect(await outcome(keeper, source) == "1")
        clock.advance(1)
        #expect(await outcome(keeper, source) == "2")
    }

    @Test func withoutALifetimeItIsGotEachTime() async throws {
        let folder = try Folder()
        let source = try counting(folder, lifetime: .zero)
        let keeper = SecretKeeper(clock: clock)
        #expect(await outcome(keeper, source) == "1")
        #expect(await outcome(keeper, source) == "2")
    }

    @Test func manyAtATimeShareOneRun() async throws {
        let folder = try Folder()
        let program = try folder.program("echo x >> \(folder.path)/runs; sleep 0.2; wc -l < \(folder.path)/runs")
        let source = SecretSource.command(SecretCommand(program: program))
        let keeper = SecretKeeper(clock: clock)
        let all = await withTaskGroup(of: String.self) { group in
            for _ in 0..<32 { group.addTask { await outcome(keeper, source) } }
            return await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(all == ["1"])
    }

    @Test func whatWasRefusedIsGotAnewOnce() async throws {
        let folder = try Folder()
        let source = try counting(folder)
        let keeper = SecretKeeper(clock: clock)
        let first = try await keeper.secret(from: source)
        clock.advance(2)
        #expect(try await keeper.replacement(for: first, from: source)?.reveal() == "2")
        // Others that were refused with the first get what there is now.
        #expect(try await keeper.replacement(for: first, from: source)?.reveal() == "2")
        // A moment ago it was got anew: no hammering.
        #expect(try await keeper.replacement(for: "2", from: source) == nil)
        #expect(await outcome(keeper, source) == "2")
    }

    @Test func theSameAgainIsNoReplacement() async throws {
        let folder = try Folder()
        let source = SecretSource.command(SecretCommand(program: try folder.program("echo same")))
        let keeper = SecretKeeper(clock: clock)
        let first = try await keeper.secret(from: source)
        clock.advance(10)
        #expect(try await keeper.replacement(for: first, from: source) == nil)
    }

    @Test func aFailureIsNotKept() async throws {
        let folder = try Folder()
        let source = SecretSource.command(SecretCommand(program: try folder.program("cat \(folder.path)/secret")))
        let keeper = SecretKeeper(clock: clock)
        #expect(await outcome(keeper, source).contains("No such file"))
        try folder.write("there now\n", to: "secret")
        #expect(await outcome(keeper, source) == "there now")
    }

    @Test func filesAreReadEachTime() async throws {
        let folder = try Folder()
        let source = SecretSource.file(try folder.write("one\n", to: "secret"))
        let keeper = SecretKeeper(clock: clock)
        #expect(await outcome(keeper, source) == "one")
        #expect(try await keeper.replacement(for: "one", from: source) == nil)
        try folder.write("two\n", to: "secret")
        #expect(try await keeper.replacement(for: "one", from: source)?.reveal() == "two")
        #expect(await outcome(keeper, source) == "two")
    }

    @Test func nothingPrintsTheSecrets() throws {
        let login = VaultSecret.Login.token("hvs.hush")
        let vault = VaultSecret(address: "https://v", mount: "secret", path: "p", field: "f", login: login)
        let sources: [SecretSource] = [.vault(vault), .command(SecretCommand(program: "/bin/p", arguments: ["hush"]))]
        for source in sources {
            let failure = SecretFailure(source, "reason")
            #expect(!"\(failure) \(source) \(String(reflecting: failure))".contains("hush"))
        }
        var text = ""
        dump(vault, to: &text)
        #expect(!text.contains("hush"))
    }
}
