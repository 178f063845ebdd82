import GatehouseCore
import NIOCore
import Testing

@testable import MySQL

@Suite struct HandshakeTests {
    private static let rules = ClientHandshake.Rules(
        family: .mysql, version: "9.7.0-gatehouse", startupPacketBytes: 10_000, authenticationMessageBytes: 65_536)

    /// A client of the test's own.
    private struct Client {
        var handshake: ClientHandshake
        var sequence: UInt8 = 1

        init(_ rules: ClientHandshake.Rules = HandshakeTests.rules, tls: Bool) {
            handshake = ClientHandshake(rules: rules, threadID: 5)
            _ = handshake.start()
            guard tls else { return }
            let actions = send(Samples.written { Samples.response.writeFixed(to: &$0) })
            guard case .startTLS(let replay)? = actions.first, replay.readableBytes == 0 else { Issue.record("\(actions)"); return }
            _ = handshake.tlsIsUp()
        }

        mutating func send(_ payload: ByteBuffer) -> [ClientHandshake.Action] {
            let actions = handshake.receive(.packet(payload, sequence: &sequence))
            sequence = handshake.sequence
            return actions
        }
    }

    private static func payload(_ actions: [ClientHandshake.Action]) -> [UInt8] {
        guard case .send(let bytes)? = actions.first else { return [] }
        return Array(bytes.readableBytesView.dropFirst(4))
    }

    private static func failure(_ actions: [ClientHandshake.Action]) -> (HandshakeError, ErrorPacket?)? {
        guard case .fail(let error, let words)? = actions.first else { return nil }
        return (error, words.flatMap { $0.getSlice(at: 4, length: $0.readableBytes - 4) }.flatMap { try? ErrorPacket($0) })
    }

