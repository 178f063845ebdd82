public import GatehouseCore
public import NIOCore
public import Recording

/// Somebody who may go on only when what it recorded is safe.
public protocol CommitWaiter: AnyObject {
    var durability: Target.Durability { get }
    /// Whether what it records still gets into a journal. False once the journal that it began with has failed: what it recorded
    /// since is nowhere, whatever the loop's present journal commits.
    var isRecorded: Bool { get }
    /// Everything recorded up to now is about to be committed: set aside what waits for it.
    func commitBegins()
    /// What was set aside at the oldest `commitBegins` not yet answered may go out.
    func commitEnded()
    /// The record could not be written. Nothing that waits may ever go out.
    func recordingFailed(_ error: any Error)
}

/// One event loop's recorder: gathers what all of the loop's sessions recorded in a turn of the loop, commits it with one
/// write, and only then lets them send (evidence before effect). Confined to its event loop.
public final class LoopRecorder {
    public let eventLoop: any EventLoop
    private let makeJournal: () throws -> Journal
    private var current: Journal?
    private var waiting: [any CommitWaiter] = []
    /// Every session that records into `current`. When it fails, none of them may go on.
    private var members: [ObjectIdentifier: any CommitWaiter] = [:]
    private var isScheduled = false

    public init(eventLoop: any EventLoop, makeJournal: @escaping () throws -> Journal) {
        self.eventLoop = eventLoop
        self.makeJournal = makeJournal
    }

    /// The journal in use; a new one if the last one failed. Call when a session starts.
    public func journal() throws -> Journal {
        if let current, current.poison == nil { return current }
        current?.close()
        let journal = try makeJournal()
        current = journal
        return journal
    }

    /// A session begins to record into the journal in use.
    public func join(_ member: any CommitWaiter) {
        members[ObjectIdentifier(member)] = member
    }

    /// A session has recorded its last.
    public func leave(_ member: any CommitWaiter) {
        members[ObjectIdentifier(member)] = nil
    }

    /// Asks for a commit at the end of this turn of the loop, after which `waiter` is told.
    public func schedule(_ waiter: any CommitWaiter) {
        waiting.append(waiter)
        guard !isScheduled else { return }
        isScheduled = true
        eventLoop.assumeIsolated().execute { [self] in commit() }
    }

    private func commit() {
        isScheduled = false
        var waiters = waiting
        waiting.removeAll(keepingCapacity: true)
        if waiters.contains(where: { !$0.isRecorded }) {
            for waiter in waiters where !waiter.isRecorded {
                waiter.recordingFailed(JournalError(.poisoned, "the journal that this session began with has failed"))
            }
            waiters.removeAll { !$0.isRecorded }
            guard !waiters.isEmpty else { return }
        }
        guard let journal = current else {
            for waiter in waiters {
                waiter.recordingFailed(JournalError(.closed, "the journal is closed"))
            }
            return
        }
        for waiter in waiters {
            waiter.commitBegins()
        }
        do {
            if waiters.contains(where: { $0.durability == .synced }) {
                try commitSynced(waiters, to: journal)
            } else {
                try journal.commit()
                for waiter in waiters {
                    waiter.commitEnded()
                }
            }
        } catch {
            fail(journal, waiters, error)
        }
    }

    private func commitSynced(_ waiters: [any CommitWaiter], to journal: Journal) throws {
        let bound = NIOLoopBound((self, waiters.filter { $0.durability == .synced }, journal), eventLoop: eventLoop)
        let loop = eventLoop
        try journal.commitSynced { result in
            loop.execute {
                let (recorder, waiters, journal) = bound.value
                switch result {
                case .success:
                    for waiter in waiters {
                        waiter.commitEnded()
                    }
                case .failure(let error):
                    recorder.fail(journal, waiters, error)
                }
            }
        }
        for waiter in waiters where waiter.durability == .written {
            waiter.commitEnded()
        }
    }

    private func fail(_ journal: Journal, _ waiters: [any CommitWaiter], _ error: any Error) {
        var failed = waiters
        if current === journal {
            current = nil
            // What has nothing to commit now would otherwise go on, and record into a journal that keeps nothing.
            let known = Set(waiters.map { ObjectIdentifier($0) })
            failed += members.filter { !known.contains($0.key) }.map(\.value)
            members.removeAll()
        }
        journal.close()
        for waiter in failed {
            waiter.recordingFailed(error)
        }
    }

    public func close() {
        current?.close()
        current = nil
    }
}

/// The recorder of each event loop.
public struct LoopRecorders: Sendable {
    private let recorders: [ObjectIdentifier: NIOLoopBound<LoopRecorder>]

    /// Makes one recorder for each loop of `group`; `makeJournal` is called on the loop, with the loop's number, when the
    /// loop's first session starts, and again after a failure.
    public static func make(
        for group: any EventLoopGroup, makeJournal: @escaping @Sendable (Int, any EventLoop) throws -> Journal
    ) async throws -> LoopRecorders {
        var recorders: [ObjectIdentifier: NIOLoopBound<LoopRecorder>] = [:]
        var number = 0
        for loop in group.makeIterator() {
            let index = number
            recorders[ObjectIdentifier(loop)] = try await loop.submit {
                NIOLoopBound(LoopRecorder(eventLoop: loop) { try makeJournal(index, loop) }, eventLoop: loop)
            }.get()
            number += 1
        }
        return LoopRecorders(recorders: recorders)
    }

    /// The recorder of `loop`, nil when that is not one of the gateway's loops. Call on the loop.
    public func recorder(of loop: any EventLoop) -> LoopRecorder? {
        recorders[ObjectIdentifier(loop)]?.value
    }

    /// Commits and closes every journal.
    public func closeAll() async {
        for bound in recorders.values {
            try? await bound.eventLoop.submit { bound.value.close() }.get()
        }
    }
}
