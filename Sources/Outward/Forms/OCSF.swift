import GatehouseCore

/// Events in the words of the Open Cybersecurity Schema Framework, version 1.7.0 (https://schema.ocsf.io); docs/events.md has the
/// table. What the schema has no place for is in `unmapped`.
enum OCSF {
    static let version = "1.7.0"

    static func object(_ event: OutwardEvent, from source: EventSource) -> JSONText {
        let shape = Shape(event, source)
        var members: [JSONText.Member] = []
        func add(_ name: String, _ value: JSONText) {
            if value != .null, value != "", value != .object([]) { members.append(.init(name: name, value: value)) }
        }
        add("class_uid", JSONText(shape.eventClass.uid))
        add("class_name", .string(shape.eventClass.name))
        add("category_uid", JSONText(shape.eventClass.uid / 1_000))
        add("category_name", .string(shape.eventClass.category))
        add("activity_id", JSONText(shape.activity.id))
        add("activity_name", .string(shape.activity.name))
        add("type_uid", JSONText(shape.eventClass.uid * 100 + shape.activity.id))
        add("severity_id", JSONText(event.severity.rawValue))
        add("severity", .string(severityName(event.severity)))
        add("time", JSONText(event.time.milliseconds))
        add("message", .string(event.headline))
        for member in shape.members { add(member.name, member.value) }
        add("metadata", metadata(event, source, shape.profiles))
        add("unmapped", shape.unmapped)
        return .object(members)
    }

    private static func metadata(_ event: OutwardEvent, _ source: EventSource, _ profiles: [String]) -> JSONText {
        [
            "version": .string(version), "uid": .string(event.id), "event_code": .string(event.name),
            "correlation_uid": JSONText(event.place.session?.description), "log_name": "gatehouse.events",
            "log_provider": .string(source.node), "profiles": profiles.isEmpty ? .null : .strings(profiles),
            "product": ["name": "Gatehouse", "vendor_name": "Gatehouse", "version": .string(source.version)],
        ]
    }

    static func severityName(_ severity: OutwardEvent.Finding.Severity) -> String {
        switch severity {
        case .informational: "Informational"
        case .low: "Low"
        case .medium: "Medium"
        case .high: "High"
        case .critical: "Critical"
        }
    }
}

extension OCSF {
    struct EventClass {
        var uid: Int
        var name: String
        var category: String

        static let finding = EventClass(uid: 2004, name: "Detection Finding", category: "Findings")
        static let authentication = EventClass(uid: 3002, name: "Authentication", category: "Identity & Access Management")
        static let entity = EventClass(uid: 3004, name: "Entity Management", category: "Identity & Access Management")
        static let api = EventClass(uid: 6003, name: "API Activity", category: "Application Activity")
        static let datastore = EventClass(uid: 6005, name: "Datastore Activity", category: "Application Activity")
    }

    struct Activity {
        var id: Int
        var name: String

        static func other(_ name: String) -> Activity { Activity(id: 99, name: name) }
    }

    /// What of an event depends on its kind.
    struct Shape {
        var eventClass: EventClass
        var activity: Activity
        var profiles: [String] = []
        var members: [JSONText.Member] = []
        var unmapped: JSONText = .null

