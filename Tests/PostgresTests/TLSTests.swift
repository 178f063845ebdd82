import Foundation
import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Testing

@testable import Postgres
@testable import Relay

private struct StoppedClock: GatewayClock {
    var now = SystemClock().wallTime()
    func wallTime() -> WallTime { now }
    func monotonicNanoseconds() -> UInt64 { 0 }
}

private func withDirectory(_ body: (String) async throws -> Void) async throws {
    let directory = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await body(directory)
}

private func tlsMessage(_ body: () throws(TLSError) -> Void) -> String? {
    do throws(TLSError) {
        try body()
        return nil
    } catch {
        return error.message
    }
}

/// Handshakes with a listener on loopback that has `server`'s certificate; what a client with `settings` makes of it.
private func handshake(
    with server: ServerTLS, _ settings: UpstreamTLS, host: String = "localhost"
) async throws -> Result<ServerAuthentication.Channel, TLSError> {
    let context = try #require(try UpstreamTLSContext(settings, host: host, applicationProtocols: [PostgresTLS.applicationProtocol]))
    let group = MultiThreadedEventLoopGroup.singleton
    let listener = try await ServerBootstrap(group: group)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(server.makeHandler()) }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    let promise = group.next().makePromise(of: ServerAuthentication.Channel.self)
    let client = try await ClientBootstrap(group: group)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = try context.makeHandler()
                try channel.pipeline.syncOperations.addHandlers(handler, HandshakeWatcher(context: context, tls: handler, promise: promise))
            }
        }
        .connect(host: "127.0.0.1", port: port).get()
    let result: Result<ServerAuthentication.Channel, TLSError>
    do {
        result = .success(try await promise.futureResult.get())
    } catch {
        result = .failure(TLSError.handshake(error, with: host))
    }
    try? await client.close()
    try await listener.close()
    return result
}

private final class HandshakeWatcher: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let context: UpstreamTLSContext
    private let tls: NIOSSLClientHandler
    private let promise: EventLoopPromise<ServerAuthentication.Channel>

    init(context: UpstreamTLSContext, tls: NIOSSLClientHandler, promise: EventLoopPromise<ServerAuthentication.Channel>) {
        self.context = context
        self.tls = tls
        self.promise = promise
    }

    func userInboundEventTriggered(context channel: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let negotiated) = event else { return }
        #expect(negotiated == "postgresql")
        promise.completeWith(Result { try context.channel(of: tls) })
    }

    func errorCaught(context channel: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        channel.close(promise: nil)
    }

    func channelInactive(context channel: ChannelHandlerContext) {
        promise.fail(ChannelError.eof)
    }
}

@Suite("TLS of a listener")
struct TLSServerTests {
    @Test("a self-signed certificate is made once, for its owner's eyes, and is what openssl says it is")
    func selfSigned() async throws {
        try await withDirectory { directory in
            let first = try ServerTLS.selfSigned(
                in: directory, clock: StoppedClock(), applicationProtocols: [PostgresTLS.applicationProtocol],
                hostNames: ["db-gw.example.com", "not_a_name", "10.0.0.1"])
            #expect(first.isNew)
            for (name, mode) in [("tls", 0o700), ("tls/server.crt", 0o600), ("tls/server.key", 0o600)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: directory + "/" + name)
                #expect(attributes[.posixPermissions] as? Int == mode, "\(name)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/tls").count == 2)
            let second = try ServerTLS.selfSigned(
                in: directory, clock: StoppedClock(), applicationProtocols: [PostgresTLS.applicationProtocol])
            #expect(!second.isNew && second.fingerprint == first.fingerprint)

            let shown = try await need(
                "/usr/bin/openssl",
                [
                    "x509", "-in", first.certificateFile, "-noout", "-fingerprint", "-sha256", "-ext",
                    "subjectAltName,extendedKeyUsage,basicConstraints",
                ]
            ).text
            #expect(shown.contains("Fingerprint=" + first.fingerprint))
            #expect(shown.contains("DNS:localhost, DNS:db-gw.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1\n"))
            #expect(shown.contains("CA:FALSE") && shown.contains("TLS Web Server Authentication"))
            try await need(
                "/usr/bin/openssl", ["verify", "-CAfile", first.certificateFile, "-purpose", "sslserver", first.certificateFile])
        }
    }

