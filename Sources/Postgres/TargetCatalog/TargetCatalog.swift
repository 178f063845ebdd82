public import GatehouseCore
public import Logging
import NIOPosix
import Synchronization

/// Keeps what is known of a target's catalog, for one database and one of the target's accounts, by a side connection of its own.
///
/// Read on a thread of its own, never on an event loop. `snapshot` is what may be relied on now; where it is nil, a caller waits
/// for `refresh` and fails closed if that fails. A snapshot is read anew in the background when it is older than
/// `Freshness.refreshAfter` and asked for, and is not given any more when it is older than `Freshness.maximumAge`.
///
/// **The race that remains.** The catalog is read at one moment and a statement runs at another. What the gateway lets through
/// itself is covered by `invalidate()`, called before a statement that changes the schema goes on and again when its transaction
/// ends; the planner must be told of open transactions that changed it (`StatementContext.schemaChanged`). A change that others
/// make behind the gateway's back is seen after `refreshAfter` at the latest; until then a new table shows itself by an OID that
/// the snapshot does not know (`MaskPlan.needsRefresh`: refresh before the rows go on), but a view whose query was replaced keeps
/// its OID and is masked as before.
public final class TargetCatalog: Sendable {
    /// How old a snapshot may be.
    public struct Freshness: Sendable, Hashable {
        public var refreshAfter: Duration
        public var maximumAge: Duration

        public init(refreshAfter: Duration = .seconds(10), maximumAge: Duration = .seconds(60)) {
            self.refreshAfter = refreshAfter
            self.maximumAge = maximumAge
        }
    }

    public typealias Completion = @Sendable (Result<CatalogSnapshot, CatalogError>) -> Void

    private struct State {
        var snapshot: CatalogSnapshot?
        /// When the snapshot's reading began.
        var readAt: UInt64 = 0
        /// Counts invalidations: a reading that began before one does not count.
        var generation: UInt64 = 0
        var isReading = false
        /// Those who asked while a reading ran: it may have begun before what they need to see, so they wait for the next.
        var waiting: [Completion] = []
        var isClosed = false
        var planners: [[ColumnMaskRule]: MaskPlanner] = [:]
    }

    private let address: CatalogAddress
    /// Where the password comes from that the address does not have.
    private let source: SecretSource?
    private let secrets: any SecretResolver
    private let freshness: Freshness
    private let clock: any GatewayClock
    private let logger: Logger
    private let thread: NIOThreadPool
    private let state = Mutex(State())
    /// Touched on `thread` alone.
    private let connection = ThreadBox()

    /// - Parameters:
    ///   - database: the database that the sessions open.
    ///   - timeout: for connecting, and for reading the whole catalog.
    public init(
        target: Target, role: Target.Role, database: String, timeout: Duration = .seconds(10), freshness: Freshness = Freshness(),
        secrets: any SecretResolver = NoSecrets(), clock: any GatewayClock, logger: Logger
    ) {
        address = CatalogAddress(
            host: target.host, port: target.port, database: database, user: role.user, password: role.password, tls: target.tls,
            timeout: timeout)
        source = role.source
        self.secrets = secrets
        self.freshness = freshness
        self.clock = clock
        var logger = logger
        logger[metadataKey: "target"] = "\(target.name)"
        logger[metadataKey: "database"] = "\(database)"
        logger[metadataKey: "role"] = "\(role.name)"
        self.logger = logger
        thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
    }

    /// What may be relied on now: nil before the first reading, after `invalidate()`, and when the last good reading is too old.
    public var snapshot: CatalogSnapshot? {
        let now = clock.monotonicNanoseconds()
        let (usable, isStale) = state.withLock { state -> (CatalogSnapshot?, Bool) in
            guard let snapshot = state.snapshot else { return (nil, false) }
            let age = Duration.nanoseconds(Int64(clamping: now &- min(now, state.readAt)))
            let isStale = age > freshness.refreshAfter && !state.isReading && !state.isClosed
            return (age > freshness.maximumAge ? nil : snapshot, isStale)
        }
        if isStale { refresh(reason: "age") { _ in } }
        return usable
    }

