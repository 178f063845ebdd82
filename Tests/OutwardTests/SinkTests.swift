import Foundation
import GatehouseCore
import ServerSupport
import Testing

@testable import Outward

@Suite struct FileSinkTests {
    private let clock = SleepClock()
    private let log = LogLines()

    private func hub(_ path: String, classes: Set<OutwardEvent.Class> = Set(OutwardEvent.Class.allCases)) throws -> OutwardHub {
        try OutwardHub(
            source: source, sinks: [EventSink(.file(path), classes: classes)], webhooks: [], surroundings: clock.surroundings,
            logger: log.logger)
    }

    @Test func eventsAreLinesInTheirOrder() async throws {
        let folder = try Folder()
        let hub = try hub(folder.file("events"))
        hub.start()
        let all = everyKind.map { event($0) }
        all.forEach(hub.notify)
        await hub.stop()
        let ids = folder.lines("events").map { (object($0.utf8)["metadata"] as? [String: Any])?["uid"] as? String }
        #expect(ids == all.map(\.id))
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file("events"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func onlyTheNamedClassesAreKept() async throws {
        let folder = try Folder()
        let hub = try hub(folder.file("events"), classes: [.verdict, .finding])
        hub.start()
        everyKind.map { event($0) }.forEach(hub.notify)
        await hub.stop()
        #expect(folder.lines("events").count == 4)
    }

    @Test func aFileThatWasMovedAwayIsFollowedByANewOne() async throws {
        let folder = try Folder()
        let hub = try hub(folder.file("events"))
        hub.start()
        hub.notify(event(ruling(.deny)))
        #expect(try await until { folder.lines("events").count == 1 })
        try FileManager.default.moveItem(atPath: folder.file("events"), toPath: folder.file("events.1"))
        hub.notify(event(ruling(.hold)))
        #expect(try await until { folder.lines("events.1").count == 2 })
        hub.reopen()
        // There at once, also without an event.
        #expect(try await until { FileManager.default.fileExists(atPath: folder.file("events")) })
        hub.notify(event(ruling(.deny)))
        await hub.stop()
        #expect(folder.lines("events").count == 1 && folder.lines("events.1").count == 2)
    }

    @Test func aFolderThatIsMissingIsWaitedFor() async throws {
        let folder = try Folder()
        let hub = try hub(folder.file("later/events"))
        hub.start()
        hub.notify(event(ruling(.deny)))
        #expect(try await until { !clock.slept.isEmpty })
        #expect(log.text.contains("No such file or directory"))
        try FileManager.default.createDirectory(atPath: folder.file("later"), withIntermediateDirectories: true)
        await hub.stop(grace: .seconds(20))
        #expect(folder.lines("later/events").count == 1)
    }

    @Test func aFullDiskIsNotTheGateways() async throws {
        let hub = try hub("/dev/full")
        hub.start()
        hub.notify(event(ruling(.deny)))
        #expect(try await until { clock.slept.count >= 3 })
        #expect(log.text.contains("No space left on device"))
        await hub.stop(grace: .milliseconds(10))
    }
}

@Suite struct SyslogTests {
    private let clock = SleepClock()
    private let log = LogLines()

    private func hub(
        _ port: Int, _ transport: EventSink.Syslog.Transport, host: String = "127.0.0.1", authority: String? = nil
    ) throws -> OutwardHub {
        let syslog = EventSink.Syslog(host: host, port: port, transport: transport, facility: 16, authorityFile: authority)
        return try OutwardHub(
            source: source, sinks: [EventSink(.syslog(syslog))], webhooks: [], surroundings: clock.surroundings, logger: log.logger)
    }

    @Test func aMessageIsAsTheStandardHasIt() throws {
        let text = String(decoding: SyslogMessage.bytes(event(ruling(.deny)), from: source, facility: 16, process: 42), as: UTF8.self)
        // local0 (16), warning (4)
        #expect(text.hasPrefix("<132>1 2026-01-31T12:00:00.250000Z gw-1 gatehouse 42 verdict.denied - {\"class_uid\":6005,"))
        #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
        let odd = EventSource(node: " \u{e4} b", version: "1")
        #expect(
            String(decoding: SyslogMessage.bytes(event(approval(.breakGlass)), from: odd, facility: 99, process: 1), as: UTF8.self)
                .hasPrefix("<187>1 2026-01-31T12:00:00.250000Z b gatehouse 1 approval.break-glass - {"))
    }

    @Test func datagramsHoldOneMessageEach() async throws {
        let receiver = try await SyslogReceiver.datagrams()
        let hub = try hub(receiver.port, .udp)
        hub.start()
        let all = everyKind.map { event($0) }
        all.forEach(hub.notify)
        await hub.stop()
        #expect(try await until { receiver.messages.count == all.count })
        #expect(receiver.messages.allSatisfy { $0.contains(" gw-1 gatehouse ") })
        try await receiver.stop()
    }

    @Test func framesAreCountedOverTCP() async throws {
        let receiver = try await SyslogReceiver.stream()
        let hub = try hub(receiver.port, .tcp)
        hub.start()
        let all = (0..<500).map { event(ruling(.deny, statement: "SELECT \($0)")) }
        all.forEach(hub.notify)
        await hub.stop()
        #expect(try await until { receiver.messages.count == 500 })
        #expect(receiver.malformed == 0 && receiver.connections == 1)
        let ids = receiver.messages.map { message in
            let json = message.drop { $0 != "{" }
            return (object(json.utf8)["metadata"] as? [String: Any])?["uid"] as? String
        }
        #expect(ids == all.map(\.id))
        try await receiver.stop()
    }

    @Test func aReceiverThatComesBackIsFound() async throws {
        let receiver = try await SyslogReceiver.comingBack()
        let hub = try hub(receiver.port, .tcp)
        hub.start()
        hub.notify(event(ruling(.deny)))
        #expect(try await until { receiver.messages.count == 1 })
        try await receiver.stop()
        // What is sent into a broken connection before its end is seen may be lost; from then on everything waits.
        #expect(
            try await until {
                hub.notify(event(ruling(.hold)))
                return !clock.slept.isEmpty
            })
        let last = event(ruling(.allow, approval: "a-9"))
        hub.notify(last)
        let again = try await SyslogReceiver.stream(port: receiver.port)
        #expect(try await until { again.messages.contains { $0.contains(last.id) } })
        await hub.stop()
        try await again.stop()
    }

