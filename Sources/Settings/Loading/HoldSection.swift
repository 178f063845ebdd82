import GatehouseCore
import Policy

/// `approval` of a rule that holds.
extension SettingsReader {
    /// nil where the rule does not hold, or where something is wrong, which is then reported.
    func readHold(_ rule: Section, _ effect: Rule.Effect?) -> HoldTerms? {
        guard let section = rule.section("approval") else {
            if effect == .hold, !rule.has("approval") {
                problems.error(
                    rule.place, "`\(rule.path)` holds, and must say who approves; add, for example `approval: { approvers: [managers] }`")
            }
            return nil
        }
        if effect != .hold, effect != nil {
            problems.error(section.place, "`\(section.path)` belongs to a rule with effect: hold")
        }
        return readTerms(section)
    }

    /// Who approves, and on which terms.
    func readTerms(_ section: Section) -> HoldTerms? {
        defer { section.finish() }
        guard let list = section.list("approvers") else {
            if !section.has("approvers") { _ = section.required("approvers", like: "[managers]") }
            return nil
        }
        if list.isEmpty { problems.error(section.place(of: "approvers"), "`\(section.name("approvers"))` names nobody") }
        let terms = HoldTerms(
            approvers: list.map(\.text), required: section.integer("required", within: 1...100) ?? 1,
            needsReason: section.boolean("reason") ?? false,
            waitSeconds: seconds(section, "wait", within: 1...86_400, orElse: 300),
            transactionWaitSeconds: seconds(section, "wait_in_transaction", within: 0...3_600, orElse: 30),
            validSeconds: seconds(section, "valid", within: 1...30 * 86_400, orElse: 3_600),
            use: section.choice("use") ?? .once, breakGlass: section.list("break_glass")?.map(\.text) ?? [])
        if terms.waitSeconds > terms.validSeconds {
            problems.error(section.place, "`\(section.path)`: wait is longer than valid, after which no approval counts")
        }
        return terms
    }

    private func seconds(_ section: Section, _ key: String, within range: ClosedRange<Int>, orElse preset: Int) -> Int {
        section.value(key) { text throws(ValueError) in
            guard let duration = try parseDuration(text) else { throw ValueError(message: "must end: write a duration, as in 5m") }
            let seconds = Int(duration.components.seconds)
            guard range.contains(seconds), duration == .seconds(seconds) else {
                throw ValueError(message: "must be whole seconds between \(range.lowerBound)s and \(range.upperBound)s")
            }
            return seconds
        } ?? preset
    }
}
