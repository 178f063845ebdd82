import GatehouseCore
import NIOCore

/// A request that must be approved before it goes on: what the session asks for, and shows to whoever approves.
struct HeldAction: Equatable {
    enum What: Equatable {
        /// The session itself, before its first request.
        case session
        /// A text, or a statement with the parameters that a Bind gives it.
        /// - types: the parameter types that its Parse gave (OIDs).
        case statement(text: ByteBuffer, types: [UInt32], parameters: BoundParameters?)
    }

    /// Where it begins in the client's stream.
    let offset: UInt64
    let judgement: Judgement
    let what: What
    /// An open transaction may keep locks while it waits.
    let isInTransaction: Bool

    static func == (left: HeldAction, right: HeldAction) -> Bool {
        left.offset == right.offset && left.judgement === right.judgement && left.what == right.what
            && left.isInTransaction == right.isInTransaction
    }
}

/// The values of a Bind message (documentation, "Message Formats", Bind).
struct BoundParameters: Equatable {
    /// 0 is text, 1 binary; none means all text, one is for all.
    let formats: [Int16]
    /// nil is NULL.
    let values: [ByteBuffer?]

    /// Reads what follows the two names, up to the result formats.
    init(_ body: inout BodyReader) throws(ProtocolViolation) {
        let formatCount: Int16 = try body.integer()
        guard formatCount >= 0 else { throw ProtocolViolation("a Bind of \(formatCount) formats") }
        var formats: [Int16] = []
        for _ in 0..<formatCount { formats.append(try body.integer()) }
        let count: Int16 = try body.integer()
        guard count >= 0 else { throw ProtocolViolation("a Bind of \(count) parameters") }
        var values: [ByteBuffer?] = []
        for _ in 0..<count {
            let length: Int32 = try body.integer()
            values.append(length < 0 ? nil : try body.bytes(Int(length)))
        }
        self.formats = formats
        self.values = values
    }

    /// For people: text as it is, the rest in hexadecimal.
    var shown: [String?] {
        values.enumerated().map { index, value in
            guard let value else { return nil }
            let bytes = value.readableBytesView
            if format(of: index) == 0, let text = String(validating: bytes, as: UTF8.self) { return text }
            let digits = Array("0123456789abcdef")
            return "\\x" + String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] })
        }
    }

    /// What an approval is bound to: the formats and values, nothing left out.
    var content: [[UInt8]] {
        var parts: [[UInt8]] = [Array("\(values.count) parameters".utf8)]
        for (index, value) in values.enumerated() {
            parts.append(Array("\(format(of: index)) \(value == nil ? "null" : "value")".utf8))
            parts.append(value.map { Array($0.readableBytesView) } ?? [])
        }
        return parts
    }

    func format(of index: Int) -> Int16 {
        formats.count == 1 ? formats[0] : formats.indices.contains(index) ? formats[index] : 0
    }
}
