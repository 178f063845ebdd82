/// What a detector found.
public struct Finding: Sendable, Hashable {
    /// Of the bytes that were searched.
    public var range: Range<Int>
    /// The detector's place in the set.
    public var detector: Int
    /// 0 to 1.
    public var confidence: Double
}

/// Detectors that search together. Made once, used from any thread.
///
/// Text is searched in windows, so that the time is linear in its length whatever stands in it: in each, one pass of all filters
/// says which detectors need to look, and each of these looks at that window alone. Text in which nothing is found costs that
/// one pass, and no memory.
public final class DetectorSet: Sendable {
    /// A set fits into a `Hints`.
    public static let mostDetectors = 64
    /// The least confidence that is reported, where nothing else is said.
    public static let defaultConfidence = 0.5

    /// What the filters look at in one go.
    static let windowBytes = 16_384
    /// What filters and short locators match at most; windows look so far into the next.
    static let overlapBytes = 2_048
    /// What any locator matches at most.
    static let longestMatch = 16_384
    /// What stands before a window and is looked at for the place's surroundings.
    static let contextBytes = 64
    /// Places looked at in one window. Where there are more, the rest of the window is taken for a finding.
    private static let placesPerWindow = 4_096
    /// How far words nearby are looked for, before and behind.
    private static let nearbyBytes = (before: 56, behind: 24)

    public let detectors: [Detector]
    private let minimums: [Double]
    private let filter: Filter
    /// The detector of each filter.
    private let owners: [Int]
    private let locators: [Locator]
    private let words: [NearbyWords]
    /// The detectors that each detector yields to.
    private let betters: [UInt64]

    /// - Parameter minimums: The least confidence of each detector's findings that are reported.
    /// - Throws: Where there are too many, or all of them together are too large for the automaton.
    public init(_ detectors: [Detector], minimums: [Double]? = nil) throws(DetectorError) {
        guard detectors.count <= Self.mostDetectors else {
            throw DetectorError(
                detector: nil, reason: "there are \(detectors.count) detectors; at most \(Self.mostDetectors) work together")
        }
        self.detectors = detectors
        self.minimums = minimums?.count == detectors.count ? minimums ?? [] : detectors.map { _ in Self.defaultConfidence }
        filter = try Filter(detectors.flatMap(\.filters))
        owners = detectors.enumerated().flatMap { index, detector in detector.filters.map { _ in index } }
        var locators: [Locator] = []
        for detector in detectors {
            do { locators.append(try Locator(detector.locator)) } catch { throw DetectorError(detector: detector.id, reason: error.reason) }
        }
        self.locators = locators
        betters = detectors.map { detector in
            detectors.enumerated().reduce(0) { bits, other in
                detector.yields.contains(other.element.id) ? bits | 1 << UInt64(other.offset) : bits
            }
        }
        words = detectors.map { NearbyWords(keywords: $0.keywords, contraries: $0.contraries) }
    }

    /// Detectors that a name beside the text (a column's, a JSON key) speaks for.
    public struct Hints: Sendable, Hashable {
        var bits: UInt64 = 0
        public static let none = Hints()
    }

    public func hints(from name: String) -> Hints {
        let bytes = Array(name.utf8)
        return bytes.withUnsafeBytes { bytes in
            var hints = Hints()
            for (index, words) in words.enumerated() where words.keyword(in: bytes) { hints.bits |= 1 << UInt64(index) }
            return hints
        }
    }

    /// False: no detector finds anything in the bytes. One pass, and no memory is taken. For data whose pieces are put together
    /// with a newline between them as well.
    public func mayHold(_ bytes: UnsafeRawBufferPointer) -> Bool {
        !bytes.isEmpty && filter.matches(bytes)
    }

    public func mayHold(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { mayHold($0) }
    }

    /// Tells `found` what is in the bytes, in their order and without overlap: of findings that overlap, one that spans all of
    /// them, of the surest detector.
    ///
    /// - Parameter bytes: UTF-8 or anything else.
    public func scan(_ bytes: UnsafeRawBufferPointer, hints: Hints = .none, _ found: (Finding) -> Void) {
        var last: Finding?
        var start = 0
        while start < bytes.count {
            let end = min(start + Self.windowBytes, bytes.count)
            let seen = UnsafeRawBufferPointer(rebasing: bytes[start..<min(end + Self.overlapBytes, bytes.count)])
            if filter.matches(seen) {
                var findings = findings(in: bytes, window: start..<end, seen: seen, hints: hints)
                findings.sort { $0.range.lowerBound < $1.range.lowerBound }
                for finding in findings {
                    guard let earlier = last, earlier.range.upperBound > finding.range.lowerBound else {
                        if let last { found(last) }
                        last = finding
                        continue
                    }
                    last = Self.merged(earlier, finding)
                }
            }
            start = end
        }
        if let last { found(last) }
    }

    /// All findings at once; for texts of moderate size.
    public func findings(in bytes: UnsafeRawBufferPointer, hints: Hints = .none) -> [Finding] {
        var all: [Finding] = []
        scan(bytes, hints: hints) { all.append($0) }
        return all
    }

