/// A gateway whose policy holds, with its own approver.
struct HoldBed: Sendable {
    let gateway: Gateway
    let server: PostgresServer
    let alice: String
    let bob: String
    /// managers: approver.
    let carol: String
    let backstage: Backstage

    private actor Keeper {
        static let shared = Keeper()
        private var made: Task<HoldBed, any Error>?

        func bed() async throws -> HoldBed {
            let task = made ?? Task { try await HoldBed.make() }
            made = task
            return try await task.value
        }
    }

    static func shared() async throws -> HoldBed { try await Keeper.shared.bed() }

    private static func make() async throws -> HoldBed {
        let backstage = try await Backstage.shared()
        var configuration = try backstage.configuration()
        configuration.roles = ["approver: [managers, dba]"]
        configuration.rules = [
            """
              - id: ask-briefly
                priority: 1
                where: { targets: [orders] }
                what: { kinds: [update], tables: [public.order_items] }
                effect: hold
                approval: { approvers: [managers], wait: 1s }
              - id: ask-first
                priority: 1
                where: { targets: [orders] }
                what: { kinds: [update], tables: [public.products] }
                effect: hold
                approval: { approvers: [managers, dba], wait: 60s, wait_in_transaction: 1s }
              - id: ask-patiently
                priority: 1
                where: { targets: [orders] }
                what: { kinds: [update], tables: [public.orders] }
                effect: hold
                approval: { approvers: [managers], wait: 60s, wait_in_transaction: 60s }
            """,
            """
              - id: ask-session
                priority: 1
                where: { targets: [closed] }
                what: { kinds: [session] }
                effect: hold
                approval: { approvers: [managers], wait: 60s }
            """,
        ]
        return HoldBed(
            gateway: try await Gateway.start(configuration), server: backstage.server,
            alice: try backstage.provider.token(for: "alice"), bob: try backstage.provider.token(for: "bob"),
            carol: try backstage.provider.token(for: "carol"), backstage: backstage)
    }

    func writer() -> Endpoint { gateway.endpoint("writer@orders", token: alice) }
    func direct() -> Endpoint { backstage.direct() }

    /// The pending approval whose normalised statement holds `marker`, whole.
    func pending(_ marker: String) async throws -> JSON {
        let end = ContinuousClock.now + .seconds(40)
        repeat {
            let listed = try await call("GET", "/approvals?state=pending", as: carol)
            if let found = listed["approvals"]?.elements.first(where: { mentions($0, marker) }), let id = found["id"]?.string {
                return try await approval(id)
            }
            try await Task.sleep(for: .milliseconds(50))
        } while ContinuousClock.now < end
        throw HarnessError("nothing waits that says \(marker)")
    }

    func state(of marker: String) async throws -> String {
        let listed = try await call("GET", "/approvals?limit=200", as: carol)
        return listed["approvals"]?.elements.first { mentions($0, marker) }?["state"]?.string ?? "absent"
    }

    private func mentions(_ approval: JSON, _ marker: String) -> Bool {
        approval["normalized"]?.string?.split { !$0.isLetter && $0 != "_" }.contains(Substring(marker)) == true
    }

    func approval(_ id: String) async throws -> JSON { try await call("GET", "/approvals/\(id)", as: carol) }

    func decide(_ id: String, _ act: String, _ comment: String, as token: String) async throws -> JSON {
        try await call("POST", "/approvals/\(id)/\(act)", #"{"comment":"\#(comment)"}"#, as: token)
    }

    /// The token travels through standard input: it is nobody's business on this machine.
    func call(_ method: String, _ path: String, _ body: String? = nil, as token: String) async throws -> JSON {
        let told = try await Shell.run(
            "curl",
            ["-sS", "-X", method, "-H", "@-", "-H", "Content-Type: application/json"] + (body.map { ["-d", $0] } ?? [])
                + ["http://127.0.0.1:\(gateway.configuration.adminPort)/api/v1\(path)"],
            input: "Authorization: Bearer \(token)\n")
        return try JSON.parse(told.output)
    }
}
