/// What stands for a finding.
public enum FindingStrategy: Sendable, Hashable {
    /// `[email]`: says only what was there.
    case redact
    /// `****` and the finding's last characters, at most four and at most a third of it.
    case partial
    /// `[email:5f0c2a9be1d34c77]`, a keyed digest: the same finding gives the same text.
    case hash(MaskKey)
}

/// How the bytes of a value are to be read, and what must remain valid.
public enum FoundText: Sendable, Hashable {
    /// Any text is valid.
    case text
    /// What is replaced stands inside of strings; a number that is a finding becomes a string.
    case json
    /// The same behind a version byte: binary jsonb.
    case jsonb
    /// `\x6162` or the escape format: what PostgreSQL writes for a bytea.
    case byteaText
    /// Bytes with a structure of their own. With a finding in them they cannot be shown.
    case opaque
}

/// Detectors, and what stands for what each of them finds.
public final class Redactor: Sendable {
    public struct Choice: Sendable {
        public var detector: Detector
        public var minimum: Double
        public var strategy: FindingStrategy

        public init(detector: Detector, minimum: Double = DetectorSet.defaultConfidence, strategy: FindingStrategy = .redact) {
            self.detector = detector
            self.minimum = minimum
            self.strategy = strategy
        }
    }

    public enum Outcome: Sendable, Hashable {
        /// Nothing was found, and nothing written.
        case clean
        /// The value with its findings replaced was written.
        case replaced(findings: Int)
        /// There is something in it, and no valid value without it: nothing was written, NULL must be sent.
        case withheld
    }

    public let set: DetectorSet
    private let strategies: [FindingStrategy]
    /// `[email]` and the like.
    private let names: [[UInt8]]

    public init(_ choices: [Choice]) throws(DetectorError) {
        set = try DetectorSet(choices.map(\.detector), minimums: choices.map(\.minimum))
        strategies = choices.map(\.strategy)
        names = choices.map { Array("[\($0.detector.id)]".utf8) }
    }

    /// Writes a value without what was found in it. A value of UTF-8 remains one.
    ///
    /// - Parameters:
    ///   - output: Appended to; as it was unless the outcome is `replaced`.
    ///   - seeing: Is shown every finding.
    public func redact(
        _ value: UnsafeRawBufferPointer, as form: FoundText, hints: DetectorSet.Hints = .none, into output: inout [UInt8],
        seeing: ((UnsafeRawBufferPointer) -> Void)? = nil
    ) -> Outcome {
        switch form {
        case .text: return redactText(value, hints, &output, seeing)
        case .json: return redactJSON(value, hints, &output, seeing)
        case .jsonb:
            guard let version = value.first else { return .clean }
            let before = output.count
            output.append(version)
            let outcome = redactJSON(UnsafeRawBufferPointer(rebasing: value[1...]), hints, &output, seeing)
            if case .replaced = outcome { return outcome }
            output.removeLast(output.count - before)
            return outcome
        case .byteaText: return redactBytea(value, hints, &output, seeing)
        case .opaque:
            var count = 0
            set.scan(value, hints: hints) { finding in
                seeing?(UnsafeRawBufferPointer(rebasing: value[finding.range]))
                count += 1
            }
            return count == 0 ? .clean : .withheld
        }
    }

    private func redactText(
        _ value: UnsafeRawBufferPointer, _ hints: DetectorSet.Hints, _ output: inout [UInt8], _ seeing: ((UnsafeRawBufferPointer) -> Void)?
    ) -> Outcome {
        var copied = 0
        var count = 0
        set.scan(value, hints: hints) { finding in
            let range = Self.wholeCharacters(finding.range, in: value)
            if count == 0 { output.reserveCapacity(output.count + value.count + 32) }
            output.append(contentsOf: value[max(copied, 0)..<max(copied, range.lowerBound)])
            let place = UnsafeRawBufferPointer(rebasing: value[max(copied, range.lowerBound)..<range.upperBound])
            seeing?(place)
            write(place, of: finding.detector, to: &output)
            copied = range.upperBound
            count += 1
        }
        guard count > 0 else { return .clean }
        output.append(contentsOf: value[copied...])
        return .replaced(findings: count)
    }

