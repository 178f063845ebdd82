import Foundation
import GatehouseCore
import Identity
import Logging
import Policy
import Relay
import Settings
import Synchronization

/// An authenticator that can be exchanged while the gateway runs.
final class ReloadableAuthenticator: Authenticator {
    private let current: Mutex<any Authenticator>

    init(_ authenticator: any Authenticator) {
        current = Mutex(authenticator)
    }

    func replace(by authenticator: any Authenticator) {
        current.withLock { $0 = authenticator }
    }

    func authenticate(_ secret: Secret, from address: String, asking login: String) async throws(AuthenticationFailure) -> Principal {
        let authenticator = current.withLock { $0 }
        return try await authenticator.authenticate(secret, from: address, asking: login)
    }
}

/// Reads the configuration again at each SIGHUP: what can change while running is put in force at once, the rest is told.
struct Reloader {
    let path: String
    let gateway: Gateway
    let authenticator: ReloadableAuthenticator
    let makeAuthenticator: @Sendable (GatehouseSettings) throws -> any Authenticator
    /// Takes over how recordings are sealed and kept, from the settings that run to new ones.
    let takeRecording: (GatehouseSettings, GatehouseSettings) throws -> Void
    /// Puts into the log what is taken over, before it is.
    let logged: (GatehouseSettings) throws -> Void
    private(set) var running: GatehouseSettings

    init(
        path: String, running: GatehouseSettings, gateway: Gateway, authenticator: ReloadableAuthenticator,
        makeAuthenticator: @escaping @Sendable (GatehouseSettings) throws -> any Authenticator,
        takeRecording: @escaping (GatehouseSettings, GatehouseSettings) throws -> Void, logged: @escaping (GatehouseSettings) throws -> Void
    ) {
        self.logged = logged
        self.takeRecording = takeRecording
        self.path = path
        self.running = running
        self.gateway = gateway
        self.authenticator = authenticator
        self.makeAuthenticator = makeAuthenticator
    }

    mutating func reload() {
        do {
            let loaded = try GatehouseSettings.load(file: path).settings
            let plan = reloadableDifference(old: running, new: loaded)
            let next = loaded.keepingWhatNeedsRestart(of: running)
            if next.issuers != running.issuers { authenticator.replace(by: try makeAuthenticator(next)) }
            try logged(next)
            try takeRecording(running, next)
            gateway.replace(
                policy: PolicyEngine(next.policy), targets: Dictionary(next.targets.map { ($0.name, $0) }) { first, _ in first },
                limits: next.limits)
            let trusted = Set(next.issuers.map(\.issuer))
            gateway.sessions.end(reason: "this session's issuer is no longer trusted") { !trusted.contains($0.principal.issuer) }
            running = next
            gateway.logger.notice("configuration read again", metadata: ["policy": "\(next.policy.version)"])
            for line in plan.live {
                gateway.logger.notice("in force now: \(line)")
            }
            for line in plan.restart {
                gateway.logger.warning("needs a restart: \(line)")
            }
            gateway.audit("configuration.reloaded", from: "", ["policy": next.policy.version])
        } catch {
            gateway.logger.error("the configuration was not taken over; the one in force stays", metadata: ["error": "\(error)"])
        }
    }
}
