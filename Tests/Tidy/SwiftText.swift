/// Swift source with its comments and string literals blanked, so that rules look at code alone. Lines stay where they are.
struct SwiftText {
    private var source: [UInt8]
    private var position = 0
    private var output: [UInt8] = []

    /// The code, one string a line.
    static func codeLines(of text: String) -> [String] {
        var scanner = SwiftText(source: Array(text.utf8))
        scanner.code(untilParenthesis: false)
        return String(decoding: scanner.output, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private init(source: [UInt8]) {
        self.source = source
        output.reserveCapacity(source.count)
    }

    private func peek(_ offset: Int = 0) -> UInt8? {
        position + offset < source.count ? source[position + offset] : nil
    }

    private func sees(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { bytes in
            bytes.indices.allSatisfy { peek($0) == bytes[$0] }
        }
    }

    /// Moves on, leaving blanks; a newline stays.
    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where position < source.count {
            output.append(source[position] == 0x0A ? 0x0A : 0x20)
            position += 1
        }
    }

    private mutating func code(untilParenthesis: Bool) {
        var depth = 0
        while let byte = peek() {
            if sees("//") {
                while let next = peek(), next != 0x0A { blank() }
            } else if sees("/*") {
                blockComment()
            } else if byte == UInt8(ascii: "\"") || (byte == UInt8(ascii: "#") && startsRawString()) {
                string()
            } else {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    depth -= 1
                    if untilParenthesis, depth < 0 { return }
                }
                output.append(byte)
                position += 1
            }
        }
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if sees("/*") {
                depth += 1
                blank(2)
            } else if sees("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && position < source.count
    }

    private func startsRawString() -> Bool {
        var offset = 0
        while peek(offset) == UInt8(ascii: "#") { offset += 1 }
        return peek(offset) == UInt8(ascii: "\"")
    }

    private mutating func string() {
        var hashes = 0
        while peek() == UInt8(ascii: "#") {
            hashes += 1
            blank()
        }
        let quotes = sees("\"\"\"") ? 3 : 1
        // A word in place of the literal, so that `"a"!` still reads as a value.
        output.append(UInt8(ascii: "s"))
        position += 1
        blank(quotes - 1)
        while let byte = peek() {
            if byte == UInt8(ascii: "\\"), follows(hashes: hashes, after: 1) {
                blank(1 + hashes)
                if peek() == UInt8(ascii: "(") {
                    blank()
                    code(untilParenthesis: true)
                    blank()
                } else {
                    blank()
                }
            } else if byte == UInt8(ascii: "\""), quotes == 1 || sees("\"\"\""), follows(hashes: hashes, after: quotes) {
                blank(quotes + hashes)
                return
            } else {
                blank()
            }
        }
    }

    private func follows(hashes: Int, after offset: Int) -> Bool {
        (0..<hashes).allSatisfy { peek(offset + $0) == UInt8(ascii: "#") }
    }
}
