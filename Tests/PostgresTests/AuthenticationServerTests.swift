import Foundation
import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

@Suite("Authentication to a server")
struct AuthenticationServerTests {
    private func machine(
        password: Secret? = "pencil", channel: ServerAuthentication.Channel = .plaintext, inline: Int = 20_000, nonce: String = "abc"
    ) -> ServerAuthentication {
        ServerAuthentication(user: "user", password: password, channel: channel, inlineIterations: inline, nonce: nonce)
    }

    private let tls = ServerAuthentication.Channel.tls(certificate: [], isVerified: false)

    private func failure(_ action: ServerAuthentication.Action) -> String? {
        if case .fail(let error) = action { return error.sqlState }
        return nil
    }

    /// The body of a message that is sent.
    private func sent(_ action: ServerAuthentication.Action) -> String? {
        guard case .send(var message) = action, message.readInteger(as: UInt8.self) == UInt8(ascii: "p"),
            let length = message.readInteger(as: UInt32.self), Int(length) == message.readableBytes + 4
        else { return nil }
        return message.readString(length: message.readableBytes)
    }

    private func isDone(_ action: ServerAuthentication.Action) -> Bool {
        if case .done = action { return true }
        return false
    }

    private func isWait(_ action: ServerAuthentication.Action) -> Bool {
        if case .wait = action { return true }
        return false
    }

    private let serverFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

    @Test("the example of RFC 7677 section 3")
    func vector() throws {
        var exchange = SCRAMExchange(binding: .none, nonce: "rOprNGfwEbeRWgbNEkqO")
        exchange.userName = "user"
        #expect(exchange.clientFirst == Array("n,,n=user,r=rOprNGfwEbeRWgbNEkqO".utf8))
        let salted = try exchange.receive(serverFirst: Array(serverFirst.utf8), password: "pencil").compute()
        #expect(
            String(decoding: exchange.clientFinal(salted), as: UTF8.self)
                == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        try exchange.verify(serverFinal: Array("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".utf8), salted)
        for wrong in [
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl94G4=", "v=", "v=AAAA", "",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,x=y", "e=other-error", "x=6rri",
        ] {
            #expect(throws: HandshakeError.self) { try exchange.verify(serverFinal: Array(wrong.utf8), salted) }
        }
    }

    @Test("trust: the server asks for nothing")
    func trust() {
        var machine = machine(password: nil)
        #expect(isDone(machine.receive(.ok)))
        #expect(failure(machine.receive(.ok)) == "08P01")
    }

    @Test("a clear password goes through TLS alone")
    func cleartext() {
        var machine = machine()
        #expect(failure(machine.receive(.cleartextPassword)) == "28000")
        #expect(failure(machine.receive(.ok)) == "08P01")
        machine = self.machine(channel: tls)
        #expect(sent(machine.receive(.cleartextPassword)) == "pencil\0")
        #expect(isDone(machine.receive(.ok)))
    }

    @Test("md5, as the server computes it")
    func md5() {
        // SELECT 'md5' || md5(convert_to(md5('penciluser'), 'UTF8') || '\x01020304')
        var machine = machine()
        #expect(sent(machine.receive(.md5Password(salt: [1, 2, 3, 4]))) == "md54376eb6913b38f9aaff38dc7cf19ca76\0")
        #expect(isDone(machine.receive(.ok)))
    }

    @Test("a server that asks when no password is configured is left", arguments: [nil, ""] as [Secret?])
    func noPassword(password: Secret?) {
        for request: AuthenticationRequest in [
            .md5Password(salt: [0, 0, 0, 0]), .cleartextPassword, .sasl(mechanisms: ["SCRAM-SHA-256"]),
        ] {
            var machine = machine(password: password, channel: tls)
            #expect(failure(machine.receive(request)) == "28000")
        }
    }

    @Test("a password with a NUL is not sent cut short")
    func nul() {
        var machine = machine(password: "a\0b", channel: tls)
        #expect(failure(machine.receive(.cleartextPassword)) == "28000")
    }

    @Test(
        "Kerberos, GSSAPI, SSPI and unknown methods are refused by name",
        arguments: [(UInt32(2), "Kerberos V5"), (7, "GSSAPI"), (8, "GSSAPI"), (9, "SSPI"), (99, "method 99")])
    func unsupported(code: UInt32, name: String) {
        var machine = machine()
        guard case .fail(let error) = machine.receive(.unsupported(code: code)) else {
            Issue.record("not refused")
            return
        }
        #expect(error.message.contains(name))
    }

