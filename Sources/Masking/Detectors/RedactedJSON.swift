/// JSON without what was found in it: still JSON (RFC 8259).
extension Redactor {
    /// The text is searched as it stands, so that keys are the words nearby of their values; strings with escapes are searched
    /// decoded as well, since an escape may stand for any character.
    func redactJSON(
        _ value: UnsafeRawBufferPointer, _ hints: DetectorSet.Hints, _ output: inout [UInt8], _ seeing: ((UnsafeRawBufferPointer) -> Void)?
    ) -> Outcome {
        let findings = set.findings(in: value, hints: hints)
        let hasEscapes = JSONTokens.mayHide(value)
        guard !findings.isEmpty || hasEscapes else { return .clean }
        var pass = JSONPass(redactor: self, value: value, findings: findings[...], hints: hints)
        var tokens = JSONTokens(value)
        let before = output.count
        while let token = tokens.next() { pass.take(token, &output, seeing) }
        guard !tokens.isBroken else {
            output.removeLast(output.count - before)
            return findings.isEmpty ? .clean : .withheld
        }
        guard pass.count > 0 else {
            output.removeLast(output.count - before)
            return .clean
        }
        output.append(contentsOf: value[pass.copied...])
        return .replaced(findings: pass.count)
    }
}

private struct JSONPass {
    let redactor: Redactor
    let value: UnsafeRawBufferPointer
    var findings: ArraySlice<Finding>
    let hints: DetectorSet.Hints
    /// Of the value, what is written or replaced.
    var copied = 0
    var count = 0

    mutating func take(_ token: JSONTokens.Token, _ output: inout [UInt8], _ seeing: ((UnsafeRawBufferPointer) -> Void)?) {
        while let first = findings.first, first.range.upperBound <= token.range.lowerBound { findings.removeFirst() }
        let within = findings.prefix { $0.range.lowerBound < token.range.upperBound }
        if token.hasEscapes { return takeDecoded(token, within.first, &output, seeing) }
        guard let first = within.first else { return }
        if !token.isString {
            // A number. Its findings are gone with it.
            begin(token.range, &output, seeing)
            output.append(UInt8(ascii: "\""))
            redactor.write(UnsafeRawBufferPointer(rebasing: value[token.range]), of: first.detector, to: &output)
            output.append(UInt8(ascii: "\""))
            return
        }
        for finding in within {
            let part = Redactor.wholeCharacters(finding.range.clamped(to: token.range), in: value).clamped(to: token.range)
            begin(part, &output, seeing)
            redactor.write(UnsafeRawBufferPointer(rebasing: value[part]), of: finding.detector, to: &output)
        }
    }

    private mutating func takeDecoded(
        _ token: JSONTokens.Token, _ raw: Finding?, _ output: inout [UInt8], _ seeing: ((UnsafeRawBufferPointer) -> Void)?
    ) {
        let decoded = JSONTokens.decoded(value[token.range])
        var replaced: [UInt8] = []
        let outcome = decoded.withUnsafeBytes { redactor.redact($0, as: .text, hints: hints, into: &replaced, seeing: seeing) }
        if case .replaced = outcome {
            begin(token.range, &output, nil)
            JSONTokens.write(replaced, to: &output)
        } else if let raw {
            // Found as it stands, and not decoded: the words nearby told, or the escape belongs to it.
            begin(token.range, &output, seeing)
            redactor.write(UnsafeRawBufferPointer(rebasing: value[token.range]), of: raw.detector, to: &output)
        }
    }

    /// Writes what stands before `range`, in whose place something else is written now.
    private mutating func begin(_ range: Range<Int>, _ output: inout [UInt8], _ seeing: ((UnsafeRawBufferPointer) -> Void)?) {
        output.append(contentsOf: value[copied..<max(copied, range.lowerBound)])
        seeing?(UnsafeRawBufferPointer(rebasing: value[range]))
        copied = range.upperBound
        count += 1
    }
}

