import GatehouseCore
import Identity
import Logging
import NIOCore
import NIOSSL
import NIOTLS
import Policy
import Recording
import Relay

/// A client from accept to the start of its session: walks it through the stages, and then hands the channel to `MySQLSession`.
final class MySQLConnection: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let mysql: MySQLProtocol
    private let accepted: Accepted
    private var gateway: Gateway { mysql.gateway }
    private var handshake: ClientHandshake
    /// The number that the client knows its session by; nil when all are taken.
    private let thread: UInt32?
    private var deadline: Scheduled<Void>?
    private var place: SessionRegistry.Place?
    /// The session waits for an approval before its first command.
    private var sessionHold: Verdict?
    private var sessionID: SessionID?
    private var isClosed = false
    private var threadIsTheSessions = false

    init(mysql: MySQLProtocol, accepted: Accepted) {
        self.mysql = mysql
        self.accepted = accepted
        thread = mysql.shared.reserve()
        let limits = mysql.gateway.configuration.limits
        handshake = ClientHandshake(
            rules: .init(
                family: mysql.family, version: mysql.version, startupPacketBytes: limits.startupPacketBytes,
                authenticationMessageBytes: limits.authenticationMessageBytes), threadID: thread ?? 0)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let timeout = gateway.configuration.limits.handshakeTimeout
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            let (connection, context) = bound.value
            connection.gateway.audit("handshake.timeout", from: connection.accepted.address, [:])
            connection.close(context)
        }
        if context.channel.isActive { greet(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        greet(context)
        context.fireChannelActive()
    }

    /// The server speaks first.
    private func greet(_ context: ChannelHandlerContext) {
        guard thread != nil else { return close(context) }
        run(handshake.start(), context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        run(handshake.receive(unwrapInboundIn(data)), context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { run(handshake.tlsIsUp(), context) }
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
            case .verify(let login): verify(login, context)
            case .fail(let error, let lastWords): fail(error, lastWords, context)
            }
        }
    }

    private func startTLS(_ replay: ByteBuffer, _ context: ChannelHandlerContext) {
        do {
            try context.pipeline.syncOperations.addHandler(mysql.listener.tls.makeHandler(), position: .first)
        } catch {
            return close(context)
        }
        if replay.readableBytes > 0 { context.pipeline.fireChannelRead(replay) }
    }

    private func fail(_ error: HandshakeError, _ lastWords: ByteBuffer?, _ context: ChannelHandlerContext) {
        gateway.audit("login.refused", from: accepted.address, ["code": error.code.sqlState, "reason": error.message])
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(NIOAny(lastWords ?? ByteBuffer())).whenComplete { _ in
            let (connection, context) = bound.value
            connection.close(context)
        }
        isClosed = true
    }

    private func close(_ context: ChannelHandlerContext) {
        isClosed = true
        deadline?.cancel()
        leave()
        if let thread, !threadIsTheSessions { mysql.shared.remove(thread) }
        context.close(promise: nil)
    }

    private func leave() {
        guard let place else { return }
        self.place = nil
        gateway.sessions.leave(place, session: sessionID ?? SessionID(high: 0, low: 0))
    }

    // MARK: - Identified

    private func verify(_ login: ClientLogin, _ context: ChannelHandlerContext) {
        guard let name = LoginName(login.user) else {
            return run(handshake.refused(ClientHandshake.accessDenied(user: login.user)), context)
        }
        let authenticator = gateway.authenticator
        let (accepted, secret) = (accepted, login.secret)
        let future = context.eventLoop.makeFutureWithTask { () async -> Result<Identified, AuthenticationFailure> in
            do throws(AuthenticationFailure) {
                return .success(try await Identified.identify(accepted, secret: secret, login: name, with: authenticator))
            } catch {
                return .failure(error)
            }
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        future.whenSuccess { result in
            let (connection, context) = bound.value
            guard !connection.isClosed else { return }
            switch result {
            case .success(let identified): connection.admit(identified, login, context)
            case .failure(let failure):
                connection.gateway.audit(
                    "login.failed", from: connection.accepted.address,
                    ["login": login.user, "code": failure.code.name, "reason": failure.auditDetail])
                connection.run(connection.handshake.refused(HandshakeError(.accessDenied, failure.clientMessage)), context)
            }
        }
    }

    // MARK: - Permitted

    private func admit(_ identified: Identified, _ login: ClientLogin, _ context: ChannelHandlerContext) {
        let configuration = gateway.configuration
        guard let target = configuration.targets[identified.login.target], target.protocolName == .mysql else {
            return refuse(Refusal.noAccess(to: identified.login.target), identified, login, context)
        }
        let now = gateway.clock.wallTime()
        let permit: Permit
        switch configuration.policy.admit(identified.principal, to: target, role: identified.login.role, at: now) {
        case .success(let admitted): permit = admitted
        case .failure(let refusal): return refuse(refusal, identified, login, context)
        }
        if let refusal = configuration.policy.unmaskable(permit) { return refuse(refusal, identified, login, context) }
        switch configuration.policy.judgeOpening(under: permit, at: now) {
        case .some(let verdict) where verdict.decision == .hold: sessionHold = verdict
        case .some(let verdict) where verdict.decision == .deny:
            return refuse(Refusal(rule: verdict.rule, reason: verdict.reason, hint: verdict.hint), identified, login, context)
        default: break
        }
        guard let database = wantedDatabase(login, target) else {
            return run(
                handshake.refused(
                    HandshakeError(
                        .databaseAccessDenied, "database '\(login.database ?? "")' is not one that target \(target.name) opens",
                        hint: "Leave the database out, or ask for it to be added to other_databases")), context)
        }
        if let obstacle = gateway.obstacle() {
            return run(
                handshake.refused(HandshakeError(.unknownError, "Gatehouse takes no new sessions: \(obstacle)")), context)
        }
        let session = SessionID(at: now)
        do throws(SessionRegistry.Refusal) {
            place = try gateway.sessions.enter(ConnectingSession(id: session, principal: identified.principal, targetName: target.name))
        } catch {
            return run(handshake.refused(HandshakeError(error)), context)
        }
        sessionID = session
        handshake.accepted()
        connect(Permitted(identified, permit: permit, session: session, generation: configuration.generation), login, database, context)
    }

    private func refuse(_ refusal: Refusal, _ identified: Identified, _ login: ClientLogin, _ context: ChannelHandlerContext) {
        gateway.audit(
            "access.refused", from: accepted.address,
            [
                "login": login.user, "subject": identified.principal.subject, "issuer": identified.principal.issuer,
                "rule": refusal.rule,
            ])
        let text = "\(refusal.reason) (rule \(refusal.rule))"
        run(handshake.refused(HandshakeError(.accessDenied, text, hint: refusal.hint.isEmpty ? nil : refusal.hint)), context)
    }

    /// nil: one that the target does not open.
    private func wantedDatabase(_ login: ClientLogin, _ target: Target) -> String? {
        guard let asked = login.database, asked != target.name, asked != target.database else { return target.database }
        return target.otherDatabases.contains(asked) ? asked : nil
    }

    // MARK: - Connected

    private func connect(_ permitted: Permitted, _ login: ClientLogin, _ database: String, _ context: ChannelHandlerContext) {
        let target = permitted.target
        let role = permitted.permit.role
        let limits = gateway.configuration.limits
        let tls: UpstreamTLSContext?
        do {
            tls = try mysql.shared.tls(for: target)
        } catch {
            gateway.logger.error("target's TLS", metadata: ["target": "\(target.name)", "error": "\(error)"])
            return run(handshake.refused(HandshakeError(.unknownError, "the target's TLS settings do not work")), context)
        }
        let connector = MySQLConnector(
            target: target, role: role, tls: tls, limits: limits,
            settings: .init(
                user: role.user, password: role.password, database: database,
                attributes: login.attributes.filter { $0.name.hasPrefix("_client") || $0.name == "program_name" },
                // Ends of results then say what changed in the session.
                tls: target.tls.mode, client: login.capabilities.union(.deprecateEOF), listener: mysql.family,
                collation: login.collation == 0 ? 45 : login.collation, messageBytes: limits.messageBytes))
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        connector.connect(on: context.eventLoop, secrets: gateway.secrets, logger: gateway.logger).whenComplete { result in
            let (connection, context) = bound.value
            switch result {
            case .failure(let error):
                guard !connection.isClosed else { return }
                let error = error as? HandshakeError ?? HandshakeError(.unknownError, "the target cannot be reached")
                connection.gateway.logger.warning("target not reached", metadata: ["target": "\(target.name)", "error": "\(error)"])
                connection.run(connection.handshake.refused(error), context)
            case .success(let made):
                if connection.isClosed {
                    made.channel.close(promise: nil)
                } else {
                    connection.start(permitted, login, database, connector, made, context)
                }
            }
        }
    }

    private func start(
        _ permitted: Permitted, _ login: ClientLogin, _ database: String, _ connector: MySQLConnector,
        _ upstream: MySQLConnector.Connection, _ context: ChannelHandlerContext
    ) {
        do {
            let judge = MySQLJudge(
                gateway: gateway, permit: permitted.permit, admittedUnder: permitted.generation,
                state: MySQLSessionState(server: upstream.server, database: database), limits: gateway.configuration.limits)
            do throws(ProtocolViolation) { try upstream.setup.apply(to: judge) } catch { throw HandshakeError(error) }
            guard let loopRecorder = gateway.recorders.recorder(of: context.eventLoop) else {
                throw HandshakeError(.unknownError, "no recorder on this event loop")
            }
            let recorder = try beginRecording(try loopRecorder.journal(), permitted, login, database, upstream)
            try begin(permitted, login, database, connector, upstream, judge, loopRecorder, recorder, context)
        } catch let error as HandshakeError {
            upstream.channel.close(promise: nil)
            run(handshake.refused(error), context)
        } catch {
            upstream.channel.close(promise: nil)
            gateway.logger.error("session not started", metadata: ["error": "\(error)"])
            run(
                handshake.refused(
                    HandshakeError(
                        .unknownError, "Gatehouse cannot record this session, so it does not start",
                        hint: "Ask whoever runs this gateway to look at its disk")), context)
        }
    }

    private func application(_ login: ClientLogin) -> String {
        let names = ["program_name", "_client_name"]
        return names.lazy.compactMap { name in login.attributes.first { $0.name == name }?.value }.first ?? ""
    }

    private func beginRecording(
        _ journal: Journal, _ permitted: Permitted, _ login: ClientLogin, _ database: String, _ upstream: MySQLConnector.Connection
    ) throws -> SessionRecorder {
        let permit = permitted.permit
        let clearMasks = gateway.configuration.policy.exceptedMasks(for: permit)
        let recorder = try SessionRecorder(
            session: permitted.session, journal: journal, clock: gateway.clock,
            start: { monotonic in
                SessionStart(
                    listener: accepted.listener, clientAddress: accepted.address, target: permit.target.name, protocolName: .mysql,
                    role: permit.role.name, database: database, application: application(login), isEncrypted: handshake.usesTLS,
                    durability: permit.target.durability, node: gateway.node, gatewayVersion: gatewayVersion,
                    monotonicNanoseconds: monotonic)
            },
            identity: SessionIdentity(
                principal: permit.principal, grantingRule: permit.grantedBy.rule, grantingGroup: permit.grantedBy.group,
                policyVersion: permit.policyVersion, clearMasks: clearMasks.isEmpty ? nil : clearMasks))
        try recorder.record(
            upstream: UpstreamConnection(
                address: "\(permit.target.host):\(permit.target.port)", user: permit.role.user, isEncrypted: upstream.isEncrypted,
                serverVersion: upstream.session.greeting.plainVersion))
        recorder.record(.notice, note: ConnectionNote.note(login.capabilities))
        return recorder
    }

    /// Swaps the handlers, and tells the client that it is in.
    private func begin(
        _ permitted: Permitted, _ login: ClientLogin, _ database: String, _ connector: MySQLConnector,
        _ upstream: MySQLConnector.Connection, _ judge: MySQLJudge, _ loopRecorder: LoopRecorder, _ recorder: SessionRecorder,
        _ context: ChannelHandlerContext
    ) throws {
        let loop = context.eventLoop
        let (gateway, shared, place) = (gateway, mysql.shared, place)
        let principal = permitted.permit.principal
        var machine = MySQLRelay(
            judge: judge, limits: gateway.configuration.limits, client: login.capabilities, server: upstream.link
        ) { id throws(ErrorPacket) in try shared.upstream(of: id, for: principal, on: permitted.target.name) }
        machine.sessionHold = sessionHold
        let session = MySQLSession(
            permitted: permitted, gateway: gateway, eventLoop: loop, loopRecorder: loopRecorder, recorder: recorder, judge: judge,
            machine: machine, facts: .init(database: database, application: application(login))
        ) { totals in
            if let place { gateway.sessions.leave(place, session: permitted.session) }
            gateway.observer.sessionEnded(permitted.session, totals)
            SessionMetrics.count(totals, target: permitted.target.name)
        }
        let upstreamThread = upstream.session.greeting.threadID
        session.cancelUpstream = { connector.cancel(upstreamThread, on: loop, secrets: gateway.secrets, logger: gateway.logger) }
        if let thread {
            shared.claim(thread, by: principal, on: permitted.target.name)
            shared.connected(thread, upstream: upstreamThread)
            threadIsTheSessions = true
            context.channel.closeFuture.whenComplete { _ in shared.remove(thread) }
        }
        let pipeline = context.pipeline.syncOperations
        let client = PairHandler(session: session, side: .client)
        let server = PairHandler(session: session, side: .server)
        try pipeline.addHandler(client, position: .after(self))
        try upstream.channel.pipeline.syncOperations.addHandler(server)
        session.attach(client: client, server: server)
        deadline?.cancel()
        isClosed = true
        // From here on the session gives its place back itself.
        self.place = nil
        gateway.observer.sessionStarted(
            SessionSummary(
                id: permitted.session, started: gateway.clock.wallTime(), protocolName: .mysql, target: permitted.target.name,
                role: permitted.permit.role.name, principal: principal, address: accepted.address, application: application(login)))
        let greeting = handshake.welcome()
        pipeline.removeHandler(self, promise: nil)
        session.begin(greeting: greeting)
        gateway.sessions.add(PairedSessionHandle(session))
        session.resumeReads()
    }
}

extension HandshakeError {
    /// Why there is no place for one more session.
    init(_ refusal: SessionRegistry.Refusal) {
        switch refusal {
        case .draining: self.init(.serverShutdown, "Gatehouse is shutting down")
        case .tooManySessions(let limit): self.init(.tooManyConnections, "Gatehouse has its limit of \(limit) sessions")
        case .tooManySessionsOfPrincipal(let limit):
            self.init(
                .tooManyConnections, "you have your limit of \(limit) sessions",
                hint: "Close some, or ask for a higher limits.sessions_per_principal")
        }
    }
}
