internal import Foundation

/// A few threads with large stacks for texts that are too long or too deep for an event loop.
///
/// The queue is bounded by count and by bytes; what does not fit is answered at once as `unparsed`.
public final class AnalysisThreads: Sendable {
    /// The parser and the walk recurse; see `NestingGuard`.
    public static let stackBytes = 16 * 1_048_576

    private struct Job: Sendable {
        let text: [UInt8]
        let statementBytes: Int
        let then: @Sendable (Analysis) -> Void
    }

    /// What the threads share: they hold it, not the pool, so that the pool can go.
    private final class Queue: @unchecked Sendable {
        // All fields but the limits are touched only under `condition`.
        private let condition = NSCondition()
        private var jobs: [Job] = []
        private var first = 0
        private var bytes = 0
        private var isClosed = false
        let jobLimit: Int
        let byteLimit: Int

        init(jobLimit: Int, byteLimit: Int) {
            self.jobLimit = jobLimit
            self.byteLimit = byteLimit
        }

        func add(_ job: Job) -> Bool {
            condition.lock()
            defer { condition.unlock() }
            guard !isClosed, jobs.count - first < jobLimit, bytes + job.text.count <= byteLimit else { return false }
            jobs.append(job)
            bytes += job.text.count
            condition.signal()
            return true
        }

        /// Waits for a job; nil when closed and done.
        func next() -> Job? {
            condition.lock()
            defer { condition.unlock() }
            while first == jobs.count {
                if isClosed { return nil }
                condition.wait()
            }
            let job = jobs[first]
            first += 1
            bytes -= job.text.count
            if first == jobs.count || first > 1_024 {
                jobs.removeFirst(first)
                first = 0
            }
            return job
        }

        func close() {
            condition.lock()
            defer { condition.unlock() }
            isClosed = true
            condition.broadcast()
        }
    }

    private let queue: Queue

    /// - Parameters:
    ///   - threads: Each takes one text at a time.
    ///   - queuedTexts: Texts waiting.
    ///   - queuedBytes: Their length in all.
    public init(threads: Int = 2, queuedTexts: Int = 256, queuedBytes: Int = 32 * 1_048_576) {
        let queue = Queue(jobLimit: max(queuedTexts, 1), byteLimit: max(queuedBytes, 1))
        self.queue = queue
        for number in 0..<min(max(threads, 1), 64) {
            let thread = Thread {
                while let job = queue.next() {
                    job.then(job.text.withUnsafeBytes { StatementAnalyzer.analyze($0, statementBytes: job.statementBytes) })
                }
            }
            thread.name = "analysis-\(number)"
            thread.stackSize = Self.stackBytes
            thread.start()
        }
    }

    deinit { queue.close() }

    /// Analyses `text`, and calls `then` on one of the threads. Where too much waits already, calls it at once, on the
    /// caller's thread, with an analysis that failed.
    public func submit(_ text: [UInt8], statementBytes: Int, then: @escaping @Sendable (Analysis) -> Void) {
        guard text.count <= statementBytes else { return then(Analysis(failure: Analyze.tooLong(text.count, statementBytes))) }
        if !queue.add(Job(text: text, statementBytes: statementBytes, then: then)) {
            then(Analysis(failure: "too many long statements are waiting to be analysed; try again"))
        }
    }
}
