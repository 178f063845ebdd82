import GatehouseCore

/// Checks the claims of a token whose signature holds, and reads from them who calls. Pure: time comes in.
struct ClaimRules: Sendable {
    /// How far the clocks of issuer and gateway may be apart (RFC 7519 sections 4.1.4 and 4.1.5: "no more than a few minutes").
    static let leewaySeconds: Double = 60
    /// Directories put people in hundreds of groups; a rule names a handful.
    static let maximumGroups = 2_000
    /// Group, user and subject names (OIDC bounds `sub` at 255; paths of groups are longer).
    static let maximumNameBytes = 512
    static let maximumWorkloadClaimBytes = 2_048
    /// Each level is one service calling another; more is a loop or an attack.
    static let maximumDelegationDepth = 8
    /// The last second that `WallTime` can say.
    private static let lastSecond: Double = 18_446_744_073

    let settings: IssuerSettings

    func principal(from claims: JSONValue, at now: WallTime) throws(AuthenticationFailure) -> Principal {
        try checkIssuer(claims)
        let expires = try checkTimes(claims, now: Double(now.seconds))
        try checkAudience(claims)
        // OpenID Connect Back-Channel Logout 1.0 section 2.4, RFC 8417: a security event is no proof of identity.
        guard claims["events"] == nil else { throw CompactToken.malformed("it is a security event, not an access or ID token") }
        let subject = try name(claims["sub"], "sub")
        return Principal(
            issuer: settings.issuer, subject: subject,
            user: try claim(settings.userClaim, in: claims).map { value throws(AuthenticationFailure) in
                try name(value, settings.userClaim)
            } ?? subject,
            groups: try groups(claims), workload: try workload(claims), delegation: try delegation(claims),
            credential: .token(id: claims["jti"]?.string.map { String($0.prefix(128)) }), expires: expires)
    }

    private func checkIssuer(_ claims: JSONValue) throws(AuthenticationFailure) {
        guard let issuer = claims["iss"]?.string, issuer == settings.issuer else {
            throw AuthenticationFailure(
                .unknownIssuer, client: "The token's issuer is not accepted here.", audit: "the token's issuer is not \(settings.issuer)")
        }
    }

    /// RFC 7519 sections 4.1.4 to 4.1.6. Returns when the proof ends.
    private func checkTimes(_ claims: JSONValue, now: Double) throws(AuthenticationFailure) -> WallTime {
        guard let expires = try time(claims, "exp") else { throw CompactToken.malformed("it does not say when it expires (exp)") }
        guard now < expires + Self.leewaySeconds else {
            throw AuthenticationFailure(
                .expired, client: "The token expired \(Self.ago(now - expires)) ago. Get a new one.",
                audit: "expired at \(Int(expires)), now \(Int(now))")
        }
        for claim in ["nbf", "iat"] {
            guard let start = try time(claims, claim), start > now + Self.leewaySeconds else { continue }
            throw AuthenticationFailure(
                .notYetValid, client: "The token is not valid yet (\(claim) is \(Self.ago(start - now)) ahead). Check the clocks.",
                audit: "\(claim) is \(Int(start)), now \(Int(now))")
        }
        return WallTime(seconds: Int(expires))
    }

    private func time(_ claims: JSONValue, _ claim: String) throws(AuthenticationFailure) -> Double? {
        guard let value = claims[claim] else { return nil }
        guard case .number(let seconds) = value, seconds >= 0, seconds <= Self.lastSecond else {
            throw CompactToken.malformed("\(claim) is not a time")
        }
        return seconds
    }

    private static func ago(_ seconds: Double) -> String {
        let whole = Int(seconds)
        if whole < 120 { return "\(whole) s" }
        return whole < 7200 ? "\(whole / 60) min" : "\(whole / 3600) h"
    }

    /// RFC 7519 section 4.1.3, and OpenID Connect Core 1.0 section 3.1.3.7 for `azp`.
    private func checkAudience(_ claims: JSONValue) throws(AuthenticationFailure) {
        let audiences: [String]
        if let one = claims["aud"]?.string {
            audiences = [one]
        } else if let many = claims["aud"]?.strings {
            audiences = many
        } else {
            throw AuthenticationFailure(
                .wrongAudience, client: "The token names no audience; it must be issued for \(expectedAudience).", audit: "no usable aud")
        }
        guard audiences.contains(where: settings.audiences.contains) else {
            throw AuthenticationFailure(
                .wrongAudience, client: "The token was issued for another audience; it must be issued for \(expectedAudience).",
                audit: "aud is \(audiences.prefix(8).map { quoted($0) }.joined(separator: ", "))")
        }
        try checkAuthorizedParty(claims, severalAudiences: audiences.count > 1)
    }

    private var expectedAudience: String { settings.audiences.joined(separator: " or ") }

