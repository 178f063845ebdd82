public import GatehouseCore
public import Masking

extension MaskPlanner {
    /// Why a statement must not run for a session with these masks, because it would take masked values to where they are not
    /// masked; nil when it may.
    ///
    /// Refused are: copies and writes of values that come from a masked column or depend on one; changes of the schema that reach a relation with one, or that add code
    /// (functions, triggers) whose reading cannot be known; functions with an effect outside the result, together with one.
    ///
    /// A session that every statement of was asked about here cannot have made, in its open transaction, a relation that holds
    /// masked values. So a name that is not known after a change of the schema is not refused.
    ///
    /// - Parameter allowsCopies: A rule lets masked values be copied.
    public func refusal(of action: Action, in context: StatementContext, allowsCopies: Bool = false) -> String? {
        guard !rules.isEmpty else { return nil }
        if !allowsCopies, let reason = refusalOfCopying(action, in: context) { return reason }
        return refusalOfSchemaChanges(action, context) ?? refusalOfSideEffects(action, context)
    }

    /// Why the statement would put masked values where they are not masked; nil where it does not.
    func refusalOfCopying(_ action: Action, in context: StatementContext) -> String? {
        guard action.flags.contains(.movesData) || action.copiesToServer || Self.writesOrKeeps(action) else { return nil }
        let reading = reading(of: action, objects: action.objects, in: context)
        if reading.unknown == nil, reading.names.isEmpty { return nil }
        if let lineage = lineage(of: action, in: context) { return reasonOfCopying(lineage) }
        return refusalOfCopies(action, context) ?? refusalOfWrites(action, context)
    }

    private static func writesOrKeeps(_ action: Action) -> Bool {
        action.kinds.contains { kind in
            ["insert", "update", "merge"].contains(kind.prefix { $0 != "." }) || kind == "create.view"
        }
    }

    private func refusalOfCopies(_ action: Action, _ context: StatementContext) -> String? {
        guard action.flags.contains(.movesData) || action.copiesToServer else { return nil }
        // The outermost star is no flag, so here a relation with a masked column is enough.
        let reading = reading(of: action, objects: action.objects.filter { $0.access == .read }, in: context)
        if let reason = unknown(reading, context) { return "it copies rows, and \(reason)" }
        return reading.names.sorted().first.map { "it copies rows of a relation with the masked column \($0)" }
    }

    private func refusalOfWrites(_ action: Action, _ context: StatementContext) -> String? {
        let words = action.kinds.map { $0.prefix { $0 != "." } }
        let writesSelf = words.contains("update") || words.contains("merge")
        guard writesSelf || words.contains("insert") else { return nil }
        // What an INSERT alone reads is what it names besides its target.
        let objects = writesSelf ? action.objects : action.objects.filter { $0.access == .read }
        let reading = reading(of: action, objects: objects, in: context)
        return (unknown(reading, context) ?? reading.touches.map { _ in "it may use a masked column" }).map { "it writes, and \($0)" }
    }

    private func unknown(_ reading: Reading, _ context: StatementContext) -> String? {
        reading.code ?? (context.schemaChanged ? nil : reading.unknownName)
    }

    private static let codeKinds = ["create.function", "create.procedure", "create.trigger", "create.event_trigger", "alter.schema"]

    /// It adds functions, procedures or triggers.
    static func keepsCode(_ action: Action) -> Bool {
        action.kinds.contains { kind in codeKinds.contains { kind == $0 || kind.hasPrefix($0 + ".") } }
    }

    private static let followedKinds: Set<String> = ["create.view", "create.table_as", "create.materialized_view", "select"]

    private func refusalOfSchemaChanges(_ action: Action, _ context: StatementContext) -> String? {
        if let kind = action.kinds.sorted().first(where: { kind in
            Self.codeKinds.contains { kind == $0 || kind.hasPrefix($0 + ".") }
        }) {
            return "\(kind) can lead masked columns out of their masks"
        }
        guard action.flags.contains(.changesSchema), !action.kinds.allSatisfy({ $0 == "drop" || $0.hasPrefix("drop.") }) else {
            return nil
        }
        if !action.flags.isDisjoint(with: [.opaque, .callsUnknownFunction]) {
            return "it changes the schema with code whose reading cannot be known"
        }
        // What a view or a copied table reads was followed column by column (`refusalOfCopying`).
        let isFollowed = action.kinds.isSubset(of: Self.followedKinds) && lineage(of: action, in: context) != nil
        let objects = isFollowed ? action.objects.filter { $0.access == .define } : action.objects
        let reached = snapshot.closure(of: objects.flatMap { candidates($0, context) })
        return reached.first { masked.hasMasked($0.oid) }.map {
            "it changes the schema around \($0.relation.schema).\($0.relation.name), which has masked columns"
        }
    }