        init(_ event: OutwardEvent, _ source: EventSource) {
            let parts = Parts(event: event, source: source)
            switch event.kind {
            case .sessionStarted(let application):
                eventClass = .authentication
                activity = Activity(id: 1, name: "Logon")
                add("user", parts.user)
                add("session", parts.session(started: event.time))
                add("is_remote", true)
                add("logon_type_id", 3)
                unmapped = ["role": JSONText(event.place.role), "application": .string(application.clipped(TextLimit.name))]
                succeed()
            case .sessionEnded(let ending):
                eventClass = .authentication
                activity = Activity(id: 2, name: "Logoff")
                add("user", parts.user)
                add("session", parts.session(started: ending.started))
                add("is_remote", true)
                add("start_time", JSONText(ending.started.milliseconds))
                add("end_time", JSONText(event.time.milliseconds))
                unmapped = [
                    "role": JSONText(event.place.role), "statements": JSONText(ending.statements), "denied": JSONText(ending.denied),
                    "rows": JSONText(ending.rows), "bytes_in": JSONText(ending.bytesIn), "bytes_out": JSONText(ending.bytesOut),
                ]
                if ending.isFailure { fail("", ending.reason) } else { succeed(ending.reason) }
            case .authenticationFailed(let login, let code, let reason):
                eventClass = .authentication
                activity = Activity(id: 1, name: "Logon")
                add("user", event.actor == nil ? ["name": .string(login.isEmpty ? "unknown" : login.clipped(TextLimit.name))] : parts.user)
                add("is_remote", true)
                unmapped = event.actor == nil ? .null : ["login": .string(login.clipped(TextLimit.name))]
                fail(code, reason)
            case .verdict(let ruling):
                eventClass = .datastore
                activity = Activity(id: 4, name: "Query")
                profiles = ["security_control"]
                add(ruling, parts)
            case .approval(let approval):
                eventClass = .entity
                activity = Self.activity(of: approval.step)
                add(approval)
                unmapped = parts.place
                succeed()
            case .administration(let action, let detail):
                eventClass = .api
                activity = Self.activity(of: action)
                add("api", ["operation": .string(action), "service": ["name": "gatehouse"]])
                unmapped = .object(
                    detail.sorted { $0.key < $1.key }.prefix(TextLimit.list).map {
                        .init(name: $0.key.clipped(TextLimit.name), value: .string($0.value.clipped(TextLimit.reason)))
                    })
                if action.hasSuffix(".refused") { fail("", "") } else { succeed() }
            case .finding(let finding):
                eventClass = .finding
                activity = Activity(id: 1, name: "Create")
                add(finding, event, parts)
            }
            guard eventClass.uid != EventClass.finding.uid else { return }
            add("actor", parts.actor)
            add("src_endpoint", parts.client)
            if eventClass.uid != EventClass.entity.uid, eventClass.uid != EventClass.api.uid { add("dst_endpoint", parts.target) }
            if eventClass.uid == EventClass.authentication.uid { add("service", ["name": "gatehouse"]) }
        }

        private mutating func add(_ name: String, _ value: JSONText) { members.append(.init(name: name, value: value)) }

        private mutating func succeed(_ detail: String = "") {
            add("status_id", 1)
            add("status", "Success")
            add("status_detail", .string(detail.clipped(TextLimit.reason)))
        }

        private mutating func fail(_ code: String, _ detail: String) {
            add("status_id", 2)
            add("status", "Failure")
            add("status_code", .string(code))
            add("status_detail", .string(detail.clipped(TextLimit.reason)))
        }
    }
}

extension OCSF.Shape {
    private mutating func add(_ ruling: OutwardEvent.Ruling, _ parts: OCSF.Parts) {
        let verdict = ruling.verdict
        switch verdict.decision {
        case .deny:
            add("action_id", 2)
            add("action", "Denied")
            add("disposition_id", 2)
            add("disposition", "Blocked")
            fail(verdict.category.rawValue, verdict.reason)
        case .hold:
            add("action_id", 99)
            add("action", "Held")
            add("disposition_id", 14)
            add("disposition", "Delayed")
            add("status_id", 99)
            add("status", "Held")
            add("status_detail", .string(verdict.reason.clipped(TextLimit.reason)))
        case .allow:
            add("action_id", 1)
            add("action", "Allowed")
            add("disposition_id", 8)
            add("disposition", "Approved")
            succeed(verdict.reason)
        }
        add("firewall_rule", ["uid": .string(verdict.rule), "name": .string(verdict.rule), "category": .string(verdict.category.rawValue)])
        add(
            "policy",
            ["name": "gatehouse", "uid": .string(ruling.policyVersion), "version": .string(ruling.policyVersion), "is_applied": true])
        add("database", ["name": .string(parts.event.place.target ?? "unknown"), "type_id": 1, "type": "Relational"])
        add("type_id", 1)
        if !ruling.statement.isEmpty {
            add("query_info", ["name": "statement", "query_string": .string(ruling.statement.clipped(TextLimit.statement))])
        }
        unmapped = [
            "role": JSONText(parts.event.place.role), "approval": JSONText(verdict.approval),
            "kinds": .strings(Array(ruling.kinds.prefix(TextLimit.list))),
        ]
    }

