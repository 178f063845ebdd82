import Analysis
public import GatehouseCore
import Logging
public import NIOCore
public import Relay
import Synchronization

/// PostgreSQL's protocol 3, as a plug-in of the relay.
public final class PostgresProtocol: GatewayProtocol {
    public static let name = Target.ProtocolName.postgres

    public struct Listener: Sendable {
        public var name: String
        public var tls: ServerTLS
        public var authentication: Target.ClientAuthentication
        public var allowsPlaintextOnLoopback: Bool
        /// Where a client of OAUTHBEARER gets its token.
        public var discovery: ClientAuthentication.Discovery?

        public init(
            name: String, tls: ServerTLS, authentication: Target.ClientAuthentication, allowsPlaintextOnLoopback: Bool,
            discovery: ClientAuthentication.Discovery?
        ) {
            self.name = name
            self.tls = tls
            self.authentication = authentication
            self.allowsPlaintextOnLoopback = allowsPlaintextOnLoopback
            self.discovery = discovery
        }
    }

    let gateway: Gateway
    let listener: Listener
    let shared: PostgresShared

    public init(gateway: Gateway, listener: Listener, shared: PostgresShared) {
        self.gateway = gateway
        self.listener = listener
        self.shared = shared
    }

    public func takeOver(_ channel: any Channel, accepted: Accepted) throws {
        let connection = PostgresConnection(postgres: self, accepted: accepted)
        try channel.pipeline.syncOperations.addHandler(connection)
    }

    /// How a client of `login` proves who it is.
    func method(for login: LoginName) -> ClientAuthentication.Method {
        let target = gateway.configuration.targets[login.target]
        let wanted = target?.clientAuthentication ?? listener.authentication
        if wanted == .oauth, let discovery = listener.discovery { return .oauth(discovery) }
        return .password
    }
}

/// What all PostgreSQL listeners of a gateway share: cancel keys, analysis threads, the analysers of the event loops, the targets'
/// catalogs and TLS contexts.
public final class PostgresShared: Sendable {
    let cancels: CancelRegistry
    let analysisThreads = AnalysisThreads()
    private let catalogs = Mutex<[CatalogKey: TargetCatalog]>([:])
    private let estimators = Mutex<[CatalogKey: RowEstimator]>([:])
    private let contexts = Mutex<[ContextKey: UpstreamTLSContext]>([:])
    private let analyzers: [ObjectIdentifier: NIOLoopBound<StatementAnalyzer>]

    private struct CatalogKey: Hashable {
        let target: Target
        let role: String
        let database: String
    }

    private struct ContextKey: Hashable {
        let tls: UpstreamTLS
        let host: String
    }

    /// Makes an analyser for each loop of `group`.
    public static func make(
        for group: any EventLoopGroup, limits: Limits, clock: any GatewayClock
    ) async throws -> PostgresShared {
        var analyzers: [ObjectIdentifier: NIOLoopBound<StatementAnalyzer>] = [:]
        for loop in group.makeIterator() {
            analyzers[ObjectIdentifier(loop)] = try await loop.submit {
                NIOLoopBound(
                    StatementAnalyzer(statementBytes: limits.statementBytes, inlineBytes: limits.inlineStatementBytes, cacheEntries: 8_192),
                    eventLoop: loop)
            }.get()
        }
        return PostgresShared(analyzers: analyzers, clock: clock)
    }

    private init(analyzers: [ObjectIdentifier: NIOLoopBound<StatementAnalyzer>], clock: any GatewayClock) {
        cancels = CancelRegistry(clock: clock)
        self.analyzers = analyzers
    }

    func analyzer(on loop: any EventLoop) -> StatementAnalyzer? { analyzers[ObjectIdentifier(loop)]?.value }

    func tls(for target: Target) throws(TLSError) -> UpstreamTLSContext? {
        if target.tls.mode == .disable { return nil }
        let key = ContextKey(tls: target.tls, host: target.host)
        if let context = contexts.withLock({ $0[key] }) { return context }
        let context = try UpstreamTLSContext(
            target.tls, host: target.host, applicationProtocols: [PostgresTLS.applicationProtocol])
        contexts.withLock { $0[key] = context }
        return context
    }

    /// The schema of a database changed: what was read of it is no longer so, under whatever role it was read.
    func invalidateCatalogs(of target: String, database: String) {
        let stale = catalogs.withLock { catalogs in
            catalogs.filter { $0.key.target.name == target && $0.key.database == database }.map(\.value)
        }
        for catalog in stale {
            catalog.invalidate()
        }
    }

    func estimator(of target: Target, database: String, secrets: any SecretResolver, logger: Logger) -> RowEstimator? {
        guard let estimates = target.estimates, let role = target.roles.first(where: { $0.name == estimates.role }) else { return nil }
        return estimators.withLock { estimators in
            let key = CatalogKey(target: target, role: role.name, database: database)
            if let estimator = estimators[key] { return estimator }
            let estimator = RowEstimator(
                target: target, role: role, database: database, timeout: .milliseconds(estimates.timeout), secrets: secrets, logger: logger)
            estimators[key] = estimator
            return estimator
        }
    }

    func catalog(
        of target: Target, role: Target.Role, database: String, secrets: any SecretResolver, clock: any GatewayClock, logger: Logger
    ) -> TargetCatalog {
        catalogs.withLock { catalogs in
            let key = CatalogKey(target: target, role: role.name, database: database)
            if let catalog = catalogs[key] { return catalog }
            let catalog = TargetCatalog(
                target: target, role: role, database: database, secrets: secrets, clock: clock, logger: logger)
            catalogs[key] = catalog
            return catalog
        }
    }
}
