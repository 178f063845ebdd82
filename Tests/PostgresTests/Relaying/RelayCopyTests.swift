import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

@Suite struct RelayCopyTests {
    let load = "copy t from stdin"

    @Test func copyInPasses() throws {
        let bench = RelayBench()
        #expect(try bench.client(.query(load)) == .needsBytes)
        try bench.server(.copyIn)
        try bench.client(.copyData("1\ta\n"), .copyData("2\tb\n"), .copyDone)
        try bench.server(.complete("COPY 2"), .ready())
        #expect(bench.toServer == [.query(load), .copyData("1\ta\n"), .copyData("2\tb\n"), .copyDone])
        #expect(bench.machine.isQuiet)
    }

    /// A Sync amid copy data is ignored by a server that copies. One that just failed would take it seriously.
    @Test func aSyncAmidCopyDataStaysHere() throws {
        let bench = RelayBench()
        try bench.client(.query(load))
        try bench.server(.copyIn)
        try bench.client(.copyData("1"), .sync, .flush, .copyData("2"), .copyDone)
        #expect(bench.toServer == [.query(load), .copyData("1"), .copyData("2"), .copyDone])
        #expect(bench.kept == [.sync, .flush])
        try bench.server(.complete("COPY 1"), .ready())
        #expect(bench.machine.isQuiet)
    }

    @Test func requestsAmidCopyDataEndTheSession() throws {
        for message: Message in [.query("drop table t"), .parse("", "select 1"), .execute(""), .functionCall] {
            let bench = RelayBench()
            try bench.client(.query(load))
            try bench.server(.copyIn)
            #expect(throws: ProtocolViolation.self) { try bench.client(.copyData("1"), message) }
            #expect(bench.toServer == [.query(load), .copyData("1")])
        }
    }

    /// Nothing that follows is a request for certain until the server has answered.
    @Test func whatFollowsAnAnnouncedCopyWaits() throws {
        let bench = RelayBench()
        #expect(try bench.client(.query(load), .query("select 1")) == .needsServer)
        #expect(bench.toServer == [.query(load)])
        try bench.server(.error("42P01", "no such table"), .ready())
        #expect(bench.toServer == [.query(load), .query("select 1")])
        #expect(bench.machine.pending.count == 1)
    }

    @Test func copyDataMaybeSentBlindly() throws {
        let bench = RelayBench()
        #expect(try bench.client(.query(load), .copyData("1"), .copyDone, .query("select 1")) == .needsServer)
        #expect(bench.toServer == [.query(load), .copyData("1"), .copyDone])
        try bench.server(.copyIn)
        #expect(bench.machine.copy == .none)
        try bench.server(.complete("COPY 1"), .ready(), .complete("SELECT 1"), .ready())
        #expect(bench.toServer == [.query(load), .copyData("1"), .copyDone, .query("select 1")])
        #expect(bench.machine.isQuiet)
    }

    @Test func severalCopiesOfOneTextSentBlindly() throws {
        let bench = RelayBench()
        try bench.client(.query("copy a from stdin; copy b from stdin"), .copyData("1"), .copyDone, .copyData("2"), .copyDone)
        try bench.server(.copyIn, .complete("COPY 1"), .copyIn)
        #expect(bench.machine.copy == .none)
        try bench.server(.complete("COPY 1"), .ready())
        #expect(bench.machine.isQuiet)
    }

    @Test func anErrorBeforeBlindCopyDataLeavesNothingBehind() throws {
        let bench = RelayBench()
        try bench.client(.query(load), .copyData("1"), .copyDone)
        try bench.server(.error("42P01", "no such table"), .ready())
        #expect(bench.machine.isQuiet)
        #expect(bench.judge.idleTimes == 1)
    }

    @Test func anErrorAmidCopyData() throws {
        let bench = RelayBench()
        try bench.client(.query(load))
        try bench.server(.copyIn)
        try bench.client(.copyData("1"))
        try bench.server(.error("22P04", "bad row"), .ready())
        // The client did not yet know: the server ignores the rest of its data.
        try bench.client(.copyData("2"), .copyFail("stop"), .query("select 1"))
        try bench.server(.complete("SELECT 1"), .ready())
        #expect(bench.toServer == [.query(load), .copyData("1"), .copyData("2"), .copyFail("stop"), .query("select 1")])
        #expect(bench.machine.isQuiet)
    }

