import Catalog
import Console
@preconcurrency import Dispatch
import Foundation
import GatehouseCore
import Identity
import Logging
import Metrics
import MySQL
import NIOCore
import NIOPosix
import NIOSSL
import Outward
import Policy
import Postgres
import Recording
import Relay
import Review
import Secrets
import Settings
import Synchronization

/// Runs the gateway until it is told to stop. Top to bottom, this is the architecture: the only place that names every part.
func serve(_ settings: GatehouseSettings, configurationPath: String) async throws {
    let signals = signalStream()
    let clock = SystemClock()
    let logger = makeLogger((isJSON: settings.log.format == .json, level: settings.log.level.rawValue))
    let data = settings.dataDirectory
    try FileManager.default.createDirectory(
        atPath: data, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])

    let recordings = Recordings(dataDirectory: data, store: try makeStore(settings.store, dataDirectory: data, clock))
    let registry = PrometheusRegistry()
    MetricsSystem.bootstrap(registry)
    let catalog = try SQLiteCatalog(path: data + "/catalog.sqlite")

    // Who else is told of what happens.
    let outward = try OutwardHub(
        node: settings.node, version: gatewayVersion, sinks: settings.events, webhooks: settings.webhooks, clock: clock, logger: logger)
    outward.start()

    // Evidence: what an earlier run left is finished first; then a journal for each event loop, and the vault that follows them.
    var vaulting = VaultConfiguration(journalDirectory: recordings.journal, node: settings.node, gatewayVersion: gatewayVersion)
    if let size = try FileManager.default.attributesOfFileSystem(forPath: data)[.systemSize] as? NSNumber {
        vaulting.minimumFreeBytes = min(vaulting.minimumFreeBytes, size.intValue / 20)
    }
    let sealing = Sealing(
        recipients: try recordings.recipients(settings.recording, logger),
        breakGlass: try recordings.breakGlassRecipients(settings.recording))
    vaulting.checkpointInterval = .seconds(settings.recording.checkpointSeconds)
    let signer = try ManifestSigner(directory: recordings.keys)
    let log = try EvidenceLog(
        directory: recordings.log, node: settings.node, signer: try ManifestSigner(directory: recordings.keys, name: "log"),
        store: recordings.store, clock: clock, onCheckpoint: checkpointKeeper(settings.recording, logger))
    try log.note(
        "gateway.started", by: settings.node,
        detail: [
            "version": gatewayVersion, "policy": settings.policy.version, "manifest_key": signer.publicKey.id,
            "recipients": sealing.recipients.map(\.id).joined(separator: " "),
        ].merging(breakGlassDetail(sealing.breakGlass)) { $1 })
    let retention = Retention(
        policy: RetentionPolicy(settings.retention), store: recordings.store, log: log, clock: clock, logger: logger
    ) { catalog.recordingDeleted($0, at: $1) }
    let schedule = RetentionSchedule(retention, settings.retention, logger)
    vaulting.lock = { start, now in retention.lock(target: start?.target, now: now) }
    let vault = try Vault(
        configuration: vaulting, store: recordings.store, signer: signer, sealing: sealing,
        log: log, clock: clock, logger: logger)
    let recovered = try vault.recover()
    if recovered.interrupted > 0 || !recovered.damage.isEmpty {
        logger.warning(
            "recordings of an earlier run were recovered",
            metadata: ["interrupted": "\(recovered.interrupted)", "damage": "\(recovered.damage)"])
    }
    vault.start()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 2))
    let recorders = try await LoopRecorders.make(for: group) { number, loop in
        try Journal(
            directory: recordings.journal, loop: number, node: settings.node, clock: clock, sealing: sealing, log: log, vault: vault
        ) { loop.execute($0) }
    }

    // Who calls.
    let interrupted = try await catalog.interruptSessions(ofNode: settings.node, at: clock.wallTime())
    if interrupted > 0 { logger.warning("sessions of an earlier run were interrupted", metadata: ["count": "\(interrupted)"]) }
    let tickets = TicketOffice(store: catalog, clock: clock)
    let throttle = Throttle(clock: clock)
    let makeAuthenticator: @Sendable (GatehouseSettings) throws -> any Authenticator = { settings in
        GatewayAuthenticator(
            tokens: try OIDCAuthenticator(settings.issuers.map(IssuerSettings.init), clock: clock), tickets: tickets, throttle: throttle)
    }
    let authenticator = ReloadableAuthenticator(try makeAuthenticator(settings))

    // What waits for a person.
    let approvals = approvalDesk(catalog, log, outward, link: approvalLink(settings.admin), clock, logger)
    try await approvals.withdrawOrphans(ofNode: settings.node)

    // What was spent.
    let budgets = BudgetLedger(clock: clock)
    budgets.restore(try await catalog.budgets())

    // What they may do, and to whom.
    let gateway = Gateway(
        node: settings.node, clock: clock, logger: logger, authenticator: authenticator,
        sessions: SessionRegistry(limits: settings.limits),
        observer: SessionObservers([
            CatalogObserver(catalog: catalog, node: settings.node, logger: logger), OutwardObserver(outward, clock),
        ]),
        secrets: SecretKeeper(clock: clock), recorders: recorders,
        approvals: approvals, budgets: budgets, approvalLink: approvalLink(settings.admin), maskKey: try maskKey(settings, logger),
        obstacle: { vault.isFull ? "its recorder's disk or backlog is full" : catalog.problem },
        configuration: LiveConfiguration(
            policy: PolicyEngine(settings.policy), targets: Dictionary(settings.targets.map { ($0.name, $0) }) { first, _ in first },
            limits: settings.limits, generation: 1))

    // Where they come in.
    let shared = try await PostgresShared.make(for: group, limits: settings.limits, clock: clock)
    var channels: [any Channel] = []
    for listener in settings.listeners where listener.protocolName == .postgres {
        let tls = try listenerTLS(listener, [PostgresTLS.applicationProtocol], data, clock)
        logger.notice(
            "listening",
            metadata: ["listener": "\(listener.name)", "address": "\(listener.listen)", "certificate_sha256": "\(tls.fingerprint)"])
        let postgres = PostgresProtocol(
            gateway: gateway,
            listener: .init(
                name: listener.name, tls: tls, authentication: listener.auth,
                allowsPlaintextOnLoopback: listener.plaintext == .loopback,
                discovery: settings.issuers.first.map { issuer in
                    issuer.discovery.map { .init(configurationURL: $0, scope: "openid") } ?? .init(issuer: issuer.issuer, scope: "openid")
                }),
            shared: shared)
        channels.append(try await bind(listener, to: postgres, clock, group))
    }

    let sharedMySQL = MySQLShared()
    for listener in settings.listeners where listener.protocolName == .mysql {
        let tls = try listenerTLS(listener, [], data, clock)
        logger.notice(
            "listening",
            metadata: ["listener": "\(listener.name)", "address": "\(listener.listen)", "certificate_sha256": "\(tls.fingerprint)"])
        let mysql = MySQLProtocol(
            gateway: gateway, listener: .init(name: listener.name, tls: tls, isMariaDB: listener.family == .mariadb), shared: sharedMySQL)
        channels.append(try await bind(listener, to: mysql, clock, group))
    }

    // Where it is watched and administered from.
    let console = try ConsoleServer(
        consoleSettings(settings.admin),
        backend: consoleBackend(
            settings, gateway, catalog, NotifyingAuditLog(catalog, outward), authenticator, tickets, vault, recordings, retention, log),
        metrics: registry,
        logger: logger)

    // Until it is told to stop: no new sessions, then an end for those that there are.
    var failure: (any Error)?
    do {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                try await console.run { _ in
                    logger.notice("ready", metadata: ["node": "\(settings.node)", "admin": "\(settings.admin.listen)"])
                }
            }
            tasks.addTask { await schedule.run() }
            tasks.addTask { await sweep(approvals, logger) }
            tasks.addTask { await keep(budgets, in: catalog, logger) }
            tasks.addTask {
                while !Task.isCancelled {
                    observe(vault, gateway.sessions)
                    try? await Task.sleep(for: .seconds(1))
                    // The recorder can no longer be trusted to keep what happens: nothing may go on.
                    if vault.isExhausted {
                        gateway.sessions.end(reason: "Gatehouse cannot record any more: its disk is full") { _ in true }
                    }
                }
            }
            tasks.addTask {
                var reloader = Reloader(
                    path: configurationPath, running: settings, gateway: gateway, authenticator: authenticator,
                    makeAuthenticator: makeAuthenticator,
                    takeRecording: { running, next in
                        console.use(roleSettings(next.admin))
                        if running.recording.recipients != next.recording.recipients
                            || running.recording.breakGlassRecipients != next.recording.breakGlassRecipients
                        {
                            try takeRecipients(next.recording, sealing, recordings, log, logger)
                        }
                        if running.retention != next.retention {
                            try log.note("retention.changed", by: "configuration")
                            schedule.use(next.retention)
                        }
                    },
                    logged: { try log.note("configuration.reloaded", by: settings.node, detail: ["policy": $0.policy.version]) })
                for await signal in signals {
                    if signal != SIGHUP { break }
                    outward.reopen()
                    reloader.reload()
                }
            }
            try await tasks.next()
            tasks.cancelAll()
        }
    } catch {
        // However it ends, what was recorded is brought home.
        failure = error
    }
    logger.notice("stopping")
    for channel in channels {
        try? await channel.close()
    }
    let reason = "Gatehouse is shutting down"
    gateway.sessions.drain(reason: reason)
    if await !isEmpty(gateway.sessions, within: .seconds(20)) {
        gateway.sessions.end(reason: reason) { _ in true }
        _ = await isEmpty(gateway.sessions, within: .seconds(5))
    }
    await recorders.closeAll()
    try? log.note("gateway.stopped", by: settings.node)
    vault.stop()
    try await catalog.save(budgets.takeChanges())
    await outward.stop()
    try await catalog.flush()
    try await catalog.close()
    try await group.shutdownGracefully()
    if let failure { throw failure }
}

