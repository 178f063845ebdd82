/// One relation of a target, as its catalog knows it.
public struct Relation: Sendable, Hashable, Codable {
    public var schema: String
    public var name: String

    public init(schema: String, name: String) {
        self.schema = schema
        self.name = name
    }
}

/// Answers, for policy and masking, what a name in a statement can reach.
public protocol NameResolver: Sendable {
    /// All relations that `name` can touch: the relation itself (every candidate, where the search path is not known),
    /// its partitions and inheritance parents and children, and for a view what lies under it, to the bottom.
    /// nil when it cannot be known (the catalog could not be read): callers must then assume anything.
    func relations(reachedBy name: QualifiedName) -> Set<Relation>?
}
