/// Texts of which it is known what a detector should find in them (Tests/Detectors/README.md tells of the format).
public struct DetectorCorpus: Sendable {
    public struct Line: Sendable, Hashable {
        public var number: Int
        public var text: [UInt8]
        /// What must be found.
        public var wanted: [Range<Int>]
    }

    /// Tells what is wrong with a file: the line, and why.
    public struct Malformed: Error, Sendable, Hashable {
        public let line: Int
        public let reason: String
    }

    public let positive: [Line]
    public let negative: [Line]

    public init(positive: String, negative: String) throws(Malformed) {
        self.positive = try Self.lines(positive)
        self.negative = try Self.lines(negative)
        if let line = self.positive.first(where: { $0.wanted.isEmpty }) {
            throw Malformed(line: line.number, reason: "nothing is marked as what must be found")
        }
        if let line = self.negative.first(where: { !$0.wanted.isEmpty }) {
            throw Malformed(line: line.number, reason: "something is marked as what must be found")
        }
    }

    private static func lines(_ text: String) throws(Malformed) -> [Line] {
        var lines: [Line] = []
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() where !raw.isEmpty {
            lines.append(try line(raw, number: index + 1))
        }
        return lines
    }

    private static func line(_ raw: Substring, number: Int) throws(Malformed) -> Line {
        var line = Line(number: number, text: [], wanted: [])
        var open: Int?
        var isEscaped = false
        for scalar in raw.unicodeScalars {
            if isEscaped {
                isEscaped = false
                switch scalar {
                case "n": line.text.append(0x0A)
                case "t": line.text.append(0x09)
                default: line.text.append(contentsOf: Array(String(scalar).utf8))
                }
                continue
            }
            switch scalar {
            case "\\": isEscaped = true
            case "\u{2016}": break
            case "\u{27E6}": open = line.text.count
            case "\u{27E7}":
                guard let start = open else { throw Malformed(line: number, reason: "\u{27E7} closes nothing") }
                line.wanted.append(start..<line.text.count)
                open = nil
            default: line.text.append(contentsOf: Array(String(scalar).utf8))
            }
        }
        guard open == nil else { throw Malformed(line: number, reason: "\u{27E6} is not closed") }
        return line
    }
}

/// How a detector does on a corpus.
public struct DetectorScore: Sendable, Hashable {
    /// Findings that are exactly what was wanted.
    public var right = 0
    /// Findings of what is none, or of more or less than it.
    public var wrong = 0
    /// What was wanted and not found.
    public var missed = 0
    /// Lines with something wrong or missed: which file, and its line.
    public var complaints: [Complaint] = []

    public struct Complaint: Sendable, Hashable {
        public var isPositive: Bool
        public var line: Int
        public var text: String
    }

    /// Of what was found how much is right; 1 where nothing was found.
    public var precision: Double { right + wrong == 0 ? 1 : Double(right) / Double(right + wrong) }
    /// Of what there is how much was found; 1 where there is nothing.
    public var recall: Double { right + missed == 0 ? 1 : Double(right) / Double(right + missed) }

    /// - Parameter set: `detector` alone, or with others whose findings do not count.
    public init(of detector: Int, in set: DetectorSet, on corpus: DetectorCorpus) {
        for (lines, isPositive) in [(corpus.positive, true), (corpus.negative, false)] {
            for line in lines {
                let found = Set(line.text.withUnsafeBytes { set.findings(in: $0) }.filter { $0.detector == detector }.map(\.range))
                let wanted = Set(line.wanted)
                right += found.intersection(wanted).count
                wrong += found.subtracting(wanted).count
                missed += wanted.subtracting(found).count
                if found != wanted {
                    complaints.append(
                        Complaint(isPositive: isPositive, line: line.number, text: String(decoding: line.text, as: UTF8.self)))
                }
            }
        }
    }
}
