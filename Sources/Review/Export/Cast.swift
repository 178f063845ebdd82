import Foundation
public import GatehouseCore
public import Recording

/// Something that happened on a terminal.
public struct CastEvent: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// What the terminal got.
        case output(String)
        /// What was typed.
        case input(String)
        /// A place to go to, with its label.
        case marker(String)
        /// A new size in cells.
        case resize(columns: Int, rows: Int)
    }

    public var time: WallTime
    public var kind: Kind

    public init(_ kind: Kind, at time: WallTime) {
        self.kind = kind
        self.time = time
    }
}

/// How a protocol's session looks on a terminal; a protocol plugs in by conforming. What was recorded must not reach the terminal as
/// control sequences unless the session was one of a terminal.
public protocol CastSource {
    /// The terminal's size at first, in cells.
    var size: (columns: Int, rows: Int) { get }
    /// What the terminal shows of a frame, in order of time.
    mutating func play(_ frame: Frame, events: [[UInt8]]) throws -> [CastEvent]
}

/// A recording as an asciicast of version 2 (docs.asciinema.org, "asciicast v2"): a header, then an array a line, with the seconds since
/// the first frame.
public struct CastWriter<Source: CastSource>: ExportWriter {
    private var source: Source
    private var start: WallTime?
    private var microseconds: UInt64 = 0

    public init(_ source: Source) {
        self.source = source
    }

    public mutating func write(_ frame: Frame, events: [[UInt8]]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        if start == nil {
            start = frame.time
            bytes += try header(frame)
        }
        for event in try source.play(frame, events: events) {
            bytes += try line(event)
        }
        return bytes
    }

    public mutating func finish(_ summary: ExportSummary) throws -> [UInt8] { [] }

    private func header(_ frame: Frame) throws -> [UInt8] {
        let size = source.size
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let header = CastHeader(
            width: size.columns, height: size.rows, timestamp: frame.time.seconds, title: "Gatehouse session \(frame.session)")
        return Array(try encoder.encode(header)) + [UInt8(ascii: "\n")]
    }

    private mutating func line(_ event: CastEvent) throws -> [UInt8] {
        // A machine's clock may be set back; a cast's never is.
        let nanoseconds = event.time.nanoseconds
        let begin = start?.nanoseconds ?? nanoseconds
        microseconds = max(microseconds, nanoseconds > begin ? (nanoseconds - begin) / 1000 : 0)
        let (code, data) =
            switch event.kind {
            case .output(let text): ("o", text)
            case .input(let text): ("i", text)
            case .marker(let label): ("m", label)
            case .resize(let columns, let rows): ("r", "\(columns)x\(rows)")
            }
        let fraction = String(microseconds % 1_000_000)
        let seconds = "\(microseconds / 1_000_000).\(String(repeating: "0", count: 6 - fraction.utf8.count))\(fraction)"
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let text = String(decoding: try encoder.encode([data]).dropFirst().dropLast(), as: UTF8.self)
        return Array("[\(seconds), \"\(code)\", \(text)]\n".utf8)
    }
}

private struct CastHeader: Encodable {
    var version = 2
    var width: Int
    var height: Int
    /// Whole seconds since 1970.
    var timestamp: Int
    var title: String
    var env = ["TERM": "xterm-256color"]
}
