/// The name of a journal file: `<loop>-<counter>.gj`, the counter in twelve digits.
struct JournalFileName: Hashable, Comparable, CustomStringConvertible {
    var loop: Int
    var counter: UInt64

    init(loop: Int, counter: UInt64) {
        self.loop = loop
        self.counter = counter
    }

    init?(_ text: String) {
        guard text.hasSuffix(".gj") else { return nil }
        let parts = text.dropLast(3).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let loop = Int(parts[0]), loop >= 0, let counter = UInt64(parts[1]) else { return nil }
        self.init(loop: loop, counter: counter)
        guard description == text else { return nil }
    }

    var description: String {
        let digits = String(counter)
        return "\(loop)-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits + ".gj"
    }

    /// In the order in which a session's frames can be in them.
    static func < (left: Self, right: Self) -> Bool { (left.counter, left.loop) < (right.counter, right.loop) }
}

/// What the first frame of a journal file says (payload: the salt as u32, then this as JSON).
struct JournalFileHeader: Hashable, Codable {
    /// Version of the journal format.
    var format: Int
    var node: String
    var loop: Int
    var counter: UInt64
    /// A random name of the process run that wrote it.
    var boot: String
}
