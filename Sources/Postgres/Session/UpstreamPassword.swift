import Dispatch
import GatehouseCore
import Logging
import NIOCore
import Synchronization

extension UpstreamConnector {
    /// Connects with the password that the role's source gives; where the server does not take it, once more with another, if the
    /// source has one. Resolves on `loop`. Fails with `HandshakeError`.
    func connect(
        on loop: any EventLoop, startup: ByteBuffer, secrets: any SecretResolver, logger: Logger
    ) -> EventLoopFuture<Connection> {
        guard let source = role.source else { return connect(on: loop, startup: startup) }
        let connector = self
        return connector.password(on: loop, logger) { () async throws(SecretFailure) in try await secrets.secret(from: source) }
            .flatMap { password in
                connector.connect(on: loop, startup: startup, password: password).flatMapError { error in
                    guard let error = error as? HandshakeError, error.refusesPassword, let password else {
                        return loop.makeFailedFuture(error)
                    }
                    logger.notice(
                        "the target refused the password; asking its source again",
                        metadata: ["target": "\(connector.target.name)", "role": "\(connector.role.name)"])
                    return connector.password(on: loop, logger) { () async throws(SecretFailure) in
                        try await secrets.replacement(for: password, from: source)
                    }.flatMap { another in
                        guard let another else { return loop.makeFailedFuture(error) }
                        return connector.connect(on: loop, startup: startup, password: another)
                    }
                }
            }
    }

    private func connect(on loop: any EventLoop, startup: ByteBuffer, password: Secret?) -> EventLoopFuture<Connection> {
        guard let password else { return connect(on: loop, startup: startup) }
        return UpstreamConnector(target: target, role: role.with(password: password), tls: tls, limits: limits)
            .connect(on: loop, startup: startup)
    }

    /// The reason is for the log; a client has no business with where passwords come from.
    private func password(
        on loop: any EventLoop, _ logger: Logger, _ get: @escaping @Sendable () async throws(SecretFailure) -> Secret?
    ) -> EventLoopFuture<Secret?> {
        let connector = self
        return loop.makeFutureWithTask {
            do throws(SecretFailure) {
                return try await get()
            } catch {
                logger.error(
                    "the target's password could not be got",
                    metadata: ["target": "\(connector.target.name)", "role": "\(connector.role.name)", "reason": "\(error)"])
                throw HandshakeError(
                    sqlState: SQLState.connectionFailure.rawValue, message: "the password of the target's account could not be got",
                    hint: "Ask whoever runs this gateway to look at its log.")
            }
        }
    }
}

/// Holds the calling thread until a secret is there. For threads that may block, never for an event loop.
func waitForSecret(_ get: @escaping @Sendable () async throws(SecretFailure) -> Secret?) throws(CatalogError) -> Secret? {
    final class Place: Sendable {
        let result = Mutex<Result<Secret?, SecretFailure>?>(nil)
        let isDone = DispatchSemaphore(value: 0)
    }
    let place = Place()
    Task {
        do throws(SecretFailure) {
            let secret = try await get()
            place.result.withLock { $0 = .success(secret) }
        } catch {
            place.result.withLock { $0 = .failure(error) }
        }
        place.isDone.signal()
    }
    place.isDone.wait()
    switch place.result.withLock({ $0 }) {
    case .success(let secret)?: return secret
    case .failure(let failure)?: throw CatalogError("the password could not be got: \(failure)")
    case nil: return nil
    }
}
