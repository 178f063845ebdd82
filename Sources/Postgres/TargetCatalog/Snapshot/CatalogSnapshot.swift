public import GatehouseCore
import Masking

/// What a target's catalog said at one moment, for one database and one of the target's accounts. Immutable and cheap to share.
public struct CatalogSnapshot: Sendable {
    private let storage: Storage

    final class Storage: Sendable {
        let content: CatalogContent
        let byOID: [UInt32: Int]
        /// Indexes into `relations` of all that have the name, whatever their schema.
        let byName: [String: [Int]]
        let relations: [CatalogRelation]
        let userSchemas: [String]

        init(_ content: CatalogContent) {
            self.content = content
            relations = content.linkedRelations()
            byOID = Dictionary(relations.enumerated().map { ($1.oid, $0) }, uniquingKeysWith: { first, _ in first })
            byName = Dictionary(grouping: relations.indices, by: { [relations] in relations[$0].relation.name })
            userSchemas = Set(content.schemas.map(CatalogContent.publicName)).filter { !CatalogRelation.isSystem(schema: $0) }.sorted()
        }
    }

    init(_ content: CatalogContent) {
        storage = Storage(content)
    }

    /// Two snapshots with the same identity are the same one.
    public var identity: ObjectIdentifier { ObjectIdentifier(storage) }
    /// `server_version_num`, as 150004.
    public var serverVersion: Int { storage.content.serverVersion }
    /// The schemas that a fresh session of this account searches, in order, those that are searched without being named among
    /// them (`current_schemas(true)`).
    public var searchPath: [String] { storage.content.searchPath }
    /// The account that it was read as.
    public var user: String { storage.content.user }

    var relations: [CatalogRelation] { storage.relations }

    func relation(_ oid: UInt32) -> CatalogRelation? {
        storage.byOID[oid].map { storage.relations[$0] }
    }

    /// Which column a RowDescription's field comes from. nil when the snapshot does not know the table or the column (then the
    /// snapshot is too old, or the table was made in a transaction that has not ended), and for system columns and whole rows.
    public func columnOrigin(tableOID: UInt32, attnum: Int16) -> (relation: Relation, column: String)? {
        guard let relation = relation(tableOID), let column = relation.column(attnum) else { return nil }
        return (relation.relation, column.name)
    }

    /// The type whose text and binary form a value of type `oid` has: the base type of a domain, text for citext.
    func valueType(of oid: UInt32) -> UInt32 {
        var type = oid
        // A domain over a domain over ..: the server has no bound on it, we need one.
        for _ in 0..<16 {
            guard let base = storage.content.valueTypes[type] else { return type }
            type = base
        }
        return 0
    }

    /// What values of type `oid` are made of, for masking. What is not known, or too deep, is a scalar that no mask knows.
    func shape(of oid: UInt32) -> ValueShape {
        var parts = Self.maximumParts
        return shape(of: oid, depth: 0, parts: &parts)
    }

    /// Whoever may make types on the target could make one of a thousand columns, each of a thousand, each ..
    private static let maximumParts = 4_096

    private func shape(of oid: UInt32, depth: Int, parts: inout Int) -> ValueShape {
        let type = valueType(of: oid)
        parts -= 1
        guard depth < ValueShape.maximumDepth, parts >= 0 else { return .scalar(0) }
        switch storage.content.madeTypes[type] {
        case .array(let element): return .array(type: element, of: shape(of: element, depth: depth + 1, parts: &parts))
        case .composite(let fields):
            var made: [ValueShape.Field] = []
            for field in fields { made.append(ValueShape.Field(type: field, shape: shape(of: field, depth: depth + 1, parts: &parts))) }
            return .composite(made)
        case .range(let bound): return .range(of: shape(of: bound, depth: depth + 1, parts: &parts))
        case .multirange(let bound): return .multirange(of: shape(of: bound, depth: depth + 1, parts: &parts))
        case nil: return ValueShape(oid: type)
        }
    }

    // MARK: Names

    /// The relations that `name` may be, as the server would look it up with `searchPath`.
    ///
    /// - Parameter searchPath: the session's path, with or without the schemas that are searched unnamed; nil when it is not
    ///   known (also after SET ROLE, which changes the schemas that may be used), and then all schemas are candidates.
    func candidates(for name: QualifiedName, searchPath: [String]?) -> [CatalogRelation] {
        let named = (storage.byName[name.name] ?? []).map { storage.relations[$0] }
        if let schema = name.schema {
            let wanted = CatalogContent.publicName(schema)
            return named.filter { $0.relation.schema == wanted }
        }
        guard let searchPath else { return named }
        // Temporary tables come first, and which of them are this session's cannot be told: all of them, and what comes next.
        let temporary = named.filter { $0.relation.schema == CatalogContent.temporarySchema }
        var found = temporary
        for schema in effectivePath(searchPath) {
            let here = named.filter { $0.relation.schema == schema }
            found += here
            // The server passes over schemas that the account may not use, so what comes next counts too.
            if !here.isEmpty, storage.content.usableSchemas.contains(schema) { break }
        }
        return found
    }

    /// `pg_catalog` comes first where the path does not name it (PostgreSQL manual, `search_path`).
    private func effectivePath(_ path: [String]) -> [String] {
        let named = path.map { $0 == "$user" ? user : CatalogContent.publicName($0) }.filter { $0 != CatalogContent.temporarySchema }
        return named.contains("pg_catalog") ? named : ["pg_catalog"] + named
    }

    /// All relations that `name` can touch: itself (every candidate), its inheritance parents and children and partitions, and
    /// what lies under views and rules, to the bottom. A name that the snapshot does not know is itself in every schema where
    /// it may be. Never empty.
    public func relations(reachedBy name: QualifiedName, searchPath: [String]?) -> Set<Relation> {
        let start = candidates(for: name, searchPath: searchPath)
        guard start.isEmpty else { return Set(closure(of: start).map(\.relation)) }
        if let schema = name.schema { return [Relation(schema: CatalogContent.publicName(schema), name: name.name)] }
        let schemas = searchPath.map(effectivePath) ?? storage.userSchemas + ["pg_catalog", "information_schema"]
        return Set((schemas + [CatalogContent.temporarySchema]).map { Relation(schema: $0, name: name.name) })
    }

    /// `start` and everything that can be reached from it.
    func closure(of start: [CatalogRelation]) -> [CatalogRelation] {
        var seen = Set(start.map(\.oid))
        var reached = start
        var index = 0
        while index < reached.count {
            let relation = reached[index]
            index += 1
            for oid in relation.parents + relation.children + relation.dependencies where seen.insert(oid).inserted {
                if let next = self.relation(oid) { reached.append(next) }
            }
        }
        return reached
    }

    /// Looks names up for policy as a session with this path would; nil when the path is not known.
    public func resolver(searchPath: [String]?) -> any NameResolver {
        Resolver(snapshot: self, searchPath: searchPath)
    }

    private struct Resolver: NameResolver {
        let snapshot: CatalogSnapshot
        let searchPath: [String]?

        func relations(reachedBy name: QualifiedName) -> Set<Relation>? {
            snapshot.relations(reachedBy: name, searchPath: searchPath)
        }
    }
}

/// The resolver of a session whose target's catalog could not be read.
public struct UnknownNames: NameResolver {
    public init() {}
    public func relations(reachedBy name: QualifiedName) -> Set<Relation>? { nil }
}
