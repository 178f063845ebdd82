/// Something that is found in text whatever column, field or stream it stands in: what it looks like, how it is confirmed, and
/// how sure that makes one.
///
/// Three steps, each over what the one before let through: a filter (RE2, over everything, all detectors at once), a locator
/// (PCRE2, says where), a check (in Swift, over the place alone).
public struct Detector: Sendable {
    /// How it is called in the configuration, in reports, and in what stands for a finding (`[email]`).
    public let id: String
    /// One line for people.
    public let summary: String
    /// RE2 patterns over bytes of which at least one is in every text that the locator finds something in. They look at nothing
    /// beside what they match (no `\b`), and match within `DetectorSet.overlapBytes`.
    let filters: [String]
    /// PCRE2 pattern over bytes. Its group 1, where it has one, is the finding.
    let locator: String
    let check: Check
    /// Words that make a finding more certain where one stands nearby, in lower case.
    let keywords: [String]
    /// The least confidence of a confirmed finding with a keyword nearby.
    let raised: Double
    /// Words that make it less certain, unless a keyword stands nearby too.
    let contraries: [String]
    /// The most confidence of a finding with such a word nearby.
    let lowered: Double
    /// The most bytes that the locator matches.
    let longest: Int
    /// Which bytes may follow in a stream when a finding reaches the end of what may be held.
    let tail: Tail
    /// Texts that are no findings, whatever else holds.
    let allowed: Set<[UInt8]>
    /// Detectors that know better: a finding that overlaps one of theirs is none.
    let yields: Set<String>

    /// What may follow the beginning of a finding that is longer than what a stream holds.
    enum Tail: Sendable {
        case none
        /// The letters of tokens and base64.
        case token
        /// The same with white space, as in a PEM block.
        case block
    }

    init(
        id: String, summary: String, filters: [String], locator: String, check: Check, keywords: [String] = [], raised: Double = 0.95,
        contraries: [String] = [], lowered: Double = 0.3, longest: Int = DetectorSet.overlapBytes, tail: Tail = .none,
        allowed: Set<[UInt8]> = [], yields: Set<String> = []
    ) {
        self.id = id
        self.summary = summary
        self.filters = filters
        self.locator = locator
        self.check = check
        self.keywords = keywords
        self.raised = raised
        self.contraries = contraries
        self.lowered = lowered
        self.longest = longest
        self.tail = tail
        self.allowed = allowed
        self.yields = yields
    }

    /// How a place that the locator found is confirmed.
    struct Check: Sendable {
        /// nil: it is none. Else how sure one is without any word nearby, and how many of the bytes it takes.
        let confirm: @Sendable (UnsafeRawBufferPointer) -> Confirmed?

        init(_ confirm: @escaping @Sendable (UnsafeRawBufferPointer) -> Confirmed?) {
            self.confirm = confirm
        }

        /// The locator's word is enough.
        static func always(_ confidence: Double) -> Check {
            Check { Confirmed(confidence, $0.count) }
        }
    }

    struct Confirmed {
        let confidence: Double
        let count: Int

        init(_ confidence: Double, _ count: Int) {
            self.confidence = confidence
            self.count = count
        }
    }
}

/// A detector of an operator's own.
public struct CustomDetector: Sendable, Hashable {
    public enum Checksum: String, Sendable, Hashable, CaseIterable {
        case none
        /// The digits of the match end in a Luhn check digit (ISO/IEC 7812-1, annex B).
        case luhn
        /// The letters and digits of the match, first four moved behind, are 1 modulo 97 (ISO 13616, as in an IBAN).
        case mod97
    }

    public var id: String
    /// Read by both RE2 and PCRE2, over bytes. `^` and `$` are the ends of lines. Group 1, where it has one, is the finding.
    public var pattern: String
    public var checksum: Checksum
    public var keywords: [String]
    /// Texts that are no findings.
    public var allow: [String]
    /// 0 to 1, without a keyword nearby; with one, what remains to 1 is divided by four.
    public var confidence: Double

    public init(
        id: String, pattern: String, checksum: Checksum = .none, keywords: [String] = [], allow: [String] = [], confidence: Double = 0.75
    ) {
        self.id = id
        self.pattern = pattern
        self.checksum = checksum
        self.keywords = keywords
        self.allow = allow
        self.confidence = confidence
    }
}

/// A detector that cannot be used: which, why, and what to do.
public struct DetectorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// nil: all of them together.
    public let detector: String?
    public let reason: String

    public var description: String { detector.map { "detector \($0): \(reason)" } ?? reason }
}

extension Detector {
    /// A longer pattern is none that anybody can read.
    public static let longestPattern = 1_000
    /// What RE2 may take for one pattern of an operator's.
    static let patternMemory = 1_048_576

    /// - Throws: Where the pattern is not read by both engines, is too large, or matches the empty text.
    public init(_ custom: CustomDetector) throws(DetectorError) {
        func wrong(_ reason: String) -> DetectorError { DetectorError(detector: custom.id, reason: reason) }
        guard custom.pattern.utf8.count <= Self.longestPattern else {
            throw wrong("the pattern is longer than \(Self.longestPattern) bytes; make two detectors of it")
        }
        guard (0...1).contains(custom.confidence) else { throw wrong("the confidence must be 0 to 1") }
        for anchor in ["\\A", "\\z", "\\Z", "\\G", "\\C"] where custom.pattern.contains(anchor) {
            throw wrong("the pattern may not use \(anchor), since data is searched in pieces; ^ and $ are the ends of lines")
        }
        // (?m): the ends of lines, in RE2 as in PCRE2. Values are searched together, each in a line of its own.
        let filter = "(?m:" + custom.pattern + ")"
        if let reason = Engine.whyNotLinear(filter, memory: Self.patternMemory) { throw wrong("the pattern cannot be used: \(reason)") }
        do {
            _ = try Locator(custom.pattern)
        } catch {
            throw wrong("the pattern cannot be used: \(error.reason)")
        }
        self.init(
            id: custom.id, summary: "defined in the configuration", filters: [filter], locator: custom.pattern,
            check: Checks.custom(custom.checksum, confidence: custom.confidence),
            keywords: custom.keywords.map { $0.lowercased() }, raised: 1 - (1 - custom.confidence) / 4, tail: .token,
            allowed: Set(custom.allow.map { Array($0.utf8) }))
    }
}
