import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

@Suite struct RelayDenialTests {
    let drop = "drop table t"

    @Test func aDeniedQueryNeverReachesTheServer() throws {
        let bench = RelayBench()
        try bench.client(.query(drop), .query("select 1"))
        #expect(bench.toServer == [.injected(.failingQuery("no-drop")), .query("select 1")])
        #expect(bench.kept == [.query(drop)])
        #expect(bench.sink.injected == ["no-drop"])
        #expect(bench.sink.verdicts == ["no-drop@0", "rest@\(Message.query(drop).bytes.count)"])
        #expect(bench.judge.forwardedTexts == ["select $1"])
        try bench.server(.syntaxError, .ready("E"), .columns("a"), .complete("SELECT 0"), .ready("I"))
        #expect(bench.toClient == [.denial, .ready("E"), .columns("a"), .complete("SELECT 0"), .ready("I")])
        #expect(bench.machine.counters.denied == 1)
        #expect(bench.machine.isQuiet)
    }

    @Test func oneDeniedStatementDeniesTheWholeText() throws {
        let bench = RelayBench()
        try bench.client(.query("select 1; drop table t"))
        #expect(bench.toServer == [.injected(.failingQuery("no-drop"))])
    }

    @Test func aDeniedParseFailsAndThePipelineIsSkippedUpToTheSync() throws {
        let bench = RelayBench()
        try bench.client(.parse("s", drop), .bind("", "s"), .execute(""), .sync, .query("select 1"))
        #expect(bench.toServer == [.injected(.failingParse("no-drop")), .bind("", "s"), .execute(""), .sync, .query("select 1")])
        try bench.server(.syntaxError, .ready(), .complete("SELECT 0"), .ready())
        #expect(bench.toClient == [.denial, .ready(), .complete("SELECT 0"), .ready()])
        #expect(bench.machine.isQuiet)
        #expect(!bench.machine.statements.isKnown(ServerName(known: "s")))
    }

    @Test func whatIsBehindAnErrorIsSkippedEvenWhereTheSyncIsYetToCome() throws {
        let bench = RelayBench()
        try bench.client(.parse("", drop), .flush)
        try bench.server(.syntaxError)
        #expect(bench.machine.pending.isSkipping)
        bench.forget()
        // The server ignores these, so they are passed, and stand for nothing.
        try bench.client(.query("select 1"), .parse("x", "select 1"), .bind("p", "x"), .execute("p"), .describe("P", "p"), .copyDone)
        #expect(bench.machine.pending.isEmpty)
        #expect(bench.sink.verdicts.isEmpty)
        try bench.client(.sync)
        try bench.server(.ready())
        #expect(!bench.machine.statements.isKnown(ServerName(known: "x")))
        #expect(bench.machine.isQuiet)
    }

    @Test func skippedMessagesMustBeOnesThatAClientSends() throws {
        let bench = RelayBench()
        try bench.client(.parse("", drop))
        try bench.server(.syntaxError)
        #expect(throws: ProtocolViolation.self) { try bench.client(Message("p")) }
    }

    @Test func aBindIsDeniedOncePolicyChanged() throws {
        let bench = RelayBench()
        try bench.client(.parse("s", "delete from t where a = 1"), .sync)
        try bench.server(.parseComplete, .ready())
        bench.judge.changePolicy(denying: ["delete"])
        bench.forget()
        try bench.client(.bind("p", "s"), .execute("p"), .sync)
        #expect(bench.toServer == [.injected(.failingBind), .execute("p"), .sync])
        #expect(bench.kept == [.bind("p", "s")])
        try bench.server(.error("26000", "no such statement"), .ready())
        #expect(bench.toClient == [.denial, .ready()])
        #expect(!bench.machine.portals.isKnown(ServerName(known: "p")))
        #expect(bench.machine.statements.isKnown(ServerName(known: "s")))
        #expect(bench.machine.isQuiet)
    }

    @Test func anExecuteIsDeniedOncePolicyChanged() throws {
        let bench = RelayBench()
        try bench.client(.parse("s", "delete from t where a = 1"), .bind("p", "s"), .flush)
        try bench.server(.parseComplete, .bindComplete)
        bench.judge.changePolicy(denying: ["delete"])
        bench.forget()
        try bench.client(.execute("p"), .sync)
        #expect(bench.toServer == [.injected(.failingExecute), .sync])
        #expect(bench.judge.forwardedTexts.isEmpty)
        try bench.server(.error("34000", "no such portal"), .ready())
        #expect(bench.toClient == [.denial, .ready()])
    }

    @Test func namesThatTheProtocolDidNotMakeAreJudgedAsRequests() throws {
        let bench = RelayBench()
        bench.judge.deniedRequests = ["bind"]
        try bench.client(.bind("", "by_sql"), .sync)
        #expect(bench.toServer == [.injected(.failingBind), .sync])
        try bench.server(.error("26000", "no"), .ready())
        bench.judge.deniedRequests = ["fetch"]
        bench.forget()
        try bench.client(.execute("cursor"), .sync)
        #expect(bench.toServer == [.injected(.failingExecute), .sync])
    }

    @Test func aPipelineWithADenialInItsMiddle() throws {
        let bench = RelayBench()
        try bench.client(
            .parse("", "select 1"), .bind("", ""), .execute(""), .parse("", drop), .bind("", ""), .execute(""), .sync,
            .parse("", "select 2"), .bind("", ""), .execute(""), .sync)
        #expect(!bench.sink.toServer.contains(drop))
        try bench.server(.parseComplete, .bindComplete, .row("1"), .complete("SELECT 1"), .syntaxError, .ready())
        try bench.server(.parseComplete, .bindComplete, .row("2"), .complete("SELECT 1"), .ready())
        #expect(
            bench.toClient == [
                .parseComplete, .bindComplete, .row("1"), .complete("SELECT 1"), .denial, .ready(), .parseComplete, .bindComplete,
                .row("2"), .complete("SELECT 1"), .ready(),
            ])
        #expect(bench.machine.isQuiet)
    }

    @Test func theServersLastWordsAreItsOwn() throws {
        let bench = RelayBench()
        try bench.client(.query(drop))
        let last = Message.error("57P01", "terminating", severity: "FATAL")
        try bench.server(last)
        #expect(bench.toClient == [last])
    }

    @Test func backslashesAreDeniedWhileTheirReadingIsUncertain() throws {
        let bench = RelayBench()
        bench.judge.stringSettingIsUncertain = true
        try bench.client(.query(#"select 'a\b'"#), .query("select 'ab'"))
        #expect(bench.toServer == [.injected(.failingQuery("strings")), .query("select 'ab'")])
    }

    @Test func aRulesNameCannotEndTheInjectedText() {
        let message = Message.injected(.failingQuery("a'; drop table t; --\0é"))
        #expect(message == .query("denied by gatehouse rule a___drop_table_t______"))
    }
}

extension [UInt8] {
    func contains(_ text: String) -> Bool { String(decoding: self, as: UTF8.self).contains(text) }
}
