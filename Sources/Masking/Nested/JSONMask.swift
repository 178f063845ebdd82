/// Masks every string, number and boolean of a JSON document (RFC 8259); keys, null, and what holds them together stay as they are.
///
/// The document stays valid: what a strategy cannot replace becomes null. A document that is not valid is withheld as a whole.
struct JSONMask: Sendable {
    /// Deeper documents are withheld. The server's own bound is its stack.
    static let maximumDepth = 512

    /// Of the contents of strings, and of numbers.
    private let strings: PreparedMask
    private let numbers: PreparedMask
    private let booleans: [UInt8]

    init(_ strategy: MaskStrategy) {
        strings = PreparedMask(.scalar(25), .text, strategy, depth: 0)
        numbers = PreparedMask(.scalar(1700), .text, strategy, depth: 0)
        let isRedact = strategy == .redact
        booleans = Array((isRedact ? "false" : "null").utf8)
    }

    private enum Expected {
        case value
        case valueOrEnd
        case keyOrEnd
        case key
        case colon
        case commaOrEnd
    }

    /// - Parameter isBinary: a version byte, 1, stands before the text (jsonb_send).
    func mask(_ value: UnsafeRawBufferPointer, isBinary: Bool, _ output: inout NestedOutput) -> Bool {
        var text = NestedText(value)
        if isBinary {
            guard text.next == 1 else { return false }
            text.skip()
            output.append(1)
        }
        /// Whether each container that is open is an object.
        var open: [Bool] = []
        var expected = Expected.value
        while true {
            blanks(&text, &output)
            guard let byte = text.next, !output.isFull else { return false }
            switch (expected, byte) {
            case (.value, UInt8(ascii: "{")), (.value, UInt8(ascii: "[")), (.valueOrEnd, UInt8(ascii: "{")),
                (.valueOrEnd, UInt8(ascii: "[")):
                guard open.count < Self.maximumDepth else { return false }
                let isObject = byte == UInt8(ascii: "{")
                open.append(isObject)
                expected = isObject ? .keyOrEnd : .valueOrEnd
                take(&text, &output)
                continue
            case (.valueOrEnd, UInt8(ascii: "]")), (.keyOrEnd, UInt8(ascii: "}")), (.commaOrEnd, UInt8(ascii: "]")),
                (.commaOrEnd, UInt8(ascii: "}")):
                guard open.popLast() == (byte == UInt8(ascii: "}")) else { return false }
                take(&text, &output)
            case (.key, UInt8(ascii: "\"")), (.keyOrEnd, UInt8(ascii: "\"")):
                guard let key = rawString(&text) else { return false }
                output.append(value[key])
                expected = .colon
                continue
            case (.colon, UInt8(ascii: ":")):
                take(&text, &output)
                expected = .value
                continue
            case (.commaOrEnd, UInt8(ascii: ",")):
                take(&text, &output)
                expected = open.last == true ? .key : .value
                continue
            case (.value, _), (.valueOrEnd, _):
                guard scalar(&text, &output) else { return false }
            default:
                return false
            }
            // A value has ended.
            guard !open.isEmpty else { break }
            expected = .commaOrEnd
        }
        blanks(&text, &output)
        return text.isAtEnd
    }

    private func take(_ text: inout NestedText, _ output: inout NestedOutput) {
        if let byte = text.next { output.append(byte) }
        text.skip()
    }

    private func blanks(_ text: inout NestedText, _ output: inout NestedOutput) {
        while let byte = text.next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { take(&text, &output) }
    }

    // MARK: Scalars