    @Test("SCRAM: the whole exchange, inline and away")
    func scram() throws {
        for inline in [4_096, 4_095] {
            var machine = machine(inline: inline, nonce: "rOprNGfwEbeRWgbNEkqO")
            #expect(
                sent(machine.receive(.sasl(mechanisms: ["SCRAM-SHA-256"]))) == "SCRAM-SHA-256\0\0\0\0\u{1C}n,,n=,r=rOprNGfwEbeRWgbNEkqO")
            var action = machine.receive(.saslContinue(Array(serverFirst.utf8)))
            if case .derive(let request) = action {
                #expect(inline == 4_095)
                action = machine.derived(try request.compute())
            } else {
                #expect(inline == 4_096)
            }
            #expect(try #require(sent(action)).hasPrefix("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="))
            #expect(failure(machine.receive(.saslFinal(Array("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".utf8)))) == "28000")
        }
    }

    @Test("AuthenticationOk before the server has proved itself is refused, at every step")
    func earlyOk() {
        for steps in 1...3 {
            var machine = machine(inline: steps == 2 ? 0 : 20_000, nonce: "rOprNGfwEbeRWgbNEkqO")
            _ = machine.receive(.sasl(mechanisms: ["SCRAM-SHA-256"]))
            if steps > 1 { _ = machine.receive(.saslContinue(Array(serverFirst.utf8))) }
            #expect(failure(machine.receive(.ok)) == "08P01")
            #expect(failure(machine.receive(.ok)) == "08P01")
        }
    }

    @Test("messages out of place are refused")
    func outOfPlace() {
        let requests: [AuthenticationRequest] = [
            .cleartextPassword, .md5Password(salt: [1, 2, 3, 4]), .sasl(mechanisms: ["SCRAM-SHA-256"]), .saslFinal([1]),
        ]
        for second in requests {
            var machine = machine(channel: tls)
            _ = machine.receive(.sasl(mechanisms: ["SCRAM-SHA-256"]))
            #expect(failure(machine.receive(second)) == "08P01")
        }
        for second in requests {
            var machine = machine(channel: tls)
            _ = machine.receive(.cleartextPassword)
            #expect(failure(machine.receive(second)) == "08P01")
        }
        var machine = machine()
        #expect(failure(machine.receive(.saslContinue([]))) == "08P01")
        machine = self.machine()
        #expect(failure(machine.receive(.saslFinal([]))) == "08P01")
    }

    @Test("the server's first message: nonce, salt, count, form")
    func serverFirstForms() throws {
        func take(_ text: String) -> String? {
            var exchange = SCRAMExchange(binding: .none, nonce: "abc")
            return sqlState { () throws(HandshakeError) in _ = try exchange.receive(serverFirst: Array(text.utf8), password: "x") }
        }
        #expect(take("r=abcd,s=AAAA,i=1") == nil)
        #expect(take("r=abcd,s=AAAA,i=10000000") == nil)
        for bad in [
            "r=abc,s=AAAA,i=4096", "r=abx,s=AAAA,i=4096", "r=xabcd,s=AAAA,i=4096", "r=,s=AAAA,i=4096", "r=abcd,s=,i=4096",
            "r=abcd,s=*,i=4096", "r=abcd,s=AAA,i=4096", "r=abcd,s=AAAA,i=0", "r=abcd,s=AAAA,i=-1", "r=abcd,s=AAAA,i=10000001",
            "r=abcd,s=AAAA,i=99999999999999999999", "r=abcd,s=AAAA,i=", "r=abcd,s=AAAA,i=+5", "r=abcd,s=AAAA,i=4096,x=y",
            "m=x,r=abcd,s=AAAA,i=4096", "r=abcd,s=AAAA", "s=AAAA,r=abcd,i=4096", "r=abcd,,i=4096", "", ",", "r", "r=abc\u{0},s=AAAA,i=1",
            "r=abc d,s=AAAA,i=4096", "r=abcé,s=AAAA,i=4096", String(repeating: ",", count: 9_999),
        ] {
            #expect(take(bad) == "08P01", "\(bad.prefix(40))")
        }
    }

    @Test("channel binding: what is chosen, and what the server is told")
    func binding() throws {
        let both = AuthenticationRequest.sasl(mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
        let plain = AuthenticationRequest.sasl(mechanisms: ["SCRAM-SHA-256"])
        let plus = AuthenticationRequest.sasl(mechanisms: ["SCRAM-SHA-256-PLUS"])
        let good = ServerAuthentication.Channel.tls(certificate: Self.sha256Certificate, isVerified: false)
        let unhashed = ServerAuthentication.Channel.tls(certificate: [0x30, 0], isVerified: false)
        let verified = ServerAuthentication.Channel.tls(certificate: [0x30, 0], isVerified: true)
        for (channel, request, start) in [
            (ServerAuthentication.Channel.plaintext, both, "SCRAM-SHA-256\0|n,,"), (.plaintext, plain, "SCRAM-SHA-256\0|n,,"),
            (good, both, "SCRAM-SHA-256-PLUS\0|p=tls-server-end-point,,"), (good, plus, "SCRAM-SHA-256-PLUS\0|p=tls-server-end-point,,"),
            (good, plain, "SCRAM-SHA-256\0|y,,"), (unhashed, plain, "SCRAM-SHA-256\0|y,,"), (verified, both, "SCRAM-SHA-256\0|n,,"),
        ] {
            var machine = machine(channel: channel)
            let text = try #require(sent(machine.receive(request)))
            let parts = start.split(separator: "|")
            #expect(text.hasPrefix(parts[0]) && text.contains(parts[1] + "n=,r=abc"), "\(start)")
        }
        for (channel, request) in [
            (ServerAuthentication.Channel.plaintext, plus), (unhashed, both), (unhashed, plus), (verified, plus),
            (good, .sasl(mechanisms: ["OAUTHBEARER"])), (good, .sasl(mechanisms: ["scram-sha-256"])),
        ] {
            var machine = machine(channel: channel)
            #expect(failure(machine.receive(request)) != nil)
        }
    }

    /// The least that has a signature algorithm: ecdsa-with-SHA256.
    private static let sha256Certificate: [UInt8] = [0x30, 14, 0x30, 0, 0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2]

    @Test("messages of the server: read, written, read again; malformed ones refused")
    func messages() throws {
        for request: AuthenticationRequest in [
            .ok, .cleartextPassword, .md5Password(salt: [1, 2, 3, 4]), .sasl(mechanisms: ["A", "B"]), .saslContinue([1, 2]), .saslFinal([]),
            .unsupported(code: 7),
        ] {
            var message = request.message
            #expect(message.readInteger(as: UInt8.self) == UInt8(ascii: "R"))
            #expect(message.readInteger(as: UInt32.self).map { Int($0) } == message.readableBytes + 4)
            #expect(try AuthenticationRequest(body: message) == request)
        }
        for body: [UInt8] in [
            [], [0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 3, 1], [0, 0, 0, 5], [0, 0, 0, 5, 1, 2, 3], [0, 0, 0, 5, 1, 2, 3, 4, 5],
            [0, 0, 0, 10], [0, 0, 0, 10, 0], [0, 0, 0, 10, 65, 0], [0, 0, 0, 10, 65], [0, 0, 0, 10, 65, 0, 0, 1],
            [0, 0, 0, 10, 0xFF, 0, 0],
            [0, 0, 0, 11] + [UInt8](repeating: 65, count: 16_384),
        ] {
            #expect(sqlState { () throws(HandshakeError) in _ = try AuthenticationRequest(body: ByteBuffer(bytes: body)) } == "08P01")
        }
    }

    @Test("keys and passwords are never printed")
    func secrets() throws {
        var machine = machine(inline: 0)
        _ = machine.receive(.sasl(mechanisms: ["SCRAM-SHA-256"]))
        let action = machine.receive(.saslContinue(Array("r=abcd,s=AAAA,i=1".utf8)))
        guard case .derive(let request) = action else {
            Issue.record("not derived away")
            return
        }
        let salted = try request.compute()
        var text = "\(action) \(machine) \(salted) \(String(reflecting: salted))"
        dump(machine, to: &text)
        dump(salted, to: &text)
        dump(request, to: &text)
        #expect(!text.contains("pencil"))
        #expect(!text.lowercased().contains("symmetrickey"))
    }

    @Test("fresh nonces are 24 printable characters, none twice")
    func nonces() {
        let nonces = (0..<100).map { _ in SCRAMExchange.freshNonce() }
        #expect(Set(nonces).count == 100)
        #expect(nonces.allSatisfy { $0.utf8.count == 24 && !$0.contains(",") && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } })
    }
}

