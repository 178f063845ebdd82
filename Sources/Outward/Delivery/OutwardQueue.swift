import GatehouseCore
import NIOCore
import Synchronization

/// Events that wait for one sink: at most so many, of which the oldest goes when there is no room. Any thread pushes, one task takes.
final class OutwardQueue: Sendable {
    private struct State {
        var waiting = CircularBuffer<OutwardEvent>(initialCapacity: 16)
        var taker: CheckedContinuation<Void, Never>?
        var isFinished = false
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    /// False when the oldest had to go, or when nothing is taken any more.
    func push(_ event: OutwardEvent) -> Bool {
        let (hadRoom, taker) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isFinished else { return (false, nil) }
            let hadRoom = state.waiting.count < capacity
            if !hadRoom { state.waiting.removeFirst() }
            state.waiting.append(event)
            defer { state.taker = nil }
            return (hadRoom, state.taker)
        }
        taker?.resume()
        return hadRoom
    }

    var count: Int { state.withLock { $0.waiting.count } }

    /// What waits, oldest first and at most `limit`; none when it is finished and nothing is left.
    func next(upTo limit: Int) async -> [OutwardEvent] {
        while true {
            let (batch, isFinished) = state.withLock { state -> ([OutwardEvent], Bool) in
                let batch = Array(state.waiting.prefix(limit))
                state.waiting.removeFirst(batch.count)
                return (batch, state.isFinished)
            }
            if !batch.isEmpty || isFinished { return batch }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state -> Bool in
                    if !state.waiting.isEmpty || state.isFinished { return true }
                    state.taker = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// Nothing more comes; what waits can still be taken.
    func finish() {
        let taker = state.withLock { state in
            state.isFinished = true
            defer { state.taker = nil }
            return state.taker
        }
        taker?.resume()
    }
}
