public import GatehouseCore
public import Logging
import Synchronization

/// Where all events go out: each to every sink and webhook that wants it. Nothing here holds up whoever tells of one.
public final class OutwardHub: Notifier {
    /// What stays undelivered after this when the gateway stops is given up.
    public static let grace: Duration = .seconds(5)

    private let lines: [DeliveryLine]
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// - Parameters:
    ///   - node: this gateway's name, and `version` its version: events carry both.
    /// - Throws: `OutwardError` where a sink cannot be set up, naming it.
    public convenience init(
        node: String, version: String, sinks: [EventSink], webhooks: [Webhook], clock: any GatewayClock, logger: Logger
    ) throws {
        try self.init(
            source: EventSource(node: node, version: version), sinks: sinks, webhooks: webhooks,
            surroundings: OutwardSurroundings(clock: clock), logger: logger)
    }

    init(
        source: EventSource, sinks: [EventSink], webhooks: [Webhook], patience: Patience? = nil, surroundings: OutwardSurroundings,
        logger: Logger
    ) throws {
        let http = HTTPPoster()
        var lines: [DeliveryLine] = []
        for sink in sinks {
            let (name, deliverer, standard) = try Self.deliverer(sink, source, http)
            lines.append(
                DeliveryLine(name, deliverer, patience: patience ?? standard, surroundings: surroundings, logger: logger) {
                    sink.classes.contains($0.eventClass)
                })
        }
        for (number, webhook) in webhooks.enumerated() {
            let deliverer = try WebhookDeliverer(webhook, source, http, surroundings)
            lines.append(
                DeliveryLine(
                    "webhook:\(number + 1):\(deliverer.host)", deliverer, patience: patience ?? WebhookDeliverer.patience,
                    surroundings: surroundings, logger: logger
                ) { webhook.events.contains($0.name) })
        }
        self.lines = lines
    }

    private static func deliverer(
        _ sink: EventSink, _ source: EventSource, _ http: HTTPPoster
    ) throws -> (name: String, any Deliverer, Patience) {
        switch sink.way {
        case .file(let path): ("file:\(path)", FileSink(path: path, source), FileSink.patience)
        case .syslog(let syslog):
            (
                "syslog:\(syslog.transport.rawValue):\(syslog.host):\(syslog.port)", try SyslogSink(syslog, source), SyslogSink.patience
            )
        case .otlp(let otlp): ("otlp:\(HTTPPoster.host(of: otlp.url))", OTLPSink(otlp, source, http), OTLPSink.patience)
        }
    }

    /// Begins to deliver.
    public func start() {
        let started = lines.map { line in Task { await line.run() } }
        tasks.withLock { $0 += started }
    }

    public func notify(_ event: OutwardEvent) {
        for line in lines { line.notify(event) }
    }

    /// Files are closed and opened anew, for those who rotate them.
    public func reopen() {
        for line in lines { line.reopen() }
    }

    /// Takes nothing more, delivers what waits for as long as `grace`, and ends.
    public func stop(grace: Duration = OutwardHub.grace) async {
        for line in lines { line.finish() }
        let running = tasks.withLock { tasks in
            defer { tasks = [] }
            return tasks
        }
        let limit = Task {
            try await Task.sleep(for: grace)
            for task in running { task.cancel() }
        }
        for task in running { await task.value }
        limit.cancel()
    }
}

/// A sink or webhook that cannot be set up.
public struct OutwardError: Error, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// Who tells.
struct EventSource: Sendable, Hashable {
    var node: String
    var version: String
}
