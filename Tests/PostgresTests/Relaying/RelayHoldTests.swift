import GatehouseCore
import NIOCore
import Relay
import Testing

@testable import Postgres

@Suite struct RelayHoldTests {
    private let delete = "delete from t where a = 1"
    private let refused = HoldOutcome.refused(
        Verdict(decision: .deny, rule: "ask", reason: "Ask first. bob did not approve it.", category: .approval, approval: "apr-1"))

    private func bench() -> RelayBench {
        let bench = RelayBench()
        bench.judge.heldKinds = ["delete"]
        return bench
    }

    private func bind(_ values: [String?]) -> Message {
        Message("B") { body in
            body.writeCString("")
            body.writeCString("")
            body.writeInteger(Int16(0))
            body.writeInteger(Int16(values.count))
            for value in values {
                body.writeInteger(Int32(value?.utf8.count ?? -1))
                if let value { body.writeString(value) }
            }
            body.writeInteger(Int16(0))
        }
    }

    @Test func aHeldQueryReachesTheServerOnlyWhenItIsApproved() throws {
        let bench = bench()
        try bench.client(.query(delete), .query("select 1"))
        let held = try #require(bench.held)
        #expect(held.what == .statement(text: ByteBuffer(string: delete), types: [], parameters: nil))
        #expect(!held.isInTransaction)
        #expect(held.offset == 0)
        #expect(bench.toServer.isEmpty)
        try bench.settle(.granted(approval: "apr-1"))
        #expect(bench.toServer == [.query(delete), .query("select 1")])
        #expect(bench.sink.verdicts == ["ask@0", "rest@\(Message.query(delete).bytes.count)"])
        #expect(bench.machine.counters.denied == 0)
        try bench.server(.complete("DELETE 1"), .ready(), .complete("SELECT 0"), .ready())
        #expect(bench.machine.isQuiet)
    }

    @Test func aRefusedQueryIsAnsweredByADenialAndTheSessionGoesOn() throws {
        let bench = bench()
        try bench.client(.query(delete), .query("select 1"))
        try bench.settle(refused)
        #expect(bench.toServer == [.injected(.failingQuery("ask")), .query("select 1")])
        #expect(bench.kept == [.query(delete)])
        try bench.server(.syntaxError, .ready())
        let text = bench.toClient[0].description
        #expect(text.contains("bob did not approve it"))
        #expect(text.contains(#""approval":"apr-1","category":"approval""#))
        #expect(text.contains(#""retry":true"#))
    }

    @Test func anEarlierRequestIsAnsweredBeforeAnybodyIsAsked() throws {
        let bench = bench()
        try bench.client(.query("begin"), .query(delete))
        #expect(bench.progress == .needsServer)
        #expect(bench.toServer == [.query("begin")])
        try bench.server(.complete("BEGIN"), .ready("T"))
        let held = try #require(bench.held)
        #expect(held.isInTransaction)
    }

    @Test func aStatementWaitsWhenItIsBoundAndNothingOfItsSegmentGoesOutBefore() throws {
        let bench = bench()
        try bench.client(.parse("", "delete from t where a = $1"), bind(["7", nil]), .execute(""), .sync)
        let held = try #require(bench.held)
        guard case .statement(let text, _, let parameters) = held.what else { throw Failed() }
        #expect(String(buffer: text) == "delete from t where a = $1")
        #expect(parameters?.shown == ["7", nil])
        #expect(!held.isInTransaction)
        #expect(bench.toServer.isEmpty)
        try bench.settle(.granted(approval: "apr-1"))
        #expect(bench.toServer == [.parse("", "delete from t where a = $1"), bind(["7", nil]), .execute(""), .sync])
        try bench.server(.parseComplete, .bindComplete, .complete("DELETE 1"), .ready())
        #expect(bench.machine.isQuiet)
        // The approval was of one Bind.
        try bench.client(bind(["8"]), .execute(""), .sync)
        #expect(bench.held != nil)
    }

    @Test func whatTheServerSaysOfAnApprovedTextIsTheServers() throws {
        let bench = bench()
        try bench.client(.parse("", "delete from t where nothing = $1"), bind(["7"]), .execute(""), .sync)
        try bench.settle(.granted(approval: "apr-1"))
        try bench.server(.syntaxError, .ready())
        #expect(bench.toClient == [.syntaxError, .ready()])
    }

