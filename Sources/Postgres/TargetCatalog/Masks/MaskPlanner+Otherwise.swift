import Analysis
public import GatehouseCore
import Masking

/// Why a statement is refused before it runs, by a mask that wants an error where it would have to withhold.
public struct WithheldResult: Sendable, Hashable {
    /// The mask.
    public let rule: String
    public let reason: String
}

/// `otherwise: error`: what cannot be masked is told before the statement runs, where NULL would be taken for a value.
extension MaskPlanner {
    /// Why a column of the statement's result would be withheld; nil where none would be, or where no mask in question minds.
    ///
    /// Known of a column as a whole. A value that its mask cannot replace (a malformed document in a json column) is NULL in any case.
    public func withheldResult(of action: Action, in context: StatementContext) -> WithheldResult? {
        guard let first = rules.first(where: \.refusesToWithhold), mayRevealMasked(action, in: context) else { return nil }
        guard let lineage = lineage(of: action, in: context) else { return unfollowed(action, first, in: context) }
        guard let overall = lineage.overall else {
            // A plan is a result, too, and shows the statement's constants and estimates.
            return action.kinds.contains("explain") ? unfollowed(action, first, in: context) : nil
        }
        guard let outputs = lineage.columns else {
            return reason(on: overall, first).map { WithheldResult(rule: $0.rule, reason: $0.reason) }
        }
        for (place, output) in outputs.enumerated() {
            guard let found = reason(on: output.flow, first) else { continue }
            let name = output.name.map { " (\($0))" } ?? ""
            return WithheldResult(rule: found.rule, reason: "column \(place + 1)\(name) cannot be masked: \(found.reason)")
        }
        return nil
    }

    /// What of it is read cannot be followed column by column.
    private func unfollowed(_ action: Action, _ rule: ColumnMaskRule, in context: StatementContext) -> WithheldResult? {
        guard !action.kinds.isDisjoint(with: ["select", "explain", "execute", "fetch", "declare"]) else { return nil }
        let reading = reading(of: action, objects: action.objects, in: context)
        return (reading.unknown ?? reading.touches).map { WithheldResult(rule: rule.id, reason: "its result cannot be masked: \($0)") }
    }

    private func reason(on flow: LineageFlow, _ first: ColumnMaskRule) -> (rule: String, reason: String)? {
        switch decision(on: flow, type: nil) {
        case .pass: return nil
        case .withhold(let reason):
            if flow.unknown != nil { return (first.id, reason) }
            return strictRule(of: flow, first).map { ($0, reason) }
        case .mask(let rule, let strategy):
            guard rules.contains(where: { $0.id == rule && $0.refusesToWithhold }),
                let type = flow.values.first(where: isMasked).flatMap(type),
                ColumnMask(shape: snapshot.shape(of: type), format: .text, strategy: strategy).withholdsEverything
            else { return nil }
            return (rule, "values of its type cannot hold what the mask makes of them")
        }
    }

    /// The first mask that minds, of those on the columns that the flow is made from.
    private func strictRule(of flow: LineageFlow, _ first: ColumnMaskRule) -> String? {
        let decisions = flow.values.union(flow.control).map { masked.decision(ColumnID(table: $0.table, attnum: $0.attnum)) }
        for case .mask(let rule, _) in decisions where rules.contains(where: { $0.id == rule && $0.refusesToWithhold }) { return rule }
        // A view's column that is itself withheld: of which mask is not kept.
        for case .withhold in decisions { return first.id }
        return nil
    }
}
