public import GatehouseCore

/// A column of a relation, by what does not change when either is renamed (`pg_attribute.attrelid`, `attnum`).
public struct LineageColumn: Sendable, Hashable {
    public var table: UInt32
    public var attnum: Int16

    public init(table: UInt32, attnum: Int16) {
        self.table = table
        self.attnum = attnum
    }
}

/// A relation as a name in a FROM list may mean it.
public struct LineageRelation: Sendable {
    public struct Column: Sendable {
        public var attnum: Int16
        public var name: String

        public init(attnum: Int16, name: String) {
            self.attnum = attnum
            self.name = name
        }
    }

    public var oid: UInt32
    /// In the order of `SELECT *`, without system columns.
    public var columns: [Column]

    public init(oid: UInt32, columns: [Column]) {
        self.oid = oid
        self.columns = columns
    }
}

/// What lineage asks of a target's catalog.
public protocol LineageCatalog {
    /// Every relation that the name may mean, as the session would look it up; empty where it is not known.
    func relations(named name: QualifiedName) -> [LineageRelation]
}

/// Where something comes from.
public struct LineageFlow: Sendable, Hashable {
    /// The base columns that its values may be made from.
    public var values: Set<LineageColumn> = []
    /// The base columns that decide which of several values it has, or whether there is one: a chain of conditions can spell a
    /// value that it never touches.
    public var control: Set<LineageColumn> = []
    /// Why not all of them are known; nil when they are.
    public var unknown: String?
    /// It is the very value of a column in `values`, not something made from it.
    public var isPure = false

    public init(values: Set<LineageColumn> = [], control: Set<LineageColumn> = [], unknown: String? = nil, isPure: Bool = false) {
        self.values = values
        self.control = control
        self.unknown = unknown
        self.isPure = isPure
    }

    static func unknown(_ reason: String) -> LineageFlow { LineageFlow(unknown: reason) }

    public var isEmpty: Bool { values.isEmpty && control.isEmpty && unknown == nil }

    mutating func add(_ other: LineageFlow) {
        values.formUnion(other.values)
        control.formUnion(other.control)
        if unknown == nil { unknown = other.unknown }
        isPure = false
    }

    /// Values that only choose.
    mutating func addControl(_ other: LineageFlow) {
        guard !other.isEmpty else { return }
        control.formUnion(other.values)
        control.formUnion(other.control)
        if unknown == nil { unknown = other.unknown }
    }

    /// Everything that it depends on in any way.
    public var everything: Set<LineageColumn> { values.union(control) }
}

/// Where the columns of a statement's result come from, and what else it does with columns.
public struct Lineage: Sendable {
    public struct Output: Sendable, Hashable {
        /// nil: not certain.
        public var name: String?
        public var flow: LineageFlow
    }

    /// The columns of the result in order; nil where how many there are, or which is which, is not known.
    public var columns: [Output]?
    /// All columns of the result together; nil where the statement has no result, or one that is not made of columns (a plan).
    public var overall: LineageFlow?
    /// What chooses rows or their order, or where an error may tell the value.
    public var probes = LineageFlow()
    /// What is written to where it stays: other tables, files of the server, stored definitions.
    public var copies = LineageFlow()

    /// Statements whose text lineage reads.
    static func concerns(_ kind: NodeKind) -> Bool {
        switch kind {
        case .select, .insert, .update, .delete, .merge, .copy, .declareCursor, .prepare, .explain, .createTableAs, .view: true
        default: false
        }
    }

    /// Finds the lineage of one statement, by its tree.
    ///
    /// It is the same for all texts that differ only in their literals, so it may be kept as long as `catalog` says the same.
    /// Nothing is passed over: a node that is not understood makes what it stands in `unknown`. The work is bounded
    /// (`LineageTracer.Bounds`); what goes beyond is unknown as a whole.
    ///
    /// - Returns: nil where the statement is none that has a lineage, or its text cannot be read.
    public static func of(_ source: StatementSource, in catalog: some LineageCatalog) -> Lineage? {
        Analyze.withTree(of: source.text) { statement in
            var tracer = LineageTracer(catalog: catalog)
            return try? tracer.trace(statement)
        }
    }
}
