import GatehouseCore

/// The rows of a target's catalog, before they are linked and indexed.
struct CatalogContent: Sendable {
    /// How a type is made of others, one step.
    enum MadeType: Sendable, Hashable {
        case array(of: UInt32)
        case composite([UInt32])
        case range(of: UInt32)
        case multirange(of: UInt32)
    }

    static let temporarySchema = "pg_temp"

    var serverVersion = 0
    var user = ""
    var searchPath: [String] = []
    var schemas: [String] = []
    /// Those that the account may look into (the privilege USAGE); the server passes over the others.
    var usableSchemas: Set<String> = []
    var relations: [CatalogRelation] = []
    /// `pg_inherits`: child, parent.
    var inheritance: [(child: UInt32, parent: UInt32)] = []
    /// What rules mention: the rule's relation, and a column (attnum 0: the relation) of another.
    var dependencies: [(relation: UInt32, on: ColumnID)] = []
    /// Relations with a rule that uses functions or operators which are not the server's own.
    var runningCode: Set<UInt32> = []
    /// The server's own functions that run text handed to them.
    var textRunners: Set<UInt32> = []
    /// The stored queries of views that were read.
    var views: [UInt32: ViewDefinition] = [:]
    /// Domains and their base, and types with the representation of another.
    var valueTypes: [UInt32: UInt32] = [:]
    /// Types of the target's own that are made of others.
    var madeTypes: [UInt32: MadeType] = [:]

    /// One row about a type that is made of others; of a composite, its next column.
    mutating func add(madeType oid: UInt32, kind: String, of part: UInt32) {
        switch kind {
        case "a": madeTypes[oid] = .array(of: part)
        case "r": madeTypes[oid] = .range(of: part)
        case "m": madeTypes[oid] = .multirange(of: part)
        default:
            if case .composite(let fields)? = madeTypes[oid] {
                madeTypes[oid] = .composite(fields + [part])
            } else {
                madeTypes[oid] = .composite([part])
            }
        }
    }

    /// A session's own temporary schema has a number, which no rule would name.
    static func publicName(_ schema: String) -> String {
        schema.hasPrefix("pg_temp_") ? temporarySchema : schema
    }

    /// The relations with their parents, children, dependencies and views filled in.
    func linkedRelations() -> [CatalogRelation] {
        var linked = relations
        let index = Dictionary(relations.enumerated().map { ($1.oid, $0) }, uniquingKeysWith: { first, _ in first })
        for (child, parent) in inheritance {
            // Indexes have entries of their own; they are no relations here.
            guard let lower = index[child], let upper = index[parent] else { continue }
            linked[lower].parents.append(parent)
            linked[upper].children.append(child)
        }
        for position in linked.indices where linked[position].kind.isView {
            linked[position].view = facts(of: linked[position].oid)
        }
        for (relation, column) in dependencies {
            guard let position = index[relation] else { continue }
            linked[position].view?.references.insert(column)
            if !linked[position].dependencies.contains(column.table) { linked[position].dependencies.append(column.table) }
        }
        return linked
    }

    private func facts(of view: UInt32) -> ViewFacts {
        var facts = ViewFacts()
        facts.runsCode = runningCode.contains(view)
        if let definition = views[view] {
            facts.isKnown = true
            facts.origins = definition.origins
            facts.usesWholeRow = definition.usesWholeRow
            if let deciding = definition.deciding {
                facts.sources = definition.sources
                facts.deciding = deciding
            }
            facts.runsCode = facts.runsCode || !definition.functions.isDisjoint(with: textRunners)
        }
        return facts
    }
}
