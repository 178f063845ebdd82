import GatehouseCore

/// What Gatehouse decides by itself. These ids begin with `gatehouse.`, which no rule of a configuration may.
enum BuiltIn {
    /// Changes after which the server would read text otherwise than the analyser does. No rule can allow them: every other
    /// rule rests on the two reading the same. Changes to the value that the gateway itself insists on pass.
    static func lexingVerdict(_ facts: Facts) -> Verdict? {
        guard !facts.action.settings.isEmpty, !facts.onlyResets else { return nil }
        for change in facts.action.settings {
            guard let name = change.name else { return computedSetting }
            // RESET and SET .. TO DEFAULT go back to the value that the session began with only where the kind says so;
            // in ALTER ROLE .. SET they may mean any.
            if name == "standard_conforming_strings", !isTrue(change.value) { return stringSetting }
            if name == "client_encoding", !isUTF8(change.value) { return clientEncoding }
        }
        return nil
    }

    /// The kinds of this action that only a rule which names them can allow.
    static func restrictedKinds(_ facts: Facts) -> [String] {
        var found: [String] = []
        for kind in facts.action.kinds {
            for restricted in restrictedKinds where kind == restricted || kind.hasPrefix(restricted + ".") {
                found.append(restricted)
            }
        }
        if !facts.onlyResets, facts.action.settings.contains(where: { $0.name == "role" || $0.name == "session_authorization" }) {
            found.append("set.role")
        }
        return found
    }

    static func restricted(_ kind: String) -> Verdict {
        switch kind {
        case "set.role":
            Verdict(
                decision: .deny, rule: "gatehouse.set-role", reason: "Changing the role inside a session is denied.",
                hint: "Log in as role@target instead. A rule that allows kinds: [set.role] by name permits it.", category: .reserved)
        case "function_call":
            Verdict(
                decision: .deny, rule: "gatehouse.function-call",
                reason: "The FunctionCall message is denied: it names functions by number only.",
                hint: "Call the function in a SELECT. A rule that allows kinds: [function_call] by name permits it.", category: .reserved)
        default:
            Verdict(
                decision: .deny, rule: "gatehouse.replication", reason: "Replication connections are denied.",
                hint: "A rule that allows kinds: [replication] by name permits them.", category: .reserved)
        }
    }

    static let unparsed = Verdict(
        decision: .deny, rule: "gatehouse.unparsed",
        reason: "The statement could not be analysed, and the policy depends on what it does.",
        hint: "Check its syntax, shorten it or send it in parts. A rule with unparsed: true decides over such text.", category: .unknown)

    static let opaque = Verdict(
        decision: .deny, rule: "gatehouse.opaque",
        reason: "The statement runs code that cannot be seen, and the policy depends on what it does.",
        hint: "Send the statements themselves, not inside DO, EXECUTE or a function. A rule with opaque: true decides over such code.",
        category: .unknown)

    static let unknownEstimate = Verdict(
        decision: .deny, rule: "gatehouse.unknown-estimate",
        reason: "The policy depends on how many rows the statement works on, and the server gave no estimate.",
        hint:
            "Send it outside a transaction and without temporary tables. A rule with estimated_rows: unknown decides over such statements.",
        category: .unknown)

    /// What a target never lets through, whatever the rules say. Text that was not understood may be any of it.
    static func optionsVerdict(_ facts: Facts, _ options: TargetOptions) -> Verdict? {
        let denies = options.opaque == .deny || options.functions != nil
        if facts.isUnparsed { return denies ? unparsed : nil }
        if options.opaque == .deny, facts.isOpaque { return opaque }
        guard let listed = options.functions, facts.action.flags.contains(.callsUnknownFunction) else { return nil }
        let called = facts.action.functions
        let isListed = !called.isEmpty && called.allSatisfy { name in listed.contains { $0.surelyMatches(name) } }
        return isListed ? nil : unlistedFunction
    }

    private static let unlistedFunction = Verdict(
        decision: .deny, rule: "gatehouse.functions",
        reason: "The statement calls a function of unknown working that is not on the target's list.",
        hint:
            "Call the server's own functions, or those on the list by schema and name; ask for others to be added to the target's functions.",
        category: .notGranted)

    private static let restrictedKinds = ["set.role", "function_call", "replication"]

    private static let computedSetting = Verdict(
        decision: .deny, rule: "gatehouse.computed-setting",
        reason: "The statement changes a setting whose name is computed, so that it could be any.",
        hint: "Write the setting's name as a plain string, or use SET.", category: .reserved)

    private static let stringSetting = Verdict(
        decision: .deny, rule: "gatehouse.string-setting",
        reason: "standard_conforming_strings stays on: strings must mean the same to the gateway and the server.",
        hint: "Write E'...' where backslash escapes are meant.", category: .reserved)

    private static let clientEncoding = Verdict(
        decision: .deny, rule: "gatehouse.client-encoding",
        reason: "client_encoding stays UTF8: text must mean the same to the gateway and the server.",
        hint: "Set the client's encoding to UTF8 and convert on the client.", category: .reserved)

    /// The words for true that PostgreSQL's `parse_bool` takes (with their unique beginnings).
    private static func isTrue(_ value: String?) -> Bool {
        guard let value else { return false }
        return ["on", "true", "tru", "tr", "t", "yes", "ye", "y", "1"].contains(value.lowercased())
    }

    /// PostgreSQL compares encoding names by letters and digits alone (`clean_encoding_name`); `unicode` is an alias.
    private static func isUTF8(_ value: String?) -> Bool {
        guard let value else { return false }
        let name = value.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        return name == "utf8" || name == "unicode"
    }
}
