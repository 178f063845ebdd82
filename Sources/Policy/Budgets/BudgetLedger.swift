public import GatehouseCore
import Synchronization

/// What everybody has spent, over all sessions of this gateway. Methods may be called on any thread.
///
/// A window is counted in sixty slices: an amount leaves it when its whole slice has, so at most a sixtieth of the window late
/// and never early. In memory, and written to the catalog now and then (``takeChanges()``), so that neither a reconnect nor a
/// restart gives anything back.
public final class BudgetLedger: Sendable {
    public static let slices: UInt64 = 60
    private struct Slice {
        /// Time divided by the length of a slice.
        var number: UInt64
        var amounts: BudgetAmounts
        /// Masked values that were new then, where their fingerprints are not known any more (from before a restart).
        var values: UInt64 = 0
    }

    private struct Account {
        var sliceNanoseconds: UInt64
        var slices: [Slice] = []
        /// Fingerprints of masked values, each with the slice that it was last seen in. No more than the limit and one.
        var values: [UInt64: UInt64] = [:]
        var isChanged = false

        mutating func drop(before oldest: UInt64) {
            if let first = slices.first, first.number < oldest { slices.removeAll { $0.number < oldest } }
        }

        mutating func charge(_ amounts: BudgetAmounts, _ number: UInt64) {
            isChanged = true
            // A clock that was set back counts into the newest slice.
            if let last = slices.last, last.number >= number {
                slices[slices.count - 1].amounts.add(amounts)
            } else {
                slices.append(Slice(number: number, amounts: amounts))
            }
        }

        var sum: BudgetAmounts {
            var sum = BudgetAmounts()
            for slice in slices { sum.add(slice.amounts) }
            return sum
        }
    }

    private let accounts = Mutex<[BudgetKey: Account]>([:])
    private let clock: any GatewayClock

    public init(clock: any GatewayClock) {
        self.clock = clock
    }

    private func slice(_ budget: Budget) -> (length: UInt64, number: UInt64) {
        let length = max(UInt64(budget.window) * 1_000_000_000 / Self.slices, 1)
        return (length, clock.wallTime().nanoseconds / length)
    }

    /// Counts `amounts` in each of `charged`.
    public func charge(_ amounts: BudgetAmounts, to charged: [BudgetAccount]) {
        for account in charged {
            let (length, number) = slice(account.budget)
            accounts.withLock { accounts in
                Self.begin(account.key, length, &accounts)
                accounts[account.key]?.charge(amounts, number)
            }
        }
    }

    /// An account that there is not yet, or that was counted in slices of another length.
    private static func begin(_ key: BudgetKey, _ length: UInt64, _ accounts: inout [BudgetKey: Account]) {
        if accounts[key]?.sliceNanoseconds != length { accounts[key] = Account(sliceNanoseconds: length) }
    }

    /// Counts masked values by their fingerprints.
    public func charge(maskedValues fingerprints: [UInt64], to charged: [BudgetAccount]) {
        for account in charged {
            guard let limit = account.budget.limits[.maskedValues] else { continue }
            let (length, number) = slice(account.budget)
            accounts.withLock { accounts in
                Self.begin(account.key, length, &accounts)
                accounts[account.key]?.isChanged = true
                for fingerprint in fingerprints {
                    let isKnown = accounts[account.key]?.values[fingerprint] != nil
                    // One more than the limit says that it is exceeded; which ones they were no longer matters.
                    if isKnown || UInt64(accounts[account.key]?.values.count ?? 0) <= limit {
                        accounts[account.key]?.values[fingerprint] = number
                    }
                }
            }
        }
    }

    /// The first of `asked` that is spent, the one with the strictest effect before others.
    public func spent(of asked: [BudgetAccount]) -> SpentBudget? {
        var strictest: SpentBudget?
        for account in asked {
            guard let spent = spent(account) else { continue }
            if strictest.map({ rank(spent.budget.effect) > rank($0.budget.effect) }) ?? true { strictest = spent }
        }
        return strictest
    }

    private func rank(_ effect: Budget.Effect) -> Int {
        switch effect {
        case .hold: 0
        case .deny: 1
        case .end: 2
        }
    }

