/// Statement text without its literals and comments: `$n` in the place of each literal, one blank for each gap.
struct Normalizer {
    private let bytes: UnsafeRawBufferPointer
    private let tokens: [ScannedText.Token]
    private var next = 0

    init(_ bytes: UnsafeRawBufferPointer, _ tokens: [ScannedText.Token]) {
        self.bytes = bytes
        self.tokens = tokens
    }

    /// The statement in `start..<end` (byte offsets). Statements are asked for in the order of the text.
    mutating func text(from start: Int, to end: Int) -> String {
        while next < tokens.count, tokens[next].start < start { next += 1 }
        let first = next
        while next < tokens.count, tokens[next].end <= end { next += 1 }
        let own = tokens[first..<next]
        var number = 0
        for token in own where token.kind == TokenKind.parameter { number = max(number, self.number(of: token)) }
        var result: [UInt8] = []
        result.reserveCapacity(end - start)
        var previous: Int32 = -1
        for token in own where token.kind != TokenKind.lineComment && token.kind != TokenKind.blockComment {
            if previous >= 0, token.start > previous { result.append(0x20) }
            previous = token.end
            if TokenKind.isLiteral(token.kind) {
                number &+= 1
                result.append(contentsOf: "$\(number)".utf8)
            } else {
                result.append(contentsOf: bytes[Int(token.start)..<Int(token.end)])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// `$12` is 12. The server takes no more than an Int32; what does not fit is counted from 0.
    private func number(of parameter: ScannedText.Token) -> Int {
        guard Int(parameter.start) + 1 < Int(parameter.end) else { return 0 }
        let digits = String(decoding: bytes[(Int(parameter.start) + 1)..<Int(parameter.end)], as: UTF8.self)
        return Int(Int32(digits) ?? 0)
    }
}
