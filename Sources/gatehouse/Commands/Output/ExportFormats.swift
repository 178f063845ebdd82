import ArgumentParser
import Foundation
import GatehouseCore
import Postgres
import Recording
import Review

enum ExportFormat: String, ExpressibleByArgument, CaseIterable {
    case jsonl, text, sql, asciicast
}

/// An export that is being made: decodes each frame, and hands on what the format's writer makes of it.
struct RunningExport {
    private let format: ExportFormat
    private let results: Bool
    private let output: ([UInt8]) throws -> Void
    private var writer: any ExportWriter
    private var transcript = AnyTranscript()
    /// The protocol is one whose messages are decoded here, and so far they could be.
    private var isDecoding = true
    private(set) var hasWritten = false

    init(format: ExportFormat, results: Bool, output: @escaping ([UInt8]) throws -> Void) {
        self.format = format
        self.results = results
        self.output = output
        writer =
            switch format {
            case .jsonl: JSONLinesWriter(includesResults: results)
            case .text: TextExport()
            case .sql: SQLExport(script: PostgresScript(showsResults: results))
            case .asciicast: CastWriter(TranscriptCast())
            }
    }

    mutating func write(_ frame: Frame) throws {
        if frame.kind == .start, !AnyTranscript.knows((try? frame.decode(SessionStart.self))?.protocolName) {
            isDecoding = false
            guard format == .jsonl else { throw ExportError("a session of this protocol is exported as jsonl alone") }
        }
        if frame.kind == .start, format == .sql, (try? frame.decode(SessionStart.self))?.protocolName != .postgres {
            throw ExportError("only sessions of PostgreSQL are exported as sql; use jsonl or text")
        }
        do {
            try put(try writer.write(frame, events: try events(frame)))
        } catch let error as ProtocolViolation {
            throw ExportError("frame \(frame.sequence) does not hold what the protocol says (\(error.reason)); jsonl has it as it is")
        }
    }

    mutating func finish(_ summary: ExportSummary) throws {
        try put(try writer.finish(summary))
    }

    private mutating func events(_ frame: Frame) throws -> [[UInt8]] {
        guard isDecoding, format != .sql else { return [] }
        do {
            return try transcript.read(frame).filter { results || $0.type != "rows" }.map { try $0.line() }
        } catch  where format == .jsonl {
            // The frames are all there; only what they mean is not told from here on.
            isDecoding = false
            let event = JSON.object(["type": .string("undecodable"), "message": .string("\(error)")])
            return [Array(try event.text(pretty: false).utf8)]
        }
    }

    private mutating func put(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        hasWritten = true
        try output(bytes)
    }
}

/// The transcript as `sessions show --full` prints it.
private struct TextExport: ExportWriter {
    private let renderer = EventRenderer(cellWidth: nil)

    mutating func write(_ frame: Frame, events: [[UInt8]]) throws -> [UInt8] {
        try events.flatMap { renderer.lines(for: try JSON.parse($0)) }.flatMap { Array(($0 + "\n").utf8) }
    }

    mutating func finish(_ summary: ExportSummary) throws -> [UInt8] { [] }
}

private struct SQLExport: ExportWriter {
    var script: PostgresScript

    mutating func write(_ frame: Frame, events: [[UInt8]]) throws -> [UInt8] { Array(try script.read(frame).utf8) }
    mutating func finish(_ summary: ExportSummary) throws -> [UInt8] { Array(script.finish().utf8) }
}

/// The transcript of a database session, typed out: a statement's typing ends when it was sent, answers come when they came.
struct TranscriptCast: CastSource {
    /// One key in 30 ms, and no statement in more than two seconds.
    private static let key: UInt64 = 30_000_000
    private static let longestTyping: UInt64 = 2_000_000_000

    private let renderer = EventRenderer(cellWidth: 60)
    private var last: WallTime?

    let size = (columns: 120, rows: 36)

    mutating func play(_ frame: Frame, events: [[UInt8]]) throws -> [CastEvent] {
        var shown: [CastEvent] = []
        for event in try events.map({ try JSON.parse($0) }) {
            // The times are the player's business; what is left of them in the text form is a margin.
            guard case .object(var members) = event else { continue }
            members["offset_ms"] = nil
            let event = JSON.object(members)
            let lines = renderer.lines(for: event).map { String($0.dropFirst(11)) }
            guard !lines.isEmpty else { continue }
            let text = lines.joined(separator: "\r\n")
            if event["type"]?.string == "statement" {
                shown += typed(text, until: frame.time)
            } else {
                let colour = event["decision"]?.string == "deny" || event["type"]?.string == "error" ? "31" : "2"
                shown.append(CastEvent(.output("\u{1B}[\(colour)m\(text)\u{1B}[0m\r\n"), at: frame.time))
            }
        }
        last = frame.time
        return shown
    }

    private func typed(_ text: String, until time: WallTime) -> [CastEvent] {
        let keys = UInt64(text.count)
        let free = time.nanoseconds - min(time.nanoseconds, (last ?? time).nanoseconds)
        let duration = min(free, min(keys * Self.key, Self.longestTyping))
        let perKey = keys == 0 ? 0 : duration / keys
        guard perKey >= 1_000_000 else { return [CastEvent(.output(text + "\r\n"), at: time)] }
        var at = time.nanoseconds - duration
        var events = text.map { character in
            at += perKey
            return CastEvent(.output(String(character)), at: WallTime(nanoseconds: at))
        }
        events.append(CastEvent(.output("\r\n"), at: time))
        return events
    }
}
