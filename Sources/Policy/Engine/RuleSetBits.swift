/// A set of rules by their number in the order in which they are asked.
struct RuleSetBits: Sendable, Hashable {
    private var words: [UInt64]

    init(count: Int) {
        words = Array(repeating: 0, count: (count + 63) / 64)
    }

    mutating func insert(_ number: Int) {
        words[number >> 6] |= 1 << UInt64(number & 63)
    }

    mutating func formUnion(_ other: RuleSetBits) {
        for index in words.indices where index < other.words.count { words[index] |= other.words[index] }
    }

    mutating func subtract(_ other: RuleSetBits) {
        for index in words.indices where index < other.words.count { words[index] &= ~other.words[index] }
    }

    func contains(_ number: Int) -> Bool {
        words[number >> 6] & 1 << UInt64(number & 63) != 0
    }

    /// Calls `body` with each number, the lowest first, until it says false.
    func forEach(_ body: (Int) -> Bool) {
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                guard body(index << 6 | rest.trailingZeroBitCount) else { return }
                rest &= rest - 1
            }
        }
    }
}
