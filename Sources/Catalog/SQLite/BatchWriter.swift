import Dispatch
import GRDB
import Synchronization

/// Writes to one database from any number of threads, many notes a transaction: a commit costs a disk flush, so a thousand
/// short sessions a second must not each have their own.
final class BatchWriter: Sendable {
    typealias Work = @Sendable (Database) throws -> Void

    /// Notes that may wait (about 1 KB each). A disk that stands still for longer than this takes is a reason to stop.
    static let maximumWaiting = 65_536
    /// Notes a transaction, so that those that wait for their commit do not wait for everybody's.
    static let batch = 2_048
    static let retryAfter: DispatchTimeInterval = .seconds(1)

    private struct Note: Sendable {
        var work: Work
        /// Called once with the outcome; without it the note is kept until it can be written.
        var done: (@Sendable ((any Error)?) -> Void)?
    }

    private struct State {
        var waiting: [Note] = []
        var isScheduled = false
        var isClosed = false
        var problem: String?
        var dropped = 0
    }

    private let pool: DatabasePool
    private let queue = DispatchQueue(label: "gatehouse.catalog")
    private let state = Mutex(State())

    init(pool: DatabasePool) {
        self.pool = pool
    }

    /// Why the last transaction failed; nil when it did not.
    var problem: String? { state.withLock { $0.problem } }

    /// Takes a note that nobody waits for.
    func note(refusable: Bool, _ work: @escaping Work) throws(CatalogFailure) {
        let failure: CatalogFailure? = state.withLock { state in
            if state.isClosed { return refusable ? .closed : nil }
            if refusable, state.waiting.count >= Self.maximumWaiting {
                return .backlog(waiting: state.waiting.count, because: state.problem)
            }
            // What may not be refused has as much room again, and is then dropped: memory has an end.
            if state.waiting.count >= 2 * Self.maximumWaiting {
                state.dropped += 1
                state.problem = "\(state.dropped) notes were dropped: \(state.problem ?? "the disk is too slow")"
                return nil
            }
            state.waiting.append(Note(work: work))
            return nil
        }
        if let failure { throw failure }
        schedule()
    }

    /// Returns once `work` and all that was noted before it is committed.
    func perform(_ work: @escaping Work) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let note = Note(work: work) { error in
                if let error { continuation.resume(throwing: error) } else { continuation.resume() }
            }
            let isClosed = state.withLock { state in
                if !state.isClosed { state.waiting.append(note) }
                return state.isClosed
            }
            if isClosed { continuation.resume(throwing: CatalogFailure.closed) } else { schedule() }
        }
    }

    func flush() async throws { try await perform { _ in } }

    /// Writes what waits and takes no more.
    func close() async {
        try? await flush()
        state.withLock { $0.isClosed = true }
    }

    private func schedule() {
        let starts = state.withLock { state in
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if starts { queue.async { self.drain() } }
    }

    /// On `queue` only.
    private func drain() {
        while true {
            let notes = state.withLock { state -> [Note] in
                let notes = Array(state.waiting.prefix(Self.batch))
                state.waiting.removeFirst(notes.count)
                if notes.isEmpty { state.isScheduled = false }
                return notes
            }
            if notes.isEmpty { return }
            do {
                let outcomes = try write(notes)
                state.withLock { if $0.dropped == 0 { $0.problem = nil } }
                for (note, outcome) in zip(notes, outcomes) { note.done?(outcome) }
            } catch {
                giveBack(notes, because: error)
                return
            }
        }
    }

    /// One transaction. What the database refuses of a single note (a constraint) is that note's own outcome; what is wrong
    /// with the database itself is thrown, and nothing is written.
    private func write(_ notes: [Note]) throws -> [(any Error)?] {
        try pool.write { db in
            try notes.map { note in
                do {
                    try db.inSavepoint {
                        try note.work(db)
                        return .commit
                    }
                    return nil
                } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                    return error
                }
            }
        }
    }

    /// Those who wait are told; the rest is kept, in order, and tried again.
    private func giveBack(_ notes: [Note], because error: any Error) {
        state.withLock { state in
            state.problem = String(describing: error)
            state.waiting.insert(contentsOf: notes.filter { $0.done == nil }, at: 0)
        }
        for note in notes { note.done?(error) }
        queue.asyncAfter(deadline: .now() + Self.retryAfter) { self.drain() }
    }
}
