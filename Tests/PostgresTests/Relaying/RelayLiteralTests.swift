import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

/// What the recording has of statements over a masked column, while the server gets them as they are.
@Suite struct RelayLiteralTests {
    private static let secret = "078-05-1120"
    private let update = "update customers set ssn = '078-05-1120' where id = 5"
    private let shownUpdate = "update customers set ssn = '****' where id = 5"
    private let load = "copy customers (id, ssn) from stdin"

    private func bench(_ change: (RelayBench) -> Void = { _ in }) -> RelayBench {
        let bench = RelayBench()
        bench.judge.hidesUnjudged = true
        change(bench)
        return bench
    }

    private func bind(_ statement: String, _ values: [String?], format: Int16 = 0) -> Message {
        Message("B") { body in
            body.writeCString("")
            body.writeCString(statement)
            body.writeInteger(Int16(1))
            body.writeInteger(format)
            body.writeInteger(Int16(values.count))
            for value in values {
                body.writeInteger(Int32(value?.utf8.count ?? -1))
                if let value { body.writeString(value) }
            }
            body.writeInteger(Int16(1))
            body.writeInteger(Int16(1))
        }
    }

    /// The recording has as many bytes as were seen, but for what stands for others.
    private func check(_ bench: RelayBench, _ sent: [Message], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(bench.sink.clientBytes == sent.reduce(0) { $0 + $1.bytes.count }, sourceLocation: sourceLocation)
        #expect(!bench.sink.recorded.contains(Self.secret), "\(bench.recorded)", sourceLocation: sourceLocation)
    }

    @Test func aQueryIsRecordedWithoutItsConstants() throws {
        let bench = bench()
        let sent: [Message] = [.query("select 'kept'"), .query(update), .query("select 2")]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(bench.toServer == sent)
        #expect(bench.recorded == [.query("select 'kept'"), .query(shownUpdate), .query("select 2")])
        #expect(bench.sink.hiddenBytes == sent[1].bytes.count && bench.sink.hiddenValues == 1 && bench.sink.reasons == [.literals])
        #expect(bench.sink.verdicts == ["rest@0", "rest@\(sent[0].bytes.count)", "rest@\(sent[0].bytes.count + sent[1].bytes.count)"])
        check(bench, sent)
    }

    @Test func withoutMasksAllIsRecordedAsItIs() throws {
        let bench = RelayBench()
        let sent: [Message] = [.query(update), .query(load), .copyData("1\t\(Self.secret)\n"), .copyDone]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(bench.recorded == sent && bench.sink.hiddenBytes == 0)
    }

    @Test func statementsBesideEachOtherAreTakenOneByOne() throws {
        let bench = bench()
        let text = "select 'kept'; \(update) -- \(Self.secret)\n; select 'kept'"
        try bench.client(.query(text))
        #expect(bench.recorded == [.query("select 'kept'; \(shownUpdate) -- ****\n; select 'kept'")])
    }

