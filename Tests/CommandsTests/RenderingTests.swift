import Foundation
import GatehouseCore
import Recording
import Review
import Testing

@testable import gatehouse

private func render(_ json: String, cellWidth: Int? = 60) throws -> [String] {
    EventRenderer(cellWidth: cellWidth).lines(for: try JSON.parse(Data(json.utf8)))
}

@Suite struct TranscriptCastTests {
    private func frame(_ milliseconds: UInt64) -> Frame {
        Frame(
            kind: .clientMessages, session: SessionID(high: 1, low: 2), sequence: 1, time: WallTime(nanoseconds: milliseconds * 1_000_000),
            payload: [])
    }

    /// A statement is typed in the time that was free before it, and whole when it was sent.
    @Test func statementsAreTypedBeforeTheyAreSent() throws {
        var cast = TranscriptCast()
        let statement = Array(#"{"type":"statement","offset_ms":123456789,"text":"select 1"}"#.utf8)
        #expect(try cast.play(frame(1_000), events: [statement]).map(\.kind) == [.output("> select 1\r\n")])
        let typed = try cast.play(frame(11_000), events: [statement])
        #expect(typed.map(\.kind) == "> select 1".map { .output(String($0)) } + [.output("\r\n")])
        #expect(typed.map { $0.time.nanoseconds / 1_000_000 } == stride(from: 10_730, through: 11_000, by: 30) + [11_000])
    }

    /// Nothing that was recorded drives the terminal.
    @Test func recordedEscapesAreShown() throws {
        var cast = TranscriptCast()
        let event = Array(#"{"type":"error","code":"\u001b]0;x\u0007","message":"\u009b31m\r\n\u202e"}"#.utf8)
        let shown = try cast.play(frame(1), events: [event])
        #expect(shown.map(\.kind) == [.output("\u{1B}[31m\\u{1b}]0;x\\u{7}: \\u{9b}31m\\r\\n\\u{202e}\u{1B}[0m\r\n")])
    }
}

@Suite struct EventRenderingTests {
    /// A short session, as a person would read it.
    @Test func aSessionReadsAsAStory() throws {
        let events = [
            #"{"type":"start","time":"2026-05-01T12:00:00Z","offset_ms":0,"session":"s-1","target":"orders","role":"reader","database":"orders","client_address":"127.0.0.1","application":"psql"}"#,
            #"{"type":"identity","offset_ms":1,"principal":{"user":"alice","groups":["agents","people"],"issuer":"https://login.example.com"},"granted_by":"access rule 1 (line 7), group agents"}"#,
            #"{"type":"statement","offset_ms":12,"text":"select id, ssn\n  from customers where id = $1","parameters":[7,null,"x"],"prepared_name":"q"}"#,
            #"{"type":"verdict","offset_ms":12,"decision":"allow","rule":"read"}"#,
            #"{"type":"rows","offset_ms":14,"columns":[{"name":"id"},{"name":"ssn"}],"rows":[[7,"****"],[70,null]],"count":2}"#,
            #"{"type":"complete","offset_ms":14,"tag":"SELECT 2"}"#,
            #"{"type":"statement","offset_ms":61234,"text":"drop table customers"}"#,
            #"{"type":"verdict","decision":"deny","rule":"no-drop","reason":"Agents do not drop tables.","hint":"Ask the platform team."}"#,
            #"{"type":"error","severity":"ERROR","code":"42501","message":"denied by no-drop"}"#,
            #"{"type":"copy","direction":"out","bytes":209715200}"#, #"{"type":"cancel","offset_ms":62000}"#,
            #"{"type":"notice","severity":"NOTICE","message":"careful"}"#,
            #"{"type":"end","offset_ms":63001,"reason":"the client closed","counters":{"statements":2,"denied":1,"rows":2,"bytesIn":90,"bytes_out":400}}"#,
        ]
        let story = try events.flatMap { try render($0) }
        #expect(
            story == [
                "+0.000s    session s-1 on orders as reader, database orders, from 127.0.0.1 (psql), 2026-05-01 12:00:00Z",
                "           by alice of agents, people, as https://login.example.com says; let in by access rule 1 (line 7), group agents",
                "+0.012s    > [q] select id, ssn", "               from customers where id = $1", "             $1 = 7",
                "             $2 = NULL",
                "             $3 = x", "           allowed (read)", "           id | ssn", "           ---+-----", "           7  | ****",
                "           70 | NULL", "           (2 rows)", "           = SELECT 2", "+61.234s   > drop table customers",
                "           DENIED by no-drop: Agents do not drop tables.", "             hint: Ask the platform team.",
                "           ERROR 42501: denied by no-drop", "           = copy out: 209715200 bytes", "+62.000s   cancel requested",
                "           ! NOTICE: careful",
                "+63.001s   end: the client closed, 2 statements, 1 denied, 2 rows, 90 bytes in, 400 bytes out",
            ], "\(story.joined(separator: "\n"))")
    }

    @Test func anUnknownEventIsShownNotHidden() throws {
        let lines = try render(#"{"type":"gap","offset_ms":5,"bytes":12,"why":{"a":1}}"#)
        #expect(lines == ["+0.005s    gap", "             bytes: 12", "             why: {\"a\":1}"])
        #expect(try render("{}") == ["           ?"])
    }

    /// A recorded value must not drive the terminal of who reads it.
    @Test func nothingRecordedReachesTheTerminalAsControl() throws {
        let hostile = #"\u001b]0;x\u0007\u001b[2J\u202Eevil\u009b\r\u0000"#
        let events = [
            #"{"type":"statement","text":"\#(hostile)","parameters":["\#(hostile)"]}"#,
            #"{"type":"rows","columns":["\#(hostile)"],"rows":[["\#(hostile)"]]}"#,
            #"{"type":"error","message":"\#(hostile)","hint":"\#(hostile)"}"#,
            #"{"type":"\#(hostile)","\#(hostile)":"\#(hostile)"}"#, #"{"type":"start","application":"\#(hostile)"}"#,
            #"{"type":"identity","principal":{"user":"\#(hostile)","groups":["\#(hostile)"]}}"#,
            #"{"type":"complete","tag":"\#(hostile)\nfake"}"#,
        ]
        for event in events {
            for line in try render(event, cellWidth: nil) {
                #expect(
                    line.unicodeScalars.allSatisfy {
                        !(0..<0x20).contains($0.value) && !(0x7F..<0xA0).contains($0.value) && $0.value != 0x202E
                    })
            }
        }
    }

    @Test func longCellsAreCutOnlyWhenAsked() throws {
        let long = String(repeating: "x", count: 100)
        let event = #"{"type":"rows","columns":["a"],"rows":[["\#(long)"]],"count":5}"#
        #expect(try render(event).contains { $0.hasSuffix("x…") && $0.count == 11 + 60 })
        #expect(try render(event, cellWidth: nil).contains { $0.hasSuffix(long) })
        #expect(try render(event).last == "           (5 rows, 1 shown)")
    }
}

@Suite struct TableTests {
    @Test func columnsLineUp() {
        var table = TextTable("NAME", "N")
        table.add("a", "1")
        table.add("日本", "22")
        #expect(table.lines() == ["NAME  N", "a     1", "日本  22"])
    }

