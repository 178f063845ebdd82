import Foundation
import Testing

@testable import gatehouse

/// Runs the program itself: what a script sees.
private struct Program {
    var status: Int32
    var output: String
    var errors: String

    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["GATEHOUSE_BINARY"] { return path }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return root.appendingPathComponent(".build/debug/gatehouse").path
    }()

    static func run(_ arguments: [String], environment: [String: String] = [:], input: String = "") throws -> Program {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = environment.merging(["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"]) { own, _ in own }
        let (output, errors, stdin) = (Pipe(), Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = stdin
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        // What is printed here is far less than a pipe holds.
        process.waitUntilExit()
        return Program(
            status: process.terminationStatus, output: String(decoding: output.fileHandleForReading.availableData, as: UTF8.self),
            errors: String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self))
    }
}

private final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("gatehouse-commands-\(UUID().uuidString)").path

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
        return path + "/" + name
    }
}

private let right = """
    node: gw
    data_directory: data
    issuers: [{ issuer: "https://login.example.com", audiences: [gatehouse] }]
    listeners: [{ name: pg, protocol: postgres, listen: "127.0.0.1:0" }]
    targets: [{ name: orders, protocol: postgres, address: db, database: orders, roles: [{ name: r, user: u }] }]
    access: [{ groups: [dba], roles: [r] }]

    """

@Suite struct ProgramTests {
    @Test func checkTellsEveryErrorAndItsPlace() throws {
        let folder = try Folder()
        let good = try Program.run(["check", try folder.write(right, to: "good.yaml")])
        #expect(good.status == 0)
        #expect(good.output.contains("is right: 1 listener, 1 target, 0 rules, 0 masks, policy "))
        #expect(good.errors.isEmpty)

        let file = try folder.write(right.replacingOccurrences(of: "access:", with: "acess:") + "log: { level: loud }\n", to: "bad.yaml")
        let bad = try Program.run(["check", file])
        #expect(bad.status == 2)
        #expect(bad.output.isEmpty)
        #expect(bad.errors.contains("\(file):6:1: unknown key `acess` (did you mean `access`?)"))
        #expect(bad.errors.contains("\(file):7:15: `log.level`"))
        #expect(bad.errors.contains("2 errors in"))

        let json = try Program.run(["check", "--format", "json", file])
        #expect(json.status == 2)
        let problems = try #require(try JSON.parse(Data(json.output.utf8))["problems"]?.elements)
        #expect(problems.map { $0["line"]?.integer } == [6, 7])
        #expect(json.errors.isEmpty)
    }

    @Test func strictCountsWarnings() throws {
        let folder = try Folder()
        let file = try folder.write(right.replacingOccurrences(of: "access: [{ groups: [dba], roles: [r] }]", with: ""), to: "gw.yaml")
        #expect(try Program.run(["check", file]).status == 0)
        let strict = try Program.run(["check", "--strict", file])
        #expect(strict.status == 2)
        #expect(strict.errors.contains("warning: `access` lets nobody in"))
    }

    private static let policy = """
        node: gw
        data_directory: data
        targets: [{ name: orders, protocol: postgres, address: db, database: orders, default: allow, roles: [{ name: r, user: u, password: "${env:NOT_SET}" }] }]
        access: [{ groups: [dba], roles: [r] }]
        rules: [{ id: nights, when: { hours: ["22:00-06:00"] }, what: { kinds: [insert] }, effect: deny }, { id: no-robots, who: { users: ["robot*"] }, what: { kinds: [session] }, effect: deny }]
        use: [{ set: destructive-sql }]

        """