    private func scalar(_ text: inout NestedText, _ output: inout NestedOutput) -> Bool {
        if text.next == UInt8(ascii: "\"") {
            guard let place = rawString(&text),
                let content = JSONString.content(
                    UnsafeRawBufferPointer(rebasing: text.bytes[(place.lowerBound + 1)..<(place.upperBound - 1)]))
            else { return false }
            if let replacement = strings.replacement(of: content) {
                JSONString.write(replacement, &output)
            } else {
                output.append("null".utf8)
            }
            return true
        }
        let start = text.position
        while let byte = text.next, (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || "+-.".utf8.contains(byte) {
            text.skip()
        }
        let word = UnsafeRawBufferPointer(rebasing: text.bytes[start..<text.position])
        if word.elementsEqual("null".utf8) {
            output.append(word)
        } else if word.elementsEqual("true".utf8) || word.elementsEqual("false".utf8) {
            output.append(booleans)
        } else if let first = word.first, first == UInt8(ascii: "-") || first &- UInt8(ascii: "0") < 10 {
            number(word, &output)
        } else {
            return false
        }
        return true
    }

    private func number(_ word: UnsafeRawBufferPointer, _ output: inout NestedOutput) {
        // Whatever the digits are, none of them goes on: so it need not be known whether this is a number of JSON's.
        guard let replacement = numbers.replacement(of: word), let first = replacement.first(where: { $0 != UInt8(ascii: "-") }),
            first &- UInt8(ascii: "0") < 10
        else { return output.append("null".utf8) }
        output.append(replacement)
    }

    /// Where the string that begins here stands, quotes included; nil where it does not end.
    private func rawString(_ text: inout NestedText) -> Range<Int>? {
        let start = text.position
        text.skip()
        while let byte = text.next {
            text.skip()
            if byte == UInt8(ascii: "\"") { return start..<text.position }
            if byte < 0x20 { return nil }
            if byte == UInt8(ascii: "\\") { text.skip() }
        }
        return nil
    }
}

/// What stands between the quotes of a JSON string.
enum JSONString {
    /// The bytes that it stands for, in UTF-8; nil where its escapes are not valid.
    static func content(_ raw: UnsafeRawBufferPointer) -> [UInt8]? {
        guard raw.contains(UInt8(ascii: "\\")) else { return Array(raw) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        var index = 0
        while index < raw.count {
            let byte = raw[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard index < raw.count else { return nil }
            let letter = raw[index]
            index += 1
            if letter == UInt8(ascii: "u") {
                guard let scalar = scalar(raw, &index) else { return nil }
                bytes.append(contentsOf: String(scalar).utf8)
            } else if let meaning = meanings[letter] {
                bytes.append(meaning)
            } else {
                return nil
            }
        }
        return bytes
    }

    private static let meanings: [UInt8: UInt8] = [
        UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "/"): UInt8(ascii: "/"),
        UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
    ]

    /// Behind `\u`: four hex digits, or two pairs of surrogates.
    private static func scalar(_ raw: UnsafeRawBufferPointer, _ index: inout Int) -> Unicode.Scalar? {
        guard let first = unit(raw, &index) else { return nil }
        guard (0xD800...0xDBFF).contains(first) else { return Unicode.Scalar(first) }
        guard index + 1 < raw.count, raw[index] == UInt8(ascii: "\\"), raw[index + 1] == UInt8(ascii: "u") else { return nil }
        index += 2
        guard let second = unit(raw, &index), (0xDC00...0xDFFF).contains(second) else { return nil }
        return Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private static func unit(_ raw: UnsafeRawBufferPointer, _ index: inout Int) -> UInt32? {
        guard index + 4 <= raw.count else { return nil }
        var value: UInt32 = 0
        for byte in raw[index..<(index + 4)] {
            guard let nibble = HashMask.nibble(byte) else { return nil }
            value = value << 4 | UInt32(nibble)
        }
        index += 4
        return value
    }

    static func write(_ value: [UInt8], _ output: inout NestedOutput) {
        output.append(UInt8(ascii: "\""))
        for byte in value {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                output.append(UInt8(ascii: "\\"))
                output.append(byte)
            case 0..<0x20:
                output.append("\\u00".utf8)
                let digits = Array("0123456789abcdef".utf8)
                output.append(digits[Int(byte >> 4)])
                output.append(digits[Int(byte & 15)])
            default:
                output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
