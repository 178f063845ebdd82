import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

/// Peers that break the rules: a thrown error, never a trap, and never a byte of it passed on.
@Suite struct RelayHostileTests {
    @Test func messagesThatNoClientSends() {
        for type in 0...255 where !"QPBEDCSHFcfdX".utf8.contains(UInt8(type)) {
            let bench = RelayBench()
            #expect(throws: ProtocolViolation.self) { try bench.client(bytes: [UInt8(type), 0, 0, 0, 4]) }
            #expect(bench.toServer.isEmpty)
        }
    }

    @Test func messagesThatNoServerSends() {
        for type in 0...255 where !"ANSE".utf8.contains(UInt8(type)) {
            let bench = RelayBench()
            #expect(throws: ProtocolViolation.self) { try bench.server(bytes: [UInt8(type), 0, 0, 0, 4]) }
            #expect(bench.toClient.isEmpty)
        }
    }

    @Test func answersToSomethingElse() throws {
        let answers: [Message] = [
            .parseComplete, .bindComplete, .closeComplete, .noData, .suspended, .parameters, .copyIn, .copyOut, .copyDone,
            .copyData("x"), .ready("?"), .copy("W", columns: 0), Message("V"),
        ]
        for answer in answers {
            let bench = RelayBench()
            try bench.client(.query("select 1"))
            if answer == .copyOut {
                // A query may turn out to copy; what it may reveal was judged.
                try bench.server(answer)
            } else {
                #expect(throws: ProtocolViolation.self, "\(answer)") { try bench.server(answer) }
                #expect(bench.toClient.isEmpty)
            }
        }
        let bench = RelayBench()
        try bench.client(.parse("", "select 1"))
        #expect(throws: ProtocolViolation.self) { try bench.server(.row("1")) }
    }

    @Test func lengthsAreCheckedBeforeTheirBytesAreWaitedFor() throws {
        for length: Int32 in [.min, -1, 0, 3, 1_005, .max] {
            for type in ["Q", "d", "S"] {
                let bench = RelayBench { $0.messageBytes = 1_000 }
                let header = Array(type.utf8) + withUnsafeBytes(of: length.bigEndian, Array.init)
                let violation = #expect(throws: ProtocolViolation.self) { try bench.client(bytes: header) }
                #expect(violation?.code == (length > 4 ? .programLimitExceeded : .protocolViolation))
                #expect(throws: ProtocolViolation.self) { try bench.server(bytes: header) }
            }
        }
    }

    /// Every message cut short, or with a byte too many, and its length right.
    @Test func malformedBodies() {
        let messages: [Message] = [
            .query("select 1"), .parse("s", "select 1"), .bind("p", "s"), .execute("p"), .describe("S", "s"), .close("P", "p"), .sync,
            .flush,
        ]
        for message in messages {
            let body = Array(message.bytes.dropFirst(5))
            for count in 0...body.count + 1 where count != body.count {
                // The parameters of a Bind are the server's to check.
                if message.bytes[0] == UInt8(ascii: "B"), count >= 4 { continue }
                let changed = Message(Character(UnicodeScalar(message.bytes[0]))) { buffer in
                    buffer.writeBytes(body.prefix(count))
                    if count > body.count { buffer.writeInteger(UInt8(1)) }
                }
                let bench = RelayBench()
                #expect(throws: ProtocolViolation.self, "\(changed)") { try bench.client(changed) }
                #expect(bench.toServer.isEmpty)
            }
        }
        #expect(throws: ProtocolViolation.self) { try RelayBench().client(.describe("X", "s")) }
        #expect(throws: ProtocolViolation.self) { try RelayBench().client(.close("X", "s")) }
        #expect(throws: ProtocolViolation.self) { try RelayBench().client(Message("Q") { $0.writeString("select 1\0; drop table t\0") }) }
    }

    @Test func whatCameBeforeTheViolationIsPassedAndRecorded() {
        let bench = RelayBench()
        #expect(throws: ProtocolViolation.self) { try bench.client(.query("select 1"), Message("p")) }
        #expect(bench.toServer == [.query("select 1")])
    }

    @Test func thePipelineIsBounded() throws {
        let bench = RelayBench { $0.pipelineDepth = 3 }
        try bench.client(.sync, .sync, .sync)
        let violation = #expect(throws: ProtocolViolation.self) { try bench.client(.sync) }
        #expect(violation?.code == .programLimitExceeded)
    }

    @Test func preparedStatementsAndPortalsAreBounded() throws {
        let bench = RelayBench { $0.statementsPerSession = 2 }
        try bench.client(.parse("a", "select 1"), .parse("b", "select 1"), .parse("", "select 1"), .parse("a", "select 2"))
        #expect(throws: ProtocolViolation.self) { try bench.client(.parse("c", "select 1")) }
        let other = RelayBench { $0.statementsPerSession = 2 }
        try other.client(.parse("a", "select 1"), .bind("p", "a"), .bind("q", "a"), .bind("", "a"))
        #expect(throws: ProtocolViolation.self) { try other.client(.bind("r", "a")) }
    }

    /// CopyDone without end, outside of any COPY: the server ignores it, and nothing is kept of it.
    @Test func strayEndsOfCopyDataAreNotKept() throws {
        let bench = RelayBench { $0.pipelineDepth = 10 }
        for _ in 0..<100 { try bench.client(.copyDone, .copyFail("no"), .copyData("x")) }
        #expect(bench.machine.isQuiet)
        try bench.client(.query("select 1"))
        try bench.server(.complete("SELECT 0"), .ready())
        #expect(bench.machine.isQuiet)
    }
}
