public import GatehouseCore
import Logging
public import NIOCore
public import Relay
import Synchronization

/// MySQL and MariaDB as protocols of the relay (MySQL source documentation, "Client/Server Protocol").
public struct MySQLProtocol: GatewayProtocol {
    public static let name = Target.ProtocolName.mysql

    /// A listener's own settings.
    public struct Listener: Sendable {
        public var name: String
        public var tls: ServerTLS
        /// What clients take the listener for: they are greeted before they say where they want to go. Targets of the other family
        /// cannot be reached through it.
        public var isMariaDB: Bool

        public init(name: String, tls: ServerTLS, isMariaDB: Bool) {
            self.name = name
            self.tls = tls
            self.isMariaDB = isMariaDB
        }
    }

    let gateway: Gateway
    let listener: Listener
    let shared: MySQLShared

    public init(gateway: Gateway, listener: Listener, shared: MySQLShared) {
        self.gateway = gateway
        self.listener = listener
        self.shared = shared
    }

    public func takeOver(_ channel: any Channel, accepted: Accepted) throws {
        try channel.pipeline.syncOperations.addHandler(MySQLConnection(mysql: self, accepted: accepted))
    }

    /// MariaDB's connectors know theirs by the word in the version.
    var version: String { listener.isMariaDB ? "5.5.5-10.11.0-MariaDB-Gatehouse" : "8.4.0-Gatehouse" }
    var family: ServerFamily { listener.isMariaDB ? .mariadb : .mysql }
}

/// What all MySQL listeners of a gateway share: the numbers of sessions that clients know, and the targets' TLS contexts.
public final class MySQLShared: Sendable {
    private let threads = Mutex(ThreadDirectory<Owner>())
    private let contexts = Mutex<[ContextKey: UpstreamTLSContext]>([:])

    struct Owner: Hashable, Sendable {
        let issuer: String
        let subject: String
    }

    private struct ContextKey: Hashable {
        let tls: UpstreamTLS
        let host: String
    }

    public init() {}

    /// A number for a connection whose caller is not yet known.
    func reserve() -> UInt32? { threads.withLock { $0.add(owner: Owner(issuer: "", subject: ""), target: "") } }

    func claim(_ id: UInt32, by principal: Principal, on target: String) {
        threads.withLock { $0.claim(id, owner: Owner(issuer: principal.issuer, subject: principal.subject), target: target) }
    }

    func connected(_ id: UInt32, upstream: UInt32) { threads.withLock { $0.connected(id, upstream: upstream) } }

    func remove(_ id: UInt32) { threads.withLock { $0.remove(id) } }

    func upstream(of id: UInt64, for principal: Principal, on target: String) throws(ErrorPacket) -> UInt32 {
        let owner = Owner(issuer: principal.issuer, subject: principal.subject)
        let found: Result<UInt32, ErrorPacket> = threads.withLock { threads in
            do throws(ErrorPacket) {
                return .success(try threads.upstream(of: id, for: owner, on: target))
            } catch {
                return .failure(error)
            }
        }
        return try found.get()
    }

    func tls(for target: Target) throws(TLSError) -> UpstreamTLSContext? {
        if target.tls.mode == .disable { return nil }
        let key = ContextKey(tls: target.tls, host: target.host)
        if let context = contexts.withLock({ $0[key] }) { return context }
        let context = try UpstreamTLSContext(target.tls, host: target.host, applicationProtocols: [])
        contexts.withLock { $0[key] = context }
        return context
    }
}
