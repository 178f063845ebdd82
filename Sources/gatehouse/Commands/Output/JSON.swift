import Foundation

/// Any JSON value. Keys are looked up without regard to case and underscores, so that `clientAddress` and `client_address`
/// are one.
enum JSON: Codable, Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    static func parse(_ text: some DataProtocol) throws -> JSON {
        try JSONDecoder().decode(JSON.self, from: Data(text))
    }

    func text(pretty: Bool) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    subscript(_ key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        if let exact = members[key] { return exact == .null ? nil : exact }
        let wanted = Self.folded(key)
        return members.first { Self.folded($0.key) == wanted && $0.value != .null }?.value
    }

    private static func folded(_ key: String) -> String {
        key.lowercased().filter { $0 != "_" && $0 != "-" }
    }

    var elements: [JSON] {
        if case .array(let elements) = self { return elements }
        return []
    }

    /// Text as it stands; numbers and booleans as JSON writes them.
    var string: String? {
        switch self {
        case .string(let value): value
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .boolean(let value): String(value)
        case .null, .array, .object: nil
        }
    }

    var integer: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value.rounded())
        case .string(let value): Int(value)
        case .null, .boolean, .array, .object: nil
        }
    }

    var strings: [String] { elements.compactMap(\.string) }

    /// A time as the API writes it: RFC 3339 text.
    var time: Date? {
        guard let string else { return nil }
        return parseTime(string)
    }
}

func parseTime(_ text: String) -> Date? {
    let whole = ISO8601DateFormatter()
    if let date = whole.date(from: text) { return date }
    whole.formatOptions.insert(.withFractionalSeconds)
    return whole.date(from: text)
}
