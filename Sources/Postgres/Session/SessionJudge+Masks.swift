import GatehouseCore

extension SessionJudge {
    /// What the actions do with columns that are masked for this session: the catalog knows it, and rules may ask for it.
    func withMaskFacts(_ actions: [Action]) -> [Action] {
        guard !maskRules.isEmpty, let planner = catalog?.planner(for: maskRules) else { return actions }
        let context = context
        return actions.map { action in
            var action = action
            action.flags.subtract([.copiesMaskedData, .probesMaskedData])
            action.flags.formUnion(planner.facts(of: action, in: context))
            return action
        }
    }
}
