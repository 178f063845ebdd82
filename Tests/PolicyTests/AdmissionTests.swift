import GatehouseCore
import Policy
import Testing

@Suite struct AdmissionTests {
    private let policy = PolicyEngine(
        PolicyDocument(access: [
            AccessRule(who: Who(groups: ["dba", "sre"]), where: Where(targets: ["orders"]), roles: ["reader", "writer"], sourceLine: 7),
            AccessRule(who: Who(groups: ["agents"]), where: Where(labels: ["env": "production"]), roles: ["writer"]),
            AccessRule(
                who: Who(issuers: ["https://ci.example.com"], claims: ["repository": ["acme/*"], "ref": ["refs/heads/main"]]),
                where: Where(targets: ["ord*"]), roles: ["reader"]),
        ]))

    @Test func theGrantIsKeptWithTheGroup() throws {
        let permit = try policy.admit(principal(groups: ["people", "sre"]), to: target(), role: nil, at: now).get()
        #expect(permit.role.name == "reader")
        #expect(permit.grantedBy.group == "sre")
        #expect(permit.grantedBy.description == "access rule 1 (line 7), group sre")
        #expect(permit.policyVersion == policy.document.version)
    }

    @Test func nobodyIsLetInWithoutARule() {
        let answer = policy.admit(principal(groups: ["marketing"]), to: target(), role: nil, at: now)
        #expect(throws: Refusal.noAccess(to: "orders")) { try answer.get() }
        #expect(throws: Refusal.self) { try policy.admit(principal(groups: []), to: target(), role: "writer", at: now).get() }
        #expect(throws: Refusal.self) { try PolicyEngine(PolicyDocument()).admit(principal(), to: target(), role: nil, at: now).get() }
    }

    @Test func theDefaultRoleMustBeGrantedToo() throws {
        let refusal = #expect(throws: Refusal.self) {
            try policy.admit(principal(groups: ["agents"]), to: target(), role: nil, at: now).get()
        }
        #expect(refusal?.rule == "gatehouse.role")
        #expect(refusal?.hint == "Log in as one of: writer@orders.")
        #expect(try policy.admit(principal(groups: ["agents"]), to: target(), role: "writer", at: now).get().role.name == "writer")
    }

    @Test func aRoleThatTheTargetLacksIsRefused() {
        let refusal = #expect(throws: Refusal.self) {
            try policy.admit(principal(groups: ["dba"]), to: target(), role: "superuser", at: now).get()
        }
        #expect(refusal?.rule == "gatehouse.role")
        #expect(throws: Refusal.self) { try policy.admit(principal(groups: ["dba"]), to: target(roles: []), role: nil, at: now).get() }
    }

    @Test func labelsAndTargetsMustHold() {
        #expect(throws: Refusal.self) {
            try policy.admit(principal(groups: ["agents"]), to: target(labels: ["env": "staging"]), role: "writer", at: now).get()
        }
        #expect(throws: Refusal.self) {
            try policy.admit(principal(groups: ["agents"]), to: target(labels: [:]), role: "writer", at: now).get()
        }
        #expect(throws: Refusal.self) {
            try policy.admit(principal(groups: ["dba"]), to: target("orders2", labels: [:]), role: nil, at: now).get()
        }
    }

    @Test(arguments: [
        (["repository": "acme/shop", "ref": "refs/heads/main"], "https://ci.example.com", true),
        (["repository": "acme/shop", "ref": "refs/heads/evil"], "https://ci.example.com", false),
        (["repository": "acme/shop"], "https://ci.example.com", false),
        (["repository": "evil/acme/shop", "ref": "refs/heads/main"], "https://ci.example.com", false),
        (["repository": "acme/shop", "ref": "refs/heads/main"], "https://login.example.com", false),
    ])
    func claimsAndIssuersMustAllHold(_ claims: [String: String], _ issuer: String, _ admitted: Bool) {
        let answer = policy.admit(principal("ci", groups: [], issuer: issuer, workload: claims), to: target(), role: nil, at: now)
        let isAdmitted = if case .success = answer { true } else { false }
        #expect(isAdmitted == admitted)
    }

    @Test func anEndedProofAdmitsNobody() {
        let refusal = #expect(throws: Refusal.self) {
            try policy.admit(principal(groups: ["dba"]), to: target(), role: nil, at: WallTime(seconds: 2_000)).get()
        }
        #expect(refusal?.rule == "gatehouse.expired")
    }

    @Test func aSessionOutlivesItsProofButNotItsAccess() throws {
        let permit = try policy.admit(principal(groups: ["dba"]), to: target(), role: "writer", at: now).get()
        #expect(try policy.readmit(permit).get().role.name == "writer")
        let narrower = PolicyEngine(PolicyDocument(access: [AccessRule(who: Who(groups: ["dba"]), where: Where(), roles: ["reader"])]))
        #expect(throws: Refusal.self) { try narrower.readmit(permit).get() }
    }

    @Test func anOlderPermitIsJudgedByTheNewRules() throws {
        let old = engine([allow()])
        let permit = try old.admit(principal(), to: target(), role: nil, at: now).get()
        #expect(old.judge(action("select"), under: permit, resolver: Shop(), at: now).decision == .allow)
        let new = engine([deny(What(kinds: ["select"]), id: "no-select")])
        #expect(new.judge(action("select"), under: permit, resolver: Shop(), at: now).rule == "no-select")
    }
}

@Suite struct DocumentTests {
    @Test func theVersionFollowsTheContentAlone() throws {
        func document(_ id: String, line: Int, labels: [String: Glob] = ["a": "1", "b": "2", "c": "3"]) -> PolicyDocument {
            PolicyDocument(rules: [
                Rule(id: id, where: Where(labels: labels), what: What(kinds: ["drop"]), effect: .deny, sourceLine: line)
            ])
        }
        #expect(document("a", line: 1).version == document("a", line: 2).version)
        #expect(document("a", line: 1).version != document("b", line: 1).version)
        #expect(document("a", line: 1).version == document("a", line: 1, labels: ["c": "3", "b": "2", "a": "1"]).version)
        #expect(document("a", line: 1).version.count == 16)
        #expect(document("a", line: 1).version.allSatisfy { $0.isHexDigit })
    }

    @Test func everyPartOfAPolicyChangesItsVersion() throws {
        let column = try ColumnPattern("a.b.c")
        let variants: [PolicyDocument] = [
            PolicyDocument(), PolicyDocument(access: [everybody]), PolicyDocument(rules: [allow()]),
            PolicyDocument(rules: [allow(priority: 51)]),
            PolicyDocument(rules: [allow(What(opaque: true))]), PolicyDocument(rules: [allow(What(opaque: false))]),
            PolicyDocument(rules: [deny(What())]), PolicyDocument(masks: [MaskRule(id: "m", columns: [column], strategy: .null)]),
            PolicyDocument(masks: [MaskRule(id: "m", columns: [column], strategy: .hash)]), PolicyDocument(defaultDecisions: ["t": .allow]),
            PolicyDocument(defaultDecisions: ["t": .deny]), PolicyDocument(rules: [allow(), deny(What())]),
            PolicyDocument(rules: [deny(What()), allow()]),
        ]
        #expect(Set(variants.map(\.version)).count == variants.count)
    }
}
