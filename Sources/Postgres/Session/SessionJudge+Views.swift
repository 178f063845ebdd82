import GatehouseCore
import Masking
import Policy

/// The masks in force, by who must not see what they hide.
struct ViewRules {
    private(set) var client: [ColumnMaskRule] = []
    private(set) var recording: [ColumnMaskRule] = []
    /// Any mask is of one view alone.
    private(set) var differ = false

    init() {}

    /// - Parameter rules: `masks` in the words of the target's catalog.
    init(_ masks: [MaskRule], _ rules: [ColumnMaskRule]) {
        let pairs = zip(masks, rules)
        client = pairs.filter { $0.0.view != .recording }.map(\.1)
        recording = pairs.filter { $0.0.view != .client }.map(\.1)
        differ = masks.contains { $0.view != .both }
    }
}

/// What of an answer the client sees, and what the recording holds.
extension SessionJudge {
    func rowMask(for columns: [ResultColumn], of judgements: [Judgement]) -> RowMaskOutcome {
        if !lifted.isEmpty { endLifted() }
        let fields = columns.map { column in
            MaskableColumn(
                name: column.name, tableOID: column.tableOID, attnum: column.attributeNumber, typeOID: column.typeOID,
                format: ValueFormat(rawValue: column.format) ?? .binary)
        }
        guard case .known(let client) = plan(viewRules.client, fields, judgements) else { return .needsCatalog }
        var recorded = client
        if viewRules.differ {
            guard case .known(let plan) = plan(viewRules.recording, fields, judgements) else { return .needsCatalog }
            recorded = plan
        }
        hasRefreshed = false
        let clientView = view(client, columns)
        var mask = PostgresRowMask(clientView)
        if recorded?.decisions != client?.decisions { mask = PostgresRowMask(clientView, recording: view(recorded, columns)) }
        if let recorded, recorded.rows != nil { mask.original = original(of: fields, beside: recorded, judgements) }
        return clientView.isEmpty && mask.recorded.isEmpty ? .pass : .mask(mask)
    }

    private enum Planning {
        /// nil: no mask applies.
        case known(MaskPlan?)
        case needsCatalog
    }

    private func plan(_ rules: [ColumnMaskRule], _ fields: [MaskableColumn], _ judgements: [Judgement]) -> Planning {
        guard !rules.isEmpty else { return .known(nil) }
        guard let planner = catalog?.planner(for: rules) else { return .known(.withholdingAll(fields)) }
        let context = context
        var plans: [MaskPlan] = []
        for action in judgements.flatMap(\.actions) {
            let plan = planner.plan(for: fields, of: action, in: context)
            if plan.needsRefresh, !hasRefreshed {
                hasRefreshed = true
                return .needsCatalog
            }
            plans.append(plan)
        }
        guard let strictest = plans.max(by: { masked($0) < masked($1) }) else { return .known(.withholdingAll(fields)) }
        // Several statements may be behind one result: only a plan that covers every other one will do.
        let covers = plans.allSatisfy { plan in zip(plan.decisions, strictest.decisions).allSatisfy { $0.isPass || !$1.isPass } }
        return .known(covers ? strictest : .withholdingAll(fields))
    }

    private func masked(_ plan: MaskPlan) -> Int { plan.decisions.count { !$0.isPass } }

    /// Columns that `plan` leaves as they are are searched.
    private func view(_ plan: MaskPlan?, _ columns: [ResultColumn]) -> RowView {
        var detection: RowDetection?
        if let redactor {
            detection = RowDetection(
                redactor: redactor,
                columns: columns.enumerated().map { index, column in
                    guard plan?.decisions[index].isPass ?? true,
                        let form = FoundText(type: column.typeOID, format: ValueFormat(rawValue: column.format) ?? .binary)
                    else { return nil }
                    return (form, column.name)
                })
        }
        return RowView(mask: plan?.rows, detection: detection)
    }

    /// Who must not see what the server says about these actions.
    func echoing(_ actions: [Action], _ context: StatementContext) -> Views {
        let client: Views = mayEcho(actions, viewRules.client, context) ? .client : []
        guard viewRules.differ else { return client.isEmpty ? [] : .both }
        return client.union(mayEcho(actions, viewRules.recording, context) ? .recording : [])
    }

    private func mayEcho(_ actions: [Action], _ rules: [ColumnMaskRule], _ context: StatementContext) -> Bool {
        guard !rules.isEmpty else { return false }
        guard let planner = catalog?.planner(for: rules) else { return true }
        return actions.contains { planner.mayEchoMasked($0, in: context) }
    }

    // MARK: COPY

    enum CopyPlanning {
        case pass
        case mask(CopyMaskPlan)
        case deny(String)
    }

    func copyPlan(of action: Action, among actions: [Action], _ context: StatementContext) -> CopyPlanning {
        guard let copy = action.copy else { return .deny("it writes to the server, or to a program") }
        guard let options = CopyOptions(statement: copy.options.map { ($0.name, $0.value) }) else {
            return .deny("its options are not understood")
        }
        let format: ValueFormat = options.format == .binary ? .binary : .text
        let client = copyPlan(of: action, viewRules.client, format, context)
        let recorded = viewRules.differ ? copyPlan(of: action, viewRules.recording, format, context) : client
        for plan in [client, recorded] {
            if case .deny(let reason) = plan { return .deny(reason) }
        }
        if client == .pass, recorded == .pass { return .pass }
        guard actions.count == 1 else { return .deny("it stands beside other statements in one query") }
        return .mask(
            CopyMaskPlan(
                options: options, columns: client.columns,
                recording: recorded == client ? .asSent : .columns(recorded.columns),
                original: recorded == .pass ? .nothing : original(of: action, beside: recorded, format)))
    }

    private func copyPlan(of action: Action, _ rules: [ColumnMaskRule], _ format: ValueFormat, _ context: StatementContext) -> CopyPlan {
        guard !rules.isEmpty else { return .pass }
        guard let planner = catalog?.planner(for: rules), let copy = action.copy else {
            return .deny(because: "the target's catalog cannot be read")
        }
        return copy.table.map { planner.planCopy(of: $0, columns: copy.columns, format: format, in: context) }
            ?? planner.planCopy(ofQuery: action, in: context)
    }
}

extension CopyPlan {
    fileprivate var columns: [ColumnMask?]? {
        if case .mask(let columns, _) = self { columns } else { nil }
    }
}
