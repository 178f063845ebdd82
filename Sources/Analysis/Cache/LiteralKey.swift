/// The key of a text under which all texts meet that differ only in the values of their literals.
///
/// A lexer of the plain part of PostgreSQL's language (manual 4.1; scan.l): everything is copied as it stands, plain `'..'`
/// strings without a backslash and plain decimal numbers leave only a mark of their sort. Whatever is not plain (E'', U&'',
/// $tag$, 1e5, 0x1f, 1_000, .5, strings in two parts) makes no key, and the text is analysed by itself. So two texts with one
/// key have the same tokens but for the values. Tests hold it against the library's own scanner.
enum LiteralKey {
    /// Marks are bytes that UTF-8 never holds; a text that holds one makes no key.
    private static let string: UInt8 = 0xf8
    /// Fits an Int32 whatever its digits: an ICONST.
    private static let integer: UInt8 = 0xf9
    /// With a decimal point: an FCONST.
    private static let number: UInt8 = 0xfa

    enum Class {
        static let word: UInt8 = 1
        static let digit: UInt8 = 2
        static let quote: UInt8 = 3
        static let doubleQuote: UInt8 = 4
        static let dollar: UInt8 = 5
        static let dash: UInt8 = 6
        static let slash: UInt8 = 7
        static let dot: UInt8 = 8
        static let space: UInt8 = 9
        static let refused: UInt8 = 10
        static let other: UInt8 = 0
    }

    private static let classes: [UInt8] = (0..<256).map { byte -> UInt8 in
        switch byte {
        case 0x61...0x7a, 0x41...0x5a, 0x5f, 0x80...0xf4: Class.word
        case 0x30...0x39: Class.digit
        case 0x27: Class.quote
        case 0x22: Class.doubleQuote
        case 0x24: Class.dollar
        case 0x2d: Class.dash
        case 0x2f: Class.slash
        case 0x2e: Class.dot
        case 0x20, 0x09, 0x0a, 0x0d, 0x0b, 0x0c: Class.space
        case 0x00, 0x5c, 0xf5...0xff: Class.refused
        default: Class.other
        }
    }

    /// Writes the key of `text` into `key`, which must hold as many bytes.
    ///
    /// - Parameter literal: Told where each literal is (byte offsets).
    /// - Returns: The length of the key; nil where the text is not plain.
    @inline(__always)
    static func write(
        _ text: UnsafeRawBufferPointer, into key: UnsafeMutableRawBufferPointer, literal: (Range<Int>) -> Void = { _ in }
    ) -> Int? {
        guard key.count >= text.count else { return nil }
        return classes.withUnsafeBufferPointer { classes in
            var lexer = Lexer(text: text, key: key, classes: classes)
            return lexer.run(literal) ? lexer.written : nil
        }
    }

    private struct Lexer {
        let text: UnsafeRawBufferPointer
        let key: UnsafeMutableRawBufferPointer
        let classes: UnsafeBufferPointer<UInt8>
        var at = 0
        var written = 0
        var sawHigh = false

        @inline(__always)
        func classOf(_ index: Int) -> UInt8 { index < text.count ? classes[Int(text[index])] : Class.space }

        @inline(__always)
        mutating func copy() {
            key[written] = text[at]
            written += 1
            at += 1
        }

        @inline(__always)
        mutating func run(_ literal: (Range<Int>) -> Void) -> Bool {
            var afterString = false
            while at < text.count {
                let start = at
                let sort = classes[Int(text[at])]
                switch sort {
                case Class.space:
                    copy()
                    continue
                case Class.word:
                    guard word() else { return false }
                case Class.digit:
                    guard digits() else { return false }
                    literal(start..<at)
                case Class.quote:
                    // A second string after a first may be its continuation.
                    guard !afterString, string() else { return false }
                    literal(start..<at)
                    afterString = true
                    continue
                case Class.doubleQuote: guard quoted() else { return false }
                case Class.dollar: guard parameter() else { return false }
                case Class.dash where classOf(at + 1) == Class.dash:
                    guard lineComment() else { return false }
                    continue
                case Class.slash where at + 1 < text.count && text[at + 1] == 0x2a:
                    guard blockComment() else { return false }
                    continue
                case Class.dot where classOf(at + 1) == Class.digit: return false
                case Class.refused: return false
                default: copy()
                }
                afterString = false
            }
            return !sawHigh || String(validating: text, as: UTF8.self) != nil
        }

