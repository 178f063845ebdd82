import Foundation
import GatehouseCore
import Postgres
import Recording

extension AdminClient {
    /// A recording's events as JSON lines. The gateway sends them sealed as they are kept; they are opened here.
    /// - Parameter follow: on until the session ends.
    func events(of id: String, follow: Bool, keys: RecipientKeys, _ body: (Data) throws -> Void) async throws {
        var transcript = PostgresTranscript()
        _ = try await frames(of: id, follow: follow, keys: keys) { frame in
            for event in try transcript.read(frame) { try body(Data(try event.line())) }
        }
    }

    /// A recording's frames, checked as far as that can be done without its manifest.
    /// - Returns: places at which frames are missing.
    func frames(of id: String, follow: Bool, keys: RecipientKeys, _ body: (Frame) throws -> Void) async throws -> [Manifest.Gap] {
        guard let session = SessionID(id) else { throw CommandFailure(.usage, "'\(forTerminal(id))' is not a session's id") }
        let decoder = EvidenceDecoder(session: session, keys: keys, isFollowing: follow)
        try await lines("/sessions/\(id)/\(follow ? "tail" : "events")") { line in
            guard let piece = EvidencePiece(line: line) else {
                if let problem = (try? JSON.parse(line))?["message"]?.string { throw CommandFailure(.failure, forTerminal(problem)) }
                throw CommandFailure(.failure, "the gateway sent something that is no evidence; do its version and this program's match?")
            }
            do {
                try decoder.take(piece)
                while let frame = try decoder.next() { try body(frame) }
            } catch let finding as Finding {
                throw CommandFailure(finding.kind == .sealed ? .refused : .verificationFailed, "\(finding)")
            }
        }
        return decoder.gaps
    }
}