    @Test("it is made anew when less than a month is left, when a half is missing, and when the halves do not match")
    func renewed() async throws {
        try await withDirectory { directory in
            var clock = StoppedClock()
            let first = try ServerTLS.selfSigned(in: directory, clock: clock, applicationProtocols: [PostgresTLS.applicationProtocol])
            clock.now = clock.now.advanced(by: .seconds(86_400 * 699))
            #expect(try !ServerTLS.selfSigned(in: directory, clock: clock, applicationProtocols: [PostgresTLS.applicationProtocol]).isNew)
            clock.now = clock.now.advanced(by: .seconds(86_400 * 2))
            let second = try ServerTLS.selfSigned(in: directory, clock: clock, applicationProtocols: [PostgresTLS.applicationProtocol])
            #expect(second.isNew && second.fingerprint != first.fingerprint)
            try FileManager.default.removeItem(atPath: directory + "/tls/server.key")
            #expect(try ServerTLS.selfSigned(in: directory, clock: clock, applicationProtocols: [PostgresTLS.applicationProtocol]).isNew)
            try await need("/usr/bin/openssl", ["genpkey"] + ecKey("P-256") + ["-out", directory + "/tls/server.key"])
            let mended = try ServerTLS.selfSigned(in: directory, clock: clock, applicationProtocols: [PostgresTLS.applicationProtocol])
            #expect(mended.isNew)
            #expect(try !ServerTLS.selfSigned(in: directory, clock: clock, applicationProtocols: [PostgresTLS.applicationProtocol]).isNew)
        }
    }

    @Test("files that cannot be read are not written over: the error says what to do")
    func unreadable() async throws {
        try await withDirectory { directory in
            let tls = try ServerTLS.selfSigned(
                in: directory, clock: StoppedClock(), applicationProtocols: [PostgresTLS.applicationProtocol])
            try "mine\n".write(toFile: tls.certificateFile, atomically: true, encoding: .utf8)
            let message = tlsMessage { () throws(TLSError) in
                _ = try ServerTLS.selfSigned(in: directory, clock: StoppedClock(), applicationProtocols: [PostgresTLS.applicationProtocol])
            }
            #expect(message?.contains("could not be read") == true)
            #expect(try String(contentsOfFile: tls.certificateFile, encoding: .utf8) == "mine\n")
        }
    }

    @Test("an operator's files: their fingerprint, and each thing that can be wrong with them")
    func files() async throws {
        try await withDirectory { directory in
            try await makeCertificate("good", key: rsaKey, in: directory)
            try await makeCertificate("other", key: ecKey("P-384"), in: directory)
            let file = { (name: String) in directory + "/" + name }
            let tls = try ServerTLS(
                certificateFile: file("good.crt"), privateKeyFile: file("good.key"), applicationProtocols: [PostgresTLS.applicationProtocol]
            )
            let shown = try await need("/usr/bin/openssl", ["x509", "-in", file("good.crt"), "-noout", "-fingerprint", "-sha256"]).text
            #expect(shown.contains(tls.fingerprint))
            try "".write(toFile: file("empty.crt"), atomically: true, encoding: .utf8)
            for (certificate, key, what) in [
                ("good.crt", "other.key", "does not belong"), ("none.crt", "good.key", "none.crt could not be read"),
                ("good.crt", "none.key", "none.key could not be read"), ("good.crt", "good.crt", "good.crt could not be read"),
                ("good.key", "good.key", "certificate"), ("empty.crt", "good.key", "certificate"),
            ] {
                let message = tlsMessage { () throws(TLSError) in
                    _ = try ServerTLS(
                        certificateFile: file(certificate), privateKeyFile: file(key),
                        applicationProtocols: [PostgresTLS.applicationProtocol])
                }
                #expect(message?.contains(what) == true, "\(certificate) \(key): \(message ?? "nothing")")
            }
        }
    }

