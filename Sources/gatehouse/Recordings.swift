import Console
import Foundation
import GatehouseCore
import Logging
import Recording
import Settings
import Synchronization

/// Where a data directory keeps what, and how its recordings are read.
struct Recordings: Sendable {
    let dataDirectory: String
    let store: any ObjectStore

    var journal: String { dataDirectory + "/journal" }
    var log: String { dataDirectory + "/log" }
    var keys: String { dataDirectory + "/keys" }

    /// The evidence of a session, sealed as it is, one JSON line a call; with `follow`, what is to come too, until it ends.
    func evidence(of session: SessionID, follow: Bool) -> ConsoleBackend.EventLines {
        let cursor = Mutex(EvidenceCursor(session: session, recordings: self, follow: follow))
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

    /// What new sessions are sealed to: the recipients that the configuration names, or else one whose private key is made here.
    /// - Throws: `KeyFileError`.
    func recipients(_ settings: RecordingSettings, _ logger: Logger) throws -> [RecipientPublicKey] {
        guard settings.isSealed else {
            logger.warning("recordings are not sealed: whoever can read the store reads them (recording.sealed: false)")
            return []
        }
        if settings.recipients.isEmpty {
            let path = keys + "/recipient.key"
            let key = try KeyFiles.recipient(directory: keys)
            logger.warning(
                "recordings are sealed to a key that lies beside them; for production, make one elsewhere with `gatehouse keys generate` and name its public half in recording.recipients",
                metadata: ["private_key": "\(path)", "recipient": "\(key.publicKey.id)"])
            return [key.publicKey]
        }
        return try settings.recipients.map { try KeyFiles.recipientPublicKey(file: $0) }
    }

    /// Whom what masks take out of new sessions is sealed to; nobody unless the configuration names somebody.
    /// - Throws: `KeyFileError`.
    func breakGlassRecipients(_ settings: RecordingSettings) throws -> [RecipientPublicKey] {
        try settings.breakGlassRecipients.map { try KeyFiles.recipientPublicKey(file: $0) }
    }
}

/// Reads a recording's evidence from its beginning; of one that is still being made, on from where it was.
private struct EvidenceCursor: ~Copyable {
    enum Step {
        case line([UInt8])
        case wait
        case end
    }

    private let session: SessionID
    private let recordings: Recordings
    private let follow: Bool
    private var source: EvidenceSource?
    private var lastSequence: UInt64 = 0
    private var hasOpening = false
    private var hasEnded = false
    private var isAnything = false

    init(session: SessionID, recordings: Recordings, follow: Bool) {
        self.session = session
        self.recordings = recordings
        self.follow = follow
    }

    mutating func next() throws -> Step {
        while true {
            if hasEnded { return .end }
            let source =
                try self.source
                ?? EvidenceSource(session: session, store: recordings.store, journalDirectory: recordings.journal)
            self.source = source
            guard let piece = try source.next() else {
                self.source = nil
                guard follow || isAnything else {
                    throw StoreError(
                        "nothing of this recording is in the store: it was deleted or is lost; `gatehouse verify` tells which")
                }
                if !follow || source.isFinished { return .end }
                return .wait
            }
            if let last = piece.last {
                if follow, last.sequence <= lastSequence { continue }
                lastSequence = max(lastSequence, last.sequence)
                if follow, last.isEnd { hasEnded = true }
            } else if case .batch = piece {
                if hasOpening { continue }
                hasOpening = true
            }
            isAnything = true
            return .line(try piece.line())
        }
    }
}
