import Analysis
import GatehouseCore
import Identity
import Logging
import NIOCore
import NIOSSL
import NIOTLS
import Policy
import Recording
import Relay

/// A client from accept to the start of its session: walks it through the stages, and then hands the channel to `RelaySession`.
final class PostgresConnection: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let postgres: PostgresProtocol
    private let accepted: Accepted
    private var gateway: Gateway { postgres.gateway }
    private var handshake: ClientHandshake
    private var deadline: Scheduled<Void>?
    private var place: SessionRegistry.Place?
    /// The session waits for an approval before its first request.
    private var sessionHold: Verdict?
    private var sessionID: SessionID?
    private var isClosed = false

    init(postgres: PostgresProtocol, accepted: Accepted) {
        self.postgres = postgres
        self.accepted = accepted
        let limits = postgres.gateway.configuration.limits
        handshake = ClientHandshake(
            rules: .init(
                allowsPlaintext: postgres.listener.allowsPlaintextOnLoopback && accepted.isLoopback,
                method: { postgres.method(for: $0) }, startupPacketBytes: limits.startupPacketBytes,
                authenticationMessageBytes: limits.authenticationMessageBytes))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let timeout = gateway.configuration.limits.handshakeTimeout
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            let (connection, context) = bound.value
            connection.gateway.audit("handshake.timeout", from: connection.accepted.address, [:])
            connection.close(context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        run(handshake.receive(unwrapInboundIn(data)), context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted(let negotiated) = event {
            run(handshake.tlsIsUp(negotiated: negotiated), context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        gateway.logger.debug("connection failed", metadata: ["address": "\(accepted.address)", "error": "\(error)"])
        close(context)
    }

    // MARK: - Handshake

    private func run(_ actions: [ClientHandshake.Action], _ context: ChannelHandlerContext) {
        for action in actions where !isClosed {
            switch action {
            case .send(let bytes): context.writeAndFlush(NIOAny(bytes), promise: nil)
            case .startTLS(let replay): startTLS(replay, context)
            case .cancel(let key):
                cancel(key)
                close(context)
            case .verify(let secret): verify(secret, context)
            case .authenticated: break
            case .fail(let error): fail(error, context)
            }
        }
    }

    private func cancel(_ key: StartupPacket.CancelKey) {
        switch postgres.shared.cancels.cancel(key, from: accepted.address) {
        case .cancelled, .throttled(isRepeat: true): break
        case .unknownKey: gateway.audit("cancel.unknown", from: accepted.address, [:])
        case .throttled(isRepeat: false): gateway.audit("cancel.throttled", from: accepted.address, [:])
        }
    }

    private func startTLS(_ replay: ByteBuffer, _ context: ChannelHandlerContext) {
        do {
            try context.pipeline.syncOperations.addHandler(postgres.listener.tls.makeHandler(), position: .first)
        } catch {
            close(context)
            return
        }
        if replay.readableBytes > 0 { context.pipeline.fireChannelRead(replay) }
    }

    private func fail(_ error: HandshakeError, _ context: ChannelHandlerContext) {
        if !handshake.isDiscovery {
            gateway.audit(
                "login.refused", from: accepted.address,
                ["login": handshake.startup?.user ?? "", "code": error.sqlState, "reason": error.message])
        }
        var message = ByteBuffer()
        fatal(error).write(to: &message)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(NIOAny(message)).whenComplete { _ in
            let (connection, context) = bound.value
            connection.close(context)
        }
        isClosed = true
    }

    private func fatal(_ error: HandshakeError) -> ErrorFields {
        var fields = ErrorFields(severity: "FATAL", code: .protocolViolation, message: error.message, hint: error.hint)
        fields.code = error.sqlState
        return fields
    }

    private func close(_ context: ChannelHandlerContext) {
        isClosed = true
        deadline?.cancel()
        leave()
        context.close(promise: nil)
    }

    private func leave() {
        guard let place else { return }
        self.place = nil
        gateway.sessions.leave(place, session: sessionID ?? SessionID(high: 0, low: 0))
    }

    // MARK: - Identified

    private func verify(_ secret: Secret, _ context: ChannelHandlerContext) {
        guard let login = handshake.login else { return close(context) }
        let authenticator = gateway.authenticator
        let accepted = accepted
        let future = context.eventLoop.makeFutureWithTask { () async -> Result<Identified, AuthenticationFailure> in
            do throws(AuthenticationFailure) {
                return .success(try await Identified.identify(accepted, secret: secret, login: login, with: authenticator))
            } catch {
                return .failure(error)
            }
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        future.whenSuccess { result in
            let (connection, context) = bound.value
            guard !connection.isClosed else { return }
            switch result {
            case .success(let identified): connection.admit(identified, context)
            case .failure(let failure):
                connection.gateway.audit(
                    "login.failed", from: connection.accepted.address,
                    ["login": connection.handshake.startup?.user ?? "", "code": failure.code.name, "reason": failure.auditDetail])
                connection.run(
                    connection.handshake.refused(
                        HandshakeError(sqlState: SQLState.invalidPassword.rawValue, message: failure.clientMessage)), context)
            }
        }
    }

    // MARK: - Permitted

    private func admit(_ identified: Identified, _ context: ChannelHandlerContext) {
        run(handshake.verified(), context)
        guard !isClosed, let startup = handshake.startup else { return }
        let configuration = gateway.configuration
        guard let target = configuration.targets[identified.login.target], target.protocolName == .postgres else {
            return refuse(Refusal.noAccess(to: identified.login.target), identified, context)
        }
        let permit: Permit
        switch configuration.policy.admit(identified.principal, to: target, role: identified.login.role, at: gateway.clock.wallTime()) {
        case .success(let admitted): permit = admitted
        case .failure(let refusal): return refuse(refusal, identified, context)
        }
        switch configuration.policy.verdict(on: startup, under: permit, at: gateway.clock.wallTime()) {
        case .none: break
        case .some(let verdict) where verdict.decision == .hold: sessionHold = verdict
        case .some(let verdict):
            return refuse(Refusal(rule: verdict.rule, reason: verdict.reason, hint: verdict.hint), identified, context)
        }
        let database: String
        switch wantedDatabase(startup, target) {
        case .success(let name): database = name
        case .failure(let error): return fail(error, context)
        }
        if let obstacle = gateway.obstacle() {
            return fail(
                HandshakeError(
                    sqlState: SQLState.diskFull.rawValue, message: "Gatehouse takes no new sessions: \(obstacle)",
                    hint: "Ask whoever runs this gateway to look at its disk and store."), context)
        }
        let session = SessionID(at: gateway.clock.wallTime())
        do throws(SessionRegistry.Refusal) {
            place = try gateway.sessions.enter(
                ConnectingSession(id: session, principal: identified.principal, targetName: target.name))
        } catch {
            return fail(HandshakeError(error), context)
        }
        sessionID = session
        connect(
            Permitted(identified, permit: permit, session: session, generation: configuration.generation), startup, database, context)
    }

    private func refuse(_ refusal: Refusal, _ identified: Identified, _ context: ChannelHandlerContext) {
        gateway.audit(
            "access.refused", from: accepted.address,
            [
                "login": handshake.startup?.user ?? "", "subject": identified.principal.subject, "issuer": identified.principal.issuer,
                "rule": refusal.rule,
            ])
        fail(
            HandshakeError(
                sqlState: SQLState.invalidAuthorization.rawValue, message: "\(refusal.reason) (rule \(refusal.rule))", hint: refusal.hint),
            context)
    }

    /// Clients that are told no database send the user's name as one.
    private func wantedDatabase(_ startup: ClientStartup, _ target: Target) -> Result<String, HandshakeError> {
        guard let asked = startup.database, asked != startup.user, asked != target.name, asked != target.database else {
            return .success(target.database)
        }
        if target.otherDatabases.contains(asked) { return .success(asked) }
        return .failure(
            HandshakeError(
                sqlState: SQLState.invalidCatalogName.rawValue,
                message: "database \"\(asked)\" is not one that target \(target.name) opens",
                hint: "Leave the database out, or ask for it to be added to other_databases."))
    }

    // MARK: - Connected

    private func connect(_ permitted: Permitted, _ startup: ClientStartup, _ database: String, _ context: ChannelHandlerContext) {
        let target = permitted.target
        let role = permitted.permit.role
        let limits = gateway.configuration.limits
        let upstream: ByteBuffer
        let tls: UpstreamTLSContext?
        do {
            upstream = try UpstreamStartup.startup(
                user: role.user, database: database, settings: startup.settings, replication: startup.replication)
            tls = try postgres.shared.tls(for: target)
        } catch let error as HandshakeError {
            return fail(error, context)
        } catch {
            gateway.logger.error("target's TLS", metadata: ["target": "\(target.name)", "error": "\(error)"])
            return fail(
                HandshakeError(sqlState: SQLState.connectionFailure.rawValue, message: "the target's TLS settings do not work"), context)
        }
        let needsCatalog =
            !gateway.configuration.policy.masks(for: permitted.permit).isEmpty || usesTables(permitted) || target.estimates != nil
        let catalog =
            needsCatalog
            ? postgres.shared.catalog(
                of: target, role: role, database: database, secrets: gateway.secrets, clock: gateway.clock, logger: gateway.logger) : nil
        let connector = UpstreamConnector(target: target, role: role, tls: tls, limits: limits)
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        firstCatalog(catalog, loop).flatMap { [secrets = gateway.secrets, logger = gateway.logger] in
            connector.connect(on: loop, startup: upstream, secrets: secrets, logger: logger)
        }.whenComplete { result in
            let (connection, context) = bound.value
            switch result {
            case .failure(let error):
                guard !connection.isClosed else { return }
                let error =
                    error as? HandshakeError
                    ?? HandshakeError(sqlState: SQLState.connectionFailure.rawValue, message: "the target cannot be reached")
                connection.gateway.logger.warning(
                    "target not reached", metadata: ["target": "\(target.name)", "error": "\(error)"])
                connection.fail(error, context)
            case .success(let made):
                if connection.isClosed {
                    made.channel.close(promise: nil)
                } else {
                    connection.start(permitted, startup, database, connector, made, catalog, context)
                }
            }
        }
    }

    private func usesTables(_ permitted: Permitted) -> Bool {
        let probe = Action(kinds: ["select"], objects: [ObjectReference(name: QualifiedName(name: "t"), access: .read)])
        return gateway.configuration.policy.judgementDependsOnNames(probe, under: permitted.permit)
    }

    /// The first reading of the catalog, before the session's first statement. Its failure is found when a statement needs it.
    private func firstCatalog(_ catalog: TargetCatalog?, _ loop: any EventLoop) -> EventLoopFuture<Void> {
        guard let catalog, catalog.snapshot == nil else { return loop.makeSucceededVoidFuture() }
        let promise = loop.makePromise(of: Void.self)
        catalog.refresh(reason: "first session") { _ in promise.succeed() }
        return promise.futureResult
    }

    private func start(
        _ permitted: Permitted, _ startup: ClientStartup, _ database: String, _ connector: UpstreamConnector,
        _ upstream: UpstreamConnector.Connection, _ catalog: TargetCatalog?, _ context: ChannelHandlerContext
    ) {
        let loop = context.eventLoop
        guard upstream.ready.parameters["standard_conforming_strings"] == "on", upstream.ready.parameters["client_encoding"] == "UTF8",
            upstream.rest.readableBytes == 0
        else {
            upstream.channel.close(promise: nil)
            return fail(
                HandshakeError(
                    sqlState: SQLState.connectionFailure.rawValue,
                    message: "the target does not keep client_encoding UTF8 and standard_conforming_strings on"), context)
        }
        do {
            guard let loopRecorder = gateway.recorders.recorder(of: loop), let analyzer = postgres.shared.analyzer(on: loop) else {
                throw HandshakeError(sqlState: SQLState.ioError.rawValue, message: "no recorder on this event loop")
            }
            let recorder = try beginRecording(try loopRecorder.journal(), permitted, startup, database, upstream)
            let session = makeSession(permitted, startup, database, loopRecorder, recorder, analyzer, catalog, context.eventLoop)
            try begin(session, permitted, startup, connector, upstream, context)
        } catch {
            upstream.channel.close(promise: nil)
            gateway.logger.error("session not started", metadata: ["error": "\(error)"])
            fail(
                HandshakeError(
                    sqlState: SQLState.diskFull.rawValue, message: "Gatehouse cannot record this session, so it does not start",
                    hint: "Ask whoever runs this gateway to look at its disk."), context)
        }
    }

    private func beginRecording(
        _ journal: Journal, _ permitted: Permitted, _ startup: ClientStartup, _ database: String, _ upstream: UpstreamConnector.Connection
    ) throws -> SessionRecorder {
        let permit = permitted.permit
        let clearMasks = gateway.configuration.policy.exceptedMasks(for: permit)
        let recorder = try SessionRecorder(
            session: permitted.session, journal: journal, clock: gateway.clock,
            start: { monotonic in
                SessionStart(
                    listener: accepted.listener, clientAddress: accepted.address, target: permit.target.name, protocolName: .postgres,
                    role: permit.role.name, database: database, application: startup.applicationName, isEncrypted: handshake.usesTLS,
                    durability: permit.target.durability, node: gateway.node, gatewayVersion: gatewayVersion,
                    monotonicNanoseconds: monotonic)
            },
            identity: SessionIdentity(
                principal: permit.principal, grantingRule: permit.grantedBy.rule, grantingGroup: permit.grantedBy.group,
                policyVersion: permit.policyVersion, clearMasks: clearMasks.isEmpty ? nil : clearMasks))
        try recorder.record(
            upstream: UpstreamConnection(
                address: "\(permit.target.host):\(permit.target.port)", user: permit.role.user, isEncrypted: upstream.isEncrypted,
                serverVersion: upstream.ready.parameters["server_version"]))
        return recorder
    }

    private func makeSession(
        _ permitted: Permitted, _ startup: ClientStartup, _ database: String, _ loopRecorder: LoopRecorder, _ recorder: SessionRecorder,
        _ analyzer: StatementAnalyzer, _ catalog: TargetCatalog?, _ loop: any EventLoop
    ) -> RelaySession {
        let estimator = postgres.shared.estimator(
            of: permitted.target, database: database, secrets: gateway.secrets, logger: gateway.logger)
        let isReplication = startup.replication != .none
        let judge = SessionJudge(
            gateway: gateway, permit: permitted.permit, admittedUnder: permitted.generation, catalog: catalog, isReplication: isReplication,
            searchPathIsKnown: !startup.settings.contains { $0.name == "search_path" || $0.name == "role" || $0.name == nil },
            hasEstimator: estimator != nil,
            invalidateCatalogs: { [shared = postgres.shared] in shared.invalidateCatalogs(of: permitted.target.name, database: database) })
        var machine = RelayMachine(judge: judge, analyzer: analyzer, limits: gateway.configuration.limits, isReplication: isReplication)
        machine.sessionHold = sessionHold
        let gateway = gateway
        let place = place
        return RelaySession(
            permitted: permitted, gateway: gateway, eventLoop: loop, loopRecorder: loopRecorder, recorder: recorder,
            judge: judge, machine: machine, facts: .init(database: database, application: startup.applicationName), catalog: catalog,
            estimator: estimator, analysisThreads: postgres.shared.analysisThreads
        ) { totals in
            if let place { gateway.sessions.leave(place, session: permitted.session) }
            gateway.observer.sessionEnded(permitted.session, totals)
            SessionMetrics.count(totals, target: permitted.target.name)
        }
    }

    /// Swaps the handlers, and tells the client that it is in.
    private func begin(
        _ session: RelaySession, _ permitted: Permitted, _ startup: ClientStartup, _ connector: UpstreamConnector,
        _ upstream: UpstreamConnector.Connection, _ context: ChannelHandlerContext
    ) throws {
        let loop = context.eventLoop
        var greeting = AuthenticationRequest.ok.message
        greeting.writeImmutableBuffer(upstream.ready.greeting)
        if let key = upstream.ready.key {
            session.cancelUpstream = { connector.cancel(key, on: loop) }
            let bound = NIOLoopBound(session, eventLoop: loop)
            let ours = postgres.shared.cancels.register { loop.execute { bound.value.cancelRequested() } }
            let cancels = postgres.shared.cancels
            context.channel.closeFuture.whenComplete { _ in cancels.forget(ours) }
            writeMessage(Backend.backendKeyData, to: &greeting) { body in
                body.writeInteger(ours.processID)
                body.writeBytes(ours.secret)
            }
        }
        greeting.writeImmutableBuffer(upstream.ready.ready)
        let pipeline = context.pipeline.syncOperations
        let client = PairHandler(session: session, side: .client)
        let server = PairHandler(session: session, side: .server)
        try pipeline.addHandler(client, position: .after(self))
        try upstream.channel.pipeline.syncOperations.addHandler(server)
        session.attach(client: client, server: server)
        deadline?.cancel()
        isClosed = true
        // From here on the session gives its place back itself.
        place = nil
        let identified = permitted.identified
        gateway.observer.sessionStarted(
            SessionSummary(
                id: permitted.session, started: gateway.clock.wallTime(), protocolName: .postgres, target: permitted.target.name,
                role: permitted.permit.role.name, principal: identified.principal, address: accepted.address,
                application: startup.applicationName))
        pipeline.removeHandler(self, promise: nil)
        session.begin(greeting: greeting)
        gateway.sessions.add(PairedSessionHandle(session))
        session.resumeReads()
    }
}