    /// The planner of the snapshot that may be relied on now, kept for sessions that have the same masks.
    public func planner(for rules: [ColumnMaskRule]) -> MaskPlanner? {
        guard let snapshot else { return nil }
        if let kept = state.withLock({ $0.planners[rules] }), kept.snapshot.identity == snapshot.identity { return kept }
        let planner = MaskPlanner(snapshot: snapshot, rules: rules)
        state.withLock { state in
            // Each list of masks is a set of rules that apply to a principal; more than this many are unlikely to be live.
            if state.planners.count >= 256 { state.planners.removeAll() }
            state.planners[rules] = planner
        }
        return planner
    }

    /// Says that the schema changed: nothing that was read before now is relied on any more.
    public func invalidate() {
        state.withLock { state in
            state.snapshot = nil
            state.generation &+= 1
            state.planners.removeAll()
        }
    }

    /// Reads the catalog anew, from a moment after this call, then calls `completion` on another thread. Calls that come
    /// together share one reading.
    public func refresh(reason: String, then completion: @escaping Completion) {
        let begins = state.withLock { state -> Bool? in
            guard !state.isClosed else { return nil }
            state.waiting.append(completion)
            defer { state.isReading = true }
            return !state.isReading
        }
        guard let begins else { return completion(.failure(CatalogError("the gateway is stopping"))) }
        if begins {
            logger.debug("reading the target's catalog", metadata: ["reason": "\(reason)"])
            readOnThread()
        }
    }

    /// Reads the catalog anew, from a moment after this call.
    ///
    /// - Throws: `CatalogError`.
    @discardableResult
    public func refresh(reason: String) async throws -> CatalogSnapshot {
        try await withCheckedThrowingContinuation { continuation in
            refresh(reason: reason) { continuation.resume(with: $0) }
        }
    }

    /// Closes the connection; every later refresh fails. A reading that runs ends first.
    public func close() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            state.snapshot = nil
            state.planners.removeAll()
            return state.isClosed
        }
        guard !wasClosed else { return }
        // Called when the thread has ended.
        thread.shutdownGracefully { [connection] _ in connection.value = nil }
    }

    deinit {
        close()
    }

    // MARK: On the thread

    private func readOnThread() {
        thread.submit { [self] place in
            guard place == .active else { return failWaiting() }
            while let (generation, waiting) = takeWaiting() {
                let began = clock.monotonicNanoseconds()
                let result = read()
                install(result, generation: generation, began: began)
                waiting.forEach { $0(result) }
            }
        }
    }

    private func failWaiting() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        waiting.forEach { $0(.failure(CatalogError("the gateway is stopping"))) }
    }

    /// Those whom the next reading serves; nil when there is nobody, and then reading has ended.
    private func takeWaiting() -> (UInt64, [Completion])? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isReading = false
                return nil
            }
            defer { state.waiting = [] }
            return (state.generation, state.waiting)
        }
    }

    private func install(_ result: Result<CatalogSnapshot, CatalogError>, generation: UInt64, began: UInt64) {
        switch result {
        case .success(let snapshot):
            state.withLock { state in
                guard state.generation == generation, !state.isClosed else { return }
                state.snapshot = snapshot
                state.readAt = began
                state.planners = state.planners.filter { $0.value.snapshot.identity == snapshot.identity }
            }
        case .failure(let error):
            logger.warning("\(error)")
        }
    }

    /// On the kept connection, or once more on a new one when that has gone bad.
    private func read() -> Result<CatalogSnapshot, CatalogError> {
        do {
            if let kept = connection.value {
                connection.value = nil
                if let content = try? CatalogReader.read(from: kept, timeout: address.timeout) {
                    connection.value = kept
                    return .success(CatalogSnapshot(content))
                }
            }
            let fresh = try connect()
            let content = try CatalogReader.read(from: fresh, timeout: address.timeout)
            connection.value = fresh
            return .success(CatalogSnapshot(content))
        } catch let error as CatalogError {
            return .failure(error)
        } catch {
            return .failure(CatalogError("\(type(of: error))"))
        }
    }

    private func connect() throws -> CatalogConnection { try CatalogConnection.open(address, source, secrets) }

    /// A value that one thread alone touches, and another when that one has ended.
    private final class ThreadBox: @unchecked Sendable {
        var value: CatalogConnection?
    }
}
