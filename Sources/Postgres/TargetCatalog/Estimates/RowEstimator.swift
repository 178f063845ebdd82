import CLibPQ
import Foundation
import GatehouseCore
import Logging
import NIOPosix
import Synchronization

/// What is to be estimated: one statement, and what a Bind gives it.
struct EstimateQuestion: Sendable, Equatable {
    var statement: [UInt8]
    /// Type OIDs as the client's Parse gave them; 0, or none, leaves a type to the server.
    var types: [UInt32]
    /// nil is NULL.
    var values: [[UInt8]?]
    /// 0 is text, 1 binary; as many as values.
    var formats: [Int16]
    /// How the session's names are looked up; filled in by the session.
    var searchPath: [String] = []
}

/// Asks a target how many rows it expects a statement to work on: `EXPLAIN` on a side connection, read only, under an account
/// that the configuration chose for it. The statement is planned there, never run;
/// planning may evaluate immutable and stable functions in it, in a transaction that is rolled back.
///
/// On a thread of its own, with a time limit; whatever goes wrong means that the number is not known.
final class RowEstimator: Sendable {
    private let address: CatalogAddress
    private let source: SecretSource?
    private let secrets: any SecretResolver
    private let timeout: Duration
    private let logger: Logger
    private let thread: NIOThreadPool
    /// Touched on `thread` alone.
    private let connection = EstimateConnection()
    private let waiting = Mutex(0)
    /// More statements than these do not wait for each other: their numbers are not known.
    private static let maximumWaiting = 64

    init(target: Target, role: Target.Role, database: String, timeout: Duration, secrets: any SecretResolver, logger: Logger) {
        address = CatalogAddress(
            host: target.host, port: target.port, database: database, user: role.user, password: role.password, tls: target.tls,
            timeout: max(timeout, .seconds(2)))
        source = role.source
        self.secrets = secrets
        self.timeout = timeout
        var logger = logger
        logger[metadataKey: "target"] = "\(target.name)"
        self.logger = logger
        thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
    }

    /// Calls `answer` once, on another thread.
    func estimate(_ question: EstimateQuestion, then answer: @escaping @Sendable (Int?) -> Void) {
        let isRefused = waiting.withLock { waiting in
            if waiting >= Self.maximumWaiting { return true }
            waiting += 1
            return false
        }
        if isRefused { return answer(nil) }
        // Waiting in line counts.
        let deadline = Deadline(after: timeout)
        thread.submit { [self] state in
            defer { waiting.withLock { $0 -= 1 } }
            guard state == .active else { return answer(nil) }
            do {
                answer(try connection.estimate(question, deadline) { try CatalogConnection.open(address, source, secrets) })
            } catch {
                // The text of the error may quote the statement.
                logger.debug("a statement's rows could not be estimated")
                answer(nil)
            }
        }
    }

    func close() {
        thread.shutdownGracefully { _ in }
    }
}

/// The side connection. Belongs to one thread; `@unchecked` since nothing else touches it.
private final class EstimateConnection: @unchecked Sendable {
    private var open: CatalogConnection?

    func estimate(_ question: EstimateQuestion, _ deadline: Deadline, connect: () throws -> CatalogConnection) throws -> Int? {
        guard deadline.millisecondsLeft > 0 else { return nil }
        do {
            let connection = try open ?? connect()
            open = connection
            // Planning may run functions of the target: what they set is undone with the transaction, and nothing of one
            // question is there at the next.
            let names = question.searchPath.map { "\"" + $0.replacingOccurrences(of: "\"", with: "\"\"") + "\"" }
            let path = names.isEmpty ? "''" : names.joined(separator: ", ")
            try connection.run("BEGIN READ ONLY; SET LOCAL search_path = \(path)", deadline: deadline) { _, _ in }
            let plan = try connection.explain(question, deadline: deadline)
            try connection.run("ROLLBACK", deadline: Deadline(after: .seconds(1))) { _, _ in }
            return EstimatedPlan.rows(inJSON: plan)
        } catch {
            // Its state is not known any more.
            open = nil
            throw error
        }
    }
}

/// The parts of `EXPLAIN (FORMAT JSON)` that matter here.
struct EstimatedPlan: Decodable {
    var type: String
    var rows: Double
    var plans: [EstimatedPlan]?

    private enum CodingKeys: String, CodingKey {
        case type = "Node Type"
        case rows = "Plan Rows"
        case plans = "Plans"
    }

    private struct Whole: Decodable {
        var plan: EstimatedPlan
        private enum CodingKeys: String, CodingKey { case plan = "Plan" }
    }

    /// The most rows that the statement gives back or writes; nil where the text is no plan.
    static func rows(inJSON text: [UInt8]) -> Int? {
        guard let whole = try? JSONDecoder().decode([Whole].self, from: Data(text)), let plan = whole.first?.plan else { return nil }
        return Int(exactly: max(plan.most, 0).rounded(.up)) ?? Int.max
    }

    private var most: Double {
        // What a write works on is what its input gives; without RETURNING its own number is 0.
        let own = type == "ModifyTable" ? (plans ?? []).reduce(rows) { max($0, $1.rows) } : rows
        return (plans ?? []).reduce(own) { max($0, $1.mostWritten) }
    }

    /// Of writes below, in a WITH.
    private var mostWritten: Double {
        let below = (plans ?? []).map(\.mostWritten).max() ?? 0
        return type == "ModifyTable" ? max(below, most) : below
    }
}

extension CatalogConnection {
    /// The answer of `EXPLAIN (FORMAT JSON)`. One statement only: the extended protocol takes no more.
    fileprivate func explain(_ question: EstimateQuestion, deadline: Deadline) throws -> [UInt8] {
        var answer: [UInt8] = []
        try run(
            "EXPLAIN (FORMAT JSON) " + String(decoding: question.statement, as: UTF8.self), types: question.types,
            values: question.values, formats: question.formats, deadline: deadline
        ) { result in
            for row in 0..<result.rowCount {
                if let bytes = result.bytes(row, 0) { answer += bytes }
            }
        }
        return answer
    }
}
