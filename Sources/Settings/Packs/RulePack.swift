/// A set of rules that comes with the program, as the text that a person would write for it. `use` puts one in force.
public struct RulePack: Sendable, Hashable {
    public let name: String
    /// One line.
    public let summary: String
    /// YAML: `rules`, as in a configuration.
    public let text: String

    public static let shipped = [destructiveSQL, unboundedWrites, privilegeChanges, serverFilesAndNetwork, bulkExport, secretsTables]

    public static func named(_ name: String) -> RulePack? { shipped.first { $0.name == name } }
}
