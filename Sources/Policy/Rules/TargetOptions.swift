/// What one target never lets through, whatever the rules say.
public struct TargetOptions: Sendable, Hashable, Codable {
    public enum Opaque: String, Sendable, Hashable, Codable, CaseIterable {
        /// Code that is not seen does not run.
        case deny
        /// The rules decide.
        case rules
    }

    public var opaque: Opaque
    /// Where a function of unknown working is called, every function that is called must be one of these; nil: the rules
    /// decide.
    public var functions: [NamePattern]?

    public init(opaque: Opaque = .rules, functions: [NamePattern]? = nil) {
        self.opaque = opaque
        self.functions = functions
    }
}