    /// - Parameter ranges: in their order; those of one detector do not overlap.
    private static func overlaps(_ range: Range<Int>, one ranges: [Range<Int>]) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound < range.upperBound
    }

    private static func merged(_ one: Finding, _ other: Finding) -> Finding {
        let otherWins =
            other.confidence > one.confidence || (other.confidence == one.confidence && other.range.count > one.range.count)
        var merged = otherWins ? other : one
        merged.range = one.range.lowerBound..<max(one.range.upperBound, other.range.upperBound)
        return merged
    }

    private func findings(in bytes: UnsafeRawBufferPointer, window: Range<Int>, seen: UnsafeRawBufferPointer, hints: Hints) -> [Finding] {
        var findings: [Finding] = []
        let wanted = wanted(seen)
        for index in detectors.indices where wanted & (1 << UInt64(index)) != 0 {
            locate(index, in: bytes, window: window, hinted: hints.bits & (1 << UInt64(index)) != 0, into: &findings)
        }
        let found = findings.reduce(0) { bits, finding in bits | UInt64(1) << UInt64(finding.detector) }
        for index in detectors.indices where found & (1 << UInt64(index)) != 0 && betters[index] & found != 0 {
            let better = findings.filter { betters[index] & (1 << UInt64($0.detector)) != 0 }.map(\.range)
                .sorted { $0.lowerBound < $1.lowerBound }
            findings.removeAll { $0.detector == index && Self.overlaps($0.range, one: better) }
        }
        return findings
    }

    /// The detectors with a filter that matches.
    private func wanted(_ seen: UnsafeRawBufferPointer) -> UInt64 {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: owners.count) { room in
            guard let count = filter.which(seen, into: room) else { return .max }
            return room[..<count].reduce(0) { bits, number in
                owners.indices.contains(Int(number)) ? bits | 1 << UInt64(owners[Int(number)]) : bits
            }
        }
    }

    private func locate(_ index: Int, in bytes: UnsafeRawBufferPointer, window: Range<Int>, hinted: Bool, into findings: inout [Finding]) {
        let detector = detectors[index]
        let front = max(0, window.lowerBound - Self.contextBytes)
        let back = min(bytes.count, window.upperBound + detector.longest)
        let text = UnsafeRawBufferPointer(rebasing: bytes[front..<back])
        var from = window.lowerBound - front
        let stop = window.upperBound - front
        var places = 0
        while from < stop {
            guard places < Self.placesPerWindow else { break }
            places += 1
            switch locators[index].find(in: text, from: from, cutFront: front > 0, cutBack: back < bytes.count) {
            case .nowhere: return
            case .unknown: places = Self.placesPerWindow
            case .at(let whole, let place):
                guard whole.lowerBound < stop else { return }
                switch confirm(index, text, place, hinted: hinted) {
                case .finding(let range, let confidence):
                    findings.append(
                        Finding(range: (range.lowerBound + front)..<(range.upperBound + front), detector: index, confidence: confidence))
                    from = max(whole.lowerBound + 1, min(whole.upperBound, range.upperBound))
                case .unlikely:
                    from = whole.upperBound
                case .none:
                    // It may hide one that begins inside of it.
                    from = whole.count <= Self.contextBytes ? whole.lowerBound + 1 : whole.upperBound
                }
            }
        }
        // It cannot be told what the rest holds, so it is not shown.
        if from < stop { findings.append(Finding(range: (from + front)..<window.upperBound, detector: index, confidence: 1)) }
    }

    private enum Place {
        case finding(Range<Int>, Double)
        /// One that is not certain enough.
        case unlikely
        case none
    }

    private func confirm(_ index: Int, _ text: UnsafeRawBufferPointer, _ place: Range<Int>, hinted: Bool) -> Place {
        let detector = detectors[index]
        let bytes = UnsafeRawBufferPointer(rebasing: text[place])
        guard let confirmed = detector.check.confirm(bytes), confirmed.count > 0, confirmed.count <= bytes.count else { return .none }
        let range = place.lowerBound..<(place.lowerBound + confirmed.count)
        if !detector.allowed.isEmpty, detector.allowed.contains(Array(text[range])) { return .unlikely }
        let before = UnsafeRawBufferPointer(rebasing: text[max(0, range.lowerBound - Self.nearbyBytes.before)..<range.lowerBound])
        let behind = UnsafeRawBufferPointer(rebasing: text[range.upperBound..<min(text.count, range.upperBound + Self.nearbyBytes.behind)])
        var confidence = confirmed.confidence
        if hinted || words[index].keyword(in: before) || words[index].keyword(in: behind) {
            confidence = max(confidence, detector.raised)
        } else if words[index].contrary(in: before) {
            confidence = min(confidence, detector.lowered)
        }
        return confidence >= minimums[index] ? .finding(range, confidence) : .unlikely
    }
}

/// Words that stand near a finding, found without regard to case. A letter may not stand before one, unless the word begins in
/// upper case as in `homePhone`.
struct NearbyWords: Sendable {
    private let keywords: [[UInt8]]
    private let contraries: [[UInt8]]

    init(keywords: [String], contraries: [String]) {
        self.keywords = keywords.map { Array($0.utf8) }
        self.contraries = contraries.map { Array($0.utf8) }
    }

    func keyword(in bytes: UnsafeRawBufferPointer) -> Bool { keywords.contains { Self.stands($0, in: bytes) } }
    func contrary(in bytes: UnsafeRawBufferPointer) -> Bool { contraries.contains { Self.stands($0, in: bytes) } }

    private static func stands(_ word: [UInt8], in bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = word.first, bytes.count >= word.count else { return false }
        for start in 0...(bytes.count - word.count) where lower(bytes[start]) == first {
            if start > 0, Checks.isLetter(bytes[start - 1]), !(bytes[start] & 0x20 == 0 && bytes[start - 1] & 0x20 != 0) { continue }
            // Short words end where they end: `pan` is not in `panel`.
            let end = start + word.count
            if word.count <= 4, end < bytes.count, Checks.isLetter(bytes[end]), bytes[end] & 0x20 != 0 { continue }
            if word.indices.allSatisfy({ lower(bytes[start + $0]) == word[$0] }) { return true }
        }
        return false
    }

    private static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
