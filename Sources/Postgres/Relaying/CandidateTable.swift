/// What each name may stand for on the server.
///
/// A name is bound when the server says so, but requests that use it may be on their way before that. So a name can have
/// several candidates: the one the server confirmed, and those proposed since. Whoever decides must be content with all.
struct CandidateTable {
    private struct Candidate {
        let judgement: Judgement
        var isConfirmed: Bool
    }

    private var unnamed: [Candidate] = []
    private var named: [String: [Candidate]] = [:]

    /// How many names are kept.
    var count: Int { named.count }

    mutating func propose(_ judgement: Judgement, as name: String) {
        let candidate = Candidate(judgement: judgement, isConfirmed: false)
        if name.isEmpty {
            // The same text again: whether the server takes it or not, the name stands for it.
            if unnamed.count == 1, unnamed[0].isConfirmed, unnamed[0].judgement === judgement { return }
            unnamed.append(candidate)
        } else {
            named[name, default: []].append(candidate)
        }
    }

    /// The server bound `name` to `judgement`: what it was bound to before is gone.
    mutating func confirm(_ judgement: Judgement, as name: String) {
        change(name) { candidates in
            candidates.removeAll { $0.isConfirmed && $0.judgement !== judgement }
            if candidates.contains(where: { $0.isConfirmed }) {
                if let index = candidates.firstIndex(where: { !$0.isConfirmed && $0.judgement === judgement }) {
                    candidates.remove(at: index)
                }
            } else if let index = candidates.firstIndex(where: { $0.judgement === judgement }) {
                candidates[index].isConfirmed = true
            }
        }
    }

    /// The request that proposed `judgement` failed or was never run.
    mutating func retract(_ judgement: Judgement, as name: String) {
        change(name) { candidates in
            if let index = candidates.firstIndex(where: { !$0.isConfirmed && $0.judgement === judgement }) {
                candidates.remove(at: index)
            }
        }
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

    func judgements(of name: String) -> [Judgement] {
        (name.isEmpty ? unnamed : named[name] ?? []).map(\.judgement)
    }

    /// The one judgement that `name` stands for, nil when there are none or several.
    func single(_ name: String) -> Judgement? {
        if name.isEmpty { return unnamed.count == 1 ? unnamed[0].judgement : nil }
        guard let candidates = named[name], candidates.count == 1 else { return nil }
        return candidates[0].judgement
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
