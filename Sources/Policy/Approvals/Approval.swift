import Crypto
public import GatehouseCore

/// A request to let one held action, or one session, go on; and what became of it.
///
/// A value with its own rules: every change is a method that checks, so that whoever stores it only has to make a change and
/// the reading before it one transaction.
public struct Approval: Sendable, Hashable, Codable, Identifiable {
    public enum Subject: String, Sendable, Hashable, Codable, CaseIterable {
        case action, session
    }

    public enum State: String, Sendable, Hashable, Codable, CaseIterable {
        case pending
        case approved
        case denied
        /// Nobody decided in time.
        case expired
        /// The requester went away, or cancelled.
        case withdrawn
    }

    /// What one person said.
    public struct Vote: Sendable, Hashable, Codable {
        public enum Choice: String, Sendable, Hashable, Codable, CaseIterable {
            case approve, deny
            /// The requester himself, by a right that the rule gives for emergencies.
            case breakGlass = "break_glass"
        }

        public var issuer: String
        public var subject: String
        public var user: String
        /// Who acted on behalf of whom, nearest first.
        public var delegation: [Principal.Actor]
        public var choice: Choice
        public var comment: String
        public var at: WallTime
    }

    /// `apr-` and twelve letters and digits.
    public let id: String
    public let created: WallTime
    /// Absolute. From then on it can neither be decided nor used.
    public let expires: WallTime
    public let request: ApprovalRequest
    public private(set) var state = State.pending
    /// Why the requester wants it; empty until he has said.
    public private(set) var reason: String
    public private(set) var votes: [Vote] = []
    /// Times that it let something through.
    public private(set) var uses = 0
    public private(set) var lastUsed: WallTime?
    /// When it left `pending`.
    public private(set) var closed: WallTime?

    /// Bytes.
    public static let maximumTextLength = 2_000

    public init(_ request: ApprovalRequest, reason: String, at now: WallTime, using generator: inout some RandomNumberGenerator) {
        id = Self.newID(using: &generator)
        created = now
        expires = now.advanced(by: .seconds(request.terms.validSeconds))
        self.request = request
        self.reason = Self.clipped(reason)
    }

