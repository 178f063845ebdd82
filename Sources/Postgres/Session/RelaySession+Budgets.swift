import GatehouseCore
import Policy
import Recording

/// Results that spend a budget while they arrive.
extension RelaySession {
    /// After something came from the server.
    func spend() {
        guard judge.hasBudgets, !isEnding else { return }
        let rows = machine.counters.rows &- spentRows
        let bytes = output.recorder.accounting.server.seen &- spentBytes
        spentRows = machine.counters.rows
        spentBytes = output.recorder.accounting.server.seen
        let values = machine.fingerprints
        machine.fingerprints.removeAll(keepingCapacity: true)
        guard rows > 0 || bytes > 0, let spent = judge.spend(rows: rows, bytes: bytes, maskedValues: values) else { return }
        if spent.budget.effect == .end { return end(.refused("\(spent.verdict.reason) \(spent.verdict.hint)")) }
        stopStatement(for: spent)
    }

    /// What runs is cancelled at the server; its error then tells the client why. What somebody approved runs on, where the
    /// budget is one that asks.
    private func stopStatement(for spent: SpentBudget) {
        guard machine.stoppedBy == nil, let cancelUpstream, machine.runs(unapproved: spent.budget.effect == .hold) else { return }
        var verdict = spent.verdict
        verdict.decision = .deny
        if spent.budget.effect == .hold { verdict.hint = "Run it again to ask for an approval. \(verdict.hint)" }
        machine.stoppedBy = verdict
        cancelNow(code: "budget", message: verdict.reason, cancelUpstream)
    }

    /// A statement was refused because a budget is spent that ends the session.
    func endIfSpent() {
        guard let spent = judge.ending else { return }
        end(.refused("\(spent.verdict.reason) \(spent.verdict.hint)"))
    }
}