private func listenerTLS(
    _ listener: ListenerSettings, _ names: [String], _ data: String, _ clock: any GatewayClock
) throws -> ServerTLS {
    if let files = listener.tls {
        return try ServerTLS(
            certificateFile: files.certificateFile, privateKeyFile: files.privateKeyFile, applicationProtocols: names)
    }
    return try ServerTLS.selfSigned(in: data, clock: clock, applicationProtocols: names)
}

/// Accepts connections, each handed to `protocol` on its own event loop before its first read.
private func bind(
    _ listener: ListenerSettings, to spoken: some GatewayProtocol, _ clock: any GatewayClock, _ group: any EventLoopGroup
) async throws -> any Channel {
    let name = listener.name
    return try await ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 1_024)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let address = channel.remoteAddress?.ipAddress ?? ""
                try spoken.takeOver(
                    channel, accepted: Accepted(listener: name, address: address, isLoopback: isLoopbackHost(address), at: clock.wallTime())
                )
            }
        }
        .bind(host: listener.listen.host, port: listener.listen.port).get()
}

/// Waits for every session to have ended; false when some have not.
private func isEmpty(_ sessions: SessionRegistry, within limit: Duration) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while sessions.count > 0, ContinuousClock.now < deadline {
        try? await Task.sleep(for: .milliseconds(50))
    }
    return sessions.count == 0
}