    private static func newID(using generator: inout some RandomNumberGenerator) -> String {
        // Without letters and digits that are taken for each other: people read these out.
        let alphabet = Array("23456789abcdefghjkmnpqrstuvwxyz")
        return "apr-" + String((0..<12).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] })
    }

    public func state(at now: WallTime) -> State { state == .pending && now >= expires ? .expired : state }

    public var approvals: Int { votes.count { $0.choice != .deny } }
    public var brokeGlass: Bool { votes.contains { $0.choice == .breakGlass } }

    // MARK: - Deciding

    /// Whether `person` may decide; checked by ``vote(_:by:comment:at:)`` too.
    ///
    /// Never the requester, and nobody who is the same person or acts for the same one: the subjects of both tokens and of
    /// their delegation chains (`act`, RFC 8693) must have nobody in common, nor may the user name be the same.
    public func refusal(of person: Principal) -> ApprovalRefusal? {
        guard person.groups.contains(where: { group in request.terms.approvers.contains { Glob($0).matches(group) } }) else {
            return .notAnApprover(groups: request.terms.approvers)
        }
        let isSame =
            !identities(person).isDisjoint(with: identities(request.requester))
            || (!person.user.isEmpty && person.user == request.requester.user)
        return isSame ? .ownRequest : nil
    }

    /// Takes a vote in. One that denies ends it; enough that approve let it through.
    public mutating func vote(_ choice: Vote.Choice, by person: Principal, comment: String, at now: WallTime) throws(ApprovalRefusal) {
        guard state(at: now) == .pending else { throw .notPending(state(at: now)) }
        switch choice {
        case .breakGlass: try checkBreakGlass(person, comment)
        case .approve, .deny:
            if let refusal = refusal(of: person) { throw refusal }
            guard !votes.contains(where: { isSame($0, person) }) else { throw .votedAlready }
            if choice == .approve, request.terms.needsReason, reason.isEmpty { throw .needsReason }
        }
        votes.append(
            Vote(
                issuer: person.issuer, subject: person.subject, user: person.user, delegation: person.delegation, choice: choice,
                comment: Self.clipped(comment), at: now))
        switch choice {
        case .deny: close(as: .denied, at: now)
        case .breakGlass: close(as: .approved, at: now)
        case .approve: if approvals >= max(request.terms.required, 1) { close(as: .approved, at: now) }
        }
    }

    private mutating func checkBreakGlass(_ person: Principal, _ comment: String) throws(ApprovalRefusal) {
        guard isRequested(by: person) else { throw .notRequester }
        guard mayBreakGlass(person) else { throw .noBreakGlass }
        guard !comment.allSatisfy(\.isWhitespace) else { throw .needsReason }
        if reason.isEmpty { reason = Self.clipped(comment) }
    }

    /// Whether `person` is the requester, and the rule lets him let it through himself. Nobody does so on behalf of another: an
    /// agent that acts for somebody does not take that somebody's emergencies upon itself.
    public func mayBreakGlass(_ person: Principal) -> Bool {
        isRequested(by: person) && person.delegation.isEmpty
            && person.groups.contains { group in request.terms.breakGlass.contains { Glob($0).matches(group) } }
    }

    public func isRequested(by person: Principal) -> Bool {
        person.issuer == request.requester.issuer && person.subject == request.requester.subject
    }

    /// The requester says why.
    public mutating func explain(_ text: String, by person: Principal, at now: WallTime) throws(ApprovalRefusal) {
        guard isRequested(by: person) else { throw .notRequester }
        guard state(at: now) == .pending else { throw .notPending(state(at: now)) }
        guard !text.allSatisfy(\.isWhitespace) else { throw .needsReason }
        // Who has approved has approved the reason that was there.
        guard votes.isEmpty || reason.isEmpty else { throw .votedAlready }
        reason = Self.clipped(text)
    }

    /// Nobody waits any more, or nobody may. Without effect once it is decided.
    public mutating func end(as end: State, at now: WallTime) {
        guard state == .pending, end == .expired || end == .withdrawn else { return }
        close(as: end, at: now)
    }

    private mutating func close(as end: State, at now: WallTime) {
        state = end
        closed = now
    }

    // MARK: - Using

    /// Whether the same action may run under it at `now`.
    public func isUsable(at now: WallTime) -> Bool {
        state == .approved && now < expires && (request.terms.use == .window || uses == 0)
    }

    /// Takes one use, before the action goes on.
    public mutating func use(at now: WallTime) throws(ApprovalRefusal) {
        guard isUsable(at: now) else { throw .notUsable }
        uses += 1
        lastUsed = now
    }

    private func identities(_ principal: Principal) -> Set<String> {
        Self.identities(principal.issuer, principal.subject, principal.delegation)
    }

    private static func identities(_ issuer: String, _ subject: String, _ delegation: [Principal.Actor]) -> Set<String> {
        Set(["\(issuer)\n\(subject)"] + delegation.map { "\($0.issuer ?? issuer)\n\($0.subject)" })
    }

    /// Whether a vote and a person are one human, or act for one.
    private func isSame(_ vote: Vote, _ person: Principal) -> Bool {
        if !vote.user.isEmpty, vote.user == person.user { return true }
        return !Self.identities(vote.issuer, vote.subject, vote.delegation).isDisjoint(with: identities(person))
    }

    /// Without blanks around it, and no longer than may be: by bytes, since a character may be of any length.
    static func clipped(_ text: String, to limit: Int = maximumTextLength) -> String {
        var text = Substring(text)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        if text.utf8.count <= limit { return String(text) }
        // Down to where a scalar begins: bytes 10xxxxxx go on with one.
        var bytes = Array(text.utf8.prefix(limit + 1))
        while let last = bytes.popLast() {
            if last & 0b1100_0000 != 0b1000_0000 { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What is asked for: made by the session, never changed.
public struct ApprovalRequest: Sendable, Hashable, Codable {
    public var subject: Approval.Subject
    public var node: String
    public var session: SessionID
    public var protocolName: Target.ProtocolName
    public var target: String
    public var role: String
    public var database: String
    public var requester: Principal
    public var application: String
    /// The rule that holds, why it does, and the policy that it is of.
    public var rule: String
    public var ruleReason: String
    public var policyVersion: String
    public var terms: HoldTerms
    /// What is done, without its literals: all of it that the catalog keeps.
    public var normalized: String
    /// Ties the approval to the exact action, its parameters, the requester and the place: see ``digest(of:)``.
    public var digest: String
    public var inTransaction: Bool

    public init(
        subject: Approval.Subject, node: String, session: SessionID, protocolName: Target.ProtocolName, target: String, role: String,
        database: String, requester: Principal, application: String, rule: String, ruleReason: String, policyVersion: String,
        terms: HoldTerms, normalized: String, content: [[UInt8]], inTransaction: Bool
    ) {
        self.subject = subject
        self.node = node
        self.session = session
        self.protocolName = protocolName
        self.target = target
        self.role = role
        self.database = database
        self.requester = requester
        self.application = application
        self.rule = rule
        self.ruleReason = ruleReason
        self.policyVersion = policyVersion
        self.terms = terms
        self.normalized = Approval.clipped(normalized, to: 16_384)
        self.inTransaction = inTransaction
        digest = ""
        digest = Self.digest(of: self, content)
    }

    /// SHA-256, in hexadecimal, of everything that an approval is good for, each part under its length: what kind of thing, who
    /// (with the delegation chain), where, as what, under which rule and terms, and the content (statement, parameters, how names
    /// are looked up).
    private static func digest(of request: ApprovalRequest, _ content: [[UInt8]]) -> String {
        var hash = SHA256()
        func add(_ bytes: some Sequence<UInt8>) {
            let bytes = Array(bytes)
            withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: bytes)
        }
        add("gatehouse approval 1".utf8)
        for text in [
            request.subject.rawValue, request.requester.issuer, request.requester.subject, request.target, request.role,
            request.database, request.rule,
        ] {
            add(text.utf8)
        }
        let terms = request.terms
        add(
            "\(terms.approvers) \(terms.required) \(terms.needsReason) \(terms.use.rawValue) \(terms.breakGlass) \(terms.validSeconds)".utf8
        )
        add(String(request.requester.delegation.count).utf8)
        for actor in request.requester.delegation {
            add((actor.issuer ?? "").utf8)
            add(actor.subject.utf8)
        }
        for part in content { add(part) }
        let digits = Array("0123456789abcdef")
        return String(hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] })
    }
}

