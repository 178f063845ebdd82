/// Something that others are told: a SIEM by the configured sinks, people and programs by webhooks (docs/events.md).
///
/// No statement's literals, no secrets: `statement` is the normalised form.
public struct OutwardEvent: Sendable, Hashable {
    /// Who did it, as far as is known.
    public struct Actor: Sendable, Hashable {
        /// The name that people know the caller by.
        public var user: String
        public var subject: String
        public var issuer: String
        public var groups: [String]
        /// On whose behalf, nearest actor first (`Principal.delegation`), by subject.
        public var delegation: [String]

        public init(user: String, subject: String = "", issuer: String = "", groups: [String] = [], delegation: [String] = []) {
            self.user = user
            self.subject = subject
            self.issuer = issuer
            self.groups = groups
            self.delegation = delegation
        }

        public init(_ principal: Principal) {
            self.init(
                user: principal.user, subject: principal.subject, issuer: principal.issuer, groups: principal.groups,
                delegation: principal.delegation.map(\.subject))
        }
    }

    /// Where it happened.
    public struct Place: Sendable, Hashable {
        public var session: SessionID?
        public var target: String?
        public var role: String?
        public var protocolName: Target.ProtocolName?

        public init(session: SessionID? = nil, target: String? = nil, role: String? = nil, protocolName: Target.ProtocolName? = nil) {
            self.session = session
            self.target = target
            self.role = role
            self.protocolName = protocolName
        }
    }

    /// What happened.
    public enum Kind: Sendable, Hashable {
        case sessionStarted(application: String)
        case sessionEnded(Ending)
        case verdict(Ruling)
        case approval(Approval)
        case finding(Finding)
        /// An administrative act: `ticket.revoked`, `legal-hold.placed`.
        case administration(action: String, detail: [String: String])
        /// A proof was not accepted, or no access is granted: a short code, and why.
        case authenticationFailed(login: String, code: String, reason: String)
    }

    /// How a session ended, and what it did.
    public struct Ending: Sendable, Hashable {
        public var isFailure: Bool
        public var reason: String
        /// When it had begun.
        public var started: WallTime
        public var statements: UInt64
        public var denied: UInt64
        public var rows: UInt64
        public var bytesIn: UInt64
        public var bytesOut: UInt64

        public init(
            isFailure: Bool, reason: String, started: WallTime, statements: UInt64, denied: UInt64, rows: UInt64, bytesIn: UInt64,
            bytesOut: UInt64
        ) {
            self.isFailure = isFailure
            self.reason = reason
            self.started = started
            self.statements = statements
            self.denied = denied
            self.rows = rows
            self.bytesIn = bytesIn
            self.bytesOut = bytesOut
        }
    }

    /// What policy said of an action, other than a plain yes.
    public struct Ruling: Sendable, Hashable {
        public var verdict: Verdict
        /// Of the action, sorted.
        public var kinds: [String]
        /// Without literals.
        public var statement: String
        public var policyVersion: String

        public init(verdict: Verdict, kinds: [String], statement: String, policyVersion: String) {
            self.verdict = verdict
            self.kinds = kinds
            self.statement = statement
            self.policyVersion = policyVersion
        }
    }

    /// A step of an approval.
    public struct Approval: Sendable, Hashable {
        public enum Step: String, Sendable, Hashable, CaseIterable {
            case requested
            /// The requester has said why.
            case explained
            /// Somebody approved, and more must.
            case seconded
            case approved, denied, expired, withdrawn, used
            /// Somebody let their own action through.
            case breakGlass = "break-glass"
        }

        public var step: Step
        public var id: String
        /// Who asked; the event's actor is who took this step.
        public var requester: Actor
        /// Why, in the words of whoever took the step (the requester's in `requested`).
        public var reason: String
        public var rule: String
        /// Groups whose members may approve, and how many of them must.
        public var approvers: [String]
        public var required: Int
        /// When the request and any approval of it end.
        public var expires: WallTime?
        /// Without literals; empty for a hold of a whole session.
        public var statement: String
        /// Where a person decides, if there is such a page.
        public var link: String?

        public init(
            step: Step, id: String, requester: Actor, reason: String = "", rule: String, approvers: [String], required: Int = 1,
            expires: WallTime? = nil, statement: String = "", link: String? = nil
        ) {
            self.step = step
            self.id = id
            self.requester = requester
            self.reason = reason
            self.rule = rule
            self.approvers = approvers
            self.required = required
            self.expires = expires
            self.statement = statement
            self.link = link
        }
    }

    /// Something that deserves a person's look.
    public struct Finding: Sendable, Hashable {
        public enum Severity: Int, Sendable, Hashable, CaseIterable {
            case informational = 1
            case low, medium, high, critical
        }

        /// Names the kind of finding: a rule, a detector.
        public var analytic: String
        public var title: String
        public var detail: String
        public var severity: Severity

        public init(analytic: String, title: String, detail: String = "", severity: Severity) {
            self.analytic = analytic
            self.title = title
            self.detail = detail
            self.severity = severity
        }
    }

    /// The same however often the event is delivered: receivers drop what they have seen. A UUID version 7.
    public var id: String
    public var time: WallTime
    public var kind: Kind
    public var actor: Actor?
    /// The client's IP address; empty when it did not come over the network.
    public var address: String
    public var place: Place

    public init(time: WallTime, _ kind: Kind, actor: Actor? = nil, address: String = "", place: Place = Place()) {
        id = SessionID(at: time).description
        self.time = time
        self.kind = kind
        self.actor = actor
        self.address = address
        self.place = place
    }
}

extension OutwardEvent {
    /// What sinks are told to take by.
    public enum Class: String, Sendable, Hashable, CaseIterable {
        case session, verdict, approval, finding, administration, authentication
    }

    public var eventClass: Class {
        switch kind {
        case .sessionStarted, .sessionEnded: .session
        case .verdict: .verdict
        case .approval: .approval
        case .finding: .finding
        case .administration: .administration
        case .authenticationFailed: .authentication
        }
    }

    /// Two dotted words (`approval.requested`), by which webhooks are told what to send.
    public var name: String {
        switch kind {
        case .sessionStarted: "session.started"
        case .sessionEnded: "session.ended"
        case .verdict(let ruling):
            switch ruling.verdict.decision {
            case .deny: "verdict.denied"
            case .hold: "verdict.held"
            case .allow: "verdict.approved"
            }
        case .approval(let approval): "approval.\(approval.step.rawValue)"
        case .finding: "finding.created"
        case .administration: "administration.done"
        case .authenticationFailed: "authentication.failed"
        }
    }

    /// Every name there is.
    public static let names =
        ["session.started", "session.ended", "verdict.denied", "verdict.held", "verdict.approved"]
        + Approval.Step.allCases.map { "approval.\($0.rawValue)" } + ["finding.created", "administration.done", "authentication.failed"]
}

/// Whom events are given to. Returns at once, from any thread; what cannot be delivered is counted, and nobody waits for it.
public protocol Notifier: Sendable {
    func notify(_ event: OutwardEvent)
}

/// Tells nobody.
public struct NoNotifier: Notifier {
    public init() {}

    public func notify(_ event: OutwardEvent) {}
}
