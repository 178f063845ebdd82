import NIOCore
import Recording

/// Where the client's next message began in what it sent. That is not where it is in the recording, once something there stands for
/// what it said (docs/recording-format.md, "Substitutions").
struct ClientPlace {
    private struct Region {
        /// Its first byte in the recorded stream.
        var start: UInt64
        var recorded: UInt64
        var seen: UInt64
    }

    /// In the client's own stream.
    private(set) var offset: UInt64 = 0
    /// In the recorded one.
    private var place: UInt64 = 0
    private var recorded: UInt64 = 0
    private var regions = CircularBuffer<Region>()

    /// What comes next in the recorded stream stands for something.
    mutating func substitute(_ substitution: Substitution) {
        regions.append(Region(start: recorded, recorded: substitution.recordedBytes, seen: substitution.seenBytes))
    }

    /// More of the recorded stream is there.
    mutating func add(_ count: Int) { recorded &+= UInt64(count) }

    /// Whether the message that begins here stands for another.
    mutating func isReplaced() -> Bool {
        while let first = regions.first, first.start <= place, first.recorded == 0 {
            offset &+= first.seen
            regions.removeFirst()
        }
        return regions.first.map { $0.start <= place } ?? false
    }

    /// The message that begins here was read.
    mutating func pass(_ length: Int) {
        let isReplaced = isReplaced()
        place &+= UInt64(length)
        guard isReplaced, let first = regions.first else {
            offset &+= UInt64(length)
            return
        }
        guard place >= first.start &+ first.recorded else { return }
        offset &+= first.seen
        regions.removeFirst()
    }
}