    @Test func theCertificateIsCheckedOverTLS() async throws {
        let authority = try TestAuthority()
        let receiver = try await SyslogReceiver.stream(tls: authority)
        let good = try hub(receiver.port, .tls, host: "localhost", authority: authority.file)
        good.start()
        good.notify(event(ruling(.deny)))
        await good.stop()
        #expect(try await until { receiver.messages.count == 1 })

        let stranger = try TestAuthority()
        for (host, file) in [("localhost", stranger.file), ("127.0.0.1", authority.file)] {
            let before = clock.slept.count
            let bad = try hub(receiver.port, .tls, host: host, authority: file)
            bad.start()
            bad.notify(event(ruling(.deny)))
            #expect(try await until { clock.slept.count > before })
            await bad.stop(grace: .milliseconds(10))
        }
        #expect(receiver.messages.count == 1)
        try await receiver.stop()
    }
}

@Suite struct OTLPTests {
    private let clock = SleepClock()
    private let log = LogLines()

    private func hub(_ server: LocalServer) throws -> OutwardHub {
        let otlp = EventSink.OTLP(
            url: server.url + "/v1/logs", headers: ["authorization": "Bearer hush"], authorityFile: server.authorityFile)
        return try OutwardHub(
            source: source, sinks: [EventSink(.otlp(otlp))], webhooks: [], surroundings: clock.surroundings, logger: log.logger)
    }

    @Test func recordsAreAsTheProtocolHasThem() async throws {
        let server = try await LocalServer.start(tls: try TestAuthority()) { _ in .init(200, "{\"partialSuccess\":{}}") }
        let hub = try hub(server)
        let all = everyKind.map { event($0) }
        all.forEach(hub.notify)
        hub.start()
        await hub.stop()
        let call = try #require(server.calls.first)
        #expect(server.calls.count == 1)
        #expect(call.path == "/v1/logs" && call.headers["content-type"] == "application/json")
        #expect(call.headers["authorization"] == "Bearer hush")
        let logs = try #require((call.json["resourceLogs"] as? [[String: Any]])?.first)
        let records = try #require((logs["scopeLogs"] as? [[String: Any]])?.first?["logRecords"] as? [[String: Any]])
        #expect(records.count == all.count)
        let record = try #require(records.first { $0["eventName"] as? String == "gatehouse.verdict.denied" })
        #expect(record["timeUnixNano"] as? String == "1769860800250000000")
        #expect(record["severityNumber"] as? Int == 13 && record["severityText"] as? String == "WARN")
        let body = try #require((record["body"] as? [String: Any])?["stringValue"] as? String)
        #expect(object(body.utf8)["class_uid"] as? Int == 6005)
    }

    @Test func aBusyCollectorIsAskedAgain() async throws {
        let answers = Counted([.init(503, retryAfter: 7), .init(429), .init(200)])
        let server = try await LocalServer.start { _ in answers.next() }
        let hub = try hub(server)
        hub.start()
        hub.notify(event(ruling(.deny)))
        #expect(try await server.calls(atLeast: 3).count == 3)
        await hub.stop()
        #expect(clock.slept.first == .seconds(7))
        #expect(Set(server.calls.map(\.text)).count == 1)
    }

    @Test(arguments: [400, 401, 404, 500]) func whatIsNotToBeTriedAgainIsNot(_ status: Int) async throws {
        let server = try await LocalServer.start { _ in .init(status) }
        let hub = try hub(server)
        hub.start()
        hub.notify(event(ruling(.deny)))
        #expect(try await until { log.text.contains("given up") })
        await hub.stop()
        #expect(server.calls.count == 1)
        #expect(!log.text.contains("hush"))
    }

    @Test func refusedRecordsAreTold() {
        #expect(OTLPSink.refused(Array(#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"no"}}"#.utf8)) == 3)
        #expect(OTLPSink.refused(Array(#"{"partialSuccess":{"rejectedLogRecords":2}}"#.utf8)) == 2)
        #expect(OTLPSink.refused(Array(#"{"partialSuccess":{"rejectedLogRecords":"0"}}"#.utf8)) == nil)
        #expect(OTLPSink.refused(Array("{}".utf8)) == nil && OTLPSink.refused([]) == nil)
    }
}
