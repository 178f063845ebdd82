/// Detectors over the values of a COPY stream, which says nothing of its columns' types: how a value is read is told by the value.
struct CopyDetection: Sendable {
    let redactor: Redactor
    let isBinary: Bool

    func outcome(of value: [UInt8]) -> PreparedMask.Outcome {
        value.withUnsafeBytes { value in
            var output: [UInt8] = []
            switch redactor.redact(value, as: FoundText(guessing: value, isBinary: isBinary), into: &output) {
            case .clean: return .unchanged
            case .withheld: return .null
            case .replaced: return .value(output)
            }
        }
    }
}

extension FoundText {
    /// How a value of a type that nobody told is read.
    public init(guessing value: UnsafeRawBufferPointer, isBinary: Bool) {
        self = Self.form(of: value, isBinary: isBinary)
    }

    private static func form(of value: UnsafeRawBufferPointer, isBinary: Bool) -> FoundText {
        guard let first = value.first else { return .text }
        if isBinary {
            // jsonb begins with its version.
            if first == 1, value.count > 1, Self.opensJSON(value[1]) { return .jsonb }
            if Self.opensJSON(first), String(validating: value, as: UTF8.self) != nil { return .json }
            // Text has no control characters besides those that are typed; what has is numbers, arrays, rows.
            let isText = value.allSatisfy { $0 >= 0x20 || $0 == 0x0A || $0 == 0x09 || $0 == 0x0D }
            return isText ? .text : .opaque
        }
        if Bytea.isHex(value) { return .byteaText }
        return Self.opensJSON(first) ? .json : .text
    }

    private static func opensJSON(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "\"")
    }
}

extension Bytea {
    /// `\x` and pairs of hex digits, and nothing else.
    static func isHex(_ value: UnsafeRawBufferPointer) -> Bool {
        guard value.count >= 4, value.count % 2 == 0, value[0] == UInt8(ascii: "\\"), value[1] == UInt8(ascii: "x") else { return false }
        return value.dropFirst(2).allSatisfy { Checks.isDigit($0) || ($0 | 0x20) &- 0x61 < 6 }
    }

    /// Whether text that is written for COPY may hold a bytea in hex, in which nothing is found as it stands.
    static func mayBeIn(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count > 2 else { return false }
        for index in 0..<(bytes.count - 1) where bytes[index] == UInt8(ascii: "\\") && bytes[index + 1] == UInt8(ascii: "x") { return true }
        return false
    }
}
