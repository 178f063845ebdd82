public import GatehouseCore

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
/// | end everybody's sessions                       | no    | no       | no      | yes           |
/// | list everybody's tickets                       | no    | no       | yes     | yes           |
/// | revoke everybody's tickets                     | no    | no       | no      | yes           |
/// | read the audit log                             | no    | no       | yes     | yes           |
/// | see legal holds and the retention plan         | no    | no       | yes     | yes           |
/// | place legal holds                              | no    | no       | yes     | yes           |
/// | lift legal holds                               | no    | no       | yes     | no            |
/// | run retention, delete others' recordings       | no    | no       | no      | yes           |
///
/// Who runs the gateway does not thereby read what passed through it: an administrator needs the auditor's role for that.
/// Everybody who is authenticated is an agent, unless the configuration names groups for that role. A caller who comes with a
/// ticket is an agent and nothing more: tickets lie in scripts and environments, and were minted for targets. Approvals are
/// given elsewhere; the approver's role adds nothing here yet.
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
}
