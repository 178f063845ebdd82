import GatehouseCore

/// What is different between two configurations, in words, by whether a running gateway can take it over.
public struct ReloadPlan: Sendable, Hashable {
    /// Taken over at once: issuers, targets, policy, limits, admin roles.
    public var live: [String] = []
    /// Needs a restart; the running gateway keeps what it has.
    public var restart: [String] = []

    public var isEmpty: Bool { live.isEmpty && restart.isEmpty }

    public init(from old: GatehouseSettings, to new: GatehouseSettings) {
        compare(old.node, new.node, "node", needsRestart: true)
        compare(old.dataDirectory, new.dataDirectory, "data_directory", needsRestart: true)
        compare(old.log, new.log, "log", needsRestart: true)
        compare(old.recording.recipients, new.recording.recipients, "recording.recipients", needsRestart: false)
        compare(
            old.recording.breakGlassRecipients, new.recording.breakGlassRecipients, "recording.break_glass_recipients", needsRestart: false)
        compare(old.recording.restarting, new.recording.restarting, "recording", needsRestart: true)
        compare(old.store, new.store, "store", needsRestart: true)
        compare(old.retention, new.retention, "retention", needsRestart: false)
        compare(old.admin.listen, new.admin.listen, "admin.listen", needsRestart: true)
        compare(old.admin.tls, new.admin.tls, "admin.tls", needsRestart: true)
        compare(old.admin.publicURL, new.admin.publicURL, "admin.public_url", needsRestart: true)
        compare(old.admin.roles, new.admin.roles, "admin.roles", needsRestart: false)
        compareNamed(old.listeners, new.listeners, by: \.name, "listener", needsRestart: true)
        compareNamed(old.issuers, new.issuers, by: \.issuer, "issuer", needsRestart: false)
        compareNamed(old.targets, new.targets, by: \.name, "target", needsRestart: false)
        if old.policy.version != new.policy.version {
            live.append("policy: \(old.policy.version) -> \(new.policy.version)")
        }
        compare(old.limits, new.limits, "limits", needsRestart: false)
        compare(old.events, new.events, "events", needsRestart: true)
        compare(old.webhooks, new.webhooks, "webhooks", needsRestart: true)
        compare(old.maskKey, new.maskKey, "mask_key", needsRestart: true)
    }

    /// Values are not shown: some are secrets, and the file has them.
    private mutating func compare<Value: Equatable>(_ old: Value, _ new: Value, _ name: String, needsRestart: Bool) {
        if old != new { add("\(name): changed", needsRestart) }
    }

    private mutating func compareNamed<Item: Equatable>(
        _ old: [Item], _ new: [Item], by name: (Item) -> String, _ what: String, needsRestart: Bool
    ) {
        let before = Dictionary(old.map { (name($0), $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { (name($0), $0) }, uniquingKeysWith: { first, _ in first })
        for key in before.keys.sorted() where after[key] == nil { add("\(what) \(key): removed", needsRestart) }
        for key in after.keys.sorted() {
            if let earlier = before[key] {
                if earlier != after[key] { add("\(what) \(key): changed", needsRestart) }
            } else {
                add("\(what) \(key): added", needsRestart)
            }
        }
    }

    private mutating func add(_ line: String, _ needsRestart: Bool) {
        if needsRestart { restart.append(line) } else { live.append(line) }
    }
}

/// What of `new` a gateway that runs with `old` can take over, and what needs a restart.
public func reloadableDifference(old: GatehouseSettings, new: GatehouseSettings) -> ReloadPlan {
    ReloadPlan(from: old, to: new)
}

extension GatehouseSettings {
    /// These settings with what a running gateway cannot change taken from `running`.
    public func keepingWhatNeedsRestart(of running: GatehouseSettings) -> GatehouseSettings {
        var settings = self
        settings.node = running.node
        settings.dataDirectory = running.dataDirectory
        settings.log = running.log
        settings.recording = running.recording
        settings.recording.recipients = recording.recipients
        settings.recording.breakGlassRecipients = recording.breakGlassRecipients
        settings.store = running.store
        settings.admin.listen = running.admin.listen
        settings.admin.tls = running.admin.tls
        settings.admin.publicURL = running.admin.publicURL
        settings.listeners = running.listeners
        settings.events = running.events
        settings.webhooks = running.webhooks
        return settings
    }
}

extension RecordingSettings {
    /// All but the recipients, which can change while running.
    fileprivate var restarting: RecordingSettings {
        var rest = self
        rest.recipients = []
        rest.breakGlassRecipients = []
        return rest
    }
}