    @Test(arguments: [Int16(0), 1])
    func aStatementOfManyBinds(format: Int16) throws {
        let bench = bench()
        let text = "update customers set ssn = $1, name = $2 where id = $3"
        let sent: [Message] = [
            .parse("s", text), bind("s", [Self.secret, "Bob", "5"], format: format), .execute(""),
            bind("s", [nil, nil, "6"], format: format),
            .execute(""), bind("s", ["", "078", "7"], format: format), .execute(""), .sync,
        ]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(bench.toServer.filter { $0.bytes[0] != UInt8(ascii: "D") } == sent)
        #expect(
            bench.recorded.filter { $0.bytes[0] == UInt8(ascii: "B") } == [
                bind("s", ["****", "Bob", "5"], format: format), bind("s", [nil, nil, "6"], format: format),
                bind("s", ["****", "078", "7"], format: format),
            ])
        #expect(bench.recorded.first == .parse("s", text))
        check(bench, sent)
    }

    /// Its Parse was long ago, under another policy.
    @Test func aBindOfAStatementThatIsJudgedAnew() throws {
        let bench = bench()
        try bench.client(.parse("s", "select id from customers where ssn = $1 and id = $2"), .sync)
        try bench.server(.parseComplete, .ready())
        bench.judge.changePolicy()
        bench.forget()
        let bound = bind("s", [Self.secret, "5"])
        try bench.client(bound)
        #expect(bench.recorded == [bind("s", ["****", "5"])])
        #expect(bench.toServer == [bound])
    }

    @Test func literalsInAParse() throws {
        let bench = bench()
        let types = Message("P") { body in
            body.writeCString("s")
            body.writeCString(update)
            body.writeInteger(Int16(1))
            body.writeInteger(UInt32(25))
        }
        try bench.client(types)
        #expect(bench.toServer == [types])
        #expect(
            bench.recorded == [
                Message("P") { body in
                    body.writeCString("s")
                    body.writeCString(shownUpdate)
                    body.writeInteger(Int16(1))
                    body.writeInteger(UInt32(25))
                }
            ])
    }

    @Test func whatIsDeniedIsHiddenToo() throws {
        let bench = bench { $0.judge.deniedKinds = ["update"] }
        let sent: [Message] = [.query(update), .parse("", update), bind("", [Self.secret]), .execute(""), .sync]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(!bench.sink.toServer.contains("update"))
        #expect(bench.kept == [.query(update), .parse("", update)])
        #expect(bench.recorded.prefix(3) == [.query(shownUpdate), .parse("", shownUpdate), bind("", ["****"])])
        check(bench, sent)
    }

    /// Nobody judges what comes behind an error, and the server passes over it.
    @Test func whatComesBehindAnErrorIsHidden() throws {
        let bench = bench()
        try bench.client(.parse("", "select 1/0"), .bind("", ""), .execute(""), .flush)
        try bench.server(.parseComplete, .bindComplete, .error("22012", "division by zero"))
        #expect(bench.machine.pending.isSkipping)
        bench.forget()
        let sent: [Message] = [.parse("x", update), bind("x", [Self.secret, nil]), .execute(""), .sync]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(bench.toServer == sent)
        #expect(
            bench.recorded == [
                .parse("x", "update **** set **** = '****' where **** = '****'"), bind("x", ["****", nil]), .execute(""), .sync,
            ])
    }

    /// What detectors find is kept for nobody; of what nobody looks into it is not known what they would find.
    @Test func whatNobodyLooksIntoIsKeptOnlyWithoutDetectors() throws {
        for redactor in [nil, try Redactor(Detector.builtIn.map { Redactor.Choice(detector: $0) })] {
            let bench = bench { $0.judge.keepsClientOriginals = true }
            try bench.client(.parse("", "select 1/0"), .bind("", ""), .execute(""), .flush)
            try bench.server(.parseComplete, .bindComplete, .error("22012", "division by zero"))
            bench.forget()
            bench.judge.redactor = redactor
            try bench.client(.parse("x", update), bind("x", [Self.secret, nil]), .execute(""), .sync)
            #expect(bench.sink.keepsHidden == [redactor == nil, redactor == nil])
        }
    }

    @Test(arguments: [true, false])
    func whatIsHeldIsHiddenWhateverIsDecided(isGranted: Bool) throws {
        let bench = bench { $0.judge.heldKinds = ["update"] }
        let text = "update customers set ssn = $1 where id = $2"
        let sent: [Message] = [
            .parse("a", "select 'kept'"), .parse("s", text), .parse("t", "delete from customers where ssn = '078-05-1120'"),
            bind("s", [Self.secret, "5"]), .execute(""), .sync,
        ]
        try bench.client(bytes: sent.flatMap(\.bytes))
        let held = try #require(bench.held)
        #expect(bench.sink.recorded.isEmpty)
        guard case .statement(let original, _, let parameters?) = held.what else { throw ProtocolViolation("nothing is held") }
        #expect(String(buffer: original) == text && parameters.shown == [Self.secret, "5"])
        #expect(held.judgement.shown(parameters, nil) == ["****", "5"])
        try bench.settle(
            isGranted
                ? .granted(approval: "apr-1") : .refused(Verdict(decision: .deny, rule: "ask", category: .approval)))
        #expect(bench.toServer.contains(sent[3]) == isGranted)
        #expect(
            bench.recorded.prefix(4) == [
                sent[0], sent[1], .parse("t", "delete from customers where ssn = '****'"), bind("s", ["****", "5"]),
            ])
        check(bench, sent)
    }

    @Test func theApproverSeesAMaskedText() throws {
        let bench = bench { $0.judge.heldKinds = ["update"] }
        try bench.client(.query(update))
        let held = try #require(bench.held)
        #expect(held.judgement.shown(ByteBuffer(string: update), nil) == shownUpdate)
        guard case .statement(let original, _, _) = held.what else { throw ProtocolViolation("nothing is held") }
        #expect(String(buffer: original) == update)
    }

    @Test func aSessionThatEndsWhileItIsHeldRecordsNoSecret() throws {
        let bench = bench { $0.judge.heldKinds = ["update"] }
        try bench.client(.parse("t", "delete from customers where ssn = '078-05-1120'"), .query(update))
        #expect(bench.held != nil)
        var sink = bench.sink
        bench.machine.dropWithheld(&sink)
        #expect(bench.recorded == [.parse("t", "delete from customers where ssn = '****'")])
    }

    @Test(arguments: ["select 'open", "update customers set ssn = '078-05-1120", "select /* 078-05-1120"])
    func aTextThatCannotBeCutIsWithheldWhole(text: String) throws {
        let bench = bench()
        try bench.client(.query(text))
        #expect(bench.toServer == [.query(text)])
        #expect(bench.recorded == [.query("****")] && bench.sink.reasons == [.unreadable])
    }

    @Test func aSyntaxErrorDoesNotQuoteTheText() throws {
        let bench = bench { $0.judge.revealsUnparsed = true }
        try bench.client(.query("update customers set ssn '078-05-1120'"))
        #expect(bench.recorded == [.query("update **** set **** '****'")])
        try bench.server(
            Message("E") { body in
                for (field, value) in [("S", "ERROR"), ("V", "ERROR"), ("C", "42601"), ("M", "at or near \"'078-05-1120'\""), ("P", "26")] {
                    body.writeString(field)
                    body.writeCString(value)
                }
                body.writeInteger(UInt8(0))
            }, .ready())
        #expect(!bench.sink.toClient.contains(Self.secret) && bench.sink.toClient.contains("42601"))
    }

    @Test func aBrokenBindIsWithheld() throws {
        let bench = bench()
        try bench.client(.parse("", "select id from customers where ssn = $1"))
        let broken = Message("B") { body in
            body.writeCString("")
            body.writeCString("")
            body.writeInteger(Int16(0))
            body.writeInteger(Int16(7))
            body.writeInteger(Int32(11))
            body.writeString(Self.secret)
        }
        try bench.client(broken)
        #expect(bench.toServer.last == broken)
        #expect(!bench.sink.recorded.contains(Self.secret) && bench.sink.reasons == [.unreadable])
    }

    @Test func aFunctionCallsArguments() throws {
        let bench = bench()
        let call = Message("F") { body in
            body.writeInteger(Int32(1))
            body.writeInteger(Int16(0))
            body.writeInteger(Int16(1))
            body.writeInteger(Int32(11))
            body.writeString(Self.secret)
            body.writeInteger(Int16(0))
        }
        try bench.client(call)
        #expect(bench.toServer == [call])
        #expect(!bench.sink.recorded.contains(Self.secret) && bench.recorded.count == 1)
    }

    // MARK: - COPY

    /// What the client's CopyData messages say together.
    private func data(_ messages: [Message]) -> String {
        String(decoding: messages.filter { $0.bytes[0] == UInt8(ascii: "d") }.flatMap { $0.bytes.dropFirst(5) }, as: UTF8.self)
    }

    @Test func copyDataIsRecordedWithItsMask() throws {
        let bench = bench()
        let sent: [Message] = [
            .query(load), .copyData("1\t\(Self.secret)\n2\t\\N\n3"), .copyData("\t078"), .copyData("-05-1120\n"), .copyDone,
            .query("select 1"),
        ]
        try bench.client(sent[0])
        try bench.server(.copyIn)
        try bench.client(bytes: sent[1...].flatMap(\.bytes))
        try bench.server(.complete("COPY 3"), .ready(), .complete("SELECT 1"), .ready())
        #expect(bench.toServer == sent)
        #expect(data(bench.recorded) == "1\t****\n2\t\\N\n3\t****\n")
        #expect(bench.recorded.last == .query("select 1") && bench.recorded.contains(.copyDone))
        #expect(bench.sink.hiddenValues == 2 && bench.sink.reasons == [.copyData])
        check(bench, sent)
    }

    @Test func copyDataThatCannotBeFollowedIsWithheldAndForwarded() throws {
        for bad in ["1\t\(Self.secret)\tx\ty\n", "1\t\(Self.secret)\r2\t\(Self.secret)\r"] {
            let bench = bench()
            let sent: [Message] = [
                .query(load), .copyData("1\t\(Self.secret)\n"), .copyData(bad), .copyData("3\t\(Self.secret)\n"), .copyDone,
            ]
            try bench.client(sent[0])
            try bench.server(.copyIn)
            for message in sent.dropFirst() { try bench.client(message) }
            #expect(bench.toServer == sent)
            #expect(data(bench.recorded) == "1\t****\n" && bench.sink.reasons == [.copyData, .unreadable])
            check(bench, sent)
        }
        // The server is going to read something else than was planned for.
        let bench = bench()
        try bench.client(.query(load))
        try bench.server(.copy("G", columns: 3))
        try bench.client(.copyData("1\t\(Self.secret)\n"))
        #expect(data(bench.recorded).isEmpty)
        // Options that say how the data looks, and are not known here.
        let other = self.bench()
        try other.client(.query("copy customers (id, ssn) from stdin (encoding 'latin1')"), .copyData("1\t\(Self.secret)\n"))
        #expect(data(other.recorded).isEmpty)
    }

    @Test func strayCopyDataIsWithheld() throws {
        let bench = bench()
        let sent: [Message] = [.copyData(Self.secret), .query("select 1"), .copyData(Self.secret)]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(bench.toServer == sent && bench.recorded == [.query("select 1")])
        check(bench, sent)
    }

    @Test func aCopyOfSomethingElseIsRecordedAsItIs() throws {
        let bench = bench()
        let sent: [Message] = [.query("copy t from stdin"), .copyData("078-05-1121\n"), .copyDone]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(bench.recorded == sent)
    }

    @Test func copiesOfOneTextHaveTheirOwnData() throws {
        let bench = bench()
        let sent: [Message] = [
            .query("\(load); \(load) (format csv, header)"), .copyData("1\t\(Self.secret)\n"), .copyDone,
            .copyData("2,\(Self.secret)\n3,\"\(Self.secret)\"\n"),
            .copyDone,
        ]
        try bench.client(bytes: sent.flatMap(\.bytes))
        #expect(data(bench.recorded) == "1\t****\n2,****\n3,\"****\"\n")
        check(bench, sent)
    }

    @Test func copyInOfTheExtendedProtocol() throws {
        let bench = bench()
        try bench.client(.parse("", load), .bind("", ""), .execute(""), .sync)
        try bench.server(.parseComplete, .bindComplete, .noData, .copyIn)
        try bench.client(.copyData("1\t\(Self.secret)\n"), .copyDone, .sync)
        #expect(data(bench.recorded) == "1\t****\n")
    }

    @Test func dataBehindAFailedCopyIsHidden() throws {
        let bench = bench()
        try bench.client(.query(load))
        try bench.server(.copyIn)
        try bench.client(.copyData("1\t\(Self.secret)\n"))
        try bench.server(.error("22P04", "bad row"), .ready())
        try bench.client(.copyData("2\t\(Self.secret)\n"), .copyFail("stop"), .copyData("3\t\(Self.secret)\n"), .query("select 1"))
        #expect(!bench.sink.recorded.contains(Self.secret))
        #expect(bench.recorded.last == .query("select 1"))
    }

    // MARK: - Cuts

    @Test func oneByteAtATime() throws {
        let whole = bench()
        let cut = bench()
        let copied: [Message] = [.query(load), .copyData("1\t\(Self.secret)\n2"), .copyData("\t\(Self.secret)\n"), .copyDone]
        let sent: [Message] = [
            .query(update), .parse("s", "select id from customers where ssn = $1 and id = $2"), bind("s", [Self.secret, "5"]), .execute(""),
            .sync,
        ]
        for bench in [whole, cut] {
            let pieces = { (bytes: [UInt8]) in bench === whole ? [bytes] : bytes.map { [$0] } }
            for piece in pieces(sent.flatMap(\.bytes)) { try bench.client(bytes: piece) }
            try bench.server(
                .complete("UPDATE 1"), .ready(), .parseComplete, .bindComplete, .columns("id"), .row("1"), .complete("SELECT 1"), .ready())
            for piece in pieces(copied[0].bytes) { try bench.client(bytes: piece) }
            try bench.server(.copyIn)
            for piece in pieces(copied[1...].flatMap(\.bytes)) { try bench.client(bytes: piece) }
            check(bench, sent + copied)
            #expect(bench.toServer.filter { $0.bytes[0] != UInt8(ascii: "D") } == sent + copied)
        }
        #expect(data(cut.recorded) == data(whole.recorded) && data(whole.recorded) == "1\t****\n2\t****\n")
        let others = { (bench: RelayBench) in bench.recorded.filter { $0.bytes[0] != UInt8(ascii: "d") } }
        #expect(others(cut) == others(whole))
        #expect(others(whole).prefix(3) == [.query(shownUpdate), sent[1], bind("s", ["****", "5"])])
    }
}
