import Crypto
import Foundation

/// The whole policy, as the configuration says it. A value: the engine made from it never changes.
public struct PolicyDocument: Sendable, Hashable {
    public let access: [AccessRule]
    public let rules: [Rule]
    public let masks: [MaskRule]
    /// What no rule decides, by target name; a target that is not here denies.
    public let defaultDecisions: [String: Rule.Effect]
    /// What a target never lets through, by its name; a target that is not here leaves all to the rules.
    public let targetOptions: [String: TargetOptions]
    public let budgets: [Budget]
    /// What is looked for in text, and the detectors of the configuration's own.
    public let detect: [DetectRule]
    public let detectors: [DetectorDefinition]
    /// The first 16 hexadecimal digits of the SHA-256 of the content (its JSON with sorted keys). Equal for equal policies,
    /// whatever lines of whatever file they came from.
    public let version: String

    public init(
        access: [AccessRule] = [], rules: [Rule] = [], masks: [MaskRule] = [], defaultDecisions: [String: Rule.Effect] = [:],
        targetOptions: [String: TargetOptions] = [:], budgets: [Budget] = [], detect: [DetectRule] = [],
        detectors: [DetectorDefinition] = []
    ) {
        self.detect = detect
        self.detectors = detectors
        self.budgets = budgets
        self.access = access
        self.rules = rules
        self.masks = masks
        self.defaultDecisions = defaultDecisions
        self.targetOptions = targetOptions
        version = Self.version(
            of: Content(
                access: access, rules: rules, masks: masks, defaults: defaultDecisions,
                targets: targetOptions.isEmpty ? nil : targetOptions,
                budgets: budgets.isEmpty ? nil : budgets, detect: detect.isEmpty ? nil : detect,
                detectors: detectors.isEmpty ? nil : detectors))
    }

    private struct Content: Encodable {
        var access: [AccessRule]
        var rules: [Rule]
        var masks: [MaskRule]
        var defaults: [String: Rule.Effect]
        /// Left out where there are none, so that policies without them keep their version.
        var targets: [String: TargetOptions]?
        var budgets: [Budget]?
        var detect: [DetectRule]?
        var detectors: [DetectorDefinition]?
    }

    private static func version(of content: Content) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings, numbers, arrays and dictionaries of strings: there is nothing here that JSON cannot hold. Were there ever,
        // a version that says so is better than a gateway that stops.
        guard let bytes = try? encoder.encode(content) else { return "unversioned" }
        return SHA256.hash(data: bytes).prefix(8).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 0xF, radix: 16)
        }.joined()
    }
}
