import Foundation
import GatehouseCore
import ServerSupport
import Synchronization
import Testing

@testable import Outward

/// Answers in their order; the last one again and again.
final class Counted: Sendable {
    private let left: Mutex<[LocalServer.Answer]>

    init(_ answers: [LocalServer.Answer]) { left = Mutex(answers) }

    func next() -> LocalServer.Answer {
        left.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? .init(200) }
    }
}

@Suite struct WebhookTests {
    private let clock = SleepClock()
    private let log = LogLines()
    private static let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func hub(
        _ server: LocalServer, form: Webhook.Form = .generic, secret: Secret? = secret, events: Set<String> = Set(OutwardEvent.names),
        path: String = "/hook?token=hush", authority: String? = nil
    ) throws -> OutwardHub {
        let webhook = Webhook(
            url: Secret(server.url + path), secret: secret, form: form, events: events, authorityFile: authority ?? server.authorityFile)
        return try OutwardHub(source: source, sinks: [], webhooks: [webhook], surroundings: clock.surroundings, logger: log.logger)
    }

    /// The example of Standard Webhooks' own libraries.
    @Test func theSignatureIsTheStandards() throws {
        let signature = try WebhookSignature(secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        let value = signature.value(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8))
        #expect(value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        #expect(throws: OutwardError.self) { try WebhookSignature(secret: "whsec_no base64") }
    }

    @Test func aMessageSaysWhatHappened() async throws {
        let server = try await LocalServer.start(tls: try TestAuthority()) { _ in .init(204) }
        let hub = try hub(server, events: ["approval.requested"])
        hub.start()
        let asked = event(approval(.requested))
        for event in [event(ruling(.deny)), asked, event(approval(.approved))] { hub.notify(event) }
        await hub.stop()
        #expect(server.calls.count == 1, "\(log.all)")
        let call = try #require(server.calls.first)
        #expect(call.path == "/hook?token=hush" && call.headers["content-type"] == "application/json")
        #expect(call.headers["webhook-id"] == asked.id && call.headers["webhook-timestamp"] == "1769860800")
        #expect(call.json["type"] as? String == "approval.requested" && call.json["id"] as? String == asked.id)
        #expect(call.json["timestamp"] as? String == "2026-01-31T12:00:00.250000Z")
        let data = try #require(call.json["data"] as? [String: Any])
        let approval = try #require(data["approval"] as? [String: Any])
        #expect(approval["id"] as? String == "a-1" && approval["required"] as? Int == 2)
        #expect(approval["reason"] as? String == "ticket <42> & more")
        #expect((approval["requester"] as? [String: Any])?["user"] as? String == "alice")
        #expect(data["target"] as? String == "orders" && data["node"] as? String == "gw-1")
    }

    /// Twice no, then yes: the same message each time, signed anew, and what came later comes later.
    @Test func itIsTriedAgainAndTheOrderKept() async throws {
        let answers = Counted([.init(500), .init(503), .init(200)])
        let server = try await LocalServer.start { _ in answers.next() }
        let hub = try hub(server)
        hub.start()
        let (first, second) = (event(approval(.requested)), event(approval(.approved)))
        hub.notify(first)
        hub.notify(second)
        let calls = try await server.calls(atLeast: 4)
        await hub.stop()
        try #require(calls.map { $0.headers["webhook-id"] } == [first.id, first.id, first.id, second.id])
        #expect(calls[0].body == calls[2].body)
        #expect(calls[0].headers["webhook-timestamp"] != calls[2].headers["webhook-timestamp"])
        #expect(Set(calls.map { $0.headers["webhook-signature"] }).count == 4)
        #expect(clock.slept == [.seconds(1), .seconds(2)])
    }

    @Test func itGivesUpInTheEnd() async throws {
        let refused = "refused"
        let server = try await LocalServer.start { call in .init(call.text.contains(refused) ? 500 : 200) }
        let hub = try hub(server)
        hub.start()
        hub.notify(event(approval(.requested, id: refused)))
        let next = event(approval(.requested))
        hub.notify(next)
        let calls = try await server.calls(atLeast: 11)
        await hub.stop()
        #expect(calls.count == 11 && calls.last?.headers["webhook-id"] == next.id)
        #expect(clock.slept.count == 9 && clock.slept.reduce(.zero, +) == .seconds(243))
        #expect(log.text.contains("given up"))
        #expect(!log.text.contains("hush") && !log.text.contains("whsec_"))
    }

    @Test func redirectsAreNotFollowed() async throws {
        let other = try await LocalServer.start { _ in .init(200) }
        let server = try await LocalServer.start { _ in .init(307, location: other.url + "/hook") }
        let hub = try hub(server)
        hub.start()
        hub.notify(event(approval(.requested)))
        #expect(try await until { log.text.contains("given up") })
        await hub.stop()
        #expect(server.calls.count == 1 && other.calls.isEmpty)
    }

