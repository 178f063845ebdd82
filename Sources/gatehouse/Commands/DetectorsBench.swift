import ArgumentParser
import Foundation
import GatehouseCore
import Masking

extension DetectorsCommand {
    /// For scripts/bench: megabytes a second that all detectors look through, as rows of a table come.
    struct Bench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "bench", abstract: "Measure how fast text is looked through.", shouldDisplay: false)

        @Option(help: "Megabytes of rows.")
        var megabytes = 64
        @Option(help: "One row in so many holds something.")
        var every = 100

        func validate() throws {
            guard (1...1_024).contains(megabytes), (1...1_000_000).contains(every) else {
                throw ValidationError("--megabytes and --every must be positive, and not absurd")
            }
        }

        func run() throws {
            let redactor = try Redactor(Detector.builtIn.map { Redactor.Choice(detector: $0) })
            let rows = Self.rows(bytes: 4 * 1_048_576, every: every)
            let size = rows.reduce(0) { $0 + $1.count }
            let rounds = max(1, megabytes * 1_000_000 / size)
            var found = 0
            // Once for the automaton's states.
            pass(rows, redactor, &found)
            found = 0
            let clock = SystemClock()
            let started = clock.monotonicNanoseconds()
            for _ in 0..<rounds { pass(rows, redactor, &found) }
            let seconds = Double(clock.monotonicNanoseconds() - started) / 1e9
            print(String(format: "%.1f", Double(size * rounds) / 1e6 / seconds))
            printNote(
                "# \(Detector.builtIn.count) detectors, rows of \(size / rows.count) bytes, something in one of \(every), \(found) rows changed"
            )
        }

        /// As the relay does: rows gathered for one look, and looked at one by one where something is in them.
        private func pass(_ rows: [[UInt8]], _ redactor: Redactor, _ found: inout Int) {
            var text: [UInt8] = []
            var start = 0
            while start < rows.count {
                var end = start
                text.removeAll(keepingCapacity: true)
                while end < rows.count, text.count < 4_096 {
                    text.append(contentsOf: rows[end])
                    text.append(0x0A)
                    end += 1
                }
                if redactor.set.mayHold(text) {
                    for row in rows[start..<end] where redactor.set.mayHold(row) {
                        var clean: [UInt8] = []
                        if row.withUnsafeBytes({ redactor.redact($0, as: .text, into: &clean) }) != .clean { found += 1 }
                    }
                }
                start = end
            }
        }

        /// Text of about 160 bytes a row: words, numbers, times, identifiers; an address in one of `every`.
        private static func rows(bytes: Int, every: Int) -> [[UInt8]] {
            let words = [
                "the", "order", "was", "shipped", "to", "customer", "and", "then", "returned", "with", "note", "about", "quality", "price",
            ]
            var seed: UInt64 = 20_261_126
            func next(_ limit: Int) -> Int {
                // Knuth's linear congruential generator: the same rows in every run.
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(seed >> 33) % limit
            }
            var rows: [[UInt8]] = []
            var size = 0
            while size < bytes {
                var parts: [String] = []
                for _ in 0..<(16 + next(16)) {
                    switch next(20) {
                    case 0: parts.append(String(next(1_000_000_000)))
                    case 1: parts.append("2026-0\(1 + next(9))-1\(next(10)) 1\(next(10)):3\(next(10)):0\(next(10))")
                    case 2: parts.append(String(next(1 << 30), radix: 16) + "-" + String(next(1 << 16), radix: 16))
                    default: parts.append(words[next(words.count)])
                    }
                }
                if rows.count % every == every - 1 { parts.append("user\(next(1_000))@example.com") }
                let row = Array(parts.joined(separator: " ").utf8)
                size += row.count
                rows.append(row)
            }
            return rows
        }
    }
}
