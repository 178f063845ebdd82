import GatehouseCore
import Masking
import Policy

/// One of `masks`, and the key of those that need one.
extension SettingsReader {
    /// More days would move dates out of what they are about.
    private static let mostDays = 36_500

    func readMask(_ section: Section, _ targets: [ReadTarget]) -> MaskRule? {
        defer { section.finish() }
        let id = readID(section)
        let columns = section.list("columns")?.compactMap { scalar in
            context.parse(scalar, section.name("columns")) { text throws(ValueError) in
                do { return try ColumnPattern(text) } catch { throw ValueError(message: "cannot be read: \(error)") }
            }
        }
        if !section.has("columns") { _ = section.required("columns", like: "[public.customers.ssn]") }
        if !section.has("strategy") { _ = section.required("strategy", like: "redact") }
        let strategy: MaskRule.Strategy? = section.choice("strategy")
        let options = readOptions(section, strategy)
        let keep: MaskRule.KeepOriginal? = section.choice("keep_original")
        if keep == .sealed { context.masksThatKeep.append((section.name("keep_original"), section.place(of: "keep_original"))) }
        let view = readView(section, keep)
        let otherwise: MaskRule.Otherwise? = section.choice("otherwise")
        if view == .recording, otherwise == .error {
            problems.error(
                section.place(of: "otherwise"),
                "`\(section.name("otherwise"))`: a mask of the recording alone hides nothing from the client; remove it")
        }
        let except = readOptionalWho(section, "except")
        if let except, except == Who() {
            problems.error(
                section.place(of: "except"), "`\(section.name("except"))` names nobody, which would mean everybody; leave it out")
        }
        let unmask = readUnmask(section)
        let place = readOptionalWhere(section, targets) ?? Where()
        guard let id, let columns, let strategy else { return nil }
        return MaskRule(
            id: id, columns: columns, strategy: strategy, options: options == MaskRule.Options() ? nil : options,
            keepOriginal: keep, appliesTo: view, otherwise: otherwise, except: except, unmask: unmask, where: place,
            sourceLine: section.place.line)
    }

    /// Who must not see what the mask hides, and what makes no sense beside it.
    private func readView(_ section: Section, _ keep: MaskRule.KeepOriginal?) -> MaskRule.View? {
        let view: MaskRule.View? = section.choice("applies_to")
        if view == .client, keep == .sealed {
            problems.error(
                section.place(of: "keep_original"),
                "`\(section.name("keep_original"))`: a mask of the client alone leaves clear values in the recording already; remove it")
        }
        if view == .recording, section.has("unmask") {
            problems.error(
                section.place(of: "unmask"),
                "`\(section.name("unmask"))`: a mask of the recording alone hides nothing from the client; remove it")
        }
        return view
    }

    // MARK: What a strategy is told

    private func readOptions(_ section: Section, _ strategy: MaskRule.Strategy?) -> MaskRule.Options {
        let keys: [(String, [MaskRule.Strategy])] = [
            ("keep_first", [.partial]), ("keep_last", [.partial]), ("mask_character", [.partial]), ("keep_domain", [.partial]),
            ("domain", [.token, .dateShift]), ("days", [.dateShift]), ("to", [.round]),
        ]
        for (key, strategies) in keys where section.has(key) && strategy.map({ !strategies.contains($0) }) == true {
            problems.error(
                section.place(of: key),
                "`\(section.name(key))` is for `strategy: \(strategies.map(\.rawValue).joined(separator: "` or `"))`; remove it")
        }
        if strategy == .dateShift, !section.has("days") { _ = section.required("days", like: "30") }
        if strategy == .round, !section.has("to") { _ = section.required("to", like: "100") }
        return MaskRule.Options(
            keepFirst: section.integer("keep_first", within: 0...PartialShape.maximumKept),
            keepLast: section.integer("keep_last", within: 0...PartialShape.maximumKept),
            character: section.value("mask_character") { text throws(ValueError) in
                guard text.utf8.count == 1, let byte = text.utf8.first, (0x21...0x7E).contains(byte) else {
                    throw ValueError(message: "must be one printable ASCII character")
                }
                return text
            },
            keepDomain: section.boolean("keep_domain"),
            domain: section.scalar("domain").flatMap { checkedName($0, section.name("domain")) },
            days: section.integer("days", within: 1...Self.mostDays),
            step: section.value("to") { text throws(ValueError) in
                guard RoundingStep(text) != nil else {
                    throw ValueError(message: "must be a number above 0, such as 100 or 0.5, of at most 15 digits and 9 behind the point")
                }
                return text
            })
    }

    // MARK: Who may ask for clear values

    private func readUnmask(_ section: Section) -> HoldTerms? {
        guard let part = section.section("unmask") else { return nil }
        guard var terms = readTerms(part) else { return nil }
        if part.has("use") {
            problems.error(
                part.place(of: "use"), "`\(part.name("use"))`: clear values are for one session until `valid` is over; remove it")
        }
        // The reason comes with the request.
        if part.has("reason") {
            problems.error(part.place(of: "reason"), "`\(part.name("reason"))`: nobody can ask without one; remove it")
        }
        terms.needsReason = true
        return terms
    }

    // MARK: The key

    /// `mask_key` from the environment, or `mask_key_file`.
    func readMaskKey(_ root: Section) -> Secret? {
        guard let key = root.secret("mask_key") else { return nil }
        guard key.reveal().utf8.count >= 32 else {
            let name = root.has("mask_key") ? "mask_key" : "mask_key_file"
            problems.error(
                root.place(of: name),
                "`\(name)`: the key has fewer than 32 characters, and could be guessed; make one with `openssl rand -hex 32`")
            return nil
        }
        return key
    }
}