    private func redactBytea(
        _ value: UnsafeRawBufferPointer, _ hints: DetectorSet.Hints, _ output: inout [UInt8], _ seeing: ((UnsafeRawBufferPointer) -> Void)?
    ) -> Outcome {
        let decoded = Bytea.decoded(value)
        var replaced: [UInt8] = []
        let outcome = decoded.withUnsafeBytes { redactText($0, hints, &replaced, seeing) }
        if case .replaced = outcome { Bytea.writeHex(replaced, to: &output) }
        return outcome
    }

    /// Appends what stands for a finding.
    func write(_ place: UnsafeRawBufferPointer, of detector: Int, to output: inout [UInt8]) {
        switch strategies[detector] {
        case .redact: output.append(contentsOf: names[detector])
        case .partial:
            output.append(contentsOf: [0x2A, 0x2A, 0x2A, 0x2A])
            output.append(contentsOf: Self.visibleEnd(place))
        case .hash(let key):
            output.append(contentsOf: names[detector].dropLast())
            output.append(0x3A)
            key.withMAC {
                $0.update(place)
            } use: { digest in
                for byte in digest.prefix(8) {
                    output.append(HashMask.digit(byte >> 4))
                    output.append(HashMask.digit(byte & 15))
                }
            }
            output.append(0x5D)
        }
    }

    /// At most four characters and a third of them all; nothing where they are not UTF-8.
    private static func visibleEnd(_ place: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer.SubSequence {
        let characters = place.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
        var left = min(4, characters / 3)
        var start = place.count
        while left > 0, start > 0 {
            start -= 1
            if place[start] & 0xC0 != 0x80 { left -= 1 }
        }
        let end = place[start...]
        return String(validating: end, as: UTF8.self) == nil ? place[place.count...] : end
    }

    /// The range, and of characters (UTF-8) that it cuts the rest.
    static func wholeCharacters(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start > 0, start > range.lowerBound - 3, start < bytes.count, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        while end < bytes.count, end < range.upperBound + 3, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return start..<end
    }
}

/// A bytea as text (PostgreSQL manual, "Binary Data Types").
enum Bytea {
    static func decoded(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes: [UInt8] = []
        append(text, to: &bytes)
        return bytes
    }

    /// Appends what the text stands for; what it cannot stand for as it is.
    static func append(_ text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        let backslash = UInt8(ascii: "\\")
        var index = 0
        if text.count >= 2, text[0] == backslash, text[1] == UInt8(ascii: "x") {
            bytes.reserveCapacity(bytes.count + text.count / 2)
            index = 2
            while index + 1 < text.count {
                bytes.append(nibble(text[index]) << 4 | nibble(text[index + 1]))
                index += 2
            }
            return
        }
        while index < text.count {
            let byte = text[index]
            index += 1
            if byte == backslash, index < text.count {
                if text[index] == backslash {
                    index += 1
                } else if index + 2 < text.count {
                    let octal = UInt16(text[index] & 7) << 6 | UInt16(text[index + 1] & 7) << 3 | UInt16(text[index + 2] & 7)
                    bytes.append(UInt8(truncatingIfNeeded: octal))
                    index += 3
                    continue
                }
            }
            bytes.append(byte)
        }
    }

    static func writeHex(_ bytes: [UInt8], to output: inout [UInt8]) {
        output.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "x")])
        let digits: [UInt8] = Array("0123456789abcdef".utf8)
        for byte in bytes {
            output.append(digits[Int(byte >> 4)])
            output.append(digits[Int(byte & 15)])
        }
    }

    private static func nibble(_ digit: UInt8) -> UInt8 {
        digit &- 0x30 < 10 ? digit &- 0x30 : ((digit | 0x20) &- 0x61 &+ 10) & 15
    }
}
