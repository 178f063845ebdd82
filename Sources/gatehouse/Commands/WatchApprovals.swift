import ArgumentParser
import Foundation

extension Approvals {
    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow approvals: what waits now, then each new one and each change, until interrupted.",
            discussion: """
                With --format json one approval a line, as it stands then.

                EXAMPLES
                  gatehouse approvals watch
                  gatehouse approvals watch --target orders --format json | jq -r 'select(.state == "pending") | .id'
                """)

        @OptionGroup var choice: Choice
        @OptionGroup var remote: RemoteOptions
        @OptionGroup var output: OutputOptions

        /// Seconds between two looks.
        private static let interval = 2
        /// Decided ones that are looked at for changes; all that wait are.
        private static let recent = 200

        func run() async throws {
            try await remote.withClient { client in
                var changes = ApprovalChanges()
                var isLost = false
                while true {
                    do {
                        let waiting = try await client.list(
                            "/approvals", "approvals", choice.query + [("state", "pending")], limit: 10_000)
                        let recent = try await client.list("/approvals", "approvals", choice.query, limit: Self.recent)
                        try changes.take(waiting + recent).forEach(tell)
                        if isLost { printNote("The gateway answers again.") }
                        isLost = false
                    } catch let failure as CommandFailure where failure.status == .unreachable && changes.hasBegun {
                        // Gateways are restarted; who watches wants to go on.
                        if !isLost { printNote("\(failure.message); trying again") }
                        isLost = true
                    }
                    try await Task.sleep(for: .seconds(Self.interval))
                }
            }
        }

        private func tell(_ approval: JSON) throws {
            switch output.format {
            case .json: print(try approval.text(pretty: false))
            case .text:
                let view = ApprovalText(approval)
                print(
                    "\(forPeople(Date()))  \(view.standing)  \(forTerminal(view.text("user"))) on \(forTerminal(view.text("target"))): "
                        + forTerminal(view.summary))
            }
            fflush(nil)
        }
    }
}

/// Which approvals are new or otherwise than before.
struct ApprovalChanges {
    private var known: [String: JSON] = [:]
    private(set) var hasBegun = false

    /// Takes what there is now; returns what is to be told, oldest first. At first that is what waits.
    mutating func take(_ approvals: [JSON]) -> [JSON] {
        var told: [JSON] = []
        var seen: [String: JSON] = [:]
        for approval in approvals {
            guard let id = approval["id"]?.string, seen.updateValue(approval, forKey: id) == nil else { continue }
            let isNews = known[id].map { Self.mark($0) != Self.mark(approval) } ?? (hasBegun || approval["state"]?.string == "pending")
            if isNews { told.append(approval) }
        }
        // One that has left both lists is old and decided.
        known = seen
        hasBegun = true
        return told.sorted { ($0["created"]?.string ?? "") < ($1["created"]?.string ?? "") }
    }

    private static func mark(_ approval: JSON) -> [String] {
        ["state", "reason", "approved", "uses"].map { approval[$0]?.string ?? "" } + ["\(approval["votes"]?.elements.count ?? 0)"]
    }
}
