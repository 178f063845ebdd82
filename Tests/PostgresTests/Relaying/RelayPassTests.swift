import Analysis
import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

@Suite struct RelayPassTests {
    @Test func aQueryAndItsAnswerPassAsTheyAre() throws {
        let bench = RelayBench()
        let query = Message.query("select 1")
        let answer: [Message] = [.columns("a"), .row("1"), .notice("hm"), .complete("SELECT 1"), .ready()]
        #expect(try bench.client(query) == .needsBytes)
        #expect(!bench.machine.isQuiet)
        for message in answer { try bench.server(message) }
        #expect(bench.toServer == [query])
        #expect(bench.toClient == answer)
        #expect(bench.sink.verdicts == ["rest@0"])
        #expect(bench.judge.forwardedTexts == ["select $1"])
        #expect(bench.judge.completedTexts == ["select $1"])
        #expect(bench.machine.isQuiet)
        #expect(bench.machine.counters.statements == 1)
        #expect(bench.machine.counters.rows == 1)
        #expect(bench.judge.idleTimes == 1)
    }

    @Test func theExtendedProtocolPassesAndOffsetsAreThoseOfTheClientsStream() throws {
        let bench = RelayBench()
        let asked: [Message] = [.parse("s", "select 1"), .describe("S", "s"), .bind("", "s"), .execute(""), .close("S", "s"), .sync]
        let answer: [Message] = [
            .parseComplete, .parameters, .columns("a"), .bindComplete, .row("1"), .complete("SELECT 1"), .closeComplete, .ready(),
        ]
        try bench.client(bytes: asked.flatMap(\.bytes))
        try bench.server(bytes: answer.flatMap(\.bytes))
        #expect(bench.toServer == asked)
        #expect(bench.toClient == answer)
        let execute = asked[..<3].reduce(0) { $0 + $1.bytes.count }
        #expect(bench.sink.verdicts == ["rest@0", "rest@\(execute)"])
        #expect(bench.machine.isQuiet)
        #expect(!bench.machine.statements.isKnown(ServerName(known: "s")))
    }

    @Test func suspendedPortalsAndEmptyQueriesAreAnswers() throws {
        let bench = RelayBench()
        try bench.client(.parse("", "select 1"), .bind("p", ""), .execute("p"), .execute("p"), .sync, .query(""))
        try bench.server(.parseComplete, .bindComplete, .row("1"), .suspended, .row("2"), .complete("SELECT 1"), .ready())
        #expect(bench.machine.pending.count == 1)
        try bench.server(.emptyQuery, .ready())
        #expect(bench.machine.isQuiet)
    }

    @Test func nothingPassesBehindTheGoodbye() throws {
        let bench = RelayBench()
        #expect(try bench.client(.query("select 1"), .terminate, .query("select 2")) == .terminated)
        #expect(bench.toServer == [.query("select 1"), .terminate])
    }

    @Test func functionCallsAreJudged() throws {
        let bench = RelayBench()
        try bench.client(.functionCall)
        try bench.server(Message("V") { $0.writeInteger(Int32(-1)) }, .ready())
        #expect(bench.toServer == [.functionCall])
        bench.judge.deniedRequests = ["function_call"]
        bench.forget()
        try bench.client(.functionCall)
        #expect(bench.toServer == [.injected(.failingQuery("request-function_call"))])
        #expect(bench.kept == [.functionCall])
        try bench.server(.syntaxError, .ready())
        #expect(bench.machine.isQuiet)
        #expect(bench.sink.replaced == [.denial])
    }

    @Test func whatComesUnaskedPasses() throws {
        let bench = RelayBench()
        let said: [Message] = [
            .notice("hello"), .status("TimeZone", "UTC"), Message("A") { $0.writeBytes([0, 0, 0, 1, 65, 0, 0]) },
            .error("57P01", "shutdown", severity: "FATAL"),
        ]
        try bench.server(bytes: said.flatMap(\.bytes))
        #expect(bench.toClient == said)
    }

    @Test(arguments: [("client_encoding", "SJIS"), ("standard_conforming_strings", "off"), ("Client_Encoding", "LATIN1")])
    func aSessionEndsWhenTextsWouldBeReadOtherwise(name: String, value: String) throws {
        let bench = RelayBench()
        let violation = #expect(throws: ProtocolViolation.self) { try bench.server(.notice("before"), .status(name, value)) }
        #expect(violation?.code == .insufficientPrivilege)
        #expect(bench.toClient == [.notice("before")])
    }

    @Test func aLongTextIsAnalysedElsewhereAndGoesOnAfterwards() throws {
        let bench = RelayBench { $0.inlineStatementBytes = 64 }
        let text = "select '" + String(repeating: "x", count: 200) + "'"
        guard case .needsAnalysis(let asked) = try bench.client(.query(text)) else {
            Issue.record("the text was to be analysed elsewhere")
            return
        }
        #expect(String(buffer: asked) == text)
        #expect(bench.toServer.isEmpty && bench.machine.pending.isEmpty)
        // An answer for another place of the stream is not this text's.
        bench.machine.finishedAnalysis = (1, StatementAnalyzer.analyze(UnsafeRawBufferPointer(start: nil, count: 0), statementBytes: 1))
        #expect(try bench.client(bytes: []) == .needsAnalysis(asked))
        bench.machine.finishedAnalysis = (bench.machine.clientOffset, asked.withUnsafeReadableBytes { StatementAnalysis.of($0) })
        #expect(try bench.client(bytes: []) == .needsBytes)
        #expect(bench.toServer == [.query(text)])
        #expect(bench.machine.finishedAnalysis == nil)
    }

    @Test func nothingPassesWhileTheCatalogIsRead() throws {
        let bench = RelayBench()
        bench.judge.catalogsNeeded = 1
        #expect(try bench.client(.flush, .query("select 1"), .query("select 2")) == .needsCatalog)
        #expect(bench.toServer == [.flush])
        #expect(bench.sink.verdicts.isEmpty)
        try bench.client(bytes: [])
        #expect(bench.toServer == [.flush, .query("select 1"), .query("select 2")])
        #expect(bench.sink.verdicts == ["rest@5", "rest@19"])
    }
}
