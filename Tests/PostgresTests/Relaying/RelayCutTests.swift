import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

/// However the two streams are cut, the same comes out.
@Suite struct RelayCutTests {
    enum Step {
        case client([Message])
        case server([Message])
    }

    static let script: [Step] = [
        .client([.query("select 1"), .query("drop table t")]),
        .server([.columns("a"), .row("1"), .row("2"), .complete("SELECT 2"), .ready(), .syntaxError, .ready()]),
        .client([.parse("s", "select id, ssn from customers"), .bind("p", "s"), .execute("p"), .sync]),
        .server([.parseComplete, .bindComplete, .columns("id", "ssn"), .row("1", "22"), .row("3", "44"), .complete("SELECT 2"), .ready()]),
        .client([.parse("", "drop table t"), .bind("", ""), .execute(""), .sync, .query("copy t from stdin")]),
        .server([.syntaxError, .ready(), .copyIn]),
        .client([.copyData("1\n"), .sync, .copyData("2\n"), .copyDone]),
        .server([.complete("COPY 2"), .ready()]),
        .client([.query("copy t (id, ssn) to stdout"), .query("select ssn from t")]),
        .server([.copyOut, .copyData("1\tsecret\n2\tse"), .copyData("cret\n"), .copyDone, .complete("COPY 2"), .ready()]),
        .server([.columns("ssn"), .notice("of 9"), .row("9"), .error("22012", "of 9"), .ready("E")]),
        .client([.functionCall, .query("")]),
        .server([.error("25P02", "failed"), .ready("E"), .emptyQuery, .ready()]),
        .client([.terminate]),
    ]

    /// How a run ends, in all that may be seen of it.
    struct Outcome: Equatable {
        var toServer: [UInt8]
        var toClient: [UInt8]
        var held: [UInt8]
        var verdicts: [String]
        var accounted: [Int]
        var counted: [UInt64]
        var isQuiet: Bool
    }

    static func run(cut: (Int) -> Int) throws -> Outcome {
        let bench = RelayBench()
        for step in script {
            var rest: ArraySlice<UInt8>
            switch step {
            case .client(let messages), .server(let messages): rest = messages.flatMap(\.bytes)[...]
            }
            while !rest.isEmpty {
                let part = rest.prefix(max(1, cut(rest.count)))
                rest = rest.dropFirst(part.count)
                switch step {
                case .client: try bench.client(bytes: Array(part))
                case .server: try bench.server(bytes: Array(part))
                }
            }
        }
        let counters = bench.machine.counters
        return Outcome(
            toServer: bench.sink.toServer, toClient: bench.sink.toClient, held: bench.sink.held, verdicts: bench.sink.verdicts,
            accounted: [bench.sink.clientBytes, bench.sink.serverBytes], counted: [counters.statements, counters.denied, counters.rows],
            isQuiet: bench.machine.isQuiet && bench.progress == .terminated)
    }

    @Test func byteByByteIsAsWhole() throws {
        let whole = try Self.run { $0 }
        #expect(whole.isQuiet)
        #expect(!whole.toServer.contains("drop table"))
        #expect(!whole.toClient.contains("secret"))
        #expect(try Self.run { _ in 1 } == whole)
    }

    @Test func anyCutIsAsWhole() throws {
        let whole = try Self.run { $0 }
        for seed in 0..<200 as Range<UInt64> {
            var generator = SplitMix(state: 0xC0FFEE &+ seed)
            let longest = Int.random(in: 1...60, using: &generator)
            let outcome = try Self.run { _ in Int.random(in: 1...longest, using: &generator) }
            #expect(outcome == whole, "seed \(seed)")
        }
    }

    /// Every byte that came in is accounted for: passed, held or replaced on one side, passed, replaced or swallowed on the other.
    @Test func nothingIsLost() throws {
        var said = [0, 0]
        for step in Self.script {
            switch step {
            case .client(let messages): said[0] += messages.reduce(0) { $0 + $1.bytes.count }
            case .server(let messages): said[1] += messages.reduce(0) { $0 + $1.bytes.count }
            }
        }
        let outcome = try Self.run { $0 }
        #expect(outcome.accounted == said)
    }
}
