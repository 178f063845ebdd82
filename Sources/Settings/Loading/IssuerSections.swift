/// issuers
extension SettingsReader {
    /// Asymmetric signatures alone (RFC 7518 section 3.1, RFC 8037): with HS* everybody who can check a token can make one.
    static let algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

    func readIssuers(_ root: Section) -> [Placed<TrustedIssuer>] {
        let sections = root.sections("issuers")
        if sections.isEmpty { problems.error(root.place(of: "issuers"), "`issuers` is missing or empty, so nobody could log in; add one") }
        let issuers = sections.compactMap(readIssuer)
        checkUnique(issuers.map { ($0.value.issuer, $0.place) }, "issuer")
        return issuers
    }

    private func readIssuer(_ section: Section) -> Placed<TrustedIssuer>? {
        defer { section.finish() }
        let issuer = section.has("issuer") ? section.value("issuer", secureURL) : nil
        if !section.has("issuer") { _ = section.required("issuer", like: "https://login.example.com") }
        let audiences = section.list("audiences")?.map(\.text)
        if !section.has("audiences") {
            problems.error(
                section.place,
                "`\(section.name("audiences"))` is missing: a token must be meant for this gateway; add `audiences: [gatehouse]`")
        }
        let algorithms = readAlgorithms(section)
        let parties = section.list("authorized_parties")?.map(\.text) ?? []
        let authority = section.existingFile("ca_file")
        let discovery = section.value("discovery", secureURL)

        var user = "sub"
        var groups = "groups"
        var delimiter = ","
        var workload: [String] = []
        if let claims = section.section("claims") {
            user = claims.scalar("user")?.text ?? user
            groups = claims.scalar("groups")?.text ?? groups
            delimiter = claims.scalar("groups_delimiter")?.text ?? delimiter
            workload = claims.list("workload")?.map(\.text) ?? []
            claims.finish()
        }
        guard let issuer, let audiences else { return nil }
        return Placed(
            value: TrustedIssuer(
                issuer: issuer, audiences: audiences, algorithms: algorithms, authorizedParties: parties, authorityFile: authority,
                discovery: discovery, userClaim: user, groupsClaim: groups, groupsDelimiter: delimiter, workloadClaims: workload),
            place: section.place(of: "issuer"))
    }

    private func readAlgorithms(_ section: Section) -> [String] {
        guard let listed = section.list("algorithms") else { return ["RS256", "ES256"] }
        for algorithm in listed where !Self.algorithms.contains(algorithm.text) {
            let why =
                algorithm.text.lowercased() == "none" || algorithm.text.uppercased().hasPrefix("HS")
                ? "is never accepted: anybody could make such a token; use"
                : "is not a known algorithm; use"
            problems.error(algorithm.place, "`\(section.name("algorithms"))`: `\(algorithm.written)` \(why) \(choices(Self.algorithms))")
        }
        return listed.map(\.text)
    }
}

/// https, or http on this machine.
func secureURL(_ text: String) throws(ValueError) -> String {
    let rest: Substring
    let isPlain: Bool
    if text.hasPrefix("https://") {
        (rest, isPlain) = (text.dropFirst(8), false)
    } else if text.hasPrefix("http://") {
        (rest, isPlain) = (text.dropFirst(7), true)
    } else {
        throw ValueError(message: "is not a URL that begins with https://")
    }
    let authority = String(rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" })
    guard !authority.contains("@"), let (host, _) = try? parseHostAndPort(authority) else {
        throw ValueError(message: "has no valid host")
    }
    guard !isPlain || isLoopbackHost(host) else {
        throw ValueError(message: "is not protected: use https:// (http:// is for loopback addresses alone)")
    }
    guard !rest.contains("?"), !rest.contains("#") else { throw ValueError(message: "must not hold a query or fragment") }
    return text
}
