/// A quick look at a text before PostgreSQL's scanner, whose cost some texts would drive up.
///
/// It refuses what is too long to parse in time, and runs of operator characters that the scanner would read again from each
/// of their characters: `++++` and `/*/*/*` take it time in the square of their length (scan.l, rules `operator` and
/// `xcstart`). It decides nothing about meaning: where it should cut a text otherwise than the scanner does, a text is
/// refused that need not be, or costs more than it should.
struct Prescan {
    enum Refusal: Error {
        case tokens
        case operators
    }

    /// Characters that may be read again: some 30 ms.
    static let rereadLimit = 16_000_000

    private let text: UnsafeRawBufferPointer
    private var at = 0
    private var tokens = 0
    private var reread = 0

    static func check(_ text: UnsafeRawBufferPointer, tokenLimit: Int) throws(Refusal) {
        var scan = Prescan(text: text)
        while scan.at < text.count {
            scan.step()
            if scan.tokens > tokenLimit { throw .tokens }
            if scan.reread > rereadLimit { throw .operators }
        }
    }

    private init(text: UnsafeRawBufferPointer) { self.text = text }

    private func byte(_ offset: Int) -> UInt8 { at + offset < text.count ? text[at + offset] : 0 }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x80...0xff: true
        default: false
        }
    }

    private static func isOperator(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23, 0x25, 0x26, 0x2a, 0x2b, 0x2d, 0x2f, 0x3c...0x40, 0x5e, 0x60, 0x7c, 0x7e: true
        default: false
        }
    }

    private mutating func step() {
        switch text[at] {
        case 0x20, 0x09...0x0d: at += 1
        case 0x27: quoted(0x27, escapes: false)
        case 0x22: quoted(0x22, escapes: false)
        case 0x24: dollar()
        case 0x2d where byte(1) == 0x2d: lineComment()
        case 0x2f where byte(1) == 0x2a: blockComment()
        case let first where Self.isOperator(first): operators()
        case let first where Self.isWord(first): word()
        default:
            at += 1
            tokens += 1
        }
    }

    private mutating func word() {
        let start = at
        while at < text.count, Self.isWord(text[at]) || text[at] == 0x24 { at += 1 }
        tokens += 1
        if at - start == 1, text[start] | 0x20 == 0x65, byte(0) == 0x27 { quoted(0x27, escapes: true) }
    }

    private mutating func quoted(_ quote: UInt8, escapes: Bool) {
        tokens += 1
        at += 1
        while at < text.count {
            let current = text[at]
            at += 1
            if current == quote { return }  // A doubled quote begins another: one token more, which does no harm.
            if escapes, current == 0x5c { at += 1 }
        }
    }

    private mutating func dollar() {
        tokens += 1
        var end = at + 1
        while end < text.count, Self.isWord(text[end]) { end += 1 }
        guard end < text.count, text[end] == 0x24, !(0x30...0x39).contains(byte(1)) else {
            at = max(at + 1, end)  // A parameter, or a sign by itself.
            return
        }
        let tag = UnsafeRawBufferPointer(rebasing: text[at...end])
        at = end + 1
        while at < text.count {
            if text[at] == 0x24, at + tag.count <= text.count, text[at..<(at + tag.count)].elementsEqual(tag) {
                at += tag.count
                return
            }
            at += 1
        }
    }

    private mutating func lineComment() {
        tokens += 1
        while at < text.count, text[at] != 0x0a, text[at] != 0x0d { at += 1 }
    }

    private mutating func blockComment() {
        tokens += 1
        var depth = 0
        while at < text.count {
            if text[at] == 0x2f, byte(1) == 0x2a {
                depth += 1
                noteRun()
                at += 2
            } else if text[at] == 0x2a, byte(1) == 0x2f {
                depth -= 1
                at += 2
                if depth == 0 { return }
            } else {
                at += 1
            }
        }
    }

    private mutating func operators() {
        tokens += 1
        // Read again from here where what follows is stripped: a sign after a sign, or a comment.
        if text[at] == 0x2b || text[at] == 0x2d { noteRun() }
        at += 1
        while at < text.count, Self.isOperator(text[at]), text[at] != 0x2b, text[at] != 0x2d,
            !(text[at] == 0x2f && byte(1) == 0x2a)
        {
            at += 1
        }
    }

    private var runEnd = 0

    /// Counts what is left of the run of operator characters that stands here.
    private mutating func noteRun() {
        if runEnd <= at {
            runEnd = at
            while runEnd < text.count, Self.isOperator(text[runEnd]) { runEnd += 1 }
        }
        reread += runEnd - at
    }
}
