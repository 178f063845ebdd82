public import Analysis
public import GatehouseCore
public import Masking

/// What of a statement's own words may say a masked value.
extension MaskPlanner {
    /// Whether the statement reads, probes or writes a masked column, or may: then its constants and parameters are as secret as the
    /// column's values.
    public func hidesLiterals(of action: Action, in context: StatementContext) -> Bool {
        guard !rules.isEmpty else { return false }
        // Code that is kept names no relation, and may be about any.
        if Self.keepsCode(action) { return true }
        let reading = reading(of: action, objects: action.objects, in: context)
        if reading.code != nil { return true }
        let reached = snapshot.closure(of: action.objects.flatMap { candidates($0, context) })
        if !reading.names.isEmpty || reached.contains(where: { masked.hasMasked($0.oid) }) {
            return !readsNothingMasked(action, in: context)
        }
        return reading.unknownName != nil && mayTouchUnseen(action)
    }

    /// What is not in the catalog was made by the session itself, in a transaction that has not ended, for nothing else is let
    /// through. It has no masked column but one that a mask's pattern names, which the statement then names, too, or reaches by its
    /// place.
    private func mayTouchUnseen(_ action: Action) -> Bool {
        let patterns = rules.flatMap(\.columns).filter { pattern in
            action.objects.contains { Wildcard.matches(pattern.table, $0.name.name) }
        }.map(\.column)
        guard !patterns.isEmpty else { return false }
        if action.columns.contains(where: { name in patterns.contains { Wildcard.matches($0, name) } }) { return true }
        if !action.flags.isDisjoint(with: [.innerStar, .wholeRow]) { return true }
        let writes = action.kinds.contains { ["insert", "merge", "copy"].contains($0.prefix { $0 != "." }) }
        return writes && action.source.map(Lineage.writesByPlace) ?? true
    }

    /// A query beside a masked column that does not look at it.
    private func readsNothingMasked(_ action: Action, in context: StatementContext) -> Bool {
        guard action.kinds.isSubset(of: ["select", "select.lock"]) else { return false }
        let reading = reading(of: action, objects: action.objects, in: context)
        guard reading.unknown == nil, reading.touches == nil, let lineage = lineage(of: action, in: context) else { return false }
        let flows = [lineage.overall ?? LineageFlow(), lineage.probes, lineage.copies]
        return flows.allSatisfy { $0.unknown == nil && !$0.everything.contains(where: isMasked) }
    }

    /// Which constants and parameters of the text may be kept.
    ///
    /// - Parameter hidden: one for each of its statements, by `hidesLiterals(of:in:)`.
    public func literalPlan(of text: UnsafeRawBufferPointer, hidden: [Bool], in context: StatementContext) -> LiteralPlan {
        if context.schemaChanged { return .keepingNothing }
        return LiteralPlan.find(
            in: text, hidden: hidden, catalog: SnapshotLineage(snapshot: snapshot, searchPath: context.searchPath),
            isMasked: { [self] in isMasked($0) })
    }

    /// How the data of a COPY .. FROM STDIN is told: what goes into masked columns, as their masks show it. `.deny` where that cannot
    /// be known.
    public func planCopyIn(_ action: Action, format: ValueFormat, in context: StatementContext) -> CopyPlan {
        guard let copy = action.copy, let table = copy.table else { return .deny(because: "where the data goes is not known") }
        return planCopy(of: table, columns: copy.columns, format: format, in: context)
    }
}
