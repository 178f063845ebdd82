import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

@Suite("A client's startup, judged")
struct StartupJudgementTests {
    private func judge(_ pairs: [(String, String)], minor: UInt16 = 0) throws(HandshakeError) -> ClientStartup {
        try ClientStartup(version: .init(major: 3, minor: minor), parameters: pairs.map { .init($0.0, $0.1) })
    }

    private func setting(_ name: String, _ value: String) -> SettingChange {
        SettingChange(name: name, value: value, isLocal: false)
    }

    @Test("user, database, replication and settings stand apart")
    func parts() throws {
        let start = try judge([
            ("user", "writer@orders"), ("database", "orders"), ("application_name", "psql"), ("DateStyle", "ISO, DMY"),
            ("replication", "database"), ("client_encoding", "UTF8"),
        ])
        #expect(start.user == "writer@orders")
        #expect(start.database == "orders")
        #expect(start.replication == .logical)
        #expect(start.settings == [setting("application_name", "psql"), setting("datestyle", "ISO, DMY")])
        #expect(start.applicationName == "psql")
        #expect(start.negotiation == nil)
    }

    @Test("no user, or an empty one, is refused; no database, or an empty one, is none")
    func missing() throws {
        #expect(sqlState { () throws(HandshakeError) in _ = try judge([("database", "d")]) } == "28000")
        #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "")]) } == "28000")
        #expect(try judge([("user", "u")]).database == nil)
        #expect(try judge([("user", "u"), ("database", "")]).database == nil)
    }

    @Test(
        "client_encoding is UTF-8 in any spelling that the server takes",
        arguments: ["UTF8", "utf8", "utf-8", "UTF-8", "UNICODE", "'utf8'", "\"UTF8\"", "Unicode", " u_t f.8 "])
    func encodings(name: String) throws {
        #expect(try judge([("user", "u"), ("client_encoding", name)]).settings.isEmpty)
        #expect(try judge([("user", "u"), ("options", "-c client_encoding=" + name.replacingSpaces)]).settings.isEmpty)
    }

    @Test(
        "any other encoding is refused, by each route",
        arguments: ["SQL_ASCII", "LATIN1", "GBK", "SJIS", "UTF16", "utf88", "", "ütf8", "BIG5"])
    func otherEncodings(name: String) {
        #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "u"), ("client_encoding", name)]) } == "0A000")
        #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "u"), ("CLIENT_ENCODING", name)]) } == "0A000")
        #expect(
            sqlState { () throws(HandshakeError) in
                _ = try judge([("user", "u"), ("options", "--client-encoding=" + name), ("client_encoding", "UTF8")])
            } == "0A000")
    }

    @Test("standard_conforming_strings stays on, by each route")
    func strings() throws {
        for on in ["on", "ON", "true", "t", "yes", "1"] {
            #expect(try judge([("user", "u"), ("standard_conforming_strings", on)]).settings.isEmpty)
        }
        for off in ["off", "of", "f", "no", "0", "", "perhaps"] {
            for pairs in [
                [("standard_conforming_strings", off)], [("Standard_Conforming_Strings", off)],
                [("options", "-c standard_conforming_strings=" + off)], [("options", "--standard-conforming-strings=" + off)],
            ] {
                #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "u")] + pairs) } == "0A000")
            }
        }
    }

    @Test("replication as the server reads it")
    func replication() throws {
        for (text, kind) in [
            ("true", ClientStartup.Replication.physical), ("on", .physical), ("1", .physical), ("YES", .physical), ("false", .none),
            ("off", .none), ("0", .none), ("database", .logical),
        ] {
            #expect(try judge([("user", "u"), ("replication", text)]).replication == kind)
        }
        for text in ["DATABASE", "o", "", "maybe", "truely"] {
            #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "u"), ("replication", text)]) } == "22023")
        }
    }

    @Test("options come first and are overridden by the packet's own; the last of a name counts")
    func order() throws {
        let start = try judge([
            ("user", "u"), ("search_path", "b"), ("options", "-c search_path=a -csearch_path=c --statement-timeout=5s -c work_mem=1MB"),
        ])
        #expect(start.settings == [setting("statement_timeout", "5s"), setting("work_mem", "1MB"), setting("search_path", "b")])
    }

    @Test(
        "options are split as the server splits them",
        arguments: [
            ("-c search_path=a\\ b", ["-c", "search_path=a b"]), ("  -c\ta=b\n", ["-c", "a=b"]), ("-ca=b\\\\c", ["-ca=b\\c"]),
            ("", []), (" \t\r\n\u{0B}\u{0C}", []), ("a\\", ["a"]), ("\\", [""]), ("\\ ", [" "]), ("-c 'a b'", ["-c", "'a", "b'"]),
            ("-c\\\u{20}x=y z", ["-c x=y", "z"]), ("-c x=ü", ["-c", "x=ü"]),
        ])
    func splitting(text: String, words: [String]) {
        #expect(CommandLineOptions.split(text) == words)
    }

    @Test(
        "switches that are not understood are refused",
        arguments: [
            "-c", "-c a", "-ca", "--a", "--", "-", "x", "-S 5", "-fs", "-Ec a=b", "-c =b", "-c 1a=b", "-c a;b=c", "--=x", "-c a=b c", "-e",
        ])
    func switches(text: String) {
        #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "u"), ("options", text)]) } == "22023")
    }

    @Test("a value may hold anything, also what separates name and value")
    func values() throws {
        #expect(try judge([("user", "u"), ("options", "-c a.b=c=d")]).settings == [setting("a.b", "c=d")])
        #expect(try judge([("user", "u"), ("options", "-c a=")]).settings == [setting("a", "")])
    }

    @Test("more settings than any driver sends are refused")
    func count() throws {
        let many = (0..<256).map { ("a\($0)", "x") }
        #expect(try judge([("user", "u")] + many).settings.count == 256)
        #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "u"), ("options", "-c b=1")] + many) } == "22023")
    }

    @Test("names that cannot be a setting's are refused", arguments: ["a b", "a-b", "1", ".a", "ä", "user\u{301}"])
    func names(name: String) {
        #expect(sqlState { () throws(HandshakeError) in _ = try judge([("user", "u"), (name, "x")]) } == "22023")
    }

    @Test("more than protocol 3.0 is negotiated down, unknown options named in order")
    func negotiation() throws {
        let start = try judge([("user", "u"), ("_pq_.b", "1"), ("_pq_.a", "2")], minor: 2)
        #expect(start.protocolOptions == ["_pq_.b", "_pq_.a"])
        #expect(start.settings.isEmpty)
        let expected: [UInt8] = [0x76, 0, 0, 0, 26, 0, 3, 0, 0, 0, 0, 0, 2] + Array("_pq_.b\0_pq_.a\0".utf8)
        #expect(start.negotiation?.bytes == expected)
        #expect(try judge([("user", "u")], minor: 2).negotiation?.bytes == [0x76, 0, 0, 0, 12, 0, 3, 0, 0, 0, 0, 0, 0])
        #expect(try judge([("user", "u"), ("_pq_.x", "")]).negotiation != nil)
    }

    @Test("what is quoted in an error is short and on one line")
    func quoting() {
        #expect("a\nb\u{202E}".quotedForMessage == "\"a?b?\"")
        #expect(String(repeating: "x", count: 500).quotedForMessage.count == 69)
    }
}

