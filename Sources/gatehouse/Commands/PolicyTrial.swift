import Analysis
import Foundation
import GatehouseCore
import Policy
import Settings

/// Judges statements by a configuration alone, without a gateway or a server.
struct PolicyTrial {
    /// What became of one statement.
    struct Outcome {
        /// `allow`, `hold`, `deny`, or `refused` where no session is opened.
        var decision: PolicyCase.Expectation
        var rule: String
        var reason: String
        var hint: String
        /// One for each statement of the text that was judged.
        var explanations: [Explanation] = []
        /// Why the text could not be analysed.
        var failure: String?
    }

    let file: PolicyFile
    private let engine: PolicyEngine

    init(_ file: PolicyFile) {
        self.file = file
        engine = PolicyEngine(file.policy)
    }

    func judge(_ wanted: PolicyCase, clock: any GatewayClock = SystemClock()) throws -> Outcome {
        guard let target = file.targets.first(where: { $0.name == wanted.target }) else {
            throw CommandFailure(.usage, "the configuration has no target `\(wanted.target)`")
        }
        let time = wanted.time ?? clock.wallTime()
        let principal = Principal(
            issuer: wanted.issuer, subject: wanted.user, user: wanted.user, groups: wanted.groups, workload: wanted.claims,
            credential: .token(id: nil), expires: WallTime(nanoseconds: .max))
        switch engine.admit(principal, to: target, role: wanted.role, at: time) {
        case .failure(let refusal):
            return Outcome(decision: .refused, rule: refusal.rule, reason: refusal.reason, hint: refusal.hint)
        case .success(let permit):
            if let opening = engine.judgeOpening(under: permit, at: time), opening.decision == .deny {
                return Outcome(decision: .refused, rule: opening.rule, reason: opening.reason, hint: opening.hint)
            }
            return judge(try analysed(wanted.statement), wanted.estimatedRows, under: permit, at: time)
        }
    }

    /// Of several statements in one text the strictest verdict counts, of several as strict the first: so does a session.
    private func judge(_ analysis: Analysis, _ rows: Int?, under permit: Permit, at time: WallTime) -> Outcome {
        var outcome = Outcome(decision: .allow, rule: "gatehouse.empty", reason: "", hint: "", failure: analysis.failure)
        var strictest: Verdict?
        for action in analysis.actions {
            var action = action
            action.estimatedRows = rows
            // Nothing has been prepared here: what a name stands for is not known.
            if action.runs != nil { action.flags.insert(.opaque) }
            let explanation = engine.explain(action, under: permit, resolver: NamesAsWritten(), at: time)
            outcome.explanations.append(explanation)
            if strictest.map({ explanation.verdict.decision.isStricter(than: $0.decision) }) ?? true { strictest = explanation.verdict }
        }
        guard let strictest else { return outcome }
        outcome.decision = PolicyCase.Expectation(rawValue: strictest.decision.rawValue) ?? .deny
        (outcome.rule, outcome.reason, outcome.hint) = (strictest.rule, strictest.reason, strictest.hint)
        return outcome
    }

    private func analysed(_ statement: String) throws -> Analysis {
        let text = [UInt8](statement.utf8)
        // The parser may recurse deeply: it wants the stack of a thread of its own.
        let box = AnswerBox()
        AnalysisThreads(threads: 1).submit(text, statementBytes: Limits().statementBytes) { box.put($0) }
        guard let analysis = box.take() else { throw CommandFailure(.failure, "the statement could not be analysed") }
        return analysis
    }
}

/// Hands an analysis over from the thread that makes it.
private final class AnswerBox: @unchecked Sendable {
    // Written once before the semaphore is raised, read once after.
    private var analysis: Analysis?
    private let ready = DispatchSemaphore(value: 0)

    func put(_ analysis: Analysis) {
        self.analysis = analysis
        ready.signal()
    }

    func take() -> Analysis? {
        ready.wait()
        return analysis
    }
}

/// Without a server, a name stands for what it says: one without a schema may be in any.
struct NamesAsWritten: NameResolver {
    func relations(reachedBy name: QualifiedName) -> Set<Relation>? { [] }
}