    @Test func twoThatWaitBehindEachOtherKeepTheirOrder() throws {
        let bench = bench()
        let first = [Message.parse("", delete), bind([]), .execute(""), .sync]
        let second = [Message.parse("", delete), bind(["7"]), .execute(""), .sync]
        try bench.client(bytes: (first + second).flatMap(\.bytes))
        try bench.settle(.granted(approval: "apr-1"))
        // The first's answer is waited for, so that it is known whether a transaction is open.
        #expect(bench.progress == .needsServer)
        #expect(bench.toServer == first)
        try bench.server(.parseComplete, .bindComplete, .complete("DELETE 1"), .ready())
        let held = try #require(bench.held)
        #expect(!held.isInTransaction)
        try bench.settle(.granted(approval: "apr-2"))
        #expect(bench.toServer == first + second)
    }

    @Test func twoInOneSegmentKeepTheirOrder() throws {
        let bench = bench()
        let all = [Message.parse("", delete), bind([]), .execute(""), .parse("", delete), bind(["7"]), .execute(""), .sync]
        try bench.client(bytes: all.flatMap(\.bytes))
        try bench.settle(.granted(approval: "apr-1"))
        // What is approved runs now; the second one then waits in its transaction, and its Parse with it.
        #expect(bench.toServer == Array(all.prefix(3)))
        #expect(try #require(bench.held).isInTransaction)
        try bench.settle(.granted(approval: "apr-2"))
        #expect(bench.toServer == all)
    }

    @Test func aSpentBudgetHoldsABindWhoseStatementWasPreparedBefore() throws {
        let bench = bench()
        bench.judge.heldKinds = []
        bench.judge.keepsTexts = true
        try bench.client(.parse("s", delete), .sync)
        try bench.server(.parseComplete, .ready())
        bench.judge.overspent = Verdict(decision: .hold, rule: "b", category: .budget, hold: HoldTerms(approvers: ["managers"]))
        try bench.client(.bind("", "s"), .execute(""), .sync)
        #expect(try #require(bench.held).judgement.verdict.rule == "b")
        bench.judge.overspent = nil
        #expect(!bench.toServer.contains(.execute("")))
    }

    @Test func aRefusedBindFailsItsSegment() throws {
        let bench = bench()
        try bench.client(.parse("", delete), bind([]), .execute(""), .sync)
        try bench.settle(refused)
        #expect(bench.toServer == [.parse("", delete), .injected(.failingBind), .execute(""), .sync])
        try bench.server(.parseComplete, .error("26000", "no such statement"), .ready())
        #expect(bench.toClient.count == 3)
        #expect(bench.toClient[1].description.contains("bob did not approve it"))
        #expect(bench.machine.isQuiet)
    }

    @Test func whatIsFlushedOfASegmentMakesItATransaction() throws {
        let bench = bench()
        try bench.client(.parse("", delete), .flush)
        #expect(bench.toServer == [.parse("", delete), .flush])
        try bench.server(.parseComplete)
        try bench.client(bind([]), .execute(""), .sync)
        #expect(try #require(bench.held).isInTransaction)
    }

    @Test func aStatementPreparedEarlierKeepsItsText() throws {
        let bench = bench()
        try bench.client(.parse("s", delete), .sync)
        try bench.server(.parseComplete, .ready())
        try bench.client(.bind("", "s"), .execute(""), .sync)
        let held = try #require(bench.held)
        #expect(held.what == .statement(text: ByteBuffer(string: delete), types: [], parameters: try BoundParameters.none))
        #expect(!held.isInTransaction)
    }

    @Test func aNameThatSQLGaveCannotBeApproved() throws {
        let bench = bench()
        bench.judge.sqlNames = ["s"]
        try bench.client(.parse("s", delete), .sync)
        try bench.server(.parseComplete, .ready())
        try bench.client(.bind("", "s"), .execute(""), .sync)
        #expect(bench.held == nil)
        #expect(bench.sink.injected.count == 1)
    }

    @Test func whatRunsByANameCannotBeApproved() throws {
        let bench = bench()
        bench.judge.heldKinds = ["execute"]
        try bench.client(.parse("s", "select 1"), .sync)
        try bench.server(.parseComplete, .ready())
        try bench.client(.query("execute s"))
        #expect(bench.held == nil)
        #expect(bench.sink.injected == ["ask"])
    }

    @Test func whatCameBeforeRunsBeforeAnybodyIsAsked() throws {
        let bench = bench()
        try bench.client(.parse("", "select 1"), .bind("", ""), .execute(""), .parse("", delete), bind([]), .execute(""), .sync)
        #expect(bench.toServer == [.parse("", "select 1"), .bind("", ""), .execute("")])
        #expect(try #require(bench.held).isInTransaction)
    }

