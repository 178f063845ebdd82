import GatehouseCore
import Policy

/// `budgets`.
extension SettingsReader {
    func readBudgets(_ root: Section, _ targets: [ReadTarget]) -> [Budget] {
        let sections = root.sections("budgets")
        checkUnique(ids(of: sections), "budget id")
        return sections.compactMap { readBudget($0, targets) }
    }

    private func readBudget(_ section: Section, _ targets: [ReadTarget]) -> Budget? {
        defer { section.finish() }
        let id = readID(section)
        let who = readOptionalWho(section, "who") ?? Who()
        let place = section.section("where").map { readWhole($0) { readWhere($0, targets) } } ?? Where()
        let claim = readSpender(section)
        if !section.has("window") { _ = section.required("window", like: "1h") }
        let window: Int? = section.value("window") { text throws(ValueError) in
            guard let duration = try parseDuration(text) else { throw ValueError(message: "must end: write a duration, as in 1h") }
            let seconds = Int(duration.components.seconds)
            guard (60...90 * 86_400).contains(seconds) else { throw ValueError(message: "must be between 1m and 90d") }
            return seconds
        }
        var limits: [Budget.Measure: UInt64] = [:]
        for measure in Budget.Measure.allCases {
            let limit =
                measure == .bytes
                ? section.size(measure.rawValue, within: 0...Int.max) : section.integer(measure.rawValue, within: 0...Int.max)
            limits[measure] = limit.map { UInt64($0) }
        }
        if limits[.maskedValues] ?? 0 > 100_000 {
            problems.error(
                section.place(of: "masked_values"), "`\(section.name("masked_values"))` is above 100000, which are held in memory")
        }
        if limits.isEmpty {
            let measures = Budget.Measure.allCases.map(\.rawValue).joined(separator: ", ")
            problems.error(section.place, "`\(section.path)` limits nothing: give one or more of \(measures)")
        }
        if !section.has("effect") { _ = section.required("effect", like: "deny") }
        let effect: Budget.Effect? = section.choice("effect")
        let hold = readHold(section, effect.map { $0 == .hold ? .hold : .deny })
        let reason = section.scalar("reason")?.text ?? ""
        let hint = section.scalar("hint")?.text ?? ""
        guard let id, let window, let effect, effect != .hold || hold != nil else { return nil }
        return Budget(
            id: id, who: who, where: place, claim: claim, window: window, limits: limits, effect: effect, hold: hold, reason: reason,
            hint: hint, sourceLine: section.place.line)
    }

    /// `per: principal`, or `per: claim:NAME`.
    private func readSpender(_ section: Section) -> String? {
        let claim: String?? = section.value("per") { text throws(ValueError) in
            if text == "principal" { return nil }
            guard text.hasPrefix("claim:"), text.count > 6 else {
                throw ValueError(message: "must be principal, or claim:NAME for a claim of the issuer's claims.workload")
            }
            return String(text.dropFirst(6))
        }
        return claim ?? nil
    }
}
