/// The name of one session: a UUID version 7 (RFC 9562 section 5.7), so that names sort by start time.
public struct SessionID: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The first eight bytes, big endian: 48 bits of milliseconds, version, 12 random bits.
    public let high: UInt64
    /// The last eight bytes, big endian: variant and 62 random bits.
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new name for a session that starts at `time`.
    public init(at time: WallTime, using generator: inout some RandomNumberGenerator) {
        let milliseconds = (time.nanoseconds / 1_000_000) & 0xFFFF_FFFF_FFFF
        let random = generator.next() & 0x0FFF
        high = milliseconds << 16 | 0x7000 | random
        low = generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    public init(at time: WallTime) {
        var generator = SystemRandomNumberGenerator()
        self.init(at: time, using: &generator)
    }

    /// Reads the form 8-4-4-4-12; nil for anything else.
    public init?(_ text: some StringProtocol) {
        var digits: [UInt8] = []
        for (index, byte) in text.utf8.enumerated() {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits.append(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digits.append(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digits.append(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
            guard index < 36 else { return nil }
        }
        guard digits.count == 32 else { return nil }
        high = digits[0..<16].reduce(0) { $0 << 4 | UInt64($1) }
        low = digits[16..<32].reduce(0) { $0 << 4 | UInt64($1) }
    }

    /// When the session began, to the millisecond.
    public var startTime: WallTime { WallTime(nanoseconds: (high >> 16) &* 1_000_000) }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = SessionID(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not a session id"))
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public static func < (left: SessionID, right: SessionID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
            let half = index < 16 ? high : low
            text.append(digits[Int(half >> UInt64(60 - 4 * (index % 16)) & 0xF)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
