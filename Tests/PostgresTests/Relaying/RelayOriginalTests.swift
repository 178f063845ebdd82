import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

/// What masks take out goes to the sink in front of what stands for it, and only where a mask keeps it.
@Suite struct RelayOriginalTests {
    let secret = "select id, ssn from customers"
    let copy = "copy customers (id, ssn) to stdout"

    private func bench(_ original: OriginalView<[ColumnMask?]>) -> RelayBench {
        let bench = RelayBench()
        bench.judge.original = original
        return bench
    }

    /// What the client would have got without masks, by the originals.
    private func truth(_ bench: RelayBench) -> [UInt8] {
        var stream: [UInt8] = []
        var position = 0
        for (bytes, at, recorded) in bench.sink.originals {
            stream += bench.sink.recordedOfServer[position..<at] + bytes
            position = at + recorded
        }
        return stream + bench.sink.recordedOfServer[position...]
    }

    private let rows: [Message] = [
        .columns("id", "ssn"), .row("1", "123"), .row("2", nil), .row(nil, "x"), .complete("SELECT 3"), .ready(),
    ]

    @Test func rowsAreKeptAsTheyCame() throws {
        let bench = bench(.asItCame)
        try bench.client(.query(secret))
        try bench.server(bytes: rows.flatMap(\.bytes))
        #expect(bench.toClient.contains(.row("1", "****")) && !bench.toClient.contains(.row("1", "123")))
        #expect(bench.sink.originals.count == 1, "one record for a run of rows")
        #expect(truth(bench) == rows.flatMap(\.bytes))
    }

    /// However the answer is cut, and where rows come in several runs.
    @Test(arguments: [1, 2, 7, 30]) func cutsChangeNothing(size: Int) throws {
        let bench = bench(.asItCame)
        try bench.client(.query("select id, ssn from a; select id, ssn from b"))
        let answer: [Message] = rows.dropLast() + [.notice("between")] + rows
        let bytes = answer.flatMap(\.bytes)
        // Words of the server about masked columns are withheld, and not kept.
        let kept = answer.filter { $0 != .notice("between") }.flatMap(\.bytes)
        for start in stride(from: 0, to: bytes.count, by: size) {
            try bench.server(bytes: Array(bytes[start..<min(start + size, bytes.count)]))
        }
        let words = bench.toClient.filter { $0.bytes[0] == UInt8(ascii: "N") }.flatMap(\.bytes)
        var found = truth(bench)
        let place = try #require(found.firstRange(of: words))
        found.removeSubrange(place)
        #expect(found == kept)
    }

    @Test func nothingIsKeptWhereNoMaskAsks() throws {
        let bench = bench(.nothing)
        try bench.client(.query(secret))
        try bench.server(bytes: rows.flatMap(\.bytes))
        #expect(bench.sink.originals.isEmpty)
    }

    @Test func whatIsNotMaskedIsNotKept() throws {
        let bench = bench(.asItCame)
        try bench.client(.query("select id, name from customers"))
        try bench.server(.columns("id", "name"), .row("1", "a"), .complete("SELECT 1"), .ready())
        #expect(bench.sink.originals.isEmpty)
    }

    /// Beside masks that keep nothing: their columns are masked in what is kept.
    @Test func otherMasksHoldInWhatIsKept() throws {
        let bench = bench(.masked([ScriptedJudge.mask, nil]))
        try bench.client(.query(secret))
        try bench.server(bytes: rows.flatMap(\.bytes))
        let kept: [Message] = [.row("****", "123"), .row("****", nil), .row(nil, "x")]
        #expect(bench.sink.originals.map(\.bytes) == [kept.flatMap(\.bytes)])
    }

    /// What detectors find keeps nothing, but they do not look where a mask does keep.
    @Test func whatDetectorsFindIsNotKept() throws {
        let bench = bench(.asItCame)
        bench.judge.redactor = try Redactor(Detector.builtIn.map { Redactor.Choice(detector: $0) })
        try bench.client(.query("select ssn, note from customers"))
        try bench.server(
            .columns("ssn", "note"), .row("a@example.com", "b@example.com"), .row("c@example.com", "y"), .complete("SELECT 2"), .ready())
        #expect(bench.toClient.contains(.row("****", "[email]")) && bench.toClient.contains(.row("****", "y")))
        let kept: [Message] = [.row("a@example.com", "[email]"), .row("c@example.com", "y")]
        #expect(bench.sink.originals.flatMap(\.bytes) == kept.flatMap(\.bytes))
        bench.forget()
        try bench.client(.query("copy customers (note, ssn) to stdout"))
        try bench.server(.copyOut, .copyData("b@example.com\ta@example.com\ny\tc@example.com\n"), .copyDone, .complete("COPY 2"), .ready())
        #expect(bench.toClient.contains(.copyData("[email]\t****\ny\t****\n")))
        #expect(bench.sink.originals.flatMap(\.bytes) == Message.copyData("[email]\ta@example.com\ny\tc@example.com\n").bytes)
        // Where no mask keeps anything, nothing of it is kept.
        bench.forget()
        try bench.client(.query("select id, note from customers"))
        try bench.server(.columns("id", "note"), .row("1", "b@example.com"), .complete("SELECT 1"), .ready())
        #expect(bench.toClient.contains(.row("1", "[email]")) && bench.sink.originals.isEmpty)
    }

    @Test func longResultsAreKeptInPieces() throws {
        let bench = bench(.asItCame)
        try bench.client(.query(secret))
        let value = String(repeating: "s", count: 100_000)
        var answer: [Message] = [.columns("id", "ssn")]
        for _ in 0..<40 { answer.append(.row("1", value)) }
        answer += [.complete("SELECT 40"), .ready()]
        try bench.server(bytes: answer.flatMap(\.bytes))
        #expect(bench.sink.originals.count > 2)
        #expect(bench.sink.originals.allSatisfy { $0.bytes.count < 1_300_000 })
        #expect(truth(bench) == answer.flatMap(\.bytes))
    }

    @Test func copyDataIsKept() throws {
        let answer: [Message] = [
            .copyOut, .copyData("1\t123\n"), .copyData("2\t"), .copyData("456\n"), .copyDone, .complete("COPY 2"), .ready(),
        ]
        let bench = bench(.asItCame)
        try bench.client(.query(copy))
        for message in answer { try bench.server(message) }
        #expect(bench.sink.toClient.contains("****") && !bench.sink.toClient.contains("456"))
        #expect(truth(bench) == answer.flatMap(\.bytes))
        let other = self.bench(.masked([ScriptedJudge.mask, nil]))
        try other.client(.query(copy))
        try other.server(bytes: answer.flatMap(\.bytes))
        let data = Message.split(truth(other)).filter { $0.bytes[0] == UInt8(ascii: "d") }.flatMap { $0.bytes.dropFirst(5) }
        #expect(String(decoding: data, as: UTF8.self) == "****\t123\n****\t456\n")
    }

    /// A later result that keeps nothing is not taken for one that does.
    @Test func eachCopyHasItsOwnPlan() throws {
        let bench = bench(.asItCame)
        try bench.client(.query(copy))
        try bench.server(.copyOut, .copyData("1\t123\n"), .copyDone, .complete("COPY 1"), .ready())
        bench.judge.original = .nothing
        bench.judge.changePolicy()
        bench.forget()
        try bench.client(.query(copy))
        try bench.server(.copyOut, .copyData("1\t123\n"), .copyDone, .complete("COPY 1"), .ready())
        #expect(bench.sink.originals.isEmpty)
    }
}
