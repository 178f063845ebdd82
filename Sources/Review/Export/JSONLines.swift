import Foundation
import GatehouseCore
public import Recording

/// A recording as JSON lines (docs/export.md): each frame exactly as recorded, and behind it what was decoded of it.
public struct JSONLinesWriter: ExportWriter {
    /// Of the lines' form. Members may be added under one version; none is removed or changes its meaning.
    public static let version = 1

    private let includesResults: Bool

    /// - Parameter includesResults: false leaves out what the server said: only its size remains.
    public init(includesResults: Bool = true) {
        self.includesResults = includesResults
    }

    public mutating func write(_ frame: Frame, events: [[UInt8]]) throws -> [UInt8] {
        let keepsPayload = includesResults || (frame.kind != .serverMessages && frame.kind != .original)
        var bytes = try line(
            FrameLine(
                version: Self.version, type: "frame", session: frame.session, sequence: frame.sequence,
                nanoseconds: String(frame.time.nanoseconds), kind: frame.kind.name,
                payload: keepsPayload ? Data(frame.payload) : nil, omittedBytes: keepsPayload ? nil : frame.payload.count))
        for event in events where event.first == UInt8(ascii: "{") {
            bytes += Array(#"{"version":\#(Self.version),"sequence":\#(frame.sequence),"#.utf8) + event.dropFirst()
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    public mutating func finish(_ summary: ExportSummary) throws -> [UInt8] {
        try line(SummaryLine(version: Self.version, type: "summary", summary: summary))
    }

    /// The frame that a line holds; nil for a line of another type, and for one whose payload was left out.
    /// - Throws: `DecodingError` when it is no line of this form, `ExportError` for a version or kind that is not known.
    public static func frame(line: some Sequence<UInt8>) throws -> Frame? {
        let data = Data(line)
        let head = try JSONDecoder().decode(Head.self, from: data)
        guard head.version == version else { throw ExportError("a line of version \(head.version); this program knows version \(version)") }
        guard head.type == "frame" else { return nil }
        let read = try JSONDecoder().decode(FrameLine.self, from: data)
        guard let payload = read.payload else { return nil }
        guard let kind = RecordKind.allCases.first(where: { $0.name == read.kind }), let nanoseconds = UInt64(read.nanoseconds) else {
            throw ExportError("frame \(read.sequence) has a kind or a time that is not known")
        }
        return Frame(
            kind: kind, session: read.session, sequence: read.sequence, time: WallTime(nanoseconds: nanoseconds), payload: Array(payload))
    }

    private struct Head: Decodable {
        var version: Int
        var type: String
    }

    private struct FrameLine: Codable {
        var version: Int
        var type: String
        var session: SessionID
        var sequence: UInt64
        /// As text: most readers of JSON keep numbers in 53 bits.
        var nanoseconds: String
        var kind: String
        var payload: Data?
        var omittedBytes: Int?

        enum CodingKeys: String, CodingKey {
            case version, type, session, sequence, nanoseconds, kind, payload
            case omittedBytes = "omitted_bytes"
        }
    }

    private struct SummaryLine: Encodable {
        var version: Int
        var type: String
        var summary: ExportSummary

        enum CodingKeys: String, CodingKey {
            case version, type, check, frames, gaps
            case hasEnd = "has_end"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(version, forKey: .version)
            try container.encode(type, forKey: .type)
            try container.encode(summary.check, forKey: .check)
            try container.encode(summary.frames, forKey: .frames)
            try container.encode(summary.gaps, forKey: .gaps)
            try container.encode(summary.hasEnd, forKey: .hasEnd)
        }
    }

    private func line(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }
}

/// Something that cannot be exported, or an export that cannot be read.
public struct ExportError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
