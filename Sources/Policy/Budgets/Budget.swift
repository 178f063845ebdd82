public import GatehouseCore

/// How much somebody may take within a time that moves along, over all targets that the budget is about.
public struct Budget: Sendable, Hashable, Codable {
    /// What is counted.
    public enum Measure: String, Sendable, Hashable, Codable, CaseIterable {
        /// Rows of results, and of COPY TO.
        case rows
        /// Bytes sent to the client, as it gets them.
        case bytes
        /// Statements that ran.
        case actions
        /// Statements that a rule denied; those that a budget denied do not count.
        case denied
        /// Different values that a mask stood in for.
        case maskedValues = "masked_values"
    }

    /// What happens when it is spent.
    public enum Effect: String, Sendable, Hashable, Codable, CaseIterable {
        case deny, hold, end
    }

    public var id: String
    public var who: Who
    public var place: Where
    /// A workload claim by whose value is counted, for callers who have it; nil, or for callers without: by issuer and subject.
    public var claim: String?
    /// Seconds.
    public var window: Int
    public var limits: [Measure: UInt64]
    public var effect: Effect
    public var hold: HoldTerms?
    public var reason: String
    public var hint: String
    /// The line of the configuration, for messages. Not part of the policy's version.
    public var sourceLine: Int?

    public init(
        id: String, who: Who = Who(), where place: Where = Where(), claim: String? = nil, window: Int, limits: [Measure: UInt64],
        effect: Effect, hold: HoldTerms? = nil, reason: String = "", hint: String = "", sourceLine: Int? = nil
    ) {
        self.id = id
        self.who = who
        self.place = place
        self.claim = claim
        self.window = max(window, 1)
        self.limits = limits
        self.effect = effect
        self.hold = hold
        self.reason = reason
        self.hint = hint
        self.sourceLine = sourceLine
    }

    private enum CodingKeys: String, CodingKey {
        case id, who, claim, window, limits, effect, hold, reason, hint
        case place = "where"
    }

    /// Whose it is when `principal` spends.
    func account(of principal: Principal) -> BudgetAccount {
        if let claim, let value = principal.workload[claim] {
            return BudgetAccount(budget: self, owner: "claim\n\(principal.issuer)\n\(claim)\n\(value)")
        }
        return BudgetAccount(budget: self, owner: "principal\n\(principal.issuer)\n\(principal.subject)")
    }
}

/// One budget of one spender.
public struct BudgetAccount: Sendable, Hashable {
    public let budget: Budget
    /// Tells spenders apart; kept in the catalog.
    public let owner: String
    let key: BudgetKey

    init(budget: Budget, owner: String) {
        self.budget = budget
        self.owner = owner
        key = BudgetKey(budget: budget.id, owner: owner)
    }
}

public struct BudgetKey: Sendable, Hashable {
    public let budget: String
    public let owner: String

    public init(budget: String, owner: String) {
        self.budget = budget
        self.owner = owner
    }
}

/// Amounts of each measure.
public struct BudgetAmounts: Sendable, Hashable, Codable {
    public var rows: UInt64
    public var bytes: UInt64
    public var actions: UInt64
    public var denied: UInt64

    public init(rows: UInt64 = 0, bytes: UInt64 = 0, actions: UInt64 = 0, denied: UInt64 = 0) {
        self.rows = rows
        self.bytes = bytes
        self.actions = actions
        self.denied = denied
    }

    mutating func add(_ other: BudgetAmounts) {
        rows &+= other.rows
        bytes &+= other.bytes
        actions &+= other.actions
        denied &+= other.denied
    }
}

/// A budget that is spent.
public struct SpentBudget: Sendable, Hashable {
    public let budget: Budget
    public let measure: Budget.Measure
    public let spent: UInt64
    public let limit: UInt64
    /// Seconds until some of it is free again, at the least.
    public let retryAfter: Int

    /// For the client.
    public var verdict: Verdict {
        let what =
            switch measure {
            case .rows: "rows"
            case .bytes: "bytes"
            case .actions: "statements"
            case .denied: "denied statements"
            case .maskedValues: "different masked values"
            }
        let why = budget.reason.isEmpty ? "" : "\(budget.reason) "
        let text = "\(why)The budget of \(limit) \(what) in \(spoken(budget.window)) is spent."
        let decision: Verdict.Decision = budget.effect == .hold ? .hold : .deny
        return Verdict(
            decision: decision, rule: budget.id, reason: text,
            hint: budget.hint.isEmpty ? "Some of it is free again in \(spoken(retryAfter)) at the earliest." : budget.hint,
            category: .budget, hold: decision == .hold ? budget.hold : nil)
    }

    private func spoken(_ seconds: Int) -> String {
        if seconds >= 86_400, seconds % 86_400 == 0 { return "\(seconds / 86_400) d" }
        if seconds >= 3_600, seconds % 3_600 == 0 { return "\(seconds / 3_600) h" }
        if seconds >= 60, seconds % 60 == 0 { return "\(seconds / 60) min" }
        return "\(seconds) s"
    }
}
