public import GatehouseCore
import Masking

/// Decides what a session with certain masks may see of a target, as its catalog stood at one moment.
///
/// Built once for a snapshot and a list of masks (`TargetCatalog.planner(for:)` keeps them), used for every statement.
///
/// **What is exact.** A result's column that is a bare column of a table or view, whatever the statement calls it: the server
/// names its table and place in the RowDescription.
///
/// **What is followed.** A computed column (`upper(name)`, `count(*)`, a branch of a UNION) is followed through the statement's tree
/// (`Lineage`): it passes where no masked column flows into it or decides what it is, keeps the mask of the column whose very
/// value it is, and is withheld otherwise. Statements that would write a masked value to where it is not masked are refused:
/// `refusal(of:in:)`.
///
/// **What is withheld too often.** Without a lineage (EXPLAIN, a text too long or too deep to read again, a schema changed in an
/// open transaction) a computed column is withheld as soon as the statement reads a relation with a masked column and mentions
/// the name of one, uses a star below the outermost select list or a whole row, calls a function that is not known, or names a
/// relation that is not known.
///
/// **What is relied on.** The facts in `Action` are complete: every column name that is mentioned, in USING, in the names that a
/// function call may stand for (`ssn(t)`), in ON CONFLICT (with the kind `update` besides `insert`); `innerStar` is set for stars,
/// TABLE and NATURAL JOIN in subqueries, CTEs and branches of set operations, and where a column alias list (`t AS x(a, b)`)
/// renames columns; functions that run text are `opaque`, those that read files, logs or large objects `callsUnknownFunction`.
///
/// **What is not prevented.** A condition on a masked column (`WHERE ssn LIKE '1%'`) shows by the rows that come back whether it
/// held. `facts(of:in:)` tells such statements, for a rule to deny.
public final class MaskPlanner: Sendable {
    public let snapshot: CatalogSnapshot
    public let rules: [ColumnMaskRule]
    let masked: MaskedColumns
    let lineages = LineageCache()

    public init(snapshot: CatalogSnapshot, rules: [ColumnMaskRule]) {
        self.snapshot = snapshot
        self.rules = rules
        masked = MaskedColumns(snapshot: snapshot, rules: rules)
    }

    /// The plan for a result with these columns, of the statement with these facts. The facts of a portal or cursor are those of
    /// the statement that it runs.
    public func plan(for columns: [MaskableColumn], of action: Action, in context: StatementContext) -> MaskPlan {
        guard !rules.isEmpty else {
            return MaskPlan(columns: columns, decisions: columns.map { _ in .pass }, snapshot: snapshot, needsRefresh: false)
        }
        var needsRefresh = false
        var computed: Reading?
        let hasComputed = columns.contains { $0.tableOID == 0 }
        let touched = hasComputed && mayRevealMasked(action, in: context)
        let flows = touched ? self.flows(of: columns, action, in: context) : nil
        let decisions = columns.indices.map { index -> MaskDecision in
            let column = columns[index]
            guard column.tableOID == 0 else { return decision(onColumn: column, context: context, needsRefresh: &needsRefresh) }
            if let flows { return decision(on: flows[index], type: snapshot.valueType(of: column.typeOID)) }
            let reading = computed ?? reading(of: action, objects: action.objects, in: context)
            computed = reading
            return decision(onComputed: column, reading: reading)
        }
        return MaskPlan(columns: columns, decisions: decisions, snapshot: snapshot, needsRefresh: needsRefresh)
    }

    private func decision(onColumn column: MaskableColumn, context: StatementContext, needsRefresh: inout Bool) -> MaskDecision {
        guard let relation = snapshot.relation(column.tableOID) else {
            needsRefresh = true
            return .withhold(because: "its table is not known")
        }
        if context.schemaChanged, relation.kind.isView, !relation.isSystem {
            return .withhold(because: "the schema was changed in this transaction, and the view with it, perhaps")
        }
        // System columns (ctid, xmin, tableoid) hold no data; place 0 is the whole row.
        if column.attnum < 0 { return .pass }
        if column.attnum == 0 {
            return masked.hasMasked(relation.oid) ? .withhold(because: "it is a whole row with a masked column") : .pass
        }
        guard relation.column(column.attnum) != nil else {
            needsRefresh = true
            return .withhold(because: "its column is not known")
        }
        return masked.decision(ColumnID(table: column.tableOID, attnum: column.attnum))
    }

