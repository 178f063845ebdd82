import GatehouseCore
import Logging
import Metrics
import Synchronization

/// One way out: takes a few events at a time and returns when the other side has them.
protocol Deliverer: Sendable {
    /// - Throws: `DeliveryError`. Whatever was delivered before it may be delivered again.
    func deliver(_ events: [OutwardEvent]) async throws(DeliveryError)
    /// SIGHUP: files are opened anew.
    func reopen()
    /// Called once nothing more is delivered.
    func close() async
}

extension Deliverer {
    func reopen() {}
    func close() async {}
}

struct DeliveryError: Error, Sendable, CustomStringConvertible {
    /// Without any secret.
    var description: String
    /// Trying again may help.
    var isTransient: Bool
    /// What the other side asked to wait.
    var retryAfter: Duration?

    init(_ description: String, isTransient: Bool = true, retryAfter: Duration? = nil) {
        self.description = description
        self.isTransient = isTransient
        self.retryAfter = retryAfter
    }
}

/// How patient a line is.
struct Patience: Sendable {
    /// Events that wait; the oldest goes when there is no room.
    var capacity = 8_192
    /// Events a delivery.
    var batch = 1
    var backoff = Backoff(first: .milliseconds(500), longest: .seconds(60))
    /// Tries of one delivery; nil: until it is done.
    var attempts: Int?
}

/// A queue and the task that empties it into one deliverer, in order.
final class DeliveryLine: Sendable {
    /// A line that drops says so at once, and then at most this often.
    static let quiet: Duration = .seconds(60)

    private struct Told {
        var dropped = 0
        /// Monotonic nanoseconds of the last words about it.
        var at: UInt64?
    }

    let name: String
    private let wants: @Sendable (OutwardEvent) -> Bool
    private let deliverer: any Deliverer
    private let patience: Patience
    private let surroundings: OutwardSurroundings
    private let logger: Logger
    private let queue: OutwardQueue
    private let told = Mutex(Told())
    private let sent: Counter
    private let dropped: Counter
    private let failed: Counter

    init(
        _ name: String, _ deliverer: any Deliverer, patience: Patience, surroundings: OutwardSurroundings, logger: Logger,
        wants: @escaping @Sendable (OutwardEvent) -> Bool
    ) {
        self.name = name
        self.deliverer = deliverer
        self.patience = patience
        self.surroundings = surroundings
        self.wants = wants
        var logger = logger
        logger[metadataKey: "sink"] = "\(name)"
        self.logger = logger
        queue = OutwardQueue(capacity: patience.capacity)
        func counter(_ outcome: String) -> Counter {
            Counter(label: "gatehouse_events_total", dimensions: [("sink", name), ("outcome", outcome)])
        }
        sent = counter("sent")
        dropped = counter("dropped")
        failed = counter("failed")
    }

    func notify(_ event: OutwardEvent) {
        guard wants(event) else { return }
        if !queue.push(event) { drop(1, because: "the queue is full") }
    }

    func reopen() { deliverer.reopen() }
    func finish() { queue.finish() }
    var waiting: Int { queue.count }

    /// Delivers until the queue is finished and empty, or the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            let batch = await queue.next(upTo: patience.batch)
            if batch.isEmpty { break }
            await deliver(batch)
        }
        let left = queue.count
        if left > 0 { drop(left, because: "the gateway stops") }
        await deliverer.close()
    }

    private func deliver(_ batch: [OutwardEvent]) async {
        var failures = 0
        while true {
            do throws(DeliveryError) {
                try await deliverer.deliver(batch)
                sent.increment(by: batch.count)
                if failures > 0 { logger.notice("events are delivered again", metadata: ["failures": "\(failures)"]) }
                return
            } catch {
                failures += 1
                let isLast = !error.isTransient || patience.attempts.map { failures >= $0 } == true || Task.isCancelled
                if isLast {
                    failed.increment(by: batch.count)
                    logger.error(
                        "events could not be delivered and are given up",
                        metadata: ["events": "\(batch.count)", "tries": "\(failures)", "reason": "\(error)"])
                    return
                }
                if failures == 1 { logger.warning("events cannot be delivered; trying again", metadata: ["reason": "\(error)"]) }
                let pause = patience.backoff.pause(after: failures, jitter: surroundings.jitter())
                let asked = min(error.retryAfter ?? .zero, patience.backoff.longest)
                // A cancelled wait is followed by one last try.
                try? await surroundings.sleep(max(pause, asked))
            }
        }
    }

    private func drop(_ count: Int, because reason: String) {
        dropped.increment(by: count)
        let now = surroundings.clock.monotonicNanoseconds()
        let total = told.withLock { told -> Int? in
            told.dropped += count
            if let at = told.at, Duration.nanoseconds(Int64(clamping: now &- min(now, at))) < Self.quiet { return nil }
            defer { told = Told(dropped: 0, at: now) }
            return told.dropped
        }
        if let total { logger.error("events were dropped", metadata: ["events": "\(total)", "reason": "\(reason)"]) }
    }
}
