import Catalog
import Foundation
import GatehouseCore
import Identity

/// A session as the API shows it.
struct SessionView: Encodable {
    let session: SessionRecord

    private enum Key: String, CodingKey {
        case id, node, started, ended, state, `protocol`, target, role, database, user, issuer, subject, groups, workload, delegation,
            ticket
        case grantedBy = "granted_by"
        case clientAddress = "client_address"
        case application, counts
        case endReason = "end_reason"
        case recordingDeleted = "recording_deleted"
    }

    private enum CountKey: String, CodingKey {
        case statements, denied, rows
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(session.id, forKey: .id)
        try container.encode(session.node, forKey: .node)
        try container.encode(API.time(session.started), forKey: .started)
        try container.encodeIfPresent(session.ended.map(API.time), forKey: .ended)
        try container.encode(session.state, forKey: .state)
        try container.encode(session.protocolName, forKey: .protocol)
        try container.encode(session.target, forKey: .target)
        try container.encode(session.role, forKey: .role)
        try container.encode(session.database, forKey: .database)
        let principal = session.principal
        try container.encode(principal.user, forKey: .user)
        try container.encode(principal.issuer, forKey: .issuer)
        try container.encode(principal.subject, forKey: .subject)
        try container.encode(principal.groups, forKey: .groups)
        if !principal.workload.isEmpty { try container.encode(principal.workload, forKey: .workload) }
        if !principal.delegation.isEmpty { try container.encode(principal.delegation, forKey: .delegation) }
        try container.encodeIfPresent(session.ticket, forKey: .ticket)
        try container.encode(session.grant, forKey: .grantedBy)
        try container.encode(session.clientAddress, forKey: .clientAddress)
        try container.encode(session.application, forKey: .application)
        var counts = container.nestedContainer(keyedBy: CountKey.self, forKey: .counts)
        try counts.encode(session.counts.statements, forKey: .statements)
        try counts.encode(session.counts.denied, forKey: .denied)
        try counts.encode(session.counts.rows, forKey: .rows)
        try counts.encode(session.counts.bytesIn, forKey: .bytesIn)
        try counts.encode(session.counts.bytesOut, forKey: .bytesOut)
        if session.state != .live { try container.encode(session.endReason, forKey: .endReason) }
        try container.encodeIfPresent(session.recordingDeleted.map(API.time), forKey: .recordingDeleted)
    }
}

/// A ticket as the API shows it; its text only once, when it is minted.
struct TicketView: Encodable {
    var ticket: String?
    var id: String
    var user: String
    var issuer: String
    var subject: String
    var target: String?
    var label: String
    var state: TicketRecord.State
    var created: String
    var expires: String
    var revoked: String?
    var lastUsed: String?

    init(_ record: TicketRecord, at now: WallTime, text: Secret? = nil) {
        ticket = text?.reveal()
        id = record.id
        user = record.owner.user
        issuer = record.owner.issuer
        subject = record.owner.subject
        target = record.target
        label = record.label
        state = record.state(at: now)
        created = API.time(record.created)
        expires = API.time(record.expires)
        revoked = record.revoked.map(API.time)
        lastUsed = record.lastUsed.map(API.time)
    }

    private enum CodingKeys: String, CodingKey {
        case ticket, id, user, issuer, subject, target, label, state, created, expires, revoked
        case lastUsed = "last_used"
    }
}

/// An entry of the audit log as the API shows it.
struct AuditView: Encodable {
    var id: Int64
    var time: String
    var kind: String
    var actor: String
    var issuer: String
    var subject: String
    var address: String
    var detail: [String: String]

    init(_ entry: AuditEntry) {
        id = entry.id
        time = API.time(entry.time)
        kind = entry.kind.rawValue
        actor = entry.actor
        issuer = entry.issuer
        subject = entry.subject
        address = entry.address
        detail = entry.detail
    }
}
