import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

/// The actions in words.
private func words(_ actions: [ClientHandshake.Action]) -> [String] {
    actions.map { action in
        switch action {
        case .send(let bytes): "send \(String(decoding: bytes.readableBytesView.prefix(1), as: UTF8.self))"
        case .startTLS(let replay): "tls \(replay.readableBytes)"
        case .cancel(let key): "cancel \(key.processID)"
        case .verify(let secret): "verify \(secret.reveal())"
        case .authenticated: "in"
        case .fail(let error): "fail \(error.sqlState)"
        }
    }
}

@Suite struct ClientHandshakeTests {
    private func handshake(plaintext: Bool = false, method: ClientAuthentication.Method = .password) -> ClientHandshake {
        ClientHandshake(
            rules: .init(
                allowsPlaintext: plaintext, method: { _ in method }, startupPacketBytes: 10_000, authenticationMessageBytes: 100))
    }

    private let ssl = packet(1234 << 16 | 5679)
    private let gss = packet(1234 << 16 | 5680)
    private let startup = packet(version30, strings("user", "writer@orders", "database", "shop"))
    private let password = ByteBuffer(bytes: Message("p") { $0.writeCString("token") }.bytes)

    private func afterTLS(_ method: ClientAuthentication.Method = .password) -> ClientHandshake {
        var handshake = handshake(method: method)
        _ = handshake.receive(ssl)
        _ = handshake.tlsIsUp(negotiated: nil)
        return handshake
    }

    @Test func throughTLSToAProof() {
        var handshake = handshake()
        #expect(words(handshake.receive(ssl)) == ["send S", "tls 0"])
        #expect(!handshake.usesTLS)
        #expect(words(handshake.tlsIsUp(negotiated: nil)) == [])
        #expect(handshake.usesTLS)
        #expect(words(handshake.receive(startup)) == ["send R"])
        #expect(handshake.login == LoginName("writer@orders"))
        #expect(handshake.startup?.database == "shop")
        #expect(words(handshake.receive(password)) == ["verify token"])
        #expect(words(handshake.verified()) == ["in"])
        #expect(words(handshake.receive(password)) == ["fail 08P01"])
    }

    @Test func byteByByte() {
        var handshake = handshake(plaintext: true)
        var said: [String] = []
        for byte in startup.bytes + password.bytes { said += words(handshake.receive(ByteBuffer(bytes: [byte]))) }
        #expect(said == ["send R", "verify token"])
    }

    @Test func directTLSNeedsItsName() {
        for (name, outcome) in [("postgresql" as String?, [String]()), (nil, ["fail 08P01"]), ("http/1.1", ["fail 08P01"])] {
            var handshake = handshake()
            #expect(words(handshake.receive(ByteBuffer(bytes: [0x16, 3, 1, 0, 5]))) == ["tls 5"])
            #expect(words(handshake.tlsIsUp(negotiated: name)) == outcome)
            #expect(handshake.usesTLS == outcome.isEmpty)
        }
    }

    @Test func gssIsDeclinedAndTLSMayFollow() {
        var handshake = handshake()
        #expect(words(handshake.receive(gss)) == ["send N"])
        #expect(words(handshake.receive(gss)) == ["fail 08P01"])
        var other = self.handshake()
        _ = other.receive(gss)
        #expect(words(other.receive(ssl)) == ["send S", "tls 0"])
    }

    /// Unencrypted bytes behind a request for encryption were put there by someone between (CVE-2021-23214).
    @Test func nothingMayFollowARequestBeforeItsAnswer() {
        for first in [ssl, gss, startup] {
            var handshake = handshake(plaintext: true)
            let actions = handshake.receive(ByteBuffer(bytes: first.bytes + [0]))
            #expect(words(actions).last == "fail 08P01")
            #expect(!words(actions).contains { $0.hasPrefix("tls") || $0.hasPrefix("verify") || $0 == "send R" })
        }
        var upgrading = handshake()
        _ = upgrading.receive(ssl)
        #expect(words(upgrading.receive(startup)) == ["fail 08P01"])
        var eager = handshake(plaintext: true)
        _ = eager.receive(startup)
        #expect(words(eager.receive(ByteBuffer(bytes: password.bytes + [0x51]))) == ["fail 08P01"])
    }

