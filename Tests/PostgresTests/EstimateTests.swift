import Foundation
import Testing

@testable import Postgres

@Suite struct EstimatedPlanTests {
    private func rows(_ plan: String) -> Int? { EstimatedPlan.rows(inJSON: Array("[{\"Plan\": \(plan)}]".utf8)) }

    @Test func aQueryIsWhatItsRootGives() {
        #expect(rows(#"{"Node Type": "Limit", "Plan Rows": 10, "Plans": [{"Node Type": "Seq Scan", "Plan Rows": 9000}]}"#) == 10)
    }

    @Test func aWriteIsWhatItsInputGives() {
        #expect(rows(#"{"Node Type": "ModifyTable", "Plan Rows": 0, "Plans": [{"Node Type": "Seq Scan", "Plan Rows": 9000}]}"#) == 9000)
    }

    @Test func aWriteInsideAQueryCounts() {
        let write = #"{"Node Type": "ModifyTable", "Plan Rows": 0, "Plans": [{"Node Type": "Seq Scan", "Plan Rows": 700}]}"#
        #expect(rows(#"{"Node Type": "Aggregate", "Plan Rows": 1, "Plans": [\#(write)]}"#) == 700)
    }

    @Test(arguments: ["", "[]", "{}", "[{}]", #"[{"Plan": 1}]"#, "[{\"Plan\": {\"Node Type\": \"x\"}}]"])
    func anythingElseIsNoNumber(_ text: String) { #expect(EstimatedPlan.rows(inJSON: Array(text.utf8)) == nil) }

    @Test func numbersBeyondAllCountingAreTheMost() {
        #expect(rows(#"{"Node Type": "Seq Scan", "Plan Rows": 1e300}"#) == .max)
    }
}
