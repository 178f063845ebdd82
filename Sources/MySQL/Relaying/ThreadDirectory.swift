/// The thread ids that clients know: the gateway's own, one a session, over all of its sessions. `KILL`, COM_PROCESS_KILL and
/// CONNECTION_ID() speak of them; the server's own stay inside.
struct ThreadDirectory<Owner: Hashable & Sendable>: Sendable {
    struct Thread: Sendable, Hashable {
        /// Whose session it is. One may end one's own alone.
        let owner: Owner
        let target: String
        /// The server's number; nil while the session has no server yet.
        var upstream: UInt32?
    }

    private var threads: [UInt32: Thread] = [:]
    private var last: UInt32 = 0

    var count: Int { threads.count }

    /// A number for a new session: above the last, never 0, and of no live session.
    /// - Returns: nil when all are taken.
    mutating func add(owner: Owner, target: String) -> UInt32? {
        guard threads.count < Int(UInt32.max - 1) else { return nil }
        repeat {
            last = last == UInt32.max ? 1 : last + 1
        } while threads[last] != nil
        threads[last] = Thread(owner: owner, target: target)
        return last
    }

    /// Whose number it is, once that is known.
    mutating func claim(_ id: UInt32, owner: Owner, target: String) {
        guard threads[id] != nil else { return }
        threads[id] = Thread(owner: owner, target: target)
    }

    mutating func connected(_ id: UInt32, upstream: UInt32) { threads[id]?.upstream = upstream }

    mutating func remove(_ id: UInt32) { threads[id] = nil }

    subscript(id: UInt32) -> Thread? { threads[id] }

    /// What `owner`, in a session on `target`, ends by `id`.
    /// - Throws: the error to answer with: 1094 for what is not there, and also for what is another's: who is on is not told.
    func upstream(of id: UInt64, for owner: Owner, on target: String) throws(ErrorPacket) -> UInt32 {
        guard let key = UInt32(exactly: id), let thread = threads[key], thread.owner == owner, thread.target == target,
            let upstream = thread.upstream
        else {
            throw ErrorPacket(.noSuchThread, "Unknown thread id: \(id). Through Gatehouse one can end one's own sessions alone")
        }
        return upstream
    }
}