@Suite("SASLprep")
struct AuthenticationSASLPrepTests {
    @Test("the examples of RFC 4013 section 3")
    func examples() {
        #expect(SASLPrep.prepare("I\u{AD}X") == "IX")
        #expect(SASLPrep.prepare("user") == "user")
        #expect(SASLPrep.prepare("USER") == "USER")
        #expect(SASLPrep.prepare("\u{AA}") == "a")
        #expect(SASLPrep.prepare("\u{2168}") == "IX")
        #expect(SASLPrep.prepare("\u{7}") == nil)
        #expect(SASLPrep.prepare("\u{627}\u{31}") == nil)
    }

    @Test("direction, unassigned, prohibited, empty, spaces")
    func rules() {
        #expect(SASLPrep.prepare("\u{627}1\u{628}") == "\u{627}1\u{628}")
        #expect(SASLPrep.prepare("\u{627}a\u{628}") == nil)
        #expect(SASLPrep.prepare("a\u{627}") == nil)
        #expect(SASLPrep.prepare("\u{221}") == nil)
        #expect(SASLPrep.prepare("\u{1F600}") == nil)
        #expect(SASLPrep.prepare("\u{E000}") == nil)
        #expect(SASLPrep.prepare("a\u{FFFE}") == nil)
        #expect(SASLPrep.prepare("\u{AD}") == nil)
        #expect(SASLPrep.prepare("a\u{A0}b\u{3000}c\u{200B}d") == "a b c d")
    }

