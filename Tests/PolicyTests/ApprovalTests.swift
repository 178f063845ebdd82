import GatehouseCore
import Policy
import Testing

@Suite struct ApprovalTests {
    private let later = now.advanced(by: .seconds(10))

    private func request(
        by requester: Principal = principal(), terms: HoldTerms = HoldTerms(approvers: ["sre", "dba-*"]),
        change: (inout ApprovalRequest) -> Void = { _ in }, content: [[UInt8]] = [Array("DELETE FROM orders".utf8)]
    ) -> ApprovalRequest {
        var request = ApprovalRequest(
            subject: .action, node: "n1", session: SessionID(at: now), protocolName: .postgres, target: "orders", role: "writer",
            database: "shop", requester: requester, application: "psql", rule: "big-deletes", ruleReason: "Deletes wait.",
            policyVersion: "v1", terms: terms, normalized: "DELETE FROM orders", content: content, inTransaction: false)
        change(&request)
        // The digest is of what the request is made with.
        return ApprovalRequest(
            subject: request.subject, node: request.node, session: request.session, protocolName: request.protocolName,
            target: request.target, role: request.role, database: request.database, requester: request.requester,
            application: request.application, rule: request.rule, ruleReason: request.ruleReason, policyVersion: request.policyVersion,
            terms: request.terms, normalized: request.normalized, content: content, inTransaction: request.inTransaction)
    }

    private func approval(
        by requester: Principal = principal(), terms: HoldTerms = HoldTerms(approvers: ["sre", "dba-*"]), reason: String = ""
    ) -> Approval {
        var generator = SystemRandomNumberGenerator()
        return Approval(request(by: requester, terms: terms), reason: reason, at: now, using: &generator)
    }

    private func acting(_ user: String, as actors: [(String?, String)], groups: [String] = ["sre"]) -> Principal {
        var person = principal(user, groups: groups)
        person.delegation = actors.map { .init(issuer: $0.0, subject: $0.1) }
        return person
    }

    // MARK: - Votes

