public import GatehouseCore

/// What the events of any protocol's session say of the records that are the same for all (docs/cli.md, Events).
extension SessionStart {
    public func members(of session: SessionID) -> [String: TranscriptEvent.Value] {
        [
            "session": .string(session.description), "target": .string(target), "role": .optional(role),
            "database": .optional(database), "client_address": .string(clientAddress), "application": .optional(application),
        ]
    }
}

extension SessionIdentity {
    public var members: [String: TranscriptEvent.Value] {
        [
            "principal": .object([
                "user": .string(principal.user), "issuer": .string(principal.issuer), "subject": .string(principal.subject),
                "groups": .list(principal.groups.map { .string($0) }),
            ]),
            "clear_masks": clearMasks.map { .list($0.map { .string($0) }) } ?? .null,
            "granted_by": .string(grantingGroup.map { "\(grantingRule), group \($0)" } ?? grantingRule),
        ]
    }
}

extension UpstreamConnection {
    public var members: [String: TranscriptEvent.Value] {
        ["address": .string(address), "user": .string(user), "server_version": .optional(serverVersion)]
    }
}

extension ApprovalRecord {
    public var members: [String: TranscriptEvent.Value] {
        [
            "approval": .string(approval), "event": .string(event.rawValue), "rule": .string(rule), "reason": .string(reason),
            "masks": masks.map { .list($0.map { .string($0) }) } ?? .null,
            "votes": .list(
                votes.map { vote in
                    .object([
                        "user": .string(vote.user), "issuer": .string(vote.issuer), "choice": .string(vote.choice),
                        "comment": .string(vote.comment),
                    ])
                }),
        ]
    }
}

extension VerdictRecord.Ruling {
    public var members: [String: TranscriptEvent.Value] {
        [
            "decision": .string(decision.rawValue), "rule": .string(rule), "reason": .string(reason),
            "kinds": .list(kinds.map { .string($0) }), "approval": .optional(approval),
            "masked": .list((masked ?? []).map { .string($0) }),
        ]
    }
}
