import Analysis
import GatehouseCore
import Masking

/// What of the client's own words is kept from the recording and from approvers, since it says what the masks of this session hide.
extension SessionJudge {
    var hidesUnjudged: Bool { !viewRules.recording.isEmpty || redactor != nil }

    /// Which mask a constant is about is not known: all must keep what they replace.
    var keepsClientOriginals: Bool { keeping.isAny && keeping.others.isEmpty }

    /// nil where the text and its parameters may be shown as they are.
    func hiddenLiterals(
        of actions: [Action], _ analysis: Analysis?, _ context: StatementContext
    ) -> HiddenLiterals? {
        guard !actions.allSatisfy({ $0.kinds == ["session"] }) else { return nil }
        guard !viewRules.recording.isEmpty else { return searchedCopies(actions, nil, context) }
        guard let planner = catalog?.planner(for: viewRules.recording) else { return HiddenLiterals(analysis: analysis) }
        guard let analysis else { return hidesRequest(actions, planner, context) ? HiddenLiterals() : nil }
        // The server may have cut the text otherwise than the gateway does.
        let isUnreadable = analysis.dependsOnStringSetting && stringSettingIsUncertain
        var hidden = actions.map { planner.hidesLiterals(of: $0, in: context) }
        guard hidden.contains(true) || isUnreadable else { return searchedCopies(actions, planner, context) }
        // What a name stands for came in between: EXECUTE gives values to another text.
        if actions.count != analysis.actions.count { hidden = [true] }
        return HiddenLiterals(analysis: analysis, isUnreadable: isUnreadable, copies: copiesIn(actions, planner, context)) {
            planner.literalPlan(of: $0, hidden: hidden, in: context)
        }
    }

    /// A request that has no text: of a name that SQL gave, or that nobody is known to have given, so that what is bound may be anything.
    private func hidesRequest(_ actions: [Action], _ planner: MaskPlanner, _ context: StatementContext) -> Bool {
        actions.contains {
            $0.objects.isEmpty && $0.kinds.isSubset(of: ["bind", "function_call"]) || planner.hidesLiterals(of: $0, in: context)
        }
    }

    /// Copy data that no mask is about, and that detectors look into.
    private func searchedCopies(_ actions: [Action], _ planner: MaskPlanner?, _ context: StatementContext) -> HiddenLiterals? {
        guard redactor != nil else { return nil }
        let copies = copiesIn(actions, planner, context)
        return copies.isEmpty ? nil : HiddenLiterals(hidingOnly: copies)
    }

    private func copiesIn(_ actions: [Action], _ planner: MaskPlanner?, _ context: StatementContext) -> [HiddenLiterals.CopyIn] {
        actions.filter { $0.kinds.contains("copy.from") && $0.flags.isDisjoint(with: [.copyFile, .copyProgram]) }.map { action in
            guard let copy = action.copy, let options = CopyOptions(input: copy.options.map { ($0.name, $0.value) }) else {
                return .withheld
            }
            switch planner?.planCopyIn(action, format: options.format == .binary ? .binary : .text, in: context) {
            case .mask(let columns, _): return .masked(CopyMaskPlan(options: options, columns: columns, redactor: redactor))
            case .deny: return .withheld
            case .pass, nil:
                guard let redactor else { return .asItIs }
                return .masked(CopyMaskPlan(options: options, columns: nil, redactor: redactor))
            }
        }
    }
}
