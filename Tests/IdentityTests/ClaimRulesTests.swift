import Foundation
import GatehouseCore
import Testing

@testable import Identity

@Suite struct ClaimRulesTests {
    private static let issuer = "https://login.example.com"
    private let now = WallTime(seconds: TestClock.start)

    private func settings(_ change: (inout IssuerSettings) -> Void = { _ in }) -> IssuerSettings {
        var settings = IssuerSettings(issuer: Self.issuer, audiences: ["gatehouse"], userClaim: "preferred_username")
        change(&settings)
        return settings
    }

    private func judge(
        _ changed: [String: Any] = [:], without: [String] = [], _ settings: IssuerSettings? = nil
    ) throws -> Principal {
        let data = try JSONSerialization.data(withJSONObject: goodClaims(Self.issuer, changed: changed, without: without))
        return try ClaimRules(settings: settings ?? self.settings()).principal(from: try JSONParser.parse(Array(data)), at: now)
    }

    private func code(_ changed: [String: Any] = [:], without: [String] = [], _ settings: IssuerSettings? = nil) throws
        -> AuthenticationFailure.Code?
    {
        do {
            _ = try judge(changed, without: without, settings)
            return nil
        } catch let failure as AuthenticationFailure {
            return failure.code
        }
    }

    @Test func readsWhoCalls() throws {
        let principal = try judge()
        #expect(principal.issuer == Self.issuer)
        #expect(principal.subject == "user-1")
        #expect(principal.user == "alice")
        #expect(principal.groups == ["dba", "sre"])
        #expect(principal.credential == .token(id: "token-1"))
        #expect(principal.expires == WallTime(seconds: TestClock.start + 300))
    }

    @Test func timesAreJudgedWithALeewayOfAMinute() throws {
        let start = TestClock.start
        #expect(try code(["exp": start - 59]) == nil)
        #expect(try code(["exp": start - 60]) == .expired)
        #expect(try code(["nbf": start + 60]) == nil)
        #expect(try code(["nbf": start + 61]) == .notYetValid)
        #expect(try code(["iat": start + 61]) == .notYetValid)
        #expect(try code(without: ["exp"]) == .malformed)
        #expect(try code(without: ["nbf", "iat"]) == nil)
        #expect(try code(["exp": Double(start) + 0.5]) == nil)
        for bad: Any in ["1", -1, 1e300, NSNull(), true, [1]] {
            #expect(try code(["exp": bad]) == .malformed)
            #expect(try code(["nbf": bad]) == .malformed)
        }
    }

    @Test func issuerMustBeExact() throws {
        for other in ["https://login.example.com/", "https://LOGIN.example.com", "https://login.example.com.evil.example", ""] {
            #expect(try code(["iss": other]) == .unknownIssuer)
        }
    }

    @Test func audienceIsOneOrAList() throws {
        #expect(try code(["aud": ["gatehouse"]]) == nil)
        for bad: Any in ["other", ["other"], [] as [String], ["gatehouse", 1] as [Any], 1, NSNull(), "gatehouse2", ["aud": "gatehouse"]] {
            #expect(try code(["aud": bad]) == .wrongAudience)
        }
        #expect(try code(without: ["aud"]) == .wrongAudience)
    }

    @Test func severalAudiencesNeedAnAuthorizedParty() throws {
        let both = ["gatehouse", "other"]
        #expect(try code(["aud": both]) == .wrongAuthorizedParty)
        #expect(try code(["aud": both, "azp": "other"]) == .wrongAuthorizedParty)
        #expect(try code(["aud": both, "azp": "gatehouse"]) == nil)
        let named = settings { $0.authorizedParties = ["cli"] }
        #expect(try code(["aud": both, "azp": "cli"], named) == nil)
        #expect(try code(["aud": both, "azp": "gatehouse"], named) == .wrongAuthorizedParty)
        #expect(try code(["aud": both], named) == .wrongAuthorizedParty)
    }

