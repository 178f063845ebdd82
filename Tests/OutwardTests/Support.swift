import Foundation
import GatehouseCore
import Logging
import ServerSupport
import Synchronization

@testable import Outward

/// A clock that moves when something sleeps on it, and remembers how long it slept.
final class SleepClock: GatewayClock {
    private let elapsed = Mutex<UInt64>(0)
    private let pauses = Mutex<[Duration]>([])

    var slept: [Duration] { pauses.withLock(\.self) }

    func advance(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        elapsed.withLock { $0 += UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000) }
    }

    func sleep(_ duration: Duration) {
        pauses.withLock { $0.append(duration) }
        advance(duration)
    }

    /// 2026-01-31T12:00:00.25Z
    func wallTime() -> WallTime { WallTime(nanoseconds: 1_769_860_800_250_000_000 + elapsed.withLock(\.self)) }
    func monotonicNanoseconds() -> UInt64 { 1_000_000_000 + elapsed.withLock(\.self) }

    /// Pauses take no time, and are as long as they may be.
    var surroundings: OutwardSurroundings {
        OutwardSurroundings(
            clock: self,
            sleep: { duration in
                self.sleep(duration)
                // Real receivers need a moment all the same.
                try await Task.sleep(for: .milliseconds(2))
            }, jitter: { 1 })
    }
}

/// What was logged, as text.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock(\.self) }
    var text: String { all.joined(separator: "\n") }

    var logger: Logger {
        Logger(label: "test", factory: { _ in Handler(log: self) })
    }

    private struct Handler: LogHandler {
        let log: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            log.lines.withLock { $0.append("\(event.level): \(event.message) \(all)") }
        }
    }
}

/// A folder that is gone with the test.
final class Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("gatehouse-outward-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func lines(_ name: String) -> [String] {
        let text = String(decoding: FileManager.default.contents(atPath: file(name)) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }
}

/// Waits for something that other threads bring about; the limit is for tests that fail.
func until(_ limit: Duration = .seconds(150), _ condition: () -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + limit
    while !condition() {
        if ContinuousClock.now >= end { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}

let source = EventSource(node: "gw-1", version: "0.1.0")
let time = WallTime(nanoseconds: 1_769_860_800_250_000_000)
let alice = OutwardEvent.Actor(
    user: "alice", subject: "sub-alice", issuer: "https://login.example.com", groups: ["dba", "sre"], delegation: ["agent-7"])
let bob = OutwardEvent.Actor(user: "bob", subject: "sub-bob", issuer: "https://login.example.com", groups: ["managers"])
let orders = OutwardEvent.Place(
    session: SessionID(high: 0x0199_0000_0000_7000, low: 0x8000_0000_0000_0001), target: "orders", role: "reader", protocolName: .postgres)

func ruling(_ decision: Verdict.Decision, approval: String? = nil, statement: String = "DROP TABLE t") -> OutwardEvent.Kind {
    .verdict(
        .init(
            verdict: Verdict(decision: decision, rule: "no-drop", reason: "Not by \u{e4}gents.", hint: "Ask.", approval: approval),
            kinds: ["drop", "drop.table"], statement: statement, policyVersion: "p1"))
}

func approval(_ step: OutwardEvent.Approval.Step, id: String = "a-1") -> OutwardEvent.Kind {
    .approval(
        .init(
            step: step, id: id, requester: alice, reason: "ticket <42> & more", rule: "hold-drops", approvers: ["managers"], required: 2,
            expires: time.advanced(by: .seconds(3_600)), statement: "DROP TABLE t WHERE x = $1",
            link: "https://gw.example.com/approvals/a-1"))
}

/// One of every kind.
let everyKind: [OutwardEvent.Kind] =
    [
        .sessionStarted(application: "psql"),
        .sessionEnded(
            .init(
                isFailure: false, reason: "client-closed", started: time, statements: 3, denied: 1, rows: 7, bytesIn: 100, bytesOut: 200)),
        .sessionEnded(
            .init(isFailure: true, reason: "recorder-failed", started: time, statements: 0, denied: 0, rows: 0, bytesIn: 0, bytesOut: 0)),
        ruling(.deny), ruling(.hold), ruling(.allow, approval: "a-1"),
        .finding(.init(analytic: "exfiltration", title: "Much was read", detail: "1 GiB", severity: .high)),
        .administration(action: "ticket.revoked", detail: ["ticket": "t-1"]),
        .administration(action: "administration.refused", detail: [:]),
        .authenticationFailed(login: "reader@orders", code: "expired", reason: "the token has expired"),
    ] + OutwardEvent.Approval.Step.allCases.map { approval($0) }

func event(_ kind: OutwardEvent.Kind, actor: OutwardEvent.Actor? = alice, address: String = "192.0.2.7") -> OutwardEvent {
    OutwardEvent(time: time, kind, actor: actor, address: address, place: orders)
}

func object(_ bytes: some Sequence<UInt8>) -> [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(bytes))) as? [String: Any] ?? [:]
}
