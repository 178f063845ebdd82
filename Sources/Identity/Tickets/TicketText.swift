import Crypto
public import GatehouseCore

/// The text of a ticket: `ght_`, 40 characters that carry 200 random bits, 4 that check them. 48 characters in all, so that
/// it passes every prompt (common clients cut at 80, some at 64), of letters and digits that cannot be mistaken.
public struct TicketText: Sendable {
    public static let prefix = "ght_"
    static let randomBytes = 25
    static let checkCharacters = 4
    static let length = 48
    /// Crockford's base 32 in lower case: no i, l, o, u.
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    public let secret: Secret

    /// A new ticket, of the system's randomness.
    public static func random() -> TicketText {
        var generator = SystemRandomNumberGenerator()
        return TicketText(random: (0..<randomBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    private init(random bytes: [UInt8]) {
        let body = Self.encode(bytes)
        secret = Secret(Self.prefix + String(decoding: body + Self.check(body), as: UTF8.self))
    }

    /// What a client sent; nil when it cannot be a ticket (copied in part, mistyped).
    public init?(_ secret: Secret) {
        let text = Array(secret.reveal().utf8)
        guard text.count == Self.length, text.starts(with: Self.prefix.utf8) else { return nil }
        let body = text[Self.prefix.utf8.count..<(Self.length - Self.checkCharacters)]
        guard body.allSatisfy(Self.alphabet.contains) else { return nil }
        guard constantTimeEquals(text.suffix(Self.checkCharacters), Self.check(Array(body))) else { return nil }
        self.secret = secret
    }

    /// Whether a secret means to be a ticket.
    public static func claims(_ secret: Secret) -> Bool { secret.reveal().utf8.starts(with: prefix.utf8) }

    /// What is stored: the SHA-256 of the whole text. 200 random bits need no salt and no slow hash.
    public var hash: [UInt8] { Array(SHA256.hash(data: Array(secret.reveal().utf8))) }

    /// 20 bits over the body, so that a slip of the hand is told from a ticket that is not known.
    private static func check(_ body: [UInt8]) -> [UInt8] {
        let digest = Array(SHA256.hash(data: Array("gatehouse ticket".utf8) + body))
        return Array(encode(Array(digest.prefix(5))).prefix(checkCharacters))
    }

    /// Five bits a character; `bytes` come in multiples of five.
    private static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        var held: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            held = held << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(alphabet[Int(held >> bits & 0x1F)])
            }
            held &= (1 << bits) - 1
        }
        return text
    }
}
