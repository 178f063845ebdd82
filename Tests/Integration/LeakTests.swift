import Foundation
import Testing

extension IntegrationTests {
    /// Raw sequences of messages: what a name, a portal or a verdict stands for must not be taken for something else.
    @Suite struct LeakTests {
        @Test(arguments: [
            "unnamed-again", "unnamed-again-undescribed", "one-pipeline", "two-segments-at-once", "failed-parse-keeps-the-old",
            "sql-prepare-under-a-protocol-name", "sql-execute-of-a-protocol-name", "declare-under-a-portal-name", "fetch-of-a-portal",
            "described-before", "canonically-equal-names", "names-cut-by-the-server", "search-path-after-parse",
            "execute-prepared-twice", "copy-in-a-prepared-statement",
        ])
        func noSequenceUncoversAMaskedColumn(scenario: String) async throws {
            let bed = try await Bed.shared()
            let secrets = try await bed.direct(writer: false).value("SELECT ssn FROM customers").split(separator: "\n")
            let facts = try await json(run(scenario, bed.through("orders", as: bed.bob)))
            let seen = facts["bytes"]?.string ?? ""
            #expect(!seen.isEmpty)
            #expect(!secrets.contains { seen.contains($0) }, "\(seen.prefix(500))")
            #expect(bed.gateway.isRunning)
        }

        /// The sequences do reach the column: somebody who may see it does.
        @Test(arguments: [
            "unnamed-again", "unnamed-again-undescribed", "one-pipeline", "two-segments-at-once", "sql-execute-of-a-protocol-name",
            "sql-prepare-under-a-protocol-name", "fetch-of-a-portal", "declare-under-a-portal-name", "copy-in-a-prepared-statement",
        ])
        func whoeverMaySeeTheColumnDoes(scenario: String) async throws {
            let bed = try await Bed.shared()
            let secret = try await bed.direct(writer: false).value("SELECT ssn FROM customers LIMIT 1")
            let facts = try await json(run(scenario, bed.through("orders", as: bed.alice)))
            #expect(facts["bytes"]?.string?.contains(secret) == true, "\(facts)")
        }

        @Test func theVerdictOnOneTextIsNotUsedForAnother() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(run("verdict-of-another-text", bed.through("orders", as: bed.alice)))
            #expect(facts["bytes"]?.string?.contains("no-drop") == true, "\(facts)")
        }

        private func run(_ scenario: String, _ endpoint: Endpoint) async throws -> Finished {
            try await Shell.run(
                Project.python, [Project.support("leaks.py"), scenario], environment: endpoint.environment, deadline: .seconds(60))
        }
    }
}
