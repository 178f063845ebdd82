/// What a rule asks of the number of rows that the server expects: `>10000`, `<= 5`, or `unknown`.
public enum RowCondition: Sendable, Hashable, Codable, CustomStringConvertible {
    case above(Int)
    case atLeast(Int)
    case below(Int)
    case atMost(Int)
    /// There is no estimate.
    case unknown

    /// nil when the text is none of these, or the number is negative or too large.
    public init?(_ text: String) {
        let text = text.filter { $0 != " " }
        if text == "unknown" {
            self = .unknown
            return
        }
        for (sign, make) in Self.signs where text.hasPrefix(sign) {
            let digits = text.dropFirst(sign.count)
            guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else { return nil }
            self = make(number)
            return
        }
        return nil
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let condition = RowCondition(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not a condition on rows: \(text)"))
        }
        self = condition
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public var description: String {
        switch self {
        case .above(let number): ">\(number)"
        case .atLeast(let number): ">=\(number)"
        case .below(let number): "<\(number)"
        case .atMost(let number): "<=\(number)"
        case .unknown: "unknown"
        }
    }

    /// Whether the condition holds for an estimate; nil where it asks for a number and there is none.
    func holds(for estimate: Int?) -> Bool? {
        guard let estimate else { return self == .unknown ? true : nil }
        return switch self {
        case .above(let number): estimate > number
        case .atLeast(let number): estimate >= number
        case .below(let number): estimate < number
        case .atMost(let number): estimate <= number
        case .unknown: false
        }
    }

    /// The longer signs first.
    private static let signs: [(String, @Sendable (Int) -> RowCondition)] = [
        (">=", { .atLeast($0) }), ("<=", { .atMost($0) }), (">", { .above($0) }), ("<", { .below($0) }),
    ]
}
