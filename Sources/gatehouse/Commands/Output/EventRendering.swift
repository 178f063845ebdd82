import Foundation

/// Tells a session's events the way a person would: when, what was asked, what was decided, what came back.
struct EventRenderer {
    /// Longer cells are cut with an ellipsis; nil: never.
    var cellWidth: Int? = 60
    private static let margin = String(repeating: " ", count: 11)

    /// The lines for one event; none for an event that says nothing to a person.
    func lines(for event: JSON) -> [String] {
        switch event["type"]?.string ?? "" {
        case "start": stamped(event, start(event))
        case "identity": indented(identity(event))
        case "statement": stamped(event, statement(event))
        case "verdict": indented(verdict(event))
        case "approval": stamped(event, approval(event))
        case "rows": indented(rows(event))
        case "complete": indented(["= " + text(event, "tag")])
        case "error": indented(error(event))
        case "notice": indented(["! " + [text(event, "severity"), text(event, "message")].filter { !$0.isEmpty }.joined(separator: ": ")])
        case "copy": indented(["= copy \(text(event, "direction")): \(text(event, "bytes")) bytes"])
        case "original": indented([original(event)])
        case "view": indented(["~ the client saw these values \(text(event, "client"))"])
        case "cancel": stamped(event, ["cancel requested"])
        case "end": stamped(event, end(event))
        case let other: stamped(event, [other.isEmpty ? "?" : forTerminal(other)] + details(event))
        }
    }

    private func start(_ event: JSON) -> [String] {
        var line = "session \(text(event, "session", "id"))".trimmingCharacters(in: .whitespaces)
        line += " on \(text(event, "target"))"
        if let role = event["role"]?.string { line += " as \(forTerminal(role))" }
        if let database = event["database"]?.string { line += ", database \(forTerminal(database))" }
        let address = text(event, "client_address", "address", "client")
        if !address.isEmpty { line += ", from \(address)" }
        let application = text(event, "application", "application_name")
        if !application.isEmpty { line += " (\(application))" }
        if let time = event["time"]?.time { line += ", \(forPeople(time))" }
        return [line]
    }

    private func identity(_ event: JSON) -> [String] {
        let principal = event["principal"] ?? event
        var line = "by \(text(principal, "user", "subject"))"
        let groups = principal["groups"]?.strings.map(forTerminal) ?? []
        if !groups.isEmpty { line += " of \(groups.joined(separator: ", "))" }
        line += ", as \(text(principal, "issuer")) says"
        let grant = text(event, "granted_by", "grant", "rule")
        if !grant.isEmpty { line += "; let in by \(grant)" }
        return [line]
    }

    private func statement(_ event: JSON) -> [String] {
        var lines = linesForTerminal(event["text"]?.string ?? "")
        let name = text(event, "prepared_name", "prepared", "name")
        lines[0] = (name.isEmpty ? "> " : "> [\(name)] ") + lines[0]
        lines = [lines[0]] + lines.dropFirst().map { "  " + $0 }
        for (index, parameter) in (event["parameters"]?.elements ?? []).enumerated() {
            lines.append("  $\(index + 1) = \(value(parameter["value"] ?? parameter))")
        }
        return lines
    }

    private func verdict(_ event: JSON) -> [String] {
        let rule = text(event, "rule")
        let reason = text(event, "reason")
        let under = text(event, "approval")
        switch text(event, "decision") {
        case "allow": return [under.isEmpty ? "allowed (\(rule))" : "allowed (\(rule)), approved by \(under)"]
        case "hold": return ["HELD by \(rule)\(reason.isEmpty ? "" : ": \(reason)")"]
        default: break
        }
        return ["DENIED by \(rule)\(reason.isEmpty ? "" : ": \(reason)")"] + hint(event)
    }

    private func approval(_ event: JSON) -> [String] {
        let votes = (event["votes"]?.elements ?? []).map { vote in
            let comment = text(vote, "comment")
            return "\(text(vote, "user")): \(text(vote, "choice"))\(comment.isEmpty ? "" : " (\(comment))")"
        }
        let reason = text(event, "reason")
        return [
            (["approval \(text(event, "approval")) \(text(event, "event"))"] + (reason.isEmpty ? [] : ["reason: \(reason)"]) + votes)
                .joined(separator: "; ")
        ]
    }

    private func rows(_ event: JSON) -> [String] {
        let header = (event["columns"]?.elements ?? []).map { forTerminal($0.string ?? $0["name"]?.string ?? "?") }
        let rows = (event["rows"]?.elements ?? []).map { $0.elements.map { value($0) } }
        let count = event["count"]?.integer ?? rows.count
        var lines = rows.isEmpty && header.isEmpty ? [] : TextTable(header: header, rows: rows).lines(separator: " | ", rule: true)
        lines.append("(\(count) row\(count == 1 ? "" : "s")\(count > rows.count && !rows.isEmpty ? ", \(rows.count) shown" : ""))")
        return lines
    }

    private func original(_ event: JSON) -> String {
        let recipients = (event["recipients"]?.strings ?? []).map { forTerminal(String($0.prefix(16))) }
        return "* what was masked here is sealed: \(text(event, "sealed_bytes")) bytes"
            + (recipients.isEmpty ? "" : ", to \(recipients.joined(separator: ", "))")
    }

    private func error(_ event: JSON) -> [String] {
        let code = text(event, "code")
        let head = [text(event, "severity"), code].filter { !$0.isEmpty }.joined(separator: " ")
        return ["\(head.isEmpty ? "ERROR" : head): \(text(event, "message"))"] + hint(event)
    }

    private func end(_ event: JSON) -> [String] {
        let counters = event["counters"] ?? event
        let parts = ["statements", "denied", "rows", "bytes_in", "bytes_out"].compactMap { name in
            counters[name]?.integer.map { "\($0) \(name.replacingOccurrences(of: "_", with: " "))" }
        }
        return ["end: " + ([text(event, "reason")] + parts).filter { !$0.isEmpty }.joined(separator: ", ")]
    }

    private func hint(_ event: JSON) -> [String] {
        let hint = text(event, "hint")
        return hint.isEmpty ? [] : ["  hint: \(hint)"]
    }

    /// The members of an event of a sort that this program does not know.
    private func details(_ event: JSON) -> [String] {
        guard case .object(let members) = event else { return [] }
        return members.keys.sorted().filter { !["type", "time", "offset_ms"].contains($0) }
            .map { "  \(forTerminal($0)): \(value(members[$0] ?? .null))" }
    }

    private func value(_ value: JSON) -> String {
        let text =
            switch value {
            case .null: "NULL"
            case .array, .object: forTerminal((try? value.text(pretty: false)) ?? "?")
            default: forTerminal(value.string ?? "?")
            }
        guard let cellWidth, text.count > cellWidth else { return text }
        return text.prefix(cellWidth - 1) + "…"
    }

    /// The first of `names` that the event has.
    private func text(_ event: JSON, _ names: String...) -> String {
        names.lazy.compactMap { event[$0]?.string }.first.map(forTerminal) ?? ""
    }

    private func stamped(_ event: JSON, _ lines: [String]) -> [String] {
        let offset = event["offset_ms"]?.integer.map { String(format: "+%d.%03ds", $0 / 1000, abs($0 % 1000)) } ?? ""
        let stamp = offset + String(repeating: " ", count: max(1, Self.margin.count - offset.count))
        guard let first = lines.first else { return [] }
        return [stamp + first] + indented(Array(lines.dropFirst()))
    }

    private func indented(_ lines: [String]) -> [String] {
        lines.map { Self.margin + $0 }
    }
}
