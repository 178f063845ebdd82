import Foundation
import GRDB
public import Policy

extension SQLiteCatalog: BudgetStore {
    public func budgets() async throws -> [StoredBudget] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM budgets").map { row in
                StoredBudget(
                    key: BudgetKey(budget: try row.decode(forColumn: "budget"), owner: try row.decode(forColumn: "owner")),
                    sliceNanoseconds: UInt64(clamping: try row.decode(Int64.self, forColumn: "slice")),
                    slices: try JSONDecoder().decode(
                        [StoredBudget.Slice].self, from: Data(try row.decode(String.self, forColumn: "slices").utf8)))
            }
        }
    }

    public func save(_ changes: [StoredBudget]) async throws {
        guard !changes.isEmpty else { return }
        let encoded = try changes.map { ($0, String(decoding: try JSONEncoder().encode($0.slices), as: UTF8.self)) }
        try await writer.perform { db in
            for (change, slices) in encoded {
                if change.slices.isEmpty {
                    try db.execute(
                        sql: "DELETE FROM budgets WHERE budget = ? AND owner = ?", arguments: [change.key.budget, change.key.owner])
                } else {
                    try db.execute(
                        sql: "INSERT OR REPLACE INTO budgets (budget, owner, slice, slices) VALUES (?, ?, ?, ?)",
                        arguments: [change.key.budget, change.key.owner, Int64(clamping: change.sliceNanoseconds), slices])
                }
            }
        }
    }
}
