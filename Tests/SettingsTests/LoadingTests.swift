import Foundation
import GatehouseCore
import Policy
import Testing

@testable import Settings

@Suite struct LoadingTests {
    @Test func theExampleLoads() throws {
        let folder = try Folder()
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let secret = try folder.write("rw secret\n", to: "orders_rw")
        let example = try String(contentsOf: root.appendingPathComponent("gatehouse.example.yaml"), encoding: .utf8)
            .replacingOccurrences(of: "/run/secrets/orders_rw", with: secret)
        let loaded = try GatehouseSettings.load(
            example, file: "gatehouse.example.yaml", directory: folder.path, environment: ["ORDERS_RO_PASSWORD": "ro secret"])
        let settings = loaded.settings
        #expect(loaded.warnings.isEmpty)
        #expect(settings.node == "gatehouse-1")
        #expect(settings.dataDirectory == "/var/lib/gatehouse")
        #expect(settings.admin.listen == ListenAddress(host: "127.0.0.1", port: 9090))
        #expect(settings.admin.roles == [.administrator: ["platform"], .auditor: ["audit"], .approver: ["managers"]])
        #expect(settings.issuers.first?.userClaim == "preferred_username")
        #expect(settings.issuers.first?.workloadClaims == ["repository", "ref"])
        #expect(settings.listeners.first?.listen.port == 6432)
        let target = try #require(settings.targets.first)
        #expect(target.tls.mode == .verifyFull)
        #expect(target.roles.map { $0.password?.reveal() } == ["ro secret", nil])
        #expect(target.roles.map(\.source) == [nil, .file(secret)])
        #expect(settings.policy.access.map(\.who.groups.count) == [2, 1])
        let rule = try #require(settings.policy.rules.first)
        #expect(rule.id == "no-drop")
        #expect(rule.priority == 10)
        #expect(rule.effect == .deny)
        #expect(rule.what == What(kinds: ["drop", "truncate"]))
        #expect(rule.sourceLine.map { $0 > 50 } == true)
        #expect(settings.policy.masks.first?.except == Who(groups: ["fraud"]))
        #expect(settings.policy.defaultDecisions == ["orders": .deny])
        #expect(settings.limits == Limits())
    }

    /// What the example says in comments must be right too: each commented key, taken in turn.
    @Test(arguments: [
        "tables: [public.customers, \"audit.*\"]", "functions: [pg_read_file, \"dblink*\"]", "missing_where: true", "opaque: true",
        "unparsed: true",
        "copy_program: true", "copy_file: true", "unknown_function: true", "settings: [search_path]", "kinds: [drop, copy.to, transaction]",
    ])
    func everyConditionOfARuleIsRead(_ what: String) throws {
        let rules = "rules:\n  - id: r\n    effect: deny\n    what: { \(what) }"
        let rule = try #require(try load(configuration(rules: rules)).settings.policy.rules.first)
        #expect(rule.what != What())
    }

    @Test func aSmallFileGetsTheDefaults() throws {
        let settings = try load(configuration()).settings
        #expect(settings.log.format == .json)
        #expect(settings.log.level == .info)
        #expect(settings.admin.listen == ListenAddress(host: "127.0.0.1", port: 9090))
        #expect(settings.admin.tls == nil)
        #expect(settings.admin.roles.isEmpty)
        #expect(settings.issuers.first?.algorithms == ["RS256", "ES256"])
        #expect(settings.issuers.first?.groupsDelimiter == ",")
        #expect(settings.listeners.first?.auth == .password)
        #expect(settings.listeners.first?.plaintext == .refuse)
        #expect(settings.targets.first?.durability == .written)
        #expect(settings.targets.first?.clientAuthentication == nil)
        #expect(settings.targets.first?.roles.last?.password == nil)
        #expect(settings.policy.defaultDecisions == ["orders": .deny])
    }

