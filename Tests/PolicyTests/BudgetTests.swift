import GatehouseCore
import Synchronization
import Testing

@testable import Policy

private final class HandClock: GatewayClock {
    private let now = Mutex(UInt64(1_800_000_000_000_000_000))
    func wallTime() -> WallTime { WallTime(nanoseconds: now.withLock { $0 }) }
    func monotonicNanoseconds() -> UInt64 { now.withLock { $0 } }
    func move(seconds: Int) { now.withLock { $0 = UInt64(Int64($0) + Int64(seconds) * 1_000_000_000) } }
}

@Suite struct BudgetTests {
    private let clock = HandClock()

    private func principal(_ subject: String, task: String? = nil) -> Principal {
        Principal(
            issuer: "https://login.example.com", subject: subject, user: subject, groups: [], workload: task.map { ["task": $0] } ?? [:],
            credential: .token(id: nil), expires: WallTime(nanoseconds: .max))
    }

    private func budget(_ limits: [Budget.Measure: UInt64], effect: Budget.Effect = .deny, claim: String? = nil) -> Budget {
        Budget(id: "b", claim: claim, window: 3_600, limits: limits, effect: effect)
    }

    @Test func whatIsSpentIsSpentUntilTheWindowHasPassed() throws {
        let ledger = BudgetLedger(clock: clock)
        let account = budget([.rows: 100]).account(of: principal("a"))
        ledger.charge(BudgetAmounts(rows: 99), to: [account])
        #expect(ledger.spent(of: [account]) == nil)
        ledger.charge(BudgetAmounts(rows: 1), to: [account])
        let spent = try #require(ledger.spent(of: [account]))
        #expect(spent.measure == .rows && spent.spent == 100 && spent.limit == 100)
        clock.move(seconds: 3_590)
        #expect(ledger.spent(of: [account]) != nil)
        // A sixtieth of the window later at the most.
        clock.move(seconds: 10 + 120)
        #expect(ledger.spent(of: [account]) == nil)
    }

    @Test func theWindowMovesSliceBySlice() {
        let ledger = BudgetLedger(clock: clock)
        let account = budget([.actions: 10]).account(of: principal("a"))
        for _ in 0..<2 {
            ledger.charge(BudgetAmounts(actions: 5), to: [account])
            clock.move(seconds: 1_800)
        }
        // The first five leave, the second five are still there.
        clock.move(seconds: 120)
        #expect(ledger.spent(of: [account]) == nil)
        ledger.charge(BudgetAmounts(actions: 5), to: [account])
        #expect(ledger.spent(of: [account])?.spent == 10)
    }

    @Test func aTaskIsCountedWhoeverWorksOnIt() {
        let ledger = BudgetLedger(clock: clock)
        let one = budget([.rows: 10], claim: "task")
        ledger.charge(BudgetAmounts(rows: 6), to: [one.account(of: principal("a", task: "t1"))])
        ledger.charge(BudgetAmounts(rows: 6), to: [one.account(of: principal("b", task: "t1"))])
        #expect(ledger.spent(of: [one.account(of: principal("c", task: "t1"))]) != nil)
        #expect(ledger.spent(of: [one.account(of: principal("a", task: "t2"))]) == nil)
        #expect(ledger.spent(of: [one.account(of: principal("a"))]) == nil)
    }

    @Test func maskedValuesCountOnceEach() {
        let ledger = BudgetLedger(clock: clock)
        let account = budget([.maskedValues: 3]).account(of: principal("a"))
        ledger.charge(maskedValues: [1, 1, 2, 2, 1], to: [account])
        #expect(ledger.spent(of: [account]) == nil)
        ledger.charge(maskedValues: [3, 4, 5, 6], to: [account])
        #expect(ledger.spent(of: [account])?.measure == .maskedValues)
    }

    @Test func theStrictestEffectIsTold() {
        let ledger = BudgetLedger(clock: clock)
        let accounts = [Budget.Effect.hold, .end, .deny].map { effect in
            Budget(id: effect.rawValue, window: 60, limits: [.denied: 1], effect: effect).account(of: principal("a"))
        }
        ledger.charge(BudgetAmounts(denied: 1), to: accounts)
        #expect(ledger.spent(of: accounts)?.budget.id == "end")
    }

    @Test func aLimitOfNothingIsSpentFromTheStart() {
        let ledger = BudgetLedger(clock: clock)
        #expect(ledger.spent(of: [budget([.rows: 0]).account(of: principal("a"))]) != nil)
    }

    @Test func whatWasKeptCountsAfterARestart() {
        let ledger = BudgetLedger(clock: clock)
        let account = budget([.rows: 100, .maskedValues: 2]).account(of: principal("a"))
        ledger.charge(BudgetAmounts(rows: 100), to: [account])
        ledger.charge(maskedValues: [1, 2], to: [account])
        let changes = ledger.takeChanges()
        #expect(changes.count == 1)
        #expect(ledger.takeChanges().isEmpty)
        let later = BudgetLedger(clock: clock)
        later.restore(changes)
        #expect(later.spent(of: [account])?.measure == .rows)
        let other = Budget(id: "b", window: 3_600, limits: [.maskedValues: 2], effect: .deny).account(of: principal("a"))
        #expect(later.spent(of: [other])?.spent == 2)
        // Nothing is left of it once the window has passed, in the catalog neither.
        clock.move(seconds: 3_800)
        #expect(later.spent(of: [account]) == nil)
        #expect(later.takeChanges().map(\.slices.isEmpty) == [true])
    }

    @Test func whatCouldNotBeWrittenComesAgain() {
        let ledger = BudgetLedger(clock: clock)
        let account = budget([.rows: 100]).account(of: principal("a"))
        ledger.charge(BudgetAmounts(rows: 1), to: [account])
        ledger.giveBack(ledger.takeChanges())
        #expect(ledger.takeChanges().count == 1)
    }

    @Test func aWindowOfAnotherLengthBeginsAnew() {
        let ledger = BudgetLedger(clock: clock)
        ledger.charge(BudgetAmounts(rows: 100), to: [budget([.rows: 100]).account(of: principal("a"))])
        let shorter = Budget(id: "b", window: 60, limits: [.rows: 100], effect: .deny).account(of: principal("a"))
        ledger.charge(BudgetAmounts(rows: 1), to: [shorter])
        #expect(ledger.spent(of: [shorter]) == nil)
    }

    @Test func aClockThatIsSetBackGivesNothingBack() {
        let ledger = BudgetLedger(clock: clock)
        let account = budget([.rows: 10]).account(of: principal("a"))
        ledger.charge(BudgetAmounts(rows: 6), to: [account])
        clock.move(seconds: -1_800)
        ledger.charge(BudgetAmounts(rows: 6), to: [account])
        #expect(ledger.spent(of: [account]) != nil)
    }

    @Test func theDenialSaysWhatIsSpentAndUntilWhen() throws {
        let ledger = BudgetLedger(clock: clock)
        let account = budget([.actions: 2]).account(of: principal("a"))
        ledger.charge(BudgetAmounts(actions: 2), to: [account])
        let verdict = try #require(ledger.spent(of: [account])).verdict
        #expect(verdict.decision == .deny && verdict.category == .budget && verdict.rule == "b")
        #expect(verdict.reason == "The budget of 2 statements in 1 h is spent.")
        #expect(verdict.hint.hasPrefix("Some of it is free again in"))
    }
}
