import Analysis
public import GatehouseCore
import Masking
import Synchronization

/// The target's catalog as lineage asks for it.
struct SnapshotLineage: LineageCatalog {
    let snapshot: CatalogSnapshot
    let searchPath: [String]?

    func relations(named name: QualifiedName) -> [LineageRelation] {
        snapshot.candidates(for: name, searchPath: searchPath).map { relation in
            LineageRelation(
                oid: relation.oid, columns: relation.columns.map { LineageRelation.Column(attnum: $0.attnum, name: $0.name) })
        }
    }
}

/// What was found of statements, for one snapshot.
final class LineageCache: Sendable {
    private static let entryLimit = 1_024

    private struct Key: Hashable {
        /// The entry keeps the object, so that no other takes its address.
        var source: ObjectIdentifier
        var searchPath: [String]?
    }

    private struct Entry {
        let source: StatementSource
        let lineage: Lineage?
    }

    private let entries = Mutex<[Key: Entry]>([:])

    func lineage(of source: StatementSource, searchPath: [String]?, or find: () -> Lineage?) -> Lineage? {
        let key = Key(source: ObjectIdentifier(source), searchPath: searchPath)
        if let entry = entries.withLock({ $0[key] }) { return entry.lineage }
        let lineage = find()
        entries.withLock { entries in
            if entries.count >= Self.entryLimit { entries.removeAll() }
            entries[key] = Entry(source: source, lineage: lineage)
        }
        return lineage
    }
}

extension MaskPlanner {
    /// Where the columns of the statement's result come from; nil where the facts alone must do: the text is not at hand, hides
    /// what it runs, or may name relations that the snapshot cannot know.
    func lineage(of action: Action, in context: StatementContext) -> Lineage? {
        guard let source = action.source, !context.schemaChanged, action.flags.isDisjoint(with: [.opaque, .unparsed]) else { return nil }
        return lineages.lineage(of: source, searchPath: context.searchPath) {
            Lineage.of(source, in: SnapshotLineage(snapshot: snapshot, searchPath: context.searchPath))
        }
    }

    /// The lineage of each of these columns. nil where there is none, or where it says something else than the server does of
    /// the columns that the server names.
    func flows(of columns: [MaskableColumn], _ action: Action, in context: StatementContext) -> [LineageFlow]? {
        guard let lineage = lineage(of: action, in: context), let overall = lineage.overall else { return nil }
        guard let outputs = lineage.columns, outputs.count == columns.count,
            zip(outputs, columns).allSatisfy({ $0.name == nil || $0.name == $1.name })
        else { return columns.map { _ in overall } }
        for (output, column) in zip(outputs, columns) where column.tableOID != 0 && column.attnum > 0 {
            let origin = LineageColumn(table: column.tableOID, attnum: column.attnum)
            guard output.flow.values.contains(origin) else { return nil }
        }
        return outputs.map(\.flow)
    }

    func isMasked(_ column: LineageColumn) -> Bool { !decision(column).isPass }

    private func decision(_ column: LineageColumn) -> MaskDecision {
        masked.decision(ColumnID(table: column.table, attnum: column.attnum))
    }

    /// `public.customers.ssn`, the first by name.
    private func name(ofMaskedIn columns: Set<LineageColumn>) -> String? {
        columns.filter(isMasked).map { column in
            guard let relation = snapshot.relation(column.table), let name = relation.column(column.attnum)?.name else { return "?" }
            return "\(relation.relation.schema).\(relation.relation.name).\(name)"
        }.min()
    }

    /// - Parameter type: The type of the result's column; nil where nobody says.
    func decision(on flow: LineageFlow, type: UInt32?) -> MaskDecision {
        if let reason = flow.unknown { return .withhold(because: reason) }
        if flow.isPure, let decision = pureDecision(on: flow, type: type) { return decision }
        if let name = name(ofMaskedIn: flow.values) { return .withhold(because: "it is computed from the masked column \(name)") }
        if let name = name(ofMaskedIn: flow.control) { return .withhold(because: "what it is depends on the masked column \(name)") }
        return .pass
    }

    /// The very value of a masked column, under another name or through a query, keeps that column's mask.
    private func pureDecision(on flow: LineageFlow, type: UInt32?) -> MaskDecision? {
        guard let first = flow.values.first(where: isMasked), case .mask = decision(first), let own = self.type(of: first) else {
            return nil
        }
        let decision = decision(first)
        guard flow.values.allSatisfy({ self.decision($0).isPass || self.decision($0) == decision }),
            flow.values.allSatisfy({ self.type(of: $0) == own }), type == nil || type == own
        else { return nil }
        return decision
    }

    func type(of column: LineageColumn) -> UInt32? {
        snapshot.relation(column.table)?.column(column.attnum).map { snapshot.valueType(of: $0.type) }
    }

    // MARK: Facts for rules

    /// Whether the statement copies or probes masked columns, as flags for policy.
    public func facts(of action: Action, in context: StatementContext) -> Action.Flags {
        guard !rules.isEmpty else { return [] }
        var flags: Action.Flags = []
        if refusalOfCopying(action, in: context) != nil { flags.insert(.copiesMaskedData) }
        if mayProbe(action, in: context) { flags.insert(.probesMaskedData) }
        return flags
    }

    private func mayProbe(_ action: Action, in context: StatementContext) -> Bool {
        guard action.worksOnRows || action.defines != nil || action.flags.contains(.movesData) || action.kinds.contains("explain")
        else { return false }
        let reading = reading(of: action, objects: action.objects, in: context)
        guard !reading.names.isEmpty else { return false }
        guard let lineage = lineage(of: action, in: context) else { return reading.touches != nil }
        if lineage.probes.everything.contains(where: isMasked) { return true }
        return lineage.probes.unknown != nil && reading.touches != nil
    }

    /// Why the statement would put masked values where they are not masked; nil where it does not.
    func reasonOfCopying(_ lineage: Lineage) -> String? {
        if let reason = lineage.copies.unknown { return "it writes, and \(reason)" }
        return name(ofMaskedIn: lineage.copies.everything).map { "it copies the masked column \($0)" }
    }

    // MARK: COPY (query) TO STDOUT

    /// The plan by lineage; nil where there is none.
    func planCopyByLineage(ofQuery action: Action, in context: StatementContext) -> CopyPlan? {
        guard let lineage = lineage(of: action, in: context), let outputs = lineage.columns, let format = copyFormat(of: action) else {
            return nil
        }
        let decisions = outputs.map { decision(on: $0.flow, type: nil) }
        guard decisions.contains(where: { !$0.isPass }) else { return .pass }
        for case .withhold(let reason) in decisions { return .deny(because: "a column of the query cannot be masked: \(reason)") }
        let masks = zip(outputs, decisions).map { output, decision in
            decision.mask(shape: snapshot.shape(of: output.flow.values.first(where: isMasked).flatMap(type) ?? 0), format: format)
        }
        return .mask(columns: masks, decisions: decisions)
    }

    private func copyFormat(of action: Action) -> ValueFormat? {
        guard let copy = action.copy, let options = CopyOptions(statement: copy.options.map { ($0.name, $0.value) }) else { return nil }
        return options.format == .binary ? .binary : .text
    }
}