/// The strings and numbers of a JSON text, in their order. What lies between is not looked at.
struct JSONTokens {
    struct Token {
        /// Of a string what is between its quotes.
        var range: Range<Int>
        var isString: Bool
        var hasEscapes: Bool
    }

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    private let bytes: UnsafeRawBufferPointer
    private var index = 0
    /// A string without an end: this is no JSON.
    private(set) var isBroken = false

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Whether an escape may stand for a character that detectors look for: `\u0040`, `\/`.
    ///
    /// - Parameter inCopy: Backslashes may be doubled, as COPY writes them.
    static func mayHide(_ bytes: UnsafeRawBufferPointer, inCopy: Bool = false) -> Bool {
        var index = 0
        while index + 1 < bytes.count {
            if bytes[index] == backslash {
                if bytes[index + 1] == UInt8(ascii: "u") || bytes[index + 1] == UInt8(ascii: "/") { return true }
                if !inCopy { index += 1 }
            }
            index += 1
        }
        return false
    }

    mutating func next() -> Token? {
        while index < bytes.count {
            let byte = bytes[index]
            if byte == Self.quote { return string() }
            if byte == UInt8(ascii: "-") || Checks.isDigit(byte) {
                let start = index
                while index < bytes.count, Self.isOfNumber(bytes[index]) { index += 1 }
                return Token(range: start..<index, isString: false, hasEscapes: false)
            }
            index += 1
        }
        return nil
    }

    private mutating func string() -> Token? {
        index += 1
        let start = index
        var hasEscapes = false
        while index < bytes.count, bytes[index] != Self.quote {
            if bytes[index] == Self.backslash {
                hasEscapes = true
                index += 1
            }
            index += 1
        }
        guard index < bytes.count else {
            isBroken = true
            index = bytes.count
            return nil
        }
        index += 1
        return Token(range: start..<(index - 1), isString: true, hasEscapes: hasEscapes)
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        Checks.isDigit(byte) || "+-.eE".utf8.contains(byte)
    }

    /// What a string with escapes stands for, as UTF-8.
    static func decoded(_ text: UnsafeRawBufferPointer.SubSequence) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == backslash, let letter = rest.popFirst() else {
                decoded.append(byte)
                continue
            }
            switch letter {
            case UInt8(ascii: "b"): decoded.append(0x08)
            case UInt8(ascii: "f"): decoded.append(0x0C)
            case UInt8(ascii: "n"): decoded.append(0x0A)
            case UInt8(ascii: "r"): decoded.append(0x0D)
            case UInt8(ascii: "t"): decoded.append(0x09)
            case UInt8(ascii: "u"): decoded.append(contentsOf: Array(String(character(&rest)).utf8))
            default: decoded.append(letter)
            }
        }
        return decoded
    }

    /// The character of the digits behind `\u`, and of a second escape where the first is half of a pair.
    private static func character(_ rest: inout UnsafeRawBufferPointer.SubSequence) -> Unicode.Scalar {
        let replacement = Unicode.Scalar(0xFFFD as UInt16) ?? " "
        guard let first = unit(&rest) else { return replacement }
        guard first & 0xFC00 == 0xD800 else { return Unicode.Scalar(first) ?? replacement }
        var ahead = rest
        guard ahead.popFirst() == backslash, ahead.popFirst() == UInt8(ascii: "u"), let second = unit(&ahead), second & 0xFC00 == 0xDC00
        else { return replacement }
        rest = ahead
        return Unicode.Scalar(0x10000 + (UInt32(first & 0x3FF) << 10 | UInt32(second & 0x3FF))) ?? replacement
    }

    private static func unit(_ rest: inout UnsafeRawBufferPointer.SubSequence) -> UInt16? {
        guard rest.count >= 4 else { return nil }
        let digits = String(decoding: rest.prefix(4), as: UTF8.self)
        guard let unit = UInt16(digits, radix: 16) else { return nil }
        rest = rest.dropFirst(4)
        return unit
    }

    /// Text between quotes.
    static func write(_ text: [UInt8], to output: inout [UInt8]) {
        for byte in text {
            switch byte {
            case quote, backslash:
                output.append(backslash)
                output.append(byte)
            case 0x08: output.append(contentsOf: Array("\\b".utf8))
            case 0x09: output.append(contentsOf: Array("\\t".utf8))
            case 0x0A: output.append(contentsOf: Array("\\n".utf8))
            case 0x0C: output.append(contentsOf: Array("\\f".utf8))
            case 0x0D: output.append(contentsOf: Array("\\r".utf8))
            case 0..<0x20:
                output.append(contentsOf: Array("\\u00".utf8))
                let hex = String(byte, radix: 16)
                output.append(contentsOf: Array((hex.count == 1 ? "0" + hex : hex).utf8))
            default: output.append(byte)
            }
        }
    }
}
