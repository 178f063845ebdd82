import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

@Suite("A client's authentication")
struct AuthenticationClientTests {
    private let discovery = ClientAuthentication.Discovery(issuer: "https://login.example.com/", scope: "openid groups")
    private let refusal = HandshakeError(sqlState: "28P01", message: "token expired")

    private func password(_ body: [UInt8], type: UInt8 = UInt8(ascii: "p"), limit: Int = 65_536) -> ClientAuthentication.Action {
        var machine = ClientAuthentication(maximumBytes: limit)
        _ = machine.begin(.password)
        return machine.receive(type: type, body: ByteBuffer(bytes: body))
    }

    private func initialResponse(_ response: [UInt8], mechanism: String = "OAUTHBEARER", length: Int32? = nil) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeNullTerminatedString(mechanism)
        buffer.writeInteger(length ?? Int32(response.count))
        buffer.writeBytes(response)
        return buffer
    }

    private func oauth(_ body: ByteBuffer) -> ClientAuthentication.Action {
        var machine = ClientAuthentication()
        _ = machine.begin(.oauth(discovery))
        return machine.receive(type: UInt8(ascii: "p"), body: body)
    }

    private func sqlState(_ action: ClientAuthentication.Action) -> String? {
        if case .fail(let error) = action { return error.sqlState }
        return nil
    }

    @Test("a password is asked for, handed out, and accepted")
    func passwordAccepted() {
        var machine = ClientAuthentication()
        #expect(machine.begin(.password) == .send(ByteBuffer(bytes: [0x52, 0, 0, 0, 8, 0, 0, 0, 3])))
        #expect(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(string: "tökén\0")) == .verify("tökén"))
        #expect(machine.verified() == .done)
        #expect(sqlState(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(string: "x\0"))) == "08P01")
    }

    @Test("a refused password fails with the caller's error")
    func passwordRefused() {
        var machine = ClientAuthentication()
        _ = machine.begin(.password)
        _ = machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(string: "x\0"))
        #expect(machine.refused(refusal) == .fail(refusal))
        #expect(sqlState(machine.verified()) == "28000")
    }

    @Test("a password message of any other form is refused")
    func passwordForms() {
        #expect(sqlState(password([])) == "08P01")
        #expect(sqlState(password(Array("x".utf8))) == "08P01")
        #expect(sqlState(password(Array("x\0y\0".utf8))) == "08P01")
        #expect(sqlState(password(Array("x\0\0".utf8))) == "08P01")
        #expect(sqlState(password([0])) == "28P01")
        #expect(sqlState(password([0xFF, 0])) == "28P01")
        #expect(sqlState(password(Array("x\0".utf8), type: UInt8(ascii: "Q"))) == "08P01")
        #expect(sqlState(password(Array("12345678\0".utf8), limit: 8)) == "08P01")
        #expect(password(Array("1234567\0".utf8), limit: 8) == .verify("1234567"))
    }

    @Test("nothing is accepted before it is asked for, and nothing begins twice")
    func order() {
        var machine = ClientAuthentication()
        #expect(sqlState(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(string: "x\0"))) == "08P01")
        machine = ClientAuthentication()
        #expect(sqlState(machine.verified()) == "28000")
        machine = ClientAuthentication()
        _ = machine.begin(.password)
        #expect(sqlState(machine.verified()) == "28000")
        machine = ClientAuthentication()
        _ = machine.begin(.password)
        #expect(sqlState(machine.begin(.password)) == "08P01")
        #expect(sqlState(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(string: "x\0"))) == "08P01")
        machine = ClientAuthentication()
        _ = machine.begin(.password)
        _ = machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(string: "x\0"))
        #expect(sqlState(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(string: "y\0"))) == "08P01")
        #expect(sqlState(machine.verified()) == "28000")
    }

    @Test("OAUTHBEARER: a token is handed out and accepted")
    func tokenAccepted() {
        var machine = ClientAuthentication()
        #expect(
            machine.begin(.oauth(discovery))
                == .send(ByteBuffer(bytes: [0x52, 0, 0, 0, 21, 0, 0, 0, 10] + Array("OAUTHBEARER\0\0".utf8))))
        let response = initialResponse(Array("n,,\u{1}auth=Bearer a.b-c_d~+/9==\u{1}\u{1}".utf8))
        #expect(machine.receive(type: UInt8(ascii: "p"), body: response) == .verify("a.b-c_d~+/9=="))
        #expect(machine.verified() == .done)
        #expect(!machine.isDiscovery)
    }

    @Test("OAUTHBEARER: no token gets told where to get one, acknowledges, and is closed")
    func discoveryFlow() {
        var machine = ClientAuthentication()
        _ = machine.begin(.oauth(discovery))
        let json =
            "{\"status\":\"invalid_token\","
            + "\"openid-configuration\":\"https://login.example.com/.well-known/openid-configuration\",\"scope\":\"openid groups\"}"
        let challenge = AuthenticationRequest.saslContinue(Array(json.utf8)).message
        #expect(machine.receive(type: UInt8(ascii: "p"), body: initialResponse(Array("n,,\u{1}auth=\u{1}\u{1}".utf8))) == .send(challenge))
        #expect(machine.isDiscovery)
        #expect(sqlState(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(bytes: [1]))) == "28000")
    }

    @Test("OAUTHBEARER: a refused token goes the same way and ends with the caller's error")
    func tokenRefused() {
        var machine = ClientAuthentication()
        _ = machine.begin(.oauth(discovery))
        _ = machine.receive(type: UInt8(ascii: "p"), body: initialResponse(Array("n,,\u{1}auth=Bearer abc\u{1}\u{1}".utf8)))
        guard case .send = machine.refused(refusal) else {
            Issue.record("the refusal has to be sent first")
            return
        }
        #expect(!machine.isDiscovery)
        #expect(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(bytes: [1])) == .fail(refusal))
    }

    @Test("OAUTHBEARER: only the one byte acknowledges", arguments: [[], [1, 1], [0], [2]] as [[UInt8]])
    func acknowledgement(body: [UInt8]) {
        var machine = ClientAuthentication()
        _ = machine.begin(.oauth(discovery))
        _ = machine.receive(type: UInt8(ascii: "p"), body: initialResponse(Array("n,,\u{1}auth=\u{1}\u{1}".utf8)))
        #expect(sqlState(machine.receive(type: UInt8(ascii: "p"), body: ByteBuffer(bytes: body))) == "08P01")
    }

    @Test("OAUTHBEARER: a response that comes after the mechanism is asked for")
    func lateResponse() {
        var machine = ClientAuthentication()
        _ = machine.begin(.oauth(discovery))
        #expect(
            machine.receive(type: UInt8(ascii: "p"), body: initialResponse([], length: -1))
                == .send(AuthenticationRequest.saslContinue([]).message))
        let late = ByteBuffer(string: "n,,\u{1}auth=bEaReR   tok\u{1}\u{1}")
        #expect(machine.receive(type: UInt8(ascii: "p"), body: late) == .verify("tok"))
    }

    @Test("OAUTHBEARER: the envelope")
    func envelope() {
        let good = Array("n,,\u{1}auth=Bearer t\u{1}\u{1}".utf8)
        #expect(sqlState(oauth(initialResponse(good, mechanism: "SCRAM-SHA-256"))) == "08P01")
        #expect(sqlState(oauth(initialResponse(good, mechanism: ""))) == "08P01")
        for length: Int32 in [-2, -1, 0, 1, Int32(good.count) - 1, Int32(good.count) + 1, .max, .min] {
            #expect(sqlState(oauth(initialResponse(good, length: length))) == "08P01")
        }
        #expect(sqlState(oauth(ByteBuffer(string: "OAUTHBEARER"))) == "08P01")
        #expect(sqlState(oauth(ByteBuffer(string: "OAUTHBEARER\0\0\0"))) == "08P01")
    }

    @Test("OAUTHBEARER: every cut of a message is refused")
    func cuts() {
        let good = Array("n,,\u{1}host=h\u{1}port=1\u{1}auth=Bearer t\u{1}\u{1}".utf8)
        #expect(oauth(initialResponse(good)) == .verify("t"))
        for count in 0..<good.count {
            #expect(sqlState(oauth(initialResponse(Array(good.prefix(count))))) == "08P01", "cut at \(count)")
        }
    }

    @Test(
        "OAUTHBEARER: malformed messages",
        arguments: [
            "p=tls-unique,,\u{1}auth=Bearer t\u{1}\u{1}", "x,,\u{1}auth=Bearer t\u{1}\u{1}", "n,\u{1}auth=Bearer t\u{1}\u{1}",
            "n,,auth=Bearer t\u{1}\u{1}", "n,,\u{1}auth=Bearer t\u{1}", "n,,\u{1}auth=Bearer t\u{1}\u{1}x", "n,,\u{1}\u{1}",
            "n,,\u{1}auth=Bearer t\u{1}\u{1}\u{1}", "n,,\u{1}auth=Bearer t\u{1}auth=Bearer t\u{1}\u{1}", "n,,\u{1}auth\u{1}\u{1}",
            "n,,\u{1}=Bearer t\u{1}\u{1}", "n,,\u{1}au1h=Bearer t\u{1}\u{1}", "n,,\u{1}auth=Bearer t\0t\u{1}\u{1}",
            "n,,\u{1}auth=Bearer \u{1}\u{1}", "n,,\u{1}auth=Bearer =\u{1}\u{1}", "n,,\u{1}auth=Bearer a b\u{1}\u{1}",
            "n,,\u{1}auth=Bearer ä\u{1}\u{1}", "n,,\u{1}auth=Bearer a=b\u{1}\u{1}", "n,,\u{1}host=h\u{1}\u{1}", "",
        ])
    func malformed(text: String) {
        #expect(sqlState(oauth(initialResponse(Array(text.utf8)))) == "08P01")
    }

    @Test("OAUTHBEARER: an authorization identity and another scheme are refused with their own reason")
    func notSupported() {
        #expect(sqlState(oauth(initialResponse(Array("n,a=bob,\u{1}auth=Bearer t\u{1}\u{1}".utf8)))) == "0A000")
        #expect(sqlState(oauth(initialResponse(Array("n,,\u{1}auth=Basic dDp0\u{1}\u{1}".utf8)))) == "28000")
        #expect(sqlState(oauth(initialResponse(Array("n,,\u{1}auth=Bearer\u{1}\u{1}".utf8)))) == "28000")
    }

    @Test("what goes into the refusal is escaped")
    func json() {
        let text = OAuthBearerMessage.refusal(.init(configurationURL: "a\"b\\c\nd", scope: ""))
        #expect(String(decoding: text, as: UTF8.self) == "{\"status\":\"invalid_token\",\"openid-configuration\":\"a\\\"b\\\\c\\u000ad\"}")
    }

    @Test("no action prints the proof")
    func secrets() {
        let action = password(Array("hunter2\0".utf8))
        #expect(action == .verify("hunter2"))
        #expect(!"\(action) \(String(reflecting: action))".contains("hunter2"))
    }
}
