import Foundation
import GatehouseCore
import Recording

extension AdminClient {
    /// A recording's events as JSON lines. The gateway sends them sealed as they are kept; they are opened here.
    /// - Parameter follow: on until the session ends.
    func events(of id: String, follow: Bool, keys: RecipientKeys, _ body: (Data) throws -> Void) async throws {
        var transcript = AnyTranscript()
        let decoder = EvidenceDecoder(session: try Self.session(id), keys: keys, isFollowing: follow)
        try await read("/sessions/\(id)/\(follow ? "tail" : "events")", into: decoder) { frame in
            transcript.originalRecipients = decoder.originalKeys.map(\.recipient)
            for event in try transcript.read(frame) { try body(Data(try event.line())) }
        }
    }

    /// A recording's frames, checked as far as that can be done without its manifest.
    /// - Returns: places at which frames are missing.
    func frames(of id: String, follow: Bool, keys: RecipientKeys, _ body: (Frame) throws -> Void) async throws -> [Manifest.Gap] {
        let decoder = EvidenceDecoder(session: try Self.session(id), keys: keys, isFollowing: follow)
        try await read("/sessions/\(id)/\(follow ? "tail" : "events")", into: decoder, body)
        return decoder.gaps
    }

    /// A recording's frames with the originals in the place of what stands for them. The gateway is told why, and writes it down before it
    /// sends anything; the originals are opened here.
    /// - Returns: how many there were.
    func originals(of id: String, reason: String, keys: RecipientKeys, _ body: (Frame) throws -> Void) async throws -> Int {
        let session = try Self.session(id)
        let decoder = EvidenceDecoder(session: session, keys: keys)
        var opening = OpeningOriginals(session: session, keys: keys)
        try await read("/sessions/\(id)/originals", posting: .object(["reason": .string(reason)]), into: decoder) { frame in
            if let frame = try opening.read(frame, decoder.originalKeys) { try body(frame) }
        }
        return opening.count
    }

    private static func session(_ id: String) throws -> SessionID {
        guard let session = SessionID(id) else { throw CommandFailure(.usage, "'\(forTerminal(id))' is not a session's id") }
        return session
    }

    private func read(
        _ path: String, posting order: JSON? = nil, into decoder: EvidenceDecoder, _ body: (Frame) throws -> Void
    ) async throws {
        try await lines(path, posting: order) { line in
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
    }
}

/// Opens a recording's originals as its frames come.
struct OpeningOriginals {
    let session: SessionID
    let keys: RecipientKeys
    private var splicer = OriginalSplicer()
    private var reader: OriginalReader?

    init(session: SessionID, keys: RecipientKeys) {
        self.session = session
        self.keys = keys
    }

    /// How many were opened.
    var count: Int { splicer.count }

    /// - Parameter wrapped: what the evidence says of the originals' key.
    /// - Throws: `Finding` when no key is one that opens them, or one is not what was sealed.
    mutating func read(_ frame: Frame, _ wrapped: [WrappedKey]) throws -> Frame? {
        let reader = try self.reader ?? OriginalReader(session: session, keys: keys, wrapped: wrapped)
        self.reader = reader
        return try splicer.splice(frame, open: reader.open)
    }
}