        private mutating func word() -> Bool {
            let start = at
            while at < text.count {
                let sort = classes[Int(text[at])]
                guard sort == Class.word || sort == Class.digit || sort == Class.dollar else { break }
                if text[at] >= 0x80 { sawHigh = true }
                copy()
            }
            guard at - start == 1, at < text.count else { return true }
            let letter = text[start] | 0x20
            // A letter that makes another sort of literal of what follows.
            if text[at] == 0x27 { return ![0x65, 0x62, 0x78, 0x6e].contains(letter) }
            return !(letter == 0x75 && text[at] == 0x26)
        }

        private mutating func digits() -> Bool {
            let start = at
            while classOf(at) == Class.digit { at += 1 }
            // Nine digits are an integer to the parser whatever they are; with more it depends on the value.
            var isInteger = true
            guard at - start <= 9 || classOf(at) == Class.dot else { return false }
            if classOf(at) == Class.dot {
                at += 1
                guard classOf(at) != Class.dot else { return false }
                while classOf(at) == Class.digit { at += 1 }
                isInteger = false
            }
            let next = classOf(at)
            guard next != Class.word, next != Class.dot, next != Class.dollar else { return false }
            key[written] = isInteger ? LiteralKey.integer : LiteralKey.number
            written += 1
            return true
        }

        private mutating func string() -> Bool {
            at += 1
            while at < text.count {
                let byte = text[at]
                if byte == 0x27 {
                    at += 1
                    guard at < text.count, text[at] == 0x27 else {
                        key[written] = LiteralKey.string
                        written += 1
                        return true
                    }
                } else if byte >= 0x80 {
                    sawHigh = true
                } else if byte == 0x5c || byte == 0 {
                    return false
                }
                at += 1
            }
            return false
        }

        private mutating func quoted() -> Bool {
            copy()
            while at < text.count {
                let byte = text[at]
                if byte >= 0x80 { sawHigh = true }
                if byte == 0 { return false }
                copy()
                if byte == 0x22 {
                    guard at < text.count, text[at] == 0x22 else { return true }
                    copy()
                }
            }
            return false
        }

        /// `$1`; a dollar-quoted string is not plain.
        private mutating func parameter() -> Bool {
            guard classOf(at + 1) == Class.digit else { return false }
            copy()
            while classOf(at) == Class.digit { copy() }
            let next = classOf(at)
            return next != Class.word && next != Class.dollar
        }

        private mutating func lineComment() -> Bool {
            while at < text.count, text[at] != 0x0a, text[at] != 0x0d {
                if text[at] >= 0x80 { sawHigh = true }
                if text[at] == 0 { return false }
                copy()
            }
            return true
        }

        /// Comments nest (manual 4.1.5).
        private mutating func blockComment() -> Bool {
            var depth = 0
            while at < text.count {
                if text[at] >= 0x80 { sawHigh = true }
                if text[at] == 0 { return false }
                if text[at] == 0x2f, at + 1 < text.count, text[at + 1] == 0x2a {
                    depth += 1
                    copy()
                    copy()
                } else if text[at] == 0x2a, at + 1 < text.count, text[at + 1] == 0x2f {
                    depth -= 1
                    copy()
                    copy()
                    if depth == 0 { return true }
                } else {
                    copy()
                }
            }
            return false
        }
    }
}
