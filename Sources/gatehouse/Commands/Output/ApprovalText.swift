import Foundation

/// An approval in words.
struct ApprovalText {
    private let approval: JSON

    init(_ approval: JSON) {
        self.approval = approval
    }

    func text(_ member: String) -> String { approval[member]?.string ?? "?" }

    var id: String { text("id") }
    var state: String { text("state") }
    var progress: String { "\(approval["approved"]?.integer ?? 0) of \(approval["required"]?.integer ?? 1)" }

    /// What is asked for, on one line and without its values.
    var summary: String {
        guard approval["kind"]?.string != "session" else { return "the whole session" }
        let text = text("normalized")
        return text.count > 80 ? "\(text.prefix(79))…" : text
    }

    /// How it stands, in one sentence.
    var standing: String {
        let what =
            switch state {
            case "pending": "waits: \(progress) approved" + (lacksReason ? ", and a reason is asked for" : "")
            case "approved": "is approved" + (brokeGlass ? " by its requester, who broke the glass" : "")
            case "denied": "is denied"
            case "expired": "is over: nobody decided in time"
            case "withdrawn": "was withdrawn: nobody waits for it any more"
            default: "is \(state)"
            }
        return forTerminal("\(id) \(what).")
    }

    private var lacksReason: Bool { approval["needs_reason"] == .boolean(true) && (approval["reason"]?.string ?? "").isEmpty }
    private var brokeGlass: Bool { approval["votes"]?.elements.contains { $0["choice"]?.string == "break_glass" } ?? false }

    /// Everything, for whoever decides.
    func lines() -> [String] {
        var lines = [standing, ""]
        func add(_ name: String, _ value: String) {
            guard !value.isEmpty else { return }
            lines.append("\(name):".padding(toLength: 14, withPad: " ", startingAt: 0) + forTerminal(value))
        }
        add("Who", requester)
        for (depth, actor) in (approval["delegation"]?.elements ?? []).enumerated() {
            let issuer = actor["issuer"]?.string.map { " of \($0)" } ?? ""
            add(depth == 0 ? "Through" : "Before that", "\(actor["subject"]?.string ?? "?")\(issuer)")
        }
        add("Groups", (approval["groups"]?.strings ?? []).joined(separator: ", "))
        if case .object(let claims)? = approval["workload"] {
            add("Workload", claims.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.string ?? "?")" }.joined(separator: " "))
        }
        add("Ticket", approval["ticket"]?.string ?? "")
        add("Where", "\(text("target")) as \(text("role")), database \(text("database")), by \(text("protocol"))")
        add("Client", approval["application"]?.string ?? "")
        add("Session", text("session") + " on \(text("node"))")
        add("Rule", "\(text("rule")): \(text("rule_reason"))")
        add("Reason", (approval["reason"]?.string ?? "").isEmpty ? (lacksReason ? "none yet, and one is needed" : "none") : text("reason"))
        add("Asked", forPeople(approval["created"]?.time))
        add("Until", "\(forPeople(approval["expires"]?.time))\(remaining)")
        add("Good for", text("use") == "window" ? "any number of runs until then" : "one run")
        if approval["in_transaction"] == .boolean(true) { add("Transaction", "it waits inside an open one, which keeps locks") }
        lines += statement()
        lines += votes()
        lines += needed()
        return lines
    }

    private var requester: String {
        let user = text("user")
        return "\(user) (\(text("subject")) of \(text("issuer")))"
    }

    private var remaining: String {
        guard state == "pending", let end = approval["expires"]?.time, end > Date() else { return "" }
        return ", in \(forPeople(seconds: end.timeIntervalSinceNow))"
    }

    private func statement() -> [String] {
        if let statement = approval["statement"]?.string {
            var lines = ["", "Exactly:"] + linesForTerminal(statement).map { "    \($0)" }
            for (number, value) in (approval["parameters"]?.elements ?? []).enumerated() {
                lines.append("    $\(number + 1) = " + (value == .null ? "NULL" : forTerminal("'\(value.string ?? "?")'")))
            }
            return lines
        }
        var lines = [""]
        if approval["kind"]?.string != "session" {
            lines += ["Without its values:"] + linesForTerminal(text("normalized")).map { "    \($0)" }
        }
        return lines + (approval["statement_note"]?.string.map { ["    (\(forTerminal($0)))"] } ?? [])
    }

    private func votes() -> [String] {
        let votes = approval["votes"]?.elements ?? []
        guard !votes.isEmpty else { return [] }
        return ["", "Votes:"]
            + votes.map { vote in
                let comment = vote["comment"]?.string.map { $0.isEmpty ? "" : ": \($0)" } ?? ""
                let choice = (vote["choice"]?.string ?? "?").replacingOccurrences(of: "_", with: " ")
                return "    " + forPeople(vote["at"]?.time) + "  " + forTerminal("\(vote["user"]?.string ?? "?"), \(choice)\(comment)")
            }
    }

    private func needed() -> [String] {
        guard state == "pending" else { return [] }
        let missing = max((approval["required"]?.integer ?? 1) - (approval["approved"]?.integer ?? 0), 0)
        let groups = (approval["approvers"]?.strings ?? []).joined(separator: ", ")
        var lines = [
            "", forTerminal("Still needed: \(missing) of \(groups)" + (lacksReason ? ", after the requester has said why" : "") + "."),
        ]
        let acts = approval["may"]?.strings ?? []
        let commands = acts.map { act in
            switch act {
            case "reason": "gatehouse approvals reason \(id) TEXT"
            case "break-glass": "gatehouse approvals break-glass \(id) --reason TEXT"
            default: "gatehouse approvals \(act) \(id)"
            }
        }
        if !commands.isEmpty { lines += ["You can:"] + commands.map { "    \(forTerminal($0))" } }
        return lines
    }
}