/// Why something cannot be done with an approval.
public enum ApprovalRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    case notFound
    case notPending(Approval.State)
    case notAnApprover(groups: [String])
    case ownRequest
    case votedAlready
    case needsReason
    case notRequester
    case noBreakGlass
    case notUsable

    /// For programs.
    public var code: String {
        switch self {
        case .notFound: "not_found"
        case .notPending: "not_pending"
        case .notAnApprover: "not_an_approver"
        case .ownRequest: "own_request"
        case .votedAlready: "voted_already"
        case .needsReason: "needs_reason"
        case .notRequester: "not_requester"
        case .noBreakGlass: "no_break_glass"
        case .notUsable: "not_usable"
        }
    }

    public var description: String {
        switch self {
        case .notFound: "there is no such approval"
        case .notPending(let state): "it is \(state.rawValue) already"
        case .notAnApprover(let groups): "only members of \(groups.joined(separator: ", ")) may decide this"
        case .ownRequest: "nobody approves what he asked for himself, or what is done on behalf of him"
        case .votedAlready: "you have decided on it already, or somebody has approved it as it stands"
        case .needsReason: "a reason is needed first: gatehouse approvals reason ID TEXT"
        case .notRequester: "only the requester can do this"
        case .noBreakGlass: "the rule gives you no right to let this through yourself"
        case .notUsable: "the approval is used up, or over"
        }
    }
}
