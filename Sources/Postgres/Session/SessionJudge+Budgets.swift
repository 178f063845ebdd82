import GatehouseCore
import Policy

/// What the session spends, and whether it may spend more.
extension SessionJudge {
    /// A statement that would run although a budget is spent: the same one, denied or held. What ends a transaction always
    /// may: nobody is to be stuck in one. What a person was asked about, or will be, is not held a second time.
    func overBudget(_ judgement: Judgement) -> Judgement? {
        guard !budgets.isEmpty, judgement.verdict.decision != .deny, !judgement.onlyEndsTransactions else { return nil }
        let isAsked = judgement.isHeld || judgement.verdict.approval != nil
        guard let spent = gateway.budgets.spent(of: isAsked ? budgets.filter { $0.budget.effect != .hold } : budgets) else { return nil }
        if spent.budget.effect == .end { ending = spent }
        return make(judgement.actions, spent.verdict, judgement.epoch, judgement.analysis)
    }

    func spend(on judgement: Judgement) {
        guard !budgets.isEmpty else { return }
        if judgement.isDenied {
            switch judgement.verdict.category {
            case .budget, .approval: break
            case .rule, .notGranted, .unknown, .reserved, .masking, .limit: gateway.budgets.charge(BudgetAmounts(denied: 1), to: budgets)
            }
        } else {
            gateway.budgets.charge(BudgetAmounts(actions: UInt64(max(judgement.actions.count, 1))), to: budgets)
        }
    }

    var keepsTexts: Bool { budgets.contains { $0.budget.effect == .hold } }

    var countsMaskedValues: Bool { budgets.contains { $0.budget.limits[.maskedValues] != nil } }

    /// Counts what the client gets, and tells the budget that it thereby spent, if it did.
    func spend(rows: UInt64, bytes: UInt64, maskedValues: [UInt64]) -> SpentBudget? {
        guard !budgets.isEmpty else { return nil }
        gateway.budgets.charge(BudgetAmounts(rows: rows, bytes: bytes), to: budgets)
        if !maskedValues.isEmpty { gateway.budgets.charge(maskedValues: maskedValues, to: budgets) }
        return gateway.budgets.spent(of: budgets)
    }
}

extension Judgement {
    var onlyEndsTransactions: Bool {
        !actions.isEmpty
            && actions.allSatisfy { action in
                !action.kinds.isEmpty
                    && action.kinds.allSatisfy { $0.hasPrefix("transaction.commit") || $0.hasPrefix("transaction.rollback") }
            }
    }
}
