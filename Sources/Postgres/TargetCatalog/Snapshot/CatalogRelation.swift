import GatehouseCore

/// A table, view or other relation with columns, as `pg_class` knows it.
struct CatalogRelation: Sendable {
    /// `pg_class.relkind`, of the kinds that a statement can read.
    enum Kind: UInt8, Sendable {
        case table = 0x72  // r
        case partitioned = 0x70  // p
        case view = 0x76  // v
        case materializedView = 0x6D  // m
        case foreignTable = 0x66  // f
        case sequence = 0x53  // S

        var isView: Bool { self == .view || self == .materializedView }
    }

    var oid: UInt32
    /// Every session's own schema `pg_temp_N` is called `pg_temp` here.
    var relation: Relation
    var kind: Kind
    /// By attnum, ascending; without dropped and system columns.
    var columns: [CatalogColumn] = []
    /// Inheritance and partitions, one step.
    var parents: [UInt32] = []
    var children: [UInt32] = []
    /// The relations that its rules name, one step; for a view those that its query reads.
    var dependencies: [UInt32] = []
    /// For a view or materialized view.
    var view: ViewFacts?

    /// Belongs to the server itself.
    var isSystem: Bool { CatalogRelation.isSystem(schema: relation.schema) }

    static func isSystem(schema: String) -> Bool { schema == "pg_catalog" || schema == "information_schema" }

    func column(_ attnum: Int16) -> CatalogColumn? {
        var low = 0
        var high = columns.count
        while low < high {
            let middle = (low + high) / 2
            if columns[middle].attnum < attnum { low = middle + 1 } else { high = middle }
        }
        return low < columns.count && columns[low].attnum == attnum ? columns[low] : nil
    }
}

struct CatalogColumn: Sendable {
    /// Its place; never changes, and is not used again when the column is dropped.
    var attnum: Int16
    var name: String
    var type: UInt32
    /// GENERATED ALWAYS AS (..): not part of COPY.
    var isGenerated: Bool
}

/// A column of a relation, by what does not change when either is renamed.
struct ColumnID: Sendable, Hashable {
    var table: UInt32
    var attnum: Int16
}

/// What a view's columns are made from.
struct ViewFacts: Sendable {
    enum Origin: Sendable, Hashable {
        /// The very value of that column of a relation that the view names.
        case column(ColumnID)
        case computed
    }

    /// By attnum. Empty when the definition could not be read.
    var origins: [Int16: Origin] = [:]
    /// Every column that the view's query mentions anywhere (`pg_depend`). Whole rows leave no trace there.
    var references: Set<ColumnID> = []
    /// What computed columns are made from, by attnum, where that is known for certain.
    var sources: [Int16: Set<ColumnID>] = [:]
    /// What chooses the rows of a query whose `sources` are known.
    var deciding: Set<ColumnID> = []
    /// The query uses a whole row as a value, so it may read every column.
    var usesWholeRow = false
    /// The query calls functions or operators that are not the server's own, or functions that run text.
    var runsCode = false
    /// Whether the definition was read; if not, `origins` and `usesWholeRow` say nothing.
    var isKnown = false
}