    @Test func aPartyThatIsNamedMustBeAuthorizedWhereTheOperatorSaysWhichAre() throws {
        let named = settings { $0.authorizedParties = ["cli"] }
        #expect(try code(["azp": "cli"], named) == nil)
        #expect(try code(["azp": "evil"], named) == .wrongAuthorizedParty)
        #expect(try code(["azp": 1], named) == .malformed)
        #expect(try code(named) == nil)
        #expect(try code(["azp": "anyone"]) == nil)
    }

    private func code(_ settings: IssuerSettings) throws -> AuthenticationFailure.Code? { try code([:], settings) }

    @Test func groupsComeInBothShapes() throws {
        #expect(try judge(["groups": "dba, sre,,ops "]).groups == ["dba", "sre", "ops"])
        #expect(try judge(["groups": "dba sre"], settings { $0.groupsDelimiter = " " }).groups == ["dba", "sre"])
        #expect(try judge(["groups": ["a,b", "a,b", "c"]]).groups == ["a,b", "c"])
        #expect(try judge(["groups": ""]).groups == [])
        #expect(try judge(["groups": [String]()]).groups == [])
        #expect(try judge(["groups": NSNull()]).groups == [])
        #expect(try judge(without: ["groups"]).groups == [])
        #expect(try judge(["realm_access": ["roles": ["x"]]], settings { $0.groupsClaim = "realm_access.roles" }).groups == ["x"])
        #expect(try judge(["https://a.example/groups": ["y"]], settings { $0.groupsClaim = "https://a.example/groups" }).groups == ["y"])
    }

    @Test func groupsThatCannotBeReadAreRefusedAndNotDropped() throws {
        for bad: Any in [
            1, ["a", 1] as [Any], ["a", ""], [["a"]], ["a": "b"], ["a\u{0}b"], ["a\u{202E}b"], [String(repeating: "g", count: 513)],
        ] {
            #expect(try code(["groups": bad]) == .malformed)
        }
        #expect(try code(["_claim_names": ["groups": "src1"]], without: ["groups"]) == .malformed)
    }

    @Test func hugeGroupsAreBounded() throws {
        #expect(try judge(["groups": (0..<2_000).map { "g\($0)" }]).groups.count == 2_000)
        #expect(try code(["groups": (0..<2_001).map { "g\($0)" }]) == .malformed)
    }

    @Test func namesAreBoundedAndClean() throws {
        for bad: Any in ["", 1, "a\nb", "a\u{1B}[2J", String(repeating: "s", count: 513), NSNull()] {
            #expect(try code(["sub": bad]) == .malformed)
        }
        #expect(try code(["preferred_username": ""]) == .malformed)
        #expect(try judge(without: ["preferred_username"]).user == "user-1")
        #expect(try judge(["preferred_username": "Zoë 😀"]).user == "Zoë 😀")
    }

    @Test func workloadClaimsAreKept() throws {
        let ci = settings { $0.workloadClaims = ["repository", "ref", "run", "protected"] }
        let principal = try judge(["repository": "acme/api", "run": 42, "protected": true, "ignored": "x"], ci)
        #expect(principal.workload == ["repository": "acme/api", "run": "42", "protected": "true"])
        #expect(try code(["repository": ["a"]], ci) == .malformed)
    }

    @Test func delegationIsKeptNearestActorFirst() throws {
        let chain = try judge(["act": ["sub": "agent", "act": ["sub": "scheduler", "iss": "https://b.example"]]]).delegation
        #expect(chain == [.init(issuer: nil, subject: "agent"), .init(issuer: "https://b.example", subject: "scheduler")])
        func nested(_ depth: Int) -> [String: Any] {
            (1..<depth).reduce(["sub": "a0"] as [String: Any]) { ["sub": "a\($1)", "act": $0] }
        }
        #expect(try judge(["act": nested(8)]).delegation.count == 8)
        #expect(try code(["act": nested(9)]) == .malformed)
        for bad: Any in ["agent", ["sub": 1], [String: String](), ["sub": "a", "act": "b"]] {
            #expect(try code(["act": bad]) == .malformed)
        }
    }

    @Test func securityEventsAreNoProofOfIdentity() throws {
        #expect(try code(["events": ["http://schemas.openid.net/event/backchannel-logout": [String: String]()]]) == .malformed)
    }
}
