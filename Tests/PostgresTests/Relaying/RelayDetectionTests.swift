import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

@Suite struct RelayDetectionTests {
    private func bench() throws -> RelayBench {
        let bench = RelayBench()
        bench.judge.redactor = try Redactor(Detector.builtIn.map { Redactor.Choice(detector: $0) })
        return bench
    }

    @Test func rowsWithoutAnythingPassAsTheyCame() throws {
        let bench = try bench()
        try bench.client(.query("select id, note from customers"))
        try bench.server(.columns("id", "note"), .row("1", "nothing"), .row("2", nil), .complete("SELECT 2"), .ready())
        #expect(bench.toClient == [.columns("id", "note"), .row("1", "nothing"), .row("2", nil), .complete("SELECT 2"), .ready()])
        #expect(bench.sink.replaced.isEmpty)
    }

    @Test func theRowWithSomethingInItIsReplaced() throws {
        let bench = try bench()
        try bench.client(.query("select id, note from customers"))
        var rows: [Message] = [.columns("id", "note")]
        var wanted = rows
        for number in 0..<500 {
            let note = number % 100 == 42 ? "to a@example.com" : "words and more words of row \(number)"
            rows.append(.row(String(number), note))
            wanted.append(.row(String(number), number % 100 == 42 ? "to [email]" : note))
        }
        try bench.server(bytes: rows.flatMap(\.bytes))
        #expect(bench.toClient == wanted)
        #expect(bench.sink.replaced == [.mask])
        #expect(bench.machine.counters.rows == 500)
        // Cut anywhere.
        for size in [1, 13, 1_000] {
            let other = try self.bench()
            try other.client(.query("select id, note from customers"))
            let bytes = rows.flatMap(\.bytes)
            for start in stride(from: 0, to: bytes.count, by: size) {
                try other.server(bytes: Array(bytes[start..<min(bytes.count, start + size)]))
            }
            #expect(other.toClient == wanted)
        }
    }

    @Test func aNamedMaskComesFirst() throws {
        let bench = try bench()
        try bench.client(.query("select ssn, note from customers"))
        try bench.server(.columns("ssn", "note"), .row("a@example.com", "b@example.com"), .row("x", "y"), .complete("SELECT 2"), .ready())
        #expect(bench.toClient.contains(.row("****", "[email]")))
        #expect(bench.toClient.contains(.row("****", "y")))
    }

    @Test func messagesSettingsAndNotificationsAreSearched() throws {
        let bench = try bench()
        try bench.client(.query("select 1"))
        try bench.server(.notice("hello a@example.com"), .error("22P02", "invalid input: \"b@example.com\""), .ready())
        let notification = Message("A") {
            $0.writeInteger(Int32(7))
            $0.writeCString("orders")
            $0.writeCString("card 4111 1111 1111 1111")
        }
        let parameter = Message("S") {
            $0.writeCString("application_name")
            $0.writeCString("of c@example.com")
        }
        try bench.server(notification, parameter)
        let seen = String(decoding: bench.sink.toClient, as: UTF8.self)
        #expect(!seen.contains("@example.com") && !seen.contains("4111"))
        #expect(
            seen.contains("hello [email]") && seen.contains("22P02") && seen.contains("invalid input: \"[email]\"")
                && seen.contains("card [card]") && seen.contains("of [email]"))
        #expect(bench.sink.serverBytes > 0)
    }

    @Test func copyDataIsSearched() throws {
        let bench = try bench()
        try bench.client(.query("copy customers to stdout"))
        try bench.server(.copy("H", columns: 2), .copyData("1\tplain\n"), .copyData("2\ta@example.com\n"), .copyData("3\tplain\n"))
        #expect(bench.toClient.dropFirst() == [.copyData("1\tplain\n"), .copyData("2\t[email]\n"), .copyData("3\tplain\n")])
    }

    // MARK: What the client says

    @Test func whatTheClientSaysIsRecordedWithoutFindings() throws {
        let bench = try bench()
        let bind = { (value: String) in
            Message("B") { body in
                body.writeCString("")
                body.writeCString("s")
                for number in [0, 2] as [Int16] { body.writeInteger(number) }
                for value in [value, "5"] {
                    body.writeInteger(Int32(value.utf8.count))
                    body.writeString(value)
                }
                body.writeInteger(Int16(0))
            }
        }
        let sent: [Message] = [
            .query("select 1 -- of a@example.com"), .query("select 'plain'"), .parse("s", "select $1, $2, 'b@example.com'"),
            bind(#"{"k":"c\u0040example.com"}"#), .execute(""), .sync,
        ]
        try bench.client(bytes: sent.flatMap(\.bytes))
        try bench.server(.columns("x"), .complete("SELECT 0"), .ready(), .columns("x"), .complete("SELECT 0"), .ready())
        #expect(bench.toServer.filter { $0.bytes.first != UInt8(ascii: "D") } == sent)
        #expect(
            bench.recorded == [
                .query("select 1 -- of [email]"), .query("select 'plain'"), .parse("s", "select $1, $2, '[email]'"), bind("****"),
                .execute(""),
                .sync,
            ])
        #expect(bench.sink.reasons == [.findings, .parameters])
    }

    @Test func whatIsCopiedInIsRecordedWithoutFindings() throws {
        let bench = try bench()
        bench.judge.searchesCopies = true
        let sent: [Message] = [.query("copy other from stdin")]
        try bench.client(bytes: sent.flatMap(\.bytes))
        try bench.server(.copy("G", columns: 2))
        try bench.client(.copyData("1\tplain\n2\ta@exam"), .copyData("ple.com\n"), .copyDone)
        #expect(bench.toServer == sent + [.copyData("1\tplain\n2\ta@exam"), .copyData("ple.com\n"), .copyDone])
        let recorded = bench.recorded.map(\.bytes).joined().map { $0 }
        #expect(!recorded.contains("a@exam") && recorded.contains("[email]") && recorded.contains("1\tplain"))
    }
}