    @Test func whatWasCancelledWhileItWasLookedAtDoesNotRun() throws {
        let bench = bench()
        bench.judge.catalogsNeeded = 1
        try bench.client(.query("select 1"))
        #expect(bench.progress == .needsCatalog)
        bench.machine.cancelledOffset = bench.machine.clientOffset
        try bench.client(bytes: [])
        #expect(bench.sink.injected == ["gatehouse.cancelled"])
        bench.forget()
        try bench.server(.syntaxError, .ready())
        try bench.client(.query("select 1"))
        #expect(bench.toServer == [.query("select 1")])
    }

    @Test func anotherRuleAsksAnew() throws {
        let bench = bench()
        try bench.client(.query(delete))
        let held = try #require(bench.held)
        bench.machine.finishedHold = (held.offset, "another", .granted(approval: "apr-1"))
        try bench.client(bytes: [])
        #expect(bench.held != nil)
        #expect(bench.toServer.isEmpty)
    }

    @Test func aPolicyThatDeniesMeanwhileDenies() throws {
        let bench = bench()
        try bench.client(.query(delete))
        bench.judge.changePolicy(denying: ["delete"])
        try bench.settle(.granted(approval: "apr-1"))
        #expect(bench.toServer == [.injected(.failingQuery("no-drop"))])
    }

    @Test func anApprovedPortalRunsUnderAPolicyThatStillHolds() throws {
        let bench = bench()
        try bench.client(.parse("", delete), bind([]), .flush)
        try bench.settle(.granted(approval: "apr-1"))
        try bench.server(.parseComplete, .bindComplete)
        bench.judge.changePolicy(holding: ["delete"])
        bench.forget()
        try bench.client(.execute(""), .sync)
        #expect(bench.toServer == [.execute(""), .sync])
        bench.judge.changePolicy(denying: ["delete"])
        bench.forget()
        try bench.client(.execute(""), .sync)
        #expect(bench.toServer.contains(.injected(.failingExecute)))
    }

    @Test func aHeldSessionSendsNothing() throws {
        let bench = bench()
        bench.machine.sessionHold = Verdict(decision: .hold, rule: "ask-session", hold: HoldTerms(approvers: ["managers"]))
        try bench.client(.query("select 1"))
        #expect(try #require(bench.held).what == .session)
        #expect(bench.toServer.isEmpty)
        bench.machine.sessionHold = nil
        try bench.client(bytes: [])
        #expect(bench.toServer == [.query("select 1")])
    }

    @Test func aClientMayLeaveInsteadOfWaiting() throws {
        let bench = bench()
        bench.machine.sessionHold = Verdict(decision: .hold, rule: "ask-session", hold: HoldTerms(approvers: ["managers"]))
        #expect(try bench.client(.terminate) == .terminated)
    }

    @Test func whatIsWithheldWhenTheSessionEndsIsRecordedAndGoesNowhere() throws {
        let bench = bench()
        try bench.client(.parse("", delete), bind([]), .execute(""))
        #expect(bench.toServer.isEmpty && bench.kept.isEmpty)
        var sink = bench.sink
        bench.machine.dropWithheld(&sink)
        #expect(bench.kept == [.parse("", delete)])
        #expect(bench.toServer.isEmpty)
    }

    @Test func bytesOneByOneComeToTheSame() throws {
        let bench = bench()
        for byte in [Message.parse("", delete), bind(["7"]), .execute(""), .sync].flatMap(\.bytes) {
            if bench.held == nil { try bench.client(bytes: [byte]) }
        }
        #expect(bench.held != nil)
        // Read on its own, the Parse has gone ahead: that is a transaction.
        #expect(bench.toServer == [.parse("", delete)])
        #expect(bench.held?.isInTransaction == true)
    }

    @Test func aBindThatLiesAboutItsParametersIsAViolation() throws {
        let bench = bench()
        let wrong = Message("B") { body in
            body.writeCString("")
            body.writeCString("")
            body.writeInteger(Int16(0))
            body.writeInteger(Int16(2))
            body.writeInteger(Int32(900))
        }
        #expect(throws: ProtocolViolation.self) { try bench.client(.parse("", delete), wrong) }
    }

    private struct Failed: Error {}
}

extension BoundParameters {
    fileprivate static var none: BoundParameters {
        get throws {
            let bytes = Message("B") { body in
                for _ in 0..<3 { body.writeInteger(Int16(0)) }
            }.bytes
            let buffer = ByteBuffer(bytes: bytes)
            let header = try #require(try MessageHeader(at: 0, in: buffer, maximum: 1 << 20))
            var body = BodyReader(buffer, messageAt: 0, header: header)
            return try BoundParameters(&body)
        }
    }
}
