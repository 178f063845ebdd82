/// A pattern over one piece of text: `*` stands for any run of characters (also none), `?` for one character,
/// everything else for itself, case included. Compiled once, compared byte by byte.
///
/// There is no escape: a quoted part of a ``NamePattern`` stands for itself.
public struct Glob: Sendable, Hashable, Codable, ExpressibleByStringLiteral, CustomStringConvertible {
    private enum Shape: Sendable, Hashable {
        case anything
        case literal
        case prefix
        case suffix
        case general
    }

    /// The pattern as it was written.
    public let description: String
    /// Whether the pattern stands for exactly one text.
    public var isLiteral: Bool { shape == .literal }
    /// That text.
    var literal: String? { isLiteral ? description : nil }
    public var matchesAnything: Bool { shape == .anything }
    private let shape: Shape
    /// What is compared: the whole pattern, or for a prefix or suffix the part without its star.
    private let bytes: [UInt8]

    public init(_ pattern: String) {
        description = pattern
        let all = Array(pattern.utf8)
        let stars = all.count { $0 == star }
        let hasMark = all.contains(mark)
        if !all.isEmpty, stars == all.count {
            shape = .anything
            bytes = []
        } else if stars == 0, !hasMark {
            shape = .literal
            bytes = all
        } else if stars == 1, !hasMark, all.last == star {
            shape = .prefix
            bytes = Array(all.dropLast())
        } else if stars == 1, !hasMark, all.first == star {
            shape = .suffix
            bytes = Array(all.dropFirst())
        } else {
            shape = .general
            bytes = all
        }
    }

    /// A pattern that stands for `text` alone, whatever characters it holds.
    init(literal text: String) {
        description = text
        shape = .literal
        bytes = Array(text.utf8)
    }

    public init(stringLiteral value: String) {
        self.init(value)
    }

    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public func matches(_ text: String) -> Bool {
        if shape == .anything { return true }
        if let answer = text.utf8.withContiguousStorageIfAvailable({ matches($0) }) { return answer }
        return Array(text.utf8).withUnsafeBufferPointer { matches($0) }
    }

    private func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        switch shape {
        case .anything: true
        case .literal: text.count == bytes.count && equals(text, from: 0)
        case .prefix: text.count >= bytes.count && equals(text, from: 0)
        case .suffix: text.count >= bytes.count && equals(text, from: text.count - bytes.count)
        case .general: matchesGenerally(text)
        }
    }

    /// Whether `text` from `start` on begins with what is compared; it is long enough.
    private func equals(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Bool {
        for index in bytes.indices where text[start + index] != bytes[index] { return false }
        return true
    }

    /// Two cursors and one place to go back to: the last star. Time is at most pattern length times text length, whatever
    /// the text holds.
    private func matchesGenerally(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var at = 0
        var wanted = 0
        var back: (wanted: Int, at: Int)?
        while at < text.count {
            if wanted < bytes.count, bytes[wanted] == star {
                wanted += 1
                back = (wanted, at)
            } else if wanted < bytes.count, bytes[wanted] == mark {
                wanted += 1
                at = characterEnd(at, in: text)
            } else if wanted < bytes.count, bytes[wanted] == text[at] {
                wanted += 1
                at += 1
            } else if let last = back {
                wanted = last.wanted
                at = last.at + 1
                back = (wanted, at)
            } else {
                return false
            }
        }
        return bytes[wanted...].allSatisfy { $0 == star }
    }

    /// `?` takes a whole Unicode scalar: its first byte and the continuation bytes (10xxxxxx) behind it.
    private func characterEnd(_ start: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var end = start + 1
        while end < text.count, text[end] & 0b1100_0000 == 0b1000_0000 { end += 1 }
        return end
    }
}

private let star = UInt8(ascii: "*")
private let mark = UInt8(ascii: "?")
