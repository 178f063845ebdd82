import Metrics

/// What ended sessions did, in sums for monitoring.
public enum SessionMetrics {
    public static func count(_ totals: SessionTotals, target: String) {
        let dimensions = [("target", target)]
        func add(_ label: String, _ value: UInt64) {
            Counter(label: label, dimensions: dimensions).increment(by: Int64(clamping: value))
        }
        Counter(label: "gatehouse_sessions_total", dimensions: dimensions + [("outcome", totals.outcome.rawValue)]).increment()
        add("gatehouse_statements_total", totals.statements)
        add("gatehouse_denied_total", totals.denied)
        add("gatehouse_rows_total", totals.rows)
        add("gatehouse_client_bytes_total", totals.bytesIn)
        add("gatehouse_server_bytes_total", totals.bytesOut)
    }
}
