import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Logging
public import NIOCore
public import NIOSSL

/// How the console is reached.
public struct ConsoleSettings: Sendable {
    /// IP address or name to listen on.
    public var host: String
    /// 0: a free one.
    public var port: Int
    /// Must be there when `host` is not a loopback address: tokens travel here.
    public var tls: TLSConfiguration?
    public var roles: RoleSettings
    /// Further names that a loopback console may be asked by.
    public var names: [String]

    public init(host: String, port: Int, tls: TLSConfiguration? = nil, roles: RoleSettings = RoleSettings(), names: [String] = []) {
        self.host = host
        self.port = port
        self.tls = tls
        self.roles = roles
        self.names = names
    }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// The HTTP interface for people and machines that run the gateway: health, metrics, `/api/v1`.
public struct ConsoleServer: Sendable {
    /// Settings that cannot be used.
    public struct SettingsFailure: Error, CustomStringConvertible, Sendable {
        public var description: String
    }

    /// Connections at once: people, their scripts, monitoring. Each may follow a session.
    static let maximumConnections = 512
    /// Between requests, and while one comes in.
    static let idleTimeout: TimeAmount = .seconds(60)

    private let settings: ConsoleSettings
    let backend: ConsoleBackend
    private let metrics: PrometheusRegistry
    private let logger: Logger
    private let roles: LiveRoles

    /// - Throws: `SettingsFailure` when tokens would travel in clear.
    public init(
        _ settings: ConsoleSettings, backend: ConsoleBackend, metrics: PrometheusRegistry, logger: Logger
    ) throws(SettingsFailure) {
        guard settings.tls != nil || ConsoleSettings.isLoopback(settings.host) else {
            throw SettingsFailure(description: "the admin address \(settings.host) is not a loopback address; give it TLS")
        }
        self.settings = settings
        roles = LiveRoles(settings.roles)
        self.backend = backend
        self.metrics = metrics
        self.logger = logger
    }

    /// From the next request on.
    public func use(_ settings: RoleSettings) {
        roles.replace(by: settings)
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameter onReady: Called once, with the address that is listened on.
    public func run(onReady: @escaping @Sendable (SocketAddress?) async -> Void = { _ in }) async throws {
        try await application(onReady: onReady).run()
    }

    func application(
        onReady: @escaping @Sendable (SocketAddress?) async -> Void = { _ in }
    ) throws -> Application<RouterResponder<ConsoleContext>> {
        var logger = logger
        // Requests are told by metrics and the audit log; the framework's own notes are for its developers.
        logger.logLevel = max(logger.logLevel, .warning)
        let http = HTTPServerBuilder.accepting(.init(idleTimeout: Self.idleTimeout))
        return Application(
            responder: router().buildResponder(),
            server: try settings.tls.map { try .tls(http, tlsConfiguration: $0) } ?? http,
            configuration: .init(
                address: .hostname(settings.host, port: settings.port), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(Self.maximumConnections)),
            onServerRunning: { await onReady($0.localAddress) }, logger: logger)
    }

    func router() -> Router<ConsoleContext> {
        let router = Router(context: ConsoleContext.self)
        router.add(middleware: Answering())
        let isLocal = ConsoleSettings.isLoopback(settings.host)
        let names = ["localhost", "127.0.0.1", "::1", settings.host.lowercased()] + settings.names.map { $0.lowercased() }
        router.add(middleware: BrowserGuard(hosts: isLocal ? Set(names) : []))
        HealthRoutes(backend: backend, metrics: metrics).add(to: router)
        let auditor = Auditor(backend: backend)
        let api = router.group("api/v1").add(middleware: Authentication(backend: backend, roles: roles))
        SessionRoutes(backend: backend, auditor: auditor).add(to: api)
        TicketRoutes(backend: backend, auditor: auditor).add(to: api)
        RetentionRoutes(backend: backend, auditor: auditor).add(to: api)
        ApprovalRoutes(backend: backend, auditor: auditor).add(to: api)
        OtherRoutes(backend: backend, auditor: auditor).add(to: api)
        return router
    }
}