    /// Telling never waits, however slow the other side is, and one slow receiver holds up no other.
    @Test func aSlowReceiverHoldsUpNobody() async throws {
        let slow = try await LocalServer.start { _ in .init(200, delay: .seconds(5)) }
        let quick = try await LocalServer.start { _ in .init(200) }
        let webhooks = [slow, quick].map { Webhook(url: Secret($0.url), secret: Self.secret, events: ["approval.requested"]) }
        let hub = try OutwardHub(source: source, sinks: [], webhooks: webhooks, surroundings: clock.surroundings, logger: log.logger)
        hub.start()
        let begin = ContinuousClock.now
        for _ in 0..<100 { hub.notify(event(approval(.requested))) }
        #expect(ContinuousClock.now - begin < .seconds(2))
        #expect(try await quick.calls(atLeast: 100).count == 100)
        #expect(slow.calls.count < 100)
        await hub.stop(grace: .milliseconds(10))
        #expect(log.text.contains("the gateway stops"))
    }

    @Test func anAnswerWithoutEndIsNotRead() async throws {
        let server = try await LocalServer.start { _ in .init(200, String(repeating: "x", count: 4_000_000)) }
        let hub = try hub(server)
        hub.start()
        hub.notify(event(approval(.requested)))
        hub.notify(event(approval(.approved)))
        #expect(try await server.calls(atLeast: 2).count == 2)
        await hub.stop()
        #expect(!log.text.contains("again") && !log.text.contains("given up"))
    }

    @Test func aStrangersCertificateIsNotTaken() async throws {
        let server = try await LocalServer.start(tls: try TestAuthority()) { _ in .init(200) }
        let stranger = try TestAuthority()
        let hub = try hub(server, authority: stranger.file)
        hub.start()
        hub.notify(event(approval(.requested)))
        #expect(try await until { !clock.slept.isEmpty })
        await hub.stop(grace: .milliseconds(10))
        #expect(server.calls.isEmpty && !log.text.contains("hush"))
    }

    @Test(arguments: everyKind) func slackTakesEveryEvent(_ kind: OutwardEvent.Kind) throws {
        let value = object(SlackForm.object(event(kind), from: source).bytes)
        #expect((value["text"] as? String)?.isEmpty == false)
        let blocks = try #require(value["blocks"] as? [[String: Any]])
        #expect((1...50).contains(blocks.count))
        for block in blocks {
            switch block["type"] as? String {
            case "section":
                let text = try #require(block["text"] as? [String: Any])
                #expect(text["type"] as? String == "mrkdwn" && (text["text"] as? String).map { (1...3_000).contains($0.count) } == true)
            case "context", "actions": #expect((block["elements"] as? [Any])?.isEmpty == false)
            default: Issue.record("a block of the type \(String(describing: block["type"]))")
            }
        }
    }

    /// `<!channel>` and `<https://...|text>` mean something to Slack, and are a client's words here.
    @Test func wordsOfClientsAreOnlyWords() throws {
        let value = object(SlackForm.object(event(approval(.requested)), from: source).bytes)
        #expect((value["text"] as? String)?.contains("ticket &lt;42&gt; &amp; more") == true)
        let loud = SlackForm.object(event(ruling(.deny, statement: "SELECT ``` <!channel>")), from: source).text
        #expect(!loud.contains("<!channel>") && loud.contains("''' &lt;!channel&gt;"))
        let button = try #require((value["blocks"] as? [[String: Any]])?.first { $0["type"] as? String == "actions" })
        #expect((button["elements"] as? [[String: Any]])?.first?["url"] as? String == "https://gw.example.com/approvals/a-1")
    }

    @Test func theExampleOfThePageTellsTheGenuineFromTheForged() async throws {
        let server = try await LocalServer.start { _ in .init(200) }
        let hub = try hub(server)
        hub.start()
        hub.notify(event(approval(.requested)))
        await hub.stop()
        let call = try #require(server.calls.first)
        let now = 1_769_860_800
        #expect(try verify(Self.secret, call.headers, call.text, now) == "genuine")
        #expect(try verify("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", call.headers, call.text, now).hasPrefix("refused"))
        #expect(try verify(Self.secret, call.headers, call.text.replacing("alice", with: "mallo"), now).hasPrefix("refused"))
        #expect(try verify(Self.secret, call.headers, call.text, now + 3_600).hasPrefix("refused"))
        var headers = call.headers
        headers["webhook-id"] = "another"
        #expect(try verify(Self.secret, headers, call.text, now).hasPrefix("refused"))
        // A secret that is plain text, too.
        let plain: Secret = "a plain text of some length"
        let value = try WebhookSignature(secret: plain).value(id: call.headers["webhook-id"] ?? "", timestamp: now, body: call.body)
        headers = call.headers.merging(["webhook-signature": "v1,AAAA \(value)"]) { $1 }
        #expect(try verify(plain, headers, call.text, now) == "genuine")
    }

    /// By the Python code of docs/events.md.
    private func verify(_ secret: Secret, _ headers: [String: String], _ body: String, _ now: Int) throws -> String {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let page = here.deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("docs/events.md").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", here.appendingPathComponent("verify.py").path, page]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let given: [String: Any] = ["secret": secret.reveal(), "headers": headers, "body": body, "now": now]
        input.fileHandleForWriting.write(try JSONSerialization.data(withJSONObject: given))
        try input.fileHandleForWriting.close()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: said, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