    private func decision(onComputed column: MaskableColumn, reading: Reading) -> MaskDecision {
        if let reason = reading.unknown ?? reading.touches { return .withhold(because: reason) }
        // What a NATURAL JOIN merges is computed, and no text says so.
        if reading.names.contains(column.name) { return .withhold(because: "it has the name of a masked column") }
        return .pass
    }

    /// Whether the statement names something that the snapshot does not know: refresh before it is judged. Names of
    /// things that do not exist come here too, so a caller bounds how often it does.
    public func needsRefresh(for action: Action, in context: StatementContext) -> Bool {
        !rules.isEmpty && action.objects.contains { $0.access != .define && candidates($0, context).isEmpty }
    }

    /// Whether a result of the statement may have a column that does not pass: if not, its rows need no plan.
    public func mayRevealMasked(_ action: Action, in context: StatementContext) -> Bool {
        guard !rules.isEmpty else { return false }
        let reading = reading(of: action, objects: action.objects, in: context)
        return reading.unknown != nil || !reading.names.isEmpty
    }

    /// Whether the statement may use the value of a masked column, if only in a condition.
    public func mayUseMasked(_ action: Action, in context: StatementContext) -> Bool {
        guard !rules.isEmpty else { return false }
        let reading = reading(of: action, objects: action.objects, in: context)
        return reading.unknown != nil || reading.touches != nil
    }

    /// Whether an error or notice of the statement may hold a masked value (`invalid input syntax for type integer: "..."`,
    /// `Failing row contains (...)`): then its message, detail, context and internal query must not go on, unless
    /// `MaskPlanner.isSafe(sqlState:)`.
    public func mayEchoMasked(_ action: Action, in context: StatementContext) -> Bool {
        guard !rules.isEmpty else { return false }
        let reading = reading(of: action, objects: action.objects, in: context)
        if reading.unknown != nil || reading.touches != nil || !reading.names.isEmpty { return true }
        let named = action.objects.flatMap { candidates($0, context) }
        return snapshot.closure(of: named).contains { masked.hasMasked($0.oid) }
    }

    /// Whether errors with this SQLSTATE hold names and words of the statement only, never data: those that are raised before
    /// anything is read (PostgreSQL manual, appendix A). Class 42 is syntax and access.
    public static func isSafe(sqlState: String) -> Bool {
        ["08", "0A", "25", "26", "28", "34", "3D", "3F", "40", "42", "53", "55", "57"].contains(String(sqlState.prefix(2)))
    }

    // MARK: What a statement reads

    /// How a statement stands to masked columns.
    struct Reading {
        /// It runs code whose reading cannot be known.
        var code: String?
        /// It names relations whose meaning cannot be known.
        var unknownName: String?
        /// It uses a masked column's value, or may.
        var touches: String?
        /// The names of masked columns in the relations that it names.
        var names: Set<String> = []

        /// Why what it reads cannot be known.
        var unknown: String? { code ?? unknownName }
    }

    func candidates(_ object: ObjectReference, _ context: StatementContext) -> [CatalogRelation] {
        snapshot.candidates(for: object.name, searchPath: context.searchPath)
    }

    func reading(of action: Action, objects: [ObjectReference], in context: StatementContext) -> Reading {
        var reading = Reading()
        for object in objects {
            let candidates = candidates(object, context)
            if candidates.isEmpty { reading.unknownName = "\(object.name) is not known" }
            for relation in candidates { reading.names.formUnion(masked.names(in: relation)) }
        }
        if context.schemaChanged, objects.contains(where: { !($0.name.schema.map(CatalogRelation.isSystem) ?? false) }) {
            reading.unknownName = "the schema was changed in this transaction"
        }
        if !action.flags.isDisjoint(with: [.opaque, .unparsed]) {
            reading.code = "what the statement does cannot be known"
        } else if action.flags.contains(.callsUnknownFunction) {
            reading.code = "the statement calls a function whose reading cannot be known"
        }
        guard !reading.names.isEmpty else { return reading }
        if let name = action.columns.intersection(reading.names).sorted().first {
            reading.touches = "it may be computed from the masked column \(name)"
        } else if !action.flags.isDisjoint(with: [.innerStar, .wholeRow]) {
            reading.touches = "it may be computed from a whole row with a masked column"
        }
        return reading
    }
}
