import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

@Suite struct RelayMaskTests {
    let secret = "select id, ssn from customers"

    @Test func rowsOfAQueryAreMasked() throws {
        let bench = RelayBench()
        try bench.client(.query(secret))
        try bench.server(.columns("id", "ssn"), .row("1", "123"), .row("2", nil), .row(nil, ""), .complete("SELECT 3"), .ready())
        #expect(
            bench.toClient == [
                .columns("id", "ssn"), .row("1", "****"), .row("2", nil), .row(nil, "****"), .complete("SELECT 3"), .ready(),
            ])
        #expect(bench.machine.counters.rows == 3)
        #expect(bench.sink.serverBytes == bench.sink.toClient.count - 5)
    }

    @Test func everyStatementOfATextHasItsOwnColumns() throws {
        let bench = RelayBench()
        try bench.client(.query("select ssn from a; select 1; select ssn from a"))
        try bench.server(.columns("ssn"), .row("1"), .complete("SELECT 1"), .columns("x"), .row("2"), .complete("SELECT 1"))
        try bench.server(.columns("ssn"), .row("3"), .complete("SELECT 1"), .ready())
        #expect(bench.toClient.filter { $0.bytes[0] == UInt8(ascii: "D") } == [.row("****"), .row("2"), .row("****")])
    }

    @Test func theInjectedDescribeAndItsAnswerAreTheGatewaysOwn() throws {
        let bench = RelayBench()
        try bench.client(.parse("", secret), .bind("p", ""), .execute("p"), .execute("p"), .sync)
        #expect(bench.toServer == [.parse("", secret), .bind("p", ""), .injectedDescribe("p"), .execute("p"), .execute("p"), .sync])
        #expect(bench.sink.injected == ["describe"])
        try bench.server(.parseComplete, .bindComplete, .columns("id", "ssn"), .row("1", "x"), .suspended, .row("2", "y"))
        try bench.server(.complete("SELECT 1"), .ready())
        #expect(
            bench.toClient == [
                .parseComplete, .bindComplete, .row("1", "****"), .suspended, .row("2", "****"), .complete("SELECT 1"), .ready(),
            ])
        #expect(bench.sink.swallowed == Message.columns("id", "ssn").bytes.count)
    }

    @Test func anInjectedDescribeOfWhatGivesNoRows() throws {
        let bench = RelayBench()
        try bench.client(.parse("", "update customers set ssn = '1' where id = 1"), .bind("", ""), .execute(""), .sync)
        try bench.server(.parseComplete, .bindComplete, .noData, .complete("UPDATE 1"), .ready())
        #expect(bench.toClient == [.parseComplete, .bindComplete, .complete("UPDATE 1"), .ready()])
    }

    @Test func theClientsOwnDescribeIsUsed() throws {
        let bench = RelayBench()
        let asked: [Message] = [.parse("", secret), .bind("", ""), .describe("P", ""), .execute(""), .sync]
        try bench.client(bytes: asked.flatMap(\.bytes))
        #expect(bench.toServer == asked)
        try bench.server(.parseComplete, .bindComplete, .columns("id", "ssn"), .row("1", "2"), .complete("SELECT 1"), .ready())
        #expect(bench.toClient.contains(.row("1", "****")))
    }

    @Test func anErrorOfTheInjectedDescribeReachesTheClientAsTheExecutes() throws {
        let bench = RelayBench()
        try bench.client(.parse("", secret), .bind("", ""), .execute(""), .sync)
        try bench.server(.parseComplete, .error("08P01", "bind"), .ready())
        #expect(bench.toClient.count == 3)
        #expect(bench.machine.isQuiet)
    }

    @Test func rowsWithoutOrBesideTheirDescriptionEndTheSession() throws {
        let bench = RelayBench()
        try bench.client(.query(secret))
        #expect(throws: ProtocolViolation.self) { try bench.server(.row("1", "2")) }
        let other = RelayBench()
        try other.client(.query(secret))
        #expect(throws: ProtocolViolation.self) { try other.server(.columns("id", "ssn"), .row("1", "2", "3")) }
        #expect(other.toClient == [.columns("id", "ssn")])
    }

    @Test func rowsWaitForTheCatalog() throws {
        let bench = RelayBench()
        bench.judge.rowCatalogsNeeded = 1
        try bench.client(.query(secret))
        #expect(try bench.server(.columns("id", "ssn"), .row("1", "2")) == .needsCatalog)
        #expect(bench.toClient.isEmpty)
        try bench.server(bytes: [])
        #expect(bench.toClient == [.columns("id", "ssn"), .row("1", "****")])
    }

    @Test func wordsThatMayQuoteAValueAreWithheld() throws {
        let bench = RelayBench()
        try bench.client(.query("select ssn::int from customers"))
        try bench.server(.notice("saw 123-45"), .error("22P02", "invalid input syntax: \"123-45\""), .ready())
        #expect(!bench.sink.toClient.contains("123-45"))
        #expect(bench.sink.toClient.contains("22P02"))
        #expect(bench.sink.replaced == [.withheldMessage])
        bench.forget()
        try bench.client(.query("select 1/0"))
        try bench.server(.error("22012", "division by zero"), .ready())
        #expect(bench.toClient == [.error("22012", "division by zero"), .ready()])
    }
}
