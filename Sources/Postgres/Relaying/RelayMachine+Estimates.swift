import GatehouseCore
import NIOCore

/// Requests whose verdict depends on a number of rows, which the server is asked for on the side.
extension RelayMachine {
    /// The judgement with the number, where that can be known; the same one where it cannot, so that rules about what is not
    /// known decide.
    mutating func estimate(
        _ judgement: Judgement, text: ByteBuffer?, types: [UInt32] = [], parameters: BoundParameters? = nil
    ) -> Settled {
        if let finished = finishedEstimate, finished.offset == clientOffset {
            return .settled(judge.estimated(judgement, rows: finished.rows))
        }
        guard let text, judge.canEstimate else { return .settled(judgement) }
        if pending.awaitsReady {
            withholdsTail = true
            return .wait(.needsServer)
        }
        // What the transaction did, others do not see.
        guard transaction == .idle, sentSegmentMessages == 0 else { return .settled(judgement) }
        withholdsTail = true
        let values = parameters?.values ?? []
        return .wait(
            .needsEstimate(
                EstimateQuestion(
                    statement: Array(text.readableBytesView), types: types, values: values.map { $0.map { Array($0.readableBytesView) } },
                    formats: values.indices.map { parameters?.format(of: $0) ?? 0 })))
    }
}
