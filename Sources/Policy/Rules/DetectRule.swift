import GatehouseCore

/// What is looked for in the text that a caller gets from a target, wherever it stands, and what is put in its place.
public struct DetectRule: Sendable, Hashable, Codable {
    public enum Strategy: String, Sendable, Hashable, Codable, CaseIterable {
        /// `[email]`: what was there.
        case redact
        /// The end of it stays.
        case partial
        /// A keyed hash: equal findings stay equal.
        case hash
    }

    public var id: String
    /// Ids of detectors, as globs; none: all that come with the program, and all of the configuration.
    public var detectors: [Glob]
    /// 0 to 1: what is less certain stays.
    public var minimumConfidence: Double
    public var strategy: Strategy
    /// Who gets clear text; nil: nobody.
    public var except: Who?
    public var place: Where
    /// The line of the configuration, for messages. Not part of the policy's version.
    public var sourceLine: Int?

    public init(
        id: String, detectors: [Glob] = [], minimumConfidence: Double = 0.5, strategy: Strategy = .redact, except: Who? = nil,
        where place: Where = Where(), sourceLine: Int? = nil
    ) {
        self.id = id
        self.detectors = detectors
        self.minimumConfidence = minimumConfidence
        self.strategy = strategy
        self.except = except
        self.place = place
        self.sourceLine = sourceLine
    }

    private enum CodingKeys: String, CodingKey {
        case id, detectors, minimumConfidence, strategy, except
        case place = "where"
    }

    func applies(to principal: Principal, at target: Target) -> Bool {
        place.matches(target) && !(except?.matches(principal) ?? false)
    }
}

/// A detector of the configuration's own. What its parts mean is told in docs/detectors.md.
public struct DetectorDefinition: Sendable, Hashable, Codable {
    public var id: String
    public var pattern: String
    public var checksum: String
    public var keywords: [String]
    public var allow: [String]
    public var confidence: Double

    public init(id: String, pattern: String, checksum: String, keywords: [String], allow: [String], confidence: Double) {
        self.id = id
        self.pattern = pattern
        self.checksum = checksum
        self.keywords = keywords
        self.allow = allow
        self.confidence = confidence
    }
}

/// What is looked for in one session.
public struct Detection: Sendable, Hashable {
    /// In the file's order: of those that name a detector the first decides.
    public var rules: [DetectRule]
    public var definitions: [DetectorDefinition]
}