    private func spent(_ account: BudgetAccount) -> SpentBudget? {
        let budget = account.budget
        let (length, number) = slice(budget)
        let oldest = number >= Self.slices ? number - Self.slices : 0
        let (sum, values, first): (BudgetAmounts, UInt64, UInt64) = accounts.withLock { accounts in
            guard accounts[account.key] != nil else { return (BudgetAmounts(), 0, number) }
            accounts[account.key]?.drop(before: oldest)
            guard let kept = accounts[account.key] else { return (BudgetAmounts(), 0, number) }
            let old = kept.slices.reduce(UInt64(0)) { $0 &+ $1.values }
            return (kept.sum, old &+ UInt64(kept.values.values.count { $0 >= oldest }), kept.slices.first?.number ?? number)
        }
        for measure in Budget.Measure.allCases {
            guard let limit = budget.limits[measure] else { continue }
            let spent =
                switch measure {
                case .rows: sum.rows
                case .bytes: sum.bytes
                case .actions: sum.actions
                case .denied: sum.denied
                case .maskedValues: values
                }
            guard spent >= limit, spent > 0 || limit == 0 else { continue }
            // The window moves past the oldest slice when that ends a window later.
            let free = (first &+ Self.slices &+ 1) &* length
            let now = clock.wallTime().nanoseconds
            return SpentBudget(
                budget: budget, measure: measure, spent: spent, limit: limit,
                retryAfter: Int(clamping: (free > now ? free - now : 0) / 1_000_000_000 + 1))
        }
        return nil
    }

    // MARK: - Keeping

    /// What changed since the last call, to be written to the catalog. Accounts with nothing left in them are forgotten, and
    /// told with no slices.
    public func takeChanges() -> [StoredBudget] {
        let now = clock.wallTime().nanoseconds
        return accounts.withLock { accounts in
            var changes: [StoredBudget] = []
            for (key, account) in accounts {
                let number = now / max(account.sliceNanoseconds, 1)
                let oldest = number >= Self.slices ? number - Self.slices : 0
                let isOver = (account.slices.last?.number ?? 0) < oldest && account.values.values.allSatisfy { $0 < oldest }
                guard account.isChanged || isOver else { continue }
                if isOver {
                    accounts[key] = nil
                    changes.append(StoredBudget(key: key, sliceNanoseconds: account.sliceNanoseconds, slices: []))
                    continue
                }
                accounts[key]?.isChanged = false
                accounts[key]?.values = account.values.filter { $0.value >= oldest }
                changes.append(stored(key, account, oldest))
            }
            return changes
        }
    }

    /// They could not be written: they come with the next.
    public func giveBack(_ changes: [StoredBudget]) {
        accounts.withLock { accounts in
            for change in changes { accounts[change.key]?.isChanged = true }
        }
    }

    private func stored(_ key: BudgetKey, _ account: Account, _ oldest: UInt64) -> StoredBudget {
        var slices: [UInt64: StoredBudget.Slice] = [:]
        for slice in account.slices where slice.number >= oldest {
            slices[slice.number] = .init(number: slice.number, amounts: slice.amounts, values: slice.values)
        }
        for number in account.values.values where number >= oldest {
            slices[number, default: .init(number: number, amounts: BudgetAmounts(), values: 0)].values &+= 1
        }
        return StoredBudget(
            key: key, sliceNanoseconds: account.sliceNanoseconds, slices: slices.values.sorted { $0.number < $1.number })
    }

    /// What an earlier run kept; before the first session. An account whose window has another length now begins anew.
    public func restore(_ stored: [StoredBudget]) {
        accounts.withLock { accounts in
            for one in stored {
                accounts[one.key] = Account(
                    sliceNanoseconds: one.sliceNanoseconds,
                    slices: one.slices.map { Slice(number: $0.number, amounts: $0.amounts, values: $0.values) })
            }
        }
    }
}

/// An account as the catalog keeps it.
public struct StoredBudget: Sendable, Hashable {
    public struct Slice: Sendable, Hashable, Codable {
        public var number: UInt64
        public var amounts: BudgetAmounts
        public var values: UInt64
    }

    public var key: BudgetKey
    public var sliceNanoseconds: UInt64
    /// Oldest first; none: the account can be forgotten.
    public var slices: [Slice]

    public init(key: BudgetKey, sliceNanoseconds: UInt64, slices: [Slice]) {
        self.key = key
        self.sliceNanoseconds = sliceNanoseconds
        self.slices = slices
    }
}

/// Where budgets are kept.
public protocol BudgetStore: Sendable {
    func budgets() async throws -> [StoredBudget]
    /// Writes `changes`, all or none; those without slices are removed. Returns once they are on disk.
    func save(_ changes: [StoredBudget]) async throws
}
