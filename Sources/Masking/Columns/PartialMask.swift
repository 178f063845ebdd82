/// A UTF-8 string of which only some characters (Unicode scalars) stay.
enum PartialMask {
    /// Longer domains are not shown.
    private static let longestDomain = 255

    /// At most four bytes longer than `value`.
    static func write(
        _ value: UnsafeRawBufferPointer, _ shape: PartialShape, padded: Bool, to output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let value = padded ? trimmed(value) : value
        let domain = shape.keepsDomain ? domain(of: value) : nil
        let local = domain.map { UnsafeRawBufferPointer(rebasing: value[..<(value.count - $0.count)]) } ?? value
        let (head, tail) = domain != nil && shape.first == nil && shape.last == nil ? (nothing, nothing) : shown(local, shape)
        guard head.count + 4 + tail.count + (domain?.count ?? 0) <= output.count else { return nil }
        var written = copy(head, to: output, at: 0)
        for _ in 0..<4 {
            output[written] = shape.character
            written += 1
        }
        written += copy(tail, to: output, at: written)
        if let domain { written += copy(domain, to: output, at: written) }
        return written
    }

    /// Without the spaces that character(n) is padded with.
    static func trimmed(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = value.count
        while end > 0, value[end - 1] == UInt8(ascii: " ") { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: value[..<end])
    }

    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    private static func copy(_ bytes: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer, at place: Int) -> Int {
        UnsafeMutableRawBufferPointer(rebasing: output[place...]).copyBytes(from: bytes)
        return bytes.count
    }

    /// From the last `@` on; nil where there is none, or what follows is no name of a host.
    private static func domain(of value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var start = value.count
        while start > 0, value.count - start <= longestDomain {
            start -= 1
            let byte = value[start]
            if byte == UInt8(ascii: "@") { return UnsafeRawBufferPointer(rebasing: value[start...]) }
            let isOfHost =
                (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "-")
            guard isOfHost else { return nil }
        }
        return nil
    }

    /// What stays at both ends: nothing where less than a third of the value would be hidden, nor of what is not UTF-8.
    private static func shown(
        _ value: UnsafeRawBufferPointer, _ shape: PartialShape
    ) -> (head: UnsafeRawBufferPointer, tail: UnsafeRawBufferPointer) {
        // A scalar takes at most four bytes, so that these are always enough of them to be sure.
        let enough = (shape.first ?? 0) + (shape.last ?? 4)
        let characters = value.count >= enough * 12 ? enough * 3 : value.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
        var (first, last) = (shape.first ?? 0, shape.last ?? 0)
        if shape.first == nil, shape.last == nil {
            last = min(4, characters / 3)
        } else if (first + last) * 3 > characters * 2 {
            (first, last) = (0, 0)
        }
        guard let tail = end(of: value, last), let head = beginning(of: value, first) else { return (nothing, nothing) }
        return (head, tail)
    }

    private static func end(of value: UnsafeRawBufferPointer, _ wanted: Int) -> UnsafeRawBufferPointer? {
        var start = value.count
        for _ in 0..<wanted {
            var step = 0
            repeat {
                guard start > 0, step < 4 else { return nil }
                start -= 1
                step += 1
            } while value[start] & 0xC0 == 0x80
        }
        return valid(UnsafeRawBufferPointer(rebasing: value[start...]))
    }

    private static func beginning(of value: UnsafeRawBufferPointer, _ wanted: Int) -> UnsafeRawBufferPointer? {
        var end = 0
        for _ in 0..<wanted {
            guard end < value.count else { return nil }
            end += 1
            while end < value.count, value[end] & 0xC0 == 0x80 { end += 1 }
        }
        return valid(UnsafeRawBufferPointer(rebasing: value[..<end]))
    }

    private static func valid(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        bytes.isEmpty || String(validating: bytes, as: UTF8.self) != nil ? bytes : nil
    }
}