    @Test func theGreetingOffersNoCompressionAndNoWeakPlugin() throws {
        for family in [ServerFamily.mysql, .mariadb] {
            var rules = Self.rules
            rules.family = family
            var handshake = ClientHandshake(rules: rules, threadID: 5)
            let greeting = try Greeting(ByteBuffer(bytes: Self.payload(handshake.start())))
            #expect(
                greeting.capabilities.isDisjoint(with: [.compress, .zstd, .optionalMetadata, .cacheMetadata, .multiCommand, .multiFactor]))
            #expect(greeting.capabilities.contains(.tls))
            #expect(greeting.plugin == "caching_sha2_password")
            #expect(greeting.threadID == 5)
        }
    }

    @Test(arguments: [3, 200, 20_000])
    func theSecretComesByTheFullExchange(length: Int) throws {
        let secret = String(repeating: "t", count: length)
        var client = Client(tls: true)
        #expect(Self.payload(client.send(Samples.written { Samples.response.write(to: &$0) })) == [1, 4])
        let actions = client.send(ByteBuffer(string: secret + "\0"))
        guard case .verify(let login)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(login.secret.reveal() == secret && login.user == "orders" && login.database == "shop")
        #expect(login.attributes == Samples.attributes)
        client.handshake.accepted()
        let welcome = client.handshake.welcome()
        #expect(welcome.getInteger(at: 3, as: UInt8.self) == 5)
    }

    @Test func withoutTLSNothingIsAsked() {
        var client = Client(tls: false)
        let failure = Self.failure(client.send(Samples.written { Samples.response.write(to: &$0) }))
        #expect(failure?.0.code == .secureTransportRequired)
        #expect(failure?.1?.text.contains("--ssl-mode=REQUIRED") == true)
        #expect(client.send(ByteBuffer(string: "secret\0")).isEmpty)
    }

    @Test func unencryptedBytesBehindTheRequestForTLS() {
        var handshake = ClientHandshake(rules: Self.rules, threadID: 5)
        _ = handshake.start()
        var sequence: UInt8 = 1
        var bytes = ByteBuffer.packet(Samples.written { Samples.response.writeFixed(to: &$0) }, sequence: &sequence)
        bytes.writePacket(Samples.written { Samples.response.write(to: &$0) }, sequence: &sequence)
        // Only what begins like TLS is handed to it.
        #expect(Self.failure(handshake.receive(bytes)) != nil)
        var second = ClientHandshake(rules: Self.rules, threadID: 5)
        _ = second.start()
        sequence = 1
        bytes = ByteBuffer.packet(Samples.written { Samples.response.writeFixed(to: &$0) }, sequence: &sequence)
        bytes.writeBytes([0x16, 3, 1])
        guard case .startTLS(let replay)? = second.receive(bytes).first else { Issue.record("no TLS"); return }
        #expect(Array(replay.readableBytesView) == [0x16, 3, 1])
    }

    @Test func otherPluginsAreSwitched() {
        for plugin in ["mysql_native_password", "client_ed25519", "dialog", "", nil] {
            var client = Client(tls: true)
            var response = Samples.response
            response.plugin = plugin
            response.authentication = [1, 2, 3]
            let payload = Self.payload(client.send(Samples.written { response.write(to: &$0) }))
            #expect(payload.first == 0xFE && payload.dropFirst().starts(with: Array("caching_sha2_password\0".utf8)))
            #expect(Self.payload(client.send(ByteBuffer(repeating: 1, count: 32))) == [1, 4])
        }
    }

    @Test func clearPasswords() {
        var client = Client(tls: true)
        var response = Samples.response
        response.plugin = "mysql_clear_password"
        response.authentication = Array("token\0".utf8)
        guard case .verify(let login)? = client.send(Samples.written { response.write(to: &$0) }).first else {
            Issue.record("no secret"); return
        }
        #expect(login.secret.reveal() == "token")
        var rules = Self.rules
        rules.plugin = .clear
        var asked = Client(rules, tls: true)
        response.plugin = "mysql_native_password"
        #expect(Self.payload(asked.send(Samples.written { response.write(to: &$0) })) == [0xFE] + Array("mysql_clear_password\0".utf8))
        guard case .verify? = asked.send(ByteBuffer(string: "token\0")).first else { Issue.record("no secret"); return }
    }

    @Test func emptyAndOddSecretsAreNoSecrets() {
        for answer in ["\0", "", "a\0b\0"] {
            var client = Client(tls: true)
            _ = client.send(Samples.written { Samples.response.write(to: &$0) })
            #expect(Self.failure(client.send(ByteBuffer(string: answer)))?.1?.number == 1045)
        }
        var client = Client(tls: true)
        var response = Samples.response
        response.authentication = []
        _ = client.send(Samples.written { response.write(to: &$0) })
        #expect(Self.failure(client.send(ByteBuffer()))?.1?.sqlState == "28000")
    }

    @Test func compressionIsRefused() {
        var client = Client(tls: true)
        var response = Samples.response
        response.capabilities.formUnion([.zstd])
        #expect(Self.failure(client.send(Samples.written { response.write(to: &$0) }))?.0.message.contains("compressed") == true)
    }

    @Test func aTooLongSecretIsRefused() {
        var rules = Self.rules
        rules.authenticationMessageBytes = 100
        rules.startupPacketBytes = 1_000
        var client = Client(rules, tls: true)
        _ = client.send(Samples.written { Samples.response.write(to: &$0) })
        #expect(Self.failure(client.send(ByteBuffer(repeating: 0x61, count: 200)))?.0.code == .packetTooLarge)
    }

    @Test func changeUserAsksAnew() {
        var handshake = ClientHandshake(rules: Self.rules, again: Samples.changeUser, Samples.mysql)
        let payload = Self.payload(handshake.start())
        #expect(payload.first == 0xFE)
        var sequence: UInt8 = 2
        #expect(Self.payload(handshake.receive(.packet(ByteBuffer(repeating: 1, count: 32), sequence: &sequence))) == [1, 4])
        sequence = 4
        guard case .verify(let login)? = handshake.receive(.packet(ByteBuffer(string: "token\0"), sequence: &sequence)).first else {
            Issue.record("no secret")
            return
        }
        #expect(login.user == "writer@orders" && login.database == "shop")
    }

    @Test func serversWithoutTLSAreLeft() {
        var upstream = UpstreamHandshake(Upstream.settings(user: "u", password: "p", tls: .verifyFull))
        let greeting = Greeting(
            version: "10.11.19-MariaDB", threadID: 1, nonce: Array(1...20), capabilities: Samples.mariadb.subtracting(.tls),
            plugin: "mysql_native_password")
        var sequence: UInt8 = 0
        guard case .fail(let error)? = upstream.receive(.packet(greeting.payload, sequence: &sequence)).first else {
            Issue.record("went on"); return
        }
        #expect(error.message.contains("TLS"))
    }

    @Test func aServerThatAsksForTheClearPasswordGetsItOnlyWhenVerified() {
        for (tls, isSent) in [(UpstreamTLS.Mode.disable, false), (.require, false), (.verifyCA, true), (.verifyFull, true)] {
            var upstream = UpstreamHandshake(Upstream.settings(user: "u", password: "hunter2", tls: tls))
            let greeting = Greeting(
                version: "10.11.19-MariaDB", threadID: 1, nonce: Array(1...20), capabilities: Samples.mariadb,
                plugin: "mysql_native_password")
            var sequence: UInt8 = 0
            _ = upstream.receive(.packet(greeting.payload, sequence: &sequence))
            if tls != .disable { _ = upstream.tlsIsUp() }
            sequence = tls == .disable ? 2 : 3
            let actions = upstream.receive(
                .packet(AuthenticationPacket.switchRequest(plugin: .clear, nonce: []), sequence: &sequence))
            if case .send(let bytes)? = actions.first {
                #expect(isSent && String(buffer: bytes).contains("hunter2"))
            } else {
                guard case .fail(let error)? = actions.first else { Issue.record("\(actions)"); continue }
                #expect(!isSent && error.hint?.contains("verify-full") == true && !error.description.contains("hunter2"))
            }
        }
    }

    @Test func differencesAreNamed() throws {
        let server = Greeting(
            version: "5.7.44", threadID: 1, nonce: Array(1...20),
            capabilities: Samples.mysql.subtracting([.queryAttributes, .deprecateEOF]),
            plugin: "mysql_native_password")
        let plan = try CapabilityPlan(client: Samples.mysql, listener: .mysql, server: server, usesTLS: true, namesDatabase: false)
        #expect(plan.differences.map(\.feature) == ["CLIENT_DEPRECATE_EOF", "CLIENT_QUERY_ATTRIBUTES"])
        #expect(plan.differences.map(\.handling) == [.translated, .refused])
        #expect(!plan.upstream.contains(.connectWithDatabase) && plan.upstream.contains(.tls))
    }
}
