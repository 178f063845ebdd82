import Masking
import Testing

@testable import Postgres

/// Many rows are masked in one go where nothing else must be known of each; nobody can tell.
@Suite struct RelayManyRowsTests {
    private static let secret = "select id, ssn from customers"

    /// Rows of many lengths: some empty, some NULL, some longer than what is gathered.
    private func answer(seed: UInt64) -> [Message] {
        var random = Numbers(seed: seed)
        var rows: [Message] = [.columns("id", "ssn")]
        for number in 0..<400 {
            let length = random.next(below: 40) == 0 ? random.next(below: 150_000) : random.next(below: 60)
            let value = random.next(below: 9) == 0 ? nil : String(repeating: "s", count: length)
            rows.append(.row(String(number), value))
        }
        return rows + [.complete("SELECT 400"), .ready()]
    }

    private struct Numbers {
        var state: UInt64
        init(seed: UInt64) { state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493 }
        mutating func next(below bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }

    private func run(_ bytes: [UInt8], cut: Int, oneByOne: Bool, _ original: OriginalView<[ColumnMask?]>) throws -> RelayBench {
        let bench = RelayBench()
        bench.judge.countsMaskedValues = oneByOne
        bench.judge.original = original
        try bench.client(.query(Self.secret))
        for start in stride(from: 0, to: bytes.count, by: cut) {
            try bench.server(bytes: Array(bytes[start..<min(start + cut, bytes.count)]))
        }
        return bench
    }

    @Test(arguments: [997, 8_192, 65_536, 300_000, 10_000_000]) func togetherAsOneByOne(cut: Int) throws {
        let bytes = answer(seed: UInt64(cut)).flatMap(\.bytes)
        for original in [OriginalView<[ColumnMask?]>.nothing, .asItCame] {
            let together = try run(bytes, cut: cut, oneByOne: false, original)
            let single = try run(bytes, cut: cut, oneByOne: true, original)
            #expect(together.sink.toClient == single.sink.toClient)
            #expect(together.machine.counters.rows == 400 && single.machine.counters.rows == 400)
            #expect(together.sink.serverBytes == bytes.count)
            #expect(together.sink.originals.flatMap(\.bytes) == single.sink.originals.flatMap(\.bytes))
        }
    }

    /// What was sound goes on; the session ends at what is not.
    @Test func aRowThatIsNotOfTheColumnsAmidOthers() throws {
        let bench = RelayBench()
        try bench.client(.query(Self.secret))
        #expect(throws: ProtocolViolation.self) {
            try bench.server(.columns("id", "ssn"), .row("1", "a"), .row("2", "b"), .row("3", "c", "d"), .row("4", "e"))
        }
        #expect(bench.toClient == [.columns("id", "ssn"), .row("1", "****"), .row("2", "****")])
    }

    @Test func aRowOfMoreThanTheLimitAmidOthers() throws {
        let bench = RelayBench { $0.messageBytes = 1_000 }
        try bench.client(.query(Self.secret))
        #expect(throws: ProtocolViolation.self) {
            try bench.server(.columns("id", "ssn"), .row("1", "a"), .row("2", String(repeating: "b", count: 1_001)), .row("3", "c"))
        }
        #expect(bench.toClient == [.columns("id", "ssn"), .row("1", "****")])
    }
}
