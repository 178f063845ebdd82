import GatehouseCore

/// One issuer at run time: its rules, its keys, and at most one fetch of these under way however many callers wait.
actor Issuer {
    nonisolated let settings: IssuerSettings
    private let fetcher: any DocumentFetcher
    private let clock: any GatewayClock
    private var cache: KeySetCache
    /// Bounded by the fetcher's timeouts; every caller that needs its outcome waits for it.
    private var underWay: Task<Void, Never>?

    init(settings: IssuerSettings, fetcher: any DocumentFetcher, clock: any GatewayClock, bounds: KeySetCache.Bounds) {
        self.settings = settings
        self.fetcher = fetcher
        self.clock = clock
        cache = KeySetCache(bounds: bounds)
    }

    func authenticate(_ token: CompactToken) async throws(AuthenticationFailure) -> Principal {
        guard settings.algorithms.contains(token.algorithm.rawValue) else {
            throw AuthenticationFailure(
                .algorithmNotAllowed, client: "The token's signature algorithm is not accepted here.",
                audit: "\(token.algorithm.rawValue) is not among the algorithms of \(settings.name)")
        }
        var holds = false
        for key in try await keys(token) {
            if await key.verifies(token.signature, over: token.signedBytes, with: token.algorithm) {
                holds = true
                break
            }
        }
        guard holds else {
            throw AuthenticationFailure(
                .badSignature, client: "The token's signature does not hold.",
                audit: "a token that claims to come from \(settings.name) is not signed by its key")
        }
        return try ClaimRules(settings: settings).principal(from: token.claims, at: clock.wallTime())
    }

    /// Gets the keys before anybody needs them; for readiness checks. Returns what is wrong, or nil.
    func warm() async -> String? {
        if cache.wantsFirstFetch(now: clock.monotonicNanoseconds()) { await fetch() }
        return cache.problem(now: clock.monotonicNanoseconds())
    }

    private func keys(_ token: CompactToken) async throws(AuthenticationFailure) -> [VerificationKey] {
        switch decide(token) {
        case .use(let keys): return keys
        case .unknownKey: throw unknownKey(token)
        case .unreachable(let reason): throw unreachable(reason)
        case .fetchOr(let keys) where underWay != nil:
            // Only the first waits: the others are served from what is there.
            return keys
        case .fetchOr, .fetch:
            await fetch()
        }
        switch decide(token) {
        case .use(let keys), .fetchOr(let keys): return keys
        case .unreachable(let reason): throw unreachable(reason)
        case .unknownKey, .fetch:
            cache.missed(keyID: token.keyID, now: clock.monotonicNanoseconds())
            throw unknownKey(token)
        }
    }

    private func decide(_ token: CompactToken) -> KeySetCache.Decision {
        cache.decide(keyID: token.keyID, algorithm: token.algorithm, now: clock.monotonicNanoseconds())
    }

    private func fetch() async {
        if let underWay { return await underWay.value }
        let task = Task { await self.refresh() }
        underWay = task
        await task.value
    }

    private func refresh() async {
        do {
            let document = try await fetchKeySet()
            let keys = try KeySet(json: document.bytes)
            cache.fetched(keys, maxAge: document.maxAge, now: clock.monotonicNanoseconds())
        } catch let failure as FetchFailure {
            cache.failed(failure.reason, now: clock.monotonicNanoseconds())
        } catch let failure as KeySet.Failure {
            cache.failed(failure.reason, now: clock.monotonicNanoseconds())
        } catch {
            cache.failed("the keys could not be read", now: clock.monotonicNanoseconds())
        }
        underWay = nil
    }

    /// OpenID Connect Discovery 1.0 section 4.3: the document must be of the very issuer that was asked for, or one issuer
    /// could answer for another.
    private func fetchKeySet() async throws(FetchFailure) -> FetchedDocument {
        let document = try await fetcher.fetch(settings.discoveryURL, authorities: settings.caFile)
        let discovery: JSONValue
        do {
            discovery = try JSONParser.parse(document.bytes)
        } catch {
            throw FetchFailure(reason: "the discovery document is not JSON: \(error.reason)")
        }
        guard let issuer = discovery["issuer"]?.string, issuer == settings.issuer else {
            throw FetchFailure(
                reason: "the discovery document is of issuer \(quoted(discovery["issuer"]?.string ?? "?")), not \(quoted(settings.issuer))")
        }
        guard let location = discovery["jwks_uri"]?.string else { throw FetchFailure(reason: "the discovery document has no jwks_uri") }
        return try await fetcher.fetch(location, authorities: settings.caFile)
    }

    private func unknownKey(_ token: CompactToken) -> AuthenticationFailure {
        AuthenticationFailure(
            .unknownKey, client: "The token is signed with a key that its issuer does not publish. Get a new token.",
            audit: token.keyID.map { "key \(quoted($0)) is not among those of \(settings.name)" }
                ?? "the token names no key, and \(settings.name) has none or several for \(token.algorithm.rawValue)")
    }

    private func unreachable(_ reason: String) -> AuthenticationFailure {
        AuthenticationFailure(
            .issuerUnreachable, client: "The token's issuer cannot be asked for its keys now. Try again in a minute.",
            audit: "keys of \(settings.name): \(reason)")
    }
}
