import GatehouseCore

/// Events for programs that are written for Gatehouse: what webhooks of the form `generic` get.
enum PlainForm {
    static func object(_ event: OutwardEvent, from source: EventSource) -> JSONText {
        ["id": .string(event.id), "type": .string(event.name), "timestamp": .string(event.time.timestamp), "data": data(event, source)]
    }

    private static func data(_ event: OutwardEvent, _ source: EventSource) -> JSONText {
        let (name, value) = detail(event)
        return [
            "node": .string(source.node), "message": .string(event.headline), "actor": event.actor.map(actor) ?? .null,
            "address": .string(event.address), "session": JSONText(event.place.session?.description),
            "target": JSONText(event.place.target), "role": JSONText(event.place.role),
            "protocol": JSONText(event.place.protocolName?.rawValue), name: value,
        ]
    }

    private static func actor(_ actor: OutwardEvent.Actor) -> JSONText {
        [
            "user": .string(actor.user.clipped(TextLimit.name)), "subject": .string(actor.subject.clipped(TextLimit.name)),
            "issuer": .string(actor.issuer.clipped(TextLimit.name)),
            "groups": .strings(actor.groups.prefix(TextLimit.list).map { $0.clipped(TextLimit.name) }),
            "on_behalf_of": actor.delegation.isEmpty
                ? .null : .strings(actor.delegation.prefix(TextLimit.list).map { $0.clipped(TextLimit.name) }),
        ]
    }

    private static func detail(_ event: OutwardEvent) -> (String, JSONText) {
        switch event.kind {
        case .sessionStarted(let application): ("started", ["application": .string(application.clipped(TextLimit.name))])
        case .sessionEnded(let ending):
            (
                "ended",
                [
                    "failed": .bool(ending.isFailure), "reason": .string(ending.reason.clipped(TextLimit.reason)),
                    "started": .string(ending.started.timestamp), "statements": JSONText(ending.statements),
                    "denied": JSONText(ending.denied), "rows": JSONText(ending.rows), "bytes_in": JSONText(ending.bytesIn),
                    "bytes_out": JSONText(ending.bytesOut),
                ]
            )
        case .verdict(let ruling):
            (
                "verdict",
                [
                    "decision": .string(ruling.verdict.decision.rawValue), "rule": .string(ruling.verdict.rule),
                    "category": .string(ruling.verdict.category.rawValue),
                    "reason": .string(ruling.verdict.reason.clipped(TextLimit.reason)),
                    "hint": .string(ruling.verdict.hint.clipped(TextLimit.reason)), "approval": JSONText(ruling.verdict.approval),
                    "kinds": .strings(Array(ruling.kinds.prefix(TextLimit.list))),
                    "statement": .string(ruling.statement.clipped(TextLimit.statement)), "policy": .string(ruling.policyVersion),
                ]
            )
        case .approval(let approval):
            (
                "approval",
                [
                    "id": .string(approval.id), "step": .string(approval.step.rawValue), "requester": actor(approval.requester),
                    "reason": .string(approval.reason.clipped(TextLimit.reason)), "rule": .string(approval.rule),
                    "approvers": .strings(approval.approvers), "required": JSONText(approval.required),
                    "expires": JSONText(approval.expires?.timestamp), "statement": .string(approval.statement.clipped(TextLimit.statement)),
                    "link": JSONText(approval.link),
                ]
            )
        case .finding(let finding):
            (
                "finding",
                [
                    "analytic": .string(finding.analytic), "title": .string(finding.title.clipped(TextLimit.reason)),
                    "detail": .string(finding.detail.clipped(TextLimit.reason)),
                    "severity": .string(OCSF.severityName(finding.severity).lowercased()),
                ]
            )
        case .administration(let action, let detail):
            (
                "administration",
                [
                    "action": .string(action),
                    "detail": .object(
                        detail.sorted { $0.key < $1.key }.prefix(TextLimit.list).map {
                            .init(name: $0.key.clipped(TextLimit.name), value: .string($0.value.clipped(TextLimit.reason)))
                        }),
                ]
            )
        case .authenticationFailed(let login, let code, let reason):
            (
                "authentication",
                [
                    "login": .string(login.clipped(TextLimit.name)), "code": .string(code),
                    "reason": .string(reason.clipped(TextLimit.reason)),
                ]
            )
        }
    }
}