    @Test("names that a certificate can hold")
    func names() {
        for name in ["a", "gw-1.example.com", "A1"] { #expect(SelfSignedCertificate.isDNSName(name)) }
        for name in ["", "-a", "a-", "a..b", ".a", "a_b", "1.2.3.4", "ä", "a b", String(repeating: "a", count: 64)] {
            #expect(!SelfSignedCertificate.isDNSName(name), "\(name)")
        }
    }

    @Test("TLS before 1.2 is refused; 1.2 and 1.3 are spoken, with the protocol's name")
    func versions() async throws {
        try await withDirectory { directory in
            let tls = try ServerTLS.selfSigned(
                in: directory, clock: StoppedClock(), applicationProtocols: [PostgresTLS.applicationProtocol])
            let server = try await StartupServer.start(tls: tls, method: .password) { _ in nil }
            let base = [
                "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", tls.certificateFile, "-verify_return_error", "-brief",
            ]
            for version in ["-tls1_2", "-tls1_3"] {
                for start in [["-starttls", "postgres"], ["-alpn", "postgresql"]] {
                    let ended = try await run("/usr/bin/openssl", base + [version] + start)
                    #expect(ended.errors.contains("Verification: OK"), "\(version) \(start): \(ended.errors)")
                }
            }
            let old = try await run("/usr/bin/openssl", base + ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-starttls", "postgres"])
            #expect(old.status != 0 && old.errors.contains("alert protocol version"), "\(old.errors)")
            _ = try await run("/usr/bin/openssl", base + ["-tls1_3"])
            try await server.stop()
            #expect(server.connections.contains { $0.isDirect && $0.failure?.message.contains("without ALPN") == true })
        }
    }
}

@Suite("TLS to a server")
struct TLSUpstreamTests {
    @Test("each mode looks at what it says it looks at")
    func modes() async throws {
        try await withDirectory { directory in
            try await makeCertificate("named", key: rsaKey, in: directory)
            try await makeCertificate("elsewhere", key: ecKey("P-256"), names: "DNS:db.example.com,IP:10.0.0.1", in: directory)
            try await makeCertificate("other", key: ecKey("P-384"), in: directory)
            let server = { (name: String) in
                try ServerTLS(
                    certificateFile: "\(directory)/\(name).crt", privateKeyFile: "\(directory)/\(name).key",
                    applicationProtocols: [PostgresTLS.applicationProtocol])
            }
            let settings = { (mode: UpstreamTLS.Mode, authority: String) in
                UpstreamTLS(mode: mode, authorityFile: authority.isEmpty ? nil : "\(directory)/\(authority)-ca.crt")
            }
            // certificate, mode, authority, host, what the error says ("" for none), verified
            for (name, mode, authority, host, error, isVerified) in [
                ("named", .verifyFull, "named", "localhost", "", true), ("named", .verifyFull, "named", "127.0.0.1", "", true),
                ("elsewhere", .verifyFull, "elsewhere", "localhost", "does not name it", false),
                ("elsewhere", .verifyFull, "elsewhere", "127.0.0.1", "does not name it", false),
                ("named", .verifyFull, "other", "localhost", "trusted authority", false),
                ("named", .verifyFull, "", "localhost", "trusted authority", false),
                ("elsewhere", .verifyCA, "elsewhere", "localhost", "", true),
                ("elsewhere", .verifyCA, "other", "localhost", "trusted authority", false),
                ("elsewhere", .require, "other", "localhost", "", false), ("elsewhere", .require, "", "127.0.0.1", "", false),
            ] as [(String, UpstreamTLS.Mode, String, String, String, Bool)] {
                let result = try await handshake(with: try server(name), settings(mode, authority), host: host)
                let what: Comment = "\(name) \(mode) \(authority) \(host): \(result)"
                switch result {
                case .success(.tls(let certificate, let verified)):
                    #expect(error.isEmpty && verified == isVerified, what)
                    #expect(ServerTLS.fingerprint(ofCertificate: certificate) == (try server(name).fingerprint), what)
                case .success(.plaintext): Issue.record(what)
                case .failure(let failure): #expect(!error.isEmpty && failure.message.contains(error), what)
                }
            }
        }
    }

    @Test("the self-made certificate verifies with itself as the authority, by name and by address")
    func selfSigned() async throws {
        try await withDirectory { directory in
            let server = try ServerTLS.selfSigned(
                in: directory, clock: StoppedClock(), applicationProtocols: [PostgresTLS.applicationProtocol])
            for host in ["localhost", "127.0.0.1"] {
                let result = try await handshake(
                    with: server, UpstreamTLS(mode: .verifyFull, authorityFile: server.certificateFile), host: host)
                guard case .success = result else {
                    Issue.record("\(host): \(result)")
                    continue
                }
            }
        }
    }

    @Test("settings that cannot work are refused when they are read, not at the first connection")
    func refused() async throws {
        try await withDirectory { directory in
            try "nothing\n".write(toFile: directory + "/empty", atomically: true, encoding: .utf8)
            #expect(
                try UpstreamTLSContext(UpstreamTLS(mode: .disable, authorityFile: "/nowhere"), host: "h", applicationProtocols: []) == nil)
            for (file, host) in [(directory + "/none", "h"), (directory + "/empty", "h"), (nil, ""), (nil, "a\0b")] as [(String?, String)] {
                let message = tlsMessage { () throws(TLSError) in
                    _ = try UpstreamTLSContext(UpstreamTLS(mode: .verifyFull, authorityFile: file), host: host, applicationProtocols: [])
                }
                #expect(message != nil, "\(file ?? "") \(host)")
            }
        }
    }
}

@Suite("Channel binding")
struct TLSChannelBindingTests {
    private func der(_ file: String) async throws -> [UInt8] {
        Array(try await need("/usr/bin/openssl", ["x509", "-in", file, "-outform", "DER"]).output)
    }

