import GatehouseCore

/// Events as Slack's incoming webhooks take them: a text, and blocks that show more of it (docs.slack.dev, "Block Kit").
enum SlackForm {
    static func object(_ event: OutwardEvent, from source: EventSource) -> JSONText {
        var blocks: [JSONText] = [section("*\(escaped(event.headline))*")]
        if !statement(of: event).isEmpty {
            // Three backticks in it would end the block early.
            let text = escaped(statement(of: event).clipped(1_000)).replacing("```", with: "'''")
            blocks.append(section("```\(text)```"))
        }
        if case .approval(let approval) = event.kind {
            var facts = ["Approvers: \(approval.approvers.joined(separator: ", "))"]
            if approval.required > 1 { facts.append("\(approval.required) must approve") }
            if let expires = approval.expires { facts.append("until \(expires.timestamp)") }
            blocks.append(context(facts.joined(separator: " \u{b7} ")))
            if approval.step == .requested, let link = approval.link {
                blocks.append([
                    "type": "actions",
                    "elements": [["type": "button", "text": ["type": "plain_text", "text": "Decide"], "url": .string(link)]],
                ])
            }
        }
        let place = ["gateway \(source.node)", event.place.session.map { "session \($0)" }, event.time.timestamp].compactMap(\.self)
        blocks.append(context(place.joined(separator: " \u{b7} ")))
        return ["text": .string(escaped(event.headline)), "blocks": .array(blocks)]
    }

    private static func statement(of event: OutwardEvent) -> String {
        switch event.kind {
        case .verdict(let ruling): ruling.statement
        case .approval(let approval): approval.statement
        case .sessionStarted, .sessionEnded, .finding, .administration, .authenticationFailed: ""
        }
    }

    /// 3,000 characters are the most in a section.
    private static func section(_ text: String) -> JSONText {
        ["type": "section", "text": ["type": "mrkdwn", "text": .string(text.clipped(2_900))]]
    }

    private static func context(_ text: String) -> JSONText {
        ["type": "context", "elements": [["type": "mrkdwn", "text": .string(escaped(text).clipped(1_900))]]]
    }

    /// The three characters that mean something to Slack, and no line ends.
    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\n", with: " ")
    }
}
