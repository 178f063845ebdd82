import Foundation

/// A JSON value of any shape, for reading what the program prints.
indirect enum JSON: Decodable, Sendable, Equatable {
    case null, bool(Bool), number(Double), string(String), array([JSON]), object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
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

    /// One value, or one a line: the latter becomes an array.
    static func parse(_ text: String) throws -> JSON {
        if let whole = try? JSONDecoder().decode(JSON.self, from: Data(text.utf8)) { return whole }
        return .array(
            try text.split(separator: "\n").map { line in
                do { return try JSONDecoder().decode(JSON.self, from: Data(line.utf8)) } catch {
                    throw HarnessError("not JSON: \(line.prefix(300))")
                }
            })
    }

    subscript(key: String) -> JSON? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The elements of an array, or of the one array that an object holds (a page of a list).
    var elements: [JSON] {
        switch self {
        case .array(let values): values
        case .object(let members): members.values.compactMap { if case .array(let values) = $0 { values } else { nil } }.first ?? []
        default: []
        }
    }

    /// Every string anywhere inside.
    var strings: [String] {
        switch self {
        case .string(let value): [value]
        case .array(let values): values.flatMap(\.strings)
        case .object(let members): members.sorted { $0.key < $1.key }.flatMap { $0.value.strings }
        default: []
        }
    }
}
