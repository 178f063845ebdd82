import Analysis
import Foundation
import GatehouseCore
import Policy
import Settings
import Testing

/// One block of a corpus: a technique, and the statements that use it.
struct CorpusCase: Sendable, CustomTestStringConvertible {
    var technique: String
    /// In the order in which one session sends them.
    var steps: [String]
    var file: String
    var line: Int

    var testDescription: String { "\(file):\(line) \(technique)" }
}

/// Plain text: a line `## technique` begins a case, what follows is its statement. A line `-- then` parts statements that are
/// sent one after the other. Lines before the first case are a comment.
func corpus(_ name: String) throws -> [CorpusCase] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Corpus")
    let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    var cases: [CorpusCase] = []
    var lines: [String] = []
    func finish() {
        guard !cases.isEmpty else { return }
        while lines.last?.isEmpty == true { lines.removeLast() }
        let steps = lines.split(separator: "-- then", omittingEmptySubsequences: false).map { $0.joined(separator: "\n") }
        cases[cases.count - 1].steps = steps
    }
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if line.hasPrefix("## ") {
            finish()
            lines = []
            cases.append(CorpusCase(technique: String(line.dropFirst(3)), steps: [], file: name, line: number + 1))
        } else {
            lines.append(String(line))
        }
    }
    finish()
    return cases
}

/// Judges by rule sets in force on a target that lets everything else through.
struct Court: Sendable {
    private let engine: PolicyEngine
    private let permit: Permit
    private let now = WallTime(seconds: 1_000)

    init(packs: [String]) throws {
        let text = """
            node: n
            data_directory: /nowhere
            issuers: [{ issuer: "https://login.example.com", audiences: [gatehouse] }]
            listeners: [{ name: pg, protocol: postgres, listen: "127.0.0.1:0" }]
            targets: [{ name: shop, protocol: postgres, address: db, database: shop, default: allow, roles: [{ name: r, user: u }] }]
            access: [{ groups: ["*"], roles: [r] }]
            use:
            \(packs.map { "  - set: \($0)" }.joined(separator: "\n"))
            """
        let settings = try GatehouseSettings.load(text, file: "packs.yaml", directory: "/nowhere", environment: [:]).settings
        engine = PolicyEngine(settings.policy)
        let caller = Principal(
            issuer: "https://login.example.com", subject: "a", user: "a", groups: ["g"], credential: .token(id: nil),
            expires: WallTime(nanoseconds: .max))
        permit = try engine.admit(caller, to: settings.targets[0], role: nil, at: now).get()
    }

    /// The strictest verdict over the statements of a text.
    func verdict(on text: String) -> Verdict {
        verdicts(on: [text])[0]
    }

    /// The same for each of the texts that one session sends; what one has given a name to, the next may run.
    func verdicts(on texts: [String]) -> [Verdict] {
        var named: [String: [Action]] = [:]
        return texts.map { verdict(on: $0, &named) }
    }

    private func verdict(on text: String, _ named: inout [String: [Action]]) -> Verdict {
        var text = text
        let analysis = text.withUTF8 { StatementAnalyzer.analyze(UnsafeRawBufferPointer($0), statementBytes: 1_048_576) }
        var verdict = Verdict(decision: .allow, rule: "gatehouse.empty")
        for action in analysis.actions {
            var action = action
            let known = action.runs.flatMap { named[$0] } ?? []
            if action.runs != nil { action.flags.formSymmetricDifference(action.flags.contains(.opaque) == known.isEmpty ? [] : .opaque) }
            for action in [action] + known {
                let next = engine.judge(action, under: permit, resolver: NamesAsWritten(), at: now)
                if next.decision.isStricter(than: verdict.decision) || verdict.rule == "gatehouse.empty" { verdict = next }
            }
        }
        // What was denied has named nothing.
        if verdict.decision == .allow {
            for action in analysis.actions { if let name = action.defines { named[name, default: []].append(action) } }
        }
        return verdict
    }
}

struct NamesAsWritten: NameResolver {
    func relations(reachedBy name: QualifiedName) -> Set<Relation>? { [] }
}
