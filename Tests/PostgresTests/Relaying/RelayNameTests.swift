import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

/// Names whose meaning is not settled when they are used.
@Suite struct RelayNameTests {
    let secret = "select ssn from customers"

    /// The unnamed statement is parsed anew and run before the server said anything.
    @Test func aPipelinedStatementIsNotTakenForTheOneBefore() throws {
        let bench = RelayBench()
        try bench.client(.parse("", "select 1"), .bind("", ""), .execute(""), .sync)
        try bench.server(.parseComplete, .bindComplete, .row("1"), .complete("SELECT 1"), .ready())
        bench.forget()
        try bench.client(.parse("", secret), .bind("", ""), .execute(""), .sync)
        #expect(bench.toServer == [.parse("", secret), .bind("", ""), .injectedDescribe(""), .execute(""), .sync])
        try bench.server(.parseComplete, .bindComplete, .columns("ssn"), .row("123"), .complete("SELECT 1"), .ready())
        #expect(bench.toClient == [.parseComplete, .bindComplete, .row("****"), .complete("SELECT 1"), .ready()])
    }

    /// A Sync lies between: if the Parse fails, the old statement is bound. Both must be held against the masks.
    @Test(arguments: [false, true])
    func bothMeaningsCount(_ secretIsFirst: Bool) throws {
        let bench = RelayBench()
        let texts = secretIsFirst ? [secret, "select 1"] : ["select 1", secret]
        try bench.client(.parse("", texts[0]), .sync)
        try bench.server(.parseComplete, .ready())
        bench.forget()
        try bench.client(.parse("", texts[1]), .sync, .bind("", ""), .execute(""), .sync)
        #expect(bench.sink.verdicts.count == 3)
        #expect(bench.toServer.contains(.injectedDescribe("")))
        try bench.server(.parseComplete, .ready(), .bindComplete, .columns("ssn"), .row("123"), .complete("SELECT 1"), .ready())
        #expect(bench.toClient == [.parseComplete, .ready(), .bindComplete, .row("****"), .complete("SELECT 1"), .ready()])
        #expect(bench.judge.completedTexts.count == 2)
    }

    @Test func oneDeniedMeaningIsEnough() throws {
        let bench = RelayBench()
        try bench.client(.parse("s", "delete from t where a = 1"), .sync)
        try bench.server(.parseComplete, .ready())
        try bench.client(.close("S", "s"), .parse("s", "select 1"), .sync)
        bench.judge.changePolicy(denying: ["delete"])
        bench.forget()
        try bench.client(.bind("", "s"), .sync)
        #expect(bench.toServer == [.injected(.failingBind), .sync])
        // Once it is settled, only what it stands for counts.
        try bench.server(.closeComplete, .parseComplete, .ready(), .error("26000", "no"), .ready())
        bench.forget()
        try bench.client(.bind("", "s"), .sync)
        #expect(bench.toServer == [.bind("", "s"), .sync])
    }

    @Test func aFailedParseLeavesTheNameAsItWas() throws {
        let bench = RelayBench()
        try bench.client(.parse("s", "select 1"), .sync, .parse("s", "delete from t where a = 1"), .sync)
        try bench.server(.parseComplete, .ready(), .error("42P05", "exists"), .ready())
        bench.judge.changePolicy(denying: ["delete"])
        bench.forget()
        try bench.client(.bind("", "s"), .sync)
        #expect(bench.toServer == [.bind("", "s"), .sync])
    }

    @Test func candidatesDoNotPileUp() throws {
        let bench = RelayBench()
        for round in 0..<200 {
            let text = "select \(round) as c\(round)"
            try bench.client(.parse("", text), .bind("", ""), .execute(""), .sync)
            try bench.server(.parseComplete, .bindComplete, .complete("SELECT 0"), .ready())
            if round % 3 == 0 {
                try bench.client(.parse("", text + ", 1"), .sync, .bind("", ""), .sync)
                try bench.server(.parseComplete, .ready(), .bindComplete, .ready())
            }
        }
        #expect(bench.machine.statements.judgements(of: ServerName(known: ""), in: .max).count == 1)
        #expect(bench.machine.portals.judgements(of: ServerName(known: ""), in: .max).count <= 2)
    }

    @Test func aNameThatSQLGaveAsWellIsJudgedForBoth() throws {
        let bench = RelayBench()
        try bench.client(.parse("s", "select 1"), .sync)
        try bench.server(.parseComplete, .ready())
        bench.judge.sqlNames = ["s"]
        bench.forget()
        try bench.client(.bind("", "s"), .execute(""), .sync)
        #expect(bench.toServer == [.bind("", "s"), .injectedDescribe(""), .execute(""), .sync])
        try bench.server(.bindComplete, .columns("ssn"), .row("123"), .complete("SELECT 1"), .ready())
        #expect(bench.toClient == [.bindComplete, .row("****"), .complete("SELECT 1"), .ready()])
        bench.judge.deniedRequests = ["s"]
        bench.forget()
        try bench.client(.bind("", "s"), .sync)
        #expect(bench.toServer == [.injected(.failingBind), .sync])
    }

    @Test func portalsEndWithTheirTransaction() throws {
        let bench = RelayBench()
        try bench.client(.parse("s", "select 1"), .bind("p", "s"), .sync)
        try bench.server(.parseComplete, .bindComplete, .ready("T"))
        #expect(bench.machine.portals.isKnown(ServerName(known: "p")))
        try bench.client(.query("commit"))
        try bench.server(.complete("COMMIT"), .ready("I"))
        #expect(!bench.machine.portals.isKnown(ServerName(known: "p")))
        #expect(bench.machine.statements.isKnown(ServerName(known: "s")))
    }
}