    /// With one audience a party that is named must be an authorized one, where the operator says which these are. With
    /// several, the token must name a party, and where the operator names none it must be one of our own audiences: else
    /// whoever else is in the list could pass the tokens that it gets on to us.
    private func checkAuthorizedParty(_ claims: JSONValue, severalAudiences: Bool) throws(AuthenticationFailure) {
        let accepted = settings.authorizedParties.isEmpty ? settings.audiences : settings.authorizedParties
        let mustMatch = severalAudiences || !settings.authorizedParties.isEmpty
        guard let member = claims["azp"] else {
            guard severalAudiences else { return }
            throw AuthenticationFailure(
                .wrongAuthorizedParty, client: "The token has several audiences and does not say to which client it was issued (azp).",
                audit: "several audiences, no azp")
        }
        guard let party = member.string else { throw CompactToken.malformed("azp is not a string") }
        guard !mustMatch || accepted.contains(party) else {
            throw AuthenticationFailure(
                .wrongAuthorizedParty, client: "The token was issued to a client that is not accepted here.",
                audit: "azp is \(quoted(party)); add it to authorized_parties if it should be")
        }
    }
}

extension ClaimRules {
    /// A claim by its name, or, where there is none and the name has dots, by its path.
    private func claim(_ name: String, in claims: JSONValue) -> JSONValue? {
        if let value = claims[name] { return value == .null ? nil : value }
        guard name.contains(".") else { return nil }
        var value: JSONValue? = claims
        for part in name.split(separator: ".") { value = value?[String(part)] }
        return value == .null ? nil : value
    }

    private func name(_ value: JSONValue?, _ claim: String) throws(AuthenticationFailure) -> String {
        guard let text = value?.string else { throw CompactToken.malformed("\(claim) is missing or not a string") }
        return try checked(text, claim)
    }

    /// Names reach logs, tables and terminals: no control characters, no unbounded ones.
    private func checked(_ text: String, _ claim: String) throws(AuthenticationFailure) -> String {
        guard !text.isEmpty, text.utf8.count <= Self.maximumNameBytes else {
            throw CompactToken.malformed("\(claim) is empty or longer than \(Self.maximumNameBytes) bytes")
        }
        let unfit = text.unicodeScalars.contains { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
            default: false
            }
        }
        guard !unfit else { throw CompactToken.malformed("\(claim) holds control characters") }
        return text
    }

    /// An array of names, or one string with a delimiter. No claim: no groups.
    ///
    /// A directory that leaves groups out because there are too many (`_claim_names`, OpenID Connect Core 1.0 section 5.6.2)
    /// would make a rule against a group miss its member: such a token is refused.
    private func groups(_ claims: JSONValue) throws(AuthenticationFailure) -> [String] {
        let claim = settings.groupsClaim
        if claims["_claim_names"]?[claim] != nil {
            throw CompactToken.malformed("its issuer left \(claim) out (too many groups); have it send only those that matter here")
        }
        let names: [String]
        switch self.claim(claim, in: claims) {
        case nil: return []
        case .string(let text): names = Self.split(text, at: settings.groupsDelimiter)
        case let value?:
            guard let strings = value.strings else { throw CompactToken.malformed("\(claim) is neither a list of strings nor a string") }
            names = strings
        }
        guard names.count <= Self.maximumGroups else { throw CompactToken.malformed("more than \(Self.maximumGroups) groups") }
        var seen: Set<String> = []
        var groups: [String] = []
        for name in names where seen.insert(try checked(name, claim)).inserted { groups.append(name) }
        return groups
    }

    private static func split(_ text: String, at delimiter: String) -> [String] {
        text.split(separator: delimiter).map { part in
            let start = part.drop { $0 == " " }
            return String(start[..<(start.lastIndex { $0 != " " }.map(start.index(after:)) ?? start.startIndex)])
        }
        .filter { !$0.isEmpty }
    }

    private func workload(_ claims: JSONValue) throws(AuthenticationFailure) -> [String: String] {
        var kept: [String: String] = [:]
        for claim in settings.workloadClaims {
            let text: String
            switch self.claim(claim, in: claims) {
            case nil: continue
            case .string(let value): text = value
            case .bool(let value): text = value ? "true" : "false"
            case .number(let value): text = Int(exactly: value).map(String.init) ?? String(value)
            default: throw CompactToken.malformed("\(claim) is not a single value")
            }
            guard text.utf8.count <= Self.maximumWorkloadClaimBytes, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
                throw CompactToken.malformed("\(claim) is too long or holds control characters")
            }
            kept[claim] = text
        }
        return kept
    }

    /// RFC 8693 section 4.1: `act` is the current actor, the `act` within it the one before.
    private func delegation(_ claims: JSONValue) throws(AuthenticationFailure) -> [Principal.Actor] {
        var chain: [Principal.Actor] = []
        var next = claims["act"]
        while let actor = next {
            guard chain.count < Self.maximumDelegationDepth else {
                throw CompactToken.malformed("more than \(Self.maximumDelegationDepth) levels of act")
            }
            guard actor.object != nil else { throw CompactToken.malformed("act is not an object") }
            var issuer: String?
            if let value = actor["iss"] { issuer = try name(value, "act.iss") }
            chain.append(Principal.Actor(issuer: issuer, subject: try name(actor["sub"], "act.sub")))
            next = actor["act"]
        }
        return chain
    }
}
