import GatehouseCore
import Masking
import Policy

/// Which of the masks in force keep what they replace (`keep_original: sealed`).
struct KeepingMasks {
    /// Any does.
    private(set) var isAny = false
    /// Those that do not: what they mask is masked in what is kept, too.
    private(set) var others: [ColumnMaskRule] = []

    init() {}

    /// - Parameter rules: The same masks in the words of the target's catalog.
    init(_ masks: [MaskRule], _ rules: [ColumnMaskRule]) {
        isAny = masks.contains(where: \.keepsOriginal)
        // What is masked for the client alone is in the recording as it came.
        if isAny { others = zip(masks, rules).filter { !$0.0.keepsOriginal && $0.0.view != .client }.map(\.1) }
    }
}

/// What is kept of results for break-glass recipients: what the session would have got from the masks that keep nothing alone.
extension SessionJudge {
    func original(of columns: [MaskableColumn], beside plan: MaskPlan, _ judgements: [Judgement]) -> OriginalView<RowMask> {
        guard keeping.isAny else { return .nothing }
        guard !keeping.others.isEmpty else { return .asItCame }
        guard let planner = catalog?.planner(for: keeping.others) else { return .nothing }
        let context = context
        let plans = judgements.flatMap(\.actions).map { planner.plan(for: columns, of: $0, in: context) }
        // Several statements may be behind one result: where they differ, nobody can say what may be kept.
        guard let first = plans.first, plans.allSatisfy({ $0.decisions == first.decisions }), first.decisions != plan.decisions else {
            return .nothing
        }
        return first.rows.map { .masked($0) } ?? .asItCame
    }

    func original(of copy: Action, beside plan: CopyPlan, _ format: ValueFormat) -> OriginalView<[ColumnMask?]> {
        guard keeping.isAny, let statement = copy.copy else { return .nothing }
        guard !keeping.others.isEmpty else { return .asItCame }
        guard let planner = catalog?.planner(for: keeping.others) else { return .nothing }
        let context = context
        let other =
            statement.table.map { planner.planCopy(of: $0, columns: statement.columns, format: format, in: context) }
            ?? planner.planCopy(ofQuery: copy, in: context)
        switch other {
        case .pass: return .asItCame
        case .mask(let columns, _): return other == plan ? .nothing : .masked(columns)
        case .deny: return .nothing
        }
    }
}
