import NIOCore

/// What each name may stand for on the server.
///
/// A name is bound when the server says so, but requests that use it may be on their way before that. So a name can have several
/// candidates: the one the server confirmed, and those proposed since. Between two Syncs the last proposal alone counts: had it
/// failed, the server would skip whatever uses it. Beyond a Sync any of them may be meant, and whoever decides must be content
/// with all.
struct CandidateTable {
    struct Candidate {
        /// Grows with each proposal of the session, whatever its name.
        let id: UInt64
        /// How many Syncs the client had sent before it.
        let segment: UInt64
        /// What the name then stands for: one judgement, or several where the statement behind it was itself uncertain.
        let judgements: [Judgement]
        /// Kept where it must be approved before it is bound.
        var statement: Statement?
    }

    /// A statement's text, and the parameter types that its Parse gave.
    final class Statement {
        let text: ByteBuffer
        let types: [UInt32]

        init(text: ByteBuffer, types: [UInt32]) {
            self.text = text
            self.types = types
        }
    }

    private var unnamed: [Candidate] = []
    private var named: [ServerName: [Candidate]] = [:]

    /// How many names are kept.
    var count: Int { named.count }

    mutating func propose(_ candidate: Candidate, as name: ServerName) {
        if name.isEmpty {
            unnamed.append(candidate)
        } else {
            named[name, default: []].append(candidate)
        }
    }

    /// The server bound `name` by the proposal `id`: what it was bound to before is gone.
    mutating func confirm(_ id: UInt64, as name: ServerName) {
        change(name) { $0.removeAll { $0.id < id } }
    }

    /// The proposal `id` failed or was never run.
    mutating func retract(_ id: UInt64, as name: ServerName) {
        change(name) { $0.removeAll { $0.id == id } }
    }

    /// The server freed `name` by a request that came before the proposal `id`.
    mutating func free(_ name: ServerName, before id: UInt64) {
        change(name) { $0.removeAll { $0.id < id } }
    }

    mutating func removeAllNamed() {
        named.removeAll(keepingCapacity: named.count < 64)
    }

    func isKnown(_ name: ServerName) -> Bool {
        name.isEmpty ? !unnamed.isEmpty : named[name] != nil
    }

    /// All that `name` may stand for to a request sent after `segment` Syncs.
    func judgements(of name: ServerName, in segment: UInt64) -> [Judgement] {
        guard let candidates = name.isEmpty ? unnamed : named[name], let last = candidates.last else { return [] }
        if candidates.count == 1 || last.segment == segment { return last.judgements }
        return candidates.flatMap(\.judgements)
    }

    /// The one statement that `name` stands for; nil where that is not certain, or was not kept.
    func statement(of name: ServerName, in segment: UInt64) -> Statement? {
        guard let candidates = name.isEmpty ? unnamed : named[name], let last = candidates.last else { return nil }
        return candidates.count == 1 || last.segment == segment ? last.statement : nil
    }

    /// All that `name` may ever have stood for while it is known.
    func judgements(everOf name: ServerName) -> [Judgement] {
        (named[name] ?? []).flatMap(\.judgements)
    }

    private mutating func change(_ name: ServerName, _ change: (inout [Candidate]) -> Void) {
        if name.isEmpty {
            change(&unnamed)
            return
        }
        guard var candidates = named.removeValue(forKey: name) else { return }
        change(&candidates)
        if !candidates.isEmpty { named[name] = candidates }
    }
}
