import CScan

/// All filters as one automaton.
final class Filter: Sendable {
    /// RE2's own budget for the automaton's states. It drops them and begins anew when they do not fit, which costs time only.
    private static let memory: Int64 = 32 * 1_048_576

    nonisolated(unsafe) private let set: OpaquePointer

    init(_ patterns: [String]) throws(DetectorError) {
        var error = [CChar](repeating: 0, count: 256)
        let texts = patterns.map { Array($0.utf8CString) }
        let made = withPointers(texts) { pointers in
            gatehouse_set_new(pointers, texts.map { $0.count - 1 }, texts.count, Self.memory, &error, error.count)
        }
        guard let made else { throw DetectorError(detector: nil, reason: Engine.text(error)) }
        set = made
    }

    deinit { gatehouse_set_free(set) }

    /// Whether any pattern is in the bytes. Where it cannot be told, as though one were.
    func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        gatehouse_set_any(set, bytes.baseAddress, bytes.count) != 0
    }

    /// The numbers of the patterns in the bytes; nil: it cannot be told.
    func which(_ bytes: UnsafeRawBufferPointer, into room: UnsafeMutableBufferPointer<Int32>) -> Int? {
        let count = gatehouse_set_which(set, bytes.baseAddress, bytes.count, room.baseAddress, room.count)
        return count < 0 ? nil : Int(count)
    }
}

/// Says where a pattern is.
final class Locator: Sendable {
    /// Backtracking at one place. Patterns of ours need some hundreds.
    private static let matchLimit: UInt32 = 20_000

    enum Found {
        case at(whole: Range<Int>, finding: Range<Int>)
        case nowhere
        /// The limit was reached: nothing is known of the rest.
        case unknown
    }

    nonisolated(unsafe) private let pattern: OpaquePointer

    init(_ text: String) throws(DetectorError) {
        var error = [CChar](repeating: 0, count: 256)
        guard let made = gatehouse_pattern_new(text, text.utf8.count, Self.matchLimit, &error, error.count) else {
            throw DetectorError(detector: nil, reason: Engine.text(error))
        }
        pattern = made
    }

    deinit { gatehouse_pattern_free(pattern) }

    func find(in bytes: UnsafeRawBufferPointer, from start: Int, cutFront: Bool, cutBack: Bool) -> Found {
        var places: (Int, Int, Int, Int) = (0, 0, 0, 0)
        let found = withUnsafeMutableBytes(of: &places) { room in
            gatehouse_pattern_find(
                pattern, bytes.baseAddress, bytes.count, start, cutFront ? 1 : 0, cutBack ? 1 : 0,
                room.assumingMemoryBound(to: Int.self).baseAddress)
        }
        switch found {
        case 1: return .at(whole: places.0..<places.1, finding: places.2..<places.3)
        case 0: return .nowhere
        default: return .unknown
        }
    }
}

enum Engine {
    /// Why RE2 cannot use the pattern; nil: it can.
    static func whyNotLinear(_ pattern: String, memory: Int) -> String? {
        var error = [CChar](repeating: 0, count: 256)
        return gatehouse_pattern_is_linear(pattern, pattern.utf8.count, Int64(memory), &error, error.count) == 1 ? nil : text(error)
    }

    static func text(_ error: [CChar]) -> String {
        String(decoding: error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Pointers to all of `texts` at once.
private func withPointers<Result>(_ texts: [[CChar]], _ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
    // One buffer, so that no pointer outlives what it points to.
    let all = texts.flatMap { $0 }
    return all.withUnsafeBufferPointer { buffer in
        var pointers: [UnsafePointer<CChar>?] = []
        var place = 0
        for text in texts {
            pointers.append(buffer.baseAddress.map { $0 + place })
            place += text.count
        }
        return body(pointers)
    }
}
