import Catalog
import Logging
import Policy

/// Writes what was spent into the catalog each second, until the task is cancelled.
func keep(_ budgets: BudgetLedger, in catalog: SQLiteCatalog, _ logger: Logger) async {
    while !Task.isCancelled {
        let changes = budgets.takeChanges()
        do {
            try await catalog.save(changes)
        } catch {
            budgets.giveBack(changes)
            logger.error("what was spent of budgets could not be kept", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: .seconds(1))
    }
}
