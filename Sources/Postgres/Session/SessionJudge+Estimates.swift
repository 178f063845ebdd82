import GatehouseCore

/// Numbers of rows, and what they can be known of.
extension SessionJudge {
    var canEstimate: Bool { namesAreOrdinary && catalog?.snapshot != nil }

    /// Nothing that the session did makes its names mean something else than they do in another session of the same account.
    var namesAreOrdinary: Bool { searchPathIsKnown && !changedRelations && !ranUnknownCode }

    /// The schemas in which names are looked up, for a side connection.
    var searchPath: [String] { catalog?.snapshot?.searchPath ?? [] }

    func estimated(_ judgement: Judgement, rows: Int?) -> Judgement {
        let actions = judgement.actions.map { action in
            var action = action
            if action.estimatedRows == nil { action.estimatedRows = rows }
            return action
        }
        return decide(actions, epoch, judgement.analysis, isEstimated: true)
    }
}