    static func activity(of step: OutwardEvent.Approval.Step) -> OCSF.Activity {
        switch step {
        case .requested: .init(id: 1, name: "Create")
        case .explained, .seconded, .approved, .denied: .init(id: 3, name: "Update")
        case .expired, .withdrawn, .used, .breakGlass: .other(step.rawValue)
        }
    }

    private mutating func add(_ approval: OutwardEvent.Approval) {
        let data: JSONText = [
            "step": .string(approval.step.rawValue), "requester": OCSF.Parts.user(approval.requester), "rule": .string(approval.rule),
            "approvers": .strings(approval.approvers), "required": JSONText(approval.required),
            "expires": JSONText(approval.expires?.timestamp), "statement": .string(approval.statement.clipped(TextLimit.statement)),
            "link": JSONText(approval.link),
        ]
        add(
            "entity",
            ["uid": .string(approval.id), "name": .string("approval for rule \(approval.rule)"), "type": "Approval", "data": data])
        add("comment", .string(approval.reason.clipped(TextLimit.reason)))
    }

    /// By the last word of what was done.
    static func activity(of action: String) -> OCSF.Activity {
        switch action.split(separator: ".").last {
        case "created", "placed": .init(id: 1, name: "Create")
        case "read", "verified": .init(id: 2, name: "Read")
        case "changed", "reloaded": .init(id: 3, name: "Update")
        case "deleted", "revoked", "lifted", "killed": .init(id: 4, name: "Delete")
        default: .other(action)
        }
    }

    private mutating func add(_ finding: OutwardEvent.Finding, _ event: OutwardEvent, _ parts: OCSF.Parts) {
        add(
            "finding_info",
            [
                "uid": .string(event.id), "title": .string(finding.title.clipped(TextLimit.reason)),
                "desc": .string(finding.detail.clipped(TextLimit.reason)), "created_time": JSONText(event.time.milliseconds),
                "analytic": ["type_id": 1, "type": "Rule", "name": .string(finding.analytic), "uid": .string(finding.analytic)],
            ])
        add("is_alert", .bool(finding.severity.rawValue >= OutwardEvent.Finding.Severity.high.rawValue))
        add("status_id", 1)
        add("status", "New")
        add("evidences", [["actor": parts.actor, "src_endpoint": parts.client, "dst_endpoint": parts.target]])
    }
}

extension OCSF {
    /// Objects that several classes have.
    struct Parts {
        var event: OutwardEvent
        var source: EventSource

        static func user(_ actor: OutwardEvent.Actor) -> JSONText {
            [
                "name": .string(actor.user.clipped(TextLimit.name)), "uid": .string(actor.subject.clipped(TextLimit.name)),
                "domain": .string(actor.issuer.clipped(TextLimit.name)),
                "groups": actor.groups.isEmpty
                    ? .null : .array(actor.groups.prefix(TextLimit.list).map { ["name": .string($0.clipped(TextLimit.name))] }),
            ]
        }

        var user: JSONText { event.actor.map { Self.user($0) } ?? ["name": "unknown"] }

        /// Those on whose behalf is acted are the ones that invoked.
        var actor: JSONText {
            guard let actor = event.actor else { return ["app_name": "gatehouse"] }
            return [
                "user": user, "session": session(started: nil),
                "invoked_by": .string(actor.delegation.prefix(TextLimit.list).joined(separator: " < ").clipped(TextLimit.reason)),
            ]
        }

        func session(started: WallTime?) -> JSONText {
            guard let id = event.place.session else { return .null }
            return [
                "uid": .string(id.description), "created_time": started.map { JSONText($0.milliseconds) } ?? .null,
                "issuer": JSONText(event.actor?.issuer),
            ]
        }

        /// Where nothing came over the network it is the gateway itself.
        var client: JSONText { event.address.isEmpty ? ["name": .string(source.node)] : ["ip": .string(event.address)] }

        var target: JSONText {
            guard let name = event.place.target else { return ["name": .string(source.node)] }
            return ["name": .string(name), "svc_name": JSONText(event.place.protocolName?.rawValue)]
        }

        var place: JSONText {
            [
                "session": JSONText(event.place.session?.description), "target": JSONText(event.place.target),
                "role": JSONText(event.place.role),
            ]
        }
    }
}
