import Foundation
public import GatehouseCore

/// Turns the frames of a protocol's session back into what was asked and answered. Feed it every frame in order.
public protocol SessionTranscript: Sendable {
    /// Key ids of those who can open the recording's originals, told with each of them.
    var originalRecipients: [String] { get set }

    /// - Throws: for a recording of something else.
    mutating func read(_ frame: Frame) throws -> [TranscriptEvent]
}

/// One event of a recording as people and programs read it: a JSON object (docs/cli.md, Events).
public struct TranscriptEvent: Sendable, Encodable {
    public enum Value: Sendable, Encodable {
        case string(String)
        case number(UInt64)
        case list([Value])
        case object([String: Value])
        case null

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .string(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .list(let items): try container.encode(items)
            case .object(let members): try container.encode(members)
            case .null: try container.encodeNil()
            }
        }
    }

    public var type: String
    public var time: WallTime
    public var offsetMilliseconds: UInt64
    public var members: [String: Value]

    public init(type: String, time: WallTime, offsetMilliseconds: UInt64, members: [String: Value]) {
        self.type = type
        self.time = time
        self.offsetMilliseconds = offsetMilliseconds
        self.members = members
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        var all = members
        all["type"] = .string(type)
        all["time"] = .string(Self.text(time))
        all["offset_ms"] = .number(offsetMilliseconds)
        try container.encode(all)
    }

    /// The event as one line of JSON, without the line's end.
    public func line() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }

    /// RFC 3339 with milliseconds.
    static func text(_ time: WallTime) -> String {
        Date(timeIntervalSince1970: Double(time.nanoseconds / 1_000_000) / 1_000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}

extension TranscriptEvent.Value {
    public static func optional(_ text: String?) -> Self { text.map { .string($0) } ?? .null }
}
