import GatehouseCore
import MySQL
import Postgres
import Recording

/// The transcript of whatever protocol a session's first frame names.
struct AnyTranscript: SessionTranscript {
    private var transcript: any SessionTranscript = PostgresTranscript()
    var originalRecipients: [String] = []

    /// nil: of that protocol's messages nothing is known here.
    private static func transcript(of name: Target.ProtocolName) -> (any SessionTranscript)? {
        switch name {
        case .postgres: PostgresTranscript()
        case .mysql: MySQLTranscript()
        case .ssh, .http: nil
        }
    }

    /// Whether sessions of the protocol can be told.
    static func knows(_ name: Target.ProtocolName?) -> Bool { name.flatMap(transcript) != nil }

    mutating func read(_ frame: Frame) throws -> [TranscriptEvent] {
        if frame.kind == .start {
            let name = try frame.decode(SessionStart.self).protocolName
            guard let known = Self.transcript(of: name) else {
                throw CommandFailure(.failure, "this program does not know the messages of \(name.rawValue); export the session as jsonl")
            }
            transcript = known
        }
        transcript.originalRecipients = originalRecipients
        return try transcript.read(frame)
    }
}
