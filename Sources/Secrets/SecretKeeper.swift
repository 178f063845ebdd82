public import GatehouseCore
import Synchronization

/// Gets secrets of every kind, and keeps what is slow to get.
///
/// Callers that want the same secret at the same time share one run or one request.
public final class SecretKeeper: SecretResolver {
    /// After it was got, a value is not got anew for this long, however often it is refused.
    static let leastAge: Duration = .seconds(1)
    /// More sources than any configuration has; beyond it everything is forgotten, which costs only time.
    static let mostKept = 4_096

    typealias Fetch = Task<Result<Secret, SecretFailure>, Never>

    private struct Kept {
        var secret: Secret
        /// Monotonic nanoseconds.
        var at: UInt64
    }

    private struct State {
        var kept: [SecretSource: Kept] = [:]
        var running: [SecretSource: Fetch] = [:]
    }

    private let clock: any GatewayClock
    private let vault: VaultClient
    private let commandLimits: SecretCommandLimits
    private let state = Mutex(State())

    public convenience init(clock: any GatewayClock) {
        self.init(clock: clock, commandLimits: SecretCommandLimits())
    }

    init(clock: any GatewayClock, commandLimits: SecretCommandLimits) {
        self.clock = clock
        self.commandLimits = commandLimits
        vault = VaultClient(clock: clock)
    }

    public func secret(from source: SecretSource) async throws(SecretFailure) -> Secret {
        guard let lifetime = source.lifetime else { return try await fetch(source) }
        let now = clock.monotonicNanoseconds()
        let kept = state.withLock { $0.kept[source] }
        if let kept, age(kept, now) < lifetime { return kept.secret }
        return try await shared(source)
    }

    public func replacement(for refused: Secret, from source: SecretSource) async throws(SecretFailure) -> Secret? {
        if source.lifetime != nil {
            let now = clock.monotonicNanoseconds()
            if let kept = state.withLock({ $0.kept[source] }) {
                // Somebody else has got another one meanwhile.
                if kept.secret != refused { return kept.secret }
                if age(kept, now) < Self.leastAge { return nil }
            }
        }
        let secret = source.lifetime == nil ? try await fetch(source) : try await shared(source)
        return secret == refused ? nil : secret
    }

    private func age(_ kept: Kept, _ now: UInt64) -> Duration {
        .nanoseconds(Int64(clamping: now &- min(now, kept.at)))
    }

    /// One fetch for all who ask meanwhile.
    private func shared(_ source: SecretSource) async throws(SecretFailure) -> Secret {
        let task = state.withLock { state -> Fetch in
            if let running = state.running[source] { return running }
            let task = Fetch { await self.fetchAndKeep(source) }
            state.running[source] = task
            return task
        }
        return try await task.value.get()
    }

    private func fetchAndKeep(_ source: SecretSource) async -> Result<Secret, SecretFailure> {
        let result: Result<Secret, SecretFailure>
        do throws(SecretFailure) {
            result = .success(try await fetch(source))
        } catch {
            result = .failure(error)
        }
        let now = clock.monotonicNanoseconds()
        state.withLock { state in
            state.running[source] = nil
            switch result {
            case .success(let secret):
                if state.kept.count >= Self.mostKept { state.kept.removeAll() }
                state.kept[source] = Kept(secret: secret, at: now)
            case .failure: state.kept[source] = nil
            }
        }
        return result
    }

    private func fetch(_ source: SecretSource) async throws(SecretFailure) -> Secret {
        do throws(SecretProblem) {
            switch source {
            case .file(let path): return try SecretText.read(file: path)
            case .command(let command): return try await command.run(commandLimits)
            case .vault(let secret): return try await vault.read(secret)
            }
        } catch {
            throw SecretFailure(source, error.reason)
        }
    }
}

extension SecretSource {
    /// How long a value is kept; nil: not at all.
    fileprivate var lifetime: Duration? {
        switch self {
        case .file: nil
        case .command(let command): command.lifetime
        case .vault(let vault): vault.lifetime
        }
    }
}

/// Why a source gave nothing, in words without any of what it gave.
struct SecretProblem: Error, Hashable {
    var reason: String

    init(_ reason: String) { self.reason = reason }
}