    @Test func retentionAndStoreAreRead() throws {
        let defaults = try load(configuration()).settings
        #expect(defaults.retention == RetentionSettings() && defaults.store == .directory(nil))
        let retention = """
            retention:
              keep: 90d
              every: none
              rules:
                - { name: cards, targets: ["pay-*", till], keep: 2555d }
                - { name: ledger, targets: [ledger], keep: forever }
            """
        let read = try load(configuration(limits: retention)).settings.retention
        #expect(read.keep == .seconds(90 * 86_400) && read.every == nil)
        #expect(read.rules.map(\.name) == ["cards", "ledger"] && read.rules.map(\.keep) == [.seconds(2555 * 86_400), nil])
        #expect(read.rules.first?.targets == ["pay-*", "till"])
        let store = """
            store:
              s3:
                bucket: evidence
                endpoint: https://s3.example.com/
                prefix: prod/a/
                access_key_id: key
                secret_access_key: "${env:READER}"
                object_lock: compliance
            """
        guard case .s3(let bucket) = try load(configuration(limits: store)).settings.store else {
            Issue.record("it is a bucket")
            return
        }
        #expect(bucket.bucket == "evidence" && bucket.endpoint == "https://s3.example.com" && bucket.prefix == "prod/a/")
        #expect(bucket.style == .path && bucket.region == "us-east-1" && bucket.objectLock == .compliance && bucket.sessionToken == nil)
        #expect(bucket.secretAccessKey.reveal() == variables["READER"] && !"\(bucket)".contains(variables["READER"] ?? ""))
        let amazon = store.replacingOccurrences(of: "    endpoint: https://s3.example.com/\n", with: "")
        guard case .s3(let plain) = try load(configuration(limits: amazon)).settings.store else { return }
        #expect(plain.style == .virtualHost && plain.endpoint == nil)
    }

    @Test func limitsAreRead() throws {
        let limits = """
            limits:
              handshake_timeout: 1500ms
              message_bytes: 1GiB
              statement_bytes: 4096
              held_bytes: 512KiB
              idle_timeout: 1h30m
              session_lifetime: none
              sessions_per_principal: 3
              sessions: 40
            """
        let read = try load(configuration(limits: limits)).settings.limits
        #expect(read.handshakeTimeout == .milliseconds(1500))
        #expect(read.messageBytes == 1_073_741_824)
        #expect(read.statementBytes == 4096)
        #expect(read.heldBytes == 524_288)
        #expect(read.idleTimeout == .seconds(5400))
        #expect(read.sessionLifetime == nil)
        #expect(read.sessionsPerPrincipal == 3)
        #expect(read.sessions == 40)
    }

    @Test func variablesGoAnywhereInAValue() throws {
        let listeners = "listeners:\n  - name: pg\n    protocol: postgres\n    listen: 127.0.0.1:${env:PORT}"
        let access = "access:\n  - groups: [\"x-${env:GROUP}-${env:PORT}\", \"$${env:GROUP}\", \"a$b\"]\n    roles: [reader]"
        let settings = try load(configuration(listeners: listeners, access: access)).settings
        #expect(settings.listeners.first?.listen.port == 7000)
        #expect(settings.policy.access.first?.who.groups == ["x-agents-7000", "${env:GROUP}", "a$b"])
    }

    @Test func relativePathsStartFromTheFile() throws {
        let folder = try Folder()
        try folder.write("from a file\r\n", to: "pw")
        let targets = standardTargets.replacingOccurrences(of: "user: app_rw", with: "user: app_rw, password_file: pw")
        let file = try folder.write(configuration(node: "node: a\ndata_directory: data", targets: targets), to: "gw.yaml")
        let settings = try GatehouseSettings.load(file: file, environment: variables).settings
        #expect(settings.targets.first?.roles.last?.source == .file(folder.path + "/pw"))
        #expect(settings.dataDirectory == folder.path + "/data")
    }

    @Test func secretsDoNotPrint() throws {
        let settings = try load(configuration()).settings
        var dumped = "\(settings)"
        dump(settings, to: &dumped)
        #expect(!dumped.contains("read secret"))
    }

