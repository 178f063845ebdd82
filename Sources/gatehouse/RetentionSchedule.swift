import GatehouseCore
import Logging
import Metrics
import Review
import Settings
import Synchronization

extension RetentionPolicy {
    init(_ settings: RetentionSettings) {
        self.init(rules: settings.rules.map { .init(name: $0.name, targets: $0.targets, keep: $0.keep) }, keep: settings.keep)
    }
}

/// Deletes what is due, as often as the configuration says.
final class RetentionSchedule: Sendable {
    /// A gateway that has just started has more urgent things to do, and somebody may want to stop it.
    private static let firstAfter: Duration = .seconds(600)

    private let retention: Retention
    private let logger: Logger
    private let every: Mutex<Duration?>

    init(_ retention: Retention, _ settings: RetentionSettings, _ logger: Logger) {
        self.retention = retention
        self.logger = logger
        every = Mutex(settings.every)
    }

    func use(_ settings: RetentionSettings) {
        retention.use(RetentionPolicy(settings))
        every.withLock { $0 = settings.every }
    }

    /// Until the task is cancelled.
    func run() async {
        let clock = ContinuousClock()
        let begin = clock.now
        var last: ContinuousClock.Instant?
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(30)) } catch { return }
            guard let every = every.withLock(\.self), clock.now >= last.map({ $0 + every }) ?? begin + Self.firstAfter else { continue }
            last = clock.now
            runOnce()
        }
    }

    private func runOnce() {
        do {
            let report = try retention.run(by: "schedule")
            Counter(label: "gatehouse_retention_deleted_total").increment(by: report.deleted)
            if report.deleted > 0 || report.refusedCount > 0 || report.unreadable > 0 {
                logger.notice(
                    "retention ran",
                    metadata: [
                        "deleted": "\(report.deleted)", "bytes": "\(report.deletedBytes)", "held": "\(report.held)",
                        "refused": "\(report.refusedCount)", "unreadable": "\(report.unreadable)",
                    ])
            }
        } catch {
            Counter(label: "gatehouse_retention_failures_total").increment()
            logger.error("retention did not run", metadata: ["reason": "\(error)"])
        }
    }
}