    @Test func nOfMApprove() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], required: 3))
        for (number, user) in ["ann", "ben", "cid"].enumerated() {
            #expect(approval.state(at: later) == .pending && approval.approvals == number && !approval.isUsable(at: later))
            try approval.vote(.approve, by: principal(user, groups: ["sre"]), comment: "", at: later)
        }
        #expect(approval.state == .approved && approval.closed == later && approval.isUsable(at: later))
        #expect(throws: ApprovalRefusal.notPending(.approved)) {
            try approval.vote(.deny, by: principal("dan", groups: ["sre"]), comment: "", at: later)
        }
    }

    @Test func oneWhoDeniesEndsIt() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], required: 2))
        try approval.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: later)
        try approval.vote(.deny, by: principal("ben", groups: ["sre"]), comment: "no backup", at: later)
        #expect(approval.state == .denied && approval.votes.last?.comment == "no backup" && !approval.isUsable(at: later))
    }

    @Test func nobodyVotesTwice() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], required: 2))
        let ann = principal("ann", groups: ["sre"])
        try approval.vote(.approve, by: ann, comment: "", at: later)
        for choice in [Approval.Vote.Choice.approve, .deny] {
            #expect(throws: ApprovalRefusal.votedAlready) { try approval.vote(choice, by: ann, comment: "", at: later) }
        }
        // Another of the same name elsewhere is another.
        var namesake = principal("ann", groups: ["sre"], issuer: "https://other.example")
        namesake.user = "ann@other"
        try approval.vote(.approve, by: namesake, comment: "", at: later)
        #expect(approval.state == .approved)
    }

    @Test func oneHumanHasOneVoteHoweverHeComes() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], required: 2))
        try approval.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: later)
        // An agent that acts for her, she at another issuer, and an agent of hers that acts for somebody else.
        var elsewhere = principal("ann", groups: ["sre"])
        elsewhere.issuer = "https://other.example.com"
        for person in [acting("ann", as: [(nil, "agent-7")]), elsewhere, acting("ben", as: [(nil, principal("ann").subject)])] {
            #expect(throws: ApprovalRefusal.votedAlready) { try approval.vote(.approve, by: person, comment: "", at: later) }
        }
        #expect(approval.state == .pending)
    }

    @Test func anAgentDoesNotBreakTheGlassForItsHuman() {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], breakGlass: ["*"]))
        var agent = principal()
        agent.groups = ["oncall"]
        agent.delegation = [.init(issuer: nil, subject: "agent-7")]
        #expect(throws: ApprovalRefusal.noBreakGlass) { try approval.vote(.breakGlass, by: agent, comment: "now", at: later) }
    }

    @Test func blanksAreNoReason() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], needsReason: true), reason: " \n ")
        #expect(approval.reason.isEmpty)
        #expect(throws: ApprovalRefusal.needsReason) {
            try approval.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: later)
        }
    }

    @Test func onlyTheGroupsOfTheRuleDecide() throws {
        var approval = approval()
        for groups in [[], ["agents"], ["sre-interns"], ["dba"]] as [[String]] {
            #expect(throws: ApprovalRefusal.notAnApprover(groups: ["sre", "dba-*"])) {
                try approval.vote(.approve, by: principal("eve", groups: groups), comment: "", at: later)
            }
        }
        #expect(approval.votes.isEmpty)
        try approval.vote(.approve, by: principal("ann", groups: ["x", "dba-eu"]), comment: "", at: later)
        #expect(approval.state == .approved)
    }

    // MARK: - The same person

    @Test func nobodyDecidesHisOwn() {
        var own = approval(by: principal("ann", groups: ["sre"]))
        #expect(own.refusal(of: principal("ann", groups: ["sre"])) == .ownRequest)
        #expect(throws: ApprovalRefusal.ownRequest) {
            try own.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: later)
        }
        #expect(throws: ApprovalRefusal.ownRequest) { try own.vote(.deny, by: principal("ann", groups: ["sre"]), comment: "", at: later) }
        // The same subject of another issuer is somebody else, unless he is called the same.
        var elsewhere = principal("ann", groups: ["sre"], issuer: "https://other.example")
        #expect(own.refusal(of: elsewhere) == .ownRequest, "the same user name")
        elsewhere.user = "other-ann"
        #expect(own.refusal(of: elsewhere) == nil)
    }

    /// `act` on either side, at any depth, with the issuer left out or not.
    @Test func nobodyWhoActsForTheSameHumanDecides() {
        let ann = principal("ann", groups: ["sre"])
        let issuer = ann.issuer
        for actors in [[(nil, "sub-ann")], [(nil, "bot"), (issuer, "sub-ann")], [(nil, "a"), (nil, "b"), (nil, "sub-ann")]] {
            #expect(approval(by: acting("bot", as: actors)).refusal(of: ann) == .ownRequest, "on the requester's side: \(actors)")
            #expect(approval(by: ann).refusal(of: acting("bot", as: actors)) == .ownRequest, "on the approver's side: \(actors)")
        }
        #expect(
            approval(by: acting("bot-1", as: [(nil, "sub-ann")])).refusal(of: acting("bot-2", as: [(nil, "sub-ann")])) == .ownRequest)
        // An actor of that name at another issuer is another.
        #expect(approval(by: acting("bot", as: [("https://other.example", "sub-ann")])).refusal(of: ann) == nil)
        #expect(approval(by: acting("bot-1", as: [(nil, "x")])).refusal(of: acting("bot-2", as: [(nil, "y")])) == nil)
    }

    @Test func peopleWithoutANameAreNotTheSame() {
        var (one, two) = (principal("ann"), principal("ben", groups: ["sre"]))
        (one.user, two.user) = ("", "")
        #expect(approval(by: one).refusal(of: two) == nil)
    }

    // MARK: - Reasons

    @Test func aReasonIsAskedFor() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], required: 2, needsReason: true))
        let ann = principal("ann", groups: ["sre"])
        #expect(throws: ApprovalRefusal.needsReason) { try approval.vote(.approve, by: ann, comment: "", at: later) }
        #expect(throws: ApprovalRefusal.notRequester) { try approval.explain("because", by: ann, at: later) }
        #expect(throws: ApprovalRefusal.needsReason) { try approval.explain(" \n", by: principal(), at: later) }
        try approval.explain("wrong", by: principal(), at: later)
        try approval.explain("because", by: principal(), at: later)
        try approval.vote(.approve, by: ann, comment: "", at: later)
        #expect(throws: ApprovalRefusal.votedAlready) { try approval.explain("another", by: principal(), at: later) }
        #expect(approval.reason == "because")
        #expect(throws: ApprovalRefusal.notPending(.expired)) { try approval.explain("late", by: principal(), at: approval.expires) }
    }

    @Test func denyingNeedsNoReason() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], needsReason: true))
        try approval.vote(.deny, by: principal("ann", groups: ["sre"]), comment: "", at: later)
        #expect(approval.state == .denied)
    }

    @Test func textsAreCut() throws {
        var approval = approval(reason: String(repeating: "r", count: 9_000))
        try approval.vote(.deny, by: principal("ann", groups: ["sre"]), comment: String(repeating: "c", count: 9_000), at: later)
        #expect(approval.reason.count == Approval.maximumTextLength && approval.votes[0].comment.count == Approval.maximumTextLength)
    }

    // MARK: - Breaking the glass

    @Test func breakingTheGlassIsForTheRequesterAndNeedsAReason() throws {
        let terms = HoldTerms(approvers: ["sre"], required: 2, needsReason: true, breakGlass: ["on-call"])
        let onCall = principal("ann", groups: ["on-call"])
        var approval = approval(by: onCall, terms: terms)
        #expect(throws: ApprovalRefusal.notRequester) {
            try approval.vote(.breakGlass, by: principal("ben", groups: ["on-call"]), comment: "outage", at: later)
        }
        #expect(throws: ApprovalRefusal.needsReason) { try approval.vote(.breakGlass, by: onCall, comment: "  ", at: later) }
        #expect(throws: ApprovalRefusal.noBreakGlass) {
            try approval.vote(.breakGlass, by: principal("ann", groups: ["sre"]), comment: "outage", at: later)
        }
        #expect(approval.mayBreakGlass(onCall) && !approval.mayBreakGlass(principal("ann", groups: ["sre"])))
        try approval.vote(.breakGlass, by: onCall, comment: "outage", at: later)
        #expect(approval.state == .approved && approval.brokeGlass && approval.reason == "outage")
        var closed = self.approval(by: onCall)
        #expect(throws: ApprovalRefusal.noBreakGlass) { try closed.vote(.breakGlass, by: onCall, comment: "outage", at: later) }
    }

    // MARK: - Time and use

    @Test func itsEndIsAbsolute() throws {
        var approval = approval(terms: HoldTerms(approvers: ["sre"], validSeconds: 60))
        let end = now.advanced(by: .seconds(60))
        #expect(approval.expires == end && approval.state(at: now.advanced(by: .milliseconds(59_999))) == .pending)
        #expect(approval.state(at: end) == .expired)
        #expect(throws: ApprovalRefusal.notPending(.expired)) {
            try approval.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: end)
        }
        try approval.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: later)
        #expect(approval.isUsable(at: later) && !approval.isUsable(at: end))
        #expect(throws: ApprovalRefusal.notUsable) { try approval.use(at: end) }
        #expect(approval.state(at: end) == .approved, "what was decided stays decided")
    }

    @Test func onceIsOnceAndAWindowIsAWindow() throws {
        for use in HoldTerms.Use.allCases {
            var approval = approval(terms: HoldTerms(approvers: ["sre"], validSeconds: 60, use: use))
            #expect(throws: ApprovalRefusal.notUsable) { try approval.use(at: later) }
            try approval.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: later)
            try approval.use(at: later)
            #expect(approval.isUsable(at: later) == (use == .window))
            if use == .once {
                #expect(throws: ApprovalRefusal.notUsable) { try approval.use(at: later) }
            } else {
                try approval.use(at: later.advanced(by: .seconds(1)))
            }
            #expect(approval.uses == (use == .once ? 1 : 2))
            #expect(!approval.isUsable(at: approval.expires))
        }
    }

    @Test func whatIsDecidedIsNotWithdrawn() throws {
        var approval = approval()
        approval.end(as: .approved, at: later)
        #expect(approval.state == .pending, "nothing is approved without a vote")
        try approval.vote(.approve, by: principal("ann", groups: ["sre"]), comment: "", at: later)
        approval.end(as: .withdrawn, at: later)
        #expect(approval.state == .approved)
    }

    // MARK: - What it is good for

    @Test func theDigestChangesWithEachPart() {
        let plain = request()
        #expect(request().digest == plain.digest && plain.digest.count == 64)
        var others: [String: ApprovalRequest] = [:]
        others["subject"] = request { $0.subject = .session }
        others["required"] = request { $0.terms.required = 2 }
        others["approvers"] = request { $0.terms.approvers = ["dba"] }
        others["use"] = request { $0.terms.use = .window }
        others["issuer"] = request { $0.requester.issuer = "https://other.example" }
        others["requester"] = request { $0.requester.subject = "sub-ben" }
        others["target"] = request { $0.target = "stock" }
        others["role"] = request { $0.role = "reader" }
        others["database"] = request { $0.database = "other" }
        others["rule"] = request { $0.rule = "other" }
        others["actor"] = request { $0.requester.delegation = [.init(issuer: nil, subject: "bot")] }
        others["actor of an issuer"] = request { $0.requester.delegation = [.init(issuer: "https://other.example", subject: "bot")] }
        others["two actors"] = request { $0.requester.delegation = [.init(issuer: nil, subject: "bot"), .init(issuer: nil, subject: "b")] }
        let statement = Array("DELETE FROM orders".utf8)
        others["statement"] = request(content: [Array("DELETE FROM order".utf8), Array("s".utf8)])
        others["space"] = request(content: [statement + [0x20]])
        others["a parameter"] = request(content: [statement, [0x31]])
        others["an empty parameter"] = request(content: [statement, []])
        others["two parameters"] = request(content: [statement, [0x31], [0x32]])
        others["one parameter of both"] = request(content: [statement, [0x31, 0x32]])
        #expect(Set(others.values.map(\.digest) + [plain.digest]).count == others.count + 1)
        // Where it came from does not matter: a retry comes by another session.
        let retry = request {
            $0.session = SessionID(at: later)
            $0.node = "n2"
            $0.application = "other"
            $0.policyVersion = "v2"
        }
        #expect(retry.digest == plain.digest)
    }

    @Test func idsAreReadable() {
        var generator = SystemRandomNumberGenerator()
        let ids = (0..<200).map { _ in Approval(request(), reason: "", at: now, using: &generator).id }
        #expect(Set(ids).count == 200)
        for id in ids {
            #expect(id.hasPrefix("apr-") && id.count == 16 && id.dropFirst(4).allSatisfy { "23456789abcdefghjkmnpqrstuvwxyz".contains($0) })
        }
    }
}