    private func digest(_ algorithm: String, _ file: String, in directory: String) async throws -> [UInt8] {
        try await Data(der(file)).write(to: URL(fileURLWithPath: directory + "/der"))
        return Array(try await need("/usr/bin/openssl", ["dgst", "-" + algorithm, "-binary", directory + "/der"]).output)
    }

    @Test("the hash is the signature's own, SHA-256 for SHA-1, none for Ed25519")
    func hashes() async throws {
        try await withDirectory { directory in
            let pss = ["-sigopt", "rsa_padding_mode:pss"]
            for (name, key, signing, hash) in [
                ("rsa1", rsaKey, ["-sha1"], "sha256"), ("rsa256", rsaKey, ["-sha256"], "sha256"), ("rsa384", rsaKey, ["-sha384"], "sha384"),
                ("rsa512", rsaKey, ["-sha512"], "sha512"), ("pss1", rsaKey, ["-sha1"] + pss, "sha256"),
                ("pss256", rsaKey, ["-sha256"] + pss, "sha256"), ("pss512", rsaKey, ["-sha512"] + pss, "sha512"),
                ("ec256", ecKey("P-256"), ["-sha256"], "sha256"), ("ec384", ecKey("P-384"), ["-sha384"], "sha384"),
                ("ec512", ecKey("P-256"), ["-sha512"], "sha512"), ("ed", ["-algorithm", "ED25519"], [], ""),
                ("rsa224", rsaKey, ["-sha224"], ""),
            ] as [(String, [String], [String], String)] {
                try await makeCertificate(name, key: key, signing: signing, in: directory)
                let file = "\(directory)/\(name).crt"
                let expected = hash.isEmpty ? nil : try await digest(hash, file, in: directory)
                #expect(ChannelBinding.serverEndPoint(certificate: try await der(file)) == expected, "\(name)")
            }
        }
    }

    @Test("what is not a certificate has no hash and kills nothing")
    func hostile() async throws {
        try await withDirectory { directory in
            try await makeCertificate("pss", key: rsaKey, signing: ["-sha384", "-sigopt", "rsa_padding_mode:pss"], in: directory)
            let good = try await der(directory + "/pss.crt")
            for count in 0..<good.count { #expect(ChannelBinding.serverEndPoint(certificate: Array(good.prefix(count))) == nil) }
            var generator = SplitMix(state: 5_929)
            for _ in 0..<5_000 {
                var bytes = good
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                }
                _ = ChannelBinding.serverEndPoint(certificate: bytes)
            }
            for bytes: [UInt8] in [[0x30, 0x80], [0x30, 0x84, 255, 255, 255, 255], [0x30, 0x83, 255, 255, 255], [0x30, 0xFF], [0x30]] {
                #expect(ChannelBinding.serverEndPoint(certificate: bytes) == nil)
            }
        }
    }
}
