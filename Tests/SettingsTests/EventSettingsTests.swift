import Foundation
import GatehouseCore
import Testing

@testable import Settings

@Suite struct EventSettingsTests {
    private func said(_ text: String, in folder: Folder? = nil) -> String {
        errors(configuration(other: text), in: folder).joined(separator: "\n")
    }

    @Test func sinksAreRead() throws {
        let folder = try Folder()
        let authority = try folder.write("", to: "ca.pem")
        let loaded = try load(
            configuration(
                other: """
                    events:
                      - file: /var/log/events
                      - syslog: { address: "siem.example.com", ca_file: \(authority), facility: local3 }
                        classes: [verdict, approval]
                      - syslog: { address: 127.0.0.1, protocol: udp }
                      - otlp: { endpoint: "https://otel.example.com:4318/", headers: { authorization: "${env:READER}", x-scope: team } }
                      - otlp: { endpoint: "https://otel.example.com/v1/logs" }
                    """))
        #expect(loaded.warnings.isEmpty)
        #expect(
            loaded.settings.events == [
                EventSink(.file("/var/log/events")),
                EventSink(
                    .syslog(.init(host: "siem.example.com", port: 6_514, transport: .tls, facility: 19, authorityFile: authority)),
                    classes: [.verdict, .approval]),
                EventSink(.syslog(.init(host: "127.0.0.1", port: 514, transport: .udp, facility: 10))),
                EventSink(
                    .otlp(
                        .init(url: "https://otel.example.com:4318/v1/logs", headers: ["authorization": "read secret", "x-scope": "team"]))),
                EventSink(.otlp(.init(url: "https://otel.example.com/v1/logs"))),
            ])
    }

    @Test func webhooksAreRead() throws {
        let folder = try Folder()
        try folder.write("a secret of some length, really\n", to: "secret")
        let settings = try load(
            configuration(
                other: """
                    webhooks:
                      - { url: "https://bot.example.com/x?y=z", secret_file: secret }
                      - { url: "http://127.0.0.1:9000", form: slack, events: [verdict.*, session.started] }
                    """), in: folder
        ).settings
        #expect(
            settings.webhooks == [
                Webhook(
                    url: "https://bot.example.com/x?y=z", secret: "a secret of some length, really",
                    events: Set(OutwardEvent.Approval.Step.allCases.map { "approval.\($0.rawValue)" })),
                Webhook(
                    url: "http://127.0.0.1:9000", secret: nil, form: .slack,
                    events: ["verdict.denied", "verdict.held", "verdict.approved", "session.started"]),
            ])
    }

    @Test(arguments: [
        ("events:\n  - classes: [verdict]", "must have one of `file`, `syslog` and `otlp`"),
        ("events:\n  - { file: a, otlp: { endpoint: \"https://x\" } }", "must have one of"),
        ("events:\n  - { file: a, classes: [verdicts] }", "did you mean `verdict`"),
        ("events:\n  - syslog: { address: \"a:1\", facility: local8 }", "is not a facility"),
        ("events:\n  - syslog: { address: \"a:1\", protocol: http }", "must be udp, tcp or tls"),
        ("events:\n  - otlp: { endpoint: \"http://otel.example.com\" }", "is not protected"),
        ("events:\n  - otlp: { endpoint: \"https://x\", headers: { authorization: written } }", "must not be written here"),
        ("events:\n  - otlp: { endpoint: \"https://x\", headers: { \"a b\": c } }", "is not an HTTP header"),
        ("webhooks:\n  - { url: \"http://bot.example.com/token-hush\", form: slack }", "is not protected"),
        ("webhooks:\n  - { url: \"https://bot.example.com/token-hush\" }", "has no `secret` or `secret_file`"),
        ("webhooks:\n  - { url: \"https://x\", secret: written-here-in-clear-text }", "must not be written here"),
        ("webhooks:\n  - { url: \"https://x\", secret: \"${env:READER}\" }", "shorter than 24 characters"),
        ("webhooks:\n  - { url: \"https://x\", form: slack, events: [aproval.requested] }", "did you mean `approval.requested`"),
        ("webhooks:\n  - { url: \"https://x\", form: teams }", "must be generic or slack"),
    ])
    func whatIsWrongIsTold(_ text: String, _ words: String) {
        let told = said(text)
        #expect(told.contains(words), "\(told)")
        #expect(!told.contains("hush") && !told.contains("read secret") && !told.contains("in-clear-text"))
    }

    @Test func clearTextAcrossTheNetworkIsWarnedOf() throws {
        let warnings = try load(configuration(other: "events:\n  - syslog: { address: \"siem:514\", protocol: tcp }")).warnings
        #expect(warnings.contains { $0.message.contains("cross the network in clear") })
    }

    @Test func changesNeedARestart() throws {
        let old = try load(configuration()).settings
        let new = try load(configuration(other: "events:\n  - file: /a\nwebhooks:\n  - { url: \"https://x\", form: slack }")).settings
        #expect(ReloadPlan(from: old, to: new).restart == ["events: changed", "webhooks: changed"])
        #expect(new.keepingWhatNeedsRestart(of: old) == old)
    }
}
