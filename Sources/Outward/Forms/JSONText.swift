/// A JSON value that is written in the order in which it was made.
enum JSONText: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    case string(String)
    case integer(Int64)
    case bool(Bool)
    case array([JSONText])
    case object([Member])
    case null

    struct Member: Sendable, Hashable {
        var name: String
        var value: JSONText
    }

    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(arrayLiteral elements: JSONText...) { self = .array(elements) }

    /// Members that are null or empty text are left out.
    init(dictionaryLiteral elements: (String, JSONText)...) {
        self = .object(elements.filter { $0.1 != .null && $0.1 != "" }.map { Member(name: $0.0, value: $0.1) })
    }

    init(_ text: String?) { self = text.map { .string($0) } ?? .null }
    init(_ number: some BinaryInteger) { self = .integer(Int64(clamping: number)) }

    static func strings(_ texts: [String]) -> JSONText { .array(texts.map { .string($0) }) }

    /// RFC 8259, in ASCII alone: other characters are escaped, so that no transport need know of an encoding.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1_024)
        write(to: &bytes)
        return bytes
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .string(let text): Self.write(text, to: &bytes)
        case .integer(let number): bytes += "\(number)".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .null: bytes += "null".utf8
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.write(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for unit in text.utf16 {
            switch unit {
            case 0x22: bytes += "\\\"".utf8
            case 0x5C: bytes += "\\\\".utf8
            case 0x0A: bytes += "\\n".utf8
            case 0x20...0x7E: bytes.append(UInt8(truncatingIfNeeded: unit))
            default:
                let digits = Array("0123456789abcdef".utf8)
                bytes += "\\u".utf8
                for shift in [12, 8, 4, 0] as [UInt16] { bytes.append(digits[Int(unit >> shift & 0xF)]) }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension String {
    /// No longer than `limit` characters; what is cut off shows.
    func clipped(_ limit: Int) -> String {
        guard utf8.count > limit, count > limit else { return self }
        return String(prefix(limit)) + "..."
    }
}