    @Test func policyTestComparesWithWhatIsExpected() throws {
        let folder = try Folder()
        let config = try folder.write(Self.policy, to: "gw.yaml")
        let right = try folder.write(
            """
            defaults: { user: alice, groups: [dba], target: orders }
            cases:
              - { statement: SELECT 1, expect: allow }
              - { statement: "SELECT 1; DROP TABLE x", expect: deny, rule: destructive-sql/drop }
              - { statement: INSERT INTO x VALUES (1), at: 2026-05-01T23:00:00Z, expect: deny, rule: nights }
              - { statement: INSERT INTO x VALUES (1), at: 2026-05-01T12:00:00Z, expect: allow }
              - { groups: [sales], statement: SELECT 1, expect: refused }
              - { user: robot-7, statement: SELECT 1, expect: refused, rule: no-robots }
            """, to: "right.yaml")
        let passed = try Program.run(["policy", "test", right, "--config", config])
        #expect(passed.status == 0, "\(passed.errors)")
        #expect(passed.output.hasPrefix("6 cases, all as expected, policy "))
        #expect(passed.errors.contains("Table names are taken as written"))

        let wrong = try folder.write(
            "cases:\n  - { user: a, groups: [dba], target: orders, statement: DROP TABLE x, expect: allow }\n", to: "wrong.yaml")
        let failed = try Program.run(["policy", "test", wrong, "--config", config])
        #expect(failed.status == 1)
        #expect(failed.output.contains("\(wrong):2: DROP TABLE x: expected allow, got deny by destructive-sql/drop"))
        let json = try JSON.parse(Data(try Program.run(["policy", "test", wrong, "--config", config, "--format", "json"]).output.utf8))
        #expect(json["failed"]?.integer == 1)
        #expect(json["cases"]?.elements.first?["rule"]?.string == "destructive-sql/drop")

        let broken = try folder.write("cases:\n  - { user: a }\n", to: "broken.yaml")
        let refused = try Program.run(["policy", "test", broken, "--config", config])
        #expect(refused.status == 2)
        #expect(refused.errors.contains("\(broken):2:5: `cases[1].statement` is missing"))
    }

    @Test func policyExplainSaysWhichRuleAndWhy() throws {
        let folder = try Folder()
        let config = try folder.write(Self.policy, to: "gw.yaml")
        let caller = ["policy", "explain", "--config", config, "--user", "alice", "--group", "dba", "--target", "orders"]
        let text = try Program.run(caller + ["--at", "2026-05-01T12:00:00Z", "TRUNCATE x"])
        #expect(text.status == 0, "\(text.errors)")
        #expect(text.output.contains("deny nights (line 5): is not in force now (when)"))
        #expect(text.output.contains("deny destructive-sql/drop (line 6): does not hold (what: kinds)"))
        #expect(text.output.contains("deny destructive-sql/truncate (line 6): holds"))
        #expect(text.output.contains("deny by destructive-sql/truncate: TRUNCATE empties a table at once."))
        let json = try JSON.parse(Data(try Program.run(caller + ["--format", "json", "SELECT 1"]).output.utf8))
        #expect(json["decision"]?.string == "allow" && json["rule"]?.string == "gatehouse.default")
        let unparsed = try Program.run(caller + ["DROP TABEL x"])
        #expect(unparsed.output.contains("could not be analysed: syntax error") && unparsed.output.contains("deny by gatehouse.unparsed"))
        #expect(try Program.run(caller.dropLast() + ["nowhere", "SELECT 1"]).status == 2)
        #expect(try Program.run(caller + ["--at", "noon", "SELECT 1"]).status == 2)
    }

    @Test func packsAreListedAndShown() throws {
        let list = try Program.run(["policy", "packs"])
        #expect(list.status == 0)
        for name in [
            "destructive-sql", "unbounded-writes", "privilege-changes", "server-files-and-network", "bulk-export", "secrets-tables",
        ] {
            #expect(list.output.contains(name))
        }
        #expect(try Program.run(["policy", "packs", "unbounded-writes"]).output.contains("missing_where: true"))
        #expect(try Program.run(["policy", "packs", "nonsense"]).status == 2)
    }

    @Test func judgingIsMeasured() throws {
        let run = try Program.run(["policy", "bench", "--rules", "200", "--actions", "500"])
        #expect(Double(run.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 0)
    }

