import GatehouseCore

/// Which columns of a target a set of masks covers, directly or not.
///
/// - A column that a rule names is masked by the first rule that does.
/// - A masked column is masked in every child and partition of its table, and in every table that shows the rows of one that is
///   masked: the column has the same name in all of them. A partition is not masked for the sake of its sibling.
/// - A view's column that is the bare value of another column is treated as that one. A computed column of a view is withheld
///   when it is made from a masked column or one chooses the view's rows; where the query does not tell what it is made from,
///   when the query mentions a masked column anywhere, uses whole rows of a relation that has one, or runs code that
///   is not the server's own. Where the query could not be read, every column of a view that may reach a masked one is.
/// - The planner's statistics hold sample values of every column, so they are withheld.
struct MaskedColumns: Sendable {
    private let snapshot: CatalogSnapshot
    /// What is not passed on.
    private(set) var decisions: [UInt32: [Int16: MaskDecision]] = [:]

    init(snapshot: CatalogSnapshot, rules: [ColumnMaskRule]) {
        self.snapshot = snapshot
        guard !rules.isEmpty else { return }
        for relation in snapshot.relations { markDirectly(relation, rules: rules) }
        markInherited()
        markViews()
    }

    func decision(_ column: ColumnID) -> MaskDecision {
        decisions[column.table]?[column.attnum] ?? .pass
    }

    func hasMasked(_ relation: UInt32) -> Bool { decisions[relation] != nil }

    /// The names of a relation's columns that are not passed on.
    func names(in relation: CatalogRelation) -> [String] {
        guard let masked = decisions[relation.oid] else { return [] }
        return relation.columns.filter { masked[$0.attnum] != nil }.map(\.name)
    }

    private mutating func mark(_ column: ColumnID, _ decision: MaskDecision) -> Bool {
        guard decisions[column.table]?[column.attnum] == nil else { return false }
        decisions[column.table, default: [:]][column.attnum] = decision
        return true
    }

    // MARK: Named by a rule

    private static let statistics: [String: Set<String>] = [
        "pg_stats": ["most_common_vals", "histogram_bounds", "most_common_elems", "range_bounds_histogram"],
        "pg_stats_ext": ["most_common_vals"],
        "pg_stats_ext_exprs": ["most_common_vals", "histogram_bounds", "most_common_elems", "range_bounds_histogram"],
        "pg_statistic": ["stavalues1", "stavalues2", "stavalues3", "stavalues4", "stavalues5"],
        "pg_statistic_ext_data": ["stxdmcv", "stxdexpr"],
    ]

    private mutating func markDirectly(_ relation: CatalogRelation, rules: [ColumnMaskRule]) {
        for rule in rules {
            let patterns = rule.columns.filter {
                $0.matches(schemaOf: relation) && Wildcard.matches($0.table, relation.relation.name)
            }
            guard !patterns.isEmpty else { continue }
            for column in relation.columns where patterns.contains(where: { Wildcard.matches($0.column, column.name) }) {
                let place = "\(relation.relation.schema).\(relation.relation.name).\(column.name)"
                let strategy = rule.strategy.scoped(to: rule.domain.map { "domain " + $0 } ?? "column " + place)
                _ = mark(ColumnID(table: relation.oid, attnum: column.attnum), .mask(rule: rule.id, strategy: strategy))
            }
        }
        if relation.relation.schema == "pg_catalog", let samples = Self.statistics[relation.relation.name] {
            for column in relation.columns where samples.contains(column.name) {
                _ = mark(ColumnID(table: relation.oid, attnum: column.attnum), .withhold(because: "it holds samples of every column"))
            }
        }
    }

    // MARK: Inheritance and partitions

    private mutating func markInherited() {
        spread(to: \.children)
        spread(to: \.parents)
    }

    private mutating func spread(to next: KeyPath<CatalogRelation, [UInt32]>) {
        var queue = Array(decisions.keys)
        while let oid = queue.popLast() {
            guard let relation = snapshot.relation(oid), let masked = decisions[oid] else { continue }
            for neighbour in relation[keyPath: next].compactMap(snapshot.relation) {
                var changed = false
                for column in relation.columns {
                    guard let decision = masked[column.attnum] else { continue }
                    for same in neighbour.columns where same.name == column.name {
                        if mark(ColumnID(table: neighbour.oid, attnum: same.attnum), decision) { changed = true }
                    }
                }
                if changed { queue.append(neighbour.oid) }
            }
        }
    }

    // MARK: Views

    private mutating func markViews() {
        var dependents: [UInt32: [UInt32]] = [:]
        let views = snapshot.relations.filter { $0.view != nil && !$0.isSystem }
        for view in views {
            for oid in view.dependencies { dependents[oid, default: []].append(view.oid) }
        }
        // Columns are only ever added, so this ends; a view is looked at again when one below it changed.
        var queue = views.map(\.oid)
        while let oid = queue.popLast() {
            if let view = snapshot.relation(oid), markView(view) { queue.append(contentsOf: dependents[oid] ?? []) }
        }
    }

    private mutating func markView(_ view: CatalogRelation) -> Bool {
        guard let facts = view.view else { return false }
        let reason = reasonToWithhold(view, facts)
        var changed = false
        for column in view.columns {
            guard let decision = decision(of: column, facts: facts, reason: reason) else { continue }
            if mark(ColumnID(table: view.oid, attnum: column.attnum), decision) { changed = true }
        }
        return changed
    }

    private func decision(of column: CatalogColumn, facts: ViewFacts, reason: String?) -> MaskDecision? {
        switch facts.origins[column.attnum] {
        case .column(let origin):
            guard let relation = snapshot.relation(origin.table), relation.column(origin.attnum) != nil || origin.attnum < 0 else {
                return .withhold(because: "it comes from a column that is not known")
            }
            let decision = decision(origin)
            return decision.isPass ? nil : decision
        case .computed:
            if !facts.runsCode, let sources = facts.sources[column.attnum] {
                let uses = sources.contains { !self.decision($0).isPass } || facts.deciding.contains { !self.decision($0).isPass }
                return uses ? .withhold(because: "the view computes it from a masked column, or by one") : nil
            }
            return reason.map { .withhold(because: $0) }
        case nil:
            guard let reason else { return nil }
            // Of a query that could not be read, a column that kept its name most likely kept its meaning.
            return sameName(column, facts) ?? .withhold(because: reason)
        }
    }

    private func sameName(_ column: CatalogColumn, _ facts: ViewFacts) -> MaskDecision? {
        for reference in facts.references where snapshot.relation(reference.table)?.column(reference.attnum)?.name == column.name {
            let decision = decision(reference)
            if !decision.isPass { return decision }
        }
        return nil
    }

    /// Why a column of the view that is not a bare value cannot be passed on; nil when it can.
    private func reasonToWithhold(_ view: CatalogRelation, _ facts: ViewFacts) -> String? {
        if facts.runsCode { return "the view runs code whose reading cannot be known" }
        if facts.references.contains(where: { !decision($0).isPass }) { return "the view computes it, and reads a masked column" }
        guard facts.usesWholeRow || !facts.isKnown else { return nil }
        return view.dependencies.contains(where: hasMasked) ? "the view may compute it from whole rows with a masked column" : nil
    }
}