    @Test func copyInOfTheExtendedProtocol() throws {
        let bench = RelayBench()
        try bench.client(.parse("", load), .bind("", ""), .execute(""), .sync)
        #expect(bench.toServer == [.parse("", load), .bind("", ""), .execute("")])
        try bench.server(.parseComplete, .bindComplete, .copyIn)
        #expect(bench.kept == [.sync])
        try bench.client(.copyData("1"), .copyDone, .sync)
        try bench.server(.complete("COPY 1"), .ready())
        #expect(bench.machine.isQuiet)
    }

    @Test func anErrorAmidCopyDataOfTheExtendedProtocolSkipsToTheSync() throws {
        let bench = RelayBench()
        try bench.client(.parse("", load), .bind("", ""), .execute(""), .flush)
        try bench.server(.parseComplete, .bindComplete, .copyIn)
        try bench.client(.copyData("x"))
        try bench.server(.error("22P04", "bad row"))
        #expect(bench.machine.pending.isSkipping)
        try bench.client(.copyDone, .execute(""), .sync)
        try bench.server(.ready())
        #expect(bench.machine.isQuiet)
    }

    @Test func aDeniedCopyAsksForNoData() throws {
        let bench = RelayBench()
        bench.judge.deniedKinds = ["copy.from"]
        #expect(try bench.client(.query(load), .copyData("1"), .copyDone, .query("select 1")) == .needsBytes)
        #expect(!bench.sink.toServer.contains(load))
        try bench.server(.syntaxError, .ready(), .complete("SELECT 1"), .ready())
        #expect(bench.toClient == [.denial, .ready(), .complete("SELECT 1"), .ready()])
        #expect(bench.machine.isQuiet)
    }

    @Test func copyOutPasses() throws {
        let bench = RelayBench()
        try bench.client(.query("copy t to stdout"))
        let answer: [Message] = [.copyOut, .copyData("1\ta\n"), .copyDone, .complete("COPY 1"), .ready()]
        try bench.server(bytes: answer.flatMap(\.bytes))
        #expect(bench.toClient == answer)
        #expect(bench.machine.counters.rows == 1)
        #expect(bench.machine.isQuiet)
    }

    @Test func copyOutIsMasked() throws {
        let bench = RelayBench()
        try bench.client(.query("copy t (id, ssn) to stdout"))
        try bench.server(.copyOut, .copyData("1\t123\n"), .copyData("2\t"), .copyData("456\n"), .copyDone, .complete("COPY 2"), .ready())
        let data = bench.toClient.filter { $0.bytes[0] == UInt8(ascii: "d") }.flatMap { $0.bytes.dropFirst(5) }
        #expect(String(decoding: data, as: UTF8.self) == "1\t****\n2\t****\n")
        #expect(bench.machine.isQuiet)
    }

    @Test func copyOutOtherThanPlannedEndsTheSession() throws {
        let bench = RelayBench()
        try bench.client(.query("copy t (id, ssn) to stdout"))
        #expect(throws: ProtocolViolation.self) { try bench.server(.copy("H", columns: 3)) }
        let other = RelayBench()
        try other.client(.query("copy t (id, ssn) to stdout"))
        #expect(throws: ProtocolViolation.self) { try other.server(.copyOut, .copyData("1\t12"), .copyDone) }
        #expect(!other.sink.toClient.contains("12"))
    }

    @Test func copyBothIsForReplicationAlone() throws {
        let bench = RelayBench(isReplication: true)
        try bench.client(.query("select 1"))
        try bench.server(.copy("W", columns: 0), .copyData("w"))
        try bench.client(.copyData("r"), .copyDone)
        try bench.server(.copyDone, .complete("COPY 0"), .ready())
        #expect(bench.machine.isQuiet)
    }
}
