import Console
import Foundation
import GatehouseCore
import Postgres
import Recording
import Synchronization

/// Where a data directory keeps what, and how its recordings are read.
struct Recordings: Sendable {
    let dataDirectory: String

    var journal: String { dataDirectory + "/journal" }
    var store: LocalStore { LocalStore(root: dataDirectory + "/store") }
    var keys: String { dataDirectory + "/keys" }

    /// The events of a session, one JSON line a call; with `follow`, those to come too, until it ends.
    func events(of session: SessionID, follow: Bool) throws -> ConsoleBackend.EventLines {
        let cursor = Mutex(EventCursor(session: session, recordings: self, follow: follow))
        return {
            while true {
                switch try cursor.withLock({ try $0.next() }) {
                case .line(let line): return line
                case .end: return nil
                case .wait: try await Task.sleep(for: .milliseconds(200))
                }
            }
        }
    }
}

/// Reads a recording from its beginning; of one that is still being made, on from where it was.
private struct EventCursor: ~Copyable {
    enum Step {
        case line([UInt8])
        case wait
        case end
    }

    private let session: SessionID
    private let recordings: Recordings
    private let follow: Bool
    private var reader: SessionReader?
    private var transcript = PostgresTranscript()
    private var lines: [[UInt8]] = []
    private var lastSequence: UInt64 = 0
    private var hasEnded = false

    init(session: SessionID, recordings: Recordings, follow: Bool) {
        self.session = session
        self.recordings = recordings
        self.follow = follow
    }

    mutating func next() throws -> Step {
        while true {
            if !lines.isEmpty { return .line(lines.removeFirst()) }
            if hasEnded { return .end }
            let reader = try self.reader ?? SessionReader(session: session, store: recordings.store, journalDirectory: recordings.journal)
            self.reader = reader
            guard let frame = try reader.next() else {
                self.reader = nil
                if !follow || reader.isFinished { return .end }
                return .wait
            }
            guard frame.sequence > lastSequence else { continue }
            lastSequence = frame.sequence
            if frame.kind == .end { hasEnded = true }
            lines = try transcript.read(frame).map { try $0.line() }
        }
    }
}
