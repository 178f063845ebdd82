import Foundation
import GatehouseCore
import NIOCore
import NIOPosix
import ServerSupport
import Testing

@testable import Outward

/// rsyslogd of Debian as the receiver.
@Suite struct RsyslogTests {
    /// A daemon of its own on loopback; ends with the test.
    private final class Rsyslog {
        let ports: (udp: Int, tcp: Int, tls: Int)
        let folder: Folder
        private let process = Process()

        init(_ authority: TestAuthority) throws {
            folder = try Folder()
            ports = (try RsyslogTests.freePort(), try RsyslogTests.freePort(), try RsyslogTests.freePort())
            let text = """
                global(workDirectory="\(folder.path)" maxMessageSize="64k"
                  defaultNetstreamDriverCAFile="\(authority.file)" defaultNetstreamDriverCertFile="\(authority.file)"
                  defaultNetstreamDriverKeyFile="\(authority.keyFile)")
                module(load="imudp")
                module(load="imtcp")
                input(type="imudp" address="127.0.0.1" port="\(ports.udp)")
                input(type="imtcp" address="127.0.0.1" port="\(ports.tcp)" streamDriver.name="ptcp")
                input(type="imtcp" address="127.0.0.1" port="\(ports.tls)" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
                template(name="parts" type="string"
                  string="%hostname%|%app-name%|%msgid%|%syslogfacility-text%|%syslogseverity-text%|%timestamp:::date-rfc3339%|%msg%\\n")
                action(type="omfile" file="\(folder.file("received"))" template="parts")
                """
            try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: folder.file("rsyslog.conf")))
            process.executableURL = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "Support/alone")
            process.arguments = ["/usr/sbin/rsyslogd", "-n", "-f", folder.file("rsyslog.conf"), "-i", folder.file("pid")]
            process.standardError = FileHandle(forWritingAtPath: "/dev/null")
            process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
            try process.run()
        }

        deinit {
            // It would not hear SIGTERM: threads of ours have it blocked, and it takes that over.
            kill(process.processIdentifier, SIGKILL)
        }
    }

    fileprivate static func freePort() throws -> Int {
        let channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).wait()
        defer { try? channel.close().wait() }
        return channel.localAddress?.port ?? 0
    }

    @Test func itUnderstandsEveryTransport() async throws {
        let authority = try TestAuthority()
        let daemon = try Rsyslog(authority)
        let clock = SleepClock()
        let log = LogLines()
        for (transport, port) in [(EventSink.Syslog.Transport.tcp, daemon.ports.tcp), (.tls, daemon.ports.tls), (.udp, daemon.ports.udp)] {
            let syslog = EventSink.Syslog(
                host: "localhost", port: port, transport: transport, facility: 16,
                authorityFile: transport == .tls ? authority.file : nil)
            let hub = try OutwardHub(
                source: source, sinks: [EventSink(.syslog(syslog))], webhooks: [], surroundings: clock.surroundings, logger: log.logger)
            hub.start()
            let all = everyKind.map { event($0) }
            all.forEach(hub.notify)
            // Until it listens, TCP and TLS are tried again; by then it hears datagrams, too.
            #expect(
                try await until { all.allSatisfy { one in daemon.folder.lines("received").contains { $0.contains(one.id) } } },
                "\(transport): \(log.all)")
            await hub.stop()
        }
        let line = try #require(daemon.folder.lines("received").first { $0.contains("|verdict.denied|") })
        let parts = line.split(separator: "|", maxSplits: 6).map(String.init)
        try #require(parts.count == 7, "\(line)")
        #expect(Array(parts.prefix(6)) == ["gw-1", "gatehouse", "verdict.denied", "local0", "warning", "2026-01-31T12:00:00.250000Z"])
        #expect(object(parts[6].trimmingCharacters(in: .whitespaces).utf8)["class_uid"] as? Int == 6005)
    }
}