    @Test func ipv6AndPortsAreRead() throws {
        let listeners = "listeners:\n  - { name: pg, protocol: postgres, listen: \"[::1]:0\", plaintext: loopback }"
        let listen = try #require(try load(configuration(listeners: listeners)).settings.listeners.first?.listen)
        #expect(listen == ListenAddress(host: "::1", port: 0))
        #expect(listen.description == "[::1]:0")
        #expect(listen.isLoopback)
        let targets = standardTargets.replacingOccurrences(of: "db.internal:5432", with: "db.internal")
        #expect(try load(configuration(targets: targets)).settings.targets.first?.port == 5432)
    }
}

@Suite struct DocumentationTests {
    /// The examples that people copy must load.
    @Test func theExamplesOfThePolicyPageLoad() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/policy.md"), encoding: .utf8)
        let blocks = page.components(separatedBy: "```yaml\n").dropFirst().compactMap { $0.components(separatedBy: "```").first }
        let rules = blocks.filter { $0.hasPrefix("rules:") }
        #expect(rules.count == 2)
        for block in rules {
            #expect(try !load(configuration(rules: block)).settings.policy.rules.isEmpty)
        }
        let sets = try #require(blocks.first { $0.hasPrefix("rule_sets:") })
        #expect(try load(configuration(other: sets)).settings.policy.rules.count > 2)
        let cases = try #require(blocks.first { $0.hasPrefix("defaults:") })
        #expect(try PolicyCase.load(cases, file: "policy.md").count == 3)
        let when = try #require(blocks.first { $0.hasPrefix("when:") })
        #expect(try load(configuration(rules: "rules:\n  - id: a\n    effect: deny\n    \(when)")).settings.policy.rules.first?.when != nil)
        let who = try #require(blocks.first { $0.hasPrefix("who:") })
        let rule = "rules:\n  - id: a\n    effect: deny\n" + who.split(separator: "\n").map { "    \($0)\n" }.joined()
        let loaded = try load(configuration(rules: rule))
        #expect(loaded.warnings.isEmpty)
        #expect(loaded.settings.policy.rules.first?.who.claims.count == 2)
    }

    /// Every kind that rules may name is on the page.
    @Test func everyKindIsDocumented() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/policy.md"), encoding: .utf8)
        for kind in knownKinds { #expect(page.contains("`\(kind)`"), "docs/policy.md does not mention \(kind)") }
    }
}

@Suite struct ReloadTests {
    @Test func nothingChangedSaysNothing() throws {
        let settings = try load(configuration()).settings
        #expect(reloadableDifference(old: settings, new: settings).isEmpty)
    }

    @Test func eachChangeIsOnItsSide() throws {
        let old = try load(configuration()).settings
        let new = try load(
            configuration(
                node: "node: gw-2\ndata_directory: /elsewhere", admin: "admin:\n  listen: 127.0.0.1:9091\n  roles: { auditor: [audit] }",
                issuers: standardIssuers.replacingOccurrences(of: "login", with: "sso"),
                listeners: standardListeners.replacingOccurrences(of: "6432", with: "6433"),
                targets: standardTargets.replacingOccurrences(of: "db.internal", with: "db2.internal"),
                rules: "rules:\n  - { id: a, effect: deny }", limits: "limits: { sessions: 5 }")
        ).settings
        let plan = reloadableDifference(old: old, new: new)
        #expect(plan.restart == ["node: changed", "data_directory: changed", "admin.listen: changed", "listener pg: changed"])
        #expect(
            plan.live == [
                "admin.roles: changed", "issuer https://login.example.com: removed", "issuer https://sso.example.com: added",
                "target orders: changed", "policy: \(old.policy.version) -> \(new.policy.version)", "limits: changed",
            ])
        let kept = new.keepingWhatNeedsRestart(of: old)
        #expect(reloadableDifference(old: old, new: kept).restart.isEmpty)
        #expect(kept.policy == new.policy)
    }

    @Test func aMovedRuleLineIsNoChange() throws {
        let rules = "rules:\n  - { id: a, effect: deny }"
        let old = try load(configuration(rules: rules)).settings
        let new = try load(configuration(rules: "\n\n" + rules)).settings
        #expect(old.policy.version == new.policy.version)
        #expect(reloadableDifference(old: old, new: new).isEmpty)
    }
}
