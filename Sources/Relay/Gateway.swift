public import GatehouseCore
public import Identity
public import Logging
public import Masking
import Metrics
public import Policy
import Synchronization

/// What may change while the gateway runs: replaced whole, so that nobody sees half of a new configuration.
public struct LiveConfiguration: Sendable {
    public var policy: PolicyEngine
    public var targets: [String: Target]
    public var limits: Limits
    /// Grows by one with each reload; a verdict reached under an older one is reached anew.
    public var generation: UInt64

    public init(policy: PolicyEngine, targets: [String: Target], limits: Limits, generation: UInt64) {
        self.policy = policy
        self.targets = targets
        self.limits = limits
        self.generation = generation
    }
}

/// What every session of every protocol shares.
public final class Gateway: Sendable {
    public let node: String
    public let clock: any GatewayClock
    public let logger: Logger
    public let authenticator: any Authenticator
    public let sessions: SessionRegistry
    public let observer: any SessionObserver
    /// Where the passwords of targets' accounts come from that the configuration does not hold.
    public let secrets: any SecretResolver
    public let recorders: LoopRecorders
    public let approvals: ApprovalDesk
    public let budgets: BudgetLedger
    /// Where people decide on an approval, by its id.
    public let approvalLink: @Sendable (String) -> String
    /// The key of masks that depend on one.
    public let maskKey: MaskKey
    /// Why no new session may start now (the recorder's disk or backlog is full), nil when one may.
    public let obstacle: @Sendable () -> String?
    private let live: Mutex<LiveConfiguration>
    private let liveGeneration: Atomic<UInt64>

    public init(
        node: String, clock: any GatewayClock, logger: Logger, authenticator: any Authenticator, sessions: SessionRegistry,
        observer: any SessionObserver, secrets: any SecretResolver = NoSecrets(), recorders: LoopRecorders,
        approvals: ApprovalDesk, budgets: BudgetLedger, approvalLink: @escaping @Sendable (String) -> String, maskKey: MaskKey = MaskKey(),
        obstacle: @escaping @Sendable () -> String? = { nil }, configuration: LiveConfiguration
    ) {
        self.obstacle = obstacle
        self.maskKey = maskKey
        self.node = node
        self.clock = clock
        self.logger = logger
        self.authenticator = authenticator
        self.sessions = sessions
        self.observer = observer
        self.secrets = secrets
        self.recorders = recorders
        self.approvals = approvals
        self.budgets = budgets
        self.approvalLink = approvalLink
        liveGeneration = Atomic(configuration.generation)
        live = Mutex(configuration)
    }

    public var configuration: LiveConfiguration { live.withLock { $0 } }

    /// The generation of `configuration`, cheap enough to ask before every action.
    public var generation: UInt64 { liveGeneration.load(ordering: .acquiring) }

    /// Puts a new configuration in force. Sessions that may no longer be there end at once; the others see it at their next
    /// action.
    public func replace(policy: PolicyEngine, targets: [String: Target], limits: Limits) {
        live.withLock { live in
            live = LiveConfiguration(policy: policy, targets: targets, limits: limits, generation: live.generation &+ 1)
            liveGeneration.store(live.generation, ordering: .releasing)
        }
        sessions.update(limits: limits)
        sessions.recheck()
    }

    public func audit(_ kind: String, from address: String, _ detail: [String: String]) {
        Counter(label: "gatehouse_audit_events_total", dimensions: [("kind", kind)]).increment()
        observer.audit(AuditEvent(time: clock.wallTime(), kind: kind, address: address, detail: detail))
    }
}
