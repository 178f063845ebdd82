public import GatehouseCore
import Policy
import Synchronization

/// Gatehouse's own roles. A caller may have several; each adds rights.
///
/// | may                                            | agent | approver | auditor | administrator |
/// |------------------------------------------------|-------|----------|---------|---------------|
/// | `whoami`, targets that he may use              | yes   | yes      | yes     | yes           |
/// | list, read, follow, verify his own sessions    | yes   | yes      | yes     | yes           |
/// | end his own sessions                           | yes   | yes      | yes     | yes           |
/// | mint tickets; list and revoke his own          | yes   | yes      | yes     | yes           |
/// | see everybody's sessions in lists              | no    | no       | yes     | yes           |
/// | read, follow, verify everybody's recordings    | no    | no       | yes     | no            |
/// | open what was masked in others' sessions       | no    | no       | yes     | no            |
/// | end everybody's sessions                       | no    | no       | no      | yes           |
/// | list everybody's tickets                       | no    | no       | yes     | yes           |
/// | revoke everybody's tickets                     | no    | no       | no      | yes           |
/// | read the audit log                             | no    | no       | yes     | yes           |
/// | see legal holds and the retention plan         | no    | no       | yes     | yes           |
/// | place legal holds                              | no    | no       | yes     | yes           |
/// | lift legal holds                               | no    | no       | yes     | no            |
/// | run retention, delete others' recordings       | no    | no       | no      | yes           |
/// | end all sessions of somebody, or on a target   | no    | no       | no      | yes           |
/// | see, explain, break glass for his own requests | yes   | yes      | yes     | yes           |
/// | see requests that he may decide, or has        | no    | yes      | yes     | yes           |
/// | read the exact text of those                   | no    | yes      | yes     | no            |
/// | decide them                                    | no    | yes      | no      | no            |
/// | see everybody's requests                       | no    | no       | yes     | yes           |
/// | read the exact text of everybody's             | no    | no       | yes     | no            |
///
/// Which requests an approver may decide is for the rule to say that holds: he must be in one of its approver groups too, and
/// never be, or act for, the same human as the requester.
///
/// Who runs the gateway does not thereby read what passed through it: an administrator needs the auditor's role for that.
/// Everybody who is authenticated is an agent, unless the configuration names groups for that role. A caller who comes with a
/// ticket is an agent and nothing more, and breaks no glass: tickets lie in scripts and environments, and were minted for targets.
public enum GatehouseRole: String, Sendable, Hashable, Codable, CaseIterable {
    case agent, approver, auditor, administrator
}

/// Which groups have which role.
public struct RoleSettings: Sendable, Hashable {
    public var groups: [GatehouseRole: [String]]

    public init(groups: [GatehouseRole: [String]] = [:]) {
        self.groups = groups
    }

    /// The roles of a caller, by his groups.
    public func roles(of principal: Principal) -> Set<GatehouseRole> {
        let own = Set(principal.groups)
        var roles = Set(groups.filter { !own.isDisjoint(with: $0.value) }.keys)
        if groups[.agent] == nil { roles.insert(.agent) }
        if case .ticket = principal.credential { roles.formIntersection([.agent]) }
        return roles
    }
}

/// The roles in force, which a reload exchanges: who is taken out of a group's role has lost it with his next request.
final class LiveRoles: Sendable {
    private let settings: Mutex<RoleSettings>

    init(_ settings: RoleSettings) {
        self.settings = Mutex(settings)
    }

    func replace(by settings: RoleSettings) {
        self.settings.withLock { $0 = settings }
    }

    func roles(of principal: Principal) -> Set<GatehouseRole> {
        settings.withLock { $0 }.roles(of: principal)
    }
}

/// Who asks, and as what.
struct Caller: Sendable {
    var principal: Principal
    var roles: Set<GatehouseRole>
    /// IP address, without the port.
    var address: String

    func has(_ role: GatehouseRole) -> Bool { roles.contains(role) }

    /// Whether any role makes the caller more than unknown.
    var isKnown: Bool { !roles.isEmpty }

    func isSame(as other: Principal) -> Bool {
        principal.issuer == other.issuer && principal.subject == other.subject
    }

    var seesAllSessions: Bool { has(.auditor) || has(.administrator) }
    func sees(sessionOf owner: Principal) -> Bool { isSame(as: owner) || seesAllSessions }
    func reads(recordingOf owner: Principal) -> Bool { isSame(as: owner) || has(.auditor) }
    /// Nobody opens what was masked for himself.
    func opensOriginals(of owner: Principal) -> Bool { has(.auditor) && !isSame(as: owner) }
    func ends(sessionOf owner: Principal) -> Bool { isSame(as: owner) || has(.administrator) }
    var seesAllTickets: Bool { has(.auditor) || has(.administrator) }
    func revokes(ticketOf owner: Principal) -> Bool { isSame(as: owner) || has(.administrator) }
    var readsAuditLog: Bool { has(.auditor) || has(.administrator) }
    var seesRetention: Bool { has(.auditor) || has(.administrator) }
    var placesHolds: Bool { has(.auditor) || has(.administrator) }
    /// Who can delete must not be the one who makes that possible.
    var liftsHolds: Bool { has(.auditor) }
    var runsRetention: Bool { has(.administrator) }
    /// Nobody deletes the evidence of himself.
    func deletes(recordingOf owner: Principal) -> Bool { has(.administrator) && !isSame(as: owner) }

    // MARK: - Approvals

    var cameWithTicket: Bool {
        if case .ticket = principal.credential { true } else { false }
    }

    var endsManySessions: Bool { has(.administrator) }
    var seesAllApprovals: Bool { has(.auditor) || has(.administrator) }
    /// Some of them: see `sees(_:)`.
    var seesOthersApprovals: Bool { seesAllApprovals || has(.approver) }

    func sees(_ approval: Approval) -> Bool {
        isSame(as: approval.request.requester) || seesAllApprovals || isApprover(of: approval)
    }

    func readsText(of approval: Approval) -> Bool {
        isSame(as: approval.request.requester) || has(.auditor) || isApprover(of: approval)
    }

    /// One of those whom the rule asks, or has asked. Somebody who acts for the requester is told so once he tries.
    private func isApprover(of approval: Approval) -> Bool {
        guard has(.approver) else { return false }
        switch approval.refusal(of: principal) {
        case nil, .ownRequest: return true
        default: return approval.votes.contains { $0.issuer == principal.issuer && $0.subject == principal.subject }
        }
    }

    /// What the caller can do with it now, in the words of the API's paths.
    func acts(on approval: Approval, at now: WallTime) -> [String] {
        guard approval.state(at: now) == .pending else { return [] }
        var acts: [String] = []
        if has(.approver), approval.refusal(of: principal) == nil,
            !approval.votes.contains(where: { $0.issuer == principal.issuer && $0.subject == principal.subject })
        {
            if !approval.request.terms.needsReason || !approval.reason.isEmpty { acts.append("approve") }
            acts.append("deny")
        }
        guard isSame(as: approval.request.requester) else { return acts }
        if approval.votes.isEmpty || approval.reason.isEmpty { acts.append("reason") }
        if !cameWithTicket, approval.mayBreakGlass(principal) { acts.append("break-glass") }
        return acts
    }
}