/// The signals that the program acts on, as they arrive; from now on none of them ends it by itself.
private func signalStream() -> AsyncStream<Int32> {
    signal(SIGPIPE, SIG_IGN)
    return AsyncStream { continuation in
        let sources = [SIGTERM, SIGINT, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
        let kept = Mutex(sources)
        continuation.onTermination = { _ in kept.withLock { $0.forEach { $0.cancel() } } }
    }
}

/// The relay's reports, kept in the catalog.
private struct CatalogObserver: SessionObserver {
    let catalog: SQLiteCatalog
    let node: String
    let logger: Logger

    func sessionStarted(_ summary: SessionSummary) {
        keep {
            try catalog.sessionStarted(
                SessionRecord(
                    id: summary.id, node: node, started: summary.started, protocolName: summary.protocolName, target: summary.target,
                    role: summary.role, principal: summary.principal, clientAddress: summary.address, application: summary.application))
        }
    }

    func sessionEnded(_ id: SessionID, _ totals: SessionTotals) {
        catalog.sessionEnded(
            Catalog.SessionEnd(
                id: id, at: totals.ended, state: totals.outcome == .failed ? .failed : .ended,
                counts: SessionCounts(
                    statements: totals.statements, denied: totals.denied, rows: totals.rows, bytesIn: totals.bytesIn,
                    bytesOut: totals.bytesOut), reason: totals.reason))
    }

    func audit(_ event: AuditEvent) {
        keep {
            try catalog.note(
                AuditEntry(
                    time: event.time, principal: nil, address: event.address, kind: .init(rawValue: event.kind), detail: event.detail))
        }
    }

    private func keep(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            logger.error("the catalog could not be written", metadata: ["error": "\(error)"])
        }
    }
}

extension IssuerSettings {
    init(_ issuer: TrustedIssuer) {
        self.init(
            issuer: issuer.issuer, audiences: issuer.audiences, algorithms: issuer.algorithms, authorizedParties: issuer.authorizedParties,
            caFile: issuer.authorityFile, discovery: issuer.discovery, userClaim: issuer.userClaim, groupsClaim: issuer.groupsClaim,
            groupsDelimiter: issuer.groupsDelimiter, workloadClaims: issuer.workloadClaims)
    }
}

/// What is worth an alarm, as gauges.
private func observe(_ vault: Vault, _ sessions: SessionRegistry) {
    Gauge(label: "gatehouse_sessions_live").record(sessions.count)
    Gauge(label: "gatehouse_journal_backlog_bytes").record(vault.backlogBytes)
    if let free = vault.freeJournalBytes { Gauge(label: "gatehouse_journal_free_bytes").record(free) }
    var isFailing = false
    if case .failing = vault.state { isFailing = true }
    Gauge(label: "gatehouse_store_failing").record(isFailing ? 1 : 0)
}