    @Test("a password that is prohibited is used as it is")
    func fallback() {
        #expect(SASLPrep.password("p\u{1F600}") == "p\u{1F600}")
        #expect(SASLPrep.password("\u{7}") == "\u{7}")
        #expect(SASLPrep.password("pa\u{2168}") == "paIX")
    }

    /// The tables of another implementation: Python's own, of Unicode 3.2. Every scalar of the first two planes, and
    /// some of the others.
    @Test("every scalar is judged as RFC 3454 says")
    func tables() async throws {
        let script = """
            import stringprep as s, sys
            out = bytearray(0x110000)
            c = [s.in_table_c12, s.in_table_c21, s.in_table_c22, s.in_table_c3, s.in_table_c4, s.in_table_c6, s.in_table_c7,
                 s.in_table_c8, s.in_table_c9]
            for i in range(0x110000):
                if 0xD800 <= i <= 0xDFFF: continue
                if not (i < 0x20000 or i % 251 == 0 or i & 0xFFFF >= 0xFFF0 or i & 0xFFE00 == 0xE0000): continue
                x = chr(i)
                out[i] = (s.in_table_a1(x) or any(f(x) for f in c)) | s.in_table_b1(x) << 1 | s.in_table_d1(x) << 2 \\
                    | s.in_table_d2(x) << 3 | (s.in_table_c12(x)) << 4
            sys.stdout.buffer.write(bytes(out))
            """
        let expected = try await run("/usr/bin/env", ["python3", "-c", script]).output
        try #require(expected.count == 0x110000)
        func isTried(_ value: UInt32) -> Bool {
            if value < 0x20000 || value % 251 == 0 { return true }
            return value & 0xFFFF >= 0xFFF0 || value & 0xFFE00 == 0xE0000
        }
        var wrong: [String] = []
        for value in 0..<UInt32(0x110000) where isTried(value) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let isProhibited = SASLPrep.isProhibited(scalar) || SASLPrep.isUnassigned(scalar)
            let mine =
                (isProhibited ? 1 : 0) | (SASLPrep.isMappedToNothing(scalar) ? 2 : 0)
                | (StringPrepTables.contains(scalar, in: StringPrepTables.rightToLeft) ? 4 : 0)
                | (StringPrepTables.contains(scalar, in: StringPrepTables.leftToRight) ? 8 : 0)
                | (SASLPrep.isNonASCIISpace(scalar) ? 16 : 0)
            if UInt8(mine) != expected[expected.startIndex + Int(scalar.value)] { wrong.append(String(scalar.value, radix: 16)) }
        }
        #expect(wrong.isEmpty, "\(wrong.count) scalars, first \(wrong.prefix(10))")
    }
}
