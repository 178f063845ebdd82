import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

private func words(_ actions: [UpstreamHandshake.Action]) -> [String] {
    actions.map { action in
        switch action {
        case .send(let bytes): "send \(bytes.readableBytes)"
        case .startTLS: "tls"
        case .derive(let request): "derive \(request.iterations)"
        case .ready(let ready): "ready \(ready.parameters.count)"
        case .fail(let error): "fail \(error.sqlState)"
        }
    }
}

@Suite struct UpstreamHandshakeTests {
    private let startup = packet(version30, strings("user", "app"))

    private func handshake(tls: Bool = false, password: Secret? = nil, limits: Limits = Limits()) -> UpstreamHandshake {
        UpstreamHandshake(
            role: Target.Role(name: "r", user: "app", password: password), startup: startup, requiresTLS: tls, limits: limits)
    }

    private func said(_ messages: Message...) -> ByteBuffer { ByteBuffer(bytes: messages.flatMap(\.bytes)) }
    private let ok = Message(AuthenticationRequest.ok.message)
    private let key = Message("K") { $0.writeBytes([0, 0, 0, 9, 1, 2, 3, 4]) }

    @Test func aTrustedAccountToReady() throws {
        let greeting: [Message] = [.status("server_version", "15.1"), .notice("welcome"), .status("TimeZone", "UTC")]
        let stream = ByteBuffer(bytes: ([ok] + greeting + [key, .ready(), .notice("later")]).flatMap(\.bytes))
        for step in [1, 7, stream.readableBytes] {
            var handshake = handshake()
            #expect(words(handshake.connected()) == ["send \(startup.readableBytes)"])
            var rest = stream
            var actions: [UpstreamHandshake.Action] = []
            while actions.isEmpty, let part = rest.readSlice(length: min(step, rest.readableBytes)), part.readableBytes > 0 {
                actions += handshake.receive(part)
            }
            guard actions.count == 1, case .ready(let ready) = actions[0] else {
                Issue.record("not ready: \(words(actions))")
                continue
            }
            #expect(ready.greeting.bytes == greeting.flatMap(\.bytes))
            #expect(ready.ready.bytes == Message.ready().bytes)
            #expect(ready.parameters == ["server_version": "15.1", "TimeZone": "UTC"])
            #expect(ready.key == StartupPacket.CancelKey(processID: 9, secret: [1, 2, 3, 4]))
            // What came behind belongs to the session.
            #expect(handshake.takeRest().bytes + rest.bytes == Message.notice("later").bytes)
        }
    }

    @Test func tlsFirstWhereItIsRequired() {
        var handshake = handshake(tls: true)
        #expect(words(handshake.connected()) == ["send 8"])
        #expect(words(handshake.receive(ByteBuffer(string: "S"))) == ["tls"])
        #expect(words(handshake.tlsIsUp(.tls(certificate: [], isVerified: true))) == ["send \(startup.readableBytes)"])
        #expect(words(handshake.receive(said(ok, .ready()))) == ["ready 0"])
    }

    @Test(arguments: ["N", "E", "X", "SS", "S\u{0}"]) func anyOtherAnswerEndsIt(_ answer: String) {
        var handshake = handshake(tls: true)
        _ = handshake.connected()
        let actions = words(handshake.receive(ByteBuffer(string: answer)))
        #expect(actions.count == 1 && actions[0].hasPrefix("fail"))
    }

    @Test func bytesAmidTheUpgradeEndIt() {
        var handshake = handshake(tls: true)
        _ = handshake.connected()
        _ = handshake.receive(ByteBuffer(string: "S"))
        #expect(words(handshake.receive(said(ok))) == ["fail 08P01"])
        #expect(words(handshake.tlsIsUp(.plaintext)) == [])
    }

    @Test func aServerThatSpeaksFirstIsLeft() {
        var handshake = handshake()
        #expect(words(handshake.receive(said(ok))) == ["fail 08P01"])
    }

    @Test func passwordsAreNotSentInTheClear() {
        var handshake = handshake(password: "secret")
        _ = handshake.connected()
        #expect(words(handshake.receive(said(Message(AuthenticationRequest.cleartextPassword.message)))) == ["fail 28000"])
        var without = self.handshake()
        _ = without.connected()
        let actions = words(without.receive(said(Message(AuthenticationRequest.md5Password(salt: [1, 2, 3, 4]).message))))
        #expect(actions.count == 1 && actions[0].hasPrefix("fail"))
    }

    /// A server that leaves out its proof may be something else.
    @Test func scramWithoutTheServersProof() {
        var handshake = handshake(password: "secret")
        _ = handshake.connected()
        let offer = Message(AuthenticationRequest.sasl(mechanisms: ["SCRAM-SHA-256"]).message)
        #expect(words(handshake.receive(said(offer)))[0].hasPrefix("send"))
        #expect(words(handshake.receive(said(ok))).first == "fail 08P01")
    }

    @Test func refusalsThatNameTheAccountAreNotPassedOn() {
        for (code, shown) in [("28P01", "08006"), ("42501", "08006"), ("53300", "53300"), ("57P03", "57P03"), ("3D000", "3D000")] {
            var handshake = handshake()
            _ = handshake.connected()
            guard case .fail(let error)? = handshake.receive(said(.error(code, "about user app"))).first else {
                Issue.record("no refusal of \(code)")
                continue
            }
            #expect(error.sqlState == shown)
            #expect(error.message.contains("user app") == (code == shown))
        }
    }

    @Test func messagesOutOfPlaceAndMalformed() {
        let bad: [Message] = [
            .row("1"), .complete("X"), Message("K") { $0.writeBytes([0, 0, 0]) }, Message("K") { $0.writeBytes([0, 0, 0, 1, 2]) },
            Message("S") { $0.writeBytes([65]) }, Message("S") { $0.writeBytes([65, 0, 66]) }, ok,
        ]
        for message in bad {
            var handshake = handshake()
            _ = handshake.connected()
            #expect(words(handshake.receive(said(ok, message))) == ["fail 08P01"], "\(message)")
            #expect(words(handshake.receive(said(.ready()))) == ["fail 08P01"])
        }
        var early = handshake()
        _ = early.connected()
        #expect(words(early.receive(said(.ready()))) == ["fail 08P01"])
    }

    @Test func whatAServerMaySayIsBounded() {
        var limits = Limits()
        limits.authenticationMessageBytes = 1_000
        var handshake = handshake(limits: limits)
        _ = handshake.connected()
        #expect(words(handshake.receive(ByteBuffer(bytes: [0x4E, 0, 0, 4, 0]))) == ["fail 08P01"])
        var endless = self.handshake()
        _ = endless.connected()
        _ = endless.receive(said(ok))
        let notice = said(.notice(String(repeating: "x", count: 60_000)))
        let actions = (0..<40).flatMap { _ in words(endless.receive(notice)) }
        #expect(actions.first == "fail 08P01")
    }
}