    @Test func keysAreFoundInEitherSpelling() throws {
        let json = try JSON.parse(Data(#"{"clientAddress":"a","last_used":null,"LASTUSED":"b","n":3}"#.utf8))
        #expect(json["client_address"]?.string == "a")
        #expect(json["last_used"] == nil)
        #expect(json["n"]?.string == "3")
        #expect(json["none"] == nil)
    }

    @Test(arguments: [("30m", 1_800), ("24h", 86_400), ("7d", 604_800), ("5s", 5)])
    func spans(_ text: String, _ seconds: Int) {
        #expect(spanInSeconds(text) == seconds)
    }

    @Test(arguments: ["", "h", "0h", "-1h", "1y", "1.5h", "99999999999999999999d", "3651d", "9223372036854775807d"])
    func otherSpansAreRefused(_ text: String) {
        #expect(spanInSeconds(text) == nil)
    }

    @Test func timesAreRead() throws {
        let now = try #require(parseTime("2026-05-02T00:00:00Z"))
        #expect(timeSince("24h", now: now) == parseTime("2026-05-01T00:00:00Z"))
        #expect(timeSince("2026-05-01T12:00:00.250Z", now: now) != nil)
        #expect(timeSince("yesterday", now: now) == nil)
        #expect(forPeople(seconds: 4 * 60 + 12) == "4m12s")
        #expect(forPeople(seconds: 2 * 3600 + 5 * 60) == "2h05m")
        #expect(forPeople(seconds: 3.25) == "3.2s")
    }
}

@Suite struct TokenStoreTests {
    @Test func aTokenIsStoredForItsOwnerAlone() throws {
        let home = FileManager.default.temporaryDirectory.appendingPathComponent("gatehouse-token-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: home) }
        let store = TokenStore(environment: ["HOME": home])
        let file = try store.write("first", to: nil)
        #expect(file == home + "/.config/gatehouse/token")
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: file)
        _ = try store.write("second.token", to: nil)
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let folder = try FileManager.default.attributesOfItem(atPath: home + "/.config/gatehouse")[.posixPermissions] as? Int
        #expect(folder == 0o700)
        #expect(try store.token(file: nil).reveal() == "second.token")
        #expect(try TokenStore(environment: ["HOME": home, "GATEHOUSE_TOKEN": " from-env\n"]).token(file: nil).reveal() == "from-env")
        #expect(try TokenStore(environment: ["GATEHOUSE_TOKEN": "other"]).token(file: file).reveal() == "second.token")
    }

    @Test(arguments: ["", " ", "a b", "a\r\nX-Injected: 1", "é", "a\u{0}"])
    func whatIsNotATokenIsRefused(_ text: String) {
        #expect(throws: CommandFailure.self) { try TokenStore(environment: [:]).checked(text, from: "here") }
    }
}

@Suite struct AddressTests {
    @Test(arguments: [
        "http://gateway.example.com:9090", "ftp://127.0.0.1", "127.0.0.1:9090", "https://u:p@h", "https://h/path",
        "http://127.0.0.1.evil.com", "",
    ])
    func wouldCarryTheTokenInClearOrElsewhere(_ address: String) {
        #expect(throws: CommandFailure.self) { _ = try AdminClient(address: address, token: "t", authorityFile: nil) }
    }

    @Test(arguments: ["http://127.0.0.1:9090/", "http://[::1]:9090", "https://gateway.example.com", "http://localhost:1"])
    func isGood(_ address: String) async throws {
        await (try AdminClient(address: address, token: "t", authorityFile: nil)).shutdown()
    }

    @Test func whatGoesIntoAPathOrQueryIsEncoded() {
        #expect(percentEncoded("a b&c=d/é~") == "a%20b%26c%3Dd%2F%C3%A9~")
    }
}