    /// The server's own functions that keep or send what they are given.
    private static let sideEffects: Set<String> = [
        "set_config", "pg_notify", "setval", "setseed", "pg_logical_emit_message", "lo_from_bytea", "lo_put", "lowrite", "lo_create",
        "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared", "pg_try_advisory_lock",
        "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared", "pg_export_snapshot",
        "pg_create_restore_point",
    ]

    private func refusalOfSideEffects(_ action: Action, _ context: StatementContext) -> String? {
        let calls = action.functions.first { Self.sideEffects.contains($0.name) }?.name
        guard calls != nil || action.flags.contains(.callsUnknownFunction) else { return nil }
        guard reading(of: action, objects: action.objects, in: context).touches != nil else { return nil }
        return "it may hand a masked column to \(calls ?? "a function whose effects cannot be known")"
    }

    // MARK: COPY

    /// The plan for `COPY table (columns) TO STDOUT`.
    ///
    /// - Parameter columns: the statement's list, in its order; nil without one. Then the server sends the table's columns by
    ///   attnum, without dropped and generated ones.
    public func planCopy(of table: QualifiedName, columns: [String]?, format: ValueFormat, in context: StatementContext) -> CopyPlan {
        guard !rules.isEmpty else { return .pass }
        if context.schemaChanged { return .deny(because: "the schema was changed in this transaction, so \(table) may be another table") }
        let candidates = snapshot.candidates(for: table, searchPath: context.searchPath)
        guard !candidates.isEmpty else { return .deny(because: "\(table) is not known") }
        var plans: Set<CopyPlan> = []
        for relation in candidates {
            plans.insert(planCopy(of: relation, columns: columns, format: format))
        }
        guard let plan = plans.first, plans.count == 1 else {
            return .deny(because: "\(table) may be one of several tables that are masked differently: name its schema")
        }
        return plan
    }

    private func planCopy(of relation: CatalogRelation, columns: [String]?, format: ValueFormat) -> CopyPlan {
        guard masked.hasMasked(relation.oid) else { return .pass }
        var sent: [CatalogColumn] = []
        if let columns {
            for name in columns {
                guard let column = relation.columns.first(where: { $0.name == name }) else {
                    return .deny(because: "the column \(name) is not known")
                }
                sent.append(column)
            }
        } else {
            sent = relation.columns.filter { !$0.isGenerated }
        }
        let decisions = sent.map { masked.decision(ColumnID(table: relation.oid, attnum: $0.attnum)) }
        guard decisions.contains(where: { !$0.isPass }) else { return .pass }
        let masks = zip(sent, decisions).map { column, decision in
            decision.mask(shape: snapshot.shape(of: column.type), format: format)
        }
        return .mask(columns: masks, decisions: decisions)
    }

    /// The plan for `COPY (query) TO STDOUT`. Its data says nothing of where it comes from: it is masked where every column is
    /// known either not to depend on a masked column or to be one, and denied otherwise.
    public func planCopy(ofQuery action: Action, in context: StatementContext) -> CopyPlan {
        guard !rules.isEmpty else { return .pass }
        if let plan = planCopyByLineage(ofQuery: action, in: context) { return plan }
        let reading = reading(of: action, objects: action.objects, in: context)
        if let reason = reading.unknown { return .deny(because: reason) }
        if let name = reading.names.sorted().first { return .deny(because: "the query reads a relation with the masked column \(name)") }
        return .pass
    }
}

extension Action {
    /// COPY .. TO a file or program of the server.
    fileprivate var copiesToServer: Bool { kinds.contains("copy.to") && !flags.isDisjoint(with: [.copyFile, .copyProgram]) }
}