    @Test(arguments: [
        (["sessions", "list"], [:], 3, "no token: run `gatehouse login`"),
        (["sessions", "list"], ["GATEHOUSE_TOKEN": "a b"], 2, "is not a token"),
        (["sessions", "list", "--address", "http://gateway.example.com"], ["GATEHOUSE_TOKEN": "t"], 2, "would carry the token in clear"),
        (["sessions", "list", "--since", "soon"], ["GATEHOUSE_TOKEN": "t"], 2, "is neither a span"),
        (["sessions", "show", "../x"], ["GATEHOUSE_TOKEN": "t"], 2, "is not the id of a session"),
        (["tickets", "revoke", "ght_secret"], ["GATEHOUSE_TOKEN": "t"], 2, "not the ticket itself"),
        (["tickets", "create", "--lifetime", "long"], ["GATEHOUSE_TOKEN": "t"], 2, "is not a span"),
        (["approvals", "approve", "apr-1/../x"], ["GATEHOUSE_TOKEN": "t"], 2, "is not the id of an approval"),
        (["approvals", "break-glass", "apr-1"], ["GATEHOUSE_TOKEN": "t"], 2, "--reason"),
        (["approvals", "list"], [:], 3, "no token"),
        (["sessions", "end"], ["GATEHOUSE_TOKEN": "t"], 2, "give the id of a session, or else"),
        (["sessions", "end", "--user", "bob"], ["GATEHOUSE_TOKEN": "t"], 2, "say why"),
        (["sessions", "end", "--issuer", "x", "--reason", "y"], ["GATEHOUSE_TOKEN": "t"], 2, "go together"),
        (["serve", "--config", "/nonexistent.yaml"], [:], 2, "/nonexistent.yaml: cannot be read"),
        (["check", "/nonexistent.yaml"], [:], 2, "cannot be read"),
        (["login"], [:], 2, "name --issuer and --client-id"),
        (["login", "--issuer", "http://login.example.com", "--client-id", "x"], [:], 2, "is not protected"),
        (["nonsense"], [:], 2, "Unexpected argument"),
        (["targets", "list", "--format", "xml"], [:], 2, "xml"),
    ])
    func endsWithTheRightStatus(_ arguments: [String], _ environment: [String: String], _ status: Int32, _ message: String) throws {
        let run = try Program.run(arguments, environment: environment)
        #expect(run.status == status)
        #expect(run.errors.contains(message), "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(!run.errors.contains("ght_secret"))
    }

    @Test func aGatewayThatIsNotThereIsUnreachable() throws {
        // A port that was free a moment ago; nothing listens on it.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        #expect(bound)
        // Bound but not listening: connecting is refused, and nobody else can take the port.
        defer { close(listener) }
        let port = UInt16(bigEndian: address.sin_port)
        let run = try Program.run(
            ["whoami", "--address", "http://127.0.0.1:\(port)"], environment: ["GATEHOUSE_TOKEN": "top.secret.token"])
        #expect(run.status == 5)
        #expect(run.errors.contains("no answer from http://127.0.0.1:\(port)"))
        #expect(!run.errors.contains("top.secret"))
    }

    @Test func aTokenFromStandardInputIsStored() throws {
        let folder = try Folder()
        let file = folder.path + "/deep/token"
        let run = try Program.run(["login", "--token-stdin", "--token-file", file], input: "a.b.c\n")
        #expect(run.status == 0)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "a.b.c\n")
        #expect(!(run.output + run.errors).contains("a.b.c"))
    }

    @Test func everyCommandHasHelpAndListsTakeAFormat() throws {
        for command in [
            ["serve"], ["check"], ["targets", "list"], ["sessions", "list"], ["sessions", "show"], ["sessions", "tail"],
            ["sessions", "kill"], ["sessions", "end"], ["approvals", "list"], ["approvals", "show"], ["approvals", "approve"],
            ["approvals", "deny"], ["approvals", "reason"], ["approvals", "break-glass"], ["approvals", "watch"],
            ["tickets", "create"], ["tickets", "list"], ["tickets", "revoke"], ["verify"], ["keys", "generate"], ["keys", "rotate"],
            ["keys", "list"], ["login"],
        ] {
            let run = try Program.run(command + ["--help"])
            #expect(run.status == 0)
            #expect(run.output.contains("EXAMPLE"), "\(command)")
        }
        for list in [
            ["targets", "list"], ["sessions", "list"], ["approvals", "list"], ["approvals", "show"], ["tickets", "list"], ["verify"],
        ] {
            #expect(try Program.run(list + ["--help"]).output.contains("--format"))
        }
    }
}