extension String {
    /// Spaces as `options` takes them.
    fileprivate var replacingSpaces: String { String(flatMap { $0 == " " ? "\\ " : String($0) }) }
}

@Suite("The gateway's own startup packets")
struct StartupUpstreamTests {
    @Test("a startup packet is read back as it was meant, with encoding and string syntax fixed")
    func startup() throws {
        let settings = [
            SettingChange(name: "application_name", value: "psql", isLocal: false),
            SettingChange(name: "client_encoding", value: "LATIN1", isLocal: false),
            SettingChange(name: "standard_conforming_strings", value: "off", isLocal: false),
        ]
        let packet = try UpstreamStartup.startup(user: "app", database: "orders", settings: settings, replication: .logical)
        #expect(
            frame(packet)
                == .success([
                    .startup(
                        version: .v3,
                        parameters: [
                            .init("user", "app"), .init("database", "orders"), .init("replication", "database"),
                            .init("application_name", "psql"), .init("client_encoding", "UTF8"), .init("standard_conforming_strings", "on"),
                        ])
                ]))
    }

    @Test("a NUL, a setting without value and too long a packet are refused")
    func refused() {
        for setting in [
            SettingChange(name: "a", value: "b\0c", isLocal: false), SettingChange(name: nil, value: "b", isLocal: false),
            SettingChange(name: "a", value: nil, isLocal: false),
            SettingChange(name: "a", value: String(repeating: "x", count: 10_000), isLocal: false),
        ] {
            #expect(
                sqlState { () throws(HandshakeError) in
                    _ = try UpstreamStartup.startup(user: "u", database: "d", settings: [setting])
                } == "22023")
        }
    }

    @Test("requests for TLS and for a cancel")
    func requests() {
        #expect(frame(UpstreamStartup.sslRequest()) == .success([.sslRequest]))
        let key = StartupPacket.CancelKey(processID: 12, secret: [1, 2, 3, 4])
        #expect(frame(UpstreamStartup.cancelRequest(key)) == .success([.cancelRequest(key)]))
    }

    @Test("the answer to a request for TLS is one byte and no more")
    func answers() throws {
        var none = ByteBuffer()
        #expect(try UpstreamStartup.readTLSAnswer(&none) == nil)
        var yes = ByteBuffer(string: "S")
        #expect(try UpstreamStartup.readTLSAnswer(&yes) == true)
        var no = ByteBuffer(string: "N")
        #expect(try UpstreamStartup.readTLSAnswer(&no) == false)
        for text in ["SN", "S\u{16}", "NR", "E", "X", "\0"] {
            var answer = ByteBuffer(string: text)
            #expect(sqlState { () throws(HandshakeError) in _ = try UpstreamStartup.readTLSAnswer(&answer) } == "08P01")
        }
    }
}
