/// What each name may stand for on the server.
///
/// A name is bound when the server says so, but requests that use it may be on their way before that. So a name can have
/// several candidates: the one the server confirmed, and those proposed since. Whoever decides must be content with all.
struct CandidateTable {
    /// Which request proposed something: it is confirmed or retracted by the answer to that request alone.
    typealias Proposal = UInt64

    private struct Candidate {
        let proposal: Proposal
        /// Several where a portal was bound to a name that itself had several.
        let judgements: [Judgement]
        /// How many Syncs went before the request.
        var pipeline: UInt64
        var isConfirmed: Bool
    }

    private var unnamed: [Candidate] = []
    private var named: [String: [Candidate]] = [:]
    private var lastProposal: Proposal = 0

    /// How many names are kept.
    var count: Int { named.count }

    /// A request that binds `name` is on its way, as part of the pipeline behind that many Syncs.
    mutating func propose(_ judgements: [Judgement], as name: String, pipeline: UInt64) -> Proposal {
        // The same text again: whether the server takes it or not, the name stands for it.
        if name.isEmpty, unnamed.count == 1, unnamed[0].isConfirmed, judgements.count == 1, unnamed[0].judgements.count == 1,
            unnamed[0].judgements[0] === judgements[0]
        {
            unnamed[0].pipeline = pipeline
            return unnamed[0].proposal
        }
        lastProposal &+= 1
        let candidate = Candidate(proposal: lastProposal, judgements: judgements, pipeline: pipeline, isConfirmed: false)
        if name.isEmpty { unnamed.append(candidate) } else { named[name, default: []].append(candidate) }
        return lastProposal
    }

    /// The server bound `name` as proposed: what it was bound to before is gone.
    mutating func confirm(_ proposal: Proposal, as name: String) {
        change(name) { candidates in
            guard let index = candidates.firstIndex(where: { $0.proposal == proposal }) else { return }
            candidates[index].isConfirmed = true
            candidates.removeAll { $0.isConfirmed && $0.proposal != proposal }
        }
    }

    /// The request that made the proposal failed or was never run.
    mutating func retract(_ proposal: Proposal, as name: String) {
        change(name) { $0.removeAll { !$0.isConfirmed && $0.proposal == proposal } }
    }

    /// The server freed `name`.
    mutating func free(_ name: String) {
        change(name) { $0.removeAll { $0.isConfirmed } }
    }

    mutating func removeAllNamed() {
        named.removeAll(keepingCapacity: named.count < 64)
    }

    func isKnown(_ name: String) -> Bool {
        name.isEmpty ? !unnamed.isEmpty : named[name] != nil
    }

    /// Everything that a request of this pipeline may find under `name`.
    ///
    /// What was proposed last within the same pipeline is all: had that request failed, the server would skip what is behind it.
    func judgements(of name: String, pipeline: UInt64) -> [Judgement] {
        guard let candidates = name.isEmpty ? unnamed : named[name], let last = candidates.last else { return [] }
        if candidates.count == 1 || last.pipeline == pipeline { return last.judgements }
        return candidates.flatMap(\.judgements)
    }

    private mutating func change(_ name: String, _ change: (inout [Candidate]) -> Void) {
        if name.isEmpty {
            change(&unnamed)
            return
        }
        guard var candidates = named.removeValue(forKey: name) else { return }
        change(&candidates)
        if !candidates.isEmpty { named[name] = candidates }
    }
}