    @Test func tokensTravelOverTLSOnly() {
        var handshake = handshake()
        #expect(words(handshake.receive(startup)) == ["fail 28000"])
        // A failed handshake does not begin again.
        #expect(words(handshake.receive(ssl)) == ["fail 08P01"])
        #expect(words(handshake.receive(startup)) == ["fail 08P01"])
        var allowed = self.handshake(plaintext: true)
        #expect(words(allowed.receive(startup)) == ["send R"])
    }

    @Test func cancelRequestsAndTheirEnd() {
        var handshake = handshake()
        #expect(words(handshake.receive(packet(1234 << 16 | 5678, [0, 0, 0, 7, 1, 2, 3, 4]))) == ["cancel 7"])
        #expect(words(handshake.receive(ssl)) == ["fail 08P01"])
    }

    @Test func aNewerClientIsToldWhichVersionItGets() {
        var handshake = handshake(plaintext: true)
        #expect(words(handshake.receive(packet(version30 | 2, strings("user", "orders")))) == ["send v", "send R"])
    }

    @Test(arguments: ["@orders", "writer@", "a@@"]) func loginNamesMustNameATarget(_ name: String) {
        var handshake = handshake(plaintext: true)
        #expect(words(handshake.receive(packet(version30, strings("user", name)))) == ["fail 28000"])
    }

    @Test func proofsHaveALimitAndAShape() {
        var long = afterTLS()
        _ = long.receive(startup)
        #expect(words(long.receive(ByteBuffer(bytes: [0x70, 0, 0, 0, 105]))) == ["fail 08P01"])
        var other = afterTLS()
        _ = other.receive(startup)
        #expect(words(other.receive(ByteBuffer(bytes: Message.query("select 1").bytes))) == ["fail 08P01"])
    }

    @Test func aSecondProofWhileTheFirstIsCheckedEndsIt() {
        var handshake = afterTLS()
        _ = handshake.receive(startup)
        #expect(words(handshake.receive(password)) == ["verify token"])
        #expect(words(handshake.receive(password)) == ["fail 08P01"])
        #expect(words(handshake.verified()) == ["fail 28000"])
    }

    @Test func noProofNoEntry() {
        var fresh = handshake()
        #expect(words(fresh.verified()) == [])
        var asked = afterTLS()
        _ = asked.receive(startup)
        #expect(words(asked.verified()) == ["fail 28000"])
        var refused = afterTLS()
        _ = refused.receive(startup)
        _ = refused.receive(password)
        #expect(words(refused.refused(.authorization("no"))) == ["fail 28000"])
        #expect(words(refused.verified()) == ["fail 28000"])
    }

    @Test func oauthDiscoveryAndRefusal() {
        let method = ClientAuthentication.Method.oauth(.init(issuer: "https://issuer.example", scope: "openid"))
        var handshake = afterTLS(method)
        #expect(words(handshake.receive(startup)) == ["send R"])
        let bearer = "n,,\u{1}auth=\u{1}\u{1}"
        let initial = Message("p") { body in
            body.writeCString("OAUTHBEARER")
            body.writeInteger(Int32(bearer.utf8.count))
            body.writeString(bearer)
        }
        #expect(words(handshake.receive(ByteBuffer(bytes: initial.bytes))) == ["send R"])
        #expect(handshake.isDiscovery)
        #expect(words(handshake.receive(ByteBuffer(bytes: Message("p") { $0.writeInteger(UInt8(1)) }.bytes))) == ["fail 28000"])
    }

    /// Whatever comes, it ends in actions, and nobody is in who did not prove anything.
    @Test func noise() {
        var generator = SplitMix(state: 20_261_124)
        for _ in 0..<2_000 {
            var handshake = handshake(plaintext: true)
            var bytes = startup.bytes + password.bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: .min ... .max, using: &generator)
            }
            while !bytes.isEmpty {
                let part = bytes.prefix(Int.random(in: 1...40, using: &generator))
                bytes.removeFirst(part.count)
                #expect(!words(handshake.receive(ByteBuffer(bytes: part))).contains("in"))
            }
        }
    }
}
